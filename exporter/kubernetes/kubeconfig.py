"""
A kubeconfig, read as kubectl reads it: contexts, tokens, client certificates, exec plugins, OIDC.

The `kubernetes` package does that; it is an extra, imported here only and only when a kubeconfig is read, because it
costs a second and 50 MiB. It runs programs and asks servers, so all of it happens in a thread. Its messages may quote
the file, tokens and all: what is said of them here is cut before that. What the file leads to is for `server`.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from exporter import logs
from exporter.aws.workers import run_apart
from exporter.errors import ConfigError, Fault
from exporter.kubernetes.wire import trusting

_RECHECK = 60.0
"""Seconds after which the package is asked again whether the token is about to end (it renews five minutes before)."""

_BETWEEN = 10.0
"""Seconds between two times that everything is read again because the API refused us: that may run a program."""

_PLUGINS = ("exec", "auth-provider")
"""What of a user is meant to give credentials and says nothing where it fails."""

_LOG = logs.logger(__name__)


@dataclass(frozen=True, slots=True, repr=False)
class _Read:
    """What a kubeconfig comes to; no repr, for a proxy's url may hold a password."""

    url: str
    namespace: str | None
    proxy: str | None
    server_name: str | None
    tls: ssl.SSLContext | None
    certificate: bytes | None
    authorization: Callable[[], str | None]


class Kubeconfig:
    """
    The server and the credentials of a context; `load` first.

    Args:
        files: one or more, as the variable KUBECONFIG lists them.

        context: None for the current one.

        monotonic: seconds that never jump.
    """

    def __init__(self, files: str, context: str | None, monotonic: Callable[[], float]) -> None:
        self.source = f"kubeconfig {files}" if context is None else f"kubeconfig {files}, context {context}"
        self.url = ""
        self.namespace: str | None = None
        self.proxy: str | None = None
        self.server_name: str | None = None
        self.tls: ssl.SSLContext | None = None
        self._files = files
        self._context = context
        self._monotonic = monotonic
        self._once = logs.Once(_LOG, 3600.0, monotonic)
        self._read: _Read | None = None
        self._value: str | None = None
        self._checked = self._renewed = float("-inf")
        self._running: asyncio.Task[None] | None = None

    @staticmethod
    def exists(files: str) -> bool:
        """Whether there is at least one of *files*."""
        return any(path.is_file() for path in _paths(files))

    async def load(self) -> None:
        """
        Read the files, in a thread.

        Raises:
            ConfigError: where the package is not installed, or the files lead to no server or no credentials.
        """
        read = await run_apart(self._load)
        self._read, self._value = read, await run_apart(read.authorization)
        self.url, self.namespace, self.proxy = read.url, read.namespace, read.proxy
        self.tls, self.server_name = read.tls, read.server_name
        self._checked = self._monotonic()

    async def headers(self) -> Mapping[str, str]:
        """The token, renewed where it is about to end; nothing where a certificate says who we are."""
        if self._monotonic() - self._checked >= _RECHECK:
            await self._alone(self._check)
        return self._now()

    async def renew(self, used: Mapping[str, str]) -> bool:
        """Read everything again, plugins included, unless that has just been done."""
        if self._now() != used:
            return True
        if self._renewed + _BETWEEN > self._monotonic():
            return False
        before = self.tls
        await self._alone(self._reload)
        return self._now() != used or self.tls is not before

    def _now(self) -> dict[str, str]:
        return {} if self._value is None else {"Authorization": self._value}

    async def _alone(self, work: Callable[[], None]) -> None:
        """Do *work* in a thread; once for all that want it, and to its end though one of them has no more time."""
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(run_apart(work))
        await asyncio.shield(self._running)

    # ---- in a thread ------------------------------------------------------------------------------------------------

    def _check(self) -> None:
        try:
            if self._read is not None:
                self._value = self._read.authorization() or self._value
            self._once.forget("token")
        except Exception as error:  # noqa: BLE001 - the token of before may still be good
            self._unrenewed(_said(error))
        finally:
            self._checked = self._monotonic()

    def _reload(self) -> None:
        try:
            before, read = self._read, self._load()
            self._value, self._read = read.authorization(), read
            if before is None or before.certificate != read.certificate:
                self.tls = read.tls  # another context is another pool: connections with the old one are not used again
            self._once.forget("token")
        except ConfigError as error:
            self._unrenewed(str(error))
        except Exception as error:  # noqa: BLE001 - likewise
            self._unrenewed(_said(error))
        finally:
            self._checked = self._renewed = self._monotonic()

    def _unrenewed(self, why: str) -> None:
        text = f"{self.source}: the credentials cannot be renewed ({why}); those of before are used"
        self._once.log("token", "warning", "kubernetes_credentials_unrenewed", text)

    def _load(self) -> _Read:
        try:
            import kubernetes.client  # noqa: PLC0415 - see the module's text
            import kubernetes.config  # noqa: PLC0415
        except ImportError:
            text = "a kubeconfig is read by the package kubernetes: pip install 'storage-exporter[kubeconfig]'"
            raise self._refused(text) from None
        package: Any = kubernetes
        settings = package.client.Configuration()
        settings.proxy = None  # the environment's is for `server`, by its own rule
        settings.host = ""  # or it would be a server that nobody named
        context, user = self._chosen()
        # The keys are in files of ours for as long as it takes to read them.
        with tempfile.TemporaryDirectory(prefix="storage-exporter-") as private:
            try:
                package.config.load_kube_config(
                    self._files, str(context["name"]), client_configuration=settings, temp_file_path=private
                )
            except Exception as error:  # noqa: BLE001 - a wrong file makes it raise anything, and quote the file
                raise self._refused(_said(error)) from None
            url = str(settings.host).rstrip("/")
            if not url.startswith(("http://", "https://")):
                raise self._refused(f"the cluster of context {context['name']} has no server that is a url")
            certificate = self._bytes(settings.cert_file) if settings.cert_file else None
            tls = self._trusting(settings) if url.startswith("https:") else None
        if "BearerToken" not in settings.auth_settings() and certificate is None and any(p in user for p in _PLUGINS):
            text = "the user's plugin gave no credentials; does `kubectl get --raw /version` work?"
            raise self._refused(f"context {context['name']}: {text}")
        return _Read(
            url,
            _within(context, "context").get("namespace") or None,
            self._proxy(settings.proxy),
            getattr(settings, "tls_server_name", None) or None,
            tls,
            certificate,
            lambda: (settings.auth_settings().get("BearerToken") or {}).get("value"),
        )

    def _chosen(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The context, as it is written, and what stands of its user. Of several files the first that says it wins."""
        try:
            files = [yaml.safe_load(path.read_text()) for path in _paths(self._files) if path.is_file()]
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise self._refused(_said(error)) from None
        documents = [each for each in files if isinstance(each, dict)]
        name = self._context or next((d["current-context"] for d in documents if d.get("current-context")), None)
        if name is None:
            raise self._refused("has no current-context; name one by kubernetes.context")
        context = _entry(documents, "contexts", name)
        if context is None:
            known = ", ".join(sorted({str(each.get("name")) for d in documents for each in _entries(d, "contexts")}))
            raise self._refused(f"there is no context {name}; there are: {known}", "kubernetes.context")
        return context, _within(_entry(documents, "users", _within(context, "context").get("user")), "user")

    def _trusting(self, settings: Any) -> ssl.SSLContext:
        try:
            tls = trusting(settings.ssl_ca_cert or None)
            if not settings.verify_ssl:
                tls.check_hostname = False
                tls.verify_mode = ssl.CERT_NONE
            if settings.cert_file:
                tls.load_cert_chain(settings.cert_file, settings.key_file)
        except (OSError, ssl.SSLError) as error:
            raise self._refused(f"its certificates cannot be used ({type(error).__name__})") from None
        return tls

    def _bytes(self, path: str) -> bytes:
        try:
            return Path(path).read_bytes()
        except OSError as error:
            raise self._refused(f"{path}: {error.strerror}") from None

    def _proxy(self, proxy: str | None) -> str | None:
        if proxy and not proxy.startswith(("http://", "https://")):
            scheme = proxy.partition("://")[0]
            raise self._refused(f"proxy-url of scheme {scheme} cannot be used; it has to be http or https")
        return proxy or None

    def _refused(self, text: str, setting: str = "kubernetes.kubeconfig") -> ConfigError:
        return ConfigError("configuration", (Fault(setting, f"{self._files}: {text}"),))


def _paths(files: str) -> list[Path]:
    return [Path(each).expanduser() for each in files.split(os.pathsep) if each]


def _entries(document: dict[str, Any], key: str) -> list[dict[str, Any]]:
    found = document.get(key)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _entry(documents: list[dict[str, Any]], key: str, name: object) -> dict[str, Any] | None:
    return next((each for d in documents for each in _entries(d, key) if each.get("name") == name), None)


def _within(entry: dict[str, Any] | None, key: str) -> dict[str, Any]:
    found = (entry or {}).get(key)
    return found if isinstance(found, dict) else {}


def _said(error: Exception) -> str:
    """What the package or the YAML reader says, up to where it may quote the file."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"line {error.problem_mark.line + 1} is no YAML"
    if type(error).__name__ == "ConfigException":
        return logs.redact(str(error).partition("{")[0].strip())
    return f"it is no kubeconfig ({type(error).__name__})"
