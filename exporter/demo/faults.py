"""
Troubles on the wire, as rules: which call, what happens, how often.

Rules are taken in the order they were added; each counts the calls it matched. What happens to a whole answer is done
by `server`, what happens inside one (pages, single results) travels there as `Tweaks`.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

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


@dataclass(slots=True)
class Fault:
    """
    One rule.

    `service` (``ec2``, ``efs``, ``cloudwatch``, ``sts``, ``s3``, or the signing name) and `operation` choose calls,
    None all. The first `after` matching calls are spared, then `count` are hit (None: all that follow); `matched`
    and `hit` count both.
    """

    number: int
    kind: str
    service: str | None = None
    operation: str | None = None
    count: int | None = None
    after: int = 0
    options: dict[str, Any] = field(default_factory=dict)
    matched: int = 0
    hit: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The rule as the control pages speak it."""
        return {
            "number": self.number,
            "match": {"service": self.service, "operation": self.operation},
            "kind": self.kind,
            "count": self.count,
            "after": self.after,
            "options": self.options,
            "matched": self.matched,
            "hit": self.hit,
        }


class Faults:
    """The list of rules; may be changed from another thread while the server answers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[Fault] = []
        self._made = 0

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
        if kind not in KINDS:
            msg = f"no fault of kind {kind!r}; there are: {', '.join(KINDS)}"
            raise ValueError(msg)
        with self._lock:
            self._made += 1
            rule = Fault(self._made, kind, _ALIASES.get(service or "", service), operation, count, after, options)
            self._rules.append(rule)
        return rule

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

    def clear(self) -> None:
        """Take all rules away."""
        with self._lock:
            self._rules.clear()

    def rules(self) -> list[Fault]:
        """The rules there are, oldest first."""
        with self._lock:
            return list(self._rules)

    def take(self, service: str, operation: str) -> list[Fault]:
        """The rules that hit this call, counting it."""
        hit = []
        with self._lock:
            for rule in self._rules:
                if rule.service not in {None, service} or rule.operation not in {None, operation}:
                    continue
                rule.matched += 1
                if rule.matched <= rule.after or (rule.count is not None and rule.hit >= rule.count):
                    continue
                rule.hit += 1
                hit.append(rule)
        return hit


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
