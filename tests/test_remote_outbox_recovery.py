"""What the outbox finds at a start: the longest run of whole frames, and marks that say no more than these."""

from __future__ import annotations

import asyncio
import errno
import logging
import random
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.remote.frames import HEADER_BYTES, Header, read_header
from tests.outbox_side import MB, BrokenDisk, Counted, QuickDisk, drained, frame, mark, opened, outbox, segments

FRAMES = 6
DONE = 2


async def filled(
    path: Path, *, done: int = DONE, count: int = FRAMES, max_bytes: int = 64 * MB, size: int = 20
) -> None:
    """An outbox of frames numbered from 1, of which some were done."""
    async with opened(outbox(path, max_bytes=max_bytes, disk=QuickDisk())) as box:
        for serial in range(1, count + 1):
            await box.append("a", [frame(serial, size=size)])
        assert await drained(box, most=done) == list(range(1, done + 1))


def bounds(file: Path) -> list[tuple[int, Header]]:
    """Where the frames of a file begin."""
    data, found, at = file.read_bytes(), [], 0
    while at < len(data):
        header = read_header(data[at : at + HEADER_BYTES])
        assert header is not None
        found.append((at, header))
        at += header.size
    return found


async def found_in(path: Path, told: Counted | None = None, *, more: bool = True) -> tuple[list[int], int | None]:
    """What waits, and what the mark says; then *more* can be appended, and is still there after a restart."""
    async with opened(outbox(path, told, disk=QuickDisk())) as box:
        marked = await mark(box)
        waiting = await drained(box)
        if not more:
            return waiting, marked
        await box.append("a", [frame(1000)])
        assert await mark(box) == 1000
    async with opened(outbox(path, disk=QuickDisk())) as box:
        assert await drained(box) == [1000]
        assert await mark(box) == 1000
    return waiting, marked


async def test_cut_at_every_offset(tmp_path: Path) -> None:
    """Wherever the file ends, the frames before are there and none behind, and the mark is that of the last one."""
    whole = tmp_path / "whole"
    await filled(whole)
    (file,) = segments(whole)
    starts = bounds(file)
    ends = [at + header.size for at, header in starts]
    marked_from = [at + HEADER_BYTES + header.marks for at, header in starts]
    size = file.stat().st_size
    for offset in range(size):
        cut = tmp_path / "cut"
        shutil.copytree(whole, cut)
        with (cut / file.relative_to(whole)).open("r+b") as stream:
            stream.truncate(offset)
        left = sum(end <= offset for end in ends)
        told = Counted()
        waiting, marked = await found_in(cut, told, more=offset % 20 == 0)
        assert waiting == list(range(DONE + 1, left + 1)), offset
        # Of what was done the body is of no use any more, so its marks count as soon as they are there.
        assert marked == (max(left, sum(begin <= offset for begin in marked_from[:DONE])) or None), offset
        assert told.drops == [], "a frame cut short was never kept"
        shutil.rmtree(cut)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "outbox"
    asyncio.run(filled(path))
    return path


@settings(max_examples=120)
@given(st.data())
def test_a_changed_bit(template: Path, data: st.DataObject) -> None:
    """
    One bit flipped anywhere: what waits is a prefix that ends before it, or everything where it was done already.

    Frames behind it that can be read are counted as lost.
    """
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "outbox"
        shutil.copytree(template, path)
        asyncio.run(_flip(path, data))


async def _flip(path: Path, data: st.DataObject) -> None:
    (file,) = segments(path)
    starts = bounds(file)
    content = bytearray(file.read_bytes())
    bit = data.draw(st.integers(0, len(content) * 8 - 1))
    content[bit // 8] ^= 1 << bit % 8
    file.write_bytes(content)
    hit, (at, header) = max((number, each) for number, each in enumerate(starts, 1) if each[0] <= bit // 8)
    told = Counted()
    waiting, marked = await found_in(path, told)
    if hit <= DONE:
        assert waiting == list(range(DONE + 1, FRAMES + 1))
        assert marked == FRAMES
        assert told.drops == []
        return
    assert waiting == list(range(DONE + 1, hit))
    assert marked == hit - 1
    in_head = bit // 8 < at + HEADER_BYTES
    assert told.lost("corrupt") == (0 if in_head else 10 * (FRAMES - hit + 1))
    assert header.size > HEADER_BYTES


async def test_later_segments_go_too(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A bad frame costs what is behind it in all later segments, said once; other lanes keep what they have."""
    await filled(tmp_path, count=12, max_bytes=MB, size=30_000)
    async with opened(outbox(tmp_path)) as box:
        await box.append("b", [frame(5, "b")])
    files = [file for file in segments(tmp_path) if "lane-a" in str(file)]
    assert len(files) > 4
    victim = files[2]
    content = bytearray(victim.read_bytes())
    at, header = bounds(victim)[0]
    first = int.from_bytes(content[at + HEADER_BYTES + header.marks :][:8], "little")
    content[at + header.size - 1] ^= 1
    victim.write_bytes(content)
    told = Counted()
    caplog.clear()
    async with opened(outbox(tmp_path, told)) as box:
        assert await mark(box) == first - 1
        assert await mark(box, "b") == 5
        assert await drained(box) == list(range(DONE + 1, first))
        assert await drained(box, "b") == [5]
    assert told.drops == [("corrupt", 10 * (12 - first + 1))]
    said = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record.event for record in said] == ["outbox_cut"]  # type: ignore[attr-defined]
    assert victim.name in said[0].getMessage()


def _garbage(size: int) -> Callable[[Path], None]:
    return lambda path: (path.write_bytes(random.Random(size).randbytes(size)), None)[1]


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("lane-a/0000000000000009.frames", _garbage(5000)),
        ("lane-a/0000000000000009.frames", _garbage(0)),
        ("lane-a/0000000000000009.frames", lambda path: path.mkdir()),
        ("lane-a/0000000000000009.frames", lambda path: path.symlink_to("/dev/zero")),
        ("lane-a/0000000000000000.frames", _garbage(700)),
        ("lane-a/9.frames", _garbage(100)),
        ("lane-a/notes.txt", _garbage(100)),
        ("lane-a/done.tmp", _garbage(100)),
        ("lane-b/0000000000000001.frames", _garbage(100)),
        ("lane-%ff", lambda path: path.mkdir()),
        ("lane-c", _garbage(100)),
        ("long-abc", lambda path: path.mkdir()),
        ("long-abc/name", _garbage(100)),
        ("marks.tmp", _garbage(100)),
        ("marks", _garbage(100)),
        ("marks", _garbage(0)),
        ("lost+found", lambda path: path.mkdir()),
        ("notes.txt", _garbage(10)),
    ],
)
async def test_other_files(tmp_path: Path, name: str, make: Callable[[Path], None]) -> None:
    """Files and directories of others, and rubbish under our names, cost nothing that is ours."""
    await filled(tmp_path)
    target = tmp_path / name
    target.parent.mkdir(exist_ok=True)
    target.unlink(missing_ok=True)
    make(target)
    assert await found_in(tmp_path) == (list(range(DONE + 1, FRAMES + 1)), FRAMES)


@pytest.mark.parametrize("spoil", [_garbage(128), _garbage(0), _garbage(3), lambda path: path.mkdir()])
async def test_no_record_of_what_was_done(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    """Without a record all frames are handed out once more: twice is harmless, never is not."""
    await filled(tmp_path)
    record = tmp_path / "lane-a" / "done"
    record.unlink()
    spoil(record)
    async with opened(outbox(tmp_path)) as box:
        assert await drained(box) == list(range(1, FRAMES + 1))
        assert await mark(box) == FRAMES


async def test_a_record_torn_in_the_middle_of_a_write(tmp_path: Path) -> None:
    """With the newer slot torn the older one tells: one frame comes a second time."""
    killed = tmp_path / "killed"
    async with opened(outbox(tmp_path / "outbox")) as box:
        await box.append("a", [frame(1), frame(2), frame(3)])
        assert await drained(box, most=2) == [1, 2]
        shutil.copytree(tmp_path / "outbox", killed)
    record = killed / "lane-a" / "done"
    content = bytearray(record.read_bytes())
    newest = max((0, 64), key=lambda at: int.from_bytes(content[at + 4 : at + 12], "little"))
    content[newest + 20] ^= 0xFF
    record.write_bytes(content)
    async with opened(outbox(killed)) as box:
        assert await drained(box) == [2, 3]


async def test_a_missing_segment(tmp_path: Path) -> None:
    """A segment that somebody removed is not waited for, neither at a start nor while it runs."""
    told = Counted()
    async with opened(outbox(tmp_path, told, max_bytes=MB)) as box:
        for serial in range(1, 9):
            await box.append("a", [frame(serial, size=40_000)])
        segments(tmp_path)[0].unlink()
        head = await box.head("a")
        assert head is not None
        assert head.body == frame(2, size=40_000).body
        assert told.drops == [("corrupt", 10)]
        segments(tmp_path)[-1].unlink()
        await box.append("a", [frame(9)])
    segments(tmp_path)[0].unlink()
    async with opened(outbox(tmp_path)) as box:
        assert await drained(box) == [3, 4, 5, 6, 7, 9]


async def test_marks_that_cannot_be_read(tmp_path: Path) -> None:
    """A spoilt file of marks costs the marks in it; those of frames that are there still count, and it is made anew."""
    await filled(tmp_path, done=FRAMES)
    async with opened(outbox(tmp_path)) as box:
        assert segments(tmp_path) == []
        await box.append("b", [frame(7, "b")])
    content = bytearray((tmp_path / "marks").read_bytes())
    content[-1] ^= 1
    (tmp_path / "marks").write_bytes(content)
    async with opened(outbox(tmp_path)) as box:
        assert (await mark(box), await mark(box, "b")) == (None, 7)
        await drained(box, "b")
    async with opened(outbox(tmp_path)) as box:
        assert (await mark(box), await mark(box, "b")) == (None, 7)


async def test_numbers_are_never_used_twice(tmp_path: Path) -> None:
    """Where a record stays behind when its lane is removed, new frames get numbers of which it says nothing."""
    await filled(tmp_path, done=FRAMES)
    disk = BrokenDisk()
    disk.fail_remove = lambda path: errno.EPERM if path.name == "done" else None
    async with opened(outbox(tmp_path, disk=disk)) as box:
        assert segments(tmp_path) == []
    async with opened(outbox(tmp_path, disk=disk)) as box:
        await box.append("a", [frame(50)])
    async with opened(outbox(tmp_path)) as box:
        assert await drained(box) == [50]
