"""
Finished requests on disk until the receiver has taken them, and how far each series has come.

Frames are appended to lanes, handed out in order and done. What is over the limits is dropped, the oldest first, and
counted. A segment of which nothing waits any longer is removed after its marks were taken into one file; so marks say
what the frames that survive say, and a frame that is lost is asked for again. Here is when things happen; how a lane
stands on disk is `lane`'s, the bytes are `frames`' and `marks`'.

All is called from one event loop; the disk is touched in threads. Whatever a file holds and however full the disk is,
nothing but `open` and `append` raises.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from exporter.clock import Clock
from exporter.errors import OutboxError
from exporter.remote.claim import claim
from exporter.remote.disk import DAMAGED, FULL, Disk, next_step
from exporter.remote.frames import Frame, Position, pack
from exporter.remote.lane import Lane
from exporter.remote.ledger import Ledger
from exporter.remote.notices import Notices, Told
from exporter.remote.segments import Recovered, Segment, directory_of, name_of, recover
from exporter.remote.spent import Spent
from exporter.remote.whole import whole

__all__ = ["Frame", "Head", "Marks", "Outbox", "Told"]

Marks = dict[str, dict[bytes, int]]
"""Family name to rendered label set to the end of the newest point that is, or was, in the outbox; unix seconds."""

_LEAST, _MOST = 2**16, 2**24
_PARTS = 16
_PATIENCE = 1.0


@dataclass(frozen=True, slots=True)
class Head:
    """
    The oldest frame of a lane.

    Args:
        body: the finished request.

        samples: how many it has.

        oldest: stamp of its oldest sample, unix seconds.

        newest: stamp of its newest sample, unix seconds.

        at: when it was appended, unix seconds.

        position: where it stands; grows along the lane.
    """

    body: bytes
    samples: int
    oldest: int
    newest: int
    at: float
    position: Position


class Outbox:
    """
    The queue of finished requests.

    Args:
        path: a directory of its own.

        max_bytes: how much its segments may have on disk, over all lanes. Marks come on top, once a series.

        max_age: seconds a frame waits at most.

        keep_marks: marks that are older than the newest by so many seconds are forgotten.

        clock: for ages and for waiting.

        told: of what is lost.

        disk: where it is; the machine's own where none is given.
    """

    def __init__(
        self,
        path: Path,
        *,
        max_bytes: int,
        max_age: float,
        keep_marks: float,
        clock: Clock,
        told: Told,
        disk: Disk | None = None,
    ) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._max_age = max_age
        self._clock = clock
        self._told = told
        self._disk = disk or Disk()
        self._ledger = Ledger(path, self._disk, keep=keep_marks)
        self._notices = Notices(path, clock, told.dropped)
        self._segment_bytes = min(max(max_bytes // _PARTS, _LEAST), _MOST)
        self._lanes: dict[str, Lane] = {}
        self._spent = Spent(self._ledger, clock, 2 * self._segment_bytes, self._notices.unwell)
        self._writing = asyncio.Lock()
        self._lock: int | None = None

    # ---- life --------------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """
        Take the directory for this process, and find what waits in it.

        Raises:
            OutboxError: it cannot be used: not a directory, not writable, another process has it.
        """
        if self._lock is not None:
            raise OutboxError(f"outbox {self._path}: is open already")
        try:
            for recovered in await whole(self._opening()):
                self._lane(recovered.name).found(recovered)
                self._notices.recovered(recovered)
            async with self._writing:
                await whole(self._make_room(0))
                await whole(self._tidy(all_of_them=True))
                await whole(self._sweep())
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Write down how far every lane was done, and let other processes have the directory."""
        async with self._writing:
            await whole(self._closing())

    # ---- in and out --------------------------------------------------------------------------------------------------

    @property
    def lanes(self) -> tuple[str, ...]:
        """The lanes that something was ever appended to, as far as that is known."""
        return tuple(name for name, lane in self._lanes.items() if lane.used)

    async def append(self, lane: str, frames: Sequence[Frame]) -> None:
        """
        Put frames at the end of a lane; they are on the device when this returns.

        Args:
            lane: its name, any text.

            frames: in order.

        Raises:
            OutboxError: none of them is kept.
        """
        if not frames:
            return
        async with self._writing:
            await whole(self._append(self._lane(lane), frames))

    async def head(self, lane: str) -> Head | None:
        """The oldest frame of a lane that is not done, None where there is none; the same one until it is done."""
        own = self._lane(lane)
        async with own.turn:
            while True:
                if self._age(own):
                    await whole(self._note(own))
                first = own.first()
                if first is None:
                    return None
                segment, entry = first
                try:
                    body = await asyncio.to_thread(own.body, segment, entry)
                except OSError as error:
                    if error.errno not in DAMAGED:
                        self._notices.unwell("read", error)
                        await self._clock.sleep(_PATIENCE)
                        continue
                    body = None
                if own.first() != first:
                    continue
                if body is not None:
                    header = entry.header
                    position = Position(segment.number, entry.offset)
                    return Head(body, header.samples, header.oldest, header.newest, header.at, position)
                own.pass_first()
                self._spent.gather([own])
                self._notices.dropped(lane, "corrupt", entry.header.samples)
                await whole(self._note(own))

    async def wait(self, lane: str) -> Head:
        """The oldest frame of a lane that is not done, as soon as there is one."""
        own = self._lane(lane)
        while True:
            own.arrived.clear()
            head = await self.head(lane)
            if head is not None:
                return head
            await own.arrived.wait()

    async def done(self, lane: str, head: Head) -> None:
        """
        Never hand out a frame again; nothing to do where it was dropped meanwhile.

        Args:
            lane: its name.

            head: as handed out last.
        """
        own = self._lane(lane)
        async with own.turn:
            first = own.first()
            if first is not None and Position(first[0].number, first[1].offset) == head.position:
                own.pass_first()
                self._spent.gather([own])
                await whole(self._note(own))

    async def discard(self, reason: str) -> int:
        """
        Give up everything that waits; marks stay.

        Args:
            reason: to count it by.

        Returns:
            How many samples that were.
        """
        async with self._writing:
            samples = 0
            while (oldest := self._oldest()) is not None:
                samples += self._drop_segment(*oldest, reason)
            await whole(self._tidy(all_of_them=True))
            return samples

    async def marks(self) -> Marks:
        """How far each series has come, of all that was ever appended and is not forgotten."""
        async with self._writing:
            segments = [*self._spent.segments, *(segment for lane in self._lanes.values() for segment in lane.segments)]
            while True:
                try:
                    return await asyncio.to_thread(self._ledger.all, segments, self._clock.time())
                except OSError as error:
                    self._notices.unwell("read the marks of", error)
                    await self._clock.sleep(_PATIENCE)

    # ---- what waits --------------------------------------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        """Bytes that wait."""
        return sum(lane.waiting for lane in self._lanes.values())

    @property
    def requests(self) -> int:
        """Frames that wait."""
        return sum(lane.requests for lane in self._lanes.values())

    @property
    def oldest(self) -> int | None:
        """Stamp of the oldest sample that waits, unix seconds; None where none does."""
        return min((oldest for lane in self._lanes.values() if (oldest := lane.oldest) is not None), default=None)

    @property
    def since(self) -> float | None:
        """When the oldest frame that waits was appended, unix seconds; None where none waits."""
        return self.since_in(self._lanes)

    def since_in(self, lanes: Iterable[str]) -> float | None:
        """The same of some lanes only."""
        known = [self._lanes[name].since for name in lanes if name in self._lanes]
        return min((since for since in known if since is not None), default=None)

    # ---- opening -----------------------------------------------------------------------------------------------------

    async def _opening(self) -> list[Recovered]:
        try:
            self._lock = await asyncio.to_thread(claim, self._path, self._disk)
            return await asyncio.to_thread(self._recover)
        except (OSError, ValueError) as error:
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None
            raise OutboxError(f"outbox {self._path}: {next_step(error)}") from error

    def _recover(self) -> list[Recovered]:
        self._ledger.clean()
        found = []
        for each in self._disk.names(self._path):
            directory = self._path / each
            name = name_of(directory, self._disk)
            if name is not None:
                found.append(recover(name, directory, self._disk))
        return found

    async def _sweep(self) -> None:
        """Remove the directories of lanes of which nothing is left."""
        for lane in list(self._lanes.values()):
            if lane.used and not lane.segments and not self._spent.has(lane):
                try:
                    await asyncio.to_thread(lane.remove)
                except OSError as error:
                    self._notices.unwell("remove an empty lane of", error)
                else:
                    lane.reset()

    async def _closing(self) -> None:
        for lane in list(self._lanes.values()):
            async with lane.turn:
                await self._note(lane, sync=True)
                lane.reset()
        await self._spent.close()
        lock, self._lock = self._lock, None
        if lock is not None:
            await asyncio.to_thread(os.close, lock)

    # ---- writing, with `_writing` held -------------------------------------------------------------------------------

    async def _append(self, lane: Lane, frames: Sequence[Frame]) -> None:
        if self._lock is None:
            raise OutboxError(f"outbox {self._path}: is not open")
        now = self._clock.time()
        packed = await asyncio.to_thread(lambda: [pack(frame, now) for frame in frames])
        for each in list(self._lanes.values()):
            if self._age(each):
                await self._note(each)
        await self._make_room(sum(header.size for header, _ in packed))
        tried: set[int | None] = set()
        while True:
            try:
                lane.took(await asyncio.to_thread(lane.write, packed, self._segment_bytes, now))
                break
            except OSError as error:
                lane.seal()
                if not await self._relieve(error, tried):
                    self._told.failed()
                    raise OutboxError(f"outbox {self._path}: {next_step(error)}") from error
        await self._make_room(0)
        await self._tidy()

    async def _relieve(self, error: OSError, tried: set[int | None]) -> bool:
        """Whether something was done for which the write may succeed now."""
        if error.errno == errno.EFBIG and self._segment_bytes > _LEAST:
            self._segment_bytes //= 2
            return True
        if error.errno not in FULL:
            # The file may be at fault rather than the disk: once more, in a new one.
            again = error.errno not in tried
            tried.add(error.errno)
            return again
        while True:
            if await self._tidy(all_of_them=True, at_any_price=True):
                return True
            oldest = self._oldest()
            if oldest is None:
                return False
            self._drop_segment(*oldest, "disk_full")

    async def _make_room(self, size: int) -> None:
        """Drop the oldest segments until *size* more bytes are within the limit."""
        if self._used() + size <= self._max_bytes:
            return
        await self._tidy(all_of_them=True, at_any_price=True)
        over = self._used() + size - self._max_bytes
        while over > 0 and (oldest := self._oldest()) is not None:
            over -= oldest[1].size
            self._drop_segment(*oldest, "max_bytes")
        await self._tidy(all_of_them=True, at_any_price=True)

    def _used(self) -> int:
        return sum(s.size for lane in self._lanes.values() for s in lane.segments) + self._spent.size

    def _oldest(self) -> tuple[Lane, Segment] | None:
        """The segment whose first frame has waited longest, of all lanes."""
        firsts = [(first[1].header.at, lane, first[0]) for lane in self._lanes.values() if (first := lane.first())]
        return min(firsts, key=lambda each: each[0])[1:] if firsts else None

    def _drop_segment(self, lane: Lane, segment: Segment, reason: str) -> int:
        samples = lane.pass_segment(segment)
        self._notices.dropped(lane.name, reason, samples)
        self._spent.gather([lane])
        return samples

    async def _tidy(self, *, all_of_them: bool = False, at_any_price: bool = False) -> bool:
        """
        Remove the segments of which nothing waits, once they are many; their marks stay.

        Args:
            all_of_them: be they few.

            at_any_price: also where their marks cannot be written, which are then in memory only until they can be.

        Returns:
            Whether any was removed.
        """
        for lane in self._lanes.values() if all_of_them else ():
            if lane.first() is None:
                lane.seal()
        self._spent.gather(self._lanes.values())
        if not self._spent.segments or not (all_of_them or self._spent.due):
            return False
        # What is removed must not come back as something that waits, should the machine lose its power.
        noted = [await self._note(lane, sync=True) for lane in list(self._lanes.values())]
        if not (all(noted) or at_any_price):
            return False
        return await self._spent.remove(at_any_price=at_any_price)

    # ---- lanes -------------------------------------------------------------------------------------------------------

    def _lane(self, name: str) -> Lane:
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = Lane(name, self._path / directory_of(name), self._disk)
        return lane

    def _age(self, lane: Lane) -> bool:
        """Drop what is too old; whether there was any."""
        dropped = lane.pass_older(self._clock.time() - self._max_age)
        if dropped is not None:
            self._notices.dropped(lane.name, "max_age", dropped)
            self._spent.gather([lane])
        return dropped is not None

    async def _note(self, lane: Lane, *, sync: bool = False) -> bool:
        """Write down how far a lane is done; whether that stands on disk now."""
        async with lane.noting:
            record = lane.next_record(sync=sync)
            if record is None or self._lock is None:
                return True
            try:
                await asyncio.to_thread(lane.note, *record)
            except OSError as error:
                lane.not_noted()
                self._notices.unwell("note what is done in", error)
                return False
            return True
