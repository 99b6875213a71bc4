"""What tests of the outbox share: frames that can be told apart, who counts, a clock, disks that fail or lose power."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import random
import struct
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from exporter.remote.disk import Disk, Read
from exporter.remote.frames import Frame
from exporter.remote.outbox import Head, Outbox

if TYPE_CHECKING:
    from _typeshed import SupportsLenAndGetItem

T = TypeVar("T")

MB = 2**20
START = 1_800_000_000
FAMILY = "aws_ebs_volume_read_bytes"


class Counted:
    """Who is told."""

    def __init__(self) -> None:
        self.drops: list[tuple[str, int]] = []
        self.failures = 0

    def dropped(self, reason: str, samples: int) -> None:
        self.drops.append((reason, samples))

    def failed(self) -> None:
        self.failures += 1

    def lost(self, reason: str) -> int:
        return sum(samples for why, samples in self.drops if why == reason)


class HandClock:
    """A clock that is set by hand; to sleep is to let others run."""

    def __init__(self, at: float = START) -> None:
        self.at = at
        self.slept: list[float] = []

    def time(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)


def series(lane: str) -> bytes:
    return b'{volume_id="%s"}' % lane.encode("utf-8", "surrogatepass")


def frame(serial: int, lane: str = "a", *, size: int = 100, samples: int = 10) -> Frame:
    """A frame whose body and mark tell which it is."""
    body = struct.pack("<q", serial) + random.Random(serial).randbytes(max(size - 8, 0))
    return Frame(body, samples, START + serial - 5, START + serial, [(series(lane), ((FAMILY, serial),))])


def serial_of(head: Head) -> int:
    (serial,) = struct.unpack_from("<q", head.body)
    assert isinstance(serial, int)
    assert head.body == frame(serial, size=len(head.body)).body, "not the body that was appended"
    assert (head.oldest, head.newest) == (START + serial - 5, START + serial)
    return serial


def outbox(
    path: Path,
    told: Counted | None = None,
    *,
    max_bytes: int = 64 * MB,
    max_age: float = 86_400.0,
    keep_marks: float = 1e9,
    clock: HandClock | None = None,
    disk: Disk | None = None,
) -> Outbox:
    return Outbox(
        path,
        max_bytes=max_bytes,
        max_age=max_age,
        keep_marks=keep_marks,
        clock=clock or HandClock(),
        told=told or Counted(),
        disk=disk,
    )


@contextlib.asynccontextmanager
async def opened(box: Outbox) -> AsyncIterator[Outbox]:
    await box.open()
    try:
        yield box
    finally:
        await box.close()


async def drained(box: Outbox, lane: str = "a", most: int = 1 << 30) -> list[int]:
    """Take so many frames; which they were."""
    taken: list[int] = []
    while len(taken) < most and (head := await box.head(lane)) is not None:
        taken.append(serial_of(head))
        await box.done(lane, head)
    return taken


async def mark(box: Outbox, lane: str = "a") -> int | None:
    return (await box.marks()).get(FAMILY, {}).get(series(lane))


def names(path: Path) -> list[str]:
    return sorted(each.name for each in path.iterdir())


def segments(path: Path) -> list[Path]:
    return sorted(path.rglob("*.frames"))


class QuickDisk(Disk):
    """A disk that nobody pulls the plug of, so that nothing has to be waited for."""

    def sync(self, handle: int) -> None:
        pass


class SmallDisk(QuickDisk):
    """
    A disk with a limit: what does not fit is written as far as it does, as a real one would.

    Args:
        room: bytes of all files under `root`.
    """

    def __init__(self, root: Path, room: int) -> None:
        self.root = root
        self.room = room

    def put(self, handle: int, at: int, pieces: Sequence[bytes]) -> int:
        free = self.room - sum(path.stat().st_size for path in self.root.rglob("*") if path.is_file())
        data = b"".join(pieces)
        if len(data) <= free:
            return super().put(handle, at, pieces)
        super().put(handle, at, [data[: max(free, 0)]])
        raise OSError(errno.ENOSPC, "No space left on device")


class BrokenDisk(Disk):
    """A disk on which calls fail where a test says so."""

    def __init__(self) -> None:
        self.fail_read: Callable[[Path], int | None] = lambda _path: None
        self.fail_write: Callable[[Path], int | None] = lambda _path: None
        self.fail_remove: Callable[[Path], int | None] = lambda _path: None
        self.fail_sync: Callable[[], int | None] = lambda: None

    @contextlib.contextmanager
    def reading(self, path: Path) -> Iterator[Read]:
        with super().reading(path) as read:

            def reads(at: int, size: int) -> bytes:
                _raise(self.fail_read(path))
                return read(at, size)

            yield reads

    def write(self, path: Path, at: int, pieces: Sequence[bytes], create: int, *, sync: bool) -> None:
        _raise(self.fail_write(path))
        super().write(path, at, pieces, create, sync=sync)

    def remove(self, path: Path) -> None:
        _raise(self.fail_remove(path))
        super().remove(path)

    def sync(self, handle: int) -> None:
        _raise(self.fail_sync())
        super().sync(handle)


def _raise(number: int | None) -> None:
    if number is not None:
        raise OSError(number, errno.errorcode[number])


class LossyDisk(QuickDisk):
    """
    A disk that knows what would be there had the power gone: of what was not synced anything may be missing.

    Names not settled may be there or not, one by one; bytes not synced may be there, cut, or zeros.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.calls = 0
        self.at_call: Callable[[int], None] = lambda _calls: None
        self.fails: Callable[[], bool] = lambda: False
        self._files: dict[Path, object] = {}
        self._settled: dict[Path, object] = {}
        self._now: dict[object, bytes] = {}
        self._synced: dict[object, bytes] = {}

    def adopt(self) -> None:
        """Take what is there for synced and settled."""
        for path in self.root.rglob("*"):
            if path.is_file():
                file = self._files[path] = self._settled[path] = object()
                self._now[file] = self._synced[file] = path.read_bytes()

    def image(self, to: Path, chance: random.Random) -> None:
        """Write to another directory what is found after a loss of power."""
        for path in sorted({*self._files, *self._settled}):
            file = chance.choice([self._settled.get(path), self._files.get(path)])
            if file is None:
                continue
            target = to / path.relative_to(self.root)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(_torn(self._synced.get(file, b""), self._now[file], chance))

    def write(self, path: Path, at: int, pieces: Sequence[bytes], create: int, *, sync: bool) -> None:
        self._call()
        file = self._files.get(path) or object()
        before = self._now.get(file, b"")
        data = b"".join(pieces)
        failed = self.fails()
        if failed:
            data = data[: len(data) // 2]
        self._now[file] = before[:at].ljust(at, b"\0") + data + before[at + len(data) :]
        self._files[path] = file
        self._call()
        super().write(path, at, [data], create, sync=sync)
        assert path.read_bytes() == self._now[file], "the model of the disk is wrong"
        if failed:
            raise OSError(errno.EIO, "Input/output error")
        if sync:
            self._synced[file] = self._now[file]

    def cut(self, path: Path, size: int) -> None:
        self._call()
        file = self._files[path]
        self._now[file] = self._now[file][:size]
        super().cut(path, size)
        self._synced[file] = self._now[file]

    def rename(self, path: Path, to: Path) -> None:
        self._call()
        super().rename(path, to)
        self._files[to] = self._files.pop(path)

    def remove(self, path: Path) -> None:
        self._call()
        super().remove(path)
        self._files.pop(path, None)

    def settle(self, directory: Path) -> None:
        self._call()
        super().settle(directory)
        for path in {*self._files, *self._settled}:
            if path.parent == directory:
                if path in self._files:
                    self._settled[path] = self._files[path]
                else:
                    self._settled.pop(path)

    def _call(self) -> None:
        self.calls += 1
        self.at_call(self.calls)


class OnlySynced(random.Random):
    """The chance that of what was not synced nothing is there."""

    def choice(self, options: SupportsLenAndGetItem[T]) -> T:
        return options[0]


def _torn(synced: bytes, now: bytes, chance: random.Random) -> bytes:
    if synced == now:
        return now
    if len(now) <= len(synced):
        return chance.choice([synced, now])
    # The tail may be there, cut short, or be zeros from some byte on; what was overwritten in place old or new.
    tail = now[len(synced) :]
    kept = chance.choice([0, len(tail), chance.randrange(len(tail) + 1)])
    zeros = chance.choice([0, len(tail) - kept])
    return chance.choice([synced, now[: len(synced)]]) + tail[:kept] + bytes(zeros)
