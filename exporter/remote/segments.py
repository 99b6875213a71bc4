"""
The files of the outbox: segments of frames, what a lane's directory is called, and what is found in it at a start.

A segment is a file of frames, named by a number that only grows. To be called in threads: nothing here knows what is
in memory. When to write, drop and remove is decided elsewhere.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import urllib.parse
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from exporter.remote.disk import DAMAGED, Disk, Read
from exporter.remote.frames import HEADER_BYTES, RECORD_BYTES, Header, Position, read_header, read_record

_SEGMENT = re.compile(r"(\d{16})\.frames\Z")
RECORD = "done"
"""The file that says how far a lane is done."""

NAME = "name"
"""The file that says what a lane is called, where its directory's name is a digest of that."""

_QUOTED = "lane-"
HASHED = "long-"
_LONGEST = 200
_PIECE = 1 << 20


class Entry(NamedTuple):
    """A frame that waits: where in its segment, and its head."""

    offset: int
    header: Header

    @property
    def end(self) -> int:
        """The byte behind it."""
        return self.offset + self.header.size


@dataclass(slots=True, eq=False)
class Segment:
    """
    A file of frames.

    Args:
        number: its place in the lane.

        path: of the file.

        born: when its first frame was appended, unix seconds.

        start: where frames that wait began when it was found on disk; before that a bad frame costs its marks only.

        size: bytes that count.

        waiting: frames not yet done, in order.
    """

    number: int
    path: Path
    born: float
    start: int = 0
    size: int = 0
    waiting: deque[Entry] = field(default_factory=deque)
    _oldest: int | None = None
    _known: bool = False

    @property
    def oldest(self) -> int | None:
        """Stamp of the oldest sample that waits, unix seconds; None where none does."""
        if not self._known:
            self._oldest = min((e.header.oldest for e in self.waiting if e.header.samples), default=None)
            self._known = True
        return self._oldest

    def changed(self) -> None:
        """Frames came or went."""
        self._known = False


@dataclass(slots=True)
class Recovered:
    """What a lane's directory held: segments in order, how far it was sent, what had to be cut off."""

    name: str
    segments: list[Segment] = field(default_factory=list)
    record: tuple[Position, int] = (Position(0, 0), 0)
    highest: int = 0
    cut: str = ""
    lost_frames: int = 0
    lost_samples: int = 0


# ---- names of directories --------------------------------------------------------------------------------------------


def directory_of(name: str) -> str:
    """What the directory of a lane is called: its name quoted, or a digest of it where that would be too long."""
    quoted = urllib.parse.quote(bytes_of(name), safe="")
    if len(quoted) <= _LONGEST:
        return _QUOTED + quoted
    return HASHED + hashlib.sha256(bytes_of(name)).hexdigest()


def name_of(directory: Path, disk: Disk) -> str | None:
    """The lane a directory belongs to; None where it is none of ours."""
    if not directory.is_dir():
        return None
    name: str | None = None
    if directory.name.startswith(_QUOTED):
        name = _text(urllib.parse.unquote_to_bytes(directory.name.removeprefix(_QUOTED)))
    elif directory.name.startswith(HASHED):
        with contextlib.suppress(OSError), disk.reading(directory / NAME) as read:
            name = _text(read(0, _PIECE))
    return name if name is not None and directory_of(name) == directory.name else None


def file_of(number: int) -> str:
    """What the file of a segment is called."""
    return f"{number:016d}.frames"


def bytes_of(name: str) -> bytes:
    """A lane's name, any text, in bytes."""
    return name.encode("utf-8", "surrogatepass")


def _text(name: bytes) -> str | None:
    try:
        return name.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return None


# ---- what is on disk, read in a thread -------------------------------------------------------------------------------


def recover(name: str, directory: Path, disk: Disk) -> Recovered:
    """
    Find what a lane holds: the longest run of whole frames. What comes after the first bad one is removed.

    Were anything behind it kept, its marks would say that what is lost was kept too.

    Raises:
        OSError: the directory cannot be used; what its files hold never raises.
    """
    found = Recovered(name)
    names = disk.names(directory)
    numbers = sorted(int(match[1]) for each in names if (match := _SEGMENT.match(each)))
    with contextlib.suppress(FileNotFoundError), disk.reading(directory / RECORD) as read:
        found.record = read_record(_read(read, 0, RECORD_BYTES)) or found.record
    done = found.record[0]
    found.highest = max([done.segment, *numbers])
    for number in numbers:
        segment = Segment(number, directory / file_of(number), 0.0)
        size = disk.size(segment.path)
        if size is None:
            continue
        start = size if number < done.segment else min(done.offset, size) if number == done.segment else 0
        segment.start = segment.size = start
        _scan(segment, size, found, disk)
        if segment.size:
            found.segments.append(segment)
    _cut(found, [directory / file_of(number) for number in numbers], disk)
    return found


def _scan(segment: Segment, size: int, found: Recovered, disk: Disk) -> None:
    """Go through the frames of a segment that wait; all of them are lost where one before them is."""
    at = segment.start
    with _opened(segment.path, disk) as read:
        while at < size:
            header = read_header(_read(read, at, HEADER_BYTES))
            if header is None:
                found.cut = found.cut or f"no frame at byte {at} of {segment.path.name}"
                return
            if not found.cut and not _whole(read, at, header):
                found.cut = f"a broken frame at byte {at} of {segment.path.name}"
            if found.cut:
                # One that ends behind the file was being written when the process was killed: it had never been kept.
                if at + header.size <= size:
                    found.lost_frames += 1
                    found.lost_samples += header.samples
            else:
                segment.born = segment.born or header.at
                segment.waiting.append(Entry(at, header))
                segment.size = at + header.size
            at += header.size


def _whole(read: Read, at: int, header: Header) -> bool:
    rest = _read(read, at + HEADER_BYTES, header.size - HEADER_BYTES)
    marks, body = rest[: header.marks], rest[header.marks :]
    return len(body) == header.body and zlib.crc32(marks) == header.marks_sum and zlib.crc32(body) == header.body_sum


def _cut(found: Recovered, paths: Sequence[Path], disk: Disk) -> None:
    """
    Remove what is behind the frames that are left, the last first, lastingly.

    Whoever is killed here, or loses power, finds the bad frame again or nothing behind it.
    """
    kept = {segment.path: segment.size for segment in found.segments}
    removed = [path for path in reversed(paths) if path not in kept and disk.size(path) is not None]
    for path in removed:
        disk.remove(path)
    if removed:
        disk.settle(removed[0].parent)
    for path, size in kept.items():
        if disk.size(path) != size:
            disk.cut(path, size)


def marks_in(segment: Segment, disk: Disk) -> Iterator[bytes]:
    """
    The packed marks of every frame of a segment that can be read, done or not.

    Raises:
        OSError: for another reason than the file itself.
    """
    with _opened(segment.path, disk) as read:
        for begin, end in ((0, segment.start), (segment.start, segment.size)):
            at = begin
            while at < end and (header := read_header(_read(read, at, HEADER_BYTES))):
                packed = _read(read, at + HEADER_BYTES, header.marks)
                if len(packed) == header.marks and zlib.crc32(packed) == header.marks_sum:
                    yield packed
                at += header.size


@contextlib.contextmanager
def _opened(path: Path, disk: Disk) -> Iterator[Read]:
    """A file to read; one that cannot be is as good as empty."""
    with contextlib.ExitStack() as stack:
        try:
            read = stack.enter_context(disk.reading(path))
        except OSError as error:
            if error.errno not in DAMAGED:
                raise
            yield lambda _at, _size: b""
            return
        yield read


def _read(read: Read, at: int, size: int) -> bytes:
    try:
        return read(at, size)
    except OSError as error:
        if error.errno not in DAMAGED:
            raise
        return b""
