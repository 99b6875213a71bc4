"""
What the outbox does to a file system, call by call: each is done, or raises OSError; and what that means to people.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""There is no room."""

DAMAGED = frozenset(
    getattr(errno, name)
    for name in ("EIO", "EUCLEAN", "EBADMSG", "EILSEQ", "ENODATA", "ENOENT", "ESTALE", "EISDIR", "ELOOP")
    if hasattr(errno, name)  # not every system knows all of them
)
"""What was written cannot be read any more. All else (no handles, no memory) says nothing about the file."""

OLD, ANY, NEW = 0, os.O_CREAT, os.O_CREAT | os.O_EXCL
"""A file that is there, that may be, that is not."""

_PIECES = 512
"""Buffers in one call; the system takes 1,024."""

Read = Callable[[int, int], bytes]
"""From an offset, so many bytes; fewer at the end of the file."""


class Disk:
    """The machine's own."""

    def make_directory(self, path: Path) -> None:
        """Make *path*, for its owner only, lastingly; nothing to do where it is there."""
        if path.is_dir():
            return
        self.make_directory(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
        self.settle(path.parent)

    def names(self, directory: Path) -> list[str]:
        """What *directory* holds, in order."""
        return sorted(each.name for each in directory.iterdir())

    def size(self, path: Path) -> int | None:
        """Bytes of a file; None for what is no regular file."""
        found = path.lstat()
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    @contextlib.contextmanager
    def reading(self, path: Path) -> Iterator[Read]:
        """Read a file, piece by piece."""
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:

            def read(at: int, size: int) -> bytes:
                return self.read(handle, at, size)

            yield read
        finally:
            os.close(handle)

    def read(self, handle: int, at: int, size: int) -> bytes:
        """So many bytes from *at*; fewer at the end of the file."""
        data = os.pread(handle, size, at)
        while 0 < len(data) < size and (more := os.pread(handle, size - len(data), at + len(data))):
            data += more
        return data

    def write(self, path: Path, at: int, pieces: Sequence[bytes], create: int, *, sync: bool) -> None:
        """
        Write all *pieces*, one after another, from byte *at* on.

        Args:
            path: a file.

            at: where the first byte goes.

            pieces: of any number and size.

            create: `OLD`, `ANY` or `NEW`.

            sync: return only when they are on the device.
        """
        handle = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW | create, 0o600)
        try:
            for start in range(0, len(pieces), _PIECES):
                at = self.put(handle, at, pieces[start : start + _PIECES])
            if sync:
                self.sync(handle)
        finally:
            os.close(handle)

    def put(self, handle: int, at: int, pieces: Sequence[bytes]) -> int:
        """Write *pieces* from *at* on; returns where they end."""
        left = [memoryview(piece) for piece in pieces if piece]
        while left:
            written = os.pwritev(handle, left, at)
            at += written
            while left and written >= len(left[0]):
                written -= len(left.pop(0))
            if left and written:
                left[0] = left[0][written:]
        return at

    def sync(self, handle: int) -> None:
        """Return when everything written to *handle* is on the device."""
        os.fsync(handle)

    def cut(self, path: Path, size: int) -> None:
        """Leave the first *size* bytes of a file, lastingly."""
        handle = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            os.ftruncate(handle, size)
            self.sync(handle)
        finally:
            os.close(handle)

    def rename(self, path: Path, to: Path) -> None:
        """Put *path* in the place of *to*, in one step."""
        path.replace(to)

    def remove(self, path: Path) -> None:
        """Remove a file; nothing to do where it is gone."""
        path.unlink(missing_ok=True)

    def remove_directory(self, path: Path) -> None:
        """Remove an empty directory."""
        path.rmdir()

    def settle(self, directory: Path) -> None:
        """Return when the names in *directory* are on the device."""
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self.sync(handle)
        finally:
            os.close(handle)


def next_step(error: Exception) -> str:
    """What is wrong, and what to do."""
    number = error.errno if isinstance(error, OSError) else None
    said = getattr(error, "strerror", None) or str(error)
    if number in (errno.EWOULDBLOCK, errno.EAGAIN):
        return "another process uses it; give each exporter a directory of its own (delivery.push.outbox.path)"
    if number in (errno.ENOTDIR, errno.EEXIST):
        return f"{said}; delivery.push.outbox.path must be a directory"
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{said}; make it writable for the user that the exporter runs as, or mount a volume there (fsGroup)"
    if number in FULL:
        return f"{said}; free space on its volume, or make it larger than delivery.push.outbox.max_bytes"
    return f"{said}; check delivery.push.outbox.path and its volume"
