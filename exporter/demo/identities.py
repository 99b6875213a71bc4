"""
Who called the simulated AWS and when: the witness of "one exporter at a time".

An identity is an access key; a session that an identity was granted is the identity itself. Instants are real monotonic
seconds, from a request's arrival to its answer.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

KEPT = 1000
"""How many overlaps and runs are remembered, the newest."""


@dataclass(slots=True, eq=False)
class Span:
    """One call; `end` is None until it was answered."""

    identity: str
    service: str
    operation: str
    begin: float
    end: float | None = None


@dataclass(slots=True)
class Run:
    """Calls of one identity with none of another's begun between them."""

    identity: str
    first: float
    last: float
    calls: int = 0


@dataclass(slots=True)
class Totals:
    """What one identity asked for: calls, GetMetricData queries, and the metrics AWS would bill."""

    calls: int = 0
    queries: int = 0
    billed: int = 0


class Identities:
    """
    The calls of every identity. Written by one thread, read by any.

    Args:
        monotonic: seconds.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.monotonic = monotonic
        self._owners: dict[str, str] = {}
        self.clear()

    def clear(self) -> None:
        """Forget all calls, but not whose a session is."""
        self._open: dict[str, list[Span]] = {}
        self._newest: dict[str, Span] = {}
        self._totals: dict[str, Totals] = {}
        self._runs: deque[Run] = deque(maxlen=KEPT)
        self._overlaps: deque[tuple[Span, Span]] = deque(maxlen=KEPT)

    def granted(self, session: str, owner: str) -> None:
        """The access key *session* was given to the identity of *owner*."""
        self._owners[session] = self._owners.get(owner, owner)

    def began(self, access_key_id: str, service: str, operation: str, begin: float) -> Span:
        """
        A call that arrived at *begin* and turned out to be that access key's.

        Each pair of identities whose calls overlap is found with the later of the two calls, and one of the other's.
        """
        span = Span(self._owners.get(access_key_id, access_key_id), service, operation, begin)
        for identity in self._totals:
            if identity == span.identity:
                continue
            newest = self._newest.get(identity)
            if others := self._open.get(identity):
                self._overlaps.append((others[0], span))
            elif newest is not None and newest.end is not None and newest.end > begin:
                self._overlaps.append((newest, span))
        self._open.setdefault(span.identity, []).append(span)
        self._totals.setdefault(span.identity, Totals()).calls += 1
        if not self._runs or self._runs[-1].identity != span.identity:
            self._runs.append(Run(span.identity, begin, begin))
        self._runs[-1].calls += 1
        return span

    def ended(self, span: Span, queries: int = 0, billed: int = 0) -> None:
        """The call is answered, or its caller has left."""
        span.end = self.monotonic()
        if span in (others := self._open.get(span.identity, [])):  # not after a `clear` in between
            others.remove(span)
        newest = self._newest.get(span.identity)
        if newest is None or newest.end is None or newest.end <= span.end:
            self._newest[span.identity] = span
        if (totals := self._totals.get(span.identity)) is not None:
            totals.queries += queries
            totals.billed += billed
        run = next((item for item in reversed(self._runs) if item.identity == span.identity), None)
        if run is not None:
            run.last = max(run.last, span.end)

    def handovers(self) -> list[Run]:
        """The runs, oldest first: one more than there were changes from one identity to another."""
        return list(self._runs)

    def overlaps(self) -> list[tuple[Span, Span]]:
        """Pairs of calls of different identities that were under way at the same time; empty is what should be."""
        return list(self._overlaps)

    def under_way(self) -> dict[str, list[Span]]:
        """By identity, the calls that are not answered yet."""
        return {identity: list(spans) for identity, spans in list(self._open.items()) if spans}

    def totals(self) -> dict[str, Totals]:
        """By identity."""
        return dict(self._totals)

    def as_dict(self) -> dict[str, Any]:
        """Everything, as the control pages show it."""
        return {
            "identities": {name: asdict(item) for name, item in self.totals().items()},
            "handovers": [asdict(run) for run in self.handovers()],
            "overlaps": [[asdict(span) for span in pair] for pair in self.overlaps()],
        }
