"""A label that the rules call otherwise: what the dashboards' checks say of it, without a server and with one."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.dashboards import reading
from tests.dashboards.checks import shipped
from tests.dashboards.evaluating import answer
from tests.dashboards.held import Held
from tests.dashboards.linting import Boards
from tests.rules.pipelined import pipelines
from tests.rules.scene import SHIPPED
from tests.rules.stepper import Rule, Stepper, load

OLD, NEW = "cache_cluster_id", "node_id"


def rules_renamed(rules: list[dict[str, Any]], old: str, new: str) -> list[dict[str, Any]]:
    """Recordings whose expressions have *new* where they had *old*."""
    found = copy.deepcopy(rules)
    for rule in found:
        if "record" in rule:
            rule["expr"] = rule["expr"].replace(old, new)
    return found


def boards_renamed(old: str, new: str) -> Boards:
    """What is committed, over such rules."""
    return replace(shipped(), rules=rules_renamed(shipped().rules, old, new))


def renamed(held: Held, folder: Path) -> list[str]:
    """
    Evaluate the caches' first recordings once more, as another cluster: as they are, and with a label renamed. The
    dashboard must be well with the one and not with the other; what is not so.
    """
    text = (SHIPPED / "elasticache.yaml").read_text(encoding="utf-8")
    found: dict[str, set[str]] = {}
    for name, given in (("copied", text), ("renamed", text.replace(OLD, NEW))):
        path = folder / f"{name}.yaml"
        path.write_text(given, encoding="utf-8")
        with pipelines(held.prometheus.url) as ways:
            Stepper(ways, [_of(rule, name) for rule in load([path]) if _first(rule)]).step(held.now)
        found[name] = _faults(held, {"cluster": name})
    if found["copied"] & found["renamed"] or not found["renamed"]:
        return [f"rules with another label: {found}"]
    return []


def _first(rule: Rule) -> bool:
    return bool(rule.record) and rule.level == 0 and (OLD in rule.expr or NEW in rule.expr)


def _of(rule: Rule, cluster: str) -> Rule:
    return replace(rule, labels={**rule.labels, "cluster": cluster})


def _faults(held: Held, values: Mapping[str, str]) -> set[str]:
    """The panels of which a series lacks the label by which it is called."""
    (document,) = (each for each in shipped().documents if each["uid"] == "storage-exporter-valkey")
    asked = [one for one in reading.asked(document) if OLD in one.labels]
    answers = [answer(held, one, values) for one in asked]
    return {each.asked.panel for each in answers for labels, _ in each.series if not labels.get(OLD)}
