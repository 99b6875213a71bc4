"""files/sources.yaml: which alerts are blind where something is not scraped, found by following their expressions."""

from __future__ import annotations

import re

import pytest

from helm.build import sources
from tests.chart.packed import shipped
from tests.chart.rendering import CHART, parsed

KUBELET = "kubelet_volume_stats_used_bytes"


def verdict(expr: str, **recordings: str) -> str:
    """What the kubelet is to an alert of that expression."""
    rules = [{"record": name.replace("__", ":"), "expr": text} for name, text in recordings.items()]
    found = sources.verdicts([*rules, {"alert": "A", "expr": expr}], [])["kubelet"]
    return next((verdict for verdict, names in found.items() if "A" in names), "")


@pytest.mark.parametrize(
    ("expr", "wanted"),
    [
        (f"{KUBELET} > 1", "blind"),
        (f"sum by (a) (rate({KUBELET}[5m])) > 1", "blind"),
        (f"max_over_time(({KUBELET} > bool 1)[5m:1m]) > 0", "blind"),
        (f"topk(1, {KUBELET})", "blind"),
        (f"-{KUBELET} < 0", "blind"),
        (f"aws_x and on (a) {KUBELET}", "blind"),
        (f"{KUBELET} / on (a) aws_x > 0.9", "blind"),
        (f"{KUBELET} unless aws_x", "blind"),
        (f"({KUBELET} > 1) or ({KUBELET} < 0)", "blind"),
        (f"aws_x unless on (a) {KUBELET}", "partly"),
        (f"aws_x or {KUBELET}", "partly"),
        (f"absent({KUBELET})", "partly"),
        (f"vector(scalar({KUBELET})) > 1", "partly"),
        ("aws_x > 1", ""),
        ("kubelet_running_pods > 1", ""),
        ('{__name__=~"kubelet_volume_stats_.*"} > 1', "blind"),
    ],
)
def test_an_expression_is_followed(expr: str, wanted: str) -> None:
    """By what PromQL does with nothing: a join of nothing is nothing, a union is the other side."""
    assert verdict(expr) == wanted


def test_recordings_are_followed() -> None:
    """Through several, and through two of one name, of which the other may still say something."""
    assert verdict("a__b > 1", a__b="c__d * 2", c__d=KUBELET) == ""
    assert verdict("a:b > 1", a__b="c:d * 2", c__d=KUBELET) == "blind"
    assert verdict("a:b > 1", a__b=f"c:d or {KUBELET}", c__d="aws_x") == "partly"
    two = [{"record": "a:b", "expr": KUBELET}, {"record": "a:b", "expr": "aws_x"}, {"alert": "A", "expr": "a:b > 1"}]
    assert sources.verdicts(two, [])["kubelet"] == {"blind": [], "partly": ["A"]}


def test_alerts_of_one_name_are_one() -> None:
    """It still fires by the other, so it is not blind."""
    rules = [{"alert": "A", "expr": KUBELET}, {"alert": "A", "expr": "aws_x"}]
    assert sources.verdicts(rules, [])["kubelet"] == {"blind": [], "partly": ["A"]}


def test_logs_are_all_that_loki_has() -> None:
    """But what asks for absence fires without them."""
    loki = [
        {"alert": "B", "expr": 'sum(count_over_time({a="b"}[5m])) > 0'},
        {"alert": "A", "expr": 'absent_over_time({a="b"}[1h])'},
    ]
    assert sources.verdicts([], loki)["logs"] == {"blind": ["B"], "partly": ["A"]}


def test_a_selector_without_a_name_is_refused() -> None:
    """Nothing can be said of it."""
    with pytest.raises(ValueError, match="has no metric's name"):
        sources.verdicts([{"alert": "A", "expr": '{a="b"} > 1'}], [])


def test_the_file_is_that_of_the_rules() -> None:
    """As `make chart` writes it; every name is an alert, and each stands once with a source."""
    text = (CHART / "files" / "sources.yaml").read_text()
    assert text == sources.text(), "make chart"
    alerts = {rule.name for rule in shipped().alerts()}
    found = parsed(text)[0]
    assert list(found) == ["ebsCsiNvme", "kubeStateMetrics", "kubelet", "logs"]
    for source, verdicts in found.items():
        named = [*verdicts["blind"], *verdicts["partly"]]
        assert named, source
        assert len(set(named)) == len(named)
        assert set(named) <= alerts


def test_the_sources_are_those_of_the_values() -> None:
    """And every metric of Kubernetes' own that a rule reads is of one of them."""
    values = parsed((CHART / "values.yaml").read_text())[0]
    assert set(values["sources"]) == {*sources.METRICS, sources.LOGS}
    recorded = {rule.name for group in shipped().groups("mimir") for rule in group.rules if rule.kind == "record"}
    read = {
        name
        for group in shipped().groups("mimir")
        for rule in group.rules
        for name in re.findall(r"(?<![\w:])(?:kube|kubelet|aws_ebs_csi)_[a-z_]+(?![\w:])", rule.expr)
    }
    assert len(read) > 10
    for name in read - recorded:
        assert name.startswith(tuple(sources.METRICS.values())), name


def test_what_is_blind_says_so_itself() -> None:
    """Alerts on others' metrics have source: client, so that an exporter that is down does not silence them."""
    found = parsed((CHART / "files" / "sources.yaml").read_text())[0]
    clients = {rule.name for rule in shipped().alerts() if rule.labels.get("source") == "client"}
    assert {"StorageClaimFull", "StorageClaimFillingUp"} <= clients & set(found["kubelet"]["blind"])
    logs = {rule.name for rule in shipped().alerts() if rule.labels.get("source") == "logs"}
    assert logs == {*found["logs"]["blind"], *found["logs"]["partly"]}
