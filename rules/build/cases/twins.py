"""
What a case shows once more beside others: a fault of one resource is not another's, in another cluster, account or
region not either, and two pods of the exporter that show the same for a moment change nothing.

A label that is missing in an ``on`` or a ``by`` shows here: then a twin that is well fires, or one that is excused
excuses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from rules.build.cases.shapes import Case, S, Variant

TWIN = {
    "cluster": "staging",
    "account_id": "210987654321",
    "region": "eu-west-1",
    "volume_id": "vol-0z9",
    "instance_id": "i-0z9",
    "file_system_id": "fs-0z9",
    "key_id": "99zz-88yy",
    "bucket": "other",
    "replication_group_id": "other",
    "serverless_cache": "other",
    "cache_cluster_id": "other",
}
"""The label in which a twin differs, and what it has there."""


def with_twins(case: Case) -> Case:
    """The case, and each of its quiet worlds once more as a neighbour of the bad one."""
    bad = list(case.series)
    varying = {each.name for each in bad if each.varies}
    good = [replace(each, bad=each.good, good=None) if each.good is not None else each for each in bad]
    more = {"its twins are well": _beside(case, bad, good, varying, case.fires_at)}
    for name, variant in case.variants.items():
        at = case.fires_at if variant.at is None else variant.at
        if variant.fires or variant.whole or at < case.fires_at:
            continue
        changed = {each.name for each in variant.series}
        world = [*(each for each in bad if each.name not in changed | set(variant.drop)), *variant.series]
        more[f"its twins: {name}"] = _beside(case, bad, world, changed | set(variant.drop), at)
    twice = Variant(fires=True, whole=True, series=[*_fixed(bad), *_fixed(_again(bad))])
    if varying and not case.missing:
        more["two pods show it, and all is well"] = Variant(
            fires=False, whole=True, series=[*_fixed(good), *_fixed(_again(good))]
        )
    found = {name: each for name, each in more.items() if each is not None}
    return replace(case, variants={**case.variants, **found, "two pods show it": twice})


def _beside(case: Case, bad: Sequence[S], world: Sequence[S], changed: set[str], at: int) -> Variant | None:
    """The bad world beside twins in *world*, which differs from the bad one in the metrics *changed*."""
    differing = [each for each in (*bad, *world) if each.name in changed]
    keys = [key for key in TWIN if key in case.labels and all(key in each.labels for each in differing)]
    if not keys:
        return None
    moved = [
        replace(each, labels={**each.labels, key: TWIN[key]}) for key in keys for each in world if key in each.labels
    ]
    return Variant(fires=True, whole=True, series=_fixed([*bad, *moved]), at=at)


def _again(series: Iterable[S]) -> list[S]:
    """What the exporter shows, by another pod."""
    other: Mapping[str, str] = {"pod": "exporter-b", "instance": "exporter-b:9116"}
    return [replace(each, labels={**other, **each.labels}) for each in series if each.row and "pod" not in each.labels]


def _fixed(series: Iterable[S]) -> list[S]:
    """Each once, and in the bad world."""
    return list({(each.name, *sorted(each.labels.items())): replace(each, good=None) for each in series}.values())
