"""
Many requests to one Prometheus at a time: a few connections, on each several requests before the first answer.

A simulated minute asks some hundred expressions; one connection each, or one answer at a time, would take most of it.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BufferedReader
from urllib.parse import urlencode, urlsplit

from tests.prometheus import PATIENCE
from tests.rules.rows import body

LANES = 3
WINDOW = 8
"""Requests on one connection that wait for their answers: few enough that neither side waits for the other to read."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer."""

    status: int
    body: bytes


class Pipelines:
    """
    Connections to the server at *url*, opened at once.

    Args:
        url: with host and port.

        lanes: how many.
    """

    def __init__(self, url: str, lanes: int = LANES) -> None:
        parts = urlsplit(url)
        self._host = f"{parts.hostname}:{parts.port}".encode()
        self._sockets = [socket.create_connection((parts.hostname, parts.port), PATIENCE) for _ in range(lanes)]
        self._readers: list[BufferedReader] = [each.makefile("rb") for each in self._sockets]

    def close(self) -> None:
        """Close them."""
        for reader, sock in zip(self._readers, self._sockets, strict=True):
            reader.close()
            sock.close()

    def query(self, expression: str) -> bytes:
        """A request for `ask`, up to the instant."""
        return urlencode({"query": expression}).encode()

    def ask(self, queries: Sequence[bytes], at: float) -> list[Answer]:
        """The answers to instant queries at *at*, unix seconds, in their order."""
        end = b"&time=%.3f" % at
        head = (
            b"POST /api/v1/query HTTP/1.1\r\nHost: "
            + self._host
            + b"\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n"
        )
        return self._all([head % (len(each) + len(end)) + each + end for each in queries])

    def write(self, rows: Sequence[bytes]) -> None:
        """
        Remote write, all or nothing.

        Raises:
            AssertionError: Prometheus refused it, with its own words.
        """
        if not rows:
            return
        written = body(rows)
        head = (
            b"POST /api/v1/write HTTP/1.1\r\nHost: "
            + self._host
            + b"\r\nContent-Type: application/x-protobuf\r\nContent-Encoding: snappy\r\nContent-Length: %d\r\n\r\n"
        )
        (answer,) = self._all([head % len(written) + written])
        assert answer.status == 204, f"{answer.status} {answer.body!r}"

    def _all(self, requests: Sequence[bytes]) -> list[Answer]:
        answers: list[Answer | None] = [None] * len(requests)
        lanes = len(self._sockets)
        for begin in range(0, len(requests), lanes * WINDOW):
            block = range(begin, min(begin + lanes * WINDOW, len(requests)))
            for lane, sock in enumerate(self._sockets):
                sock.sendall(b"".join(requests[number] for number in block[lane::lanes]))
            for lane, reader in enumerate(self._readers):
                for number in block[lane::lanes]:
                    answers[number] = _read(reader)
        return [each for each in answers if each is not None]


@contextlib.contextmanager
def pipelines(url: str) -> Iterator[Pipelines]:
    """Connections that are closed afterwards."""
    made = Pipelines(url)
    try:
        yield made
    finally:
        made.close()


def _read(reader: BufferedReader) -> Answer:
    """One answer of HTTP/1.1, whole or in chunks."""
    status = int(reader.readline().split(None, 2)[1])
    length, chunked = 0, False
    while line := reader.readline().strip():
        name, _, value = line.lower().partition(b":")
        if name == b"content-length":
            length = int(value)
        chunked |= name == b"transfer-encoding" and b"chunked" in value
    if not chunked:
        return Answer(status, reader.read(length))
    pieces = []
    while size := int(reader.readline(), 16):
        pieces.append(reader.read(size))
        reader.readline()
    reader.readline()
    return Answer(status, b"".join(pieces))
