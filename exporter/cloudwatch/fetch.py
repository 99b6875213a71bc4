"""
A batch → what CloudWatch says to each of its members: pages, partial answers and malformed ones read once and for all.

Retries of a call, limits and credentials are the access layer's; when to ask again is the planner's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from exporter.cloudwatch.batch import MEMBERS, body
from exporter.cloudwatch.nouns import Batch
from exporter.errors import AwsError, CredentialsError, RequestError, TransientError

_PAGES = 200
"""Pages after which an answer is taken to be endless; a batch of ours fits one."""

_NAMES = [f"q{number}" for number in range(MEMBERS)]

Result = dict[str, Any]
"""
What CloudWatch said to a member, as it came; of several pages, put together. `readable` says whether it holds what it
should: ``Timestamps`` (unix seconds at which periods start, in the order received) and ``Values`` (one each, in
CloudWatch's unit), lists of one length; ``StatusCode``, a text, ``Complete`` where all datapoints are in it.
"""


class Access(Protocol):
    """What fetching needs of `aws.api.Access`."""

    async def get_metric_data(
        self,
        body_head: Callable[[], bytes],
        start: int,
        end: int,
        *,
        aws_service: str,
        next_token: str | None = None,
        queries: int = 0,
        billable: int = 0,
        datapoints: int = 0,
    ) -> Mapping[str, Any]:
        """One call of GetMetricData; errors of the `AwsError` tree or `CredentialsError`."""
        ...


@dataclass(frozen=True, slots=True)
class Fetched:
    """
    The answer to a batch.

    Args:
        results: what was said to each member, by its number; None where nothing was.

        messages: what CloudWatch said about the whole or a part, ``(code, text)``, each once.

        malformed: results that could not be read.

        error: what broke the answer off, None where nothing did. What came before it is in *results*.
    """

    results: Sequence[Result | None]
    messages: tuple[tuple[str, str], ...] = ()
    malformed: int = 0
    error: Exception | None = None

    @property
    def answered(self) -> bool:
        """Whether anything was said to any member."""
        return any(result is not None for result in self.results)


@dataclass(slots=True)
class _Reading:
    """What has been read of a batch's pages so far."""

    results: list[Result | None]
    messages: dict[tuple[str, str], None] = field(default_factory=dict)
    malformed: int = 0

    def page(self, page: Mapping[str, Any]) -> None:
        self.note(page.get("Messages"))
        found: list[Any] = page["MetricDataResults"]
        if not any(self.results) and _is_whole(found, len(self.results)):
            self.results = found
            return
        for result in found:
            number = _number(result)
            if number is None or number >= len(self.results) or not readable(result):
                self.malformed += 1
                continue
            self.note(result.get("Messages"))
            before = self.results[number]
            if before is None or not readable(before):
                self.results[number] = result
            else:
                before["Timestamps"] += result["Timestamps"]
                before["Values"] += result["Values"]
                before["StatusCode"] = result["StatusCode"]

    def note(self, said: object) -> None:
        for one in said if isinstance(said, list) else ():
            if isinstance(one, dict):
                self.messages.setdefault((str(one.get("Code", "")), str(one.get("Value", ""))))


async def fetch(access: Access, batch: Batch, *, aws_service: str) -> Fetched:
    """
    Ask *batch*, all pages of it.

    Never raises for AWS's failures: they are in the answer, beside everything that arrived before them. A token gone
    stale restarts the request once (aws-facts 2.1).
    """
    count = batch.size
    error: Exception | None = None
    reading = _Reading([])
    for attempt in (1, 2):
        reading = _Reading([None] * count)
        try:
            await _pages(access, batch, reading, aws_service)
            error = None
        except (AwsError, CredentialsError) as failure:
            error = failure
            if attempt == 1 and isinstance(failure, RequestError) and failure.code.startswith("InvalidNextToken"):
                continue
        break
    return Fetched(reading.results, tuple(reading.messages), reading.malformed, error)


async def _pages(access: Access, batch: Batch, reading: _Reading, aws_service: str) -> None:
    token: str | None = None
    seen: set[str] = set()
    for _ in range(_PAGES):
        page = await access.get_metric_data(
            partial(body, batch),
            batch.window.start,
            batch.window.end,
            aws_service=aws_service,
            next_token=token,
            queries=batch.size,
            billable=batch.billable,
            datapoints=batch.size * batch.window.points,
        )
        reading.page(page)
        token = page.get("NextToken") or None
        if token is None:
            return
        if token in seen:
            break
        seen.add(token)
    raise TransientError(
        "cloudwatch",
        "GetMetricData",
        "EndlessPages",
        "the same NextToken came again; the rest is asked in the next pass",
    )


def _is_whole(found: list[Any], count: int) -> bool:
    """Whether every member has its result, in the order asked: nearly always, though not promised (aws-facts 2.1)."""
    try:
        return [result["Id"] for result in found] == _NAMES[:count] and not any("Messages" in each for each in found)
    except (TypeError, KeyError):
        return False


def _number(result: object) -> int | None:
    """Which member a result belongs to; None where that cannot be read."""
    name = result.get("Id") if isinstance(result, dict) else None
    if not isinstance(name, str) or not name.startswith("q") or not name[1:].isdecimal():
        return None
    return int(name[1:])


def readable(result: Result) -> bool:
    """Whether *result* holds what `Result` says, after what may be left out is put in: no datapoints, Complete."""
    starts, values = result.get("Timestamps"), result.get("Values")
    if not starts and not values:
        starts = result["Timestamps"] = []
        values = result["Values"] = []
    if not isinstance(starts, list) or not isinstance(values, list) or len(starts) != len(values):
        return False
    if not all(isinstance(start, int | float) for start in starts):
        return False
    if not isinstance(result.get("StatusCode"), str):
        result["StatusCode"] = str(result.get("StatusCode") or "Complete")
    return True
