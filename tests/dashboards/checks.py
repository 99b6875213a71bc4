"""All checks of the lint, what of dashboard-linter each stands for, and what is let pass, with reasons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from dashboards.build.thresholds import TABLE
from tests.dashboards import linting, linting_links, linting_queries, linting_values, reading
from tests.dashboards.linting import Boards, Check, Fault
from tests.dashboards.linting_links import LINKS
from tests.dashboards.linting_queries import QUERIES
from tests.dashboards.linting_values import VALUES
from tests.tools import ROOT

CHECKS: tuple[Check, ...] = (*linting.SHAPE, *QUERIES, *VALUES, *LINKS)

GRAFANA: Mapping[str, Check | str] = {
    "template-datasource-rule": linting.sources,
    "template-job-rule": "recordings are of AWS's resources: a job would tie them to how the exporter is read",
    "template-instance-rule": "recordings are of AWS's resources: they outlive the exporter's pod",
    "template-label-promql-rule": linting_queries.parsed,
    "template-on-time-change-reload-rule": linting.variables,
    "panel-datasource-rule": linting.sources,
    "panel-title-description-rule": linting.described,
    "panel-units-rule": linting_values.units,
    "panel-no-targets-rule": linting.targets,
    "target-promql-rule": linting_queries.parsed,
    "target-logql-rule": "Grafana's own grammar, under node: test_lint.py",
    "target-job-rule": "no job, see above: the place (cluster, account, region) is held instead, by `chosen`",
    "target-instance-rule": "no instance, see above: `scrapers` refuses it",
    "target-rate-interval-rule": linting_queries.rates,
    "target-logql-auto-rule": "no panel asks Loki for a number over a range",
    "target-counter-agg-rule": linting_queries.rates,
    "uneditable-dashboard": linting.fixed,
}
"""Rules of dashboard-linter: the check that holds each, or why it is not held."""


class Exempt(NamedTuple):
    """What is let pass: a check's name, a dashboard's uid without its prefix, and the title of a panel or variable."""

    check: str
    uid: str
    panel: str


_PODS = "which replica is what is asked: a scrape names it by pod and instance, a push by replica; all three are asked"
_PROCESS = "every process says it of itself; it is asked only where storage_exporter_build_info is, so it is ours"
_SCRAPE = "Prometheus says it of its scrapes; where the exporter pushes there is none, and the panel says so"

EXCEPTIONS: Mapping[Exempt, str] = {
    **{
        Exempt("scrapers", "exporter", panel): _PODS
        for panel in ("Leader", "Replicas", "Who leads", "Memory", "CPU", "Duration of scrapes")
    },
    Exempt("metrics", "exporter", "Memory"): _PROCESS,
    Exempt("metrics", "exporter", "CPU"): _PROCESS,
    Exempt("metrics", "exporter", "Duration of scrapes"): _SCRAPE,
}
"""Why each is let pass. One that is needed no more fails."""


@cache
def shipped() -> Boards:
    """What is committed."""
    return Boards(reading.committed(), _rules("mimir"), _yaml(TABLE), _rules("loki"))


def _yaml(path: Path) -> Any:
    return yaml.load(path.read_text("utf-8"), yaml.CSafeLoader)


def _rules(folder: str) -> list[dict[str, object]]:
    paths = sorted((ROOT / "rules" / folder).glob("*.yaml"))
    groups = [group for path in paths for group in _yaml(path)["groups"]]
    return [rule for group in groups for rule in group["rules"]]


def exempt(check: Check, fault: Fault) -> Exempt:
    """The key under which a fault would be let pass."""
    return Exempt(check.__name__, fault.uid.removeprefix(linting.PREFIX), fault.panel)


def complaints(check: Check, boards: Boards) -> Iterator[str]:
    """What a check finds that is not let pass."""
    for fault in dict.fromkeys(check(boards)):
        if exempt(check, fault) not in EXCEPTIONS:
            yield f"{fault.uid.removeprefix(linting.PREFIX)} / {fault.panel}: {fault.text}"


__all__ = ["CHECKS", "EXCEPTIONS", "GRAFANA", "Exempt", "complaints", "exempt", "linting_links", "shipped"]
