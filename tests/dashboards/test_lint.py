"""The dashboards have no fault that the lint knows; and the lint finds each fault where there is one."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rules.build.model import RUNBOOKS
from tests.dashboards import linting, linting_links, linting_queries, linting_values, reading
from tests.dashboards.checks import CHECKS, EXCEPTIONS, GRAFANA, complaints, exempt, shipped
from tests.dashboards.linting import Boards, Check
from tests.dashboards.linting_values import bare_numbers, unread_units
from tests.dashboards.madeup import madeup
from tests.rules.logql_grammar import grammar_faults

MADE_UP = madeup()
Document = reading.Document


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_dashboards_are_without_fault(check: Check) -> None:
    """Each check over all that is committed; what is let pass stands in one table."""
    found = list(complaints(check, shipped()))
    assert found == [], "\n".join(found)


def test_what_is_let_pass_is_still_there() -> None:
    """An exception that nothing needs any more is taken out; each has its reason."""
    found = {exempt(check, fault) for check in CHECKS for fault in check(shipped())}
    assert set(EXCEPTIONS) - found == set()
    assert all(len(reason) >= 20 for reason in EXCEPTIONS.values())


def test_every_rule_of_grafanas_linter_is_held_or_has_its_reason() -> None:
    """Checks that are named are run."""
    assert len(GRAFANA) == 17
    for rule, held in GRAFANA.items():
        assert held in CHECKS if callable(held) else len(held) >= 30, rule


def test_grafanas_grammar_reads_the_logql() -> None:
    """Every query of a panel of logs, with Grafana's variables filled."""
    asked = [one for document in shipped().documents for one in reading.logs(document)]
    assert asked
    texts = [reading.filled(one.expr, {}, 1800) for one in asked]
    assert [(asked[each["index"]].panel, each["text"]) for each in grammar_faults(texts)] == []


def test_limits_are_not_written_as_numbers() -> None:
    """A limit is a threshold of an alert, in a unit that is said, so it changes where the alert does."""
    assert list(bare_numbers()) == []
    assert list(unread_units()) == []


def test_a_limit_that_is_a_number_is_seen(tmp_path: Path) -> None:
    """Bare, or with a sign; one and multiples are let pass, a number of the table in no unit is not."""
    text = 'A = high(0.8)\nB = thresholds.low(warning=2)\nC = high(critical=1)\nD = high(number("A", "x"))\n'
    (tmp_path / "page_of.py").write_text(text + 'E = low(-5)\nF = high(0.9 * number("A", "x", of="ratio"))\n')
    assert [line for _, line, _ in bare_numbers(tmp_path)] == [1, 2, 5]
    assert [line for _, line, _ in unread_units(tmp_path)] == [4]


# ---- each check finds its fault ------------------------------------------------------------------------------------


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_made_up_dashboards_are_without_fault(check: Check) -> None:
    """So that what is found below is what was broken."""
    assert list(check(MADE_UP)) == []


def _panel(boards: Boards, title: str) -> Document:
    return next(panel for _, panel in boards.panels() if panel["title"] == title)


def _board(boards: Boards, uid: str) -> Document:
    return next(each for each in boards.documents if each["uid"] == f"storage-exporter-{uid}")


def _variable(boards: Boards, name: str) -> Document:
    return next(each for each in reading.variables(_board(boards, "detail")) if each["name"] == name)


def _expr(title: str, expr: str, **more: Any) -> Callable[[Boards], None]:
    def broken(boards: Boards) -> None:
        _panel(boards, title)["targets"][0].update(expr=expr, **more)

    return broken


def _swap(title: str, old: str, new: str, ref: int = 0) -> Callable[[Boards], None]:
    def broken(boards: Boards) -> None:
        target = _panel(boards, title)["targets"][ref]
        assert old in target["expr"]
        target["expr"] = target["expr"].replace(old, new)

    return broken


def _set(title: str, *path: Any, to: Any) -> Callable[[Boards], None]:
    def broken(boards: Boards) -> None:
        at: Any = _panel(boards, title)
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = to

    return broken


def _on(uid: str, *path: Any, to: Any) -> Callable[[Boards], None]:
    def broken(boards: Boards) -> None:
        at: Any = _board(boards, uid)
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = to

    return broken


def _of(name: str, /, **given: Any) -> Callable[[Boards], None]:
    return lambda boards: _variable(boards, name).update(**given)


def _property(title: str, column: str, key: str, value: Any) -> Callable[[Boards], None]:
    def broken(boards: Boards) -> None:
        overrides = _panel(boards, title)["fieldConfig"]["overrides"]
        one = next(each for each in overrides if each["matcher"]["options"] == column)
        found = next(each for each in one["properties"] if each["id"] == key)
        found["value"] = value(found["value"]) if callable(value) else value

    return broken


def _link(url: str, title: str = "Volumes", column: str = "Volume") -> Callable[[Boards], None]:
    return _property(title, column, "links", [{"title": "x", "url": url, "targetBlank": False}])


def _leads(url: str) -> Callable[[Boards], None]:
    def broken(boards: Boards) -> None:
        next(rule for rule in boards.rules if "alert" in rule)["annotations"]["dashboard_url"] = url

    return broken


def _rows(page: str = "", ask: str = "") -> Callable[[Boards], None]:
    """Alerts that lead to a dashboard that the expression names."""

    def broken(boards: Boards) -> None:
        _link(_ROW, "Alerts", "Alert")(boards)
        target = _panel(boards, "Alerts")["targets"][0]
        for label, text in (("page", page), ("ask", ask)):
            if text:
                target["expr"] = f'label_replace({target["expr"]}, "{label}", "{text}", "", "")'

    return broken


def _query(selector: str) -> dict[str, str]:
    return {"query": f"label_values({selector}, volume_id)", "refId": "volume_id"}


_PLACE = 'cluster=~"$cluster",account_id=~"$account_id",region=~"$region"'
_JOINED = (
    "filesystem:aws_efs_storage:bytes and on (cluster, account_id, file_system_name) filesystem:aws_efs_owner:info"
)
_DETAIL = "/d/storage-exporter-detail?${__url_time_range}"
_BALANCE = "volume:aws_ebs_burst_balance:ratio"
_VOLUME = f'{{{_PLACE},volume_id=~"$volume_id"}}'
_ROW = "/d/storage-exporter-${__data.fields.page}?${__url_time_range}&${__data.fields.ask:raw}"
_STEPS = ("fieldConfig", "defaults", "thresholds", "steps")

BROKEN: list[tuple[Check, str, Callable[[Boards], None]]] = [
    (linting.unique, "two dashboards have the uid", _on("detail", "uid", to="storage-exporter-overview")),
    (linting.unique, "two dashboards have the title", _on("detail", "title", to="An overview")),
    (linting.unique, "does not begin with", _on("detail", "uid", to="detail")),
    (linting.unique, "two panels have the id", _set("Balances", "id", to=1)),
    (linting.unique, "it has no id", _set("Balances", "id", to=0)),
    (linting.unique, "two panels have this title", _set("Balances", "title", to="Calls")),
    (linting.unique, "two queries have the letter A", _set("Balances", "targets", 1, "refId", to="A")),
    (linting.unique, "two variables have this name", _of("region", name="cluster")),
    (linting.placed, "beyond the page", _set("Calls", "gridPos", "x", to=13)),
    (linting.placed, "lies over ['Balances']", _set("Calls", "gridPos", "x", to=11)),
    (linting.placed, "lies over ['Age']", _set("Lines", "gridPos", "y", to=17)),
    (linting.placed, "listed earlier", _set("Calls", "gridPos", "y", to=1)),
    (linting.placed, "has no panel", _on("detail", "panels", to=[])),
    (linting.described, "too little", _set("Calls", "description", to="Calls of AWS's API. Good.")),
    (linting.described, "full stop", _set("Calls", "description", to="Calls of AWS's API. Good: few, and none fails")),
    (linting.described, "as a sentence", _set("Calls", "description", to="calls of AWS's API. Good: few of them.")),
    (linting.described, "nobody reads", _set("Calls", "description", to="Calls and calls" * 30 + ".")),
    (linting.described, "no title", _set("Calls", "title", to="")),
    (linting.described, "no description", _on("detail", "description", to="")),
    (linting.fixed, "editable", _on("detail", "editable", to=True)),
    (linting.fixed, "schemaVersion", _on("detail", "schemaVersion", to=18)),
    (linting.fixed, "tags", _on("detail", "tags", to=[])),
    (linting.fixed, "has an id", _on("detail", "id", to=7)),
    (linting.sources, "A asks", _set("Calls", "targets", 0, "datasource", "uid", to="prometheus")),
    (linting.sources, "asks {'type': 'datasource'", _set("Calls", "datasource", to={"type": "datasource"})),
    (linting.sources, "Lines", _set("Lines", "datasource", to=linting.PROMETHEUS)),
    (linting.sources, "asks None", _of("volume_id", datasource=None)),
    (linting.sources, "a data source called", _of("loki_datasource", label="Logs")),
    (linting.sources, "no prometheus_datasource", _of("prometheus_datasource", name="datasource")),
    (linting.sources, "logs without loki", _of("loki_datasource", type="query", datasource=linting.PROMETHEUS)),
    (linting.targets, "asks nothing", _expr("Calls", " ")),
    (linting.targets, "asks nothing", _set("Calls", "targets", to=[])),
    (linting.targets, "asks twice", lambda boards: _panel(boards, "Calls")["targets"].append(
        _panel(boards, "Calls")["targets"][0])),
    (linting.targets, "instant or over a range", _set("Calls", "targets", 0, "instant", to=True)),
    (linting.targets, "instant or over a range", _set("Calls", "targets", 0, "range", to=False)),
    (linting.targets, "of a table is", lambda boards: _panel(boards, "Volumes")["targets"][0].update(
        instant=False, range=True)),
    (linting.targets, "of a timeseries is", lambda boards: _panel(boards, "Calls")["targets"][0].update(
        instant=True, range=False)),
    (linting.targets, "format None", lambda boards: _panel(boards, "Volumes")["targets"][0].pop("format")),
    (linting.targets, "says nothing", _set("Words", "options", "content", to="")),
    (linting.variables, "refresh is 1", _of("volume_id", refresh=1)),
    (linting.variables, "no label", _of("volume_id", label="")),
    (linting.variables, "all is not .*", _of("region", allValue=".+")),
    (linting.variables, "without all", _of("region", includeAll=False)),
    (linting.variables, "no label_values", _of("volume_id", query={"query": "metrics(x)", "refId": "x"})),
    (linting.variables, "stand not before", _of("account_id",
        query=_query('volume:aws_ebs_owner:info{region="$region"}'))),
    (linting.variables, "used and not there", _swap("Calls", "$region", "$regoin")),
    (linting.variables, "nothing uses", _of("loki_datasource", name="bucket", type="custom")),
    (linting_queries.parsed, "A:", _expr("Calls", "sum by (x")),
    (linting_queries.parsed, "volume_id", _of("volume_id", query=_query("x{"))),
    (linting_queries.metrics, "reads volume:aws_ebs_burst:ratio", _swap("Balances", "burst_balance:", "burst:")),
    (linting_queries.metrics, "reads aws_ebs_volume_sizes", _swap("Volumes", "_size_", "_sizes_")),
    (linting_queries.metrics, "reads kube_pod_infos", _expr("Calls", "max(kube_pod_infos)")),
    (linting_queries.metrics, "without a name", _swap("Calls", "storage_exporter_aws_requests_total", "")),
    (linting_queries.metrics, "reads volume:aws_ebs_owners:info", _of(
        "volume_id", query=_query("volume:aws_ebs_owners:info"))),
    (linting_queries.metrics, "Changes", _on("detail", "annotations", "list", 0, "expr", to="nothing_at_all")),
    (linting_queries.labels, "no label volume", _swap("Balances", "volume_id=~", "volume=~")),
    (linting_queries.labels, "by: there is no label", _swap("Calls", "aws_service", "service_name")),
    (linting_queries.labels, "on, left of", _swap("Volumes", "on (cluster", "on (clusters")),
    (linting_queries.labels, "legend shows volume", _set("Balances", "targets", 0, "legendFormat", to="{{volume}}")),
    (linting_queries.labels, "legend shows bucket", _of("volume_id", query={
        "query": "label_values(volume:aws_ebs_owner:info, bucket)", "refId": "x"})),
    (linting_queries.labels, "Changes", _on("detail", "annotations", "list", 0, "titleFormat", to="{{bucket}}")),
    (linting_queries.legends, "no legend", _set("Calls", "targets", 0, "legendFormat", to="__auto")),
    (linting_queries.legends, "two queries are called", _set(
        "Balances", "targets", 1, "legendFormat", to="{{volume_id}}")),
    (linting_queries.legends, "says none of", _set("Calls", "targets", 0, "legendFormat", to="calls")),
    (linting_queries.tables, "lack ['region']", _swap("Volumes", "max by (cluster, account_id, region, volume_id)",
        "max by (cluster, account_id, volume_id)", 1)),
    (linting_queries.tables, "have ['severity']", _swap("Alerts", "(alertname)", "(alertname, severity)")),
    (linting_queries.tables, "not known", _expr("Alerts", "kube_pod_info")),
    (linting_queries.tables, "sorts by", _set("Volumes", "options", "sortBy", 0, "displayName", to="Bytes")),
    (linting_queries.tables, "no column", _set("Volumes", "fieldConfig", "overrides", 0, "matcher", "options", to="X")),
    (linting_queries.tables, "not those of its queries", lambda boards: _panel(boards, "Volumes")["targets"].pop()),
    (linting_queries.scrapers, "up", _expr("Calls", 'max(up{job="storage-exporter"})')),
    (linting_queries.scrapers, "['pod']", _swap("Calls", "by (aws_service)", "by (aws_service, pod)")),
    (linting_queries.scrapers, "['instance']", _swap(
        "Calls", 'cluster=~"$cluster"', 'cluster=~"$cluster",instance="x"')),
    (linting_queries.replicas, "without max by", _expr("Calls", f"aws_ebs_volume_size_bytes{{{_PLACE}}}")),
    (linting_queries.replicas, "sum over", _expr("Calls", f"sum by (region) (aws_ebs_volume_size_bytes{{{_PLACE}}})")),
    (linting_queries.replicas, "count over", _expr("Calls", f"count(aws_ebs_volume_size_bytes{{{_PLACE}}})")),
    (linting_queries.replicas, "several resources", _expr("Calls",
        f"sum(max by (region) (aws_ebs_volume_size_bytes{{{_PLACE}}}))")),
    (linting_queries.late, "reads aws_efs_file_system_burst_credit_balance_bytes over", _expr("Calls",
        f"max by (file_system_id) (aws_efs_file_system_burst_credit_balance_bytes{{{_PLACE}}})")),
    (linting_queries.late, "over 0:01:00", _expr("Calls",
        f"max(last_over_time(aws_efs_file_system_burst_credit_balance_bytes{{{_PLACE}}}[1m]))")),
    (linting_queries.rates, "over 0:05:00", _swap("Calls", "$__rate_interval", "5m")),
    (linting_queries.rates, "rate over 0:11:11", _swap("Calls", "$__rate_interval", "$__range")),
    (linting_queries.rates, "which is for rates", _swap("Balances", "6h", "$__rate_interval", 1)),
    (linting_queries.rates, "the counter", _expr("Calls", f"max(storage_exporter_aws_requests_total{{{_PLACE}}})")),
    (linting_queries.rates, "the gauge", _expr("Calls", f"max(rate({_BALANCE}{_VOLUME}[$__rate_interval]))")),
    (linting_queries.picked, "topk over time", _expr("Calls", f"topk(3, {_BALANCE}{_VOLUME})")),
    (linting_queries.chosen, "chosen volume_id", _swap("Balances", ',volume_id=~"$volume_id"', "")),
    (linting_queries.chosen, "chosen region", _swap("Calls", ',region=~"$region"', "")),
    (linting_queries.chosen, "may be several", _swap("Calls", "region=~", "region=")),
    (linting_queries.chosen, "chosen region", _of("volume_id", query=_query(
        'volume:aws_ebs_owner:info{cluster=~"$cluster",account_id=~"$account_id"}'))),
    (linting_queries.joined, "not by ['file_system_id', 'region']", _expr("Time left", _JOINED)),
    (linting_queries.alerts, "no alert has severity ['critcal']", _swap("Alerts", "{", '{severity="critcal",')),
    (linting_queries.alerts, "no alert has component ['ebss']", _swap("Alerts", "{", '{component=~"efs|ebss",')),
    (linting_queries.alerts, "no alert has alertname", _swap("Alerts", "{", '{alertname="AwsEbs",')),
    (linting_queries.lines, "refuses", _expr("Lines", '{namespace=~"$cluster"} |= "x"')),
    (linting_queries.lines, "no stream", _expr("Lines", '|= "x"')),
    (linting_queries.lines, "have no ['app']", _expr("Lines", '{app="storage-exporter"}')),
    (linting_values.units, "does not know", _set("Calls", "fieldConfig", "defaults", "unit", to="calls")),
    (linting_values.units, "does not know", _property("Volumes", "Size", "unit", "GiB")),
    (linting_values.units, "counts in ratio", _set("Balances", "fieldConfig", "defaults", "unit", to="percent")),
    (linting_values.units, "counts in bytes, shown as none", _property("Volumes", "Size", "unit", "none")),
    (linting_values.units, "counts in seconds", _set("Time left", "fieldConfig", "defaults", "unit", to="ms")),
    (linting_values.units, "counts in seconds, shown as none", _set("Time left", "fieldConfig", "defaults", to={
        "unit": "none", "mappings": [{"type": "special", "options": {"match": "null+nan", "result": {"text": "-"}}}]})),
    (linting_values.thresholds, "no alert has it", _set("Balances", *_STEPS, 1, "value", to=0.21)),
    (linting_values.thresholds, "something else", _set("Balances", *_STEPS, 1, "value", to=0.8)),
    (linting_values.thresholds, "do not rise", _set("Time left", *_STEPS, 1, "value", to=604800.0 * 2)),
    (linting_values.thresholds, "Balance changes colour at 0.3", _property("Volumes", "Balance", "thresholds",
        {"steps": [{"color": "red", "value": None}, {"color": "green", "value": 0.3}]})),
    (linting_links.links, "leads to storage-exporter-efs", _link(_DETAIL.replace("detail", "efs"))),
    (linting_links.links, "sets bucket", _link(f"{_DETAIL}&var-bucket=${{__data.fields.volume_id}}")),
    (linting_links.links, "keeps volume_id", _link(f"{_DETAIL}&${{volume_id:queryparam}}")),
    (linting_links.links, "needs the namespace", _link(f"{_DETAIL}&var-volume_id=${{__data.fields.namespace}}")),
    (linting_links.links, "loses the time", _link("/d/storage-exporter-detail?${cluster:queryparam}")),
    (linting_links.links, "is not known to Grafana", _link(f"{_DETAIL}&var-volume_id=${{__data.field.volume_id}}")),
    (linting_links.links, "have no #awsebs", _link(f"{RUNBOOKS}#awsebs")),
    (linting_links.links, "leads neither", _link("https://example.org/")),
    (linting_links.links, "of a row", _set("Calls", "links", to=[{"url": _DETAIL + "&var-x=${__data.fields.region}"}])),
    (linting_links.links, "leads to storage-exporter-x", _set("Words", "options", "content",
        to="[x](/d/storage-exporter-x?${__url_time_range})")),
    (linting_links.links, "have no #x", _on("detail", "links", 1, "url", to=f"{RUNBOOKS}#x")),
    (linting_links.links, "no dashboard has the tags", _on("detail", "links", 0, "tags", to=["storage"])),
    (linting_links.by_row, "no row has page", _rows()),
    (linting_links.by_row, "leads to efs, which", _rows("efs")),
    (linting_links.by_row, "sets bucket, which", _rows("detail", "var-bucket=$1")),
    (linting_links.pages_lead_here, "there is not", _leads("/d/storage-exporter-s4?var-cluster={{ $labels.cluster }}")),
    (linting_links.pages_lead_here, "sets bucket", _leads(
        "/d/storage-exporter-detail?var-bucket={{ $labels.bucket }}")),
    (linting_links.pages_lead_here, "sets b,", _leads("/d/storage-exporter-detail?{{ if .a }}var-b=1{{ end }}")),
    (linting_links.rows_lead_on, "lead nowhere", _property("Volumes", "Volume", "links", [])),
]  # fmt: skip


@pytest.mark.parametrize(("check", "words", "broken"), BROKEN, ids=lambda value: getattr(value, "__name__", value))
def test_a_check_finds_its_fault(check: Check, words: str, broken: Callable[[Boards], None]) -> None:
    """One thing is broken, and the check says so in these words."""
    boards = replace(MADE_UP, documents=copy.deepcopy(MADE_UP.documents), rules=copy.deepcopy(MADE_UP.rules))
    broken(boards)
    assert [fault for fault in check(boards) if words in f"{fault.panel} {fault.text}"], list(check(boards))


def test_a_dashboard_that_nothing_leads_to_is_found() -> None:
    """A link is what leads there, not the menu."""
    boards = replace(MADE_UP, documents=copy.deepcopy(MADE_UP.documents))
    _link("https://eu.console.aws.amazon.com/")(boards)
    assert list(linting_links.ways(boards)) == []
    _set("Words", "options", "content", to="Nothing.")(boards)
    assert [fault.uid for fault in linting_links.ways(boards)] == ["storage-exporter-detail"]


def test_every_check_is_shown_a_fault() -> None:
    """A check that nothing is shown to could find nothing."""
    shown = {check for check, _, _ in BROKEN} | {linting_links.ways}
    assert [check.__name__ for check in CHECKS if check not in shown] == []
