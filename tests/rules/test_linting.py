"""The shipped PromQL rules against our own lint, and the lint against rules that are wrong."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rules.build.__main__ import ROOT as BUILT
from rules.build.exporter_freshness import DENIED, THROTTLED
from rules.build.writing import everything
from tests.rules import linting
from tests.rules.linting import CHECKS, Pack
from tests.rules.pieces import ROOT, load, mimir_files

Check = Callable[[Pack], Iterator[str]]


@pytest.fixture(scope="module")
def pack() -> Pack:
    """What is shipped."""
    groups = [group for file in mimir_files() for group in load(file)["groups"]]
    return Pack(groups, load(ROOT / "thresholds.yaml"))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_rules_are_without_a_fault(check: Check, pack: Pack) -> None:
    """Each check finds nothing."""
    found = list(check(pack))
    assert not found, "\n".join(found)


def test_what_is_committed_is_what_is_built() -> None:
    """`make rules` would change nothing."""
    wrong = [path for path, text in everything().items() if (BUILT / path).read_text() != text]
    assert not wrong, f"{wrong}: run `make rules`"
    built = {path.rpartition("/")[2] for path in everything()}
    there = {file.name for file in (ROOT / "mimir").glob("*.yaml")}
    assert there <= built, f"nothing builds {sorted(there - built)}"


def _rule(expr: str, **more: Any) -> dict[str, Any]:
    return {
        "alert": "AwsEbsSomething",
        "expr": expr,
        "labels": {"severity": "warning", "component": "ebs", "project": "storage-exporter", "source": "exporter"},
        "annotations": {
            "summary": "s",
            "description": "d",
            "runbook_url": "https://example.org/#awsebssomething",
            "dashboard_url": "/d/x",
        },
        **more,
    }


def _pack(*rules: dict[str, Any], **group: Any) -> Pack:
    whole = {
        "name": "storage-exporter.x.y",
        "interval": "1m",
        "rules": [copy.deepcopy(rule) for rule in rules],
        **group,
    }
    return Pack([whole], {})


_ID = "by (cluster, account_id, region, volume_id)"


@pytest.mark.parametrize(
    ("check", "pack", "says"),
    [
        (linting.unknown_metrics, _pack(_rule("aws_ebs_volume_nonsense > 1")), "nonsense"),
        (linting.impossible_labels, _pack(_rule("max by (colour) (aws_ebs_volume_info) > 0")), "colour"),
        (linting.impossible_labels, _pack(_rule('aws_ebs_volume_info{colour="red"} > 0')), "colour"),
        (
            linting.impossible_labels,
            _pack(
                _rule("max by (region) (aws_ebs_volume_info) > 0", annotations={"summary": "{{ $labels.volume_id }}"})
            ),
            "$labels.volume_id",
        ),
        (
            linting.impossible_labels,
            _pack(
                _rule("max by (region) (aws_ebs_volume_info) * on (volume_id) group_left () aws_ebs_volume_info > 0")
            ),
            "volume_id",
        ),
        (linting.scraper_labels, _pack(_rule("aws_ebs_volume_size_bytes > 0")), "pod"),
        (linting.conditions, _pack(_rule("max by (cluster) (aws_ebs_volume_size_bytes)")), "compares nothing"),
        (linting.functions, _pack(_rule("topk(1, aws_ebs_volume_size_bytes) > 1")), "topk"),
        (linting.functions, _pack(_rule("sort(aws_ebs_volume_size_bytes) > 1")), "sort"),
        (linting.counters, _pack(_rule("storage_exporter_aws_requests_total > 1")), "counter"),
        (linting.counters, _pack(_rule("rate(aws_ebs_volume_size_bytes[5m]) > 1")), "gauge"),
        (linting.spans, _pack(_rule("max_over_time(aws_ebs_volume_stalled_io[19m]) > 0")), "max_over_time"),
        (linting.spans, _pack(_rule("avg_over_time(aws_ebs_volume_read_ops_per_second[2m]) > 0")), "0:02:00"),
        (linting.spans, _pack(_rule("aws_ebs_volume_stalled_io > 0")), "bare"),
        (linting.living, _pack(_rule(f"max {_ID} (avg_over_time(aws_ebs_volume_stalled_io[19m])) > 0")), "without"),
        (
            linting.living,
            _pack(
                _rule(
                    f"max {_ID} (avg_over_time(aws_ebs_volume_stalled_io[19m]))"
                    " and on (account_id, region, volume_id) aws_ebs_volume_info > 0"
                )
            ),
            "compares",
        ),
        (
            linting.living,
            _pack(
                _rule(
                    f"(max {_ID} (avg_over_time(aws_ebs_volume_stalled_io[19m]))"
                    " and on (account_id, region, volume_id) aws_ebs_volume_info) > 0"
                )
            ),
            "not by",
        ),
        (
            linting.living,
            _pack(_rule("max by (region, volume_id) (avg_over_time(aws_ebs_volume_stalled_io[19m])) > 0")),
            "aggregates",
        ),
        (linting.denominators, _pack(_rule("aws_ebs_volume_size_bytes / aws_ebs_volume_provisioned_iops > 1")), "zero"),
        (linting.no_zeroes, _pack(_rule("aws_ebs_volume_size_bytes > 1 or vector(0)")), "vector"),
        (linting.sizes, _pack(*[_rule("vector(1)")] * 21), "21 rules"),
        (linting.sizes, _pack(interval="10m"), "interval"),
        (linting.sizes, _pack(query_offset="0s"), "keys"),
        (linting.names, _pack(_rule("vector(1)"), _rule("vector(1)")), "twice"),
        (linting.names, _pack(_rule("vector(1)", alert="Nonsense")), "prefix"),
        (linting.names, _pack({"record": "nonsense", "expr": "vector(1)"}), "level"),
        (linting.order, _pack(_rule("a:b:c > 1"), {"record": "a:b:c", "expr": "vector(1)"}), "later"),
        (linting.unused, _pack(_rule("vector(1)", **{"for": "0s"})), "says nothing"),
        (linting.texts, _pack(_rule("vector(1)", labels={"severity": "page"})), "severity"),
        (linting.texts, _pack(_rule("vector(1)", alert="AwsEbsOther")), "runbook_url"),
        (linting.thresholds, _pack(_rule("aws_ebs_volume_size_bytes > 1  # size")), "size"),
        (linting.regexps, _pack(_rule('aws_ebs_volume_info{state=~"in-use"} > 0')), "no expression"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_the_lint_finds(check: Check, pack: Pack, says: str) -> None:
    """Each check finds what it is for."""
    assert any(says in complaint for complaint in check(pack)), list(check(pack))


def test_a_page_stands_with_its_recording() -> None:
    """A critical alert that reads a recording of another group is a minute late."""
    page = _rule("a:b:c > 1")
    page["labels"] = {**page["labels"], "severity": "critical"}
    groups = [
        {"name": "one", "interval": "1m", "rules": [{"record": "a:b:c", "expr": "vector(1)"}]},
        {"name": "two", "interval": "1m", "rules": [page]},
    ]
    assert list(linting.order(Pack(groups, {})))


def test_the_sorting_of_error_codes_is_the_exporters() -> None:
    """What the exporter calls throttled or denied is so for the rules."""
    import re

    from exporter.aws import faults

    assert all(re.fullmatch(THROTTLED, code) for code in faults._THROTTLED)
    assert all(re.fullmatch(DENIED, code) for code in faults._DENIED | faults._CREDENTIALS)
    others = faults._TRANSIENT | {faults.TIMEOUT, faults.CONNECTION, faults.MALFORMED}
    assert not any(re.fullmatch(f"{THROTTLED}|{DENIED}", code) for code in others)
