"""
Troubles of the simulated remote-write receiver, as rules: which request, what happens, how often.

Rules are taken in the order they were added; each counts the requests it matched. The server does what they say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from exporter.demo.rules import Rule, Rules

MIMIR_KINDS: dict[str, str] = {
    "error-500": "HTTP 500",
    "error-503": "HTTP 503, with Retry-After where `seconds` are given",
    "html-502": "the HTML of a load balancer, HTTP 502",
    "too-many-429": "HTTP 429 with Retry-After of `seconds` (1; null: none), or as `date` has it",
    "reset": "the connection is reset before an answer",
    "down": "the connection is closed before an answer",
    "hang": "no answer for `seconds` (60), or until the client leaves; with `held` true only while the rule is there",
    "slow": "the right answer, `seconds` (1) late",
    "unauthorized": "the caller is not known, HTTP 401",
    "forbidden": "the caller may not write to this tenant, HTTP 403",
    "not-found": "there is no such page, HTTP 404",
    "redirect": "HTTP 308 to `location` (/elsewhere)",
    "too-large-413": "HTTP 413 for a body of more than `bytes` (0), compressed",
    "bad-request-400": "HTTP 400 for the whole request, with `text`",
    "series-400": "HTTP 400: series that match are refused for `reason`, the others treated as ever",
}
"""Kind and what it does. With the option `applied` true the request is stored before the answer suffers."""


@dataclass(slots=True, kw_only=True)
class MimirFault(Rule):
    """One rule. `tenant` and `series` (a regular expression that finds one of the request's) choose, None all."""

    tenant: str | None = None
    series: str | None = None

    def match(self) -> Mapping[str, str | None]:
        """What chooses requests."""
        return {"tenant": self.tenant, "series": self.series}

    def hits_series(self, text: str) -> bool:
        """Whether it is about a series, as PromQL writes it."""
        return self.series is None or re.search(self.series, text) is not None

    def seconds(self, usual: float) -> float:
        """The option `seconds`."""
        return float(self.options.get("seconds", usual))


class MimirFaults(Rules[MimirFault]):
    """The list of rules; may be changed from another thread while the server answers."""

    def __init__(self) -> None:
        super().__init__(MIMIR_KINDS)

    def add(
        self,
        kind: str,
        *,
        tenant: str | None = None,
        series: str | None = None,
        count: int | None = None,
        after: int = 0,
        **options: Any,
    ) -> MimirFault:
        """
        Add a rule.

        Raises:
            ValueError: there is no such kind of fault, or *series* is no regular expression.
        """
        try:
            re.compile(series or "")
        except re.error as error:
            raise ValueError(f"series {series!r} is no regular expression: {error}") from None
        limits: dict[str, Any] = {"count": count, "after": after, "options": options}
        return self.put(
            kind, lambda number: MimirFault(number=number, kind=kind, tenant=tenant, series=series, **limits)
        )

    def add_from(self, given: Mapping[str, Any]) -> MimirFault:
        """Add a rule as the control pages speak it: {match: {tenant, series}, kind, count, after, options}."""
        match = given.get("match") or {}
        return self.add(
            str(given.get("kind")),
            tenant=match.get("tenant"),
            series=match.get("series"),
            count=given.get("count"),
            after=int(given.get("after") or 0),
            **(given.get("options") or {}),
        )

    def take(self, tenant: str, series: Iterable[str]) -> list[MimirFault]:
        """The rules that hit this request of these series, counting it."""
        texts = list(series) if any(rule.series is not None for rule in self.rules()) else []

        def matches(rule: MimirFault) -> bool:
            about = rule.series is None or any(map(rule.hits_series, texts))
            return about and rule.tenant in {None, tenant}

        return self.hits(matches)
