"""
The exporter's metrics about itself, as bodies. Pure.

Each replica writes its own, told apart by the label ``replica``, whether it leads or follows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterator, Sequence

from exporter.naming import label_set
from exporter.own_metrics import OwnFamily
from exporter.remote.endings import Endings, Piece
from exporter.remote.wire import Encoder, Meta, Series

REPLICA = "replica"
"""The label that tells replicas apart."""

_OF_A_BODY = 2000
_AT_ONCE = 16
"""Series looked at between two rests: less than 1 ms where their labels are new to the encoder."""


class Own:
    """
    Writes what the exporter says of itself, time after time.

    Args:
        encoder: of the bodies.

        tenant_of: the tenant of a rendered label set.

        replica: this one's name.
    """

    def __init__(self, encoder: Encoder, tenant_of: Callable[[bytes], str], replica: str) -> None:
        self._encoder = encoder
        self._tenant_of = tenant_of
        self._replica = replica
        self._endings = Endings(encoder, tenant_of)
        self._last: dict[str, set[bytes]] = {}
        self._at = 0

    def write(self, families: Sequence[OwnFamily], at: int, skip: Container[str] = ()) -> Iterator[Piece | None]:
        """
        All of *families*, and the markers of what has ended. Each piece that was delivered is to be told to `taken`.

        Args:
            families: from telemetry.

            at: the stamp, unix seconds; later than that of the last write.

            skip: tenants to whom nothing is written any more; looked at before each body.

        Yields:
            Pieces, and None where others may have their turn.
        """
        live: dict[str, set[bytes]] = {}
        by_tenant: dict[str, list[Series]] = {}
        ends = [at]
        looked = 0
        for family in families:
            here = live.setdefault(family.name, set())
            for labels, value in family.samples:
                if math.isnan(value):
                    continue
                said = {REPLICA: self._replica, **labels}
                rendered = label_set(list(said), list(said.values()))
                here.add(rendered)
                series = Series(family.name, rendered, ends, (value,))
                by_tenant.setdefault(self._tenant_of(rendered), []).append(series)
                self._encoder.halves(rendered)
                looked += 1
                if not looked % _AT_ONCE:
                    yield None
        for name in dict.fromkeys((*self._last, *self._endings.names())):
            there = live.get(name, set())
            self._endings.ended(name, self._last.get(name, set()) - there, self._at)
            self._endings.back(name, there)
        self._last, self._at = live, at
        yield from self._endings.pieces(at, skip)
        for tenant, everything in by_tenant.items():
            for first in range(0, len(everything), _OF_A_BODY):
                if tenant in skip:
                    break
                for body in self._encoder.bodies(everything[first : first + _OF_A_BODY]):
                    yield Piece(tenant, body)

    def taken(self, piece: Piece) -> None:
        """The receiver has *piece*: the markers in it are not sent again."""
        self._endings.taken(piece)


def metas(families: Sequence[OwnFamily]) -> list[Meta]:
    """What is said of the exporter's own families, for the receiver's metadata."""
    return [Meta(family.name, family.type, family.help, family.unit) for family in families]
