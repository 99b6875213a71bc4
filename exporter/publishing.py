"""
The page as it is shown: rendered anew whenever the store has something new, and in the second in which something of it
is outlived.
"""

from __future__ import annotations

import asyncio
import contextlib
import math

from exporter import logs
from exporter.clock import Clock
from exporter.exposition import Rendered, Renderer
from exporter.garbage import Garbage
from exporter.model import Snapshot
from exporter.store import Store
from exporter.telemetry import Telemetry
from exporter.watchdog import Expectations

_LOG = logs.logger(__name__)

_LOOK_AT_LEAST = 15.0
"""Seconds between two looks at the clock: it may be set, and what is outlived depends on it."""

_RENDER_AT_MOST = 0.25
"""Seconds in which several passes that end together make one snapshot."""


class Publisher:
    """
    Makes snapshots of what is kept, and pages of them.

    Args:
        max_series: how many values a snapshot may have.

        telemetry: told how many there are, and what is left out.

        clock: time.

        expectations: told by when the next page is due.

        garbage: the collector's, told how much there is.

    ``store`` is where values are kept, ``page`` the newest page, None before there is one.
    """

    def __init__(
        self, max_series: int, telemetry: Telemetry, clock: Clock, expectations: Expectations, garbage: Garbage
    ) -> None:
        self.store = Store(max_series, self._dropped)
        self.page: Rendered | None = None
        self._telemetry = telemetry
        self._clock = clock
        self._expectations = expectations
        self._garbage = garbage
        self._drops = logs.Once(_LOG, 3600, clock.monotonic)

    async def take(self, now: float) -> Snapshot:
        """The values at *now* (unix seconds)."""
        snapshot = await self.store.take(now)
        self._telemetry.series(snapshot.series)
        self._garbage.grown(snapshot.series)
        return snapshot

    async def run(self) -> None:
        """Keep the page up to date until cancelled."""
        renderer = Renderer()
        version, shown_at = -1, -math.inf
        while True:
            self._expectations.expect("publish", "the page was not rendered again", 2 * _LOOK_AT_LEAST)
            now = self._clock.time()
            if self.store.version == version and shown_at <= now < (self.store.next_expiry(shown_at) or math.inf):
                await self._something_new(version, shown_at)
                continue
            version, shown_at = self.store.version, now
            snapshot = await self.take(now)
            self.page = await renderer.render(snapshot)
            del snapshot  # its blocks must not outlive the store's while nothing happens
            await asyncio.sleep(_RENDER_AT_MOST)

    async def show_nothing(self) -> None:
        """Make a page without series, for good: what is pushed is not shown, or it would be there twice."""
        self.page = await Renderer().render(Snapshot(at=self._clock.time(), families=(), series=0))

    async def _something_new(self, version: int, shown_at: float) -> None:
        """Return when the store is beyond *version* or something shown at *shown_at* is outlived; now and then, too."""
        expiry = self.store.next_expiry(shown_at)
        patience = _LOOK_AT_LEAST if expiry is None else min(_LOOK_AT_LEAST, expiry - self._clock.time())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.01, patience)):
                await self.store.wait_changed(version)

    def _dropped(self, reason: str, n: int, example: str) -> None:
        self._telemetry.series_dropped(reason, n)
        self._drops.log(
            reason, "warning", "series_dropped", f"{n} series are left out ({reason}), such as {example}", reason=reason
        )
