"""
Connections that a fence guards, and the proxy that the environment names for an address.

For every client of ours over HTTP; whom to trust and what to say is theirs.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp.connector import Connection


class FencedConnector(aiohttp.TCPConnector):
    """
    Connections that are handed out only while it is permitted.

    What is handed out is written to at once. Any earlier look leaves signing, a queue of threads or a handshake between
    itself and the wire, and a process that is stopped there and continued a minute later would still send.

    Args:
        context: for TLS; None for the system's own.

        permitted: asked each time a connection is about to be handed out.

        refusal: the exception where it is not permitted.

        options: aiohttp's own.
    """

    def __init__(
        self,
        context: ssl.SSLContext | None,
        permitted: Callable[[], bool],
        refusal: Callable[[], Exception],
        **options: Any,
    ) -> None:
        # How many there are at one time is for the callers.
        super().__init__(limit=0, ssl=True if context is None else context, **options)
        self._permitted = permitted
        self._refusal = refusal

    async def connect(self, *args: Any, **options: Any) -> Connection:
        """As aiohttp's; the refusal where it is not permitted (any more)."""
        connection = await super().connect(*args, **options)
        if not self._permitted():
            connection.release()
            raise self._refusal()
        return connection


def proxy_for(url: str, environ: Mapping[str, str]) -> str | None:
    """The proxy that HTTPS_PROXY, HTTP_PROXY and NO_PROXY of *environ* name for *url*; never one for loopback."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    proxy = _either(environ, f"{parts.scheme}_proxy")
    if not proxy or is_loopback(host) or any(_covers(each, host) for each in _either(environ, "no_proxy").split(",")):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def is_loopback(host: str) -> bool:
    """Whether *host*, a name or an address, is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _covers(entry: str, host: str) -> bool:
    """Whether an entry of NO_PROXY is for *host*: an address, a network, a name with all below it, or ``*``."""
    entry = entry.strip().lower()
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        name = entry.removeprefix("*").removeprefix(".")
        return entry == "*" or (bool(name) and (host == name or host.endswith(f".{name}")))


def _either(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name) or environ.get(name.upper()) or ""
