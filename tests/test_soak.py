"""The soak itself, in seconds: it runs, its checks hold, and each of them can fail."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tests.soak.run import Plan, Soak, memory_growth
from tests.soak.shown import Series, Trouble
from tests.soak.verdict import checks, table


async def test_a_short_soak_holds(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One fault of CloudWatch and one of a describing API, with a reload: every check holds."""
    caplog.set_level(logging.CRITICAL, logger="aiohttp.server")
    plan = Plan(seconds=75, speed=6, seed=3, kinds=("internal-error", "throttle-400"), settle=20)
    said: list[str] = []
    told = await Soak(plan, tmp_path, said.append).run()
    held = {check.name: check for check in checks(told)}
    for name in ("memory", "scrapes"):  # what depends on how busy the machine is
        del held[name]
    assert [check for check in held.values() if not check.holds] == []
    shown = {each.kind: each.evidence() for each in told.troubles}  # a row of the table names the first few of it
    assert "aws_results_total{internal_error}" in shown["internal-error"]
    assert any(each.startswith("aws_errors_total{Throttling") for each in shown["throttle-400"])
    assert {row.split()[0] for row in table(told)} == {"fault", "internal-error", "throttle-400"}
    assert told.reloads == 1
    # A datapoint taken away is a hole.
    standing = max(told.taken._known.values(), key=lambda each: len(each.got))
    standing.got.discard(sorted(standing.got)[len(standing.got) // 2])
    assert len(told.taken.lost(())) >= 1


def test_growth_is_seen() -> None:
    """The first quarter is not looked at; then medians of thirds."""
    assert memory_growth([(float(i), 100 if i > 10 else 50) for i in range(40)]) == (100, 100)
    early, late = memory_growth([(float(i), 100 + i) for i in range(40)])
    assert late - early == pytest.approx(20, abs=2)


def test_a_fault_that_nothing_showed_has_no_evidence() -> None:
    """The same scrape twice shows nothing; an error counted in another API's name neither."""

    def page(errors: float, operation: str) -> Series:
        labels = {"aws_service": "ebs", "operation": operation, "code": "Throttling"}
        return {("storage_exporter_aws_errors_total", frozenset(labels.items())): errors}

    assert Trouble("throttle-400", "ec2", [page(1, "DescribeVolumes"), page(1, "DescribeVolumes")]).evidence() == []
    assert Trouble("throttle-400", "ec2", [page(1, "GetMetricData"), page(2, "GetMetricData")]).evidence() == []
    shown = Trouble("throttle-400", "ec2", [page(1, "DescribeVolumes"), page(2, "DescribeVolumes")]).evidence()
    assert shown == ["aws_errors_total{Throttling}"]
