"""
Segments of which nothing waits any longer, until their marks are in the ledger and their files are gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from exporter.clock import Clock
from exporter.remote.lane import Lane
from exporter.remote.ledger import Ledger
from exporter.remote.segments import Segment

_SEGMENTS = 64


class Spent:
    """
    What can be removed.

    Args:
        ledger: where marks go.

        clock: says what lies ahead of now.

        enough: bytes that are worth to write the ledger anew for.

        unwell: told what could not be done, and why.
    """

    def __init__(self, ledger: Ledger, clock: Clock, enough: int, unwell: Callable[[str, OSError], None]) -> None:
        self._ledger = ledger
        self._clock = clock
        self._enough = enough
        self._unwell = unwell
        self.segments: list[Segment] = []

    @property
    def size(self) -> int:
        """Bytes of all of them."""
        return sum(segment.size for segment in self.segments)

    def gather(self, lanes: Iterable[Lane]) -> None:
        """Take from *lanes* what they have no more use for."""
        for lane in lanes:
            self.segments += lane.spent()

    @property
    def due(self) -> bool:
        """Whether it is time to remove them."""
        return len(self.segments) >= _SEGMENTS or self.size >= self._enough

    def has(self, lane: Lane) -> bool:
        """Whether one of them is a lane's."""
        return any(segment.path.parent == lane.directory for segment in self.segments)

    async def close(self) -> None:
        """Write the marks that could not be written before, if that is possible now. All else stays on disk."""
        self.segments = []
        if self._ledger.unwritten:
            await self.remove(at_any_price=False)

    async def remove(self, *, at_any_price: bool) -> bool:
        """
        Take their marks into the ledger, and remove them.

        Args:
            at_any_price: also where the marks cannot be written, which are kept in memory until they can be.

        Returns:
            Whether any was removed.
        """
        going = list(self.segments)
        try:
            error = await asyncio.to_thread(self._ledger.take_in, going, self._clock.time())
        except OSError as unread:
            self._unwell("read the marks of", unread)
            return False
        if error is not None:
            self._unwell("write the marks of", error)
            if not at_any_price:
                return False
        left, error = await asyncio.to_thread(self._ledger.remove, going)
        if error is not None:
            self._unwell("remove segments of", error)
        # Others may have come meanwhile.
        gone = {id(segment) for segment in going} - {id(segment) for segment in left}
        self.segments = [segment for segment in self.segments if id(segment) not in gone]
        return bool(gone)
