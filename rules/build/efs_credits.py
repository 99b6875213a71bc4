"""
Burst credits and throughput of EFS file systems (aws-facts 4.1).

The pace is read off the balance itself over 30 minutes and over six hours: no assumption of how AWS counts. What a file
system could lose at full speed is permitted less baseline, and the baseline is 50 KiB/s a GiB of Standard storage, never
under 1 MiB/s. AWS recommends one alarm here (BurstCreditBalance ≤ 0 for 15 minutes): AwsEfsBurstCreditsDepleted is
earlier, and the forecasts are hours earlier. AWS's advice to act at 80 % of what is permitted is AwsEfsThroughputSaturated.
"""

from __future__ import annotations

from rules.build import words
from rules.build.first import first
from rules.build.identity import FILE_SYSTEM, listed
from rules.build.model import Alert, Group, Record, Severity, Threshold
from rules.build.owners import owned_file_system

F = listed(FILE_SYSTEM)

CREDITS = "filesystem:aws_efs_burst_credits:bytes"
LEFT_30M = "filesystem:aws_efs_burst_credits:seconds_to_zero_30m"
LEFT_6H = "filesystem:aws_efs_burst_credits:seconds_to_zero_6h"
LEFT_AT_BURST = "filesystem:aws_efs_burst_credits:seconds_to_zero_burst"
BASELINE = "filesystem:aws_efs_baseline_throughput:bytes_per_second"
PERMITTED = "filesystem:aws_efs_permitted_throughput:bytes_per_second"
METERED = "filesystem:aws_efs_metered_throughput:bytes_per_second"
UTILIZATION = "filesystem:aws_efs_throughput_utilization:ratio"

_BURSTING = f'and on ({F}) aws_efs_file_system_info{{throughput_mode="bursting"}}'
_SLOPE_30M = "filesystem:aws_efs_burst_credits:deriv30m"
_SLOPE_6H = "filesystem:aws_efs_burst_credits:deriv6h"

RECORDS = [
    Record(name=CREDITS, expr=f"({first('aws_efs_file_system_burst_credit_balance_bytes')}) {_BURSTING}"),
    # A slope of a few points says what one minute's burst did: it waits until it has ten minutes, or an hour.
    Record(name=_SLOPE_30M, expr=f"deriv({CREDITS}[30m]) and last_over_time({CREDITS}[20m] offset 10m)"),
    Record(name=_SLOPE_6H, expr=f"deriv({CREDITS}[6h]) and last_over_time({CREDITS}[5h] offset 1h)"),
    Record(name=LEFT_30M, expr=f"{CREDITS} / -({_SLOPE_30M} < 0)"),
    Record(name=LEFT_6H, expr=f"{CREDITS} / -({_SLOPE_6H} < 0)"),
    Record(
        name=BASELINE,
        expr=f"""
            clamp_min(
              max by ({F}) (aws_efs_file_system_metered_size_bytes{{storage_class="Standard"}}) / 1073741824 * 51200,
              1048576
            ) {_BURSTING}
        """,
    ),
    Record(name=PERMITTED, expr=first("aws_efs_file_system_permitted_throughput_bytes_per_second")),
    Record(name=METERED, expr=first("aws_efs_file_system_metered_io_bytes_per_second")),
    Record(name=UTILIZATION, expr=f"{METERED} / ({PERMITTED} > 0)"),
    Record(name=LEFT_AT_BURST, expr=f"{CREDITS} / (({PERMITTED} - {BASELINE}) > 0)"),
]

REMEDY = (
    "One command lifts the limit (no way back for 24 hours): `aws efs update-file-system "
    "--region {{ $labels.region }} --file-system-id {{ $labels.file_system_id }} --throughput-mode elastic`."
)


def _now(recording: str) -> str:
    """The recording's value for the file system of the alert, in Ki, Mi, Gi."""
    return (
        f"{{{{ with printf \"{recording}{{cluster='%s',account_id='%s',region='%s',file_system_id='%s'}}\" "
        "$labels.cluster $labels.account_id $labels.region $labels.file_system_id | query }}"
        "{{ . | first | value | humanize1024 }}{{ end }}"
    )


def _alert(
    name: str,
    severity: Severity,
    expr: str,
    summary: str,
    description: str,
    wait: str,
    keep: str,
    **thresholds: Threshold,
) -> Alert:
    return Alert(
        name=name,
        severity=severity,
        component="efs",
        expr=owned_file_system(expr),
        wait=wait,
        keep=keep,
        thresholds=thresholds,
        summary=f"{words.FILE_SYSTEM}: {summary}",
        description=f"{{{{ $labels.file_system_id }}}}: {description}",
        dashboard=words.FILE_SYSTEM_DASHBOARD,
        console=words.FILE_SYSTEM_CONSOLE,
    )


ALERTS = [
    _alert(
        "AwsEfsBurstCreditsExhaustingFast",
        "critical",
        f"""
            round(
              {LEFT_30M} < $soon
              or
              ({LEFT_30M} < $short and {LEFT_6H} < $long)
              or
              ({LEFT_AT_BURST} < $burst and {UTILIZATION} >= $busy),
              60
            )
        """,
        "burst credits end in {{ $value | humanizeDuration }}",
        f"""
            {_now(CREDITS)}B of burst credits are left and go in {{{{ $value | humanizeDuration }}}} at this pace; then it
            may move only {_now(BASELINE)}B/s. {words.FILE_SYSTEM_CLAIMS}{REMEDY}
        """,
        "2m",
        "30m",
        soon=Threshold(3600, "seconds", "time left at the pace of the last 30 minutes, whatever came before"),
        short=Threshold(4 * 3600, "seconds", "time left at the pace of the last 30 minutes, where six hours agree"),
        long=Threshold(86400, "seconds", "time left at the pace of the last six hours"),
        burst=Threshold(3600, "seconds", "how long the balance would last at full speed"),
        busy=Threshold(0.5, "ratio", "metered over permitted throughput, from which on it counts as full speed"),
    ),
    _alert(
        "AwsEfsBurstCreditsExhaustingSlow",
        "warning",
        f"""
            round(({LEFT_6H} < $long and {LEFT_30M} < $short) unless ({CREDITS} >= $daily * ({CREDITS} offset 1d)), 3600)
        """,
        "burst credits end in {{ $value | humanizeDuration }}",
        f"""
            {_now(CREDITS)}B of burst credits are left, less than a day ago, and go in {{{{ $value | humanizeDuration }}}}
            at the pace of the last 6 hours; then it may move only {_now(BASELINE)}B/s.
            {words.FILE_SYSTEM_CLAIMS}{REMEDY}
        """,
        "1h",
        "2h",
        long=Threshold(3 * 86400, "seconds", "time left at the pace of the last six hours"),
        short=Threshold(7 * 86400, "seconds", "time left at the pace of the last 30 minutes"),
        daily=Threshold(0.95, "ratio", "share of yesterday's balance that a daily rhythm leaves"),
    ),
    _alert(
        "AwsEfsBurstCreditsLow",
        "warning",
        f"round({LEFT_AT_BURST} < $burst, 60)",
        "burst credits would last {{ $value | humanizeDuration }} at full speed",
        f"""
            {_now(CREDITS)}B of burst credits are left: {{{{ $value | humanizeDuration }}}} at full speed, then it may move
            only {_now(BASELINE)}B/s. {words.FILE_SYSTEM_CLAIMS}{REMEDY}
        """,
        "15m",
        "1h",
        burst=Threshold(3600, "seconds", "how long the balance would last at full speed"),
    ),
    _alert(
        "AwsEfsBurstCreditsDepleted",
        "critical",
        f"round({CREDITS} <= $balance, 1e6)",
        "burst credits are used up",
        f"""
            {{{{ $value | humanize1024 }}}}B of burst credits are left: it may move {_now(BASELINE)}B/s and no more until
            it rests. {words.FILE_SYSTEM_CLAIMS}{REMEDY}
        """,
        "2m",
        "15m",
        balance=Threshold(1e10, "bytes", "burst credits left (under two minutes at full speed)"),
    ),
    _alert(
        "AwsEfsPermittedThroughputCollapsed",
        "critical",
        f"round(({UTILIZATION} >= $busy) and {PERMITTED} <= 1.1 * {BASELINE}, 0.01)",
        "throttled now, throughput fell to the baseline",
        f"""
            it may move only {_now(PERMITTED)}B/s and uses {{{{ $value | humanizePercentage }}}} of that: I/O of its
            clients waits now. {words.FILE_SYSTEM_CLAIMS}{REMEDY}
        """,
        "1m",
        "15m",
        busy=Threshold(0.8, "ratio", "metered over permitted throughput"),
    ),
    _alert(
        "AwsEfsThroughputSaturated",
        "warning",
        f"round(avg_over_time({UTILIZATION}[30m]) >= $utilization, 0.01) and {UTILIZATION}",
        "uses {{ $value | humanizePercentage }} of its throughput",
        f"""
            over the last 30 minutes it moved {{{{ $value | humanizePercentage }}}} of the {_now(PERMITTED)}B/s it may.
            Above 80 % AWS advises elastic or more provisioned throughput. {words.FILE_SYSTEM_CLAIMS}{REMEDY}
        """,
        "15m",
        "30m",
        utilization=Threshold(0.8, "ratio", "metered over permitted throughput, mean of 30 minutes"),
    ),
]

GROUP = Group(topic="credits", rules=[*RECORDS, *ALERTS])
