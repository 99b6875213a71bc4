"""
Troubles on the wire, as rules: which call, what happens, how often.

Rules are taken in the order they were added; each counts the calls it matched. What happens to a whole answer is done
by `server`, what happens inside one (pages, single results) travels there as `Tweaks`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from exporter.demo.rules import Rule, Rules
from exporter.demo.wire import Tweaks

KINDS: dict[str, str] = {
    "throttle-400": "throttled, HTTP 400, as the service spells it",
    "throttle-503": "throttled, HTTP 503, as the service spells it",
    "error-500": "internal error, HTTP 500",
    "denied": "the caller may not do this, HTTP 403",
    "expired": "the session has ended",
    "error": "any error: options code, message, status",
    "unknown-operation": "the service does not know the operation",
    "hang": "no answer for `seconds` (60), or until the client leaves",
    "slow": "the right answer, `seconds` (1) late",
    "cut": "the connection is closed in mid-body",
    "truncated": "half the body, with a Content-Length that fits it",
    "malformed": "HTTP 200 with a body that is neither XML nor JSON",
    "empty": "the answer of an account with nothing in it",
    "small-pages": "pages of `size` (1) items or datapoints",
    "token-loop": "the same NextToken for ever",
    "partial-data": "GetMetricData: half a result, PartialData and a NextToken; the rest on the next page",
    "partial-data-no-token": "GetMetricData: half a result, PartialData and no NextToken",
    "internal-error": "GetMetricData: InternalError for a result",
    "forbidden-result": "GetMetricData: Forbidden for a result",
    "nan-strings": 'GetMetricData: the first value of a result is "NaN"',
    "shuffled": "GetMetricData: results in another order",
    "messages": "GetMetricData: a top-level message: options code, value",
}
"""Kind and what it does; rules about results choose them by options ids, metric or value (of a dimension)."""

ERRORS = frozenset({"throttle-400", "throttle-503", "error-500", "denied", "expired", "unknown-operation"})
RESULTS = frozenset(
    {
        "partial-data",
        "partial-data-no-token",
        "internal-error",
        "forbidden-result",
        "nan-strings",
        "shuffled",
        "messages",
    }
)
_ALIASES = {
    "cloudwatch": "monitoring",
    "efs": "elasticfilesystem",
    "ebs": "ec2",
    "valkey": "elasticache",
    "autoscaling": "application-autoscaling",
}


@dataclass(slots=True, kw_only=True)
class Fault(Rule):
    """
    One rule. `service` (``ec2``, ``efs``, ``cloudwatch``, ``sts``, ``s3``, or the signing name) and `operation` choose
    calls, None all.
    """

    service: str | None = None
    operation: str | None = None

    def match(self) -> Mapping[str, str | None]:
        """What chooses calls."""
        return {"service": self.service, "operation": self.operation}


class Faults(Rules[Fault]):
    """The list of rules; may be changed from another thread while the server answers."""

    def __init__(self) -> None:
        super().__init__(KINDS)

    def add(
        self,
        kind: str,
        *,
        service: str | None = None,
        operation: str | None = None,
        count: int | None = None,
        after: int = 0,
        **options: Any,
    ) -> Fault:
        """
        Add a rule.

        Raises:
            ValueError: there is no such kind.
        """
        limits: dict[str, Any] = {"count": count, "after": after, "options": options}
        service = _ALIASES.get(service or "", service)
        return self.put(
            kind, lambda number: Fault(number=number, kind=kind, service=service, operation=operation, **limits)
        )

    def add_from(self, given: Mapping[str, Any]) -> Fault:
        """Add a rule as the control pages speak it: {match: {service, operation}, kind, count, after, options}."""
        match = given.get("match") or {}
        return self.add(
            str(given.get("kind")),
            service=match.get("service"),
            operation=match.get("operation"),
            count=given.get("count"),
            after=int(given.get("after") or 0),
            **(given.get("options") or {}),
        )

    def take(self, service: str, operation: str) -> list[Fault]:
        """The rules that hit this call, counting it."""
        return self.hits(lambda rule: rule.service in {None, service} and rule.operation in {None, operation})


def tweaks(rules: list[Fault]) -> Tweaks:
    """What the rules ask of a well-formed answer."""
    made = Tweaks()
    for rule in rules:
        if rule.kind == "small-pages":
            made.page_size = int(rule.options.get("size", 1))
        elif rule.kind == "token-loop":
            made.token_loop = True
        elif rule.kind in RESULTS:
            made.results.append((rule.kind, rule.options))
    return made
