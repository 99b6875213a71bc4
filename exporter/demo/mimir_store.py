"""
What the simulated remote-write receiver has stored: tenants, their series, and what is said about families.

Takes everything it is given; whether it may be stored is decided in `mimir_checks`. May be read from another thread
while the server writes.
"""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_left
from collections.abc import Iterable

from exporter.demo.mimir_wire import Labels, Metadata, Sample


class Series:
    """One series: stamps in ascending order, each once, beside their values."""

    __slots__ = ("ats", "labels", "text", "values")

    def __init__(self, labels: Labels) -> None:
        self.labels = labels
        self.text = text_of(labels)
        self.ats = array("q")
        self.values = array("d")

    @property
    def newest(self) -> Sample | None:
        """The sample with the highest stamp, None where there is none yet."""
        return Sample(self.ats[-1], self.values[-1]) if self.ats else None

    def value_at(self, at: int) -> float | None:
        """The value with that stamp, to the millisecond."""
        where = bisect_left(self.ats, at)
        return self.values[where] if where < len(self.ats) and self.ats[where] == at else None

    def put(self, sample: Sample) -> None:
        """Store a sample whose stamp is new."""
        where = bisect_left(self.ats, sample.at)
        self.ats.insert(where, sample.at)
        self.values.insert(where, sample.value)

    def up_to(self, at: int, back: int) -> Sample | None:
        """The newest sample at or before *at*, and not *back* milliseconds or more before it."""
        where = bisect_left(self.ats, at + 1) - 1
        if where < 0 or self.ats[where] <= at - back:
            return None
        return Sample(self.ats[where], self.values[where])

    def samples(self) -> list[tuple[int, float]]:
        """Stamps in milliseconds and values, oldest first."""
        return list(zip(self.ats, self.values, strict=True))

    def forget(self, before: int) -> int:
        """Drop what is older than *before*; answers how many samples are left."""
        where = bisect_left(self.ats, before)
        del self.ats[:where], self.values[:where]
        return len(self.ats)


class Tenant:
    """The series of one tenant; use `lock` around more than one step."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lock = threading.RLock()
        self.newest: int | None = None
        self.repeats = 0
        self.metadata: dict[str, Metadata] = {}
        self._series: dict[Labels, Series] = {}  # good labels are sorted: one order for one series

    def find(self, labels: Labels) -> Series | None:
        """The series of these labels, None where it is new."""
        return self._series.get(labels)

    @property
    def active(self) -> int:
        """How many series there are."""
        return len(self._series)

    def all_series(self) -> list[Series]:
        """Every series."""
        with self.lock:
            return list(self._series.values())

    def samples(self) -> dict[Labels, list[tuple[int, float]]]:
        """Labels to samples of every series, whole requests of them."""
        with self.lock:
            return {labels: each.samples() for labels, each in self._series.items()}

    def count(self) -> int:
        """Samples that are stored."""
        with self.lock:
            return sum(len(each.ats) for each in self._series.values())

    def add(self, series: Series, samples: Iterable[Sample]) -> None:
        """Store samples whose stamps are new to *series*, which may be new itself."""
        self._series[series.labels] = series
        for sample in samples:
            series.put(sample)
            self.newest = sample.at if self.newest is None else max(self.newest, sample.at)

    def forget(self, before: int) -> None:
        """Drop samples older than *before* (milliseconds), and series that have no others."""
        with self.lock:
            self._series = {labels: each for labels, each in self._series.items() if each.forget(before)}


def text_of(labels: Labels) -> str:
    """A series for people, as PromQL writes its selector."""
    return "{" + ", ".join(f"{name}={_quoted(value)}" for name, value in labels) + "}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped.encode("utf-8", "backslashreplace").decode()}"'
