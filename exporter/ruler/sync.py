"""
Rulers made to have the rules: look at our namespace, decide, set the groups that differ, delete those that are no more.

Nothing is sent before everything is valid, and nothing deleted before everything else was taken: half of the rules is
better than none. A group that is refused does not keep the others back.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from exporter.clock import Clock
from exporter.config import LokiRuler, MimirRuler
from exporter.errors import RulerError, RulesError
from exporter.ruler.client import RulerClient
from exporter.ruler.plan import Change, Plan, plan
from exporter.ruler.render import groups_for
from exporter.ruler.shapes import Language, Pack


@dataclass(frozen=True, slots=True)
class Place:
    """A ruler, and our namespace there."""

    language: Language
    ruler: MimirRuler | LokiRuler
    namespace: str


@dataclass(frozen=True, slots=True)
class Means:
    """
    What the work needs of the world.

    Args:
        user_agent: such as ``storage-exporter/0.1.0``.

        patience: seconds after which a request that is not answered is given up.

        clock: time.

        jitter: from 0 to 1, by chance.

        environ: of the process, for its proxy; None for the real one.
    """

    user_agent: str
    patience: float
    clock: Clock
    jitter: Callable[[], float]
    environ: Mapping[str, str] | None = None


@dataclass(slots=True)
class Outcome:
    """
    What became of one ruler.

    ``problems`` are refusals and the like, in words; where there is no `plan`, they say why. ``done`` are changes that
    the ruler has taken.
    """

    place: Place
    plan: Plan | None = None
    problems: list[str] = field(default_factory=list)
    done: list[Change] = field(default_factory=list)


def wanted(pack: Pack, place: Place) -> list[dict[str, Any]]:
    """
    The groups a ruler should have.

    Raises:
        RulesError: there are none: a ruler is emptied only by `prune`.
    """
    groups = [group.data() for group in groups_for(place.language, pack.groups(place.language))]
    if not groups:
        raise RulesError(
            f"rules.{place.language}: no rule is left for it, and nothing is deleted for that; "
            f"correct rules.files and rules.disable, or take the rules away by `rules sync --prune`"
        )
    return groups


async def compared(pack: Pack, places: Sequence[Place], means: Means) -> list[Outcome]:
    """
    What would have to be done in each place.

    Raises:
        RulesError, ConfigError: something cannot be done at all; nothing was asked.
    """
    groups = [wanted(pack, place) for place in places]
    async with _clients(places, means) as clients:
        return await _looked(places, clients, groups)


async def synced(
    pack: Pack, places: Sequence[Place], means: Means, told: Callable[[Outcome], None] = lambda _: None
) -> list[Outcome]:
    """
    Make each place have the rules.

    Args:
        told: of the plan, before anything is changed.

    Raises:
        RulesError, ConfigError: something cannot be done at all; nothing was asked.
    """
    groups = [wanted(pack, place) for place in places]
    async with _clients(places, means) as clients:
        outcomes = await _looked(places, clients, groups)
        for outcome, client, mine in zip(outcomes, clients, groups, strict=True):
            told(outcome)
            if outcome.plan is not None and outcome.plan.differs:
                await _applied(outcome, outcome.plan, client, {group["name"]: group for group in mine})
    return outcomes


async def pruned(
    places: Sequence[Place], means: Means, *, dry: bool, told: Callable[[Outcome], None] = lambda _: None
) -> list[Outcome]:
    """
    Take our namespace out of each place.

    Args:
        dry: only look.

        told: of the plan, before anything is changed.

    Raises:
        ConfigError: a file cannot be used; nothing was asked.
    """
    async with _clients(places, means) as clients:
        outcomes = await _looked(places, clients, [()] * len(places))
        for outcome, client in zip(outcomes, clients, strict=True):
            told(outcome)
            if outcome.plan is None or not outcome.plan.differs or dry:
                continue
            try:
                await client.delete_namespace()
            except RulerError as error:
                outcome.problems.append(str(error))
            else:
                outcome.done.extend(outcome.plan.changes)
    return outcomes


async def _looked(
    places: Sequence[Place], clients: Sequence[RulerClient], groups: Sequence[Sequence[Mapping[str, Any]]]
) -> list[Outcome]:
    """What each place has beside what it should have; all are asked at one time."""

    async def look(place: Place, client: RulerClient, mine: Sequence[Mapping[str, Any]]) -> Outcome:
        try:
            there = await client.groups()
        except RulerError as error:
            return Outcome(place, problems=[str(error)])
        return Outcome(place, plan(place.language, place.namespace, there, mine))

    return list(await asyncio.gather(*map(look, places, clients, groups)))


async def _applied(outcome: Outcome, made: Plan, client: RulerClient, groups: Mapping[str, Mapping[str, Any]]) -> None:
    async def put(change: Change) -> None:
        await client.put(groups[change.group])

    async def delete(change: Change) -> None:
        await client.delete(change.group)

    await _each(outcome, made.of("create", "update"), put)
    gone = made.of("delete")
    if not outcome.problems:
        await _each(outcome, gone, delete)
    elif gone:
        names = ", ".join(change.group for change in gone)
        outcome.problems.append(f"rules.{made.language}: nothing is deleted while anything is refused: {names}")


async def _each(outcome: Outcome, changes: Sequence[Change], work: Callable[[Change], Awaitable[None]]) -> None:
    """Do *work* for each change, one after the other, until the ruler is in trouble; what it refuses is passed over."""
    for index, change in enumerate(changes):
        try:
            await work(change)
        except RulerError as error:
            outcome.problems.append(str(error))
            if not error.refused:
                left = [each.group for each in changes[index + 1 :]]
                if left:
                    outcome.problems.append(f"rules.{outcome.place.language}: not tried any more: {', '.join(left)}")
                return
        else:
            outcome.done.append(change)


@contextlib.asynccontextmanager
async def _clients(places: Sequence[Place], means: Means) -> AsyncIterator[list[RulerClient]]:
    """A client for each place; what one of them cannot read is known before any of them asks."""
    async with contextlib.AsyncExitStack() as stack:
        yield [await stack.enter_async_context(_client(place, means)) for place in places]


def _client(place: Place, means: Means) -> RulerClient:
    return RulerClient(
        place.language,
        place.ruler,
        place.namespace,
        user_agent=means.user_agent,
        patience=means.patience,
        clock=means.clock,
        jitter=means.jitter,
        environ=means.environ,
    )
