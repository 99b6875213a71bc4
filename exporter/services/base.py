"""
What every service module is made of: the shape of a service, what the configuration wants of it, what it finds, and
how its tables are built. Its operations, and who asks them, are in `reader`; which facts there are is for the service
modules. Pure.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Generic, Protocol, TypeVar

from exporter.facts import Constant, Facts
from exporter.model import (
    NO_CLAIMS,
    SCOPE_LABELS,
    Asset,
    Claim,
    Claims,
    Family,
    Inventory,
    MetricRow,
    Resource,
    ResourceKind,
    Scope,
    Target,
)
from exporter.naming import tag_label, unit_of
from exporter.services.items import Item
from exporter.services.reader import Operation, Reader

T = TypeVar("T")

Picker = Callable[[str, Mapping[str, str]], bool]
"""Whether the configuration selects the resource of an id and tags."""


def everything(_resource_id: str, _tags: Mapping[str, str]) -> bool:
    """The selection of a configuration that selects nothing in particular."""
    return True


@dataclass(frozen=True, slots=True)
class Wishes:
    """
    What the configuration wants of a service.

    Args:
        tags: AWS tag keys that become labels of info families, in order.

        pick: which resources.

        kinds: names of the resource kinds that at least one row in force asks about.

        component: the part of the observability stack a bucket of that name belongs to, ``""`` for none.

        neighbours: what the other services found in a scope, for a service that `follows` them.

        constant: labels that every series carries before its own, such as ``cluster``.

        claims: whose the volumes are, as Kubernetes says now.

        pinned: whether what belongs to such a claim is asked every minute.
    """

    tags: tuple[str, ...] = ()
    pick: Picker = everything
    kinds: frozenset[str] = field(default_factory=frozenset)
    component: Callable[[str], str] = lambda _: ""
    neighbours: Callable[[Scope], Sequence[Asset]] = lambda _: ()
    constant: Constant = ()
    claims: Callable[[], Claims] = lambda: NO_CLAIMS
    pinned: Callable[[Claim], bool] = lambda _: False


@dataclass(frozen=True, slots=True)
class Member:
    """
    A family that says how old the newest datapoint of one resource is, where one silent resource matters.

    Args:
        family: ``aws_<thing>_newest_datapoint_timestamp_seconds``.

        kinds: names of the kinds whose datapoints count for it.

        pinned_only: kept for pinned resources only.
    """

    family: Family
    kinds: frozenset[str]
    pinned_only: bool = False


@dataclass(slots=True)
class Findings:
    """What one discovery has found so far in *scope*; *constant* as in `Wishes`."""

    scope: Scope
    constant: Constant = ()
    samples: Facts = field(init=False)
    resources: list[Resource] = field(default_factory=list)
    assets: list[Asset] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.samples = Facts(self.constant, (self.scope.account_id, self.scope.region))

    def say(self, family: Family, values: Sequence[str], value: float | None) -> None:
        """Add a sample of *family* with the label *values* after account_id and region; None says nothing."""
        if value is not None:
            self.samples.say(family, tuple(values), value)

    async def settle(self, last: Found | None) -> Found:
        """What was found, all of it said: what is as it was in *last* is the same objects. Yields to the event loop."""
        before = last or NOTHING
        await self.samples.settle(before.samples)
        return Found(
            self.samples,
            await same(before.resources, self.resources),
            await same(before.assets, self.assets),
            await same(before.targets, self.targets),
        )


@dataclass(frozen=True, slots=True)
class Found:
    """What one discovery has found, or a part of it."""

    samples: Facts
    resources: tuple[Resource, ...] = ()
    assets: tuple[Asset, ...] = ()
    targets: tuple[Target, ...] = ()


NOTHING = Found(Facts())


def together(parts: Sequence[Found]) -> Found:
    """All *parts* in their order."""
    return Found(
        Facts.joined([part.samples for part in parts]),
        tuple(chain.from_iterable(part.resources for part in parts)),
        tuple(chain.from_iterable(part.assets for part in parts)),
        tuple(chain.from_iterable(part.targets for part in parts)),
    )


class Made(Generic[T]):
    """Something made of others, and made anew only when one of those is another object than it was, or another text."""

    def __init__(self) -> None:
        self._basis: tuple[object, ...] | None = None
        self._made: T | None = None

    def of(self, basis: Sequence[object], make: Callable[[], T]) -> T:
        """What *make* made of *basis*. Where it comes out equal to what it was, it stays the same object."""
        if self._made is None or not self._same(basis):
            made = make()
            if self._made is None or made != self._made:
                self._made = made
            self._basis = tuple(basis)
        return self._made

    def _same(self, basis: Sequence[object]) -> bool:
        before = self._basis
        return (
            before is not None
            and len(before) == len(basis)
            and all(a is b or (isinstance(a, str) and a == b) for a, b in zip(before, basis, strict=True))
        )


class Part(Made[Found]):
    """A part of what a service finds, which is said anew only when something it is said of has changed."""

    async def said(self, basis: Sequence[object], say: Callable[[Findings], Awaitable[None]], found: Findings) -> Found:
        """What *say* puts into *found*, which is empty. Where it is cancelled, the next pass says it again."""
        if self._made is None or not self._same(basis):
            await say(found)
            self._made, self._basis = await found.settle(self._made), tuple(basis)
        return self._made


class Service(Protocol):
    """One AWS storage service."""

    name: str
    rows: tuple[MetricRow, ...]
    operations: tuple[Operation, ...]
    families: tuple[Family, ...]
    members: tuple[Member, ...]
    arns: tuple[str, ...]
    """What its actions are allowed on, with ``{partition}``; ``("*",)`` where AWS knows no resource level."""

    follows: bool
    """Whether its first pass waits for the other services', because it reads what they found."""

    def __init__(self, wishes: Wishes) -> None: ...

    async def discover(self, reader: Reader, scope: Scope) -> Inventory:
        """
        What there is now. Never raises for AWS's failures: they are in the inventory's `failures`, and what was known
        is used up to its age limit. One instance serves one scope and may remember.
        """
        ...


# ---- many of them ------------------------------------------------------------------------------------------------

TOGETHER = 100
"""Items that are worked on before the event loop has its turn: one to two milliseconds."""


async def unhurried(items: Iterable[T], at_once: int = TOGETHER) -> AsyncIterator[T]:
    """*items* one by one; after every *at_once* of them the event loop has its turn."""
    for number, item in enumerate(items, 1):
        yield item
        if not number % at_once:
            await asyncio.sleep(0)


async def same(before: tuple[T, ...], now: Sequence[T]) -> tuple[T, ...]:
    """*now*, with the very objects of *before* where they are equal; *before* itself where all are."""
    kept = [old if old == new else new async for old, new in unhurried(zip(before, now, strict=False))]
    kept += now[len(before) :]
    return before if len(before) == len(now) and all(a is b for a, b in zip(before, kept, strict=True)) else tuple(kept)


# ---- building tables --------------------------------------------------------------------------------------------


def gauge(name: str, text: str, labels: Iterable[str]) -> Family:
    """A family of facts: *labels* come after account_id and region, the unit is the name's ending."""
    return Family(name, text, (*SCOPE_LABELS, *labels), "gauge", unit_of(name))


def info(name: str, text: str, labels: Iterable[str]) -> Family:
    """An info family (value 1): everything that may change stands here as a label."""
    return Family(name, text, (*SCOPE_LABELS, *labels), "info", "")


def with_tags(family: Family, tags: Sequence[str]) -> Family:
    """*family* with one label more a tag key of the allow-list."""
    return Family(family.name, family.help, (*family.labels, *map(tag_label, tags)), family.type, family.unit)


def member(kind: ResourceKind, text: str, prefix: str) -> Family:
    """The newest-datapoint family of a kind of resource."""
    return gauge(f"{prefix}_newest_datapoint_timestamp_seconds", text, kind.labels)


def actions_of(operations: Collection[Operation]) -> tuple[str, ...]:
    """The IAM actions the operations need, sorted, each once."""
    return tuple(sorted({operation.action for operation in operations}))


# ---- reading items ----------------------------------------------------------------------------------------------


def tags_of(item: Item) -> Mapping[str, str]:
    """The tags of an EC2 or EFS item, ``{key: value}``; empty where there are none."""
    tags = item.get("Tags") or ()
    if isinstance(tags, Mapping):  # kept so (`items.slimmer`)
        return tags
    return {str(tag.get("Key", "")): str(tag.get("Value", "")) for tag in tags}


def partition_of(region: str) -> str:
    """The partition of the ARNs of *region*: ``aws``, ``aws-cn`` or ``aws-us-gov``."""
    return {"cn": "aws-cn", "us-gov": "aws-us-gov"}.get(re.sub(r"-[a-z]+-\d+$", "", region), "aws")


def text_of(value: object) -> str:
    """A label value: ``""`` for None, ``true`` and ``false`` for booleans, else the text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def seconds_of(value: object) -> int | None:
    """Unix seconds of a botocore timestamp, or of one that is kept as such; None where there is none."""
    if isinstance(value, int):
        return value
    timestamp = getattr(value, "timestamp", None)
    return int(timestamp()) if callable(timestamp) else None
