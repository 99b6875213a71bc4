"""Who calls the simulated AWS, and whether two identities ever do so at the same time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import pytest
import urllib3
from hypothesis import given
from hypothesis import strategies as some

from exporter.demo import DemoServer, World, WorldClock, run_in_thread
from exporter.demo.identities import KEPT, Identities, Span
from exporter.demo.sigv4 import Key
from tests.demo_clients import NOW, clients, query

SECOND = Key("AKIASECONDEXAMPLE", "another-secret", "123456789012", "arn:aws:iam::123456789012:user/second")


class Hands:
    """A monotonic clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def server() -> Iterator[DemoServer]:
    with run_in_thread(World(1, WorldClock(NOW)), keys=[SECOND]) as running:
        yield running


@pytest.fixture
def second() -> dict[str, Any]:
    return {"aws_access_key_id": SECOND.access_key_id, "aws_secret_access_key": SECOND.secret_access_key}


def under_way(server: DemoServer, operation: str) -> None:
    """Wait until a call of *operation* is not yet answered."""
    deadline = time.monotonic() + 30
    while not any(span.operation == operation for spans in server.identities.under_way().values() for span in spans):
        assert time.monotonic() < deadline
        time.sleep(0.005)


def page(server: DemoServer) -> Any:
    """The control page."""
    pool = urllib3.PoolManager()
    try:
        return orjson.loads(pool.request("GET", f"{server.url}/_demo/identities").data)
    finally:
        pool.clear()


def test_one_after_the_other(server: DemoServer, second: dict[str, Any]) -> None:
    """Two identities that take turns are runs, each with its calls and its span; nothing overlaps."""
    with clients(server, "ec2", "cloudwatch") as (ec2, cloudwatch), clients(server, "ec2", **second) as (other,):
        ec2.describe_volumes()
        queries = [query(f"q{number}", "AWS/EBS", "VolumeReadOps", {"VolumeId": "vol-1"}) for number in range(2)]
        cloudwatch.get_metric_data(MetricDataQueries=queries, StartTime=NOW - 600, EndTime=NOW)
        other.describe_volumes()
    mine, others = server.handovers()
    assert (mine.identity, mine.calls) == (server.access_key_id, 2)
    assert (others.identity, others.calls) == (SECOND.access_key_id, 1)
    assert mine.first < mine.last < others.first < others.last
    assert server.overlaps() == []
    totals = server.identities.totals()
    assert (totals[server.access_key_id].calls, totals[server.access_key_id].queries) == (2, 2)
    assert totals[server.access_key_id].billed == sum(call.billed for call in server.calls) > 0
    shown = page(server)
    assert shown["identities"][SECOND.access_key_id] == {"calls": 1, "queries": 0, "billed": 0}
    assert [run["identity"] for run in shown["handovers"]] == [server.access_key_id, SECOND.access_key_id]
    assert shown["overlaps"] == []
    server.clear_calls()
    assert (server.handovers(), server.overlaps(), server.identities.totals()) == ([], [], {})


def test_two_at_once_are_seen(server: DemoServer, second: dict[str, Any]) -> None:
    """A call of another identity while one is not yet answered is a pair, with who and what."""
    server.faults.add("slow", service="ec2", operation="DescribeVolumes", seconds=3)
    with clients(server, "ec2") as (ec2,), clients(server, "efs", **second) as (efs,), ThreadPoolExecutor(1) as pool:
        slow = pool.submit(ec2.describe_volumes)
        under_way(server, "DescribeVolumes")
        efs.describe_file_systems()
        slow.result(30)
    ((first, then),) = server.overlaps()
    assert (first.identity, first.operation) == (server.access_key_id, "DescribeVolumes")
    assert (then.identity, then.service) == (SECOND.access_key_id, "elasticfilesystem")
    assert first.begin < then.begin
    ((shown, _),) = page(server)["overlaps"]
    assert shown["operation"] == "DescribeVolumes"


def test_calls_of_one_identity_may_overlap(server: DemoServer) -> None:
    """Also those of a session it was granted, which is the same identity."""
    server.faults.add("slow", service="ec2", operation="DescribeVolumes", seconds=3)
    arn = f"arn:aws:iam::{server.world.account_id}:role/storage-exporter"
    with clients(server, "ec2", "sts") as (ec2, sts), ThreadPoolExecutor(1) as pool:
        granted = sts.assume_role(RoleArn=arn, RoleSessionName="session")["Credentials"]
        session = {
            "aws_access_key_id": granted["AccessKeyId"],
            "aws_secret_access_key": granted["SecretAccessKey"],
            "aws_session_token": granted["SessionToken"],
        }
        with clients(server, "efs", **session) as (efs,):
            slow = pool.submit(ec2.describe_volumes)
            under_way(server, "DescribeVolumes")
            efs.describe_file_systems()
            slow.result(30)
    assert server.overlaps() == []
    (run,) = server.handovers()
    assert (run.identity, run.calls) == (server.access_key_id, 3)


def test_unsigned_and_refused_calls_are_nobodys(server: DemoServer) -> None:
    """What no identity could be found for is in no run."""
    with (
        clients(server, "ec2", aws_access_key_id="AKIANOBODY") as (ec2,),
        pytest.raises(Exception, match="AuthFailure"),
    ):
        ec2.describe_volumes()
    assert server.handovers() == []


@given(some.lists(some.tuples(some.sampled_from("abc"), some.integers(0, 30), some.integers(1, 10)), max_size=25))
def test_overlaps_are_found_exactly_where_they_are(calls: list[tuple[str, int, int]]) -> None:
    """For any calls: a call is the later one of a pair for each identity that had one open when it began."""
    hands = Hands()
    who = Identities(hands)
    ordered = sorted(enumerate(calls), key=lambda item: (item[1][1], item[0]))
    moments = sorted({begin for _, begin, _ in calls} | {begin + lasts for _, begin, lasts in calls})
    spans: dict[int, Span] = {}
    for moment in moments:
        hands.now = float(moment)
        for number, (_, begin, lasts) in ordered:
            if begin + lasts == moment:
                who.ended(spans[number])
        for number, (identity, begin, _) in ordered:
            if begin == moment:
                spans[number] = who.began(identity, "ec2", str(number), hands.now)
    expected = set()
    for place, (number, (identity, begin, _)) in enumerate(ordered):
        before = [item for _, item in ordered[:place]]
        expected |= {(other, number) for other, since, lasts in before if other != identity and since + lasts > begin}
    assert {(first.identity, int(then.operation)) for first, then in who.overlaps()} == expected
    assert sum(run.calls for run in who.handovers()) == len(calls)
    assert all(run.first <= run.last for run in who.handovers())


def test_a_call_that_arrived_before_it_was_known() -> None:
    """Its identity is known only once it is read: what ended in between overlaps all the same."""
    hands = Hands()
    who = Identities(hands)
    first = who.began("a", "ec2", "One", 0.0)
    hands.now = 2.0
    who.ended(first)
    who.began("b", "ec2", "Two", 1.0)
    assert [(left.operation, right.operation) for left, right in who.overlaps()] == [("One", "Two")]
    who.began("c", "ec2", "Three", 2.0)
    assert [(left.operation, right.operation) for left, right in who.overlaps()][1:] == [("Two", "Three")]


def test_a_bounded_memory_and_a_clear_in_between() -> None:
    """Only the newest runs are kept; a call that ends after a clear is no fault."""
    hands = Hands()
    who = Identities(hands)
    for number in range(KEPT + 10):
        who.ended(who.began("ab"[number % 2], "ec2", "One", float(number)))
        hands.now += 1
    assert len(who.handovers()) == KEPT
    open_one = who.began("a", "ec2", "One", hands.now)
    who.clear()
    who.began("a", "ec2", "Two", hands.now)
    who.ended(open_one)
    assert who.totals()["a"].calls == 1
