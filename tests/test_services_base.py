"""The reader of a service: due, put off, refused, failing; and the small pure helpers of service modules."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from exporter.clock import FixedClock
from exporter.errors import AwsError, DeniedError, TransientError
from exporter.services import base
from exporter.services.base import partition_of
from exporter.services.reader import MOST_SPREAD, Operation, Reader

LIST = Operation("s3", "ListThings", 300, "s3:ListThings", "Things", paged=False)
ONE = Operation(
    "s3",
    "GetThing",
    3600,
    "s3:GetThing",
    paged=False,
    absent=frozenset({"NoSuchThing"}),
    gone=frozenset({"NoSuchOwner"}),
)
OTHER = Operation("s3", "GetOther", 3600, "s3:GetOther", paged=False)


class Aws:
    """An AWS that answers as the test says: a failure by key, and what was under way at one time."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.failing: dict[str, Exception] = {}
        self.under_way = self.most = 0

    async def call(self, service: str, operation: str, params: Mapping[str, Any], *, aws_service: str) -> Any:
        key = str(params.get("Key", ""))
        self.asked.append(key)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= 1
        failure = self.failing.get(key) or self.failing.get("*")
        if failure is not None:
            raise failure
        return {"Things": [{"Key": key}]}

    async def read_all(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError


def reader_of(aws: Aws, told: list[tuple[str, bool]] | None = None) -> tuple[Reader, FixedClock]:
    clock = FixedClock(1_000_000)
    notes = told if told is not None else []
    return Reader(aws, "s3", clock, {}, lambda operation, error: notes.append((operation.name, error is None))), clock


async def each(reader: Reader, keys: int, **options: Any) -> list[Any]:
    names = [str(number) for number in range(keys)]
    return await asyncio.gather(*(reader.read(ONE, {"Key": name}, key=name, **options) for name in names))


async def test_calls_that_may_wait_are_spread_over_passes() -> None:
    """A pass makes so many of them; the next go on where it stopped; each is made once."""
    aws = Aws()
    reader, clock = reader_of(aws)
    reader.start_pass()
    first = await each(reader, MOST_SPREAD + 30, may_wait=True)
    assert len(aws.asked) == MOST_SPREAD
    assert reader.waiting == 30
    assert sum(answer is None for answer in first) == 30
    clock.at += 60
    reader.start_pass()
    second = await each(reader, MOST_SPREAD + 30, may_wait=True)
    assert (len(aws.asked), len(set(aws.asked)), reader.waiting) == (MOST_SPREAD + 30, MOST_SPREAD + 30, 0)
    assert None not in second
    assert aws.most <= 4


async def test_one_refusal_is_one_resources_own_and_three_are_the_operations() -> None:
    """A bucket's policy that denies us must not hide the others; a role without the permission is asked little."""
    aws = Aws()
    told: list[tuple[str, bool]] = []
    aws.failing["3"] = DeniedError("s3", "GetThing", "AccessDenied", "no")
    reader, clock = reader_of(aws, told)
    reader.start_pass()
    found = await each(reader, 20)
    assert [number for number, answer in enumerate(found) if answer is None] == [3]
    assert set(reader.failures) == {"GetThing"}
    assert ("GetThing", False) in told
    clock.at += 60
    reader.start_pass()
    await each(reader, 20)
    assert set(reader.failures) == {"GetThing"}  # not asked again before its turn, and no success meanwhile
    aws.failing["*"] = aws.failing["3"]
    aws.asked.clear()
    clock.at += 3600
    reader.start_pass()
    await each(reader, 20)
    assert 3 <= len(aws.asked) <= 7  # those under way when the third refusal came are let through


async def test_a_failure_of_aws_spares_the_others_the_wait() -> None:
    """What hangs or throttles for one will for the next; it is asked again at the next pass, not after the hour."""
    aws = Aws()
    aws.failing["*"] = TransientError("s3", "GetThing", "Timeout", "no answer")
    reader, clock = reader_of(aws)
    reader.start_pass()
    assert set(await each(reader, 20)) == {None}
    assert len(aws.asked) <= 4
    aws.failing.clear()
    clock.at += 60
    reader.start_pass()
    assert None not in await each(reader, 20)


async def test_there_is_none_is_an_answer() -> None:
    """The codes that say so give an empty list, remembered like any other."""
    aws = Aws()
    aws.failing["0"] = AwsError("s3", "GetThing", "NoSuchThing", "none")
    reader, _ = reader_of(aws)
    reader.start_pass()
    (answer,) = await each(reader, 1)
    assert answer.items == []
    assert reader.failures == {}


async def test_of_what_is_gone_nothing_is_known_and_nothing_is_wrong() -> None:
    """Neither a failure nor an empty answer; it is forgotten, and asked again as long as somebody lists it."""
    aws = Aws()
    told: list[tuple[str, bool]] = []
    reader, clock = reader_of(aws, told)
    reader.start_pass()
    assert None not in await each(reader, 1)
    aws.failing["0"] = AwsError("s3", "GetThing", "NoSuchOwner", "it was deleted")
    for later in (3600, 60):
        clock.at += later
        reader.start_pass()
        assert await each(reader, 1) == [None]
        assert (reader.failures, told[-1]) == ({}, ("GetThing", True))
    assert len(aws.asked) == 3


@pytest.mark.parametrize("code", ["AccessDenied", "Timeout"])
async def test_calls_that_are_spared_leave_room_for_others(code: str) -> None:
    """An operation that fails must not use up what a pass may ask, or the others would never have their turn."""
    aws = Aws()
    kind = DeniedError if code == "AccessDenied" else TransientError
    aws.failing["*"] = kind("s3", "GetThing", code, "no")
    reader, _ = reader_of(aws)
    reader.start_pass()
    assert set(await each(reader, 2 * MOST_SPREAD, may_wait=True)) == {None}
    aws.failing.clear()
    count = MOST_SPREAD - 10
    found = await asyncio.gather(
        *(reader.read(OTHER, {"Key": str(number)}, key=str(number), may_wait=True) for number in range(count))
    )
    assert None not in found
    assert reader.waiting == 0


@pytest.mark.parametrize(
    ("region", "partition"),
    [("ap-southeast-3", "aws"), ("us-east-1", "aws"), ("cn-northwest-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")],
)
def test_the_partition_follows_the_region(region: str, partition: str) -> None:
    """As in the ARNs AWS gives there."""
    assert partition_of(region) == partition
    assert base.actions_of([LIST, ONE]) == ("s3:GetThing", "s3:ListThings")
