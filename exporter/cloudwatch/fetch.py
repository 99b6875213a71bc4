"""
A batch → what CloudWatch says to each of its members: pages, partial answers and malformed ones read once and for all.

Retries of a call, limits and credentials are the access layer's; when to ask again is the planner's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from exporter.cloudwatch.batch import body, members
from exporter.errors import AwsError, CredentialsError, RequestError, TransientError
from exporter.model import Batch, Series

_PAGES = 200
"""Pages after which an answer is taken to be endless; a batch of ours fits one."""


class Access(Protocol):
    """What fetching needs of `aws.api.Access`."""

    async def get_metric_data(
        self, body_head: bytes, start: int, end: int, *, aws_service: str, next_token: str | None = None
    ) -> Mapping[str, Any]:
        """One call of GetMetricData; errors of the `AwsError` tree or `CredentialsError`."""
        ...


@dataclass(frozen=True, slots=True)
class Fetched:
    """
    The answer to a batch.

    Args:
        series: what was said, one a member that was answered at all.

        messages: what CloudWatch said about the whole or a part, ``(code, text)``, each once.

        malformed: results that could not be read.

        error: what broke the answer off, None where nothing did. What came before it is in *series*.
    """

    series: tuple[Series, ...]
    messages: tuple[tuple[str, str], ...] = ()
    malformed: int = 0
    error: Exception | None = None


@dataclass(slots=True)
class _Member:
    starts: list[float] = field(default_factory=list)
    values: list[float | str | None] = field(default_factory=list)
    code: str = ""


@dataclass(slots=True)
class _Reading:
    """What has been read of a batch's pages so far."""

    answers: dict[int, _Member] = field(default_factory=dict)
    messages: dict[tuple[str, str], None] = field(default_factory=dict)
    malformed: int = 0

    def page(self, page: Mapping[str, Any], count: int) -> None:
        self.note(page.get("Messages"))
        for result in page["MetricDataResults"]:
            number = _number(result, count)
            if number is None:
                self.malformed += 1
                continue
            member = self.answers.setdefault(number, _Member())
            member.starts += result.get("Timestamps") or ()
            member.values += result.get("Values") or ()
            member.code = str(result.get("StatusCode") or "Complete")
            self.note(result.get("Messages"))

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
    head, order = body(batch), members(batch)
    error: Exception | None = None
    reading = _Reading()
    for attempt in (1, 2):
        reading = _Reading()
        try:
            await _pages(access, batch, head, len(order), reading, aws_service)
            error = None
        except (AwsError, CredentialsError) as failure:
            error = failure
            if attempt == 1 and isinstance(failure, RequestError) and failure.code.startswith("InvalidNextToken"):
                continue
        break
    series = []
    for number, member in reading.answers.items():
        query, index = order[number]
        # Complete means that all datapoints are in this or earlier pages: a page missing later takes nothing away.
        complete = member.code == "Complete"
        series.append(Series(query, index, member.starts, member.values, complete, member.code))
    return Fetched(tuple(series), tuple(reading.messages), reading.malformed, error)


async def _pages(access: Access, batch: Batch, head: bytes, count: int, reading: _Reading, aws_service: str) -> None:
    token: str | None = None
    seen: set[str] = set()
    for _ in range(_PAGES):
        page = await access.get_metric_data(
            head, batch.window.start, batch.window.end, aws_service=aws_service, next_token=token
        )
        reading.page(page, count)
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


def _number(result: object, count: int) -> int | None:
    """Which member a result belongs to; None where it is none of ours or cannot be read."""
    if not isinstance(result, dict):
        return None
    name, starts, values = result.get("Id"), result.get("Timestamps") or [], result.get("Values") or []
    if not isinstance(name, str) or not name.startswith("q") or not name[1:].isdecimal():
        return None
    if not isinstance(starts, list) or not isinstance(values, list) or len(starts) != len(values):
        return None
    if not all(isinstance(start, int | float) for start in starts):
        return None
    number = int(name[1:])
    return number if number < count else None
