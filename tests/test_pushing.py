"""Where a term of leadership begins to send: on one's own disk, where another replica stopped, or an hour back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from exporter.clock import FixedClock
from exporter.config import Config
from exporter.model import Snapshot
from exporter.pushing import Pushing, Values, pushing
from exporter.remote.frames import Frame
from exporter.remote.handover import ANNOTATION, reached_of, text_of
from exporter.telemetry import Telemetry
from tests.harness import parsed

NOW = 1_790_000_000
SCOPE = ("123456789012", "eu-west-1")
FAMILY, LABELS = "aws_thing_bytes", b'{cluster="blue",volume_id="vol-1"}'


def frame(end: int) -> Frame:
    return Frame(b"a request", 5, end - 240, end, [(LABELS, ((FAMILY, end),))])


@asynccontextmanager
async def sending(folder: Path, **push: object) -> AsyncIterator[tuple[Pushing, Telemetry]]:
    """The sending of a program whose outbox is in *folder*; its receiver is nowhere."""
    options = {"url": "http://127.0.0.1:9/api/v1/push", "outbox": {"path": str(folder / "outbox")}, **push}
    config = Config.model_validate({"cluster": "blue", "delivery": {"mode": "push", "push": options}})
    telemetry = Telemetry("1.2.3")

    async def nothing(now: float) -> Snapshot:
        return Snapshot(at=now, families=(), series=0)

    assert config.delivery.push is not None
    values = Values(nothing, lambda: True, lambda: False)
    clock = FixedClock(NOW)
    async with pushing(config, config.delivery.push, telemetry, clock, values, {"POD_NAME": "pod-a"}) as found:
        yield found, telemetry


def dropped(telemetry: Telemetry, reason: str) -> float:
    series = parsed(telemetry.render(openmetrics=False).decode())
    return series.get(("storage_exporter_remote_write_dropped_total", frozenset({("reason", reason)})), 0.0)


async def test_a_restart_goes_on_with_its_own_disk(tmp_path: Path) -> None:
    """What waits stays, and what is on disk says how far each series has come, better than any note."""
    async with sending(tmp_path) as (first, _):
        await first.begin(others_sent=False)
        await first.shipping.way.append("lane", [frame(NOW - 600), frame(NOW - 300)])
    async with sending(tmp_path) as (second, telemetry):
        await second.begin(others_sent=False, noted=text_of({SCOPE: {FAMILY: NOW - 60}}))
        assert second.shipping.marks == {FAMILY: {LABELS: NOW - 300}}
        assert second.shipping.handed == {}
        assert "2 requests" in second.summary
        assert dropped(telemetry, "superseded") == 0


async def test_after_another_has_led_its_note_counts(tmp_path: Path) -> None:
    """Nothing of ours waited: where either has come further is where it goes on."""
    async with sending(tmp_path) as (ours, telemetry):
        await ours.begin(others_sent=True, noted=text_of({SCOPE: {FAMILY: NOW - 60}}))
        assert ours.shipping.handed == {SCOPE: {FAMILY: NOW - 60}}
        assert ours.shipping.marks == {}
        assert dropped(telemetry, "superseded") == 0


async def test_what_waited_while_another_led_is_given_up_and_asked_again(tmp_path: Path) -> None:
    """
    The other one began where the receiver was, and may have died before it sent anything: so our own disk, which says
    more than the receiver has, does not count, and the note does. A receiver that takes any order gets it all the same.
    """
    for any_order in (False, True):
        folder = tmp_path / str(any_order)
        async with sending(folder) as (first, _):
            await first.begin(others_sent=False)
            await first.shipping.way.append("lane", [frame(NOW - 600), frame(NOW - 300)])
        async with sending(folder, out_of_order=any_order) as (ours, telemetry):
            await ours.begin(others_sent=True, noted=text_of({SCOPE: {FAMILY: NOW - 900}}))
            assert ours.shipping.handed == {SCOPE: {FAMILY: NOW - 900}}
            assert ours.shipping.marks == ({FAMILY: {LABELS: NOW - 300}} if any_order else {})
            assert dropped(telemetry, "superseded") == (0 if any_order else 10)
            assert ("2 requests" in ours.summary) is any_order


async def test_a_first_leader_has_the_note_of_the_last(tmp_path: Path) -> None:
    """A pod that is new has nothing on disk; the Lease of the one before it is all it knows."""
    async with sending(tmp_path) as (ours, _):
        await ours.begin(others_sent=False, noted=text_of({SCOPE: {FAMILY: NOW - 120}}))
        assert ours.shipping.handed == {SCOPE: {FAMILY: NOW - 120}}


async def test_the_note_says_what_the_receiver_has(tmp_path: Path) -> None:
    """As far as everything is sent; nothing where nothing is known, so that the last leader's note stays."""
    async with sending(tmp_path) as (ours, _):
        await ours.begin(others_sent=False)
        assert ours.notes() == {}
        ours.shipping.reached[SCOPE] = {FAMILY: NOW - 300, "aws_slow_bytes": NOW - 900}
        assert reached_of(ours.notes()[ANNOTATION], NOW) == {SCOPE: {FAMILY: NOW - 300, "aws_slow_bytes": NOW - 900}}
        await ours.shipping.way.append("lane", [frame(NOW - 300)])
        assert reached_of(ours.notes()[ANNOTATION], NOW) == {SCOPE: {FAMILY: NOW - 541, "aws_slow_bytes": NOW - 900}}
        await ours.begin(others_sent=False)
        assert ours.notes() == {}


async def test_what_is_known_at_the_start_is_not_kept_for_ever(tmp_path: Path) -> None:
    """After as long as windows look back it is of no use; what waits is measured meanwhile."""
    async with sending(tmp_path) as (ours, telemetry):
        await ours.shipping.way.append("lane", [frame(NOW - 300)])
        await ours.begin(others_sent=False)
        assert ours.shipping.marks
        ours._begun -= 3601
        measuring = asyncio.create_task(ours._measure())
        async with asyncio.timeout(60):
            while ours.shipping.marks:
                await asyncio.sleep(0.01)
        measuring.cancel()
        await asyncio.gather(measuring, return_exceptions=True)
        series = parsed(telemetry.render(openmetrics=False).decode())
        prefix = "storage_exporter_remote_write_"
        assert series[f"{prefix}outbox_requests", frozenset()] == 1
        assert series[f"{prefix}oldest_unsent_timestamp_seconds", frozenset()] == NOW - 540
        assert series[f"{prefix}outbox_bytes", frozenset()] > 9
