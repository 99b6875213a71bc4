"""A dashboard with every kind of panel, and made-up answers to its queries."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from dashboards.build.links import RUNBOOK, VOLUME_CONSOLE, to
from dashboards.build.page import Change, Page, Variable
from dashboards.build.panels import (
    Bars,
    Column,
    Key,
    Logs,
    Query,
    Row,
    Series,
    Stat,
    State,
    Table,
    Text,
    Timeline,
)
from dashboards.build.thresholds import high, low
from dashboards.build.writing import text
from tests.dashboards.preview.asking import Line

NOW = 1_790_000_000.0
STEP = 60.0

STATS = Row(
    title="Is it well?",
    panels=[
        Stat(
            title="Alerts",
            says="Good: all well.",
            unit="none",
            queries=[Query("alerts")],
            states=[State(0, "all well", "green")],
        ),
        Stat(
            title="First to run out",
            says="Good: > 7 days.",
            unit="s",
            queries=[Query("left")],
            limit=low(7 * 86400, 86400),
        ),
        Stat(title="Stored", says="All file systems.", unit="bytes", queries=[Query("stored")], spark=True),
        Stat(title="Spend", says="A month.", unit="currencyUSD", queries=[Query("spend")], limit=high(100)),
        Stat(title="Nothing there", says="Good: none.", unit="short", queries=[Query("none")], empty="none fires"),
        Stat(
            title="Operations",
            says="Read and write.",
            unit="iops",
            queries=[Query("read", "read"), Query("write", "write")],
        ),
    ],
)
TABLES = Row(
    title="Tables",
    panels=[
        Table(
            title="Alerts that fire",
            says="Good: none.",
            keys=[
                Key(label="alertname", name="Alert", links=[RUNBOOK]),
                Key(label="severity", name="Severity", texts={"critical": ("page", "red")}),
            ],
            columns=[Column(name="since", expr="firing", hidden=True)],
            height=5,
        ),
        Table(
            title="Volumes",
            says="A row a volume, the fullest first.",
            keys=[
                Key(label="volume_id", name="Volume", links=[to("ebs-volume", "volume_id"), VOLUME_CONSOLE]),
                Key(label="persistentvolumeclaim", name="Claim"),
                Key(label="region"),
            ],
            columns=[
                Column(name="Size", expr="size", unit="bytes"),
                Column(name="Used", expr="used", unit="percentunit", limit=high(0.8, 0.9), bar=True),
                Column(name="Latency", expr="latency", unit="s", limit=high(0.05)),
                Column(name="State", expr="state", states=[State(1, "ok", "green"), State(0, "impaired", "red")]),
            ],
            sort="-Used",
            height=7,
        ),
    ],
)
COURSES = Row(
    title="Over time",
    panels=[
        Series(
            title="Throughput",
            says="Good: below the dashed line.",
            unit="binBps",
            queries=[
                Query("wave", "{{volume_id}}"),
                Query("provisioned", "provisioned", look="limit"),
                Query("wave", "{{volume_id}} in 4 h", look="forecast"),
                Query("age", "age", look="right", unit="s"),
            ],
            limit=high(60e6, 90e6),
        ),
        Series(
            title="By class",
            says="Stacked.",
            unit="bytes",
            queries=[Query("wave", "{{volume_id}}")],
            stacked=True,
            table=True,
        ),
        Series(
            title="Days", says="Steps.", unit="short", queries=[Query("sparse", "objects", look="steps")], connect=True
        ),
        Series(
            title="Gaps",
            says="A gap stays a gap.",
            unit="percentunit",
            queries=[Query("gap", "busy", look="area")],
            most=1.0,
        ),
        Series(title="Counts", says="Bars.", unit="short", queries=[Query("few", "failures", look="bars")]),
        Series(title="Latency", says="Logarithmic.", unit="s", queries=[Query("wide", "{{q}}")], log=True),
        Series(title="Empty", says="Nothing here.", unit="short", queries=[Query("none", "x")]),
        Series(
            title="Crowded", says="Many names.", unit="short", queries=[Query("many", "{{volume_id}} of {{volume_id}}")]
        ),
    ],
)
OTHERS = Row(
    title="Others",
    panels=[
        Bars(
            title="Time left",
            says="Shortest first.",
            unit="s",
            queries=[Query("etas", "{{volume_id}}")],
            limit=low(604800, 86400),
        ),
        Text(
            title="Words",
            says="What to do.",
            markdown="**Look** at `this`, then [that](https://example.test/a?b=1&c=2).\n\n- one\n- two",
            width=12,
        ),
        Timeline(
            title="Roles",
            says="Who is primary.",
            queries=[Query("roles", "{{volume_id}}")],
            states=[State(1, "primary", "green"), State(0, "replica", "blue")],
            height=5,
        ),
        Logs(
            title="Driver",
            says="What the driver says.",
            expr='{namespace="kube-system", container="ebs-plugin"} |= `Could not attach`',
        ),
    ],
    folded=True,
)
PAGE = Page(
    uid="made-up",
    title="Made up",
    says="Every kind of panel.",
    rows=[STATS, TABLES, COURSES, OTHERS],
    variables=[Variable(name="volume_id", title="Volume", metric="size", many=False)],
    changes=[Change(name="Failovers", expr="failed", title="{{volume_id}} failed over", colour="purple")],
    since="now-1h",
)


def document(page: Page = PAGE) -> dict[str, Any]:
    """A dashboard as Grafana reads it."""
    found: dict[str, Any] = json.loads(text(page))
    return found


VOLUMES = {
    "vol-0aaa": {"volume_id": "vol-0aaa", "persistentvolumeclaim": "data-db-0", "region": "eu-central-1"},
    "vol-0bbb": {"volume_id": "vol-0bbb", "persistentvolumeclaim": "logs <&> 1", "region": "eu-central-1"},
    "vol-0ccc": {"volume_id": "vol-0ccc", "persistentvolumeclaim": "cache-0", "region": "us-east-1"},
}

_MOMENTS: Mapping[str, list[tuple[Mapping[str, str], float]]] = {
    "alerts": [({}, 0.0)],
    "left": [({}, 11_520.0)],
    "spend": [({}, 123.456)],
    "read": [({}, 1234.0)],
    "write": [({}, 12.0)],
    "firing": [
        ({"alertname": "AwsEbsVolumeStalled", "severity": "critical"}, 1.0),
        ({"alertname": "AwsEfsOld", "severity": "info"}, 1.0),
    ],
    "size": [(labels, 2.0**40 * (place + 1)) for place, labels in enumerate(VOLUMES.values())],
    "used": [(VOLUMES["vol-0aaa"], 0.5), (VOLUMES["vol-0bbb"], 0.95)],
    "latency": [(VOLUMES["vol-0bbb"], 0.0123), (VOLUMES["vol-0ccc"], 0.2)],
    "state": [(VOLUMES["vol-0aaa"], 1.0), (VOLUMES["vol-0bbb"], 0.0)],
    "etas": [(VOLUMES["vol-0bbb"], 3600.0), (VOLUMES["vol-0aaa"], 90_000.0), (VOLUMES["vol-0ccc"], 9e6)],
    'max_over_time(ALERTS{alertstate="firing"}[3600s])': [
        ({**VOLUMES["vol-0ccc"], "severity": "warning"}, 1.0),
        ({"volume_id": "vol-gone", "severity": "critical"}, 1.0),
        ({**VOLUMES["vol-0bbb"], "severity": "critical"}, 1.0),
    ],
}


def _wave(number: int, at: float) -> float:
    return 4e7 + 1e7 * number + 1e7 * math.sin(at / 400 + number)


_COURSES: Mapping[str, Callable[[float], list[tuple[Mapping[str, str], float | None]]]] = {
    "stored": lambda at: [({}, 2.1e12 + at - NOW)],
    "wave": lambda at: [({"volume_id": name}, _wave(place, at)) for place, name in enumerate(VOLUMES)],
    "provisioned": lambda at: [({}, 8e7)],
    "age": lambda at: [({}, (at % 600) + 60)],
    "sparse": lambda at: [({}, (at - NOW + 7200) if at % 900 < STEP else None)],
    "gap": lambda at: [({}, None if 600 < NOW - at < 1500 else 0.4)],
    "few": lambda at: [({}, float(at % 700 < STEP))],
    "wide": lambda at: [({"q": "p50"}, 0.002), ({"q": "p99"}, 0.9 + 0.5 * math.sin(at / 300))],
    "many": lambda at: [({"volume_id": f"vol-{number:017x}"}, float(number)) for number in range(40)],
    "roles": lambda at: [
        ({"volume_id": name}, float((NOW - at < 1200) == (place == 0))) for place, name in enumerate(VOLUMES)
    ],
    "failed": lambda at: [(VOLUMES["vol-0aaa"], 1.0 if 1140 < NOW - at <= 1200 else None)],
}


class Canned:
    """Answers that are known beforehand."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def instant(self, expr: str, at: float) -> list[Line]:
        """Of a moment."""
        self.asked.append(expr)
        return [Line(labels, [(at, value)]) for labels, value in _MOMENTS.get(expr, [])]

    def span(self, expr: str, start: float, end: float, step: float) -> list[Line]:
        """Over time."""
        self.asked.append(expr)
        found: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = {}
        for number in range(int((end - start) / step) + 1):
            at = start + number * step
            for labels, value in _COURSES[expr](at) if expr in _COURSES else ():
                if value is not None:
                    found.setdefault(tuple(labels.items()), []).append((at, value))
        return [Line(dict(labels), points) for labels, points in found.items()]

    def values(self, label: str, metric: str, at: float) -> list[str]:
        """Of a label."""
        return sorted({line.labels[label] for line in self.instant(metric, at)})
