"""
One lane of the outbox: a queue of frames, in memory and on its way to disk.

It goes on in a new segment when that has its size or age, after a restart, and after every write that failed, so that
no byte is ever written twice in one place. Which frames were done stands in the record beside the segments. What is in
memory is changed on the event loop only; what touches the disk is called in threads, by one at a time, and changes
nothing else. When to write, drop and remove is `outbox`'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from exporter.remote.disk import ANY, NEW, OLD, Disk
from exporter.remote.frames import HEADER_BYTES, RECORD_BYTES, SLOT_BYTES, Header, Position, pack_record
from exporter.remote.segments import HASHED, NAME, RECORD, Entry, Recovered, Segment, bytes_of, file_of

SEGMENT_AGE = 600.0
"""Seconds after its first frame a segment takes no more: what is dropped, is dropped by segments."""


class Written(NamedTuple):
    """What became of frames: the segment, and where in it they stand."""

    segment: Segment
    entries: list[Entry]


class Lane:
    """
    One queue.

    Args:
        name: any text.

        directory: its own; need not be there.

        disk: where it is.
    """

    def __init__(self, name: str, directory: Path, disk: Disk) -> None:
        self.name = name
        self.directory = directory
        self.turn = asyncio.Lock()
        self.noting = asyncio.Lock()
        self.arrived = asyncio.Event()
        self._disk = disk
        self.reset()

    def reset(self) -> None:
        """Know of nothing on disk."""
        self.segments: deque[Segment] = deque()
        self.active: Segment | None = None
        self.used = False
        self.waiting = 0
        self.requests = 0
        self._position = self._noted = self._synced = Position(0, 0)
        self._highest = 0
        self._count = 0
        self._made = False

    # ---- in memory, on the event loop --------------------------------------------------------------------------------

    def found(self, recovered: Recovered) -> None:
        """Take over what was on disk."""
        self.segments = deque(recovered.segments)
        self._position, self._count = recovered.record
        self._noted = self._synced = self._position
        self.used = True
        self._highest = recovered.highest
        self.waiting = sum(entry.header.size for segment in self.segments for entry in segment.waiting)
        self.requests = sum(len(segment.waiting) for segment in self.segments)
        self.arrived.set()

    def took(self, written: Sequence[Written]) -> None:
        """Frames are on disk: they wait now."""
        for segment, entries in written:
            if segment is not self.active:
                self.segments.append(segment)
                self.active = segment
            segment.size = entries[-1].end
            segment.waiting.extend(entries)
            segment.changed()
            self.waiting += sum(entry.header.size for entry in entries)
            self.requests += len(entries)
        self.used = True
        self.arrived.set()

    def first(self) -> tuple[Segment, Entry] | None:
        """The oldest frame that waits, with its segment."""
        for segment in self.segments:
            if segment.waiting:
                return segment, segment.waiting[0]
        return None

    def pass_first(self) -> Entry:
        """The oldest frame waits no longer."""
        found = self.first()
        if found is None:
            raise ValueError(f"nothing waits in the lane {self.name!r}")
        segment, entry = found
        segment.waiting.popleft()
        segment.changed()
        self.waiting -= entry.header.size
        self.requests -= 1
        self._position = Position(segment.number, entry.end)
        return entry

    def pass_segment(self, segment: Segment) -> int:
        """Nothing of the oldest segment waits any longer; returns the samples that did."""
        samples = 0
        while segment.waiting:
            samples += self.pass_first().header.samples
        if segment is self.active:
            self.active = None
        return samples

    def pass_older(self, before: float) -> int | None:
        """Nothing that was appended before *before* waits any longer; returns its samples, None for no such frame."""
        samples: int | None = None
        while (first := self.first()) is not None and first[1].header.at < before:
            samples = (samples or 0) + self.pass_first().header.samples
        return samples

    def spent(self) -> list[Segment]:
        """Take out the segments of which nothing waits and that nothing is written to."""
        gone = []
        while self.segments and not self.segments[0].waiting and self.segments[0] is not self.active:
            gone.append(self.segments.popleft())
        return gone

    def seal(self) -> None:
        """Write to a new segment from now on."""
        self.active = None

    @property
    def oldest(self) -> int | None:
        """Stamp of the oldest sample that waits, unix seconds."""
        return min((oldest for segment in self.segments if (oldest := segment.oldest) is not None), default=None)

    @property
    def since(self) -> float | None:
        """When the oldest frame that waits was appended, unix seconds."""
        found = self.first()
        return None if found is None else found[1].header.at

    def next_record(self, *, sync: bool) -> tuple[Position, int, bool] | None:
        """
        How far the lane is done, for `note`; None where that is known already.

        Args:
            sync: it has to be on the device. It is put there for every segment, for a restart of the machine may cost
                some frames that are sent again, but not all of them.
        """
        sync = sync or self._position.segment != self._synced.segment
        if self._position == (self._synced if sync else self._noted):
            return None
        self._count += 1
        self._noted = self._position
        self._synced = self._position if sync else self._synced
        return self._position, self._count, sync

    def not_noted(self) -> None:
        """The last record was not written, and its slot may be spoilt: the next one goes there too, in any case."""
        self._count -= 1
        self._noted = self._synced = Position(0, 0)

    # ---- on disk, in a thread ----------------------------------------------------------------------------------------

    def write(self, frames: Sequence[tuple[Header, bytes]], limit: int, at: float) -> list[Written]:
        """
        Put frames on the device, in order; where that fails, none of them is left there.

        Args:
            frames: heads and whole frames.

            limit: bytes of a segment.

            at: now, unix seconds.

        Raises:
            OSError: none was kept. The lane must be sealed, for it is not known what its segment holds now.
        """
        written: list[Written] = []
        try:
            self._prepare()
            for segment, run in self._runs(frames, limit, at):
                offset = start = segment.size
                written.append(Written(segment, []))
                for header, _ in run:
                    written[-1].entries.append(Entry(offset, header))
                    offset += header.size
                create = OLD if segment is self.active else NEW
                self._disk.write(segment.path, start, [data for _, data in run], create, sync=True)
                if create == NEW:
                    # Before the next one is made: had that a name on the device and this one not, there were a hole.
                    self._disk.settle(self.directory)
        except OSError:
            self._undo(written)
            raise
        return written

    def _prepare(self) -> None:
        """The directory, its record with room for both slots, and its name where the directory's does not tell it."""
        if self._made:
            return
        self._disk.make_directory(self.directory)
        names = self._disk.names(self.directory)
        if self.directory.name.startswith(HASHED):
            self._disk.write(self.directory / NAME, 0, [bytes_of(self.name)], ANY, sync=True)
        if RECORD not in names:
            self._disk.write(self.directory / RECORD, 0, [bytes(RECORD_BYTES)], ANY, sync=True)
        self._disk.settle(self.directory)
        self._made = True

    def _runs(
        self, frames: Sequence[tuple[Header, bytes]], limit: int, at: float
    ) -> Iterator[tuple[Segment, list[tuple[Header, bytes]]]]:
        """*frames* by the segment they go to."""
        segment = self.active
        if segment is None or segment.size >= limit or not 0 <= at - segment.born < SEGMENT_AGE:
            segment = self._fresh(at)
        size = segment.size
        run: list[tuple[Header, bytes]] = []
        for frame in frames:
            if size and size + frame[0].size > limit:
                if run:
                    yield segment, run
                segment = self._fresh(at)
                size, run = 0, []
            run.append(frame)
            size += frame[0].size
        if run:
            yield segment, run

    def _fresh(self, at: float) -> Segment:
        self._highest += 1
        return Segment(self._highest, self.directory / file_of(self._highest), at)

    def _undo(self, written: Sequence[Written]) -> None:
        # What cannot be undone either is found at the next start, and is then sent beside what is asked again for it:
        # equal duplicates do no harm. The last one goes first, for what is left must have no hole either.
        self._made = False
        for segment, _ in reversed(written):
            with contextlib.suppress(OSError):
                if segment is self.active:
                    self._disk.cut(segment.path, segment.size)
                else:
                    self._disk.remove(segment.path)
                    self._disk.settle(self.directory)

    def body(self, segment: Segment, entry: Entry) -> bytes | None:
        """
        A frame's body; None where it is not what was written.

        Raises:
            OSError: it cannot be read.
        """
        header = entry.header
        with self._disk.reading(segment.path) as read:
            body = read(entry.offset + HEADER_BYTES + header.marks, header.body)
        return body if len(body) == header.body and zlib.crc32(body) == header.body_sum else None

    def note(self, position: Position, count: int, sync: bool) -> None:  # noqa: FBT001 - as `next_record` gives it
        """
        Write down that everything before *position* is done.

        Raises:
            OSError: it is not written down; a restart will hand it out once more.
        """
        record = self.directory / RECORD
        self._disk.write(record, count % 2 * SLOT_BYTES, [pack_record(position, count)], ANY, sync=sync)

    def remove(self) -> None:
        """
        Remove the directory of a lane of which nothing is left.

        Its numbers begin anew; should it be back because power was lost, `_prepare` puts a record in its place first.

        Raises:
            OSError: something of it is left.
        """
        self._disk.remove(self.directory / RECORD)
        self._disk.remove(self.directory / NAME)
        self._disk.remove_directory(self.directory)
