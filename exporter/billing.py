"""
The bill as people and programs read it: the statement that `plan` and ``/-/plan`` give. Pure.

JSON holds every line (one a metric and kind of resource); tables hold what decides: services, tiers, what a change
would save, what the budget does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from exporter.aws import prices
from exporter.cloudwatch.bill import FLAT, HOUR, Bill, LeftOut, Line, Requests, by_tier, changes, requests_dollars
from exporter.model import Tier

VERSION = 1


@dataclass(frozen=True, slots=True)
class Statement:
    """
    What everything costs.

    Args:
        at: unix seconds.

        bills: of each service in each scope.

        budget: dollars a month, None for none.

        deferred: tiers that are not asked, or would not be.

        reason: why: ``budget``, or ``starting`` while that is not reckoned yet.

        verdict: what the budget does, in a sentence; ``""`` for nothing.

        counted: dollars counted so far: (account id, region, aws_service, operation) → dollars.

        failures: what could not be read: operation → what to do about it, by job.

        running: whether an exporter asks at this moment, rather than would.
    """

    at: float
    bills: tuple[Bill, ...]
    budget: float | None = None
    deferred: frozenset[Tier] = frozenset()
    reason: str = "budget"
    verdict: str = ""
    counted: Mapping[tuple[str, str, str, str], float] = field(default_factory=dict)
    failures: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    running: bool = False

    @property
    def lines(self) -> list[Line]:
        """Of all services and scopes."""
        return [line for bill in self.bills for line in bill.lines]

    @property
    def left_out(self) -> list[LeftOut]:
        """Of all services and scopes."""
        return [each for bill in self.bills for each in bill.left_out]

    @property
    def requests(self) -> list[Requests]:
        """Of all services and scopes."""
        return [each for bill in self.bills for each in bill.requests]

    @property
    def full(self) -> float:
        """Dollars a month for all lines."""
        return sum(line.dollars for line in self.lines)

    @property
    def projected(self) -> float:
        """Dollars a month for what the budget leaves in."""
        return sum(line.dollars for line in self.lines if line.tier not in self.deferred)

    @property
    def flat(self) -> float:
        """Dollars a month for every metric of the same resources every `FLAT` seconds."""
        return sum(bill.flat for bill in self.bills)


# ---- for programs ---------------------------------------------------------------------------------------------------


def as_json(statement: Statement) -> dict[str, Any]:
    """The statement as plain data; its shape is versioned by ``version``, its length is that of the table of rows."""
    return {
        "version": VERSION,
        "at": int(statement.at),
        "running": statement.running,
        "hours_per_month": prices.month_seconds // HOUR,
        "dollars_per_month": {
            "projected": statement.projected,
            "everything": statement.full,
            "tiers": {tier.value: dollars for tier, dollars in by_tier(statement.lines).items()},
            "discovery_requests": requests_dollars(statement.requests),
            "flat_300s": statement.flat,
        },
        "budget": {
            "dollars_per_month": statement.budget,
            "deferred": [tier.value for tier in Tier if tier in statement.deferred],
            "reason": statement.reason if statement.deferred else None,
            "notice": statement.verdict or None,
        },
        "lines": [_line(line, statement) for line in statement.lines],
        "not_asked": [
            {
                **_where(each),
                "tier": each.tier.value,
                "reason": each.reason,
                "resources": each.resources,
                "metrics_per_hour": each.per_hour,
            }
            for each in statement.left_out
        ],
        "requests": [
            {
                "account_id": each.account_id,
                "aws_service": each.service,
                "api": each.api,
                "operation": each.operation,
                "requests_per_month": each.per_month,
                "dollars_per_month_before_free": each.dollars,
                "free_per_month": prices.free_requests(each.api),
            }
            for each in statement.requests
        ],
        "changes": [
            {"change": each.what, "dollars_per_month": each.dollars, "how": each.note}
            for each in changes(statement.lines, statement.left_out)
        ],
        "counted_dollars": [
            {"account_id": account, "region": region, "aws_service": service, "operation": operation, "dollars": value}
            for (account, region, service, operation), value in sorted(statement.counted.items())
        ],
        "failures": [
            {"job": job, "operation": operation, "error": error}
            for job, each in statement.failures.items()
            for operation, error in each.items()
        ],
    }


def _where(each: Line | LeftOut) -> dict[str, Any]:
    return {
        "account_id": each.scope.account_id,
        "region": each.scope.region,
        "aws_service": each.service,
        "resource_kind": each.kind,
        "metric": each.metric,
    }


def _line(line: Line, statement: Statement) -> dict[str, Any]:
    deferred = line.tier in statement.deferred
    return {
        **_where(line),
        "tier": line.tier.value,
        "every": line.every,
        "pinned": line.pinned,
        "resources": line.resources,
        "billable_metrics": line.billable,
        "metrics_per_hour": line.per_hour,
        "dollars_per_month": line.dollars,
        "due": line.due,
        "next_due": line.next_due,
        "deferred": statement.reason if deferred else None,
        "silent": line.silent,
    }


# ---- for people -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Table:
    """A title, headings, and rows of texts; columns from *numbers* on are numbers."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: int


def tables(statement: Statement) -> list[Table]:
    """What decides, in the order in which it is asked."""
    found = [_asked(statement), _changed(statement)]
    if statement.running:
        found.append(_standing(statement))
    if statement.left_out:
        found.append(_not_asked(statement))
    if statement.requests:
        found.append(_requests(statement))
    return found


def sentences(statement: Statement) -> list[str]:
    """What the numbers come to: the comparison, the budget, what has been spent."""
    said = []
    if statement.flat:
        share = 100 * statement.projected / statement.flat
        said.append(
            f"The same resources with every metric they have, each asked every {FLAT} s: "
            f"{_dollars(statement.flat)} a month. This plan: {_dollars(statement.projected)}, {share:.0f} % of it."
        )
    if statement.budget is not None:
        fits = f"everything fits into the budget of {statement.budget:g} dollars a month"
        starting = "the budget is reckoned when every service has said what it costs"
        text = starting if statement.reason == "starting" else statement.verdict or fits
        said.append(f"{text[0].upper()}{text[1:]}.")
        if statement.deferred:
            said.append(f"Everything would be {_dollars(statement.full)}.")
    spent = sum(statement.counted.values())
    since = "Counted since the start" if statement.running else "This discovery itself cost"
    said.append(f"{since}: ${spent:.4f} at list prices.")
    return said


def as_text(statement: Statement) -> str:
    """The whole statement, readable in any window and in a file."""
    parts = [f"{table.title}\n\n{_fixed(table)}" for table in tables(statement) if table.rows]
    return "\n\n".join(parts) + "\n\n" + "\n".join(sentences(statement)) + "\n"


def _asked(statement: Statement) -> Table:
    found: dict[tuple[str, Tier, int, bool], list[Line]] = {}
    for line in statement.lines:
        found.setdefault((line.service, line.tier, line.every, line.pinned), []).append(line)
    order = tuple(Tier)
    services = list(dict.fromkeys(line.service for line in statement.lines))
    rows = []
    for key in sorted(found, key=lambda key: (services.index(key[0]), order.index(key[1]), key[3], key[2])):
        service, tier, every, pinned = key
        lines = found[key]
        note = " (deferred)" if tier in statement.deferred else ""
        often = f"{_every(every)}{', pinned' if pinned else ''}"
        rows.append((service, tier.value + note, often, *_amounts(lines)))
    asked = [line for line in statement.lines if line.tier not in statement.deferred]
    rows.append(("total", "", "", *_amounts(asked)))
    headings = ("service", "tier", "every", "metrics", "an hour", "a month")
    return Table("Asked of CloudWatch (GetMetricData, usage type CW:GMD-Metrics)", headings, tuple(rows), 3)


def _amounts(lines: Iterable[Line]) -> tuple[str, str, str]:
    each = list(lines)
    billable, per_hour = sum(line.billable for line in each), sum(line.per_hour for line in each)
    return f"{billable:,}", f"{per_hour:,.0f}", _dollars(sum(line.dollars for line in each))


def _changed(statement: Statement) -> Table:
    rows = tuple(
        (each.what, each.note, f"{'+' if each.dollars > 0 else '-'}{_dollars(abs(each.dollars))}")
        for each in changes(statement.lines, statement.left_out)
    )
    return Table("What a change would add or save", ("change", "how", "a month"), rows, 2)


def _standing(statement: Statement) -> Table:
    found: dict[tuple[str, str, str, Tier], list[Line]] = {}
    for line in statement.lines:
        found.setdefault((line.service, line.scope.account_id, line.scope.region, line.tier), []).append(line)
    rows = []
    for (service, account_id, region, tier), lines in found.items():
        waiting = [line.next_due for line in lines if line.next_due is not None]
        soonest = datetime.fromtimestamp(min(waiting), UTC).strftime("%H:%M:%SZ") if waiting else ""
        why = statement.reason if tier in statement.deferred else ""
        counts = (sum(line.due for line in lines), sum(line.silent for line in lines))
        rows.append((service, account_id, region, tier.value, why, *(f"{count:,}" for count in counts), soonest))
    headings = ("service", "account", "region", "tier", "deferred by", "due now", "silent", "next due")
    return Table("Where it stands", headings, tuple(rows), 5)


def _not_asked(statement: Statement) -> Table:
    found: dict[tuple[str, str, Tier], list[LeftOut]] = {}
    for each in statement.left_out:
        found.setdefault((each.service, each.reason, each.tier), []).append(each)
    rows = []
    for (service, reason, tier), same in found.items():
        metrics = len({(each.kind, each.metric) for each in same})
        dollars = sum(each.per_hour for each in same) * prices.dollars_per_month(1, HOUR)
        rows.append((service, tier.value, reason, f"{metrics:,}", _dollars(dollars)))
    headings = ("service", "tier", "why", "kinds of metrics", "would cost a month")
    return Table("Not asked", headings, tuple(rows), 3)


def _requests(statement: Statement) -> Table:
    found: dict[tuple[str, str], list[Requests]] = {}
    for each in statement.requests:
        found.setdefault((each.api, each.operation), []).append(each)
    rows = []
    for (api, operation), same in found.items():
        free = prices.free_requests(api)
        note = f"{free:,} a month are free" if free else ""
        count, dollars = sum(each.per_month for each in same), sum(each.dollars for each in same)
        rows.append((api, operation, note, f"{count:,.0f}", _dollars(dollars)))
    rows.append(("total", "", "after what is free", "", _dollars(requests_dollars(statement.requests))))
    headings = ("api", "request of discovery", "", "a month", "list price")
    return Table("Requests that are billed by themselves (not in the total above)", headings, tuple(rows), 3)


def _every(seconds: int) -> str:
    if seconds % 86400 == 0:
        return "day, till it is in"
    return f"{seconds} s"


def _dollars(value: float) -> str:
    return f"${value:,.2f}"


def _fixed(table: Table) -> str:
    """Columns as wide as what stands in them."""
    every: Sequence[tuple[str, ...]] = [table.headings, *table.rows]
    widths = [max(len(row[column]) for row in every) for column in range(len(table.headings))]
    lines = []
    for row in every:
        cells = [
            text.rjust(width) if column >= table.numbers else text.ljust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  " + "  ".join(cells).rstrip())
    return "\n".join(lines)
