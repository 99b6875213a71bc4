"""The outbox as a queue: what is appended comes out in order until it is done, also by the next process."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import ExporterError, OutboxError
from exporter.remote.disk import NEW, Disk
from exporter.remote.frames import Frame
from tests.outbox_side import (
    FAMILY,
    START,
    BrokenDisk,
    Counted,
    HandClock,
    drained,
    frame,
    mark,
    names,
    opened,
    outbox,
    segments,
    serial_of,
    series,
)

ODD = ["", ".", "..", "a/b", "../x", "ümlaut", "%2F", "a\0b", "line\nbreak", "lane-a", "\ud800", "x" * 5000, "ü" * 300]


async def test_in_order_until_done(tmp_path: Path) -> None:
    """The oldest frame is handed out again and again until it is done, then the next; then nothing waits."""
    async with opened(outbox(tmp_path / "outbox")) as box:
        assert await box.head("a") is None
        await box.append("a", [frame(1), frame(2)])
        await box.append("a", [frame(3)])
        head = await box.head("a")
        assert head == await box.head("a")
        assert head is not None
        assert (serial_of(head), head.samples, head.at) == (1, 10, START)
        assert await drained(box) == [1, 2, 3]
        assert await box.head("a") is None


async def test_across_processes(tmp_path: Path) -> None:
    """What was done stays done and what waits comes out after a close, and also after an end without one."""
    async with opened(outbox(tmp_path)) as box:
        await box.append("a", [frame(serial) for serial in range(1, 7)])
        assert await drained(box, most=2) == [1, 2]
    async with opened(outbox(tmp_path)) as box:
        assert box.requests == 4
        assert await drained(box, most=1) == [3]
        await box.append("a", [frame(7)])
    box = outbox(tmp_path)
    await box.open()
    assert await drained(box, most=2) == [4, 5]
    await box.close()
    async with opened(box):
        assert await drained(box) == [6, 7]


async def test_lanes_are_apart(tmp_path: Path) -> None:
    """Each lane has its own order, whatever it is called; a lane that nothing was appended to is none."""
    path = tmp_path / "outbox"
    async with opened(outbox(path)) as box:
        for number, lane in enumerate(ODD):
            await box.append(lane, [frame(number, lane), frame(number + 100, lane)])
        assert await box.head("other") is None
        assert set(box.lanes) == set(ODD)
    async with opened(outbox(path)) as box:
        assert set(box.lanes) == set(ODD)
        for number, lane in enumerate(ODD):
            assert await mark(box, lane) == number + 100
            assert await drained(box, lane) == [number, number + 100]
    assert names(tmp_path) == ["outbox"], "a lane left the directory"
    async with opened(outbox(path)) as box:
        assert box.lanes == ()
    assert names(path) == ["lock", "marks"]


async def test_a_lane_begins_anew(tmp_path: Path) -> None:
    """A lane that was empty at a start and whose files are gone takes frames as any other, and keeps them."""
    async with opened(outbox(tmp_path)) as box:
        await box.append("a", [frame(1)])
        await drained(box)
    async with opened(outbox(tmp_path)) as box:
        waiting = asyncio.create_task(box.wait("a"))
        await box.append("a", [frame(2), frame(3)])
        assert serial_of(await waiting) == 2
        assert await drained(box, most=1) == [2]
    async with opened(outbox(tmp_path)) as box:
        assert await drained(box) == [3]


async def test_wait(tmp_path: Path) -> None:
    """Whoever waits for a frame gets it when it comes, also where the outbox is opened meanwhile; others do not."""
    async with opened(outbox(tmp_path)) as box:
        await box.append("a", [frame(1)])
    box = outbox(tmp_path)
    early = asyncio.create_task(box.wait("a"))
    await asyncio.sleep(0)
    async with opened(box):
        head = await early
        assert serial_of(head) == 1
        await box.done("a", head)
        waiting, other = asyncio.create_task(box.wait("a")), asyncio.create_task(box.wait("b"))
        await asyncio.sleep(0)
        assert not waiting.done()
        await box.append("a", [frame(2)])
        assert serial_of(await waiting) == 2
        assert not other.done()
        other.cancel()


async def test_done_of_another_frame(tmp_path: Path) -> None:
    """To be done with a frame that is gone already changes nothing."""
    async with opened(outbox(tmp_path)) as box:
        await box.append("a", [frame(1), frame(2)])
        first = await box.head("a")
        assert first is not None
        await box.done("a", first)
        await box.done("a", first)
        assert await drained(box) == [2]
        await box.done("a", first)


async def test_what_waits(tmp_path: Path) -> None:
    """Bytes, requests, the oldest stamp and since when: over all lanes, as frames come and go."""
    clock = HandClock()
    async with opened(outbox(tmp_path, clock=clock)) as box:
        assert (box.waiting, box.requests, box.oldest, box.since) == (0, 0, None, None)
        await box.append("a", [frame(50, size=1000), frame(20), frame(60)])
        clock.at += 7
        await box.append("b", [Frame(b"nothing", 0, 0, 0, ()), frame(10, "b")])
        assert (box.requests, box.oldest, box.since) == (5, START + 10 - 5, START)
        whole = box.waiting
        assert await drained(box, most=1) == [50]
        assert whole - box.waiting > 1000
        assert (box.requests, box.oldest, box.since) == (4, START + 10 - 5, START)
        nothing = await box.head("b")
        assert nothing is not None
        await box.done("b", nothing)
        assert await drained(box, "b") == [10]
        assert (box.requests, box.oldest, box.since) == (2, START + 20 - 5, START)
        assert await drained(box, most=1) == [20]
        assert (box.requests, box.oldest) == (1, START + 60 - 5)
    assert (box.waiting, box.requests) == (0, 0)
    async with opened(box):
        assert (box.requests, box.oldest, box.since) == (1, START + 60 - 5, START)
        assert await drained(box) == [60]
        assert (box.waiting, box.requests, box.oldest, box.since) == (0, 0, None, None)


async def test_nothing_to_append(tmp_path: Path) -> None:
    """No frames are no write."""
    async with opened(outbox(tmp_path)) as box:
        await box.append("a", [])
        assert box.lanes == ()
        assert segments(tmp_path) == []


async def test_many_frames_at_once(tmp_path: Path) -> None:
    """An append of more frames than the system takes in one call is one append."""
    async with opened(outbox(tmp_path)) as box:
        await box.append("a", [frame(serial) for serial in range(2500)])
        assert await drained(box) == list(range(2500))
        assert len(segments(tmp_path)) == 1


@given(st.lists(st.binary(max_size=9), max_size=9), st.integers(1, 7), st.integers(0, 5))
def test_short_writes(pieces: list[bytes], most: int, at: int) -> None:
    """Where the system writes less than it was given, the rest is written after it."""
    write = os.pwritev

    def short(handle: int, buffers: list[memoryview], offset: int) -> int:
        return write(handle, [b"".join(buffers)[:most]], offset)

    with tempfile.TemporaryDirectory() as place, pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "pwritev", short)
        path = Path(place) / "file"
        Disk().write(path, at, pieces, NEW, sync=False)
        assert path.read_bytes() == (bytes(at) + b"".join(pieces) if any(pieces) else b"")


async def test_discard(tmp_path: Path) -> None:
    """Everything that waits is given up, counted by the reason given; marks stay; what comes later waits as ever."""
    told = Counted()
    async with opened(outbox(tmp_path, told)) as box:
        await box.append("a", [frame(1), frame(2)])
        await box.append("b", [frame(3, "b")])
        assert await drained(box, most=1) == [1]
        assert await box.discard("superseded") == 20
        assert told.lost("superseded") == 20
        assert (box.waiting, box.requests, box.oldest) == (0, 0, None)
        assert segments(tmp_path) == []
        assert await box.discard("superseded") == 0
        await box.append("a", [frame(4)])
    async with opened(outbox(tmp_path)) as box:
        assert await drained(box) == [4]
        assert await drained(box, "b") == []
        assert (await mark(box), await mark(box, "b")) == (4, 3)


async def test_marks_over_many_segments(tmp_path: Path) -> None:
    """Through many segments, removed as they are done, marks say the newest of each series; few files are left."""
    async with opened(outbox(tmp_path, max_bytes=2**20)) as box:
        for serial in range(250):
            some = [(b"all", (("f", serial), ("g", -serial))), (b"%d" % (serial % 50), (("f", serial),))]
            await box.append("a", [frame(serial, size=9_000)._replace(marks=some)])
            assert await drained(box) == [serial]
        expected = {"f": {b"all": 249} | {b"%d" % (n % 50): n for n in range(200, 250)}, "g": {b"all": 0}}
        assert await box.marks() == expected
        assert len(segments(tmp_path)) < 70
    async with opened(outbox(tmp_path)) as box:
        assert segments(tmp_path) == []
        assert await box.marks() == expected


async def test_marks_are_forgotten(tmp_path: Path) -> None:
    """Marks much older than the newest go; a mark from the far future makes nobody forget what is of today."""
    clock = HandClock(1000.0)
    async with opened(outbox(tmp_path, clock=clock, keep_marks=100)) as box:
        await box.append("a", [frame(1)._replace(marks=[(b"old", (("f", 850),)), (b"new", (("f", 900), ("g", 850)))])])
        await box.append("a", [frame(2)._replace(marks=[(b"now", (("f", 960),))])])
        assert await box.marks() == {"f": {b"new": 900, b"now": 960}}
        await box.append("a", [frame(3)._replace(marks=[(b"odd", (("f", 2**40),))])])
        await drained(box)
        expected = {"f": {b"new": 900, b"now": 960, b"odd": 2**40}}
        assert await box.marks() == expected
    async with opened(outbox(tmp_path, clock=clock, keep_marks=100)) as box:
        assert await box.marks() == expected


async def test_a_cancelled_append_is_whole(tmp_path: Path) -> None:
    """Whoever is cancelled while frames are written is told so, and the queue knows what it holds."""
    async with opened(outbox(tmp_path)) as box:
        for serial in range(20):
            task = asyncio.create_task(box.append("a", [frame(serial, size=50_000)]))
            for _ in range(serial % 5):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await box.append("a", [frame(20)])
        requests = box.requests
        held = await drained(box)
        assert len(held) == requests
        assert held == sorted(held)
        assert held[-1] == 20
        assert len(held) > 1, "no append was cancelled while it wrote"


async def test_two_of_them(tmp_path: Path) -> None:
    """A directory is one outbox's; the next one gets it when that is closed. Opened twice is refused, and harmless."""
    path = tmp_path / "outbox"
    box = outbox(path)
    await box.open()
    with pytest.raises(OutboxError, match="another process uses it; give each exporter") as refused:
        await outbox(path).open()
    assert str(path) in str(refused.value)
    assert isinstance(refused.value, ExporterError)
    with pytest.raises(OutboxError, match="open already"):
        await box.open()
    await box.append("a", [frame(1)])
    await box.close()
    await box.close()
    async with opened(outbox(path)) as other:
        assert await drained(other) == [1]


def test_two_processes(tmp_path: Path) -> None:
    """The same between processes: what holds it is gone with the process that has it."""
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from exporter.remote.claim import claim\n"
        "from exporter.remote.disk import Disk\n"
        "claim(Path(sys.argv[1]), Disk())\n"
        "print('has it', flush=True)\n"
        "sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"has it\n"
        with pytest.raises(OutboxError, match="another process uses it"):
            asyncio.run(outbox(tmp_path).open())
        process.kill()
        process.wait(30)
    asyncio.run(_open_and_close(tmp_path))


async def _open_and_close(path: Path) -> None:
    async with opened(outbox(path)):
        pass


async def test_not_open(tmp_path: Path) -> None:
    """Before it is open and after it is closed nothing is taken, and nothing comes out."""
    box = outbox(tmp_path)
    with pytest.raises(OutboxError, match="is not open"):
        await box.append("a", [frame(1)])
    async with opened(box):
        await box.append("a", [frame(1)])
    with pytest.raises(OutboxError, match="is not open"):
        await box.append("a", [frame(1)])
    assert await box.head("a") is None
    assert await box.discard("superseded") == 0


async def test_only_for_its_owner(tmp_path: Path) -> None:
    """Directories and files are made for nobody else to read; a directory that was there stays as it was."""
    there = tmp_path / "there"
    there.mkdir(mode=0o750)
    for path in (tmp_path / "made" / "deep", there):
        async with opened(outbox(path)) as box:
            await box.append("a", [frame(1)])
        for each in path.rglob("*"):
            assert stat.S_IMODE(each.stat().st_mode) == (0o700 if each.is_dir() else 0o600), each
    assert stat.S_IMODE((tmp_path / "made" / "deep").stat().st_mode) == 0o700
    assert stat.S_IMODE(there.stat().st_mode) == 0o750


async def test_directories_that_cannot_be_used(tmp_path: Path) -> None:
    """A file, a place below a file, one where nothing can be made: said by name, with the next step."""
    file = tmp_path / "file"
    file.write_text("no directory")
    for path, step in (
        (file, "must be a directory"),
        (file / "below", "must be a directory"),
        (Path("/proc/self/outbox"), "check delivery.push.outbox.path"),
        (tmp_path / ("x" * 300), "check delivery.push.outbox.path"),
        (tmp_path / "a\0b", "check delivery.push.outbox.path"),
    ):
        with pytest.raises(OutboxError, match=step) as refused:
            await outbox(path).open()
        assert str(path) in str(refused.value)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
async def test_read_only(tmp_path: Path, number: int) -> None:
    """Where nothing can be written, the start says so, and lets go of the directory."""
    disk = BrokenDisk()
    disk.fail_write = lambda _path: number
    with pytest.raises(OutboxError, match="make it writable for the user"):
        await outbox(tmp_path, disk=disk).open()
    async with opened(outbox(tmp_path)):
        pass


async def test_marks_of_many_series(tmp_path: Path) -> None:
    """Families and label sets of a whole pass come back as they were appended."""
    label_sets = [series(f"vol-{number}") for number in range(2000)]
    ends = tuple((f"{FAMILY}_{number}", START + number) for number in range(20))
    async with opened(outbox(tmp_path)) as box:
        await box.append("a", [frame(1)._replace(marks=[(name, (*ends,)) for name in label_sets])])
        assert await box.marks() == {family: dict.fromkeys(label_sets, end) for family, end in ends}
