"""
Our own lint, second part: how rules bring series together. What is joined or aggregated by less than its identity makes
one of two resources, and what is summed over the exporter's pods counts a resource twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from rules.build import first
from tests.rules.expressions import Inference, Labels, is_number, kind, op, parse, recording_labels, selectors, walk
from tests.rules.linting import Pack, name

PLACE = frozenset({"cluster", "account_id", "region"})
IDENTIFYING = PLACE | {
    "access_point_id", "availability_zone", "aws_service", "bucket", "cache_cluster_id", "cache_node_id",
    "file_system_id", "instance_id", "key_id", "namespace", "node", "node_group_id", "parameter_group",
    "persistentvolume", "persistentvolumeclaim", "replication_group_id", "serverless_cache", "storage_class",
    "volume_id",
}  # fmt: skip
"""Labels that tell one resource from another."""

_VOLUME = frozenset({"account_id", "region", "availability_zone", "persistentvolume", "volume_id"})

LOOSE = {
    "claim:kubernetes_owner:info": (_VOLUME, "a claim that is bound waits no more, whatever its volume"),
    "claim:storage_owner:info": (_VOLUME, "Kubernetes' word of a claim wins over older ones, whatever the volume"),
    "StorageClaimVolumeGone": (_VOLUME, "the volume that is gone is not the one that the claim may have now"),
    "zone:storage_claims:count": (
        frozenset({"node", "namespace", "persistentvolumeclaim"}),
        "a claim is counted in its zone whichever node its pod is on, and where no pods are known at all",
    ),
    "zone:storage_without_nodes:timestamp_seconds": (
        frozenset({"account_id", "region", "availability_zone"}),
        "whether the cluster says anything of its nodes",
    ),
    "volume:aws_ebs_claim:info": (
        frozenset({"namespace", "persistentvolumeclaim"}),
        "a volume has one claim: Kubernetes' word before the driver's tags",
    ),
    "node:aws_elasticache_demoted:info": (
        frozenset({"cache_cluster_id", "cache_node_id", "node_group_id"}),
        "another node of the shard is the primary; and a node's name says its shard",
    ),
    "service:storage_exporter_data_stale:reason": (
        frozenset({"aws_service"}),
        "what all services of a region have in common is said once",
    ),
}
"""Rules that join on less than both sides have: which labels are left out, and why that is meant."""

_NONE: tuple[frozenset[str], str] = (frozenset(), "")
_ACROSS = {"mean": "avg", "max": "max", "min": "min", "newest": "max"}
_COUNTED = frozenset({"sum_over_time", "count_over_time"})
_SETS = frozenset({"and", "unless"})


def joins(pack: Pack, known: Mapping[str, Labels]) -> Iterator[str]:
    """A join is on every identifying label that both sides have."""
    for rule in pack.rules:
        for node, _ in walk(parse(rule["expr"])):
            if kind(node) != "BinaryExpr" or is_number(node.lhs) or is_number(node.rhs):
                continue
            if node.modifier is None or node.modifier.matching is None:
                continue
            inference = Inference(known)
            left, right = inference.of(node.lhs), inference.of(node.rhs)
            on = set(node.modifier.matching.labels)
            if left is None or right is None or "gnor" in str(node.modifier).lower():
                yield f"{name(rule)}: which labels {op(node)} joins cannot be told"
            elif missing := (left & right & IDENTIFYING) - on - LOOSE.get(name(rule), _NONE)[0]:
                yield f"{name(rule)}: {op(node)} on {sorted(on)} leaves out {sorted(missing)}, which both sides have"


def places(pack: Pack, known: Mapping[str, Labels]) -> Iterator[str]:
    """Where the account or the region is kept, the whole place is; where a claim, its namespace and cluster."""
    del known
    for rule in pack.rules:
        for node, _ in walk(parse(rule["expr"])):
            kept: set[str] = set()
            if kind(node) == "AggregateExpr" and node.modifier:
                kept = set(node.modifier.labels)
            elif kind(node) == "BinaryExpr" and node.modifier and node.modifier.matching:
                kept = set(node.modifier.matching.labels)
            if kept & {"account_id", "region"} and not kept >= PLACE:
                yield f"{name(rule)}: {op(node)} keeps {sorted(kept & PLACE)} of the place"
            if "persistentvolumeclaim" in kept and not kept >= {"cluster", "namespace"}:
                yield f"{name(rule)}: {op(node)} keeps a claim without its namespace or cluster"


def doubling(pack: Pack, known: Mapping[str, Labels]) -> Iterator[str]:
    """
    Across the pods that say the same, CloudWatch's families are brought together by their fold, facts by no sum; each
    pod's own counters are summed.
    """
    del known
    for rule in pack.rules:
        for node, above in selectors(rule["expr"]):
            family = first.families().get(node.name or "")
            place = max((at for at, each in enumerate(above) if kind(each) == "AggregateExpr"), default=None)
            if family is None or place is None or _only_asked((*above[place + 1 :], node)):
                continue
            across = op(above[place])
            over = {each.func.name for each in above[place + 1 :] if kind(each) == "Call"}
            if across in _allowed(family, over):
                continue
            yield f"{name(rule)} makes {across} of the {family['kind']} {node.name} across pods"


def _allowed(family: dict[str, Any], over: set[str]) -> set[str]:
    if family["type"] == "counter":
        return {"sum"}
    if family["kind"] == "cloudwatch":
        return {"sum"} if over & _COUNTED else {_ACROSS[family["fold"]]}
    return {"max", "min", "group"}


def _only_asked(path: tuple[Any, ...]) -> bool:
    """Whether a selector only says which series stay: it stands to the right of ``and`` or ``unless``."""
    return any(kind(each) == "BinaryExpr" and op(each) in _SETS and below is each.rhs for each, below in pairwise(path))


CHECKS: tuple[Callable[[Pack, Mapping[str, Labels]], Iterator[str]], ...] = (joins, places, doubling)


def labels(pack: Pack) -> Mapping[str, Labels]:
    """Labels of every recording, which the checks want beside the rules."""
    return recording_labels(pack.rules)[0]
