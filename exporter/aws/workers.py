"""
Worker threads: where botocore works, and how a call in one is ended from outside.

A thread cannot be stopped; so what it waits for is. botocore's calls wait on the event loop for their answer
(`transport`), which can be cut off; the pool is never eaten up by an API that hangs. Credential providers wait on
sockets, files and processes of their own; they get threads that do not keep the process alive.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from exporter.aws.faults import CONNECTION, TIMEOUT, NoAnswerError

THREADS = 1024
"""
Threads for botocore's calls, made as they are needed: no limit of its own. `limits` says how many calls there may be of
an account, region and API; were there fewer threads, two regions that hang would take them from all others.
"""

READING = 2.0
"""Seconds a thread may take beyond its attempt, to read an answer it has."""

_GRACE = 5.0
"""Seconds a worker thread waits beyond a request's own time, so that it ends even if the event loop has stopped."""


_TURN = 1.0
"""Seconds a thread waits for its turn; then it computes beside the other, which may have come upon a giant."""

T = TypeVar("T")


class Attempt:
    """
    One botocore call in a worker thread, so that the side that waits for it can end it.

    Args:
        seconds: from now, for the exchange with AWS.

        monotonic: seconds that never jump.

        turn: held by the thread that writes a request or reads an answer. Threads that compute at one time are no
            faster together, they cost more, and the event loop waits for each of them in turn (performance.md 3.4).
    """

    def __init__(self, seconds: float, monotonic: Callable[[], float], turn: threading.Lock | None = None) -> None:
        self._monotonic = monotonic
        self._turn = turn if turn is not None else threading.Lock()
        self._computing = False
        self._until = monotonic() + seconds
        self._lock = threading.Lock()
        self._pending: concurrent.futures.Future[Any] | None = None
        self._ended = False

    @property
    def left(self) -> float:
        """Seconds left."""
        return self._until - self._monotonic()

    def wait(self, exchange: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> T:
        """Run *exchange* on the event loop and return its answer; called in the worker thread."""
        self.pause()
        with self._lock:
            if self._ended or loop.is_closed():
                exchange.close()
                raise NoAnswerError(CONNECTION, "the call was given up")
            self._pending = pending = asyncio.run_coroutine_threadsafe(exchange, loop)
        try:
            answer = pending.result(self.left + _GRACE)
        except concurrent.futures.CancelledError:
            raise NoAnswerError(CONNECTION, "the call was given up") from None
        except concurrent.futures.TimeoutError:
            raise NoAnswerError(TIMEOUT, "no answer in time") from None
        self.compute()
        return answer

    def compute(self) -> None:
        """Wait for this thread's turn. Called in the worker thread."""
        self._computing = self._turn.acquire(timeout=_TURN)

    def pause(self) -> None:
        """The request is written, or the answer read: the next thread's turn. Called in the worker thread."""
        if self._computing:
            self._computing = False
            self._turn.release()

    def end(self) -> None:
        """Nobody waits any more: cut the exchange off."""
        with self._lock:
            self._ended = True
            if self._pending is not None:
                self._pending.cancel()


class Workers:
    """
    The pool for botocore's calls.

    Args:
        monotonic: seconds that never jump.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._turn = threading.Lock()
        self._pool = concurrent.futures.ThreadPoolExecutor(THREADS, thread_name_prefix="aws")

    async def run(self, call: Callable[[Attempt], T], seconds: float) -> T:
        """
        What *call* returns in a thread of the pool.

        Args:
            call: told for how long it may go on.

            seconds: after which it is given up; cut off as well where the caller is cancelled.

        Raises:
            NoAnswerError: where the time is up; else whatever *call* raises.
        """
        attempt = Attempt(seconds, self._monotonic, self._turn)

        def work() -> T:
            attempt.compute()
            try:
                return call(attempt)
            finally:
                attempt.pause()

        waiting = asyncio.wrap_future(self._pool.submit(work))
        try:
            await asyncio.wait({waiting}, timeout=seconds + READING)
            if not waiting.done():
                raise NoAnswerError(TIMEOUT, f"no answer within {seconds:.1f} s")
            return waiting.result()
        finally:
            attempt.end()
            waiting.cancel()

    def close(self) -> None:
        """Start nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)


async def run_apart(call: Callable[[], T]) -> T:
    """What *call* returns in a thread of its own, which the end of the process does not wait for."""
    future: concurrent.futures.Future[T] = concurrent.futures.Future()
    future.set_running_or_notify_cancel()

    def work() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - handed over to whoever waits
            future.set_exception(error)

    threading.Thread(target=work, name="aws-credentials", daemon=True).start()
    return await asyncio.wrap_future(future)
