"""
What a pass keeps beside CloudWatch's values, in columns: the facts of discovery, and how old things are. Pure.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from exporter.cloudwatch.grid import Grid
from exporter.model import Block, Family, Labels, Sample
from exporter.naming import label_set
from exporter.services.base import Member
from exporter.services.facts import Facts
from exporter.services.reader import LEAST_AGE_LIMIT

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


def age_blocks(members: Sequence[Member], grid: Grid, constant: Constant, now: int) -> list[Block]:
    """The newest datapoint of each resource of which one is kept (design.md 6.1, per member), a block a family."""
    found = []
    for member in members:
        ends: dict[bytes, int] = {}
        for query in grid.queries:
            resource = query.resource
            if resource.kind.name in member.kinds and (not member.pinned_only or grid.is_pinned(resource)):
                labels = _labels(member.family, resource.label_values(), constant)
                ends[labels] = max(ends.get(labels, 0), grid.newest((query,)))
        known = {labels: end for labels, end in ends.items() if end}
        if known:
            found.append(Block(member.family, tuple(known), array("d", known.values()), now, LEAST_AGE_LIMIT))
    return found


def _labels(family: Family, values: Labels, constant: Constant) -> bytes:
    return label_set((*(name for name, _ in constant), *family.labels), (*(text for _, text in constant), *values))
