"""
What the commands print: tables for people, JSON for programs, Markdown for documents. Pure.

Numbers in tables are for reading (units, three digits); JSON and the exposition hold them whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from math import isnan
from typing import Any

from exporter.families import SELF_FAMILIES
from exporter.kubernetes.families import FAMILIES as KUBERNETES_FAMILIES
from exporter.model import Family, MetricRow, Snapshot
from exporter.naming import labels_of
from exporter.services.base import Service

_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def samples(snapshot: Snapshot) -> Iterator[tuple[Family, dict[str, str], float]]:
    """Every value of *snapshot* with its labels, in the order of the exposition."""
    for family, blocks in snapshot.families:
        for block in blocks:
            for labels, value in zip(block.labels, block.values, strict=True):
                if not isnan(value):
                    yield family, labels_of(labels), value


def as_json(snapshot: Snapshot, failures: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """``{"version", "at", "samples": [{name, labels, value}], "failures": [{job, operation, error}]}``."""
    return {
        "version": 1,
        "at": snapshot.at,
        "samples": [
            {"name": family.name, "labels": labels, "value": value} for family, labels, value in samples(snapshot)
        ],
        "failures": [
            {"job": job, "operation": operation, "error": error}
            for job, each in failures.items()
            for operation, error in each.items()
        ],
    }


def readable(value: float, family: Family) -> str:
    """*value* with the unit of *family*, as a person reads it."""
    unit = family.unit
    if family.name.endswith("_timestamp_seconds"):
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    if unit in {"bytes", "bytes_per_second"}:
        size, step = float(value), 0
        while abs(size) >= 1024 and step < len(_BINARY) - 1:
            size, step = size / 1024, step + 1
        return f"{size:.4g} {_BINARY[step]}" + ("/s" if unit.endswith("per_second") else "")
    if unit == "ratio":
        return f"{value * 100:.4g} %"
    if unit == "seconds":
        return f"{value:.4g} s" if value >= 1 or value == 0 else f"{value * 1000:.4g} ms"
    return f"{value:.6g}" + ("/s" if unit == "ops_per_second" else "")


# ---- the catalogue ------------------------------------------------------------------------------------------------


def catalogue(services: Iterable[type[Service]]) -> dict[str, Any]:
    """Every family as design.md 6.1 says of ``metrics --json``."""
    families: list[dict[str, Any]] = []
    for service in services:
        families += [{**_plain(family), "service": service.name, "kind": "fact"} for family in service.families]
        families += [{**_plain(one.family), "service": service.name, "kind": "age"} for one in service.members]
        families += _of_rows(service.rows)
    families += [{**_plain(family), "service": "kubernetes", "kind": "fact"} for family in KUBERNETES_FAMILIES]
    families += [
        {
            "name": family.name,
            "help": family.help,
            "type": family.type,
            "unit": family.unit,
            "labels": list(family.labels),
            "service": "storage-exporter",
            "kind": "self",
        }
        for family in SELF_FAMILIES
    ]
    return {"version": 1, "families": sorted(families, key=lambda family: str(family["name"]))}


def _of_rows(rows: Sequence[MetricRow]) -> list[dict[str, Any]]:
    """
    One entry a family. Where resources that matter more have a row of their own for it, asked more often, the entry is
    the slowest row's, for rules must read the family over the longest span; the others stand in ``also``.
    """
    found: dict[str, list[MetricRow]] = {}
    for row in rows:
        found.setdefault(row.family.name, []).append(row)
    entries = []
    for same in found.values():
        slowest, *others = sorted(same, key=lambda row: -row.span)
        also = [{"resource_kind": row.kind.name, "every": row.every, "tier": row.tier.value} for row in others]
        entries.append({**_cloudwatch(slowest), "also": also})
    return entries


def _plain(family: Family) -> dict[str, Any]:
    return {
        "name": family.name,
        "help": family.help,
        "type": family.type,
        "unit": family.unit,
        "labels": list(family.labels),
    }


def _cloudwatch(row: MetricRow) -> dict[str, Any]:
    return {
        **_plain(row.family),
        "service": row.kind.service,
        "kind": "cloudwatch",
        "source": {
            "namespace": row.kind.namespace,
            "metric": row.source,
            "statistic": row.statistic,
            "dimensions": {name: label or None for name, label in row.kind.dimensions},
        },
        "scale": row.scale,
        "per_second": row.per_second,
        "fold": row.fold.value,
        "period": row.period,
        "delay": row.delay,
        "every": row.every,
        "span": row.span,
        "absent": row.absent.value,
        "tier": row.tier.value,
        "covered_by": row.covered_by or None,
        "witness": row.witness or None,
        "resource_kind": row.kind.name,
    }


_TITLES = {
    "ebs": "EBS",
    "efs": "EFS",
    "s3": "S3",
    "elasticache": "ElastiCache",
    "protection": "Protection: keys and backups",
    "kubernetes": "Kubernetes: claims, their volumes and the CSI drivers",
    "storage-exporter": "The exporter itself",
}

_FACTS = {"kubernetes": "### From the Kubernetes API", "storage-exporter": "### About itself"}


def markdown(services: Sequence[type[Service]]) -> str:
    """The catalogue as the page METRICS.md."""
    listed = catalogue(services)["families"]
    lines = [
        "# Metrics",
        "",
        "Every family the exporter has. Generated by `storage-exporter metrics --markdown`; do not edit.",
        "",
        "Every AWS series has `account_id` and `region`, and `cluster` where it is configured. Allow-listed AWS tags",
        "are `tag_…` labels of the info families of what carries tags. Values are in base units.",
        "*Fold* is how the datapoints of one pass become the value at `/metrics`; *span* is for how long a value may",
        "stand after the end of its period. Rows of the tier `on-request` are asked where the configuration says so;",
        "what a free source has too, less often or not at all where `covered` says that it is scraped (*beside*).",
    ]
    for name in [*(service.name for service in services), "kubernetes", "storage-exporter"]:
        mine = [family for family in listed if family["service"] == name]
        rows = [family for family in mine if family["kind"] == "cloudwatch"]
        facts = [family for family in mine if family["kind"] != "cloudwatch"]
        lines += ["", f"## {_TITLES.get(name, name)}"]
        if rows:
            lines += [
                "",
                "### From CloudWatch",
                "",
                "| Metric | Labels | Source | Fold | Asked every | Span | Tier | What it says |",
                "|---|---|---|---|---|---|---|---|",
                *(_row_line(family) for family in rows),
            ]
        if facts:
            lines += [
                "",
                _FACTS.get(name, "### From the inventory"),
                "",
                "| Metric | Type | Labels | What it says |",
                "|---|---|---|---|",
                *(_fact_line(family) for family in facts),
            ]
    return "\n".join(lines) + "\n"


def _row_line(family: Mapping[str, Any]) -> str:
    source = family["source"]
    dimensions = ", ".join(source["dimensions"])
    asked = f"`{source['namespace']}` `{source['metric']}` {source['statistic']} {{{dimensions}}}"
    text = str(family["help"]).split(" Source: ", maxsplit=1)[0]
    every = "; ".join(
        [f"{family['every']} s", *(f"{other['every']} s ({other['resource_kind']})" for other in family["also"])]
    )
    if family["covered_by"]:
        beside = f"{family['witness']} s" if family["witness"] else "not"
        every += f" ({beside} beside `{family['covered_by']}`)"
    return (
        f"| `{family['name']}` | {_labels(family)} | {asked} | {family['fold']} | {every} "
        f"| {family['span']} s | {family['tier']} | {text} |"
    )


def _fact_line(family: Mapping[str, Any]) -> str:
    return f"| `{family['name']}` | {family['type']} | {_labels(family)} | {family['help']} |"


def _labels(family: Mapping[str, Any]) -> str:
    own = [name for name in family["labels"] if name not in {"account_id", "region"}]
    return ", ".join(f"`{name}`" for name in own)


# ---- the table of `once` --------------------------------------------------------------------------------------------


_OWNED = {
    "aws_ebs_volume_persistentvolumeclaim_info": "volume_id",
    "aws_efs_access_point_persistentvolumeclaim_info": "access_point_id",
}
"""Families that name the claim of something, and the label that something is known by."""


def rows_of(snapshot: Snapshot) -> Iterator[tuple[str, str, str]]:
    """(metric, the labels that tell it apart and whose it is, value) of each sample, for a table."""
    owners = _owners(snapshot)
    for family, labels, value in samples(snapshot):
        own = " ".join(
            f"{name}={text}" for name, text in labels.items() if text and name not in {"account_id", "region"}
        )
        if family.name not in _OWNED:
            claims = [owners.get((label, labels.get(label, ""))) for label in _OWNED.values()]
            own = " ".join([own, *(f"({claim})" for claim in claims if claim)])
        yield family.name, own, readable(value, family) if family.type == "gauge" else "info"


def _owners(snapshot: Snapshot) -> dict[tuple[str, str], str]:
    """``namespace/claim`` by what it owns, (label, value); nothing of what several claims share."""
    found: dict[tuple[str, str], set[str]] = {}
    for family, blocks in snapshot.families:
        label = _OWNED.get(family.name)
        for labels in (labels_of(each) for block in blocks for each in block.labels) if label else ():
            if labels["persistentvolumeclaim"]:
                claim = f"{labels['namespace']}/{labels['persistentvolumeclaim']}"
                found.setdefault((str(label), labels[str(label)]), set()).add(claim)
    return {key: claims.pop() for key, claims in found.items() if len(claims) == 1}
