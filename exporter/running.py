"""
An engine with the tasks that make its passes: what a reload puts in the place of another.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Self

from exporter.config import Config
from exporter.engine import Engine, Parts, engine
from exporter.scheduler import Scheduler


class Running:
    """An engine with the tasks of its feeds."""

    def __init__(self, built: Engine, stack: contextlib.AsyncExitStack) -> None:
        self.engine = built
        self._stack = stack
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    async def build(cls, config: Config, parts: Parts) -> Self:
        """Raises as `engine.engine` does, and then leaves nothing behind."""
        async with contextlib.AsyncExitStack() as stack:
            built = await stack.enter_async_context(engine(config, parts))
            return cls(built, stack.pop_all())

    async def take_over(self, old: Running) -> list[str]:
        """Feeds of the same name go on with what *old*'s knew; those that are no more end, and are named."""
        before = {feed.name: feed for feed in old.engine.feeds}
        for feed in self.engine.feeds:
            if feed.name in before:
                feed.take_over(before.pop(feed.name))
        for feed in before.values():
            await feed.end()
        return list(before)

    def start(self, scheduler: Scheduler) -> None:
        """Begin to make passes."""
        others = frozenset(feed.name for feed in self.engine.feeds if not feed.follows)
        self._tasks = [
            asyncio.create_task(scheduler.forever(feed.job(), others if feed.follows else ()), name=feed.name)
            for feed in self.engine.feeds
        ]

    async def stop(self) -> None:
        """Make no more passes; those under way keep what they have."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def close(self) -> None:
        """Close the way to AWS."""
        await self._stack.aclose()
