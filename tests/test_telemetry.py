"""The exporter's metrics about itself, read back by prometheus_client's own parsers."""

from __future__ import annotations

import subprocess

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter import families
from exporter.cluster_telemetry import ClusterTelemetry
from exporter.families import SELF_FAMILIES, SelfFamily
from exporter.model import Scope
from exporter.remote_telemetry import RemoteTelemetry
from exporter.telemetry import Telemetry
from tests.tools import binary

HERE = Scope("111122223333", "ap-southeast-3")
THERE = Scope("111122223333", "eu-west-1")
PLACE = {"account_id": "111122223333", "region": "ap-southeast-3"}

Values = dict[tuple[str, frozenset[tuple[str, str]]], float]


def full() -> Telemetry:
    """Telemetry in which everything was said once about two scopes."""
    telemetry = Telemetry("1.2.3")
    telemetry.config_reloaded(ok=True, at=1000)
    telemetry.series(42)
    telemetry.loop_lag(0.01)
    telemetry.loop_stalled(0)
    telemetry.budget(200)
    cluster = ClusterTelemetry(telemetry)
    cluster.leader(leads=True)
    cluster.lease_transition()
    cluster.lease_renewed(0.02, 2000)
    cluster.lease_failed("timeout")
    cluster.shard(1, 3)
    cluster.request("list", "persistentvolumes", "200", 0.01)
    cluster.kind("persistentvolumes", known=True, objects=7, skipped={"malformed": 1}, contact=1990)
    remote = RemoteTelemetry(telemetry, 2**30)
    remote.posted("204")
    remote.retried()
    remote.failed()
    remote.sent(5, 120, 1999)
    remote.dropped("out_of_order", 1)
    remote.keeping_failed()
    remote.waiting(120, 1, oldest=1940, since=1990, now=2000)
    for scope in (HERE, THERE):
        telemetry.job_finished("ebs", "ebs", scope, ok=True, seconds=1.5, at=2000, interval=60)
        telemetry.newest_datapoint(scope, "ebs", 1900)
        telemetry.data_age_limit(scope, "ebs", 600)
        telemetry.resources(scope, "ebs", {"volume": 7})
        telemetry.claims(scope, "ebs", {"kubernetes": 5, "tags": 0})
        telemetry.operation_read(scope, "ebs", "DescribeVolumes", ok=True, at=1950)
        telemetry.request(scope, "ebs", "DescribeVolumes")
        telemetry.retry(scope, "ebs", "DescribeVolumes")
        telemetry.error(scope, "ebs", "DescribeVolumes", "Throttling")
        telemetry.asked(scope, "ebs", queries=10, billable=4, dollars=4e-5)
        telemetry.results(scope, "ebs", "complete", 9)
        telemetry.unconfirmed(scope, "ebs", "GetMetricData", queries=10, billable=4, reason="throttled")
        telemetry.projected(scope, "ebs", "standard", 12.5)
        telemetry.offered(scope, "ebs", "standard", 12.5)
        telemetry.deferred(scope, "ebs", "standard", "budget", 3)
        telemetry.credentials(scope, 5000)
        telemetry.credentials_refresh_failed(scope, "Timeout")
        telemetry.identity(scope, "arn:aws:iam::111122223333:role/reader", "env")
    return telemetry


def own(telemetry: Telemetry) -> Values:
    """Every sample that is about the exporter, from the text format."""
    text = telemetry.render(openmetrics=False).decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in parse_text(text)
        for sample in family.samples
        if sample.name.startswith("storage_exporter_")
    }


def parse_openmetrics(text: str) -> list[Metric]:
    return list(text_string_to_metric_families(text))  # type: ignore[no-untyped-call]


def value(telemetry: Telemetry, name: str, **labels: str) -> float | None:
    return own(telemetry).get((f"storage_exporter_{name}", frozenset(labels.items())))


def test_the_table_lists_every_family() -> None:
    """A row that somebody forgets in the table would be missing in METRICS.md."""
    rows = {each.name for each in vars(families).values() if isinstance(each, SelfFamily)}
    assert rows == {family.name for family in SELF_FAMILIES}
    assert len(rows) == len(SELF_FAMILIES)


def test_rows_are_named_by_the_rules() -> None:
    """Counters end in _total and info in _info, nothing else does; no label is one that scrapers own."""
    for family in SELF_FAMILIES:
        assert family.name.startswith("storage_exporter_")
        assert family.name.endswith("_total") == (family.type == "counter"), family.name
        assert family.name.endswith("_info") == (family.type == "info"), family.name
        assert not {"job", "instance", "pod"} & set(family.labels), family.name
        assert family.help.endswith("."), family.name


def test_every_family_comes_out_with_the_labels_of_its_row() -> None:
    """What the table promises is what a scrape has: names, types, label names."""
    by_name = {sample[0]: {name for name, _ in sample[1]} for sample in own(full())}
    assert {family.name: set(family.labels) for family in SELF_FAMILIES} == by_name


def test_both_formats_say_the_same() -> None:
    """OpenMetrics is accepted by its strict parser and holds the same samples as the text format."""
    telemetry = full()
    text = telemetry.render(openmetrics=True).decode()
    assert text.endswith("# EOF\n")
    strict = {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in parse_openmetrics(text)
        for sample in family.samples
        if sample.name.startswith("storage_exporter_")
    }
    assert own(telemetry) == strict
    assert b"# EOF" not in telemetry.render(openmetrics=False)


def test_no_created_series_and_the_process_beside_them() -> None:
    """No _created doubles the counters; the process's and the interpreter's metrics are on the page."""
    for openmetrics in (False, True):
        text = full().render(openmetrics)
        assert b"_created" not in text
        assert b"process_resident_memory_bytes" in text
        assert b"python_gc_collections_total" in text
        assert b"python_info" in text


def test_a_fresh_one_says_only_what_is_known() -> None:
    """Before anything happened: the build, and the drop counters at zero so that a first increase is seen."""
    names = {name for name, _ in own(Telemetry("1.2.3"))}
    assert names == {"storage_exporter_build_info", "storage_exporter_series_dropped_total"}
    for reason in ("conflict", "duplicate", "limit"):
        assert value(Telemetry("1"), "series_dropped_total", reason=reason) == 0


def test_a_failed_pass_keeps_the_time_of_the_last_good_one() -> None:
    """Success goes to 0 while the timestamp of the last success stays."""
    telemetry = Telemetry("1")
    job = {**PLACE, "aws_service": "ebs", "job_name": "ebs"}
    telemetry.job_finished("ebs", "ebs", HERE, ok=True, seconds=1, at=2000, interval=60)
    telemetry.job_finished("ebs", "ebs", HERE, ok=False, seconds=30, at=2060, interval=60)
    assert value(telemetry, "job_success", **job) == 0
    assert value(telemetry, "job_duration_seconds", **job) == 30
    assert value(telemetry, "job_last_success_timestamp_seconds", **job) == 2000
    assert value(telemetry, "job_missed_total", **job) == 0
    telemetry.job_missed("ebs", "ebs", HERE)
    assert value(telemetry, "job_missed_total", **job) == 1


def test_a_job_of_no_scope_has_empty_labels() -> None:
    """Identity labels are always all there."""
    telemetry = Telemetry("1")
    telemetry.job_finished("plan", "", None, ok=True, seconds=1, at=1, interval=60)
    assert value(telemetry, "job_success", account_id="", region="", aws_service="", job_name="plan") == 1


def test_a_bad_reload_keeps_the_time_of_the_configuration_in_force() -> None:
    """The flag falls, the timestamp stays."""
    telemetry = Telemetry("1")
    telemetry.config_reloaded(ok=True, at=1000)
    telemetry.config_reloaded(ok=False, at=2000)
    assert value(telemetry, "config_last_reload_successful") == 0
    assert value(telemetry, "config_last_reload_timestamp_seconds") == 1000


def test_a_type_of_resource_that_is_gone_leaves_no_series() -> None:
    """Counts follow discovery; another scope's counts stay."""
    telemetry = Telemetry("1")
    telemetry.resources(HERE, "efs", {"file-system": 2, "mount-target": 6})
    telemetry.resources(THERE, "efs", {"mount-target": 1})
    telemetry.resources(HERE, "efs", {"file-system": 1})
    assert value(telemetry, "resources", **PLACE, aws_service="efs", resource_type="file-system") == 1
    assert value(telemetry, "resources", **PLACE, aws_service="efs", resource_type="mount-target") is None
    there = {**PLACE, "region": "eu-west-1"}
    assert value(telemetry, "resources", **there, aws_service="efs", resource_type="mount-target") == 1


def test_a_budget_or_an_expiry_that_is_not_there_is_absent() -> None:
    """None withdraws the series; zero would be a lie."""
    telemetry = Telemetry("1")
    telemetry.budget(200)
    telemetry.credentials(HERE, 5000)
    assert value(telemetry, "aws_budget_dollars_per_month") == 200
    assert value(telemetry, "credentials_expiry_timestamp_seconds", **PLACE) == 5000
    telemetry.budget(None)
    telemetry.credentials(HERE, None)
    assert value(telemetry, "aws_budget_dollars_per_month") is None
    assert value(telemetry, "credentials_expiry_timestamp_seconds", **PLACE) is None
    telemetry.budget(100)
    assert value(telemetry, "aws_budget_dollars_per_month") == 100


def test_a_new_identity_replaces_the_old() -> None:
    """Who we are is one series a scope, also after a role changed."""
    telemetry = Telemetry("1")
    telemetry.identity(HERE, "arn:old", "env")
    telemetry.identity(HERE, "arn:new", "web-identity")
    assert value(telemetry, "identity_info", **PLACE, arn="arn:new", provider="web-identity") == 1
    assert value(telemetry, "identity_info", **PLACE, arn="arn:old", provider="env") is None


def test_what_was_asked_adds_up() -> None:
    """Queries, bill and dollars are counted apart."""
    telemetry = Telemetry("1")
    telemetry.asked(HERE, "ebs", queries=10, billable=4, dollars=4e-5)
    telemetry.asked(HERE, "ebs", queries=5, billable=1, dollars=1e-5)
    labels = {**PLACE, "aws_service": "ebs", "operation": "GetMetricData"}
    assert value(telemetry, "aws_queries_total", **labels) == 15
    assert value(telemetry, "aws_billable_metrics_total", **labels) == 5
    assert value(telemetry, "aws_cost_dollars_total", **labels) == pytest.approx(5e-5)


def test_a_forgotten_scope_leaves_nothing_and_costs_no_other() -> None:
    """A reload that drops a region leaves no stale series of it, and all of the other's."""
    telemetry = full()
    before = own(telemetry)
    telemetry.forget_scope(HERE)
    here = set(PLACE.items())
    assert {key: v for key, v in before.items() if not here <= key[1]} == own(telemetry)
    assert any(here <= labels for _, labels in before)


def test_a_forgotten_service_or_job_leaves_nothing_of_it() -> None:
    """What a reload switched off is withdrawn; the rest of the scope stays."""
    telemetry = full()
    telemetry.resources(HERE, "efs", {"file-system": 2})
    telemetry.job_finished("efs", "efs", HERE, ok=True, seconds=1, at=1, interval=60)
    telemetry.forget_service(HERE, "ebs")
    left = [labels for _, labels in own(telemetry) if set(PLACE.items()) <= labels]
    assert all(("aws_service", "ebs") not in labels for labels in left)
    assert value(telemetry, "resources", **PLACE, aws_service="efs", resource_type="file-system") == 2
    telemetry.forget_job("efs")
    assert value(telemetry, "job_success", **PLACE, aws_service="efs", job_name="efs") is None


def test_the_cluster_is_on_every_series() -> None:
    """The configured cluster is a constant label in both formats."""
    telemetry = Telemetry("1", cluster="production")
    telemetry.request(HERE, "ebs", "DescribeVolumes")
    for openmetrics in (False, True):
        text = telemetry.render(openmetrics).decode()
        lines = [line for line in text.splitlines() if line.startswith("storage_exporter_")]
        assert lines
        assert all('cluster="production"' in line for line in lines)


@pytest.mark.parametrize("code", ['a"b\\c\nd', "\udc80", "ü", "x" * 5000, ""], ids=ascii)
def test_no_error_code_breaks_the_page(code: str) -> None:
    """An error code is whatever a server says: odd ones are escaped, endless ones cut."""
    telemetry = Telemetry("1")
    telemetry.error(HERE, "ebs", "DescribeVolumes", code)
    codes = [dict(labels)["code"] for name, labels in own(telemetry) if name == "storage_exporter_aws_errors_total"]
    expected = code.encode("utf-8", "replace").decode()[:256]
    assert codes == [expected]
    assert parse_openmetrics(telemetry.render(openmetrics=True).decode())


@pytest.mark.binary
def test_promtool_finds_nothing_to_say() -> None:
    """`promtool check metrics` accepts the exporter's own page without a remark."""
    checked = subprocess.run(
        [binary("promtool"), "check", "metrics"],
        input=full().render(openmetrics=False),
        capture_output=True,
        check=False,
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")
