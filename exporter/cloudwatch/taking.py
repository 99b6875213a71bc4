"""
What CloudWatch said to a batch, put into the generation it was planned for. Pure.

An answer is nearly always what was asked for: every period of the window, or the first of them. Such answers are
recognised by one comparison of whole lists and folded by C functions, a microsecond a series; everything else goes
through `convert.points` and `convert.fold`, which say what any answer means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Protocol

from exporter.cloudwatch.convert import factor, filled, fold
from exporter.cloudwatch.convert import points as points_of
from exporter.cloudwatch.cursors import LONGEST_WINDOW
from exporter.cloudwatch.fetch import Result, readable
from exporter.cloudwatch.grid import Grid
from exporter.cloudwatch.nouns import Batch, Group, Part
from exporter.model import Absent, Fold, Window

_STATUS = {
    "Complete": "complete",
    "PartialData": "partial",
    "InternalError": "internal_error",
    "Forbidden": "forbidden",
}


def _newest(values: Sequence[float]) -> float:
    return values[-1]


_FOLDS: Mapping[Fold, Callable[[Sequence[float]], float] | None] = {
    Fold.MEAN: None,  # the sum is there already
    Fold.MAX: max,
    Fold.MIN: min,
    Fold.NEWEST: _newest,
}


Add = Callable[[int, Sequence[int], Sequence[float]], None]
"""
Told of the datapoints of one series: the place of its resource in the group, the ends of the periods (unix seconds,
ascending; one list for all series of a window that have the same), and their values in our unit.
"""


class Points(Protocol):
    """Who wants every datapoint, not only the folded value of the pass."""

    def of(self, group: Group, statistic: int) -> Add | None:
        """What to tell of the series of one row; None where nobody wants them."""
        ...


@dataclass(slots=True)
class Taken:
    """
    What came of a batch.

    Args:
        statuses: members by how they were answered: complete, empty, partial, internal_error, forbidden, malformed,
            unknown; and ``refused`` datapoints that could not be used.

        codes: CloudWatch's statuses of the members of which it did not say everything.

        newest: of each part, and each of its queries, the end of the newest period that came, unix seconds; 0 for none.

        moves: what `move` does.
    """

    statuses: dict[str, int] = field(default_factory=dict)
    codes: set[str] = field(default_factory=set)
    newest: list[tuple[Part, list[int]]] = field(default_factory=list)
    moves: list[_Move] = field(default_factory=list)

    def count(self, status: str, n: int = 1) -> None:
        """Count *n* members (or datapoints) of that status."""
        if n:
            self.statuses[status] = self.statuses.get(status, 0) + n


@dataclass(frozen=True, slots=True)
class _Move:
    """
    How far the answers to the queries of *part* reach.

    ``newest``: the end of the newest period that came, one a query, 0 for none. ``reach``: the end of the newest period
    that every statistic with datapoints has told. ``answered``: whether all was told. ``stuck``: whether a statistic
    told nothing and may have had something to tell, so that the cursor must stay.
    """

    part: Part
    newest: list[int]
    reach: list[int]
    answered: bytearray
    stuck: bytearray


def take(grid: Grid, batch: Batch, results: Sequence[Result | None], points: Points | None = None) -> Taken:
    """
    Put *results*, one a member of *batch*, into *grid*. Its cursors stay where they are until `move`.

    Args:
        points: told of every datapoint.
    """
    taken = Taken()
    asked = _Asked.of(batch.window)
    number = 0
    for part in batch.parts:
        count = len(part.members)
        moves = _Move(part, [0] * count, [0] * count, bytearray(b"\x01") * count, bytearray(count))
        for statistic in range(len(part.group.rows)):
            add = points.of(part.group, statistic) if points is not None else None
            _take_row(grid, moves, statistic, asked, results[number : number + count], taken, add)
            number += count
        taken.moves.append(moves)
        taken.newest.append((part, moves.newest))
    return taken


def move(grid: Grid, batch: Batch, taken: Taken, now: float) -> None:
    """
    Move the cursors of *grid* as far as what was taken of *batch* reaches: it need not be asked again.

    Args:
        now: when the answer was given, unix seconds.
    """
    for each in taken.moves:
        _move(grid, each, batch.window, int(now))


def leave(grid: Grid, batch: Batch, taken: Taken, now: float) -> None:
    """
    Leave the cursors where they are, for what was taken of *batch* is lost: it is asked again with what follows it.

    Asked at its next turn and not before, since CloudWatch bills the question and not how much it brings.
    """
    for each in taken.moves:
        slot = each.part.group.slot
        for member, answered in zip(each.part.members, each.answered, strict=True):
            if answered:
                grid.cursors.left(slot + member, batch.window, int(now))


@dataclass(frozen=True, slots=True)
class _Asked:
    """A window with the starts and the ends of all its periods: numbers that all answers to it share."""

    window: Window
    starts: list[int]
    ends: list[int]
    parts: dict[int, list[int]]

    @classmethod
    def of(cls, window: Window) -> _Asked:
        starts = list(range(window.start, window.end, window.period))
        ends = [start + window.period for start in starts]
        return cls(window, starts, ends, {len(ends): ends})

    def first(self, count: int) -> list[int]:
        """The ends of the first *count* periods: the same list at each call."""
        return self.parts.get(count) or self.parts.setdefault(count, self.ends[:count])


def _take_row(
    grid: Grid,
    moves: _Move,
    statistic: int,
    asked: _Asked,
    results: Sequence[Result | None],
    taken: Taken,
    add: Add | None,
) -> None:
    """One statistic of a part; *moves* is brought up to date."""
    part, newest, reach, answered = moves.part, moves.newest, moves.reach, moves.answered
    group = part.group
    row, first = group.rows[statistic], group.series[statistic]
    multiplier, divisor = factor(row)
    plain = multiplier == divisor == 1.0
    folded = _FOLDS[row.fold]
    starts, full = asked.starts, len(asked.starts)
    quick = row.absent is Absent.NOTHING
    values, ends = grid.values, grid.ends
    latest = complete = 0
    for index, (member, result) in enumerate(zip(part.members, results, strict=True)):
        if result is None:
            answered[index] = 0
            moves.stuck[index] = 1
            continue
        try:
            got, at = result["Values"], result["Timestamps"]
            count = len(got)
            if quick and count and at == (starts if count == full else starts[:count]):
                ours = got if plain else [value * multiplier / divisor for value in got]
                total = sum(ours)
                if isfinite(total) and result["StatusCode"] == "Complete":
                    complete += 1
                    end = asked.ends[count - 1]
                    if end >= ends[first + member]:
                        values[first + member] = total / count if folded is None else folded(ours)
                        ends[first + member] = end
                        latest = max(latest, end)
                    newest[index] = max(end, newest[index])
                    if not reach[index] or end < reach[index]:
                        reach[index] = end
                    if add is not None:
                        add(member, asked.first(count), ours)
                    continue
        except (TypeError, KeyError, OverflowError):
            pass  # not what was to be expected: read with care
        heard = _take_any(grid, part, statistic, member, asked.window, result, taken, add)
        whole = heard is not None and result["StatusCode"] == "Complete"
        answered[index] &= whole
        if heard:
            newest[index] = max(heard, newest[index])
            reach[index] = min(heard, reach[index] or heard)
        elif not whole:
            moves.stuck[index] = 1
    taken.count("complete", complete)
    if latest:
        grid.written(group.columns[statistic], latest)


def _take_any(
    grid: Grid,
    part: Part,
    statistic: int,
    member: int,
    window: Window,
    result: Result,
    taken: Taken,
    add: Add | None,
) -> int | None:
    """One member's answer, whatever it is: the end of its newest period, 0 for none; None where it says nothing."""
    group = part.group
    row = group.rows[statistic]
    if not readable(result):
        taken.count("malformed")
        return None
    found = points_of(row, result["Timestamps"], result["Values"], window)
    code = result["StatusCode"]
    told = _told(code, found.ends, window)
    value = fold(row, found, told)
    if value is not None:
        grid.put(group.series[statistic] + member, group.columns[statistic], *value)
    if add is not None:
        every = filled(row, found, told)
        if every.ends:
            add(member, every.ends, every.values)
    taken.count(_STATUS.get(code, "unknown") if result["Values"] or code != "Complete" else "empty")
    taken.count("refused", found.refused)
    if code != "Complete":
        taken.codes.add(code)
    return found.ends[-1] if found.ends else 0


def _told(code: str, ends: Sequence[int], window: Window) -> Window:
    """The part of *window* that an answer tells of: all, or up to the newest datapoint before it broke off."""
    if code == "Complete":
        return window
    return Window(window.start, ends[-1] if ends else window.start, window.period)


def _move(grid: Grid, moves: _Move, window: Window, moment: int) -> None:
    """Move the cursors of a part to where its answers reach."""
    cursors, slot, members, reach = grid.cursors, moves.part.group.slot, moves.part.members, moves.reach
    if all(moves.answered) and all(reach) and window.points < LONGEST_WINDOW:
        # Nearly always: everything was answered, and something came of everything.
        cursors.heard_all([slot + member for member in members], window.end, reach, moment)
        return
    standing = zip(members, moves.newest, reach, moves.answered, moves.stuck, strict=True)
    for member, newest, end, whole, stuck in standing:
        if whole:
            cursors.answered(slot + member, window, end, moment)
        else:
            cursors.cut_short(slot + member, 0 if stuck else end, spoke=bool(newest))


class Heard:
    """Which queries of a pass were answered with datapoints and which were not."""

    def __init__(self) -> None:
        self._parts: list[tuple[Part, list[int]]] = []
        self._empty = False

    def note(self, taken: Taken) -> None:
        """Add what came of a batch."""
        self._parts += taken.newest
        self._empty = self._empty or any(not all(newest) for _, newest in taken.newest)

    def silent(self) -> list[int]:
        """
        The slots whose silence counts: where CloudWatch told the same metric of another resource, or something else of
        this one. Otherwise it is CloudWatch that says nothing, and asking less would only prolong that. Where absence
        means zero, nothing is no silence.
        """
        if not self._empty:
            return []
        sources = {part.group.rows[0].source for part, newest in self._parts if any(newest)}
        spoke = {
            id(part.group.resources[member])
            for part, newest in self._parts
            for member, end in zip(part.members, newest, strict=True)
            if end
        }
        return [
            part.group.slot + member
            for part, member in self._quiet()
            if part.group.rows[0].source in sources or id(part.group.resources[member]) in spoke
        ]

    def _quiet(self) -> Iterator[tuple[Part, int]]:
        for part, newest in self._parts:
            if part.group.rows[0].absent is not Absent.ZERO:
                yield from ((part, member) for member, end in zip(part.members, newest, strict=True) if not end)
