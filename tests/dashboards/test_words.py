"""
What panels about Valkey and the exporter say when something is wrong: the simulated world is mostly well, so their
queries are asked here over made-up series, by promtool.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from dashboards.build.page import Page
from dashboards.build.panels import Panel, Series, Stat, State, Table, Timeline
from dashboards.build.writing import pages
from tests.rules.pieces import run

PAGES: Mapping[str, Page] = {page.uid: page for page in pages()}

PLACE = 'cluster="c",account_id="1",region="r"'
NODE = f'{PLACE},replication_group_id="g",cache_cluster_id="g-001",cache_node_id="0001"'
REPLICA = f'{PLACE},replication_group_id="g",cache_cluster_id="g-002",cache_node_id="0001"'
SERVICE = f'{PLACE},aws_service="efs"'

USAGE = "node:aws_elasticache_data_usage:ratio"
FAST = "node:aws_elasticache_data_usage:seconds_to_full_10m"
SLOW = "node:aws_elasticache_data_usage:seconds_to_full_1h"
ALIVE = f'shard:aws_elasticache_primaries_alive:count{{{PLACE},replication_group_id="g",node_group_id='
EVENT = f'aws_elasticache_event_timestamp_seconds{{{PLACE},pod="a",event="x"'
PRIMARY = "node:aws_elasticache_is_primary:newest"
ANY_KEY = "node:aws_elasticache_evicts_any_key:info"
EVICTIONS = "node:aws_elasticache_evictions:per_second"
AGE = "service:storage_exporter_data_age:seconds"
REASON = "service:storage_exporter_data_stale:reason"
BUILD = "storage_exporter_build_info"
LEADER = "storage_exporter_leader"
SHARDS = "storage_exporter_shards"

Given = Mapping[str, str]
"""Series to its values in promtool's notation, a minute each."""


def panel_of(uid: str, title: str) -> Panel:
    """The panel of that title."""
    (found,) = [panel for row in PAGES[uid].rows for panel in row.panels if panel.title == title]
    return found


def expr_of(uid: str, title: str, place: int = 0) -> str:
    """The query of a panel, or the column of a table, with all of everything chosen."""
    panel = panel_of(uid, title)
    if isinstance(panel, Table):
        return chosen(panel.columns[place].expr)
    assert isinstance(panel, Stat | Series | Timeline)
    return chosen(panel.queries[place].expr)


def chosen(expr: str, **values: str) -> str:
    """A query as Grafana asks it."""
    expr = expr.replace("$__rate_interval", "5m").replace("$__range", "1h")
    return re.sub(r"\$([a-z_]\w*)", lambda name: values.get(name[1], ".*"), expr)  # not $1 of label_replace


def asked(tmp_path: Path, expr: str, given: Given, expected: Mapping[str, float], minute: int = 20) -> None:
    """Ask a query after some minutes, and hold the answer: labels to values."""
    test: dict[str, Any] = {
        "interval": "1m",
        "input_series": [{"series": series, "values": values} for series, values in given.items()],
        "promql_expr_test": [
            {
                "expr": expr,
                "eval_time": f"{minute}m",
                "exp_samples": [{"labels": labels, "value": value} for labels, value in expected.items()],
            }
        ],
    }
    path = tmp_path / "asked.yaml"
    path.write_text(yaml.safe_dump({"rule_files": [], "evaluation_interval": "1m", "tests": [test]}))
    done = run([path])
    assert done.returncode == 0, done.stdout + done.stderr


def word(states: Sequence[State], value: float) -> str:
    """What stands in place of a value; "" where the value itself is shown."""
    for state in states:
        if state.value is not None and state.value <= value <= (state.value if state.upto is None else state.upto):
            return state.text
    return ""


FILLING: Given = {
    f"{USAGE}{{{NODE}}}": "0.9x30",
    f"{PRIMARY}{{{NODE}}}": "1x30",
    f"{EVICTIONS}{{{NODE}}}": "5x30",
}
SLOWLY: Given = {**FILLING, f"{SLOW}{{{NODE}}}": "9000x30"}
QUICKLY: Given = {**SLOWLY, f"{FAST}{{{NODE}}}": "600x30"}
LEADS: Given = {f'{LEADER}{{cluster="c",pod="a"}}': "1x30", f'{SHARDS}{{cluster="c",pod="a"}}': "1x30"}

STATS: Mapping[str, tuple[str, str, Given, float | None, str]] = {
    "a shard without a primary": (
        "valkey",
        "Shards without a primary",
        {
            f'{ALIVE}"1"}}': "1x30",
            f'{ALIVE}"2"}}': "0x30",
        },
        1,
        "",
    ),
    "all shards have one": (
        "valkey",
        "Shards without a primary",
        {f'{ALIVE}"1"}}': "1x30"},
        0,
        "all have one",
    ),
    "no cache is known": ("valkey", "Shards without a primary", {}, None, ""),
    "a dead node": (
        "valkey",
        "Nodes not alive",
        {f"node:aws_elasticache_dead:info{{{NODE}}}": "1x30", f"{PRIMARY}{{{REPLICA}}}": "0x30"},
        1,
        "",
    ),
    "no dead node": ("valkey", "Nodes not alive", {f"{PRIMARY}{{{NODE}}}": "1x30"}, 0, "all alive"),
    "no node is known": ("valkey", "Nodes not alive", {}, None, ""),
    "full within ten minutes": ("valkey", "First one full in", QUICKLY, 600, ""),
    "the first of two": (
        "valkey",
        "First one full in",
        {**QUICKLY, f"{USAGE}{{{REPLICA}}}": "0.9x30", f"{FAST}{{{REPLICA}}}": "1200x30"},
        600,
        "",
    ),
    "full within hours": ("valkey", "First one full in", SLOWLY, 9000, ""),
    "a burst while it is half empty": (
        "valkey",
        "First one full in",
        {**QUICKLY, f"{USAGE}{{{NODE}}}": "0.5x30"},
        -1,
        "does not fill",
    ),
    "a cache is full by its nature": (
        "valkey",
        "First one full in",
        {**QUICKLY, f"{ANY_KEY}{{{NODE}}}": "1x30"},
        -1,
        "does not fill",
    ),
    "a replica fills as its primary": (
        "valkey",
        "First one full in",
        {**QUICKLY, f"{PRIMARY}{{{NODE}}}": "0x30"},
        -1,
        "does not fill",
    ),
    "nothing is known of memory": ("valkey", "First one full in", {}, None, ""),
    "a store evicts": ("valkey", "Unwanted evictions", FILLING, 5, ""),
    "a cache evicts": ("valkey", "Unwanted evictions", {**FILLING, f"{ANY_KEY}{{{NODE}}}": "1x30"}, 0, "none"),
    "one leads": ("exporter", "Leader", LEADS, 0, "one leads"),
    "none leads": (
        "exporter",
        "Leader",
        {f'{LEADER}{{cluster="c",pod="a"}}': "0x30", f'{SHARDS}{{cluster="c",pod="a"}}': "1x30"},
        -1,
        "none leads",
    ),
    "two that push lead": (
        "exporter",
        "Leader",
        {
            f'{LEADER}{{cluster="c",replica="a"}}': "1x30",
            f'{LEADER}{{cluster="c",replica="b"}}': "1x30",
            f'{SHARDS}{{cluster="c",replica="a"}}': "1x30",
        },
        1,
        "too many",
    ),
    "the cluster without one is not hidden by the one with two": (
        "exporter",
        "Leader",
        {
            **LEADS,
            f'{LEADER}{{cluster="c",pod="b"}}': "1x30",
            f'{LEADER}{{cluster="d",pod="a"}}': "0x30",
            f'{SHARDS}{{cluster="d",pod="a"}}': "1x30",
        },
        -1,
        "none leads",
    ),
    "two replicas that push": (
        "exporter",
        "Replicas",
        {f'{BUILD}{{cluster="c",replica="a"}}': "1x30", f'{BUILD}{{cluster="c",replica="b"}}': "1x30"},
        2,
        "",
    ),
    "an exporter is gone": (
        "exporter",
        "Clusters blind",
        {f'{BUILD}{{cluster="c",pod="a"}}': "1x30", f'{BUILD}{{cluster="d",pod="a"}}': "1x10"},
        1,
        "",
    ),
    "the only exporter is gone": ("exporter", "Clusters blind", {f'{BUILD}{{cluster="c",pod="a"}}': "1x10"}, 1, ""),
    "every exporter is there": ("exporter", "Clusters blind", {f'{BUILD}{{cluster="c",pod="a"}}': "1x30"}, 0, "none"),
    "a service's data is old": (
        "exporter",
        "Old data",
        {
            f"{AGE}{{{SERVICE}}}": "400x30",
            f'storage_exporter_data_age_limit_seconds{{{SERVICE},pod="a"}}': "300x30",
            f'storage_exporter_data_age_limit_seconds{{{SERVICE},pod="b"}}': "300x30",
        },
        1,
        "",
    ),
    "AWS refuses": (
        "exporter",
        "AWS refuses",
        {f"service:storage_exporter_denied:increase10m{{{SERVICE}}}": "2.9x30"},
        3,
        "",
    ),
    "AWS never refused": (
        "exporter",
        "AWS refuses",
        {f'job:storage_exporter_success:max{{{SERVICE},job_name="efs/r"}}': "1x30"},
        0,
        "none",
    ),
    "two passes fail of three": (
        "exporter",
        "Passes that fail",
        {
            f'job:storage_exporter_success:max{{{PLACE},job_name="{job}"}}': values
            for job, values in (("a", "1x30"), ("b", "0x30"), ("c", "0x30"))
        },
        2,
        "",
    ),
    "two kinds are not known": (
        "exporter",
        "Kinds unknown",
        {
            'storage_exporter_kubernetes_kind_known{cluster="c",pod="a",kind="pods"}': "1x30",
            'storage_exporter_kubernetes_kind_known{cluster="c",pod="a",kind="persistentvolumes"}': "0x30",
            'storage_exporter_kubernetes_kind_known{cluster="c",pod="b",kind="persistentvolumes"}': "0x30",
            'storage_exporter_kubernetes_kind_known{cluster="c",pod="a",kind="volumeattachments"}': "0x30",
        },
        2,
        "",
    ),
    "no push": (
        "exporter",
        "Last push",
        {'storage_exporter_remote_write_last_success_timestamp_seconds{cluster="c",replica="a"}': "600x30"},
        600,
        "",
    ),
}


@pytest.mark.binary
@pytest.mark.parametrize(("uid", "title", "given", "value", "words"), STATS.values(), ids=STATS)
def test_a_stat_says(tmp_path: Path, uid: str, title: str, given: Given, value: float | None, words: str) -> None:
    """The value, and the word in its place; nothing at all where nothing is known."""
    asked(tmp_path, expr_of(uid, title), given, {} if value is None else {"{}": value})
    panel = panel_of(uid, title)
    assert isinstance(panel, Stat)
    assert value is None or word(panel.states, value) == words


@pytest.mark.binary
def test_a_band_is_one_node_whether_it_is_silent_or_not(tmp_path: Path) -> None:
    """Silent wins over what it last said of its role, under the same labels."""
    given = {
        f"{PRIMARY}{{{NODE}}}": "1x30",
        f"node:aws_elasticache_dead:info{{{NODE}}}": "_x15 1x15",
        f"{PRIMARY}{{{REPLICA}}}": "0x30",
    }
    expr = expr_of("valkey", "Who is primary")
    asked(tmp_path, expr, given, {f"{{{NODE}}}": 1, f"{{{REPLICA}}}": 0}, minute=10)
    asked(tmp_path, expr, given, {f"{{{NODE}}}": -1, f"{{{REPLICA}}}": 0}, minute=20)


@pytest.mark.binary
def test_a_failover_is_marked_once(tmp_path: Path) -> None:
    """From when a replica is primary, for two minutes; not before, and not for a primary that was one."""
    (mark,) = [change for change in PAGES["valkey"].changes if change.name == "Failovers"]
    given = {f"{PRIMARY}{{{NODE}}}": "1x10 0x20", f"{PRIMARY}{{{REPLICA}}}": "0x10 1x20"}
    labels = f"{PRIMARY}{{{REPLICA}}}"
    for minute, expected in ((10, {}), (11, {labels: 1.0}), (12, {labels: 1.0}), (14, {})):
        asked(tmp_path, chosen(mark.expr), given, expected, minute)


@pytest.mark.binary
def test_events_of_a_group_are_those_of_its_nodes(tmp_path: Path) -> None:
    """The group and its nodes by their names; not a group whose name goes on, and not another's serverless cache."""
    sources = ("g", "g-001", "g-0002-001", "g-eu", "g-eu-001")
    given = {f'{EVENT},source_type="cache-cluster",source="{each}"}}': "7x30" for each in sources}
    given[f'{EVENT},source_type="serverless-cache",source="s"}}'] = "7x30"
    table = panel_of("valkey", "Events")
    assert isinstance(table, Table)
    expr = chosen(table.columns[0].expr, replication_group_id="g", serverless_cache="other")
    expected = {f'{{{PLACE},source_type="cache-cluster",source="{each}",event="x"}}': 7000.0 for each in sources[:3]}
    asked(tmp_path, expr, given, expected)


def _alert(name: str, severity: str, source: str, labels: str = "") -> str:
    given = f'alertname="{name}",severity="{severity}",source="{source}",component="elasticache"'
    return f'ALERTS{{cluster="c",{given},project="storage-exporter",alertstate="firing"{labels}}}'


@pytest.mark.binary
def test_alerts_of_logs_stay_when_a_group_is_chosen(tmp_path: Path) -> None:
    """They name no group. Those of other groups go; severity is a number that sorts."""
    place = ',account_id="1",region="r"'
    given = {
        _alert("Full", "critical", "exporter", f'{place},replication_group_id="g"'): "1x30",
        _alert("Full", "critical", "exporter", f'{place},replication_group_id="h"'): "1x30",
        _alert("Refused", "warning", "logs", ',namespace="shop"'): "1x30",
        _alert("Engine", "warning", "logs", ',replication_group_id="h"'): "1x30",
        'ALERTS{cluster="c",alertname="Else",severity="critical",source="logs",component="efs",'
        'project="storage-exporter",alertstate="firing"}': "1x30",
    }
    table = panel_of("valkey", "Firing now")
    assert isinstance(table, Table)
    group = '{alertname="Full",resource="g",page="valkey",ask="var-replication_group_id=g"}'
    logs = '{alertname="Refused",resource="shop",page="valkey"}'
    rank, fired = (chosen(column.expr, replication_group_id="g") for column in table.columns)
    asked(tmp_path, rank, given, {group: 3, logs: 2})
    asked(tmp_path, fired, given, {group: 21 * 60, logs: 21 * 60})


@pytest.mark.binary
@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("denied", "AWS refuses"),
        ("not_asked", "not asked"),
        ("failing", "requests fail"),
        ("empty", "no datapoints"),
        ("throttled", "throttled"),
        ("late", "CloudWatch is late"),
    ],
)
def test_old_data_has_its_reason(tmp_path: Path, reason: str, words: str) -> None:
    """One band a service, whatever the reason; fresh where there is none."""
    other = f'{PLACE},aws_service="ebs"'
    given = {
        f"{AGE}{{{SERVICE}}}": "900x30",
        f'{REASON}{{{SERVICE},reason="{reason}"}}': "900x30",
        f"{AGE}{{{other}}}": "60x30",
    }
    panel = panel_of("exporter", "Is the data fresh, and why not")
    assert isinstance(panel, Timeline)
    (value,) = [state.value for state in panel.states if state.text == words]
    assert value is not None
    asked(tmp_path, expr_of("exporter", panel.title), given, {f"{{{SERVICE}}}": value, f"{{{other}}}": 0})
    assert word(panel.states, value) == words
    assert word(panel.states, 0) == "fresh"


@pytest.mark.binary
def test_memory_is_of_the_exporter_alone(tmp_path: Path) -> None:
    """Every program has these families; two replicas are two lines."""
    given = {
        f'{BUILD}{{cluster="c",pod="a",instance="i:1"}}': "1x30",
        f'{BUILD}{{cluster="c",pod="b",instance="j:1"}}': "1x30",
        'process_resident_memory_bytes{cluster="c",pod="a",instance="i:1",job="x"}': "5x30",
        'process_resident_memory_bytes{cluster="c",pod="b",instance="j:1",job="x"}': "6x30",
        'process_resident_memory_bytes{cluster="c",pod="a",instance="i:2",job="sidecar"}': "7x30",
        'process_resident_memory_bytes{cluster="c",instance="node:9100",job="node"}': "8x30",
    }
    expected = {'{cluster="c",pod="a",instance="i:1"}': 5.0, '{cluster="c",pod="b",instance="j:1"}': 6.0}
    asked(tmp_path, expr_of("exporter", "Memory"), given, expected)


@pytest.mark.binary
def test_what_two_replicas_count_is_added_up(tmp_path: Path) -> None:
    """One after the other has led, or both did."""
    job = f'{SERVICE},job_name="efs/r"'
    given = {
        f'storage_exporter_job_missed_total{{{job},pod="a"}}': "0+1x30",
        f'storage_exporter_job_missed_total{{{job},pod="b"}}': "0+2x30",
    }
    asked(tmp_path, expr_of("exporter", "Passes missed"), given, {'{job_name="efs/r"}': 15})
