"""
The life of a simulated server: in an event loop that is there, or on a loop and thread of its own, for synchronous
tests and for clients in other processes.
"""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

T = TypeVar("T")


class Serving(ABC):
    """A server as an async context manager. `start` says on which loop it is, where `run` is to be used."""

    _loop: asyncio.AbstractEventLoop | None = None

    @abstractmethod
    async def start(self) -> None:
        """Listen."""

    @abstractmethod
    async def stop(self) -> None:
        """Listen no more."""

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run *work*, such as ``server.stop()``, on the server's loop, from another thread."""
        assert self._loop is not None, "start the server first"  # noqa: S101
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


class _Server(Protocol):
    async def start(self) -> None: ...
    async def stop(self) -> None: ...


S = TypeVar("S", bound=_Server)


@contextmanager
def in_thread(server: S, name: str) -> Iterator[S]:
    """*server*, running in a thread of that *name*."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name=name, daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(30)
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()
