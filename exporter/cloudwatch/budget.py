"""
What all passes together are projected to cost a month, and which tiers the budget leaves out. Pure.

A budget must hold before the first service spends, whichever discovers first: so below essential nothing is asked
before every service has said what it would cost, or a minute is over. A tier that was left out comes back only when
everything with it fits with some room, so that an estate at the limit does not go to and fro.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from exporter.model import Scope, Tier

LONGEST_START = 60.0
"""Seconds after which the budget is reckoned on what is known: one service that cannot be discovered must not keep the
others from asking."""

ROOM = 0.95
"""Share of the budget that everything must fit into before a deferred tier is asked again."""

_LOWEST_FIRST = (Tier.ON_REQUEST, Tier.STANDARD)


@dataclass(frozen=True, slots=True)
class Decision:
    """
    What the budget allows now.

    Args:
        deferred: tiers to leave out, everywhere alike.

        reason: why: ``budget``, or ``starting`` while it is not reckoned yet.

        change: a sentence for people where it is not what it was at the last look, ``""`` where it is.
    """

    deferred: frozenset[Tier]
    reason: str
    change: str = ""


class Budget:
    """
    What all passes together are projected to cost, and what of it is over the budget.

    Args:
        dollars: a month; None for no limit.

        essential: whether even what is essential is left out where it alone costs more.

        feeds: how many services in scopes will say what they cost.

        now: seconds of a clock that never jumps; its start.
    """

    def __init__(self, dollars: float | None, *, essential: bool = False, feeds: int = 0, now: float = 0.0) -> None:
        self.dollars = dollars
        self._order = (*_LOWEST_FIRST, Tier.ESSENTIAL) if essential else _LOWEST_FIRST
        self._feeds = feeds
        self._until = now + LONGEST_START
        self._costs: dict[tuple[Scope, str], Mapping[Tier, float]] = {}
        self._whole: set[tuple[Scope, str]] = set()
        self._deferred: frozenset[Tier] = frozenset()
        self._told = ""

    def project(self, scope: Scope, service: str, costs: Mapping[Tier, float], *, whole: bool = True) -> None:
        """
        Note what *service* in *scope* would cost a month, by tier, if all of it were asked.

        Args:
            whole: whether that is all of it, as far as is known.
        """
        self._costs[scope, service] = costs
        if whole:
            self._whole.add((scope, service))

    @property
    def total(self) -> dict[Tier, float]:
        """Dollars a month that asking everything would cost, by tier."""
        return {tier: sum(costs.get(tier, 0.0) for costs in self._costs.values()) for tier in Tier}

    def reckoned(self, now: float) -> bool:
        """Whether it can be told what is over the budget: every feed has spoken, or there was time for it."""
        return self.dollars is None or len(self._whole) >= self._feeds or now >= self._until

    def reckon(self) -> None:
        """Reckon on what is known: everybody has spoken who will."""
        self._feeds = 0
        self.look(self._until)

    def look(self, now: float) -> Decision:
        """Which tiers are left out from *now* on, by what is projected."""
        if self.dollars is None:
            return Decision(frozenset(), "budget")
        if not self.reckoned(now):
            return Decision(frozenset(self._order), "starting")
        self._deferred = beyond(self.total, self.dollars, self._order, self._deferred)
        return Decision(self._deferred, "budget")

    def decide(self, now: float) -> Decision:
        """
        Which tiers are left out from now on, and whether that is news.

        Args:
            now: of the clock that never jumps.
        """
        found = self.look(now)
        if found.reason == "starting" or self.dollars is None:
            return found
        said = self.verdict()
        change = said if said != self._told else ""
        if self._told and not said:
            change = f"the budget of {self.dollars:g} dollars a month defers nothing any more"
        self._told = said
        return Decision(self._deferred, "budget", change)

    def verdict(self) -> str:
        """What the budget does to what was projected, in a sentence; ``""`` where everything fits."""
        return sentence(self.total, self.dollars, self._deferred)


def beyond(
    total: Mapping[Tier, float], dollars: float | None, order: tuple[Tier, ...], before: frozenset[Tier] = frozenset()
) -> frozenset[Tier]:
    """
    The tiers to leave out so that what remains costs at most *dollars* a month.

    Args:
        total: dollars a month by tier.

        dollars: None for no limit.

        order: the tiers that may be left out, lowest first.

        before: those left out until now, which come back only with `ROOM`.
    """
    left_out: set[Tier] = set()
    if dollars is None:
        return frozenset()
    for tier in order:
        if not total.get(tier):
            continue  # leaving it out would save nothing
        rest = sum(cost for each, cost in total.items() if each not in left_out)
        if rest <= dollars * (ROOM if tier in before else 1.0):
            break
        left_out.add(tier)
    return frozenset(left_out)


def sentence(total: Mapping[Tier, float], dollars: float | None, deferred: frozenset[Tier]) -> str:
    """What a budget of *dollars* a month does to *total*, for people; ``""`` where everything fits or none is set."""
    if dollars is None:
        return ""
    parts = []
    if deferred:
        names = ", ".join(tier.value for tier in reversed(tuple(Tier)) if tier in deferred)
        parts.append(f"the budget of {dollars:g} dollars a month defers: {names}")
    essential = total.get(Tier.ESSENTIAL, 0.0)
    if essential > dollars and Tier.ESSENTIAL not in deferred:
        parts.append(
            f"what is essential alone is projected above the budget of {dollars:g} dollars a month and is asked all "
            "the same (budget.essential: defer would leave it out, and blind the pager)"
        )
    return "; ".join(parts)
