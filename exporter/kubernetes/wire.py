"""
What comes over the wire from a Kubernetes API: how much of it we hold, lists and events, lines of a stream; sockets
and whom to trust at their other end.

Bytes to values and nothing else; what is asked is for `api`, what it means for those who ask.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncGenerator, Callable
from typing import Any, TypeVar

import aiohttp
import msgspec

from exporter.kubernetes.faults import Asked, MalformedError, Status, TooLargeError, UnreachableError

MOST_OF_AN_ANSWER = 32 * 1024**2
"""Bytes of a page, unpacked. etcd takes objects of 1.5 MiB, so even a page of large ones comes in smaller pages."""

MOST_OF_A_LINE = 16 * 1024**2
"""Bytes of one event of a watch."""

_KEEP_ALIVE = (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", 60_000))
"""A watch says nothing for minutes; so the system asks whether the other side is still there, and knows in a minute."""

T = TypeVar("T")


class ListMeta(msgspec.Struct, rename="camel"):
    """Of a list: its version, and what to ask the next page by."""

    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")


class List(msgspec.Struct):
    """One page of a list, its objects as the bytes they came in."""

    kind: str
    metadata: ListMeta
    items: list[msgspec.Raw] | None  # Go writes a list of nothing as null


class Event(msgspec.Struct, frozen=True):
    """One event of a watch: ``ADDED``, ``MODIFIED``, ``DELETED`` or ``BOOKMARK``, and the object's JSON."""

    type: str
    object: msgspec.Raw


LISTS = msgspec.json.Decoder(List)
EVENTS = msgspec.json.Decoder(Event)
STATUSES = msgspec.json.Decoder(Status)
OBJECTS = msgspec.json.Decoder(dict[str, Any])


async def read(asked: Asked, response: aiohttp.ClientResponse, most: int) -> bytes:
    """The rest of an answer, unpacked. Raises `TooLargeError` where it is more than *most* bytes."""
    parts: list[bytes] = []
    size = 0
    while part := await response.content.readany():
        parts.append(part)
        size += len(part)
        if size > most:
            raise TooLargeError(f"{asked}: the answer is larger than {most} bytes")
    return b"".join(parts)


async def lines(asked: Asked, content: aiohttp.StreamReader, until: float) -> AsyncGenerator[bytes, None]:
    """
    The lines of a stream, without empty ones.

    Args:
        asked: for the errors.

        content: the stream.

        until: the event loop's time after which nothing more is waited for.

    Raises:
        TimeoutError: at *until*.
        KubernetesError: where a line is too long, or the stream ends within one.
    """
    begun: list[bytes] = []
    size = 0
    while True:
        async with asyncio.timeout_at(until):
            part = await content.readany()
        if not part:
            break
        *whole, rest = part.split(b"\n")
        for line in whole:
            begun.append(line)
            if joined := b"".join(begun).strip():
                yield joined
            begun, size = [], 0
        begun.append(rest)
        size += len(rest)
        if size > MOST_OF_A_LINE:
            raise TooLargeError(f"{asked}: an event is larger than {MOST_OF_A_LINE} bytes; it is listed again")
    if b"".join(begun).strip():
        raise UnreachableError(f"{asked}: the stream ended within an event; it is asked again")


def decoded(asked: Asked, decode: Callable[[bytes], T], body: bytes | msgspec.Raw) -> T:
    """What *decode* makes of JSON from the server. Raises `MalformedError` where it makes nothing of it."""
    try:
        return decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        what = f"{len(memoryview(body))} bytes that are not what the API says"
        raise MalformedError(f"{asked}: {what} ({type(error).__name__}); does a proxy answer in its place?") from None


def trusting(authority: str | None) -> ssl.SSLContext:
    """
    A context that trusts the certificates in the file *authority*, or the system's. Reads files: call it in a thread.

    Raises:
        OSError: where there is no such file.
        ssl.SSLError: where it holds no certificates.
    """
    context = ssl.create_default_context(cafile=authority)
    if authority is not None:
        # Python 3.13 checks the form of certificates by RFC 5280, and what EKS makes for a cluster's API lacks the
        # authority key identifier. Chain, name and dates are verified as before.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def keen_socket(address: tuple[Any, ...]) -> socket.socket:
    """A socket for *address* (as `socket.getaddrinfo` gives it) that finds out when the other side has vanished."""
    made = socket.socket(address[0], address[1], address[2])
    with contextlib.suppress(OSError):
        made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEP_ALIVE:
            if hasattr(socket, name):  # not every system has them
                made.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return made
