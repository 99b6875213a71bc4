"""
Who we are to the receiver and whom we trust to be it: headers and certificates, from the configuration and from files.

Files are rotated while we run: they are looked at before each request and read again when they have changed. What
cannot be read then stays as it was, and is said once an hour. A secret is in the headers of a request and nowhere else.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path

from exporter import logs, trust
from exporter.clock import Clock
from exporter.config.delivery import Push
from exporter.errors import ConfigError, Fault

_LOG = logs.logger(__name__)

Stamps = tuple[tuple[int, int, int] | None, ...]
"""What tells that files have changed: the time, size and number of each, None for one that is not there."""


class Identity:
    """
    Headers and certificates. `open` before anything else.

    Args:
        push: the configuration.

        clock: for how often a fault is said.
    """

    def __init__(self, push: Push, clock: Clock) -> None:
        self._push = push
        self._once = logs.Once(_LOG, 3600.0, clock.monotonic)
        self._tls_files = _paths(push.tls.ca_file, push.tls.cert_file, push.tls.key_file)
        self._secret_files = _paths(*_secret_files(push))
        self._tls_seen: Stamps = ()
        self._secrets_seen: Stamps = ()
        self._authorization: str | None = None
        self._context: ssl.SSLContext | None = None
        self._lock = asyncio.Lock()

    @property
    def context(self) -> ssl.SSLContext | None:
        """To connect with; another object after certificates have changed. None for plain HTTP."""
        return self._context

    @property
    def headers(self) -> Mapping[str, str]:
        """The configured headers, and the one that says who we are."""
        found = {name: value.reveal() for name, value in self._push.headers.items()}
        return found if self._authorization is None else {**found, "Authorization": self._authorization}

    async def open(self) -> None:
        """
        Read everything.

        Raises:
            ConfigError: where a file cannot be used.
        """
        try:
            await self._read_secrets()
        except (OSError, ValueError) as error:
            key = "basic.password_file" if self._push.auth and self._push.auth.basic else "bearer_token_file"
            raise _refused(f"auth.{key}", self._secret_files, error) from None
        try:
            await self._read_certificates()
        except (OSError, ValueError) as error:
            key = "tls.ca_file" if self._push.tls.cert_file is None else "tls"
            raise _refused(key, self._tls_files, error) from None

    async def refresh(self) -> None:
        """Read again what has changed."""
        if not (self._tls_files or self._secret_files):
            return
        async with self._lock:
            now = await asyncio.to_thread(_stamps, self._tls_files + self._secret_files)
            if now[: len(self._tls_files)] != self._tls_seen:
                await self._again("certificates", self._read_certificates, self._tls_files)
            if now[len(self._tls_files) :] != self._secrets_seen:
                await self._again("secret", self._read_secrets, self._secret_files)

    async def renew(self, used: Mapping[str, str]) -> bool:
        """
        The receiver refused these headers: read the secrets now, however their files look.

        Returns:
            Whether there are others now.
        """
        if self._secret_files:
            async with self._lock:
                if self.headers == used:
                    await self._again("secret", self._read_secrets, self._secret_files)
        return self.headers != used

    async def _again(self, what: str, read: Callable[[], object], files: tuple[Path, ...]) -> None:
        try:
            await read()  # type: ignore[misc]
        except (OSError, ValueError) as error:
            named = " and ".join(map(str, files))
            text = f"{named}: cannot be read again ({trust.why(error)}); the {what} of before are used"
            self._once.log(what, "warning", "remote_write_files_unread", text)
        else:
            self._once.forget(what)

    async def _read_secrets(self) -> None:
        seen = await asyncio.to_thread(_stamps, self._secret_files)
        self._authorization = await asyncio.to_thread(trust.authorization, self._push.auth)
        self._secrets_seen = seen

    async def _read_certificates(self) -> None:
        if not self._push.url.startswith("https:"):
            return
        # Taken before they are read: what changes meanwhile is seen at the next look.
        seen = await asyncio.to_thread(_stamps, self._tls_files)
        self._context = await asyncio.to_thread(trust.context, self._push.tls)
        self._tls_seen = seen


def _secret_files(push: Push) -> tuple[object, ...]:
    auth = push.auth
    if auth is None:
        return ()
    return auth.bearer_token_file, auth.basic.password_file if auth.basic else None


def _paths(*files: object) -> tuple[Path, ...]:
    return tuple(Path(str(file)) for file in files if file is not None)


def _stamps(files: tuple[Path, ...]) -> Stamps:
    return tuple(map(_stamp, files))


def _stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _refused(key: str, files: tuple[Path, ...], error: Exception) -> ConfigError:
    named = " and ".join(map(str, files)) or "what is given"
    return ConfigError("configuration", (Fault(f"delivery.push.{key}", f"{named} cannot be used: {trust.why(error)}"),))
