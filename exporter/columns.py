"""
What a pass keeps beside CloudWatch's values, in columns: the facts of discovery, and how old things are. Pure.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from exporter.cloudwatch.grid import Grid
from exporter.facts import LEAST_AGE_LIMIT, Facts
from exporter.model import Block, Family, Labels, Resource, Sample
from exporter.naming import label_set
from exporter.services.base import Member

Constant = Sequence[tuple[str, str]]
"""Labels that every series carries before its own, such as ``cluster``."""


def fact_blocks(samples: Sequence[Sample], constant: Constant, now: int) -> tuple[list[Block], list[str]]:
    """
    Facts in columns, a block a family; the first of two samples of one series counts.

    Where nothing of a family has changed since the last pass, its block is the same object as then, with the instant
    of then.

    Args:
        samples: `Facts` are in columns already.

        now: unix seconds; facts are of now.

    Returns:
        The blocks, and the series that were there twice.
    """
    if not isinstance(samples, Facts) or samples.constant != tuple(constant):
        facts = Facts(tuple(constant))
        for sample in samples:
            facts.say(sample.family, sample.labels, sample.value)
        samples = facts
    return samples.blocks(now), samples.twice()


def age_blocks(
    members: Sequence[Member], grid: Grid, constant: Constant, now: int, before: Sequence[Block] = ()
) -> list[Block]:
    """
    The newest datapoint of each resource of which one is kept (design.md 6.1, per member), a block a family.

    Args:
        before: what the last call returned; where nothing has changed the same block is returned again.
    """
    last = {block.family.name: block for block in before}
    found = []
    for member in members:
        ends: dict[int, tuple[int, Resource]] = {}  # by identity: hashing a resource is hashing all of it
        for group in grid.groups:
            if group.rows[0].kind.name in member.kinds and (group.pinned or not member.pinned_only):
                for resource, end in zip(group.resources, grid.newest_each(group), strict=True):
                    if end > ends.get(id(resource), (0, resource))[0]:
                        ends[id(resource)] = (end, resource)
        known: dict[bytes, int] = {}
        for end, resource in ends.values():
            labels = _labels(member.family, resource.label_values(), constant)
            known[labels] = max(end, known.get(labels, 0))
        if known:
            block = Block(member.family, tuple(known), array("d", known.values()), now, LEAST_AGE_LIMIT)
            was = last.get(member.family.name)
            same = was is not None and was.labels == block.labels and was.values == block.values
            found.append(was if was is not None and same else block)
    return found


def _labels(family: Family, values: Labels, constant: Constant) -> bytes:
    return label_set((*(name for name, _ in constant), *family.labels), (*(text for _, text in constant), *values))
