"""Full and broken disks: the oldest make room, what cannot be kept is said, and nothing else is lost."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from exporter.errors import OutboxError
from tests.outbox_side import (
    MB,
    BrokenDisk,
    Counted,
    SmallDisk,
    drained,
    frame,
    mark,
    opened,
    outbox,
    segments,
    serial_of,
)
from tests.tools import unavailable

BIG = 50_000


async def test_a_full_disk_drops_the_oldest(tmp_path: Path) -> None:
    """The oldest make room for the newest, counted; what is left comes out in order, and marks know of all."""
    told = Counted()
    async with opened(outbox(tmp_path, told, max_bytes=MB, disk=SmallDisk(tmp_path, 500_000))) as box:
        for serial in range(40):
            await box.append("a", [frame(serial, size=BIG)])
        assert await mark(box) == 39
        left = await drained(box)
        assert left == list(range(40 - len(left), 40))
        assert len(left) >= 5
        assert told.drops == [("disk_full", 10)] * (40 - len(left))
        assert told.failures == 0


async def test_nothing_left_to_drop(tmp_path: Path) -> None:
    """What does not fit even then is refused whole: none of it is there, and the next that fits is kept."""
    told = Counted()
    async with opened(outbox(tmp_path, told, max_bytes=MB, disk=SmallDisk(tmp_path, 100_000))) as box:
        await box.append("a", [frame(1)])
        with pytest.raises(OutboxError, match=r"No space left.*free space on its volume") as refused:
            await box.append("a", [frame(2), frame(3, size=BIG), frame(4, size=BIG), frame(5, size=BIG)])
        assert str(tmp_path) in str(refused.value)
        assert told.failures == 1
        assert told.drops == [("disk_full", 10)]
        assert await mark(box) == 1
        assert (box.waiting, box.requests) == (0, 0)
        await box.append("a", [frame(6, size=BIG)])
    async with opened(outbox(tmp_path)) as box:
        assert await drained(box) == [6]
        assert await mark(box) == 6


async def test_done_segments_go_before_waiting_ones(tmp_path: Path) -> None:
    """On a full disk what is done is removed first, and nothing that waits is dropped for it."""
    told = Counted()
    async with opened(outbox(tmp_path, told, max_bytes=MB, disk=SmallDisk(tmp_path, 300_000))) as box:
        for serial in range(40):
            await box.append("a", [frame(serial, size=BIG)])
            if serial:
                assert await drained(box, most=1) == [serial - 1]
        assert told.drops == []
        assert await drained(box) == [39]


async def test_marks_wait_for_room(tmp_path: Path) -> None:
    """Where room is needed marks that cannot be written are kept in memory, and written as soon as they can be."""
    told, disk = Counted(), BrokenDisk()
    disk.fail_write = lambda path: errno.ENOSPC if path.name == "marks.tmp" else None
    async with opened(outbox(tmp_path, told, max_bytes=MB, disk=disk)) as box:
        await box.append("b", [frame(7, "b", size=BIG)])
        for serial in range(1, 40):
            await box.append("a", [frame(serial, size=BIG)])
        assert told.lost("max_bytes") > 100
        assert sum(path.stat().st_size for path in segments(tmp_path)) <= MB
        assert (await mark(box), await mark(box, "b")) == (39, 7)
        disk.fail_write = lambda _path: None
    async with opened(outbox(tmp_path)) as box:
        assert (await mark(box), await mark(box, "b")) == (39, 7)


async def test_what_is_discarded_waits_for_its_marks(tmp_path: Path) -> None:
    """Where no room is needed, what was discarded stays on disk until its marks are written, and is not handed out."""
    disk = BrokenDisk()
    disk.fail_write = lambda path: errno.EIO if path.name == "marks.tmp" else None
    async with opened(outbox(tmp_path, disk=disk)) as box:
        await box.append("a", [frame(1)])
        assert await box.discard("superseded") == 10
        assert segments(tmp_path) != []
    async with opened(outbox(tmp_path)) as box:
        assert await drained(box) == []
        assert await mark(box) == 1
        assert segments(tmp_path) == []


async def test_done_segments_stay_until_their_marks_are_written(tmp_path: Path) -> None:
    """Where there is room to wait, a segment is not removed before its marks are in the file."""
    disk = BrokenDisk()
    async with opened(outbox(tmp_path, max_bytes=MB, disk=disk)) as box:
        disk.fail_write = lambda path: errno.EIO if path.name == "marks.tmp" else None
        for serial in range(6):
            await box.append("a", [frame(serial, size=BIG)])
            await drained(box)
        assert len(segments(tmp_path)) >= 5
        assert not (tmp_path / "marks").exists()
        disk.fail_write = lambda _path: None
        for serial in range(6, 9):
            await box.append("a", [frame(serial, size=BIG)])
        assert (tmp_path / "marks").exists()
        assert await mark(box) == 8


async def test_segments_that_cannot_be_removed(tmp_path: Path) -> None:
    """They are tried again, and what they held is not handed out again."""
    disk = BrokenDisk()
    async with opened(outbox(tmp_path, max_bytes=MB, disk=disk)) as box:
        await box.append("a", [frame(1, size=BIG), frame(2, size=BIG)])
        disk.fail_remove = lambda path: errno.EPERM if path.suffix == ".frames" else None
        await box.discard("superseded")
        assert len(segments(tmp_path)) == 2
        assert await drained(box) == []
    async with opened(outbox(tmp_path, disk=disk)) as box:
        assert await drained(box) == []
        assert await mark(box) == 2
        disk.fail_remove = lambda _path: None
        await box.discard("superseded")
        assert segments(tmp_path) == []


@pytest.mark.parametrize("number", [errno.EIO, errno.EROFS, errno.EACCES, errno.EDQUOT, errno.ENOSPC])
async def test_every_write_fails(tmp_path: Path, number: int) -> None:
    """An append says so, by name; it is over with it: the next one is kept once writes work."""
    told, disk = Counted(), BrokenDisk()
    async with opened(outbox(tmp_path, told, disk=disk)) as box:
        disk.fail_write = lambda path: number if path.suffix == ".frames" else None
        with pytest.raises(OutboxError, match=os.strerror(number).split(" (")[0] + "|" + errno.errorcode[number]):
            await box.append("a", [frame(1)])
        assert told.failures == 1
        disk.fail_write = lambda _path: None
        await box.append("a", [frame(2)])
        assert await drained(box) == [2]


async def test_a_sync_that_fails(tmp_path: Path) -> None:
    """What may not be on the device counts as not written, and is written anew in another file."""
    told, disk = Counted(), BrokenDisk()
    async with opened(outbox(tmp_path, told, disk=disk)) as box:
        await box.append("a", [frame(1)])
        before = segments(tmp_path)
        failing = iter([errno.EIO])
        disk.fail_sync = lambda: next(failing, None)
        await box.append("a", [frame(2)])
        assert len(segments(tmp_path)) == len(before) + 1
        disk.fail_sync = lambda: errno.EIO
        with pytest.raises(OutboxError, match="EIO"):
            await box.append("a", [frame(3)])
        disk.fail_sync = lambda: None
        await box.append("a", [frame(4)])
        assert told.failures == 1
        assert await drained(box) == [1, 2, 4]


async def test_frames_that_cannot_be_read(tmp_path: Path) -> None:
    """A frame on a bad spot, or changed since, is dropped and counted; those around it come out."""
    told, disk = Counted(), BrokenDisk()
    async with opened(outbox(tmp_path, told, max_bytes=MB, disk=disk)) as box:
        for serial in range(1, 6):
            await box.append("a", [frame(serial, size=70_000)])
        bad = segments(tmp_path)[1]
        disk.fail_read = lambda path: errno.EIO if path == bad else None
        with segments(tmp_path)[3].open("r+b") as stream:
            stream.seek(60_000)
            stream.write(b"changed")
        assert await drained(box) == [1, 3, 5]
        assert told.drops == [("corrupt", 10)] * 2
    disk.fail_read = lambda _path: None
    async with opened(outbox(tmp_path, told, disk=disk)) as box:
        assert await drained(box) == []


async def test_no_handles_is_no_damage(tmp_path: Path) -> None:
    """A process that has no file handles left waits for one, and loses nothing."""
    told, disk = Counted(), BrokenDisk()
    async with opened(outbox(tmp_path, told, disk=disk)) as box:
        await box.append("a", [frame(1)])
        failing = iter([errno.EMFILE] * 3)
        disk.fail_read = lambda _path: next(failing, None)
        assert await drained(box) == [1]
        failing = iter([errno.EMFILE] * 3)
        assert await mark(box) == 1
        assert told.drops == []


async def test_unreadable_at_a_start(tmp_path: Path) -> None:
    """A bad spot found at the start costs what is behind it, no more; a file of somebody else stops the start."""
    async with opened(outbox(tmp_path, max_bytes=MB)) as box:
        for serial in range(1, 6):
            await box.append("a", [frame(serial, size=70_000)])
    disk = BrokenDisk()
    bad = segments(tmp_path)[2]
    disk.fail_read = lambda path: errno.EACCES if path == bad else None
    with pytest.raises(OutboxError, match="make it writable for the user"):
        await outbox(tmp_path, disk=disk).open()
    disk.fail_read = lambda path: errno.EIO if path == bad else None
    async with opened(outbox(tmp_path, disk=disk)) as box:
        assert await drained(box) == [1, 2]


async def test_what_is_done_cannot_be_noted(tmp_path: Path) -> None:
    """The queue goes on; after a restart these frames come once more."""
    disk = BrokenDisk()
    async with opened(outbox(tmp_path, disk=disk)) as box:
        await box.append("a", [frame(1), frame(2), frame(3)])
        assert await drained(box, most=1) == [1]
        disk.fail_write = lambda _path: errno.EIO
        assert await drained(box, most=1) == [2]
    async with opened(outbox(tmp_path)) as box:
        assert await drained(box) == [2, 3]


class HalfDisk(BrokenDisk):
    """A disk that writes half of a record and then fails."""

    broken = False

    def write(self, path: Path, at: int, pieces: Sequence[bytes], create: int, *, sync: bool) -> None:
        if self.broken and path.name == "done":
            super().write(path, at, [pieces[0][:20]], create, sync=sync)
            raise OSError(errno.EIO, "Input/output error")
        super().write(path, at, pieces, create, sync=sync)


async def test_records_that_are_written_by_half(tmp_path: Path) -> None:
    """However many writes fail in the middle, the last record that was written stands, and later ones work again."""
    disk, killed = HalfDisk(), tmp_path / "killed"
    async with opened(outbox(tmp_path / "outbox", disk=disk)) as box:
        await box.append("a", [frame(serial) for serial in range(1, 8)])
        assert await drained(box, most=2) == [1, 2]
        disk.broken = True
        assert await drained(box, most=3) == [3, 4, 5]
        await box.discard("superseded")
        assert segments(tmp_path), "removed, though nothing says that it is done"
        shutil.copytree(tmp_path / "outbox", killed)
        disk.broken = False
        await box.append("a", [frame(8)])
    async with opened(outbox(killed)) as box:
        assert await drained(box) == [3, 4, 5, 6, 7]
    async with opened(outbox(tmp_path / "outbox")) as box:
        assert await drained(box) == [8]


async def test_dropped_while_it_is_read(tmp_path: Path) -> None:
    """A frame that is discarded while it is read is not handed out; the next one is."""
    disk, reading, go = BrokenDisk(), threading.Event(), threading.Event()

    def hold(_path: Path) -> None:
        reading.set()
        assert go.wait(60)

    async with opened(outbox(tmp_path, disk=disk)) as box:
        await box.append("a", [frame(1)])
        disk.fail_read = hold
        head = asyncio.create_task(box.head("a"))
        assert await asyncio.to_thread(reading.wait, 60)
        disk.fail_read = lambda _path: None
        await box.discard("superseded")
        await box.append("a", [frame(2)])
        go.set()
        found = await head
        assert found is not None
        assert serial_of(found) == 2


def test_a_limit_on_the_size_of_files(tmp_path: Path) -> None:
    """Under `ulimit -f` smaller segments are made; a frame that fits in none is refused, and nothing dropped for it."""
    code = (
        "import asyncio, pathlib, resource, sys, pytest\n"
        "from tests.outbox_side import *\n"
        "from exporter.errors import OutboxError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        "async def main():\n"
        "    told = Counted()\n"
        "    async with opened(outbox(pathlib.Path(sys.argv[1]), told)) as box:\n"
        "        await box.append('a', [frame(n, size=50_000) for n in range(30)])\n"
        "        with pytest.raises(OutboxError, match='too large'):\n"
        "            await box.append('a', [frame(30, size=300_000)])\n"
        "        await box.append('a', [frame(31)])\n"
        "        assert told.drops == [] and told.failures == 1, (told.drops, told.failures)\n"
        "        assert await drained(box) == [*range(30), 31]\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()


@contextlib.contextmanager
def tiny(place: Path, size: int) -> Iterator[None]:
    """A file system of its own, with room for *size* bytes."""
    libc = ctypes.CDLL(None, use_errno=True)
    place.mkdir()
    if libc.mount(b"none", bytes(place), b"tmpfs", 0, b"size=%d" % size) != 0:
        unavailable(f"no file system may be mounted here: {os.strerror(ctypes.get_errno())}")
    try:
        yield
    finally:
        assert libc.umount2(bytes(place), 2) == 0


def test_a_really_full_disk(tmp_path: Path) -> None:
    """The same on a small file system of the kernel's own: nothing raises, the newest frames are there afterwards."""
    place = tmp_path / "tiny"
    with tiny(place, 1 << 20):
        asyncio.run(_really_full(place))


async def _really_full(place: Path) -> None:
    told = Counted()
    async with opened(outbox(place / "outbox", told)) as box:
        for serial in range(60):
            await box.append("a", [frame(serial, size=BIG)])
        assert told.lost("disk_full") > 0
        assert told.failures == 0
    async with opened(outbox(place / "outbox")) as box:
        left = await drained(box)
        assert left == list(range(60 - len(left), 60))
        assert left
        assert await mark(box) == 59
