"""ServiceMonitor and PodMonitor: what they find, how they scrape, and that replicas make one series, not two."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from rules.build import first
from tests.chart.relabeling import relabeled
from tests.chart.rendering import HelmError, Object, all_of, one, render
from tests.rules.scene import BLANK, target_of
from tests.tools import binary

KINDS = {"serviceMonitor": ("ServiceMonitor", "endpoints"), "podMonitor": ("PodMonitor", "podMetricsEndpoints")}
PUSH = {"delivery": {"mode": "push", "push": {"url": "http://mimir:8080/api/v1/push"}}, "cluster": "a"}
MINE = {"sourceLabels": ["__name__"], "regex": "aws_ec2_.*", "targetLabel": "team", "replacement": "storage"}


def values(by: str, **scrape: Any) -> dict[str, Any]:
    return {"dashboards": {"enabled": False}, "rules": {"mimir": {"delivery": "none"}}, "scrape": {"by": by, **scrape}}


def monitor(by: str, **scrape: Any) -> Object:
    return one(render(values(by, **scrape)), KINDS[by][0])


def endpoint(found: Object) -> dict[str, Any]:
    (only,) = found["spec"][dict(KINDS.values())[found["kind"]]]
    assert isinstance(only, dict)
    return only


def pages() -> list[dict[str, str]]:
    """A sample of each family that the exporter has, with all labels of it."""
    families = first.families()
    return [
        {"__name__": name, "cluster": "demo", **{label: f"own-{label}" for label in family["labels"]}}
        for name, family in families.items()
    ]


def scraped(sample: dict[str, str], pod: str, by: str, relabelings: list[dict[str, Any]]) -> dict[str, str]:
    """A sample of a pod in the receiver: the target's labels under its own (``honorLabels``), then the relabelings."""
    target = target_of(pod)
    if by == "podMonitor":
        target = {name: value for name, value in target.items() if name != "service"}
    return relabeled({**target, **sample}, relabelings)


@pytest.mark.parametrize("by", list(KINDS))
def test_replicas_make_one_series(by: str) -> None:
    """
    Whoever holds the Lease delivers. After a change of leaders a receiver that looks back minutes would see every
    resource twice, were the pod's labels left: sums would be doubled. The exporter's own series keep their pod.
    """
    relabelings = endpoint(monitor(by))["metricRelabelings"]
    samples = pages()
    assert len(samples) > 400
    for sample in samples:
        name = sample["__name__"]
        one_pod = scraped(sample, "storage-exporter-7d4b-abcde", by, relabelings)
        other = scraped(sample, "storage-exporter-7d4b-fghij", by, relabelings)
        if name.startswith("storage_exporter_"):
            assert one_pod["pod"] != other["pod"], name
            assert one_pod["instance"] != other["instance"], name
        else:
            assert one_pod == other, name
            assert {one_pod[label] for label in BLANK} == {"storage-exporter"}, name
        assert sample.items() <= one_pod.items(), f"{name}: a label of its own is lost"


@pytest.mark.parametrize("by", list(KINDS))
def test_targets_keep_their_identity(by: str) -> None:
    """By metric relabelings only, which `up` does not pass: of targets with the same labels one `up` would be lost."""
    found = endpoint(monitor(by))
    assert "relabelings" not in found
    assert {each["targetLabel"] for each in found["metricRelabelings"]} == BLANK
    assert all(each["sourceLabels"] == ["__name__"] for each in found["metricRelabelings"])


@pytest.mark.parametrize("by", list(KINDS))
def test_labels_of_the_page_win(by: str) -> None:
    """The exporter names namespaces and nodes of its own; stamps are said, not left to a default."""
    found = endpoint(monitor(by, interval="1m", timeout="50s"))
    assert found["honorLabels"] is True
    assert found["honorTimestamps"] is True
    assert (found["interval"], found["scrapeTimeout"], found["path"]) == ("1m", "50s", "/metrics")


@pytest.mark.parametrize("by", list(KINDS))
def test_relabelings_of_the_user_come_last(by: str) -> None:
    """They see what ours left, and cannot be undone by them."""
    ours = endpoint(monitor(by))["metricRelabelings"]
    found = endpoint(monitor(by, metricRelabelings=[MINE], relabelings=[{**MINE, "regex": ".*"}]))
    assert found["metricRelabelings"] == [*ours, MINE]
    assert found["relabelings"] == [{**MINE, "regex": ".*"}]


@pytest.mark.parametrize(
    "more", [{}, {"nameOverride": "x", "fullnameOverride": "y"}, {"persistence": {"enabled": True}}]
)
def test_the_monitor_finds_the_service_and_nothing_else(more: dict[str, Any]) -> None:
    """Not the headless Service, whose endpoints are the same pods; and the job is called storage-exporter."""
    objects = render({**values("serviceMonitor"), **more})
    spec = one(objects, "ServiceMonitor")["spec"]
    wanted = spec["selector"]["matchLabels"]
    found = [each for each in all_of(objects, "Service") if wanted.items() <= each["metadata"]["labels"].items()]
    assert len(found) == 1
    assert found[0]["metadata"]["labels"][spec["jobLabel"]] == "storage-exporter"
    ports = [port["name"] for port in found[0]["spec"]["ports"]]
    assert endpoint(one(objects, "ServiceMonitor"))["port"] in ports
    assert "namespaceSelector" not in spec


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_the_pod_monitor_finds_the_exporters_pods_and_no_others(kind: str) -> None:
    """Neither the pod of `helm test` nor those of Jobs have /metrics."""
    more = {"persistence": {"enabled": kind == "StatefulSet"}, "config": {"rules": {"mimir": {"url": "http://m"}}}}
    rules = {"mimir": {"delivery": "sync"}, "sync": {"prune": True}}
    objects = render({**values("podMonitor"), **more, "rules": rules})
    spec = one(objects, "PodMonitor")["spec"]
    wanted = spec["selector"]["matchLabels"].items()
    template = one(objects, kind)["spec"]["template"]
    assert wanted <= template["metadata"]["labels"].items()
    assert template["metadata"]["labels"][spec["jobLabel"]] == "storage-exporter"
    (container,) = template["spec"]["containers"]
    assert endpoint(one(objects, "PodMonitor"))["port"] in [port["name"] for port in container["ports"]]
    others = [each["metadata"] for each in all_of(objects, "Pod")]
    others += [each["spec"]["template"]["metadata"] for each in all_of(objects, "Job")]
    assert len(others) == 3
    assert not [each for each in others if wanted <= each["labels"].items()]


@pytest.mark.parametrize("by", list(KINDS))
def test_the_monitor_may_stand_elsewhere(by: str) -> None:
    """Then it is told where the pods are; a namespace that is the release's own needs no telling."""
    found = monitor(by, namespace="obs", labels={"release": "prometheus"}, annotations={"a": "b"})
    assert found["metadata"]["namespace"] == "obs"
    assert found["metadata"]["labels"]["release"] == "prometheus"
    assert found["metadata"]["annotations"] == {"a": "b"}
    assert found["spec"]["namespaceSelector"] == {"matchNames": ["monitoring"]}
    assert "namespaceSelector" not in monitor(by, namespace="monitoring")["spec"]


def test_one_of_them_or_none() -> None:
    """By scrape.by; none where series are pushed, which would be twice there."""
    for by in ("serviceMonitor", "podMonitor", "annotations", "none"):
        kinds = {each["kind"] for each in render(values(by))} & {"ServiceMonitor", "PodMonitor"}
        assert kinds == ({KINDS[by][0]} if by in KINDS else set())
        pushed = {each["kind"] for each in render({**values(by), "config": PUSH})}
        assert not pushed & {"ServiceMonitor", "PodMonitor"}


@pytest.mark.parametrize(("interval", "timeout"), [("15s", "25s"), ("1m", "61s"), ("30s", "0s")])
def test_a_timeout_the_operator_would_refuse_is_refused(interval: str, timeout: str) -> None:
    """The operator drops such a monitor and says so in its own log only."""
    with pytest.raises(HelmError, match=r"scrape.timeout is .* and scrape.interval"):
        render(values("serviceMonitor", interval=interval, timeout=timeout))
    render(values("serviceMonitor", interval="1m30s", timeout="90s"))


@pytest.mark.parametrize(
    "scrape",
    [
        {"interval": "500ms"},
        {"timeout": "500ms"},
        {"interval": "0000000001h"},
        {"interval": "0000000001m"},
        {"interval": "0000000030s"},
    ],
)
def test_a_duration_that_we_cannot_read_is_named(scrape: dict[str, str]) -> None:
    """The schema, which is the operator's, takes more than can be compared with the other duration."""
    ((key, value),) = scrape.items()
    with pytest.raises(HelmError, match=f"scrape.{key}: '{value}' is not a duration"):
        render(values("serviceMonitor", **scrape))


def test_the_shortest_timeout_is_a_second() -> None:
    """And as long as the interval is the longest."""
    found = endpoint(monitor("serviceMonitor", interval="1s", timeout="1s"))
    assert (found["interval"], found["scrapeTimeout"]) == ("1s", "1s")


@pytest.mark.binary
@pytest.mark.parametrize("by", list(KINDS))
def test_prometheus_takes_the_relabelings(by: str, tmp_path: Path) -> None:
    """In the words of its own configuration, as the operator writes them."""

    def snake(each: dict[str, Any]) -> dict[str, Any]:
        return {re.sub(r"[A-Z]", lambda found: f"_{found[0].lower()}", key): value for key, value in each.items()}

    relabelings = [snake(each) for each in endpoint(monitor(by))["metricRelabelings"]]
    scrape = {"job_name": "storage-exporter", "metric_relabel_configs": relabelings}
    file = tmp_path / "prometheus.yml"
    file.write_text(yaml.safe_dump({"scrape_configs": [{**scrape, "static_configs": [{"targets": ["a:9116"]}]}]}))
    command = [str(binary("promtool")), "check", "config", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
