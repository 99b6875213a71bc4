"""Capacity and cost: who has how much, what grows, what is too large, what nobody uses, and what asking AWS costs."""

from __future__ import annotations

from dashboards.build import capacity_logs, capacity_spend, capacity_waste
from dashboards.build.alert_board import firing
from dashboards.build.capacity_terms import (
    CACHED,
    FILES,
    FREE,
    FREE_SHARE,
    OBJECTS,
    SERVERLESS,
    SIZE,
    UNATTACHED,
    VOLUME_SIZE,
    B,
    C,
    F,
    V,
    by_namespace,
    files_by_namespace,
    of_claims,
    used_by_namespace,
)
from dashboards.build.efs_terms import named
from dashboards.build.links import BUCKET_CONSOLE, FILE_SYSTEM_CONSOLE, runbook, to
from dashboards.build.page import Page, Variable
from dashboards.build.panels import PLACE_KEYS, Bars, Column, Key, Panel, Query, Row, Series, Stat, State, Table
from dashboards.build.queries import most, where
from dashboards.build.thresholds import high, low, number

MONTH = 30 * 86400
ALL_CACHED = (
    f'sum(label_replace(sum({CACHED}), "kind", "nodes", "", "") '
    f'or label_replace(sum({SERVERLESS}), "kind", "serverless", "", ""))'
)
NEAR = number("StorageClaimFillingUp", "free", of="ratio")
FULL = low(warning=NEAR, critical=number("StorageClaimFull", "free", of="ratio"))
SOON = low(
    warning=number("StorageClaimFillingUp", "within", of="seconds"),
    critical=number("StorageClaimFullWithinHour", "within", of="seconds"),
)
ETA = of_claims("claim:kubelet_full:eta6h_seconds")
ETA_SOON = of_claims("claim:kubelet_full:eta20m_seconds")
NEARLY = f"({FREE_SHARE} < {NEAR:g} or ({FREE_SHARE} and on ({C}) {ETA} < {SOON.warning:.0f}))"
CLAIM_KEYS = (
    Key(label="cluster"),
    Key(label="namespace", name="Namespace", width=115),
    Key(
        label="persistentvolumeclaim",
        name="Claim",
        links=[to("ebs-volume", "namespace", "persistentvolumeclaim", title="Open the claim")],
    ),
)


def _stats() -> list[Panel]:
    return [
        Stat(
            title="EBS provisioned",
            says="Size of all volumes. It is paid for whether it is used or not.",
            unit="bytes",
            queries=[Query(f"sum({VOLUME_SIZE})")],
            decimals=1,
            width=3,
        ),
        Stat(
            title="EBS used",
            says="Bytes in the file systems of mounted claims over their size. Low: volumes are larger than needed.",
            unit="percentunit",
            queries=[Query(f"sum({SIZE} - {FREE}) / sum({SIZE})")],
            decimals=0,
            width=3,
        ),
        Stat(
            title="EFS stored",
            says="Bytes metered over all file systems and classes.",
            unit="bytes",
            queries=[Query(f"sum({FILES})")],
            decimals=1,
            width=3,
        ),
        Stat(
            title="S3 stored",
            says="Bytes over all buckets and classes, old versions included; a day or two old.",
            unit="bytes",
            queries=[Query(f"sum({OBJECTS})")],
            decimals=1,
            width=3,
        ),
        Stat(
            title="Valkey data",
            says="Memory in use over all nodes (replicas count too) and serverless caches.",
            unit="bytes",
            queries=[Query(ALL_CACHED)],
            decimals=1,
            width=3,
        ),
        Stat(
            title="Unattached",
            says="Size of volumes that no instance has. Good: none; a few belong to workloads scaled to zero.",
            unit="bytes",
            queries=[Query(f"sum({VOLUME_SIZE} and on ({V}) {UNATTACHED}) or 0 * sum({VOLUME_SIZE})")],
            states=(State(0, "none", "green"),),
            decimals=1,
            width=3,
        ),
        Stat(
            title="Nearly full",
            says="Claims with less than a quarter free, or full within two days at the pace of 6 hours. Good: none.",
            unit="none",
            queries=[Query(f"count({NEARLY}) or 0 * count({FREE_SHARE})")],
            limit=high(warning=1),
            states=(State(0, "none", "green"),),
            width=3,
        ),
        Stat(
            title="AWS calls",
            says="What the exporter's calls come to in a month, as the last hour goes, at list price. Below: by what.",
            unit="currencyUSD",
            queries=[Query(f"sum({where('cluster:storage_exporter_cost:dollars_per_month_1h', place=('cluster',))})")],
            decimals=0,
            width=3,
        ),
    ]


def _namespaces() -> list[Panel]:
    provisioned = by_namespace(VOLUME_SIZE)
    files = files_by_namespace()
    return [
        Table(
            title="Who has how much",
            says=(
                "Bytes by the namespace of the claims. EFS shared by several namespaces stands in a line of its own. "
                "A low share used means too large volumes."
            ),
            keys=[
                Key(label="cluster", name="Cluster", width=90),
                Key(
                    label="namespace",
                    name="Namespace",
                    links=[
                        to("capacity", "namespace", title="Only this one"),
                        to("ebs-volume", "namespace", title="Its volumes"),
                    ],
                ),
            ],
            columns=[
                Column(name="EBS provisioned", expr=f"{provisioned} or 0 * {files}", unit="bytes", decimals=1),
                Column(name="used", expr=used_by_namespace(), unit="bytes", decimals=1, width=90),
                Column(
                    name="Share used",
                    expr=f"{used_by_namespace()} / sum by (cluster, namespace) ({SIZE})",
                    unit="percentunit",
                    decimals=0,
                    width=95,
                ),
                Column(name="Volumes", expr=by_namespace(VOLUME_SIZE, "count"), decimals=0, width=80),
                Column(name="EFS", expr=files, unit="bytes", decimals=1, width=90),
            ],
            sort="-EBS provisioned",
            width=14,
            height=10,
        ),
        Bars(
            title="EBS by namespace",
            says="Provisioned bytes by the namespace of the claim, now.",
            unit="bytes",
            queries=[Query(f"sort_desc({provisioned})", "{{namespace}}")],
            decimals=1,
            width=10,
            height=10,
        ),
    ]


def _total(title: str, says: str, now: str, later: str) -> Series:
    return Series(
        title=title,
        says=f"{says} Dotted: in 30 days, as the last 7 days go.",
        unit="bytes",
        queries=[Query(now, "now", "area"), Query(f"clamp_min({later}, 0)", "in 30 days", "forecast")],
        connect=True,
        width=6,
    )


def _totals() -> Row:
    files, objects, serverless = (
        f"sum(predict_linear({name}[7d], {MONTH}))" for name in (FILES, where("account:aws_s3_size:bytes"), SERVERLESS)
    )
    volumes = f"predict_linear(sum({VOLUME_SIZE})[7d:20m], {MONTH})"
    nodes = f"predict_linear(sum({CACHED})[7d:20m], {MONTH})"
    provisioned = by_namespace(VOLUME_SIZE)
    s3 = f"sum by (bucket_component) ({OBJECTS} * on ({B}) group_left (bucket_component) bucket:aws_s3_owner:info)"
    return Row(
        title="Totals, and where they go",
        panels=[
            _total("EBS", "Size of all volumes.", f"sum({VOLUME_SIZE})", volumes),
            _total("EFS", "Bytes metered.", f"sum({FILES})", files),
            _total("S3", "Bytes in all buckets.", f"sum({where('account:aws_s3_size:bytes')})", objects),
            Series(
                title="Valkey",
                says="Memory in use, replicas too, and data of serverless caches. Dotted: in 30 days, as the last 7 days go.",
                unit="bytes",
                queries=[
                    Query(f"sum({CACHED})", "nodes", "area"),
                    Query(f"clamp_min({nodes}, 0)", "nodes in 30 days", "forecast"),
                    Query(f"sum({SERVERLESS})", "serverless", "area"),
                    Query(f"clamp_min({serverless}, 0)", "serverless in 30 days", "forecast"),
                ],
                connect=True,
                width=6,
            ),
            Series(
                title="EBS by namespace over time",
                says="Provisioned bytes by the namespace of the claim. A step is a new or a grown volume.",
                unit="bytes",
                queries=[Query(f"sum by (namespace) ({provisioned})", "{{namespace}}", "steps")],
                stacked=True,
                least=0,
            ),
            Series(
                title="S3 by component over time",
                says="Bytes by what the bucket is for (services.s3.components); the rest is called other.",
                unit="bytes",
                queries=[
                    Query(
                        f'label_replace({s3}, "bucket_component", "other", "bucket_component", "")',
                        "{{bucket_component}}",
                        "steps",
                    )
                ],
                stacked=True,
                connect=True,
                least=0,
            ),
        ],
    )


def _growth() -> Row:
    size, free = (f"delta({of_claims(f'claim:kubelet_{each}:bytes')}[30d])" for each in ("capacity", "available"))
    used = f"{size} - {free} and on ({C}) {SIZE}"

    def each(title: str, says: str, keys: list[Key], grew: str, now: str, labels: str) -> Table:
        return Table(
            title=title,
            says=says,
            keys=keys,
            columns=[
                Column(name="Grew", expr=f"{most(grew, labels)} > 0", unit="bytes", decimals=1, width=85),
                Column(
                    name="Now",
                    expr=f"{most(now, labels)} and {most(grew, labels)} > 0",
                    unit="bytes",
                    decimals=1,
                    width=90,
                ),
            ],
            sort="-Grew",
            empty="nothing grew",
            width=8,
            height=9,
        )

    return Row(
        title="What grew most in 30 days (or since it is known)",
        panels=[
            each(
                "Claims",
                "Bytes used in the claim's file system. Click for the claim.",
                [*CLAIM_KEYS],
                used,
                f"{SIZE} - {FREE}",
                C,
            ),
            each(
                "File systems of EFS",
                "Bytes metered. Click for the file system.",
                [
                    *PLACE_KEYS,
                    Key(
                        label="file_system_name",
                        name="File system",
                        links=[to("efs", "file_system_id", title="Open it"), FILE_SYSTEM_CONSOLE],
                    ),
                    Key(label="file_system_id"),
                ],
                named(f"delta({FILES}[30d])"),
                named(FILES),
                f"{F}, file_system_name",
            ),
            each(
                "Buckets of S3",
                "Bytes stored, by daily values. Click for the bucket.",
                [
                    *PLACE_KEYS,
                    Key(label="bucket", name="Bucket", links=[to("s3", "bucket", title="Open it"), BUCKET_CONSOLE]),
                ],
                f"delta({OBJECTS}[30d])",
                OBJECTS,
                B,
            ),
        ],
    )


def _nearly() -> Table:
    eta = (
        f'min by ({C}) (label_replace({ETA}, "pace", "6h", "", "") or label_replace({ETA_SOON}, "pace", "20m", "", ""))'
    )

    def column(expr: str) -> str:
        return most(f"{expr} and on ({C}) {NEARLY}", C)

    return Table(
        title="Claims that are nearly full",
        says="Less than a quarter free, or full within two days. Good: none. Click a claim for its volume and how to grow it.",
        keys=CLAIM_KEYS,
        columns=[
            Column(name="Free", expr=most(NEARLY, C), unit="percentunit", limit=FULL, decimals=1),
            Column(name="Left", expr=column(FREE), unit="bytes", decimals=1),
            Column(name="Size", expr=column(SIZE), unit="bytes", decimals=1),
            Column(name="Full in", expr=column(eta), unit="s", limit=SOON, decimals=1),
        ],
        sort="Free",
        empty="No claim is nearly full.",
        width=15,
        height=5,
        links=[runbook("StorageClaimFillingUp")],
    )


def _waiting() -> Table:
    pending = of_claims("claim:kubernetes_pending:timestamp_seconds")
    return Table(
        title="Claims that wait for a volume",
        says="Pending though a pod wants them. Good: none. Click for the claim; the driver's log says why.",
        keys=CLAIM_KEYS,
        columns=[
            Column(
                name="First in 24 h",
                expr=most(f"time() - min_over_time({pending}[1d]) and {pending}", C),
                unit="s",
                limit=high(warning=number("StorageClaimPending", "seconds", of="seconds")),
                decimals=0,
                width=100,
            )
        ],
        sort="-First in 24 h",
        empty="No claim waits.",
        width=9,
        height=5,
        links=[runbook("StorageClaimPending")],
    )


def _firing() -> Table:
    return firing(
        "Alerts that fire for these claims",
        "Alerts about claims, their volumes and file systems. Good: nothing. Click a name for the runbook.",
        'component="claims",namespace=~"$namespace|"',
        'persistentvolumeclaim!="",namespace=~"$namespace"',
        height=5,
        empty="nothing fires for these claims",
    )


def page() -> Page:
    """The dashboard."""
    return Page(
        uid="capacity",
        title="Capacity and cost",
        says="Who has how much storage, what grows, what is too large, what nobody uses, and what asking AWS costs.",
        rows=[
            Row(
                title="How much, and what runs out",
                panels=[*_stats(), _firing(), _nearly(), _waiting(), *_namespaces()],
            ),
            capacity_logs.row(),
            _totals(),
            _growth(),
            capacity_waste.row(),
            capacity_spend.row(),
        ],
        variables=[Variable(name="namespace", title="Namespace", metric=where("claim:storage_owner:info"))],
        since="now-30d",
        refresh="15m",
    )
