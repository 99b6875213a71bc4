"""Keeps the test run off the network: in this process only loopback may be connected to or looked up.

The doors are the functions and methods of Python's `socket`, through which asyncio, aiohttp, urllib3 and botocore go;
each is put behind one that raises before a packet leaves. A refused call is also noted, since code that survives errors
(ours is made to) would hide it from the test. Programs that a test starts are outside of this process and not covered.

An audit hook would see the same and more, but not in Python 3.11 under coverage: a hook written in Python lets other
threads run in the middle of `sys.settrace`, which a second thread that starts then cannot call, and dies.
"""

from __future__ import annotations

import functools
import ipaddress
import socket
from collections.abc import Callable
from typing import Any

_INTERNET = (socket.AF_INET, socket.AF_INET6)


class NetworkRefusedError(RuntimeError):
    """A test tried to leave the machine. Not an OSError: it must not look like a network that failed."""


class Guard:
    """Refuses what is not loopback and remembers it in `refused`, one line each, until `take` hands them over."""

    def __init__(self) -> None:
        self.refused: list[str] = []

    def install(self) -> None:
        """Watch from now on; once per process."""
        for name in ("connect", "connect_ex", "sendto", "sendmsg"):
            setattr(socket.socket, name, self._guarded(getattr(socket.socket, name), f"socket.{name}"))
        for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr"):
            setattr(socket, name, self._looking(getattr(socket, name), f"socket.{name}"))

    def _guarded(self, door: Callable[..., Any], event: str) -> Callable[..., Any]:
        where = -1 if event != "socket.sendmsg" else 3  # the address is the last argument; of sendmsg the fourth

        @functools.wraps(door)
        def guarded(sock: socket.socket, *args: Any) -> Any:
            self._address(event, sock, args[where] if len(args) > max(where, 0) else None)
            return door(sock, *args)

        return guarded

    def _looking(self, door: Callable[..., Any], event: str) -> Callable[..., Any]:
        @functools.wraps(door)
        def guarded(host: Any, *args: Any, **options: Any) -> Any:
            self._name(event, host)
            return door(host, *args, **options)

        return guarded

    def take(self) -> list[str]:
        """Return what was refused since the last call, and forget it."""
        taken, self.refused[:] = list(self.refused), []
        return taken

    def _address(self, event: str, sock: socket.socket, address: object) -> None:
        if sock.family in _INTERNET and isinstance(address, tuple) and not is_loopback(address[0]):
            self._refuse(event, f"{address[0]}:{address[1]}")

    def _name(self, event: str, host: object) -> None:
        if not (is_loopback(host) or _is_here(host)):
            self._refuse(event, str(host))

    def _refuse(self, event: str, target: str) -> None:
        message = f"{event} to {target} was refused: tests talk to servers of their own on 127.0.0.1 only"
        self.refused.append(message)
        raise NetworkRefusedError(message)


def is_loopback(host: object) -> bool:
    """True for 127.0.0.0/8 (also mapped), ::1 (also with a zone) and `localhost`; all other names are elsewhere."""
    text = _text(host)
    if text == "localhost":
        return True
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def _is_here(host: object) -> bool:
    """True for what a server binds to, which needs no packet: nothing, the wildcards, the machine's own name."""
    return _text(host) in {"", "0.0.0.0", "::", socket.gethostname()}


def _text(host: object) -> str:
    if isinstance(host, bytes | bytearray):
        return bytes(host).decode("ascii", "replace").lower()
    return "" if host is None else str(host).lower()
