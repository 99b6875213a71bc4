"""Whether a fault was to be seen in the exporter's metrics about itself. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]

WHOLE = frozenset({"shuffled", "messages", "small-pages", "partial-data"})
"""Kinds that take nothing away: the answer is whole, in another shape. Nothing has to be wrong anywhere."""

JOBS = {"ec2": "ebs", "efs": "efs", "elasticache": "elasticache", "s3": "s3"}
"""The service of ours that asks an API."""

_CLOUDWATCH = frozenset({"GetMetricData", "ListMetrics"})
_RESULTS = "storage_exporter_aws_results_total"
_COUNTERS = {
    "storage_exporter_aws_errors_total": "code",
    _RESULTS: "status",
    "storage_exporter_job_missed_total": "job_name",
    "storage_exporter_credentials_refresh_failures_total": "code",
}
_STATES = ("storage_exporter_job_success", "storage_exporter_discovery_success")
_FINE = frozenset({"complete", "empty"})
_LENGTH = "storage_exporter_job_duration_seconds"
_COUNT = "storage_exporter_resources"


@dataclass
class Trouble:
    """
    One fault as it was put in.

    Args:
        kind: of `exporter.demo.KINDS`.

        service: whose calls it hits.

        scrapes: `/metrics` before it, while it lasted, and a pass after it.

        hit: how many calls it hit.
    """

    kind: str
    service: str
    scrapes: list[Series] = field(default_factory=list)
    hit: int = 0

    def evidence(self) -> list[str]:
        """The metrics that showed it, as ``name{label}``."""
        return sorted(set(_counted(self.scrapes, self.service)) | set(_stated(self.scrapes, self.service)))


def _mine(labels: dict[str, str], service: str) -> bool:
    operation = labels.get("operation", "")
    if service == "cloudwatch":
        return operation in _CLOUDWATCH or not operation
    return operation not in _CLOUDWATCH and labels.get("aws_service") in {JOBS.get(service, ""), ""}


def _counted(scrapes: Sequence[Series], service: str) -> list[str]:
    first, found = scrapes[0], []
    for series in scrapes[1:]:
        for (name, own), value in series.items():
            labels = dict(own)
            if name == _RESULTS and service != "cloudwatch":
                continue
            if name in _COUNTERS and value > first.get((name, own), 0.0) and _mine(labels, service):
                said = labels.get(_COUNTERS[name], "")
                if said not in _FINE:
                    found.append(f"{name.removeprefix('storage_exporter_')}{{{said}}}")
    return found


def _stated(scrapes: Sequence[Series], service: str) -> list[str]:
    first, found = scrapes[0], []
    for series in scrapes[1:]:
        for (name, own), value in series.items():
            labels, before = dict(own), first.get((name, own))
            if not _mine(labels, service):
                continue
            short = name.removeprefix("storage_exporter_")
            if name in _STATES and value == 0:
                found.append(f"{short}{{{labels.get('operation') or labels.get('aws_service', '')}}} 0")
            elif name == _LENGTH and before is not None and value > before + 0.8:
                found.append(f"{short}{{{labels.get('aws_service', '')}}} longer")
            elif name == _COUNT and before is not None and value < before:
                found.append(f"{short}{{{labels.get('resource_type', '')}}} fewer")
    return found
