"""
``python -m tests.rules.mutants [FILE …] [--only ALERT] [--sample N]``: changes one thing at a time in each
rule of ``rules/mimir`` and reports how many of the changes the promtool tests and our own lint catch.

Changed are comparisons, thresholds, operations (over time and across series), spans, offsets, labels of ``by`` and
``on``, matchers, set operations, ``for`` and the labels that alerts carry. A recording's mutant runs against the tests
of every alert that reads it.
"""

from __future__ import annotations

import argparse
import copy
import random
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rules.build.writing import NAMES, suite, suite_names
from tests.rules import linting, linting_across
from tests.rules.expressions import Labels
from tests.rules.pieces import ROOT, Piece, load, mimir_files, name_of, pieces, run

_COMPARISONS = {">": "<", "<": ">", ">=": "<", "<=": ">", "==": "!=", "!=": "=="}
_ACROSS = {"sum": "max", "max": "sum", "min": "sum", "avg": "sum", "count": "max"}
_OVER = {
    "avg_over_time": "max_over_time",
    "max_over_time": "min_over_time",
    "min_over_time": "max_over_time",
    "sum_over_time": "max_over_time",
    "count_over_time": "sum_over_time",
    "last_over_time": "min_over_time",
    "increase": "rate",
    "rate": "increase",
    "deriv": "delta",
    "changes": "resets",
}
_MATCHERS = {"=": "!=", "!=": "=", "=~": "!~", "!~": "=~"}
_SETS = {"and": "unless", "unless": "and", "or": "and"}


_LINTS = (linting.spans, linting.living, linting.counters, linting.denominators)
"""Checks of the lint that need nothing but the rule. None of them finds a fault in a rule as it is shipped."""

EQUIVALENT = (
    ("StorageExporterDown", "last_over_time", "a group has no value"),
    ("StorageExporterEventLoopStalled", "increase", "only whether it is above nought counts"),
    ("StorageExporterPushFailing", "increase", "only whether it is above nought counts"),
    ("claim:storage_owner:info", "last_over_time", "all values are 1"),
    ("node:kubernetes_csi_driver_missing:timestamp_seconds", "max at", "of noughts and ones both are nought together"),
    ("AwsS3LifecycleShortened", "last_over_time", "only whether there is one counts"),
    ("StorageExporterOutboxFailing", "increase", "only whether it is above nought counts"),
    ("filesystem:aws_efs_burst_credits:deriv30m", "last_over_time", "only whether there is one counts"),
    ("filesystem:aws_efs_burst_credits:deriv6h", "last_over_time", "only whether there is one counts"),
    ("volume:aws_ebs_source:info", "rate", "a group has no value"),
    ("volume:aws_ebs_nvme_stalled:bool", "increase", "only whether it is nought counts"),
    ("volume:aws_ebs_nvme_stalled:bool", "max at 288", "only whether it is nought counts, and it is never below"),
    ("volume:aws_ebs_nvme_stalled:bool", "max at 395", "only whether it is nought counts, and it is never below"),
    ("service:storage_exporter_data_stale:reason", "increase", "only whether it is above nought counts"),
)
"""Rule, how the change begins, and why no input whatever tells the changed rule from the shipped one."""

_TURNS = ((0, 1), (1, 4), (4, None))
"""Tests of a piece that are run together: what comes first catches most."""


@dataclass(frozen=True)
class Chosen:
    """Which mutants: of rules with *only* in their name, at most *sample* of a file, *workers* at a time."""

    only: str
    sample: int
    seed: int
    workers: int


@dataclass(frozen=True)
class Mutant:
    """A changed rule: what was changed, and the rule."""

    rule: str
    change: str
    body: dict[str, Any]


def mutants(rule: dict[str, Any]) -> Iterator[Mutant]:
    """All of a rule."""
    expr = rule["expr"]
    for change, text in _expressions(expr):
        yield Mutant(name_of(rule), change, {**rule, "expr": text})
    if wait := rule.get("for"):
        yield Mutant(name_of(rule), f"for {wait} doubled", {**rule, "for": _scaled(wait, 2)})
        yield Mutant(name_of(rule), f"for {wait} removed", {key: value for key, value in rule.items() if key != "for"})
    for label, other in (("severity", "other"), ("component", "other"), ("source", "other")):
        if label in rule.get("labels", {}):
            body = copy.deepcopy(rule)
            body["labels"][label] = other
            yield Mutant(name_of(rule), f"label {label}", body)


def _expressions(expr: str) -> Iterator[tuple[str, str]]:
    masked = _masked(expr)
    for span, new, what in (
        *_compared(expr, masked),
        *_operated(masked),
        *_timed(masked),
        *_labelled(expr, masked),
    ):
        yield what, expr[: span[0]] + new + expr[span[1] :]


Change = tuple[tuple[int, int], str, str]
"""Where, by what, and what that is."""


def _compared(expr: str, masked: str) -> Iterator[Change]:
    for found in re.finditer(r"(?<![=!<>])(>=|<=|==|!=|>|<)(?![=~])", masked):
        if not _in_braces(masked, found.start()):
            yield found.span(1), _COMPARISONS[found[1]], f"{found[1]} at {found.start()} turned"
    for found in re.finditer(r"(-?[0-9.]+(?:[eE][+-]?[0-9]+)?)[ ]*# ([a-z][a-z0-9_]*)$", expr, re.MULTILINE):
        value = float(found[1])
        for changed in (value - 1, value + 1) if value.is_integer() and value <= 10 else (value * 0.7, value * 1.4):
            yield found.span(1), repr(changed), f"{found[2]} {found[1]} to {changed}"


def _operated(masked: str) -> Iterator[Change]:
    for table in (_ACROSS, _OVER):
        for found in re.finditer(r"\b(" + "|".join(table) + r")(?=\s*(\(|by\b))", masked):
            yield found.span(1), table[found[1]], f"{found[1]} at {found.start()} to {table[found[1]]}"
    for found in re.finditer(r"\bquantile(?:_over_time)? *\(([0-9.]+)", masked):
        yield found.span(1), "0.01", f"quantile {found[1]} at {found.start()} to 0.01"
    for found in re.finditer(r"^\s*(and|unless|or)\b", masked, re.MULTILINE):
        yield found.span(1), _SETS[found[1]], f"{found[1]} at {found.start(1)} to {_SETS[found[1]]}"


def _timed(masked: str) -> Iterator[Change]:
    for found in re.finditer(r"\[([0-9]+[smhd])(?=[:\]])", masked):
        for factor in (0.25, 4):
            yield found.span(1), _scaled(found[1], factor), f"span {found[1]} at {found.start()} times {factor}"
    for found in re.finditer(r"\boffset ([0-9]+[smhd])", masked):
        yield found.span(1), _scaled(found[1], 4), f"offset {found[1]} times 4"


def _labelled(expr: str, masked: str) -> Iterator[Change]:
    for found in re.finditer(r"\b(by|on|group_left|group_right|ignoring|without) \(([^)]+)\)", masked):
        labels = [label.strip() for label in found[2].split(",")]
        for label in labels if len(labels) > 1 else ():
            left = ", ".join(other for other in labels if other != label)
            yield found.span(2), left, f"{found[1]} at {found.start()} without {label}"
    for found in re.finditer(r'(=~|!~|!=|=)(?=")', expr):
        if _in_braces(masked, found.start()):
            yield found.span(1), _MATCHERS[found[1]], f"matcher {found[1]} at {found.start()} turned"


def _masked(expr: str) -> str:
    """The expression with what is between quotes, and comments, as spaces of the same length."""
    text = re.sub(r'"(?:[^"\\]|\\.)*"', lambda found: '"' + " " * (len(found[0]) - 2) + '"', expr)
    return re.sub(r"#.*$", lambda found: " " * len(found[0]), text, flags=re.MULTILINE)


def _in_braces(masked: str, at: int) -> bool:
    return masked.rfind("{", 0, at) > masked.rfind("}", 0, at)


def _scaled(duration: str, factor: float) -> str:
    seconds = int(duration[:-1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[duration[-1]]
    return f"{max(int(seconds * factor), 1)}s"


def survivors(found: list[Piece], own: set[str], chosen: Chosen) -> Iterator[tuple[Mutant, bool]]:
    """
    Each mutant, and whether a test caught it.

    Args:
        found: the pieces.

        own: rules that are changed; what they read of other files is not.

        chosen: which of their mutants.
    """
    rules: dict[str, dict[str, Any]] = {}
    readers: dict[str, list[Piece]] = {}
    for piece in found:
        for group in piece.groups:
            for rule in group["rules"]:
                rules.setdefault(name_of(rule), rule)
                readers.setdefault(name_of(rule), []).append(piece)
    names = [name for name in rules if name in own and chosen.only in name]
    tried = [mutant for name in names for mutant in mutants(rules[name]) if not equivalent(mutant)]
    if chosen.sample < len(tried):
        tried = random.Random(chosen.seed).sample(tried, chosen.sample)
    shipped = [group for file in mimir_files() for group in load(file)["groups"]]
    known = linting_across.labels(linting.Pack(shipped, {}))
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(chosen.workers) as pool:

        def judged(job: tuple[int, Mutant]) -> tuple[Mutant, bool]:
            number, mutant = job
            return mutant, linted(mutant, known) or _caught(mutant, readers[mutant.rule], Path(folder), number)

        yield from pool.map(judged, enumerate(tried))


def equivalent(mutant: Mutant) -> bool:
    """Whether it is in `EQUIVALENT`."""
    return any(mutant.rule == rule and mutant.change.startswith(change) for rule, change, _ in EQUIVALENT)


def linted(mutant: Mutant, known: Mapping[str, Labels]) -> bool:
    """
    Whether our own lint refuses it: what it says of a rule by itself.

    Args:
        mutant: the changed rule.

        known: the labels of the recordings as they are shipped.
    """
    pack = linting.Pack([{"name": "storage-exporter.mutants", "interval": "1m", "rules": [mutant.body]}], {})
    return any(complaint for check in _LINTS for complaint in check(pack)) or any(
        complaint for across in linting_across.CHECKS for complaint in across(pack, known)
    )


def _caught(mutant: Mutant, readers: list[Piece], folder: Path, number: int) -> bool:
    # A test costs a tenth of a second and mostly the first one tells: of the rule itself, then of those that read it.
    ordered = sorted(readers, key=lambda each: each.name != mutant.rule)
    for place, (first, last) in enumerate(_TURNS):
        for piece in ordered:
            if tests := piece.tests[first:last]:
                groups = [
                    {
                        **group,
                        "rules": [mutant.body if name_of(rule) == mutant.rule else rule for rule in group["rules"]],
                    }
                    for group in piece.groups
                ]
                file = Piece(piece.name, groups, tests, piece.step).write(folder, f"{number}-{place}")
                if run([file]).returncode != 0:
                    return True
    return False


def _mutants_of(name: str, only: str) -> Iterator[Mutant]:
    """All of a file's rules with *only* in their name."""
    for group in load(ROOT / "mimir" / f"{name}.yaml")["groups"]:
        for rule in group["rules"]:
            if only in name_of(rule):
                yield from mutants(rule)


def main() -> int:
    """The report; exit code 1 below the share that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="*", help="names of rule files, such as efs; all of them unless given")
    parser.add_argument("--only", default="", help="rules whose name has this in it")
    parser.add_argument("--sample", type=int, default=1_000_000, help="of each file, at random")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--reach", type=float, default=0.95)
    options = parser.parse_args()
    names = options.file or list(NAMES)
    caught = total = 0
    for name in names:
        mine = {name_of(rule) for group in load(ROOT / "mimir" / f"{name}.yaml")["groups"] for rule in group["rules"]}
        found = [piece for each in suite_names() if each.partition("-")[0] == name for piece in pieces(suite(each))]
        chosen = Chosen(options.only, options.sample, options.seed, options.workers)
        own = list(survivors(found, mine, chosen))
        left = [mutant for mutant, was in own if not was]
        same = [mutant for mutant in _mutants_of(name, options.only) if equivalent(mutant)]
        for mutant in left:
            sys.stdout.write(f"survived: {mutant.rule}: {mutant.change}\n")
        sys.stdout.write(f"{name}: {len(own) - len(left)} of {len(own)} caught, {len(same)} left out as equivalent\n")
        caught, total = caught + len(own) - len(left), total + len(own)
    share = caught / total if total else 0.0
    sys.stdout.write(f"all: {caught} of {total} caught, {share:.1%}\n")
    return 0 if share >= options.reach else 1


if __name__ == "__main__":
    sys.exit(main())
