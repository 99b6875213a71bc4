"""What a monitor makes of samples: after a fail-over the same AWS facts are the same series, our own stay apart."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.chart.invariants.scene import Scene, about

_TARGET = ("pod", "instance", "container", "endpoint")

Labels = Mapping[str, str]

_SHARED = ("aws_ebs_volume_read_ops_total", "aws_s3_bucket_size_bytes", "kubernetes_volume_info")
_OWN = ("storage_exporter_up", "storage_exporter_leader", "process_resident_memory_bytes", "up")
_REPLICAS = (
    {"pod": "storage-exporter-a", "instance": "10.0.0.1:9116", "container": "storage-exporter", "endpoint": "metrics"},
    {"pod": "storage-exporter-b", "instance": "10.0.0.2:9116", "container": "exporter", "endpoint": "http"},
)


def endpoints(scene: Scene) -> list[tuple[str, Mapping[str, Any]]]:
    """Each endpoint of a monitor, with the monitor's kind and name."""
    return [
        (about(each), end)
        for each in scene.of("ServiceMonitor", "PodMonitor")
        for end in [*each["spec"].get("endpoints", []), *each["spec"].get("podMetricsEndpoints", [])]
    ]


def honored(scene: Scene) -> Iterator[str]:
    """Labels of claims stay (namespace), instants are those of the samples, intervals and relabelings the values'."""
    for where, end in endpoints(scene):
        if end.get("honorLabels") is not True:
            yield f"{where}: honorLabels is not true, so a claim's namespace becomes the scraper's"
        if end.get("honorTimestamps") is not True:
            yield f"{where}: honorTimestamps is not true, so CloudWatch's instants are lost"
        if end.get("path") != "/metrics":
            yield f"{where}: path {end.get('path')}"
        wanted = scene.values["scrape"]["interval"], scene.values["scrape"]["timeout"]
        if (end.get("interval"), end.get("scrapeTimeout")) != wanted:
            yield f"{where}: interval and timeout {end.get('interval')}, {end.get('scrapeTimeout')}"
        for key, ours in (("relabelings", scene.values["scrape"]["relabelings"]),):
            if ours and [each for each in ours if each not in end.get(key, [])]:
                yield f"{where}: {key} of the values are left out"
        more = scene.values["scrape"]["metricRelabelings"]
        held = end.get("metricRelabelings") or []
        if more and held[-len(more) :] != more:
            yield f"{where}: metricRelabelings of the values are not the last"


def pinned(scene: Scene) -> Iterator[str]:
    """Two replicas' samples of one AWS resource are one series, those of the replicas themselves two; none is lost."""
    more = scene.values["scrape"]["metricRelabelings"]
    for where, end in endpoints(scene):
        rules = (end.get("metricRelabelings") or [])[: -len(more) or None]
        for name in _SHARED:
            made = [relabelled({"__name__": name, "volume_id": "vol-1", **replica}, rules) for replica in _REPLICAS]
            told = [{k: v for k, v in (each or {}).items() if k in _TARGET} for each in made]
            if None in made:
                yield f"{where}: {name} is dropped"
            elif told[0] != told[1]:
                yield f"{where}: {name} is another series after a fail-over: {told[1]}"
            elif any((each or {}).get("volume_id") != "vol-1" or (each or {})["__name__"] != name for each in made):
                yield f"{where}: {name} is no longer what it was"
        for name in _OWN:
            given = [{"__name__": name, **replica} for replica in _REPLICAS]
            if [relabelled(each, rules) for each in given] != given:
                yield f"{where}: {name} of two replicas is not what they say"


def relabelled(sample: Labels, rules: Sequence[Mapping[str, Any]]) -> Labels | None:
    """
    What Prometheus makes of a sample's labels.

    Args:
        rules: as ServiceMonitor spells them.

    Returns:
        The labels left; None: the sample is dropped.
    """
    made = dict(sample)
    for rule in rules:
        value = rule.get("separator", ";").join(made.get(name, "") for name in rule.get("sourceLabels", []))
        regex = re.compile(rule.get("regex", "(.*)"))
        found = regex.fullmatch(value)
        action = rule.get("action", "replace").lower()
        if (action, bool(found)) in {("keep", False), ("drop", True)}:
            return None
        if action == "replace" and found:
            text = found.expand(re.sub(r"\$\{?(\d+)\}?", r"\\\1", rule.get("replacement", "$1")))
            made[rule["targetLabel"]] = text
        elif action in {"labeldrop", "labelkeep"}:
            made = {k: v for k, v in made.items() if bool(regex.fullmatch(k)) is (action == "labelkeep")}
        made = {key: value for key, value in made.items() if value}
    return made
