"""The dashboards' lint of what is asked: metrics, labels, aggregations, ranges, and the lines of Loki."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

from rules.build import first
from tests.dashboards import reading
from tests.dashboards.labels import PICKING, leaves, parse, selectors
from tests.dashboards.linting import Boards, Check, Fault, twice
from tests.dashboards.reading import Asked
from tests.rules.expressions import TARGET, kind, op, walk
from tests.rules.linting import CLIENTS
from tests.rules.logql import Matcher
from tests.rules.logql_run import takes_streams_without_labels
from tests.rules.stepper import seconds

COUNTING = frozenset({"rate", "irate", "increase"})
NAMING = frozenset(
    """
    cluster account_id region volume_id file_system_id access_point_id bucket replication_group_id cache_cluster_id
    cache_node_id serverless_cache namespace persistentvolumeclaim instance_id key_id aws_service
    """.split()  # noqa: SIM905 - a list of words
)
"""Labels that name a resource, or where it is."""

UNIQUE = frozenset({"volume_id", "file_system_id", "access_point_id", "instance_id", "bucket"})
"""Ids that AWS gives or takes once."""

FOLDS = frozenset({"max", "min", "avg"})
"""Aggregations in which the same series of two replicas are one."""

PLACE = frozenset({"cluster", "account_id", "region"})
ALWAYS = frozenset({"ALERTS", "ALERTS_FOR_STATE"})
"""Metrics that every ruler has."""

_COUNTER = re.compile(r"\w+_(total|count|sum|bucket)")
_STREAM = re.compile(r"\{([^}]*)\}")
_MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"')
_SPANS = {name: timedelta(seconds=seconds(getattr(reading, name))) for name in ("RATE", "RANGE", "INTERVAL")}
_LONG = timedelta(hours=1)


def every(boards: Boards) -> Iterator[Asked]:
    """All PromQL of all dashboards; what a variable reads as the query that it is."""
    for document in boards.documents:
        yield from reading.asked(document)
        for each in reading.variables(document):
            if each["type"] == "query":
                selector, label = reading.values_of(each)
                name = each["name"]
                yield Asked(document["uid"], name, "", selector, "instant", f"{{{{{label}}}}}", "variable")


def parsed(boards: Boards) -> Iterator[Fault]:
    """Every query is PromQL."""
    for one in every(boards):
        try:
            parse(one.tree)
        except ValueError as error:
            yield Fault(one.uid, one.panel, f"{one.ref}: {error}: {one.expr}")


def metrics(boards: Boards) -> Iterator[Fault]:
    """Every metric is a recording of the rules, a family of the exporter, a ruler's, or a client's that rules read."""
    read_by_rules = {node.name or "" for rule in boards.rules for node, _ in selectors(rule["expr"])}
    clients = {name for name in read_by_rules if any(re.fullmatch(client, name) for client in CLIENTS)}
    known = boards.recordings.keys() | first.families().keys() | ALWAYS | clients
    for one in every(boards):
        for node, _ in selectors(one.tree):
            read = node.name or ""
            if read not in known:
                yield Fault(
                    one.uid, one.panel, f"{one.ref} reads {read or 'a selector without a name'}: nothing has it"
                )


def labels(boards: Boards) -> Iterator[Fault]:
    """Labels of matchers, ``by``, ``on`` and legends are there."""
    for one in every(boards):
        left, faults = leaves(one.tree, boards.recordings)
        yield from (Fault(one.uid, one.panel, f"{one.ref}: {fault}") for fault in faults)
        for name in one.labels:
            if left is not None and name not in left:
                yield Fault(one.uid, one.panel, f"{one.ref}: the legend shows {name}; there are {sorted(left)}")


def legends(boards: Boards) -> Iterator[Fault]:
    """What is drawn is called by name, and no two queries of a panel by the same."""
    for uid, panel in boards.panels():
        if panel["type"] in {"table", "logs", "text"}:
            continue
        said = [target.get("legendFormat") for target in panel["targets"]]
        bare = [each for each in said if each in {None, "", "__auto"}]
        if bare and (panel["type"] != "stat" or len(said) > 1):
            yield Fault(uid, panel["title"], "a query has no legend")
        for each in twice(each or "" for each in said):
            yield Fault(uid, panel["title"], f"two queries are called {each}")
    single = {(document["uid"], name) for document in boards.documents for name in _single(document)}
    for one in every(boards):
        if one.kind in {"table", "annotation", "variable"} or one.labels:
            continue
        left, _ = leaves(one.tree, boards.recordings)
        # Where one resource is chosen, its name need not be said again.
        if (left or frozenset()) - PLACE and not any((one.uid, name) in single for name in reading.used(one.expr)):
            yield Fault(one.uid, one.panel, f"{one.ref}: the legend says none of {sorted(left or ())}")


def tables(boards: Boards) -> Iterator[Fault]:
    """A table's queries leave exactly the labels of its keys, or its rows do not meet; sorting is by a column."""
    for uid, panel in boards.panels():
        if panel["type"] != "table":
            continue
        keys = set(reading.keys(panel))
        for target in panel["targets"]:
            left, _ = leaves(reading.for_tree(target["expr"]), boards.recordings)
            if left is None or set(left) != keys:
                less, more = sorted(keys - (left or set())), sorted((left or set()) - keys)
                why = "are not known: aggregate it" if left is None else f"lack {less} and have {more} beside the keys"
                yield Fault(uid, panel["title"], f"{target['refId']}: its labels {why}")
        there = reading.headings(panel)
        values = {f"Value #{target['refId']}" if len(panel["targets"]) > 1 else "Value" for target in panel["targets"]}
        if set(there.values()) - keys != values:
            yield Fault(uid, panel["title"], f"the columns {sorted(there.values())} are not those of its queries")
        for each in panel["options"].get("sortBy", []):
            if each["displayName"] not in there:
                yield Fault(uid, panel["title"], f"it sorts by {each['displayName']}, which is no column")
        for override in panel["fieldConfig"]["overrides"]:
            if override["matcher"]["options"] not in there:
                yield Fault(uid, panel["title"], f"it says something of {override['matcher']['options']}, no column")


def scrapers(boards: Boards) -> Iterator[Fault]:
    """Nothing hangs on who scraped or pushed: no ``up``, and no label of a target of the exporter."""
    for one in every(boards):
        for node, above in selectors(one.tree):
            name = node.name or ""
            if name == "up":
                yield Fault(one.uid, one.panel, f"{one.ref} reads up, which no push has")
            if name not in boards.recordings and name not in first.families():
                continue
            own = set(first.labels_of(name)) if name in first.families() else boards.recordings[name] or set()
            asked = {matcher.name for matcher in node.matchers.matchers}
            asked |= {label for each in above for label in _kept(each)}
            if bad := (asked & TARGET) - set(own):
                yield Fault(one.uid, one.panel, f"{one.ref} asks {name} for {sorted(bad)} of whoever scraped")


def _kept(node: Any) -> list[str]:
    return list(node.modifier.labels) if kind(node) == "AggregateExpr" and node.modifier else []


def replicas(boards: Boards) -> Iterator[Fault]:
    """Two replicas never double: a family is first folded over its copies, by all that names a resource."""
    for one in every(boards):
        if one.kind == "variable":
            continue
        for node, above in selectors(one.tree):
            family = first.families().get(node.name or "")
            if family is None:
                continue
            around = [each for each in above if kind(each) == "AggregateExpr"]
            calls = {each.func.name for each in above if kind(each) == "Call"}
            if _only_there(node, above):
                continue
            if not around:
                yield Fault(one.uid, one.panel, f"{one.ref} reads {node.name} without max by (…)")
                continue
            nearest = op(around[-1])
            counted = family["type"] == "counter" and bool(calls & COUNTING)
            if nearest not in FOLDS and nearest != "group" and not (counted and nearest == "sum"):
                yield Fault(one.uid, one.panel, f"{one.ref}: {nearest} over {node.name} counts each replica")
            elif nearest != "sum" and len(around) > 1:
                yield from _merged(one, node.name, set(_kept(around[-1])))


def _only_there(node: Any, above: tuple[Any, ...]) -> bool:
    """Whether it is only asked if a selector is there: right of ``and`` and ``unless``, or times nothing."""
    for place, each in enumerate(above):
        if kind(each) != "BinaryExpr":
            continue
        below = above[place + 1] if place + 1 < len(above) else node
        if op(each) in {"and", "unless"} and str(each.rhs) == str(below) and str(each.lhs) != str(below):
            return True
        if op(each) == "*" and kind(each.lhs) == "NumberLiteral" and each.lhs.val == 0:
            return True
    return False


def _merged(one: Asked, name: str, kept: set[str]) -> Iterator[Fault]:
    try:
        # Two clusters that see one resource see one.
        identity = set(first.identity_of(name)[0]) - {"cluster"}
    except KeyError:
        return
    if identity & kept & UNIQUE:
        identity -= {"account_id", "region"}
    if lost := identity - kept:
        yield Fault(one.uid, one.panel, f"{one.ref} folds {name} without {sorted(lost)}: several resources become one")


def late(boards: Boards) -> Iterator[Fault]:
    """CloudWatch's values come late and in bursts: read over their span, or by their recording."""
    for one in every(boards):
        for node, above in selectors(one.tree):
            family = first.families().get(node.name or "")
            if family is None or family["kind"] != "cloudwatch" or one.kind == "variable":
                continue
            over = above[-1].range if above and kind(above[-1]) == "MatrixSelector" else timedelta(0)
            if over < timedelta(seconds=family["span"]):
                wanted = f"last_over_time over {family['span']} s, or its recording"
                yield Fault(one.uid, one.panel, f"{one.ref} reads {node.name} over {over}: it takes {wanted}")


def rates(boards: Boards) -> Iterator[Fault]:
    """
    Counters are read by rate and increase, nothing else is; rates over Grafana's own interval, increases also over the
    whole range or, now, over an hour and more. Nothing else uses that interval.
    """
    for one in every(boards):
        for node, above in selectors(one.tree):
            name = node.name or ""
            over = above[-1].range if above and kind(above[-1]) == "MatrixSelector" else None
            call = next((each.func.name for each in reversed(above) if kind(each) == "Call"), "") if over else ""
            family = first.families().get(name)
            known = family is not None or name in boards.recordings or name in ALWAYS
            counter = family["type"] == "counter" if family else not known and bool(_COUNTER.fullmatch(name))
            if one.kind != "variable" and (known or counter) and counter != (call in COUNTING):
                what = "counter" if counter else "gauge"
                yield Fault(one.uid, one.panel, f"{one.ref} reads the {what} {name} by {call or 'nothing'}")
            if call in COUNTING:
                whole = call == "increase" and (
                    over == _SPANS["RANGE"] or (one.how == "instant" and over and over >= _LONG)
                )
                if over != _SPANS["RATE"] and not whole:
                    yield Fault(one.uid, one.panel, f"{one.ref}: {call} over {over}, not $__rate_interval")
            elif over == _SPANS["RATE"]:
                yield Fault(one.uid, one.panel, f"{one.ref}: {call} over $__rate_interval, which is for rates")


def picked(boards: Boards) -> Iterator[Fault]:
    """No ``topk`` over time: which series it picks changes from step to step. Nothing missing is made a zero."""
    for one in every(boards):
        for node, _ in walk(parse(one.tree)):
            if kind(node) == "AggregateExpr" and op(node) in PICKING and one.how == "range":
                yield Fault(one.uid, one.panel, f"{one.ref}: {op(node)} over time flickers")


def chosen(boards: Boards) -> Iterator[Fault]:
    """
    A query asks for the chosen place: each selector by itself, as far as its metric has it, or by what it is joined
    to. And for what is chosen: each label that is a variable of the dashboard, or the one that has exactly one value.
    """
    for document in boards.documents:
        kinds = {each["name"]: each for each in reading.variables(document) if each["type"] == "query"}
        single = _single(document)
        for one in every(replace(boards, documents=[document])):
            found = selectors(one.tree)
            given = {label for node, _ in found for label in _asked_for(node)}
            for node, above in found:
                known = boards.recordings.get(node.name or "")
                if node.name in first.families():
                    known = frozenset(first.labels_of(node.name))
                # Alerts on what clients say have no account and no region, and are shown all the same.
                there = (known or frozenset()) - ({"account_id", "region"} if node.name in ALWAYS else set())
                for label in _before(kinds, one):
                    by = _asked_for(node) | _joined(node, above) if label in PLACE else given
                    if label in there and label not in by and not (label not in PLACE and single & given):
                        yield Fault(one.uid, one.panel, f"{one.ref}: {node.name} is not asked for the chosen {label}")
                for matcher in node.matchers.matchers:
                    for name in reading.used(matcher.value):
                        if kinds.get(name, {}).get("multi") and "Re" not in str(matcher.op):
                            yield Fault(one.uid, one.panel, f"{one.ref}: ${name} may be several values: =~")


def _single(document: reading.Document) -> set[str]:
    """The variables that have exactly one value."""
    return {each["name"] for each in reading.variables(document) if each["type"] == "query" and not each["multi"]}


def _before(kinds: dict[str, Any], one: Asked) -> list[str]:
    """The variables that a query can be held to: all, or those before it where it is a variable's own."""
    found = list(kinds)
    return found[: found.index(one.panel)] if one.kind == "variable" else found


def _asked_for(node: Any) -> set[str]:
    """The labels by which a selector is asked for the value of the variable of that name, or for a written one."""
    return {
        matcher.name
        for matcher in node.matchers.matchers
        if "$" not in matcher.value or matcher.name in reading.used(matcher.value)
    }


def _joined(node: Any, above: tuple[Any, ...]) -> set[str]:
    """What the other sides of joins by labels are asked for."""
    found: set[str] = set()
    for place, each in enumerate(above):
        if kind(each) != "BinaryExpr" or op(each) == "or" or not (each.modifier and each.modifier.matching):
            continue
        below = above[place + 1] if place + 1 < len(above) else node
        other = each.lhs if str(each.rhs) == str(below) else each.rhs
        for inner, _ in walk(other):
            if kind(inner) == "VectorSelector":
                found |= _asked_for(inner)
    return found


def joined(boards: Boards) -> Iterator[Fault]:
    """
    What is joined by labels is joined by all that names a resource on both sides, or namesakes become one; but where
    one resource is chosen, and others are found through it.
    """
    single = {(document["uid"], name) for document in boards.documents for name in _single(document)}
    for one in every(boards):
        if any((one.uid, name) in single for name in reading.used(one.expr)):
            continue
        for node, _ in walk(parse(one.tree)):
            if kind(node) != "BinaryExpr" or op(node) == "or" or not (node.modifier and node.modifier.matching):
                continue
            if "gnor" in str(node.modifier):
                continue
            by = set(node.modifier.matching.labels)
            (left, _), (right, _) = (leaves(str(side), boards.recordings) for side in (node.lhs, node.rhs))
            lost = ((left or frozenset()) & (right or frozenset()) & NAMING) - by
            if by & UNIQUE:
                lost -= PLACE
            if lost:
                yield Fault(
                    one.uid, one.panel, f"{one.ref}: {op(node)} on ({', '.join(sorted(by))}) is not by {sorted(lost)}"
                )


def alerts(boards: Boards) -> Iterator[Fault]:
    """Alerts are asked for by texts that an alert has."""
    texts: dict[str, set[str]] = {"alertstate": {"firing", "pending"}, "alertname": set()}
    for rule in (*boards.rules, *boards.log_rules):
        if "alert" in rule:
            texts["alertname"].add(rule["alert"])
            for label, text in rule["labels"].items():
                texts.setdefault(label, set()).add(text)
    for one in every(boards):
        for node, _ in selectors(one.tree):
            for matcher in node.matchers.matchers if node.name in ALWAYS else ():
                if matcher.name not in texts or "$" in matcher.value:
                    continue
                asked = set(re.split(r"[|]", matcher.value)) if re.fullmatch(r"[\w|]+", matcher.value) else set()
                if strange := asked - texts[matcher.name] - {""}:
                    yield Fault(one.uid, one.panel, f"{one.ref}: no alert has {matcher.name} {sorted(strange)}")


def lines(boards: Boards) -> Iterator[Fault]:
    """Streams are chosen by the labels that the rules of Loki choose by, and never those without labels."""
    usual = {"cluster"}
    for rule in boards.log_rules:
        usual |= {name for text in _STREAM.findall(rule["expr"]) for name, _, _ in _found(text)}
    for document in boards.documents:
        for one in reading.logs(document):
            streams = _STREAM.findall(re.sub(r"`[^`]*`|\$\{[^}]*\}", "", one.expr))
            if not streams:
                yield Fault(one.uid, one.panel, f"no stream in {one.expr}")
            for text in streams:
                matchers = [Matcher(name, how, reading.filled(value, {}, 60)) for name, how, value in _found(text)]
                if takes_streams_without_labels(matchers):
                    yield Fault(one.uid, one.panel, f"Loki refuses {{{text}}} where everything is chosen")
                if strange := {matcher.name for matcher in matchers} - usual:
                    yield Fault(
                        one.uid, one.panel, f"the rules' streams have no {sorted(strange)}, only {sorted(usual)}"
                    )


def _found(text: str) -> list[tuple[str, str, str]]:
    return _MATCHER.findall(text)


QUERIES: tuple[Check, ...] = (
    parsed, metrics, labels, legends, tables, scrapers, replicas, late, rates, picked, chosen, joined, alerts, lines,
)  # fmt: skip
