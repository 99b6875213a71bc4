"""
What every service module is made of: the shape of a service, what the configuration wants of it, what it finds, and
how its tables are built. Its operations, and who asks them, are in `reader`; which facts there are is for the service
modules. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from exporter.model import (
    SCOPE_LABELS,
    Asset,
    Family,
    Inventory,
    MetricRow,
    Resource,
    ResourceKind,
    Sample,
    Scope,
    Target,
)
from exporter.naming import tag_label, unit_of
from exporter.services.reader import Item, Operation, Reader

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
    """

    tags: tuple[str, ...] = ()
    pick: Picker = everything
    kinds: frozenset[str] = field(default_factory=frozenset)
    component: Callable[[str], str] = lambda _: ""
    neighbours: Callable[[Scope], Sequence[Asset]] = lambda _: ()


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
    """What one discovery has found so far in *scope*."""

    scope: Scope
    samples: list[Sample] = field(default_factory=list)
    resources: list[Resource] = field(default_factory=list)
    assets: list[Asset] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)

    def say(self, family: Family, values: Sequence[str], value: float | None) -> None:
        """Add a sample of *family* with the label *values* after account_id and region; None says nothing."""
        if value is not None:
            labels = (self.scope.account_id, self.scope.region, *values)
            self.samples.append(Sample(family, labels, float(value)))


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


def tags_of(item: Item) -> dict[str, str]:
    """The tags of an EC2 or EFS item, ``{key: value}``; empty where there are none."""
    return {str(tag.get("Key", "")): str(tag.get("Value", "")) for tag in item.get("Tags") or ()}


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
    """Unix seconds of a botocore timestamp, None where there is none."""
    timestamp = getattr(value, "timestamp", None)
    return int(timestamp()) if callable(timestamp) else None
