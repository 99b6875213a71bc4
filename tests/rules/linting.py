"""
Our own lint of the PromQL rules: what promtool does not look at. Each check is a function from the rules to complaints.

What metrics there are comes from ``metrics --json``; whose others may be read stands in `CLIENTS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from rules.build import first
from rules.build.identity import IDENTITIES
from tests.rules.expressions import (
    Inference,
    Labels,
    bare,
    is_comparison,
    is_number,
    kind,
    op,
    parse,
    recording_labels,
    selectors,
    walk,
)

CLIENTS = (
    r"kubelet_volume_stats_\w+",
    r"kube_\w+",
    r"aws_ebs_csi_\w+",
    r"(loki|tempodb|tempo|cortex|thanos|objstore)_\w+",
    r"(cortex_|loki_)?prometheus_rule_evaluation_failures_total",
)
"""Metrics of others that rules may read."""

FUNCTIONS = frozenset(
    """
    abs absent_over_time avg_over_time ceil changes clamp_max clamp_min count_over_time delta deriv floor
    histogram_quantile increase label_join label_replace last_over_time max_over_time min_over_time
    predict_linear quantile_over_time rate
    round stddev_over_time sum_over_time time timestamp vector day_of_week hour
    """.split()  # noqa: SIM905 - a list of words
)
"""Functions that Prometheus 2.42 and Mimir both have, as far as they are of use here."""

OVER_TIME = frozenset(name for name in FUNCTIONS if name.endswith("_over_time")) | {
    "rate", "increase", "delta", "deriv", "changes", "predict_linear",
}  # fmt: skip
COUNTING = frozenset({"rate", "increase"})
AGGREGATIONS = frozenset({"sum", "max", "min", "avg", "count", "group", "quantile", "stddev", "count_values"})
SEVERITIES = frozenset({"critical", "warning", "info", "none"})
SOURCES = frozenset({"exporter", "client", "logs"})
UNITS = frozenset({"ratio", "bytes", "seconds", "per_second", "count", "iops", "bytes_per_second", "dollars"})
COMPONENTS = frozenset(
    {"ebs", "efs", "s3", "elasticache", "claims", "protection", "exporter", "observability", "nodes"}
)

_RECORD = re.compile(r"[a-z_]+:[a-z0-9_]+:[a-z0-9_]+")
_ALERT = re.compile(r"(Aws|Storage|StorageExporter|Observability)[A-Z][A-Za-z0-9]+")
_TEMPLATE_LABEL = re.compile(r"\$labels\.([a-zA-Z_][a-zA-Z0-9_]*)")
_DURATION = re.compile(r"([0-9]+)([smhd])")
_COUNTED = frozenset({"sum_over_time", "count_over_time", "avg_over_time"})
_LATE_IS_WELL = frozenset({"node:aws_elasticache_is_primary:newest"})
"""Recordings that only say who a resource is: a minute late is no matter."""
_FOLDS = {"mean": "avg_over_time", "max": "max_over_time", "min": "min_over_time", "newest": "last_over_time"}


@dataclass(frozen=True)
class Pack:
    """
    The rules to look at.

    Args:
        groups: of all files, in order.

        thresholds: ``rules/thresholds.yaml``.
    """

    groups: list[dict[str, Any]]
    thresholds: dict[str, dict[str, dict[str, Any]]]

    @property
    def rules(self) -> list[dict[str, Any]]:
        """All of them."""
        return [rule for group in self.groups for rule in group["rules"]]

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """Those that alert."""
        return [rule for rule in self.rules if "alert" in rule]


def name(rule: dict[str, Any]) -> str:
    """Of a rule."""
    return str(rule.get("alert") or rule["record"])


def unknown_metrics(pack: Pack) -> Iterator[str]:
    """Every metric is a family of the exporter, a recording, or one of a client that is listed."""
    known = {rule["record"] for rule in pack.rules if "record" in rule} | set(first.families())
    for rule in pack.rules:
        for node, _ in selectors(rule["expr"]):
            read = node.name or next((m.value for m in node.matchers.matchers if m.name == "__name__"), "")
            if read in known or any(re.fullmatch(client, read) for client in CLIENTS):
                continue
            if not node.name and re.match(r"\(?\(?thanos_|\(?cortex_|\(?objstore", read):
                continue
            yield f"{name(rule)} reads {read or 'a selector without a name'}, which nothing exports"


def impossible_labels(pack: Pack) -> Iterator[str]:
    """Labels of ``by``, ``on``, matchers and templates are there."""
    known, faults = recording_labels(pack.rules)
    yield from faults
    for rule in pack.alerts:
        inference = Inference(known)
        left = inference.of(parse(rule["expr"]))
        yield from (f"{name(rule)}: {fault}" for fault in inference.faults)
        yield from _template_labels(rule, left)


def _template_labels(rule: dict[str, Any], left: Labels) -> Iterator[str]:
    if left is None:
        return
    there = left | set(rule["labels"]) | {"alertname"}
    for key, text in rule["annotations"].items():
        for label in _TEMPLATE_LABEL.findall(text):
            if label not in there:
                yield f"{name(rule)}: {key} shows $labels.{label}, which the expression does not leave: {sorted(left)}"


def scraper_labels(pack: Pack) -> Iterator[str]:
    """
    No alert and no recording carries the exporter's pod, or the labels of whatever scraped it. What clients say of
    themselves is told by their job.
    """
    known, _ = recording_labels(pack.rules)
    for rule in pack.rules:
        left = Inference(known).of(parse(rule["expr"])) or frozenset()
        theirs = {"job"} if name(rule).startswith(("job:", "Observability")) else set()
        if bad := (left & {"pod", "instance", "container", "endpoint", "job", "service", "replica"}) - theirs:
            yield f"{name(rule)} leaves {sorted(bad)}"


def conditions(pack: Pack) -> Iterator[str]:
    """Every alert has a condition, or it fires on any value."""
    for rule in pack.alerts:
        nodes = [node for node, _ in walk(parse(rule["expr"]))]
        has = any(is_comparison(node) or (kind(node) == "BinaryExpr" and op(node) == "unless") for node in nodes)
        if not has and rule["expr"].strip() != "vector(1)" and not _reads_condition(rule):
            yield f"{name(rule)} compares nothing"


def _reads_condition(rule: dict[str, Any]) -> bool:
    """Whether it reads only info families or recordings that exist while something is wrong."""
    return all((node.name or "").endswith(("_info", ":reason", ":info")) for node, _ in selectors(rule["expr"]))


def functions(pack: Pack) -> Iterator[str]:
    """Only functions and aggregations that all engines have; none that picks series by rank."""
    for rule in pack.rules:
        for node, _ in walk(parse(rule["expr"])):
            if kind(node) == "Call" and node.func.name not in FUNCTIONS:
                yield f"{name(rule)} uses {node.func.name}()"
            if kind(node) == "AggregateExpr" and op(node) not in AGGREGATIONS:
                yield f"{name(rule)} uses {op(node)}"


def counters(pack: Pack) -> Iterator[str]:
    """Counters are read by rate and increase only, and gauges never."""
    for rule in pack.rules:
        for node, above in selectors(rule["expr"]):
            family = first.families().get(node.name or "")
            functions_above = [each.func.name for each in above if kind(each) == "Call"]
            if family is None:
                continue
            counted = bool(functions_above) and functions_above[-1] in COUNTING
            if (family["type"] == "counter") != counted:
                yield f"{name(rule)} reads the {family['type']} {node.name} by {functions_above[-1:] or 'nothing'}"


def spans(pack: Pack) -> Iterator[str]:
    """
    CloudWatch families are read over time by the operation of their fold over their span (or, newest, now), or counted
    over at least as long; and nothing reads them bare but beside the same over the span.
    """
    for rule in pack.rules:
        for node, above in selectors(rule["expr"]):
            family = first.families().get(node.name or "")
            if family is None or family["kind"] != "cloudwatch":
                continue
            span = timedelta(seconds=first.span(node.name))
            if above and kind(above[-1]) == "MatrixSelector":
                function, window = above[-2].func.name, above[-1].range
                exact = function == _FOLDS[family["fold"]] and window == span
                # Counting must see a whole burst, or say from how many values on it says anything.
                least = timedelta(seconds=min(family["every"], family["witness"] or family["every"]))
                guarded = re.search(rf"count_over_time\(\s*{node.name}\[\w+\]\s*\)\s*\)\s*>=\s*\d+", rule["expr"])
                counting = function in _COUNTED and (window >= least or guarded is not None)
                if not exact and not counting:
                    said = f"its row says {family['fold']}, {span}"
                    yield f"{name(rule)} reads {node.name} by {function} over {window}; {said}"
            elif family["fold"] != "newest" or "last_over_time" not in rule["expr"]:
                yield f"{name(rule)} reads {node.name} bare: it flickers between two datapoints"


def living(pack: Pack) -> Iterator[str]:
    """What reads a CloudWatch family is bound to the inventory: a deleted resource ends."""
    for rule in pack.rules:
        read = {node.name or "" for node, _ in selectors(rule["expr"])}
        for each in read:
            family = first.families().get(each)
            if family and family["kind"] == "cloudwatch" and first.identity_of(each)[1] not in read:
                yield f"{name(rule)} reads {each} without {first.identity_of(each)[1]}"
        for node, above in walk(parse(rule["expr"])):
            yield from _bound_by_less(rule, node)
            yield from _known_by_less(rule, node, above)


def _bound_by_less(rule: dict[str, Any], node: Any) -> Iterator[str]:
    """``and on (…) …_info`` by less than the identity would let a namesake elsewhere keep a deleted resource alive."""
    if kind(node) != "BinaryExpr" or op(node) != "and":
        return
    info = bare(node.rhs)
    if is_comparison(info) and (getattr(info.lhs, "name", None) or "").endswith("_info"):
        yield f"{name(rule)} compares {info.lhs.name} with a number, not what stands before `and`"
    if kind(info) != "VectorSelector":
        return
    identity = next((labels for labels, known in IDENTITIES.values() if known == info.name), None)
    read = {name for name, (labels, known) in _levels(node.lhs).items() if known == info.name}
    if identity and read and set(node.modifier.matching.labels) != set(identity):
        yield f"{name(rule)}: {sorted(read)} end by {node.modifier.matching.labels} of {info.name}, not by {identity}"


def _known_by_less(rule: dict[str, Any], node: Any, above: tuple[Any, ...]) -> Iterator[str]:
    """A first aggregation over less than the identity makes one of two resources."""
    family = first.families().get(getattr(node, "name", None) or "")
    if family is None or family["kind"] != "cloudwatch":
        return
    nearest = next((each for each in reversed(above) if kind(each) == "AggregateExpr"), None)
    kept = set(nearest.modifier.labels) if nearest is not None and nearest.modifier else set()
    if missing := set(first.labels_of(node.name)) - kept:
        yield f"{name(rule)} aggregates {node.name} without {sorted(missing)}"


def _levels(node: Any) -> dict[str, tuple[tuple[str, ...], str]]:
    """The CloudWatch families below a node, with their identity and info."""
    names = {each.name or "" for each, _ in walk(node) if kind(each) == "VectorSelector"}
    return {
        each: first.identity_of(each)
        for each in names
        if (family := first.families().get(each)) and family["kind"] == "cloudwatch"
    }


def denominators(pack: Pack) -> Iterator[str]:
    """Nothing is divided by what may be zero."""
    for rule in pack.rules:
        for node, _ in walk(parse(rule["expr"])):
            if kind(node) != "BinaryExpr" or op(node) != "/" or is_number(node.rhs):
                continue
            inner = bare(node.rhs)
            if kind(inner) == "UnaryExpr":
                inner = bare(inner.expr)
            guarded = is_comparison(inner) or (kind(inner) == "Call" and inner.func.name == "clamp_min")
            if not guarded and not (kind(inner) == "AggregateExpr" and is_comparison(inner.expr)):
                yield f"{name(rule)} divides by {str(node.rhs)[:80]}, which may be zero"


def no_zeroes(pack: Pack) -> Iterator[str]:
    """What is missing is not made a zero."""
    for rule in pack.rules:
        if re.search(r"\bor\s+(on \([^)]*\)\s*)?vector\(", rule["expr"]):
            yield f"{name(rule)}: or vector(…)"


def sizes(pack: Pack) -> Iterator[str]:
    """Mimir's limits: 20 rules a group, 70 groups; no interval over the look-back of 5 minutes."""
    if len(pack.groups) > 70:
        yield f"{len(pack.groups)} groups"
    for group in pack.groups:
        if len(group["rules"]) > 20:
            yield f"{group['name']} has {len(group['rules'])} rules"
        if set(group) != {"name", "interval", "rules"}:
            yield f"{group['name']} has the keys {sorted(group)}"
        if _seconds(group["interval"]) > 300:
            yield f"{group['name']}: interval {group['interval']}"
    names = [group["name"] for group in pack.groups]
    yield from (f"two groups {each}" for each in set(names) if names.count(each) > 1)


def names(pack: Pack) -> Iterator[str]:
    """``level:metric:operation`` and CamelCase with its prefix, each once."""
    every = [name(rule) for rule in pack.rules]
    yield from (f"{each} is there twice" for each in sorted(set(every)) if every.count(each) > 1)
    for rule in pack.rules:
        if "record" in rule and not _RECORD.fullmatch(rule["record"]):
            yield f"{rule['record']} is not level:metric:operation"
        if "alert" in rule and not _ALERT.fullmatch(rule["alert"]):
            yield f"{rule['alert']} has none of our prefixes"


def order(pack: Pack) -> Iterator[str]:
    """A recording stands before what reads it in its group; a page in the group of the recordings it compares."""
    home = {rule["record"]: group["name"] for group in pack.groups for rule in group["rules"] if "record" in rule}
    for group in pack.groups:
        seen: set[str] = set()
        for rule in group["rules"]:
            for node, _ in selectors(rule["expr"]):
                read = node.name or ""
                if home.get(read) == group["name"] and read not in seen:
                    yield f"{name(rule)} reads {read}, which its group records later"
            if rule.get("labels", {}).get("severity") == "critical":
                yield from _elsewhere(rule, group["name"], home)
            seen.add(name(rule))


def _elsewhere(rule: dict[str, Any], group: str, home: dict[str, str]) -> Iterator[str]:
    read = {node.name for node, _ in selectors(rule["expr"]) if node.name in home}
    slow = {each for each in read if home[each] != group and not each.endswith(":info") and each not in _LATE_IS_WELL}
    if slow:
        where = sorted({home[each] for each in slow})
        yield f"{name(rule)} pages a minute late: {sorted(slow)} are recorded in {where}"


def unused(pack: Pack) -> Iterator[str]:
    """Recordings that are read must be there; `unknown_metrics` says so. Here: durations that say nothing."""
    for rule in pack.alerts:
        for key in ("for", "keep_firing_for"):
            if key in rule and _seconds(rule[key]) == 0:
                yield f"{name(rule)}: {key} {rule[key]} says nothing"


def texts(pack: Pack) -> Iterator[str]:
    """Labels and annotations are all there, with allowed values; no value in a label."""
    for rule in pack.alerts:
        labels, notes = rule["labels"], rule["annotations"]
        if labels.get("severity") not in SEVERITIES or labels.get("source") not in SOURCES:
            yield f"{name(rule)}: severity or source"
        if labels.get("component") not in COMPONENTS or labels.get("project") != "storage-exporter":
            yield f"{name(rule)}: component or project"
        if any("$value" in str(value) for value in labels.values()):
            yield f"{name(rule)}: $value in a label makes a new alert each minute"
        if missing := {"summary", "description", "runbook_url"} - set(notes):
            yield f"{name(rule)} lacks {sorted(missing)}"
        if set(notes) - {"summary", "description", "runbook_url", "dashboard_url", "console_url"}:
            yield f"{name(rule)} has the annotations {sorted(notes)}"
        if not notes.get("runbook_url", "").endswith(f"#{rule['alert'].lower()}"):
            yield f"{name(rule)}: runbook_url"
        if labels.get("severity") == "critical" and "dashboard_url" not in notes:
            yield f"{name(rule)} pages without a dashboard"
        if re.search(r"\{\{\s*\$value\s*\}\}\s*(%|s\b)", notes["summary"]):
            yield f"{name(rule)}: a bare value with a unit"


def thresholds(pack: Pack) -> Iterator[str]:
    """The table and the expressions say the same numbers, with a known unit, of the recording's own kind."""
    for rule in pack.alerts:
        written = dict(re.findall(r"(?m)# ([a-z][a-z0-9_]*)$()", rule["expr"]))
        declared = pack.thresholds.get(rule["alert"], {})
        if set(written) != set(declared):
            yield f"{name(rule)}: thresholds {sorted(written)} in the expression, {sorted(declared)} in the table"
        for key, entry in declared.items():
            found = re.search(rf"(?m)(-?[0-9.]+(?:[eE][+-]?[0-9]+)?)[ ]*# {key}$", rule["expr"])
            if not found or float(found[1]) != float(entry["value"]):
                yield f"{name(rule)}: {key} is {found and found[1]} in the expression, {entry['value']} in the table"
            if entry["unit"] not in UNITS or not entry["meaning"]:
                yield f"{name(rule)}: {key} has unit {entry['unit']!r}, meaning {entry['meaning']!r}"
        direct = re.fullmatch(
            r"\s*\(?([a-z_]+:[a-z0-9_]+:([a-z]+)[a-z0-9_]*)\s*[<>]=?\s*[-0-9.e+]+\s*# ([a-z0-9_]+)\s*\)?.*",
            rule["expr"],
            re.DOTALL,
        )
        if direct and direct[2] in UNITS and declared.get(direct[3], {}).get("unit") != direct[2]:
            yield f"{name(rule)} compares {direct[1]} with a threshold in {declared.get(direct[3], {}).get('unit')}"


def regexps(pack: Pack) -> Iterator[str]:
    """No needless or unanchored-looking regular expression; never all families of a prefix."""
    for rule in pack.rules:
        for node, _ in selectors(rule["expr"]):
            for matcher in node.matchers.matchers:
                if "Re(" not in str(matcher.op) and "Re" not in str(matcher.op):
                    continue
                if re.fullmatch(r"[\w-]+|\^.*|.*\$", matcher.value):
                    yield f"{name(rule)}: {matcher.name}=~{matcher.value!r} is no expression, or anchored anyway"
                if matcher.name == "__name__" and matcher.value.startswith("aws_"):
                    yield f"{name(rule)} reads all families of {matcher.value}"


CHECKS: tuple[Callable[[Pack], Iterator[str]], ...] = (
    unknown_metrics, impossible_labels, scraper_labels, conditions, functions, counters, spans, living, denominators,
    no_zeroes, sizes, names, order, unused, texts, thresholds, regexps,
)  # fmt: skip


def _seconds(duration: str) -> int:
    return sum(int(n) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[unit] for n, unit in _DURATION.findall(duration))
