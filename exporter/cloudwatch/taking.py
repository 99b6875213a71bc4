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

from exporter.cloudwatch.convert import factor, fold, points
from exporter.cloudwatch.fetch import Result, readable
from exporter.cloudwatch.grid import Grid
from exporter.cloudwatch.nouns import Batch, Part
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


@dataclass(slots=True)
class Taken:
    """
    What came of a batch.

    Args:
        statuses: members by how they were answered: complete, empty, partial, internal_error, forbidden, malformed,
            unknown; and ``refused`` datapoints that could not be used.

        codes: CloudWatch's statuses of the members of which it did not say everything.

        newest: of each part, and each of its queries, the end of the newest period that came, unix seconds; 0 for none.
    """

    statuses: dict[str, int] = field(default_factory=dict)
    codes: set[str] = field(default_factory=set)
    newest: list[tuple[Part, list[int]]] = field(default_factory=list)

    def count(self, status: str, n: int = 1) -> None:
        """Count *n* members (or datapoints) of that status."""
        if n:
            self.statuses[status] = self.statuses.get(status, 0) + n


def take(grid: Grid, batch: Batch, results: Sequence[Result | None], now: float) -> Taken:
    """
    Put *results*, one a member of *batch*, into *grid*, and move its cursors as far as they reach.

    Args:
        now: when they were given, unix seconds.
    """
    taken = Taken()
    window = batch.window
    starts = list(range(window.start, window.end, window.period))
    asked = _Asked(window, starts, [start + window.period for start in starts])
    number = 0
    for part in batch.parts:
        count = len(part.members)
        newest = [0] * count
        answered = bytearray(b"\x01") * count
        for statistic in range(len(part.group.rows)):
            _take_row(grid, part, statistic, asked, results[number : number + count], newest, answered, taken)
            number += count
        _move(grid, part, window, newest, answered, now)
        taken.newest.append((part, newest))
    return taken


@dataclass(frozen=True, slots=True)
class _Asked:
    """A window with the starts and the ends of all its periods: numbers that all answers to it share."""

    window: Window
    starts: list[int]
    ends: list[int]


def _take_row(
    grid: Grid,
    part: Part,
    statistic: int,
    asked: _Asked,
    results: Sequence[Result | None],
    newest: list[int],
    answered: bytearray,
    taken: Taken,
) -> None:
    """One statistic of *part*: *newest* and *answered* are brought up to date, one a query."""
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
                    if not newest[index] or end > newest[index]:
                        newest[index] = end
                    continue
        except (TypeError, KeyError, OverflowError):
            pass  # not what was to be expected: read with care
        heard = _take_any(grid, part, statistic, member, asked.window, result, taken)
        if heard is None:
            answered[index] = 0
        else:
            newest[index] = max(heard, newest[index])
            answered[index] &= result["StatusCode"] == "Complete"
    taken.count("complete", complete)
    if latest:
        grid.written(group.columns[statistic], latest)


def _take_any(
    grid: Grid, part: Part, statistic: int, member: int, window: Window, result: Result, taken: Taken
) -> int | None:
    """One member's answer, whatever it is: the end of its newest period, 0 for none; None where it says nothing."""
    group = part.group
    row = group.rows[statistic]
    if not readable(result):
        taken.count("malformed")
        return None
    found = points(row, result["Timestamps"], result["Values"], window)
    code = result["StatusCode"]
    value = fold(row, found, _told(code, found.ends, window))
    if value is not None:
        grid.put(group.series[statistic] + member, group.columns[statistic], *value)
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


def _move(grid: Grid, part: Part, window: Window, newest: Sequence[int], answered: bytearray, now: float) -> None:
    """Move the cursors of *part* to where its answers reach."""
    cursors, slot, moment = grid.cursors, part.group.slot, int(now)
    if all(answered) and all(newest):
        # Nearly always: everything was answered, and something came of everything.
        cursors.heard_all([slot + member for member in part.members], window.end, newest, moment)
        return
    for member, end, whole in zip(part.members, newest, answered, strict=True):
        if whole:
            cursors.answered(slot + member, window.start, window.end, end, moment)
        else:
            cursors.cut_short(slot + member, end)


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
