"""
Facts in columns: what discovery says, a column a family, without an object a fact (performance.md 5). Pure.

A label set is rendered once and shared by all families that say something of the same thing one after another; label
sets of families over the same things are one tuple. What is said anew and comes out the same is the very same `Block`
as before, so that nobody behind has to look into it.
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Iterator, Sequence
from typing import overload

from exporter.model import Block, Family, Labels, Sample
from exporter.naming import label_set, labels_of

Constant = tuple[tuple[str, str], ...]
"""Labels that every series carries before its own, such as ``cluster``."""

LEAST_AGE_LIMIT = 900
"""Seconds for which any answer may stand in for a failing one: three full discoveries of the quick kind."""


class _Frame:
    """How the label sets of families with the same label names are rendered; the last one is remembered."""

    __slots__ = ("_before", "_count", "_names", "_template", "_values", "label", "last")

    def __init__(self, before: Constant, names: Labels) -> None:
        self._before = before
        self._names = names
        self._count = len(names)
        fixed = label_set([name for name, _ in before], [value for _, value in before]).decode()[1:-1]
        pairs = [fixed.replace("%", "%%")] if fixed else []
        self._template = "{" + ",".join(pairs + [f'{name}="%s"' for name in names]) + "}"
        self.last: Labels | None = None
        self.label = b""

    def render(self, values: Labels) -> None:
        """Make ``label`` the label set of *values*."""
        if len(values) != self._count:
            raise ValueError(f"{len(values)} values for the {self._count} labels {', '.join(self._names)}")
        together = "".join(values)
        if (not self._count and not self._before) or '"' in together or "\\" in together or "\n" in together:
            names = (*(name for name, _ in self._before), *self._names)
            self.label = label_set(names, (*(value for _, value in self._before), *values))
        else:
            self.label = (self._template % values).encode("utf-8", "replace")
        self.last = values


class Column:
    """One family's values as they are said; ``labels`` is a tuple as soon as nothing more is said."""

    __slots__ = ("block", "family", "frame", "labels", "twice", "values")

    def __init__(self, family: Family, frame: _Frame | None) -> None:
        self.family = family
        self.frame = frame
        self.labels: list[bytes] | tuple[bytes, ...] = []
        self.values = array("d")
        self.twice: list[str] = []
        self.block: Block | None = None


class Facts(Sequence[Sample]):
    """
    Samples in columns; iterating makes them, family by family.

    Args:
        constant: labels before all others.

        scope: the values of the first labels of every family, such as account_id and region.
    """

    __slots__ = ("_frames", "_settled", "columns", "constant", "scope")

    def __init__(self, constant: Constant = (), scope: Labels = ()) -> None:
        self.constant = constant
        self.scope = scope
        self.columns: dict[str, Column] = {}
        self._frames: dict[Labels, _Frame] = {}
        self._settled = False

    def say(self, family: Family, values: Labels, value: float) -> None:
        """
        Add a value.

        Args:
            family: of the value.

            values: of its labels after those of the scope.

            value: the value.

        Raises:
            ValueError: they are too many or too few values for the family's labels.
        """
        column = self.columns.get(family.name) or self._open(family)
        frame = column.frame
        if frame is None or isinstance(column.labels, tuple):
            raise RuntimeError(f"{family.name}: nothing more can be said")
        if frame.last != values:
            frame.render(values)
        column.labels.append(frame.label)
        column.values.append(value)

    def _open(self, family: Family) -> Column:
        frame = self._frames.get(family.labels)
        if frame is None:
            cut = len(self.scope)
            before = (*self.constant, *zip(family.labels[:cut], self.scope, strict=True))
            frame = self._frames[family.labels] = _Frame(before, family.labels[cut:])
        column = self.columns[family.name] = Column(family, frame)
        return column

    def number(self, family: Family) -> int:
        """How many values there are of *family*."""
        column = self.columns.get(family.name)
        return len(column.values) if column is not None else 0

    # ---- when all is said ----

    async def settle(self, last: Facts | None = None) -> None:
        """Nothing more will be said. What is as it was in *last* becomes the same object; yields to the event loop."""
        for _ in self._settling(last):
            await asyncio.sleep(0)

    def _settling(self, last: Facts | None) -> Iterator[None]:
        if self._settled:
            return
        before = last.columns if last is not None else {}
        shared: dict[int, list[tuple[bytes, ...]]] = {}
        for name, column in self.columns.items():
            _distinct(column)
            old = before.get(name)
            if old is not None and old.labels == tuple(column.labels) and old.twice == column.twice:
                if old.values.tobytes() == column.values.tobytes() and old.family == column.family:
                    column = old  # noqa: PLW2901 - the same facts as before
                    self.columns[name] = old
                else:
                    column.labels = old.labels
            labels = tuple(column.labels)
            alike = shared.setdefault(len(labels), [])
            if column is not old:
                column.labels = next((each for each in alike if each == labels), labels)
                column.frame = None
            if isinstance(column.labels, tuple) and not any(column.labels is each for each in alike):
                alike.append(column.labels)
            yield
        self._frames.clear()
        self._settled = True

    @classmethod
    def joined(cls, parts: Sequence[Facts]) -> Facts:
        """All of *parts*, which are settled. Families that only one of them knows stay the same objects."""
        first = parts[0]
        whole = cls(first.constant, first.scope)
        for part in parts:
            for name, column in part.columns.items():
                other = whole.columns.get(name)
                whole.columns[name] = column if other is None else _added(other, column)
        whole._settled = True
        return whole

    def blocks(self, now: int) -> list[Block]:
        """
        A block a family; the same objects at each call.

        Args:
            now: unix seconds; facts are of the instant at which they are first asked for.
        """
        for _ in self._settling(None):
            pass
        for column in self.columns.values():
            if column.block is None:
                column.block = Block(column.family, tuple(column.labels), column.values, now, LEAST_AGE_LIMIT)
        return [column.block for column in self.columns.values() if column.block is not None]

    def twice(self) -> list[str]:
        """The series that were there twice, of which the first counts."""
        return [series for column in self.columns.values() for series in column.twice]

    # ---- as samples ----

    def __len__(self) -> int:
        return sum(len(column.values) for column in self.columns.values())

    def __iter__(self) -> Iterator[Sample]:
        constant = len(self.constant)
        for column in self.columns.values():
            for labels, value in zip(column.labels, column.values, strict=True):
                yield Sample(column.family, tuple(labels_of(labels).values())[constant:], value)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Sample]: ...
    def __getitem__(self, index: int | slice) -> Sample | Sequence[Sample]:
        return tuple(self)[index]


def _distinct(column: Column) -> None:
    """Leave the first of two values of one series."""
    if column.block is not None or len(set(column.labels)) == len(column.labels):
        return
    first: dict[bytes, float] = {}
    for labels, value in zip(column.labels, column.values, strict=True):
        if labels in first:
            column.twice.append(f"{column.family.name}{labels.decode()}")
        else:
            first[labels] = value
    column.labels, column.values = list(first), array("d", first.values())


def _added(one: Column, other: Column) -> Column:
    both = Column(one.family, None)
    both.labels = [*one.labels, *other.labels]
    both.values = one.values + other.values
    both.twice = [*one.twice, *other.twice]
    _distinct(both)
    both.labels = tuple(both.labels)
    return both
