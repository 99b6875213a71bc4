"""
Where the Kubernetes API is, whom we trust to be it, and who we are to it.

Three ways: in the cluster (what every pod is given), an explicit url, a kubeconfig (`kubeconfig`). What is asked of the
API is for `api`. A token is in the headers of a request and nowhere else: not in a text, a log line or a repr.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from exporter import logs
from exporter.clock import Clock
from exporter.connections import is_loopback, proxy_for
from exporter.errors import ConfigError, Fault
from exporter.kubernetes.inside import SERVICE_ACCOUNT, in_cluster
from exporter.kubernetes.kubeconfig import Kubeconfig
from exporter.kubernetes.wire import trusting

_REREAD = 60.0
"""Seconds after which a token file is read again: the kubelet puts a new token there long before the old one ends."""

_LOG = logs.logger(__name__)


class Where(Protocol):
    """What the configuration says of the API; None for what it does not."""

    @property
    def url(self) -> str | None:
        """Such as ``https://10.0.0.1:6443``."""
        ...

    @property
    def token_file(self) -> str | PathLike[str] | None:
        """The bearer token for `url`."""
        ...

    @property
    def ca_file(self) -> str | PathLike[str] | None:
        """Certificates (PEM) to trust for `url`."""
        ...

    @property
    def kubeconfig(self) -> str | PathLike[str] | None:
        """One or more files, as KUBECONFIG lists them."""
        ...

    @property
    def context(self) -> str | None:
        """The context of the kubeconfig, where it is not the current one."""
        ...


class Credentials(Protocol):
    """Who we are. Nothing here raises once it has been made: what cannot be renewed stays as it was."""

    @property
    def tls(self) -> ssl.SSLContext | None:
        """The context to connect with, where a certificate says who we are; None for the server's own."""
        ...

    async def headers(self) -> Mapping[str, str]:
        """The headers that say who we are."""
        ...

    async def renew(self, used: Mapping[str, str]) -> bool:
        """
        The API refused these headers: look for better ones.

        Returns:
            Whether there are others now.
        """
        ...


@dataclass(frozen=True, slots=True)
class Server:
    """
    One API server.

    Args:
        url: without a slash at its end.

        credentials: who we are.

        source: where all this comes from, for people.

        tls: to connect with, where the credentials bring none; None for plain HTTP.

        namespace: of our service account; None where there is none.

        proxy: to go through.

        server_name: the name its certificate must hold, where it is not the url's.

        ca_file: whom `tls` trusts, read again by `reread_authorities`.
    """

    url: str
    credentials: Credentials
    source: str
    tls: ssl.SSLContext | None = None
    namespace: str | None = None
    proxy: str | None = field(default=None, repr=False)  # may hold a password
    server_name: str | None = None
    ca_file: Path | None = None

    @property
    def context(self) -> ssl.SSLContext | None:
        """The context to connect with at present."""
        return self.credentials.tls or self.tls

    async def reread_authorities(self) -> None:
        """Trust also what stands in `ca_file` by now: a cluster's authority is replaced while pods run."""
        if self.tls is not None and self.ca_file is not None:
            try:
                await asyncio.to_thread(self.tls.load_verify_locations, str(self.ca_file))
            except (OSError, ssl.SSLError) as error:
                logs.log(_LOG, "warning", "kubernetes_ca_unread", f"{self.ca_file} cannot be read again", error=error)


class Nobody:
    """No credentials, as a `kubectl proxy` wants none."""

    tls = None

    async def headers(self) -> Mapping[str, str]:
        """None."""
        return {}

    async def renew(self, used: Mapping[str, str]) -> bool:  # noqa: ARG002 - there is nothing to compare it with
        """There are no others."""
        return False


class TokenFile:
    """
    A bearer token from a file that somebody else keeps fresh.

    Args:
        path: the file.

        monotonic: seconds that never jump.

    Raises:
        OSError: where it cannot be read now.
        ValueError: where it holds no token now.
    """

    tls = None

    def __init__(self, path: Path, monotonic: Callable[[], float]) -> None:
        self._path = path
        self._monotonic = monotonic
        self._once = logs.Once(_LOG, 3600.0, monotonic)
        self._token = self._read()
        self._read_at = monotonic()

    async def headers(self) -> Mapping[str, str]:
        """The token, at most a minute old."""
        if self._monotonic() - self._read_at >= _REREAD:
            self._reread()
        return {"Authorization": f"Bearer {self._token}"}

    async def renew(self, used: Mapping[str, str]) -> bool:
        """Read the file now, unless another has done so since *used* was."""
        if used.get("Authorization") == f"Bearer {self._token}":
            self._reread()
        return used.get("Authorization") != f"Bearer {self._token}"

    def _reread(self) -> None:
        self._read_at = self._monotonic()
        try:
            self._token = self._read()
        except (OSError, ValueError) as error:
            text = f"the token file {self._path} cannot be read again ({_why(error)}); the token of before is used"
            self._once.log("unread", "warning", "kubernetes_token_unread", text)
        else:
            self._once.forget("unread")

    def _read(self) -> str:
        token = self._path.read_bytes().strip()
        if not token:
            raise ValueError("it is empty")
        if any(not 0x21 <= byte <= 0x7E for byte in token):
            raise ValueError("what it holds is no token")
        return token.decode("ascii")


async def find(config: Where, environ: Mapping[str, str], clock: Clock, *, directory: Path = SERVICE_ACCOUNT) -> Server:
    """
    The API server to ask, by the first of: the configured url, the configured kubeconfig (or context), the cluster we
    run in, the kubeconfig that kubectl would take.

    Args:
        config: what is configured.

        environ: of the process.

        clock: for the age of a token.

        directory: of the service account.

    Raises:
        ConfigError: where none is found, or something it needs cannot be read.
    """
    if config.url is not None:
        if config.kubeconfig is not None or config.context is not None:
            raise _refused("url", "stands beside kubeconfig or context; keep one way to the API")
        return await _explicit(config.url, config, environ, clock)
    for name, value in (("token_file", config.token_file), ("ca_file", config.ca_file)):
        if value is not None:
            raise _refused(name, "needs kubernetes.url beside it; a pod and a kubeconfig bring their own")
    if config.kubeconfig is None and config.context is None and in_cluster(environ):
        return await _inside(environ, clock, directory)
    named = config.kubeconfig is not None
    files = str(config.kubeconfig) if named else environ.get("KUBECONFIG") or "~/.kube/config"
    if not Kubeconfig.exists(files):
        if named or config.context is not None:
            raise _refused("kubeconfig", f"there is no file {files}")
        text = (
            "not in a cluster, and neither kubernetes.url nor kubernetes.kubeconfig is set; set one, or enabled: false"
        )
        raise _refused("", text)
    return await _by_kubeconfig(files, config.context, environ, clock)


async def _inside(environ: Mapping[str, str], clock: Clock, directory: Path) -> Server:
    host, port = environ["KUBERNETES_SERVICE_HOST"], environ["KUBERNETES_SERVICE_PORT"]
    url = f"https://{f'[{host}]' if ':' in host and not host.startswith('[') else host}:{port}"
    token = _token(directory / "token", clock, "", "; is automountServiceAccountToken true for this pod?")
    try:
        namespace = (directory / "namespace").read_text().strip() or None
    except OSError:
        namespace = None  # only the Lease needs it, which may be told by the configuration
    authority = directory / "ca.crt"
    context = await _trusting(authority, "")
    return Server(url, token, "the pod's service account", context, namespace, ca_file=authority)


async def _explicit(url: str, config: Where, environ: Mapping[str, str], clock: Clock) -> Server:
    parts = urlsplit(url)
    try:
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if parts.username is not None or parts.password is not None:
        raise _refused("url", "must not hold a user name or password; name a file by token_file")
    if not good or parts.query or parts.fragment:
        raise _refused("url", f"{url} is not the address of an API, such as https://10.0.0.1:6443")
    credentials: Credentials = Nobody()
    if config.token_file is not None:
        credentials = _token(Path(config.token_file), clock, "token_file")
    authority = None if config.ca_file is None else Path(config.ca_file)
    context = None
    if parts.scheme == "https":
        context = await _trusting(authority, "ca_file")
    elif authority is not None:
        raise _refused("ca_file", f"is of no use to {url}; use https there")
    elif config.token_file is not None and not is_loopback(parts.hostname or ""):
        text = f"the token goes to {url} in plain text, for anyone on the way to read; use https there"
        logs.log(_LOG, "warning", "kubernetes_plain_http", text)
    return Server(
        url.rstrip("/"),
        credentials,
        "kubernetes.url",
        context,
        proxy=proxy_for(url, environ),
        ca_file=authority,
    )


async def _by_kubeconfig(files: str, context: str | None, environ: Mapping[str, str], clock: Clock) -> Server:
    found = Kubeconfig(files, context, clock.monotonic)
    await found.load()
    return Server(
        found.url,
        found,
        found.source,
        namespace=found.namespace,
        proxy=found.proxy or proxy_for(found.url, environ),
        server_name=found.server_name,
    )


def _token(path: Path, clock: Clock, setting: str, hint: str = "") -> TokenFile:
    try:
        return TokenFile(path, clock.monotonic)
    except (OSError, ValueError) as error:
        raise _refused(setting, f"the token file {path} cannot be used: {_why(error)}{hint}") from None


async def _trusting(authority: Path | None, setting: str) -> ssl.SSLContext:
    try:
        # Reading certificates takes milliseconds, of the system's hundreds of them.
        return await asyncio.to_thread(trusting, None if authority is None else str(authority))
    except (OSError, ssl.SSLError) as error:
        raise _refused(setting, f"the certificates in {authority} cannot be used: {_why(error)}") from None


def _refused(setting: str, text: str) -> ConfigError:
    return ConfigError("configuration", (Fault(f"kubernetes.{setting}" if setting else "kubernetes", text),))


def _why(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
