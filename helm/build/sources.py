"""
Which alerts read what: files/sources.yaml of the chart, by which NOTES names the alerts that see nothing where a source
is not scraped.

An alert is followed through the recordings it reads. *blind*: its expression has no result without the source.
*partly*: one of its branches, or a condition that would hold it back, is missing.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import promql_parser
import yaml

RULES = Path(__file__).resolve().parents[2] / "rules"

METRICS = {
    "ebsCsiNvme": "aws_ebs_csi_",
    "kubeStateMetrics": "kube_",
    "kubelet": "kubelet_volume_stats_",
}
"""Sources, as values.yaml calls them, to what the names of their metrics begin with."""

LOGS = "logs"

Rule = Mapping[str, Any]
Verdict = Literal["blind", "partly"]
Verdicts = dict[str, dict[Verdict, list[str]]]

_HEAD = """\
# Written by `make chart`: the alerts that read what others collect, by the values sources.*. blind: there is no result
# without it; partly: one branch or condition of the expression is missing.
"""


def verdicts(mimir: Iterable[Rule], loki: Iterable[Rule]) -> Verdicts:
    """
    What each source is to the alerts.

    Args:
        mimir: rules in PromQL, recordings among them.

        loki: rules in LogQL; Loki has no other source than logs.

    Returns:
        For each source the alerts of each verdict, sorted; an alert of neither is not named.

    Raises:
        ValueError: an expression cannot be read.
    """
    rules = list(mimir)
    recordings: dict[str, list[Any]] = defaultdict(list)
    alerts: dict[str, list[Any]] = defaultdict(list)
    for rule in rules:
        named, place = (recordings, "record") if "record" in rule else (alerts, "alert")
        named[rule[place]].append(promql_parser.parse(rule["expr"]))
    found: Verdicts = {source: _Without(prefix, recordings).verdicts(alerts) for source, prefix in METRICS.items()}
    logs: dict[Verdict, list[str]] = {"blind": [], "partly": []}
    for rule in loki:
        # What asks for absence answers without logs, too: it fires.
        logs["partly" if "absent_over_time(" in rule["expr"] else "blind"].append(rule["alert"])
    found[LOGS] = {verdict: sorted(set(names)) for verdict, names in logs.items()}
    return found


def text() -> str:
    """The file, of the rules as they are."""
    return _HEAD + yaml.safe_dump(verdicts(_rules("mimir"), _rules("loki")), sort_keys=False)


def _rules(language: str) -> Iterator[Rule]:
    for file in sorted((RULES / language).glob("*.yaml")):
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]:
            yield from group["rules"]


class _Without:
    """Expressions where nothing has the metrics whose names begin with *prefix*."""

    def __init__(self, prefix: str, recordings: Mapping[str, list[Any]]) -> None:
        self._prefix = prefix
        self._recordings = recordings
        self._known: dict[str, tuple[bool, bool]] = {}

    def verdicts(self, alerts: Mapping[str, list[Any]]) -> dict[Verdict, list[str]]:
        """The alerts by what they miss; of several rules with one name all must be blind."""
        found: dict[Verdict, list[str]] = {"blind": [], "partly": []}
        for name, trees in sorted(alerts.items()):
            if any(self._reads(tree) for tree in trees):
                found["blind" if all(self._empty(tree) for tree in trees) else "partly"].append(name)
        return found

    def _metric(self, node: Any) -> tuple[bool, bool]:
        """Of a selector: whether it reads the source, itself or by a recording, and whether it has no result."""
        name = _name(node)
        if name not in self._known:
            trees = self._recordings.get(name, [])
            if trees:
                self._known[name] = any(map(self._reads, trees)), all(map(self._empty, trees))
            else:
                ours = name.startswith(self._prefix)
                self._known[name] = ours, ours
        return self._known[name]

    def _reads(self, node: Any) -> bool:
        if isinstance(node, promql_parser.VectorSelector):
            return self._metric(node)[0]
        return any(map(self._reads, _parts(node)))

    def _empty(self, node: Any) -> bool:
        match node:
            case promql_parser.VectorSelector():
                return self._metric(node)[1]
            case promql_parser.BinaryExpr():
                match str(node.op).lower():
                    case "or":
                        return self._empty(node.lhs) and self._empty(node.rhs)
                    case "unless":
                        return self._empty(node.lhs)
                return self._empty(node.lhs) or self._empty(node.rhs)
            case promql_parser.AggregateExpr():
                return self._empty(node.expr)
            case promql_parser.Call():
                # scalar() of nothing is NaN, which compares with nothing, but is there.
                if node.func.name in {"absent", "absent_over_time", "scalar"}:
                    return False
        return any(map(self._empty, _parts(node)))


def _name(selector: Any) -> str:
    """The metric a selector reads; where it is chosen by a regex, what the names begin with."""
    if selector.name:
        return str(selector.name)
    given = next((each.value for each in selector.matchers.matchers if each.name == "__name__"), None)
    if given is None:
        raise ValueError(f"{selector.prettify()} has no metric's name")
    return re.sub(r"^\(+", "", str(given))


def _parts(node: Any) -> list[Any]:
    """The expressions an expression is made of."""
    match node:
        case promql_parser.BinaryExpr():
            return [node.lhs, node.rhs]
        case promql_parser.AggregateExpr():
            return [each for each in (node.param, node.expr) if each is not None]
        case promql_parser.Call():
            return list(node.args)
        case promql_parser.MatrixSelector():
            return [node.vector_selector]
        case promql_parser.ParenExpr() | promql_parser.UnaryExpr() | promql_parser.SubqueryExpr():
            return [node.expr]
    return []
