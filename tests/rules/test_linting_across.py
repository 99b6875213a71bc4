"""The shipped PromQL rules against the second part of our lint, and that part against rules that are wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import pytest

from rules.build import first
from tests.rules import linting_across
from tests.rules.expressions import Labels
from tests.rules.linting import Pack, name
from tests.rules.linting_across import CHECKS, LOOSE, PLACE, labels
from tests.rules.pieces import load, mimir_files

Check = Callable[[Pack, Mapping[str, Labels]], Iterator[str]]


@pytest.fixture(scope="module")
def pack() -> Pack:
    """What is shipped."""
    return Pack([group for file in mimir_files() for group in load(file)["groups"]], {})


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_rules_are_without_a_fault(check: Check, pack: Pack) -> None:
    """Each check finds nothing."""
    found = list(check(pack, labels(pack)))
    assert not found, "\n".join(found)


def test_what_is_loose_is_needed(pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each rule that is listed would be a fault if it were not, for every label that is listed."""
    monkeypatch.setattr(linting_across, "LOOSE", {})
    found = list(linting_across.joins(pack, labels(pack)))
    assert {each.partition(":")[0] for each in found} <= {name(rule) for rule in pack.rules} | {
        each.split(":")[0] for each in LOOSE
    }
    for rule, (left_out, why) in LOOSE.items():
        told = " ".join(each for each in found if each.startswith(f"{rule}: "))
        assert told, f"{rule} needs no exception"
        assert why
        assert any(f"'{label}'" in told for label in left_out), rule


_VOLUME = "cluster, account_id, region, volume_id"


@pytest.mark.parametrize(
    ("check", "expr", "says"),
    [
        (
            linting_across.joins,
            f"max by ({_VOLUME}) (aws_ebs_volume_size_bytes) and on (cluster, account_id, region) aws_ebs_volume_info",
            "leaves out ['volume_id']",
        ),
        (
            linting_across.joins,
            "max by (cluster, volume_id) (aws_ebs_volume_size_bytes) and on (volume_id) aws_ebs_volume_info",
            "leaves out ['cluster']",
        ),
        (linting_across.joins, "somebody_elses / on (volume_id) aws_ebs_volume_size_bytes", "cannot be told"),
        (linting_across.places, "max by (cluster, region, volume_id) (aws_ebs_volume_size_bytes)", "of the place"),
        (
            linting_across.places,
            "aws_ebs_volume_size_bytes and on (cluster, account_id, volume_id) aws_ebs_volume_info",
            "of the place",
        ),
        (linting_across.places, "max by (namespace, persistentvolumeclaim) (kubernetes_x)", "claim"),
        (linting_across.doubling, f"sum by ({_VOLUME}) (aws_ebs_volume_size_bytes)", "sum of the fact"),
        (linting_across.doubling, f"count by ({_VOLUME}) (aws_ebs_volume_info)", "count of the fact"),
        (
            linting_across.doubling,
            f"max by ({_VOLUME}) (avg_over_time(aws_ebs_volume_read_ops_per_second[19m]))",
            "max of the cloudwatch",
        ),
        (
            linting_across.doubling,
            "max by (cluster) (increase(storage_exporter_aws_requests_total[10m]))",
            "max of the self",
        ),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_the_lint_finds(check: Check, expr: str, says: str) -> None:
    """Each check finds what it is for."""
    one = Pack([{"name": "x", "interval": "1m", "rules": [{"record": "a:b:c", "expr": expr}]}], {})
    assert any(says in complaint for complaint in check(one, {})), list(check(one, {}))


@pytest.mark.parametrize(
    "expr",
    [
        f"max by ({_VOLUME}) (aws_ebs_volume_size_bytes) and on ({_VOLUME}) aws_ebs_volume_info",
        "sum by (cluster) (max by (cluster, node) (x) and on (cluster) kubernetes_pod_persistentvolumeclaim_info)",
        "count by (cluster) (max by (cluster, node) (x) unless on (cluster) kubernetes_pod_persistentvolumeclaim_info)",
        f"sum by ({_VOLUME}) (count_over_time(aws_ebs_volume_stalled_io[20m]))",
        "sum by (cluster) (increase(storage_exporter_aws_requests_total[10m]))",
    ],
)
def test_the_lint_leaves_alone(expr: str) -> None:
    """What is whole, or only says which series stay, is no fault."""
    one = Pack([{"name": "x", "interval": "1m", "rules": [{"record": "a:b:c", "expr": expr}]}], {})
    assert not [complaint for check in (linting_across.places, linting_across.doubling) for complaint in check(one, {})]


def test_what_identifies_is_a_label_of_somebody(pack: Pack) -> None:
    """No identifying label is a spelling mistake."""
    there = {label for known in labels(pack).values() for label in known or ()}
    there |= {label for family in first.families() for label in first.labels_of(family)}
    assert PLACE < linting_across.IDENTIFYING <= there
