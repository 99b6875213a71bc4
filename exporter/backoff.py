"""
How long to wait after failures that follow each other: twice as long each time, up to a bound, by chance a little more
or less, so that those who failed together do not come back together. Pure.
"""

from __future__ import annotations

from collections.abc import Callable

_DOUBLED = 16
"""Times at most; by then every bound is reached."""


class Backoff:
    """
    Pauses between attempts, seconds.

    Args:
        first: after the first failure.

        longest: however many there are.

        jitter: from 0 to 1, by chance.
    """

    def __init__(self, first: float, longest: float, jitter: Callable[[], float]) -> None:
        self._first = first
        self._longest = longest
        self._jitter = jitter
        self._failures = 0

    def next(self, least: float = 0.0) -> float:
        """Seconds to wait after one more failure, and *least* at any rate."""
        pause = min(self._longest, self._first * 2.0 ** min(self._failures, _DOUBLED))
        self._failures += 1
        chance = self._jitter()
        return max(pause * (0.75 + 0.5 * chance), least * (1.0 + 0.25 * chance))

    def asked(self, seconds: float) -> float:
        """Seconds to wait where the other side has said how long: that, and by chance a little more."""
        self._failures += 1
        return max(seconds, self._first) * (1.0 + 0.25 * self._jitter())

    def reset(self) -> None:
        """It went well."""
        self._failures = 0
