"""The outbox killed at any instant, and without power at any instant: nothing kept is missing, nothing is skipped."""

from __future__ import annotations

import asyncio
import itertools
import random
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.errors import OutboxError
from tests.outbox_child import LANES
from tests.outbox_side import MB, Counted, LossyDisk, OnlySynced, drained, frame, mark, names, opened, outbox, segments

KILLS = 12


def test_killed_in_a_loop(tmp_path: Path) -> None:
    """
    Twelve processes, each killed with -9 in the middle of its work, one after another on one directory.

    After each: all that was kept and not done waits, in order and without a hole; of what was done only the frame
    whose end could not be said any more may come again; marks are those of the newest frame that is there.
    """
    chance = random.Random(6)
    kept: dict[str, int] = defaultdict(int)
    handed: dict[str, int] = defaultdict(int)
    done: dict[str, int] = defaultdict(int)
    for _ in range(KILLS):
        for what, lane, serial in _run(tmp_path, chance.randrange(1, 400)):
            if what == "handed":
                assert serial in (handed[lane], handed[lane] + 1), "skipped, or came again"
            if what == "done":
                assert serial == handed[lane]
            {"kept": kept, "handed": handed, "done": done}[what][lane] = serial
        for lane, (waiting, marked) in asyncio.run(_look(tmp_path)).items():
            last = waiting[-1] if waiting else handed[lane]
            assert waiting == list(range(last - len(waiting) + 1, last + 1)), "a hole"
            assert last >= kept[lane], "what was kept is gone"
            assert last <= kept[lane] + 5
            assert marked == (last or None), "marks say something else than frames"
            if waiting:
                assert waiting[0] in (handed[lane], handed[lane] + 1), "skipped"
                assert waiting[0] > done[lane], "done came again"
            kept[lane] = last
    assert min(done[lane] for lane in LANES) > 100
    assert len(list(tmp_path.rglob("*.frames"))) < 100, "nothing was ever removed"


def _run(path: Path, lines: int) -> list[tuple[str, str, int]]:
    """What a child said until it was killed, after so many lines."""
    with subprocess.Popen([sys.executable, "-m", "tests.outbox_child", str(path)], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        said = [child.stdout.readline() for _ in range(lines)]
        child.kill()
        said += child.stdout.read().splitlines(keepends=True)
        child.wait(60)
    assert all(line.endswith(b"\n") for line in said), "the child ended by itself"
    words = [line.decode().split() for line in said]
    return [(what, lane, int(serial)) for what, lane, serial in words]


async def _look(path: Path) -> dict[str, tuple[list[int], int | None]]:
    """What waits and what the mark is, by lane; it still waits afterwards."""
    told = Counted()
    box = outbox(path, told, max_bytes=2 * MB)
    async with opened(box):
        marks = {lane: await mark(box, lane) for lane in LANES}
    assert told.drops == []
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place) / "copy"
        shutil.copytree(path, copy)
        async with opened(outbox(copy)) as other:
            return {lane: (await drained(other, lane), marks[lane]) for lane in LANES}


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32), at=st.integers(1, 160))
def test_power_is_lost(seed: int, at: int) -> None:
    """
    Whatever of what was not synced is missing: all kept frames that were not done wait, without a hole.

    Some writes fail before that. Marks are those of the newest frame that is there. What was done may come again, and
    where all writes work, what was discarded may not.
    """
    with tempfile.TemporaryDirectory() as place:
        asyncio.run(_lose_power(Path(place), random.Random(seed), at))


async def _lose_power(place: Path, chance: random.Random, at: int) -> None:
    root, after = place / "outbox", place / "after"
    after.mkdir()
    disk = LossyDisk(root)
    kept = tried = handed = given_up = 0
    seen: list[tuple[int, int, int, int]] = []

    def strike(calls: int) -> None:
        if calls == at:
            seen.append((kept, tried, handed, given_up))
            disk.image(after, chance)

    disk.at_call = strike
    failing = chance.choice([0.0, 0.3])
    trouble = random.Random(at)
    box = outbox(root, max_bytes=MB, disk=disk)
    async with opened(box):
        disk.fails = lambda: trouble.random() < failing
        for _ in range(25):
            batch = chance.randrange(1, 4)
            tried = kept + batch
            frames = [frame(kept + n + 1, size=chance.randrange(10, 40_000)) for n in range(batch)]
            try:
                await box.append("a", frames)
                kept = tried
            except OutboxError:
                tried = kept
            for _ in range(chance.randrange(5)):
                if (head := await box.head("a")) is not None:
                    handed += 1
                    await box.done("a", head)
            if chance.random() < 0.1:
                handed = kept
                await box.discard("superseded")
                given_up = kept
    if not seen:
        return
    was_kept, was_tried, was_handed, was_given_up = seen[0]
    told = Counted()
    again = outbox(after, told, max_bytes=MB)
    async with opened(again):
        marked = await mark(again)
        waiting = await drained(again)
        last = waiting[-1] if waiting else (marked or 0)
        assert waiting == list(range(last - len(waiting) + 1, last + 1)), "a hole"
        assert was_kept <= last <= was_tried, "what was kept is gone"
        assert (marked or 0) == last, "marks say something else than frames"
        assert last - len(waiting) <= was_handed, "skipped"
        assert failing or was_given_up <= last - len(waiting), "what was discarded came back"
        await again.append("a", [frame(5000)])
        assert await drained(again) == [5000]
        assert await mark(again) == 5000
    async with opened(outbox(after)) as third:
        assert await drained(third) == []


async def test_power_is_lost_after_a_discard(tmp_path: Path) -> None:
    """What was discarded does not come back with files whose removal was lost; what came later is there."""
    disk, after = LossyDisk(tmp_path / "outbox"), tmp_path / "after"
    async with opened(outbox(disk.root, disk=disk)) as box:
        await box.append("a", [frame(serial) for serial in range(1, 5)])
        assert await drained(box, most=2) == [1, 2]
        await box.discard("superseded")
        disk.image(after, OnlySynced())
    assert list(after.rglob("*.frames")), "its removal was not lost"
    async with opened(outbox(after)) as box:
        assert await drained(box) == []
        assert await mark(box) == 4


async def test_power_is_lost_after_an_append(tmp_path: Path) -> None:
    """Whatever else is lost, what was appended to new and old segments of new and old lanes is there, and marked."""
    disk = LossyDisk(tmp_path / "outbox")
    kept: dict[str, list[int]] = {}
    async with opened(outbox(disk.root, max_bytes=MB, disk=disk)) as box:
        for serial, (lane, size) in enumerate([("a", 10), ("b" * 300, 10), ("a", 10), ("a", 50_000), ("a", 50_000)]):
            await box.append(lane, [frame(serial, lane, size=size)])
            kept.setdefault(lane, []).append(serial)
            after = tmp_path / f"after {serial}"
            disk.image(after, OnlySynced())
            async with opened(outbox(after, max_bytes=MB)) as other:
                assert {each: await mark(other, each) for each in kept} == {each: own[-1] for each, own in kept.items()}
                assert {each: await drained(other, each) for each in kept} == kept
        assert await drained(box) == kept["a"]
        assert await drained(box, "b" * 300) == [1]
    async with opened(outbox(disk.root, max_bytes=MB, disk=disk)) as box:
        assert box.lanes == ()
        await box.append("a", [frame(7)])
        after = tmp_path / "after all"
        disk.image(after, OnlySynced())
    async with opened(outbox(after, max_bytes=MB)) as box:
        assert await drained(box) == [7]
        assert [await mark(box, each) for each in kept] == [7, 1]


async def test_power_is_lost_after_a_cut(tmp_path: Path) -> None:
    """What was removed behind a bad frame does not come back behind what was appended since."""
    root = tmp_path / "outbox"
    async with opened(outbox(root, max_bytes=MB)) as box:
        await box.append(
            "a", [frame(1, size=40_000), frame(2, size=30_000), frame(3, size=30_000), frame(4, size=40_000)]
        )
    assert len(segments(root)) == 3
    bad = segments(root)[1]
    bad.write_bytes(bad.read_bytes()[:-1])
    disk, after = LossyDisk(root), tmp_path / "after"
    disk.adopt()
    async with opened(outbox(root, max_bytes=MB, disk=disk)) as box:
        disk.image(tmp_path / "before", OnlySynced())
        await box.append("a", [frame(3)])
        disk.image(after, OnlySynced())
    async with opened(outbox(tmp_path / "before", max_bytes=MB)) as box:
        assert await mark(box) == 2
        assert await drained(box) == [1, 2]
    async with opened(outbox(after, max_bytes=MB)) as box:
        assert await drained(box) == [1, 2, 3]
        assert await mark(box) == 3


async def test_power_is_lost_while_an_append_is_undone(tmp_path: Path) -> None:
    """An append that fails in its third segment is taken back from its end, so what is left of it has no hole."""
    disk = LossyDisk(tmp_path / "outbox")
    async with opened(outbox(disk.root, max_bytes=MB, disk=disk)) as box:
        writes = itertools.count(1)
        # Its directory is made first, with one write; then both attempts fail at their third frame.
        disk.fails = lambda: next(writes) in (4, 7)
        disk.at_call = lambda calls: disk.image(tmp_path / f"call {calls}", OnlySynced())
        with pytest.raises(OutboxError):
            await box.append("a", [frame(serial, size=40_000) for serial in range(1, 5)])
        disk.at_call = lambda _calls: None
    found = []
    for call in itertools.count(disk.calls, -1):
        after = tmp_path / f"call {call}"
        if after.name not in names(tmp_path):
            break
        async with opened(outbox(after, max_bytes=MB)) as box:
            marked = await mark(box)
            found.append(await drained(box))
            assert marked == (found[-1][-1] if found[-1] else None)
    assert max(found, key=len) == [1, 2]
    assert all(each in ([], [1], [1, 2]) for each in found), "a hole"
