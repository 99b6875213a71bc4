"""
The file of marks: how far series have come whose frames are gone from disk.

It is replaced in one step, so it is the old one or the new one, never half of both. To be called in a thread, by one
at a time.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from pathlib import Path

from exporter import logs
from exporter.remote.disk import ANY, Disk
from exporter.remote.frames import pack_marks
from exporter.remote.marks import Table
from exporter.remote.segments import Segment, marks_in

_LOG = logs.logger(__name__)


class Ledger:
    """
    Marks of what is gone.

    Args:
        directory: the outbox.

        disk: where it is.

        keep: marks that are older than the newest by so many seconds are forgotten.
    """

    def __init__(self, directory: Path, disk: Disk, *, keep: float) -> None:
        self._path = directory / "marks"
        self._half = directory / "marks.tmp"
        self._disk = disk
        self._keep = keep
        self._unwritten: list[bytes] = []

    @property
    def unwritten(self) -> bool:
        """Whether there are marks in memory only."""
        return bool(self._unwritten)

    def clean(self) -> None:
        """Remove what a process that was killed left half written."""
        self._disk.remove(self._half)

    def all(self, segments: Iterable[Segment], now: float) -> dict[str, dict[bytes, int]]:
        """
        Every mark of the file and of *segments*, by family.

        Raises:
            OSError: they cannot be read now, for a reason that is not in the files.
        """
        return self._table(segments, now).by_family()

    def take_in(self, segments: Iterable[Segment], now: float) -> OSError | None:
        """
        Write the marks of *segments* to the file, lastingly.

        Args:
            segments: which may be removed afterwards.

            now: unix seconds; nothing is forgotten for a mark that lies ahead of it.

        Returns:
            What went wrong in writing; then they are kept in memory, and written the next time.

        Raises:
            OSError: they cannot be read now, for a reason that is not in the files.
        """
        packed = list(self._table(segments, now).packed())
        try:
            self._disk.remove(self._half)
            self._disk.write(self._half, 0, [pack_marks(each) for each in packed], ANY, sync=True)
            self._disk.rename(self._half, self._path)
            self._disk.settle(self._path.parent)
        except OSError as error:
            self._unwritten = packed
            return error
        self._unwritten = []
        return None

    def remove(self, segments: Iterable[Segment]) -> tuple[list[Segment], OSError | None]:
        """Remove the files of *segments*; returns those that are still there, and what went wrong with one of them."""
        left: list[Segment] = []
        failed: OSError | None = None
        for segment in segments:
            try:
                self._disk.remove(segment.path)
            except OSError as error:
                left.append(segment)
                failed = error
        return left, failed

    def _table(self, segments: Iterable[Segment], now: float) -> Table:
        table = Table()
        sources = [self._file(), self._unwritten, *(marks_in(segment, self._disk) for segment in segments)]
        for packed in itertools.chain.from_iterable(sources):
            try:
                table.add(packed)
            except ValueError as error:
                logs.log(_LOG, "warning", "outbox_marks", f"marks in {self._path.parent} cannot be read", error=error)
        newest = table.newest
        if newest is not None:
            table.forget(min(newest, now) - self._keep)
        return table

    def _file(self) -> Iterable[bytes]:
        try:
            size = self._disk.size(self._path)
        except FileNotFoundError:
            size = None
        return marks_in(Segment(0, self._path, 0.0, size=size), self._disk) if size else ()
