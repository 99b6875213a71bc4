"""
How hard AWS is asked: one token bucket and one concurrency limit per account, region and API, over all jobs.

AWS counts calls per account and region, whoever makes them; so two jobs, or two roles into one account, must not
double the pace. A throttled answer halves the pace at once, and it comes back within a minute: slow enough not to be
throttled again, quick enough not to lose a pass. Callers wait in the order they came, never beyond their deadline.
What to do when the time is up is for `api`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from exporter.clock import Clock

RECOVERY = 60.0
"""Seconds after which a halved pace is whole again."""

LEAST_SHARE = 1 / 32
"""The slowest pace that throttling can lead to, as a share of the configured one."""

CUT_INTERVAL = 1.0
"""Seconds in which several throttled answers count as one: they belong to one burst."""

GET_METRIC_DATA = "monitoring:GetMetricData"
"""The API name of GetMetricData, which has a quota of its own beside CloudWatch's other calls."""


class LimitsConfig(Protocol):
    """What is needed of the configuration's `limits`."""

    @property
    def aws_concurrency(self) -> int:
        """Calls in flight at one time, per account, region and API."""
        ...

    @property
    def get_metric_data_per_second(self) -> float:
        """GetMetricData calls a second, per account and region."""
        ...

    @property
    def describe_per_second(self) -> float:
        """Calls a second of any other API, per account and region."""
        ...

    @property
    def deadline(self) -> float:
        """Seconds one call may take, its repetitions included."""
        ...


class TokenBucket:
    """
    Lets through *rate* calls a second on average, *burst* at once, in the order of asking.

    Args:
        rate: calls a second.

        burst: how many unused calls are saved up; at least 1.

        clock: its monotonic reading and its sleep.
    """

    def __init__(self, rate: float, burst: float, clock: Clock) -> None:
        self._full_rate = rate
        self._burst = max(1.0, burst)
        self._clock = clock
        self._tokens = self._burst
        self._filled_at = clock.monotonic()
        self._cut_rate = rate
        self._cut_at = float("-inf")

    @property
    def rate(self) -> float:
        """Calls a second that are allowed now."""
        recovered = self._full_rate * (self._clock.monotonic() - self._cut_at) / RECOVERY
        return min(self._full_rate, self._cut_rate + recovered)

    async def take(self, until: float, weight: float = 1.0) -> None:
        """
        Return when a call may be made.

        Args:
            until: monotonic seconds; where the call's turn would come later, TimeoutError is raised at once and
                nothing is taken.

            weight: for how many calls it counts: those behind it wait so much longer.
        """
        now = self._clock.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self.rate)
        self._filled_at = now
        wait = max(0.0, (1.0 - self._tokens) / self.rate)
        if now + wait > until:
            raise TimeoutError
        # A negative balance is the queue: whoever comes later waits for those before.
        self._tokens -= weight
        if wait > 0:
            try:
                await self._clock.sleep(wait)
            except BaseException:
                self._tokens += weight
                raise

    def throttled(self) -> None:
        """AWS asked for a slower pace: halve it, and use up what was saved."""
        now = self._clock.monotonic()
        if now - self._cut_at < CUT_INTERVAL:
            return
        self._cut_rate = max(self.rate / 2, self._full_rate * LEAST_SHARE)
        self._cut_at = now
        self._tokens = min(self._tokens, 0.0)
        self._filled_at = now


class Gate:
    """
    The way to one API of one account and region.

    Args:
        bucket: its pace.

        concurrency: calls in flight at one time.

        clock: its monotonic reading.
    """

    def __init__(self, bucket: TokenBucket, concurrency: int, clock: Clock) -> None:
        self.bucket = bucket
        self._slots = asyncio.Semaphore(concurrency)
        self._clock = clock

    @asynccontextmanager
    async def enter(self, until: float, seconds: float = 0.0) -> AsyncIterator[None]:
        """
        Hold one slot of the API for the time of one attempt. TimeoutError where the turn does not come in time.

        Args:
            until: monotonic seconds.

            seconds: of AWS's quota that its answer uses up, where that is more than its share of the pace.
        """
        async with asyncio.timeout(max(0.0, until - self._clock.monotonic())):
            await self._slots.acquire()
        try:
            await self.bucket.take(until, max(1.0, seconds * self.bucket.rate))
            yield
        finally:
            self._slots.release()


class Limits:
    """
    All gates of the process, each made when it is first asked for.

    Args:
        config: how hard.

        clock: for all of them.
    """

    def __init__(self, config: LimitsConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._gates: dict[tuple[str, str, str], Gate] = {}

    def gate(self, account_id: str, region: str, api: str) -> Gate:
        """The one gate of *api* (botocore's service name, or `GET_METRIC_DATA`) in that account and region."""
        key = (account_id, region, api)
        gate = self._gates.get(key)
        if gate is None:
            if api == GET_METRIC_DATA:
                # Evenly paced: a burst of large requests and answers would hold the event loop for a noticeable time.
                rate = self._config.get_metric_data_per_second
                bucket = TokenBucket(rate, rate / 25, self._clock)
            else:
                rate = self._config.describe_per_second
                bucket = TokenBucket(rate, rate, self._clock)
            gate = self._gates[key] = Gate(bucket, self._config.aws_concurrency, self._clock)
        return gate
