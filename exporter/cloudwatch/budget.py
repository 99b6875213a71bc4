"""
What all passes together are projected to cost a month, and which tiers are over the budget. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping

from exporter.cloudwatch.plan import beyond_budget
from exporter.model import Scope, Tier


class Budget:
    """
    What all passes together are projected to cost, and what of it is over the budget.

    Args:
        dollars: a month; None for no limit.
    """

    def __init__(self, dollars: float | None) -> None:
        self.dollars = dollars
        self._costs: dict[tuple[Scope, str], Mapping[Tier, float]] = {}

    def project(self, scope: Scope, service: str, costs: Mapping[Tier, float]) -> None:
        """Note what *service* in *scope* would cost a month, by tier, if all of it were asked."""
        self._costs[scope, service] = costs

    def deferred(self) -> frozenset[Tier]:
        """The tiers to leave out, everywhere alike."""
        total: dict[Tier, float] = {}
        for costs in self._costs.values():
            for tier, dollars in costs.items():
                total[tier] = total.get(tier, 0.0) + dollars
        return beyond_budget(total, self.dollars)
