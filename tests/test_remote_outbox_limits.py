"""The limits of the outbox: in bytes, in time, in files. What is over them goes, the oldest first, and is counted."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tests.outbox_side import Counted, HandClock, drained, frame, mark, opened, outbox, segments


async def test_old_frames_are_dropped(tmp_path: Path) -> None:
    """A frame waits for max_age seconds and no longer, is counted once, and is still known of by its marks."""
    clock, told = HandClock(), Counted()
    async with opened(outbox(tmp_path, told, clock=clock, max_age=100)) as box:
        await box.append("a", [frame(1), frame(2)])
        clock.at += 60
        await box.append("a", [frame(3)])
        clock.at += 40
        assert await drained(box, most=1) == [1], "at the very age it still waits"
        clock.at += 1
        assert await drained(box, most=1) == [3]
        assert told.drops == [("max_age", 10)]
        await box.append("b", [frame(4, "b")])
        clock.at += 101
        await box.append("a", [frame(5)])
        assert told.drops == [("max_age", 10)] * 2, "noticed without anyone asking for it"
        assert box.requests == 1
    async with opened(outbox(tmp_path, told, clock=clock, max_age=100)) as box:
        assert await drained(box, "b") == []
        assert await drained(box) == [5]
        assert told.drops == [("max_age", 10)] * 2
        assert (await mark(box), await mark(box, "b")) == (5, 4)


async def test_the_oldest_are_dropped_over_the_limit(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Over max_bytes the oldest go first, whatever lane they are in; the directory stays within it; all is counted."""
    clock, told, limit = HandClock(), Counted(), 2**20
    async with opened(outbox(tmp_path, told, clock=clock, max_bytes=limit)) as box:
        for serial in range(60):
            clock.at += 1
            await box.append("ab"[serial % 3 == 0], [frame(serial, "ab"[serial % 3 == 0], size=40_000)])
            assert sum(path.stat().st_size for path in segments(tmp_path)) <= limit
            assert box.waiting > min(serial, 20) * 40_000
        assert (await mark(box), await mark(box, "b")) == (59, 57)
        a, b = await drained(box), await drained(box, "b")
    assert (a[-1], b[-1]) == (59, 57)
    assert min(a + b) == 60 - len(a + b), "not the oldest were dropped"
    assert sorted(a + b) == list(range(60 - len(a + b), 60))
    assert told.lost("max_bytes") == 10 * (60 - len(a + b))
    assert [record.event for record in caplog.records if record.levelno >= logging.WARNING] == ["outbox_dropped"]  # type: ignore[attr-defined]


async def test_one_append_over_the_limit(tmp_path: Path) -> None:
    """Of an append that is more than the limit the newest frames stay."""
    told = Counted()
    async with opened(outbox(tmp_path, told, max_bytes=2**20)) as box:
        await box.append("a", [frame(serial, size=100_000) for serial in range(30)])
        assert sum(path.stat().st_size for path in segments(tmp_path)) <= 2**20
        assert await mark(box) == 29
        left = await drained(box)
        assert left == list(range(30 - len(left), 30))
        assert len(left) >= 8
        assert told.lost("max_bytes") == 10 * (30 - len(left))


async def test_a_frame_over_the_limit(tmp_path: Path) -> None:
    """One frame that is more than the limit is dropped and counted, and does no harm."""
    told = Counted()
    async with opened(outbox(tmp_path, told, max_bytes=2**20)) as box:
        await box.append("a", [frame(1, size=2**20)])
        assert told.drops == [("max_bytes", 10)]
        await box.append("a", [frame(2)])
        assert await drained(box) == [2]


async def test_a_smaller_limit_holds_at_once(tmp_path: Path) -> None:
    """What waits from a time of a larger limit is brought within the smaller one at the start."""
    async with opened(outbox(tmp_path, max_bytes=2**22)) as box:
        for serial in range(30):
            await box.append("a", [frame(serial, size=100_000)])
    told = Counted()
    async with opened(outbox(tmp_path, told, max_bytes=2**20)) as box:
        assert sum(path.stat().st_size for path in segments(tmp_path)) <= 2**20
        left = await drained(box)
        assert left == list(range(30 - len(left), 30))
        assert told.lost("max_bytes") == 10 * (30 - len(left))


async def test_what_is_done_is_no_burden(tmp_path: Path) -> None:
    """Done frames are removed before any that waits is dropped."""
    told = Counted()
    async with opened(outbox(tmp_path, told, max_bytes=2**20)) as box:
        for serial in range(100):
            await box.append("a", [frame(serial, size=50_000)])
            if serial >= 10:
                assert await drained(box, most=1) == [serial - 10]
            assert sum(path.stat().st_size for path in segments(tmp_path)) <= 2**20
    assert told.drops == []


async def test_a_segment_ends_with_its_time(tmp_path: Path) -> None:
    """Frames of other times go to other files, so that the oldest can go alone; a clock put back does no harm."""
    clock = HandClock()
    async with opened(outbox(tmp_path, clock=clock)) as box:
        for serial, (later, files) in enumerate([(0, 1), (599, 1), (1, 2), (599, 2), (-5000, 3), (1, 3), (600, 4)]):
            clock.at += later
            await box.append("a", [frame(serial)])
            assert len(segments(tmp_path)) == files
        assert await drained(box) == list(range(7))


async def test_small_segments_are_removed_too(tmp_path: Path) -> None:
    """Where little is written, files that are done do not pile up for ever."""
    clock = HandClock()
    async with opened(outbox(tmp_path, clock=clock)) as box:
        for serial in range(150):
            clock.at += 601
            await box.append("a", [frame(serial)])
            assert await drained(box) == [serial]
            assert len(segments(tmp_path)) < 70
