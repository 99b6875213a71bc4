"""
Series that have ended: one staleness marker each, until the receiver has taken it. Pure.

Without one a query shows the last value for another five minutes. What is to end is told here by those who know what
they wrote the last time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterable, Iterator
from typing import NamedTuple

from exporter.remote.wire import STALE, Body, Encoder, Series

LOOK_BACK = 300
"""Seconds after which a query does not see a series' last sample any more, so that it needs no marker."""

_OF_A_BODY = 2000
"""Markers encoded together, at most."""

_AT_ONCE = 16
"""Label sets looked at between two rests: less than 1 ms where they are new to the encoder."""

Ended = tuple[str, bytes]
"""A series by its name and rendered label set."""


class Piece(NamedTuple):
    """
    A body, and whose it is.

    Args:
        tenant: the receiver's name for them.

        body: to be posted.

        ended: the series that end with it.
    """

    tenant: str
    body: Body
    ended: tuple[Ended, ...] = ()


class Endings:
    """
    Markers that wait.

    Args:
        encoder: of the bodies.

        tenant_of: the tenant of a rendered label set.
    """

    def __init__(self, encoder: Encoder, tenant_of: Callable[[bytes], str]) -> None:
        self._encoder = encoder
        self._tenant_of = tenant_of
        self._waiting: dict[str, dict[bytes, int]] = {}

    def names(self) -> list[str]:
        """The names of which a series waits for its marker."""
        return list(self._waiting)

    def ended(self, name: str, labels: Iterable[bytes], since: int) -> None:
        """Series of *name* are there no more; *since* is the stamp of their last sample."""
        waiting = self._waiting.setdefault(name, {})
        waiting.update(dict.fromkeys(labels, since))
        if not waiting:
            del self._waiting[name]

    def back(self, name: str, live: Collection[bytes]) -> None:
        """Of the series of *name* those in *live* are there again, and get no marker."""
        waiting = self._waiting.get(name, {})
        for labels in [each for each in waiting if each in live]:
            self._settle(name, labels)

    def pieces(self, at: int, skip: Container[str] = ()) -> Iterator[Piece | None]:
        """
        Bodies of all markers that wait; they go on waiting until `taken`.

        Args:
            at: the stamp, unix seconds.

            skip: tenants to whom nothing is written now; looked at before each body.

        Yields:
            Pieces, and None in between where others may have their turn.
        """
        self._outlive(at)
        by_tenant: dict[str, list[Ended]] = {}
        for name in self.names():
            for number, labels in enumerate(tuple(self._waiting.get(name, ()))):
                by_tenant.setdefault(self._tenant_of(labels), []).append((name, labels))
                self._encoder.halves(labels)
                if not number % _AT_ONCE:
                    yield None
        ends, marker = [at], (STALE,)
        for tenant, everything in by_tenant.items():
            for first in range(0, len(everything), _OF_A_BODY):
                if tenant in skip:
                    break
                ended = everything[first : first + _OF_A_BODY]
                for body in self._encoder.bodies([Series(name, labels, ends, marker) for name, labels in ended]):
                    yield Piece(tenant, body, tuple(ended[body.start : body.stop]))

    def taken(self, piece: Piece) -> None:
        """The receiver has *piece*."""
        for name, labels in piece.ended:
            self._settle(name, labels)

    def forget(self) -> None:
        """Nothing waits any more."""
        self._waiting.clear()

    def _outlive(self, at: int) -> None:
        for name, waiting in list(self._waiting.items()):
            for labels in [each for each, since in waiting.items() if at - since > LOOK_BACK]:
                self._settle(name, labels)

    def _settle(self, name: str, labels: bytes) -> None:
        waiting = self._waiting.get(name, {})
        waiting.pop(labels, None)
        if not waiting:
            self._waiting.pop(name, None)
