"""What silences what, in a running Alertmanager with the shipped rules: the pairs that shall, and no stranger."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.rules import alertmanager
from tests.rules.alert_names import WATCHDOG, Named, promised, written
from tests.rules.silencing import CASES, Labels, variants
from tests.rules.strangers import STRANGERS

IDENTITY = frozenset(
    {
        *("cluster", "account_id", "region", "volume_id", "instance_id", "file_system_id", "bucket", "namespace"),
        *("replication_group_id", "cache_cluster_id", "cache_node_id", "serverless_cache", "persistentvolumeclaim"),
        *("node", "availability_zone", "key_id", "node_group_id"),
    }
)
"""Labels by which pairs are kept apart: each pair has values of its own."""

MATCHER = re.compile(r'([a-z_]+)(=~|!~|!=|=)"([^"]*)"')


def holds(matcher: str, labels: Labels) -> bool:
    """Whether labels satisfy a matcher of the configuration; a missing label is an empty one."""
    found = MATCHER.fullmatch(matcher)
    assert found is not None, matcher
    name, operator, value = found.groups()
    regular = operator.endswith("~")
    same = bool(re.fullmatch(value, labels.get(name, ""))) if regular else labels.get(name, "") == value
    return same != operator.startswith("!")


def sourced(rule: Mapping[str, Any], labels: Labels) -> bool:
    """Whether an alert can silence by a rule."""
    return all(holds(matcher, labels) for matcher in rule["source_matchers"])


def silences(rule: Mapping[str, Any], source: Labels, target: Labels) -> bool:
    """Whether one inhibition rule silences the target by the source."""
    alike = all(source.get(label, "") == target.get(label, "") for label in rule["equal"])
    return alike and sourced(rule, source) and all(holds(matcher, target) for matcher in rule["target_matchers"])


def with_everything(alert: Named) -> Labels:
    """An alert that carries every label there is, to find what could ever be silenced."""
    fixed = {"project": "storage-exporter", "source": "exporter", "reason": "denied", "aws_service": "s3"}
    fixed["csi_driver"] = "ebs.csi.aws.com"
    own = {"alertname": alert.name, "severity": alert.severity, "component": alert.component}
    return {**dict.fromkeys(IDENTITY, "x"), **fixed, **own}


def apart(labels: Labels, number: int) -> dict[str, str]:
    """The labels of a pair's alert with values that no other pair has."""
    moved = {key: f"{value}.{number}" if key in IDENTITY else value for key, value in labels.items()}
    # Not a placeholder any longer if it moved.
    moved |= {key: labels[key] for key in ("namespace", "persistentvolumeclaim") if labels.get(key) == "several"}
    return {**moved, "pair": str(number)}


@pytest.mark.binary
def test_silences_what_it_shall_and_no_stranger(tmp_path: Path) -> None:
    """Every pair of the table silences in a running Alertmanager; none of some four hundred near misses does."""
    pairs = [*(pair for case in CASES for pair in variants(case)), *STRANGERS]
    last = [{**each, **CASES[0].shared, "volume_id": "vol-last"} for each in (CASES[0].source, CASES[0].target)]
    with alertmanager.running(tmp_path, alertmanager.compressed(alertmanager.shipped(), {"group_wait": "1h"})) as am:
        for part in ("source", "target"):
            am.post(
                alertmanager.alert({**apart(getattr(pair, part), number), "part": part})
                for number, pair in enumerate(pairs)
            )
        # Alerts are taken in turn: once the last pair is judged, all are.
        am.post(map(alertmanager.alert, last))
        am.until("the last pair is judged", lambda: any(map(inhibited, am.alerts('volume_id="vol-last"'))))
        silenced = {each["labels"]["pair"] for each in am.alerts('part="target"') if inhibited(each)}
    assert [pair.title for number, pair in enumerate(pairs) if pair.silenced and str(number) not in silenced] == []
    assert [pair.title for number, pair in enumerate(pairs) if not pair.silenced and str(number) in silenced] == []


def inhibited(alert: Mapping[str, Any]) -> bool:
    """Whether another alert silences this one."""
    return bool(alert["status"]["inhibitedBy"])


def test_every_rule_has_a_pair() -> None:
    """No inhibition rule stands there without a pair that needs it."""
    pairs = [next(variants(case)) for case in CASES]
    full = [
        ({"project": "storage-exporter", **pair.source}, {"project": "storage-exporter", **pair.target})
        for pair in pairs
    ]
    rules = alertmanager.shipped()["inhibit_rules"]
    idle = [rule["source_matchers"] for rule in rules if not any(silences(rule, *pair) for pair in full)]
    assert idle == []


def test_rules_are_bound_to_the_project_and_to_one_thing() -> None:
    """Both sides are ours; the source must carry a label of what it is about; identity is compared."""
    for rule in alertmanager.shipped()["inhibit_rules"]:
        assert 'project="storage-exporter"' in rule["source_matchers"], rule
        assert 'project="storage-exporter"' in rule["target_matchers"], rule
        pinned = {
            found[1]
            for matcher in rule["source_matchers"]
            if (found := re.fullmatch(r'([a-z_]+)(?:!=""|!~"\|several")', matcher))
        }
        assert pinned, rule
        assert pinned <= set(rule["equal"]), rule
        assert "cluster" in rule["equal"], rule


def test_no_alert_silences_its_own_name() -> None:
    """No alert silences another of its own name, whatever their labels: one page of two is a page that is missing."""
    rules = alertmanager.shipped()["inhibit_rules"]
    for each in promised():
        labels = with_everything(each)
        assert not any(silences(rule, labels, labels) for rule in rules), each.name


def test_pages_do_not_silence_each_other_in_a_circle() -> None:
    """Of any two pages with all labels alike one is heard: no two silence each other, nor three in a ring."""
    nodes = {each.name: with_everything(each) for each in [*promised(), WATCHDOG]}
    rules = alertmanager.shipped()["inhibit_rules"]
    sources = [(rule, name) for rule in rules for name, labels in nodes.items() if sourced(rule, labels)]
    over: dict[str, set[str]] = {name: set() for name in nodes}
    for rule, name in sources:
        over[name] |= {
            other for other, labels in nodes.items() if other != name and silences(rule, nodes[name], labels)
        }
    heard = set(nodes)
    # Take away, again and again, what nobody left silences: what stays is a ring.
    while free := {name for name in heard if not any(name in over[other] for other in heard - {name})}:
        heard -= free
    assert heard == set()


@pytest.mark.parametrize("known", ["promised", "written"])
def test_names_are_of_alerts(known: str) -> None:
    """Every alert that the inhibition names is one that is promised, and one that is written."""
    names = {each.name for each in (promised() if known == "promised" else written())} | {WATCHDOG.name}
    assert len(names) > 100
    for rule in alertmanager.shipped()["inhibit_rules"]:
        for matcher in [*rule["source_matchers"], *rule["target_matchers"]]:
            found = MATCHER.fullmatch(matcher)
            assert found is not None, matcher
            if found[1] == "alertname":
                assert set(found[3].split("|")) <= names, matcher
