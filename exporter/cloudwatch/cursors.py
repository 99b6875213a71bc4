"""
Where each query stands: up to when it was asked, up to when it was answered, and how long it has been silent. Pure.

Columns, one entry a query of a generation (performance.md 5). A cursor is the end of the newest period that arrived:
the next window starts there, so windows neither overlap nor skip, and periods that were still missing are asked again.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence

from exporter.model import Window

SILENT_PASSES = 3
"""Empty answers in a row, while others are answered, after which a query that never answered is asked less often."""

LONGEST_WINDOW = 1440
"""Periods that are asked of a query at one time: a day of minutes. What is further behind follows in the next pass."""

LONGEST_SILENCE = 6 * 3600
"""Seconds; a query that never answered is asked at least this often, for AWS may begin to publish."""

REMEMBERED = 3600
"""Seconds for which it is remembered how far a query had come whose resource is gone: as long as windows look back."""

LONGEST_ESSENTIAL_SILENCE = 900
"""The same where something essential is asked: what begins to be said there may be what wakes somebody."""


class Cursors:
    """
    The standing of *count* queries; unix seconds throughout, 0 for never.

    ``asked``: end of the last window that was answered, with or without datapoints. ``heard``: the cursor.
    ``spoke``: whether any datapoint ever came. ``silent``: empty answers in a row that count as silence. ``tried``:
    when it was last answered.
    """

    __slots__ = ("asked", "heard", "silent", "spoke", "tried")

    def __init__(self, count: int) -> None:
        zeroes = bytes(4 * count)
        self.asked = array("I", zeroes)
        self.heard = array("I", zeroes)
        self.tried = array("I", zeroes)
        self.spoke = bytearray(count)
        self.silent = array("H", bytes(2 * count))

    def __len__(self) -> int:
        return len(self.asked)

    def carry(self, slot: int, other: Cursors, old: int, count: int = 1) -> None:
        """Take over the standing of *count* entries of *other* from *old* on, to entries from *slot* on."""
        here, there = slice(slot, slot + count), slice(old, old + count)
        self.asked[here] = other.asked[there]
        self.heard[here] = other.heard[there]
        self.tried[here] = other.tried[there]
        self.spoke[here] = other.spoke[there]
        self.silent[here] = other.silent[there]

    def answered(self, slot: int, window: Window, newest: int, now: float) -> None:
        """
        Note a complete answer for *window*.

        Args:
            newest: the end of the newest period that came, 0 where none did.

            now: when it was given, unix seconds.
        """
        self.asked[slot] = window.end
        self.tried[slot] = int(now)
        if newest:
            self.heard[slot] = max(newest, self.heard[slot])
            self.spoke[slot] = 1
            self.silent[slot] = 0
        elif not self.heard[slot]:
            self.heard[slot] = window.start  # the first window grows until something comes, rather than move past it
        if window.points >= LONGEST_WINDOW:
            # Cut off at its length, so what comes after it is later than anything that can still arrive in it.
            self.heard[slot] = max(window.end, self.heard[slot])

    def left(self, slot: int, window: Window, now: int) -> None:
        """Note that *window* was answered and the answer lost: the cursor stays, where the first window began."""
        self.asked[slot] = window.end
        self.tried[slot] = now
        self.heard[slot] = self.heard[slot] or window.start

    def heard_all(self, slots: Sequence[int], end: int, newest: Sequence[int], now: int) -> None:
        """Note complete answers with datapoints for *slots*, as `answered` does for one; *newest* has one a slot."""
        asked, heard, tried, spoke, silent = self.asked, self.heard, self.tried, self.spoke, self.silent
        for slot, came in zip(slots, newest, strict=True):
            asked[slot] = end
            tried[slot] = now
            if came > heard[slot]:  # noqa: PLR1730 - a hundred thousand calls of max() are 6 ms
                heard[slot] = came
            spoke[slot] = 1
            silent[slot] = 0

    def cut_short(self, slot: int, reach: int, *, spoke: bool = False) -> None:
        """
        Note an answer that broke off.

        Args:
            reach: the end of the period up to which everything was told, 0 for nothing: the rest is still due.

            spoke: whether a datapoint came all the same.
        """
        if reach:
            self.heard[slot] = max(reach, self.heard[slot])
        if reach or spoke:
            self.spoke[slot] = 1
            self.silent[slot] = 0

    def count_silence(self, slots: Iterable[int]) -> bool:
        """Count an empty answer for each of *slots* that never spoke; whether any interval grows by it."""
        grew = False
        for slot in slots:
            if not self.spoke[slot] and self.silent[slot] < 0xFFFF:
                self.silent[slot] += 1
                grew = grew or self.silent[slot] > SILENT_PASSES
        return grew

    def interval(self, slot: int, every: int, longest: int = LONGEST_SILENCE) -> int:
        """Seconds between two questions: *every*, doubled with each silent pass after the third up to *longest*."""
        over = self.silent[slot] - SILENT_PASSES
        if over <= 0:
            return every
        return max(every, min(every << min(over, 20), longest))
