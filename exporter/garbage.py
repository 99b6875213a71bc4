"""
Memory that is let go: when Python looks for garbage (rarely, never at what came to stay), and where malloc takes it.

A full collection walks everything there is and holds the event loop meanwhile: 0.2 s and more with a hundred thousand
series (performance.md 6). Nearly all garbage here is freed without it, by counting references.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc

_THRESHOLDS = (10_000, 20, 50)
"""
Containers made, and collections of the younger generation, after which each generation of garbage is looked for: more
than an answer of CloudWatch makes and drops again, so that reading answers does not set it going.
"""

_M_ARENA_MAX = -8
"""The number of mallopt's parameter (malloc.h)."""

_GROWN = 1.25
"""How much more is much more, in series."""

_FEW = 1_000
"""Series that are worth no look."""


class Garbage:
    """The process's collector."""

    def __init__(self) -> None:
        self._settled = float(_FEW)
        self._frozen = False

    def begin(self) -> None:
        """Look for garbage less often from now on, never at what was imported, and let threads share their memory."""
        gc.set_threshold(*_THRESHOLDS)
        gc.freeze()
        # glibc has an arena for every few threads and gives back little of each; ours read XML one at a time, so that
        # two are enough (mallopt(3); MALLOC_ARENA_MAX does the same). Other C libraries have no such thing.
        with contextlib.suppress(AttributeError, OSError):
            ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)

    def freeze(self) -> None:
        """Take everything there is now for what stays; what was taken so before and is held no more is let go."""
        if self._frozen:  # at first nothing has been replaced yet, and a start need not look through all of it
            gc.unfreeze()
            gc.collect()
        self._frozen = True
        gc.freeze()

    def grown(self, series: int) -> None:
        """
        Note how many *series* there are; where there are many more than before, what they are made of stays.

        Only growth counts, so that volumes that come and go do not gather here what else would be collected.
        """
        if series > _GROWN * self._settled:
            self._settled = float(series)
            gc.collect(0)  # what has just been made and dropped; more would go through everything that is to stay
            gc.freeze()
