"""
One call to AWS, tried until it succeeds, cannot succeed, or its time is up: the only place that repeats anything.

Each attempt waits for its turn, is made with the newest credentials and counted. A denied or wrong request is never
repeated; a throttled or broken one is, after a pause with jitter, and throttling slows down the API for everybody;
refused credentials are looked for once more. How an attempt is made is an argument.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from exporter.aws import prices
from exporter.aws.faults import TIMEOUT, RefusedError, from_exception
from exporter.aws.limits import Limits
from exporter.aws.session import Frozen, Keeper
from exporter.clock import Clock
from exporter.errors import (
    AwsError,
    CredentialsError,
    DeadlineError,
    DeniedError,
    FencedError,
    RequestError,
    ThrottledError,
    TransientError,
)
from exporter.model import Scope
from exporter.telemetry import Telemetry

LONGEST_ATTEMPT = 10.0
"""Seconds one attempt may take; a third of the call's time where that is less, so that two more are possible."""

FIRST_BACK_OFF = 0.5
LONGEST_BACK_OFF = 8.0
"""Seconds before the second attempt, doubled for each later one up to the longest; up to half of it is left out."""

MOST_FAULTS = 4
"""Attempts that may fail for another reason than AWS's wish for a slower pace: what is broken for longer than the
pauses between them is for the next pass, and the deadline is left to what is slow."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call:
    """
    What is called.

    Args:
        service: botocore's name of the API.

        operation: as AWS spells it.

        api: whose pace and concurrency it shares, as `limits` names it.

        aws_service: our service module on whose behalf.

        queries: metric queries in it, for GetMetricData.

        billable: what CloudWatch counts for them, in metrics.

        further: whether it asks for a further page of an answer.

        datapoints: that its answer may hold; AWS grants so many a second.
    """

    service: str
    operation: str
    api: str
    aws_service: str
    queries: int = 0
    billable: int = 0
    further: bool = False
    datapoints: int = 0


class Attempts:
    """
    How calls are made and repeated, the same for the whole process.

    Args:
        deadline: seconds for a call that names none.

        limits: whose turn it is.

        telemetry: counts requests, retries and errors.

        clock: its monotonic reading and its sleep.

        jitter: numbers from 0 to 1.

        permitted: whether AWS may be asked now; looked at right before each attempt. Of several replicas one may.
    """

    def __init__(
        self,
        *,
        deadline: float,
        limits: Limits,
        telemetry: Telemetry,
        clock: Clock,
        jitter: Callable[[], float],
        permitted: Callable[[], bool] = lambda: True,
    ) -> None:
        self._deadline = deadline
        self._limits = limits
        self._telemetry = telemetry
        self._clock = clock
        self._jitter = jitter
        self._permitted = permitted

    async def make(
        self,
        once: Callable[[Frozen, float], Awaitable[T]],
        call: Call,
        keeper: Keeper,
        scope: Scope,
        who: str,
        deadline: float | None,
    ) -> T:
        """
        What *once* returns.

        Args:
            once: one attempt, with those credentials, within that many seconds.

            call: what is called.

            keeper: of the credentials.

            scope: whose AWS.

            who: the identity, for people.

            deadline: seconds for it all; None for the usual.

        Raises:
            AwsError: the last failure; `FencedError` where AWS may not be asked.

            CredentialsError: where there are none, or AWS refuses them.
        """
        seconds = self._deadline if deadline is None else deadline
        until = self._clock.monotonic() + seconds
        failed: AwsError | None = None
        refused = False
        failures = faults = 0
        while True:
            self._fence(call)  # before credentials too: those of a chained role are asked of AWS
            credentials = await keeper.current(until - self._clock.monotonic())
            gate = self._limits.gate(scope.account_id, scope.region, call.api)
            try:
                async with gate.enter(until, call.datapoints / prices.DATAPOINTS_PER_SECOND):
                    self._fence(call)
                    self._telemetry.request(scope, call.aws_service, call.operation)
                    if failed is not None:
                        self._telemetry.retry(scope, call.aws_service, call.operation)
                    left = min(until - self._clock.monotonic(), seconds / 3, LONGEST_ATTEMPT)
                    answer = await _read(once(credentials, left), call)
                    self._answered(call, scope)
                    return answer
            except TimeoutError:
                # No attempt that failed, but one that was never made; an earlier failure says more.
                message = f"{seconds:.0f} s were over before its turn came: too many calls to {call.api} wait"
                raise failed or DeadlineError(call.service, call.operation, TIMEOUT, message) from None
            except FencedError:
                raise
            except AwsError as error:
                failed = error
                self._telemetry.error(scope, call.aws_service, call.operation, error.code)
                self._failed(call, scope, error)
                if isinstance(error, ThrottledError):
                    gate.bucket.throttled()
            left = until - self._clock.monotonic()
            if isinstance(failed, RefusedError):
                if refused:
                    raise _unusable(failed, who, credentials) from failed
                refused = True
                await keeper.renew(credentials, left)
            elif isinstance(failed, TransientError):
                pause = min(LONGEST_BACK_OFF, FIRST_BACK_OFF * 2.0**failures) * (1 - 0.5 * self._jitter())
                failures += 1
                faults += not isinstance(failed, ThrottledError)
                if pause >= left or faults >= MOST_FAULTS:
                    raise failed
                await self._clock.sleep(pause)
            elif isinstance(failed, DeniedError):
                raise DeniedError(call.service, call.operation, failed.code, f"{failed.detail} (asked as {who})")
            else:
                raise failed

    def _fence(self, call: Call) -> None:
        if not self._permitted():
            message = "this replica does not lead (any more), so nothing is asked; the one that leads asks it"
            raise FencedError(call.service, call.operation, "Fenced", message)

    def _answered(self, call: Call, scope: Scope) -> None:
        """Count what one answer costs; the metrics of a whole GetMetricData are counted by who asked for them."""
        self._telemetry.cost(
            scope, call.aws_service, call.operation, prices.request_dollars(call.service, call.operation)
        )
        if call.further:
            self._unconfirmed(call, scope, "page")

    def _failed(self, call: Call, scope: Scope, error: AwsError) -> None:
        if isinstance(error, RequestError):  # AWS's answer to a request it read, such as "there is no lifecycle"
            self._telemetry.cost(
                scope, call.aws_service, call.operation, prices.request_dollars(call.service, call.operation)
            )
        self._unconfirmed(call, scope, "throttled" if isinstance(error, ThrottledError) else "failed")

    def _unconfirmed(self, call: Call, scope: Scope, reason: str) -> None:
        if call.queries:
            self._telemetry.unconfirmed(
                scope, call.aws_service, call.operation, queries=call.queries, billable=call.billable, reason=reason
            )


async def _read(answer: Awaitable[T], call: Call) -> T:
    """The answer; whatever goes wrong is one of our errors."""
    try:
        return await answer
    except (AwsError, CredentialsError):
        raise
    except Exception as error:  # botocore and its parsers raise more than they name
        raise from_exception(call.service, call.operation, error) from error


def _unusable(failed: RefusedError, who: str, credentials: Frozen) -> CredentialsError:
    return CredentialsError(
        f"AWS refuses the credentials of {who} (from {credentials.provider}) for {failed}; renew them there, and see "
        "that this machine's clock is right and that the region is enabled for the account"
    )
