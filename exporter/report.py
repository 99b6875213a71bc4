"""
How a pass went, and what a person should be told of it. Pure, but that `Teller` writes log lines.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from exporter import logs
from exporter.errors import CredentialsError, DeniedError, OutboxError, RequestError
from exporter.model import Scope
from exporter.services.base import Service

_LOG = logs.logger(__name__)

GET_METRIC_DATA = "GetMetricData"

OUTBOX = "outbox"
"""What a report calls the keeping of datapoints on disk."""


@dataclass(slots=True)
class Report:
    """
    How a pass went.

    Args:
        failures: what could not be read, by operation.

        queries: members of ``MetricDataQueries`` that were answered.

        billable: what CloudWatch bills for them, in metrics.

        dollars: what that costs.

        waiting: calls that are put off to the next pass.
    """

    failures: dict[str, Exception] = field(default_factory=dict)
    queries: int = 0
    billable: int = 0
    dollars: float = 0.0
    waiting: int = 0

    def add(self, other: Report) -> None:
        """Count in a pass that went on where this one stopped."""
        self.failures |= other.failures
        self.queries += other.queries
        self.billable += other.billable
        self.dollars += other.dollars
        self.waiting = other.waiting

    @property
    def ok(self) -> bool:
        """Whether everything that was due was read."""
        return not self.failures


def action_of(service: Service | type[Service], operation: str) -> str:
    """The IAM action that allows *operation* to *service*, ``""`` where none is known."""
    if operation == GET_METRIC_DATA:
        return "cloudwatch:GetMetricData"
    return next((each.action for each in service.operations if each.name == operation), "")


def explain(error: Exception, action: str) -> str:
    """A sentence for people: what failed, and what to do about it."""
    if isinstance(error, DeniedError):
        return f"not allowed: {error}; grant {action or error.operation}, as `storage-exporter policy` prints"
    if isinstance(error, CredentialsError):
        return f"credentials: {error}"
    if isinstance(error, OutboxError):
        return f"{error}; until then the datapoints are asked again"
    if isinstance(error, RequestError):
        return f"AWS refuses or does not know the request: {error}; what depends on it stays absent"
    return f"failed for now: {error}; the last good answer is kept up to its age limit and it is asked again"


class Teller:
    """
    A log line when an operation begins to fail, fails otherwise, or is well again; one an hour while it lasts.

    Args:
        job: which job's passes.

        service: what it reads.

        scope: whose.

        once: says a thing once an hour.
    """

    def __init__(self, job: str, service: Service, scope: Scope, once: logs.Once) -> None:
        self._about: dict[str, Any] = {"scope": scope, "job": job, "aws_service": service.name}
        self._service = service
        self._once = once
        self._failing: dict[str, type[Exception]] = {}

    def tell(self, report: Report) -> None:
        """Tell of the pass that *report* is of."""
        for operation in set(self._failing) - set(report.failures):
            text = f"{operation}: it answers again"
            logs.log(_LOG, "info", "operation_recovered", text, **self._about, operation=operation)
        for operation, error in report.failures.items():
            if self._failing.get(operation) is not type(error):
                self._once.forget(operation)
            self._once.log(
                operation,
                "warning",
                "operation_failed",
                explain(error, action_of(self._service, operation)),
                error=error,
                operation=operation,
                **self._about,
            )
        self._failing = {operation: type(error) for operation, error in report.failures.items()}
