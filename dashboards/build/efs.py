"""EFS: whether each file system is well, how long its burst credits last, who mounts it, and what nodes say of it."""

from __future__ import annotations

from dashboards.build import efs_detail
from dashboards.build.alert_board import firing
from dashboards.build.efs_terms import LEGEND, F, chosen, named
from dashboards.build.links import FILE_SYSTEM_CONSOLE, runbook, to
from dashboards.build.page import Change, Page, Variable
from dashboards.build.panels import PLACE_KEYS, Column, Key, Panel, Query, Row, Series, Stat, State, Table
from dashboards.build.queries import most, where
from dashboards.build.thresholds import DAY, high, low, number

CREDITS = chosen("filesystem:aws_efs_burst_credits:bytes")
LEFT_30M = chosen("filesystem:aws_efs_burst_credits:seconds_to_zero_30m")
LEFT_6H = chosen("filesystem:aws_efs_burst_credits:seconds_to_zero_6h")
LEFT_AT_BURST = chosen("filesystem:aws_efs_burst_credits:seconds_to_zero_burst")
SLOPE_30M = chosen("filesystem:aws_efs_burst_credits:deriv30m")
SLOPE_6H = chosen("filesystem:aws_efs_burst_credits:deriv6h")
PERMITTED = chosen("filesystem:aws_efs_permitted_throughput:bytes_per_second")
METERED = chosen("filesystem:aws_efs_metered_throughput:bytes_per_second")
BASELINE = chosen("filesystem:aws_efs_baseline_throughput:bytes_per_second")
UTILIZATION = chosen("filesystem:aws_efs_throughput_utilization:ratio")
IO_LIMIT = chosen("filesystem:aws_efs_io_limit:ratio")
CLIENTS = chosen("filesystem:aws_efs_client_connections:sum")
NODES = chosen("filesystem:kubernetes_nodes_using:count")
STORAGE = chosen("filesystem:aws_efs_storage:bytes")
BACKUP = chosen("filesystem:aws_efs_last_backup:timestamp")
TARGETS = most(chosen("aws_efs_mount_target_available"), F, "availability_zone")

FULL = 2.1 * 2**40
"""Bytes of burst credits that a file system of up to 1 TiB can gather; more of it can gather as much a TiB."""

HOUR = 3600.0
LEFT = low(
    warning=number("AwsEfsBurstCreditsExhaustingSlow", "long", of="seconds"),
    critical=number("AwsEfsBurstCreditsExhaustingFast", "soon", of="seconds"),
)
BUSY = high(warning=number("AwsEfsThroughputSaturated", "utilization", of="ratio"))
OPERATIONS = high(
    warning=number("AwsEfsIoLimitNear", "limit", of="ratio"),
    critical=number("AwsEfsIoLimitReached", "limit", of="ratio"),
)
EMPTY = low(critical=number("AwsEfsBurstCreditsDepleted", "balance", of="bytes"))
OLD = high(warning=number("AwsEfsBackupTooOld", "max_age", of="seconds"))
MODES = (
    State(1, "bursting", "yellow"),
    State(2, "elastic", "green"),
    State(3, "provisioned", "blue"),
)
DOWN = (State(0, "all up", "green"),)


def _stats() -> list[Panel]:
    return [
        Stat(
            title="Credits left",
            says="Burst credits of the file system that has the fewest. Full is 2.1 TiB; at 0 it moves only its baseline.",
            unit="bytes",
            queries=[Query(f"min({CREDITS})")],
            limit=EMPTY,
            empty="no credits used",
            decimals=2,
            width=3,
        ),
        Stat(
            title="Credits end in",
            says=(
                "The soonest end at the pace of the last 30 minutes. Good: not falling, or days. Red: within an hour, "
                "then everything on it is slow."
            ),
            unit="s",
            queries=[Query(f"min({LEFT_30M})")],
            limit=LEFT,
            empty="not falling",
            decimals=1,
            width=3,
        ),
        Stat(
            title="Throughput used",
            says="Metered over permitted throughput, of the busiest. Good: below 80 %; at 100 % its clients wait.",
            unit="percentunit",
            queries=[Query(f"max({UTILIZATION})")],
            limit=BUSY,
            decimals=0,
            width=3,
        ),
        Stat(
            title="May move",
            says="The lowest permitted throughput. When a bursting one falls to its baseline its credits are gone.",
            unit="binBps",
            queries=[Query(f"min({PERMITTED})")],
            decimals=1,
            width=3,
        ),
        Stat(
            title="Operations limit",
            says="Share of the operations a second that General Purpose mode allows, of the busiest. At 100 % clients wait.",
            unit="percentunit",
            queries=[Query(f"max({IO_LIMIT})")],
            limit=OPERATIONS,
            decimals=0,
            width=3,
        ),
        Stat(
            title="Clients and nodes",
            says=(
                "Mounts that AWS counts, beside nodes that run pods with a claim on it. Fewer clients than nodes: some "
                "node hangs."
            ),
            unit="none",
            queries=[Query(f"sum({CLIENTS})", "clients"), Query(f"sum({NODES})", "nodes")],
            decimals=0,
            width=3,
        ),
        Stat(
            title="Targets down",
            says="Zones whose mount target is not available: pods there hang. Good: all up.",
            unit="none",
            queries=[Query(f"count({TARGETS} == 0) or 0 * count({TARGETS})")],
            limit=high(critical=1),
            states=DOWN,
            width=3,
        ),
        Stat(
            title="Oldest backup",
            says="Age of the newest backup of the file system that waits longest. Good: below two days.",
            unit="s",
            queries=[Query(f"max(time() - {BACKUP})")],
            limit=OLD,
            empty="no backup",
            decimals=1,
            width=3,
        ),
    ]


def _mode() -> str:
    words = []
    for place, mode in ((1, "bursting"), (2, "elastic"), (3, "provisioned")):
        info = chosen("aws_efs_file_system_info", f'throughput_mode="{mode}"')
        words.append(f"{place} * group by ({F}) ({info})")
    return " or ".join(words)


def _each() -> Table:
    def column(expr: str) -> str:
        return named(most(expr, F))

    return Table(
        title="File systems",
        says="One line a file system, the one whose credits end first on top. Click the name to see it alone.",
        keys=[
            *PLACE_KEYS,
            Key(
                label="file_system_name",
                name="File system",
                links=[to("efs", "file_system_id", title="Only this one"), FILE_SYSTEM_CONSOLE],
                width=170,
            ),
            Key(label="file_system_id", name="Id", links=[FILE_SYSTEM_CONSOLE], width=185),
        ],
        columns=[
            Column(name="Throughput", expr=column(_mode()), states=MODES, width=95),
            Column(name="Credits", expr=column(CREDITS), unit="bytes", limit=EMPTY, decimals=2, width=90),
            Column(name="End in", expr=column(LEFT_30M), unit="s", limit=LEFT, decimals=1, width=85),
            Column(name="Moves", expr=column(METERED), unit="binBps", decimals=1, width=95),
            Column(name="May move", expr=column(PERMITTED), unit="binBps", decimals=1, width=95),
            Column(name="Used", expr=column(UTILIZATION), unit="percentunit", limit=BUSY, decimals=0, width=60),
            Column(
                name="Operations", expr=column(IO_LIMIT), unit="percentunit", limit=OPERATIONS, decimals=0, width=90
            ),
            Column(name="Clients", expr=column(CLIENTS), decimals=0, width=65),
            Column(name="Nodes", expr=column(NODES), decimals=0, width=60),
            Column(name="Stored", expr=column(STORAGE), unit="bytes", decimals=1, width=85),
            Column(
                name="Targets down",
                expr=column(f"(sum by ({F}) ({TARGETS} == bool 0))"),
                limit=high(critical=1),
                states=DOWN,
                width=100,
            ),
            Column(name="Backup", expr=column(f"time() - {BACKUP}"), unit="s", limit=OLD, decimals=1, width=85),
        ],
        sort="End in",
        empty="No file system is known here.",
        height=6,
    )


def _credits() -> Row:
    legend = LEGEND
    return Row(
        title="How long it lasts",
        panels=[
            Series(
                title="Burst credits",
                says=(
                    "Credits of bursting file systems. Dotted: where they are in an hour at the pace of 30 minutes, in "
                    "4 hours at that of 6 hours. Good: flat or rising to full."
                ),
                unit="bytes",
                queries=[
                    Query(named(CREDITS), legend, "area"),
                    Query(
                        f"clamp_min({named(f'({CREDITS} + {SLOPE_30M} * {HOUR:.0f})')}, 0)",
                        f"{legend} in 1 h (pace of 30 min)",
                        "forecast",
                    ),
                    Query(
                        f"clamp_min({named(f'({CREDITS} + {SLOPE_6H} * {4 * HOUR:.0f})')}, 0)",
                        f"{legend} in 4 h (pace of 6 h)",
                        "forecast",
                    ),
                    Query(f"max(0 * {CREDITS}) + {FULL:.4g}", "full (2.1 TiB)", "limit"),
                ],
                limit=EMPTY,
                least=0,
                links=[runbook("AwsEfsBurstCreditsExhaustingFast")],
                empty="No file system here uses burst credits.",
            ),
            Series(
                title="Time until the credits are gone",
                says=(
                    "At the pace of 30 minutes, of 6 hours, and if it ran at full speed from now on. No line: not "
                    "falling, or more than two days. Below the lower line it pages."
                ),
                unit="s",
                queries=[
                    Query(named(LEFT_30M), f"{legend} (pace of 30 min)"),
                    Query(named(LEFT_6H), f"{legend} (pace of 6 h)"),
                    Query(named(LEFT_AT_BURST), f"{legend} (at full speed)"),
                ],
                limit=LEFT,
                least=0,
                most=2 * DAY,
                links=[runbook("AwsEfsBurstCreditsExhaustingSlow")],
                empty="No file system here uses burst credits.",
            ),
            Series(
                title="Throughput against what is permitted",
                says=(
                    "What is metered (reads count a third). Dashed: what AWS permits now, and the baseline that is left "
                    "without credits. Good: well below."
                ),
                unit="Bps",
                queries=[
                    Query(named(METERED), legend),
                    Query(named(PERMITTED), f"{legend} permitted", "limit"),
                    Query(named(BASELINE), f"{legend} baseline", "limit"),
                ],
                log=True,
                links=[runbook("AwsEfsPermittedThroughputCollapsed")],
            ),
            Series(
                title="Share of the permitted throughput",
                says="Metered over permitted. Good: below the line; at 100 % every read and write waits.",
                unit="percentunit",
                queries=[Query(named(UTILIZATION), legend)],
                limit=BUSY,
                least=0,
                most=1.1,
                links=[runbook("AwsEfsThroughputSaturated")],
            ),
        ],
    )


def _changes() -> list[Change]:
    info = f"group by ({F}, name, throughput_mode) ({chosen('aws_efs_file_system_info')}"
    seen = f"group by ({F}) ({chosen('aws_efs_file_system_info')} offset 10m)"
    targets = most(chosen("aws_efs_mount_target_available"), F, "availability_zone")
    before = most(f"{chosen('aws_efs_mount_target_available')} offset 5m", F, "availability_zone")
    return [
        Change(
            name="Throughput mode",
            expr=f"{info}) unless {info} offset 10m) and on ({F}) {seen}",
            title="{{name}}: now {{throughput_mode}}",
            text="The throughput mode of {{file_system_id}} was changed to {{throughput_mode}}.",
            colour="purple",
        ),
        Change(
            name="Mount targets",
            expr=f"{targets} == 0 and {before} == 1",
            title="Mount target in {{availability_zone}} went down",
            text="{{file_system_id}}: pods in {{availability_zone}} hang on their mounts.",
            colour="red",
        ),
    ]


def page() -> Page:
    """The dashboard."""
    alerts = firing(
        "Alerts that fire for these file systems",
        "Every alert about EFS and its backups that fires. Good: nothing. Click a name for the runbook.",
        'component="efs",file_system_id=~"$file_system_id|"',
        'file_system_id!="",file_system_id=~"$file_system_id"',
        height=5,
        empty="nothing fires for these file systems",
    )
    return Page(
        uid="efs",
        title="EFS",
        says="Whether each file system is well, how long its burst credits last, who uses it and what nodes say of it.",
        variables=[Variable(name="file_system_id", title="File system", metric=where("aws_efs_file_system_info"))],
        changes=_changes(),
        rows=[
            Row(title="Is it well?", panels=[*_stats(), alerts, _each()]),
            _credits(),
            *efs_detail.rows(),
        ],
    )
