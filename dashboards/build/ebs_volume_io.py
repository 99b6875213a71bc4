"""EBS volume and claim: operations, throughput, waiting, limits, the burst bucket."""

from __future__ import annotations

from dashboards.build.ebs_volume_parts import V, of_claim
from dashboards.build.panels import Query, Row, Series, State, Timeline
from dashboards.build.queries import where
from dashboards.build.thresholds import high, low, number
from dashboards.build.volumes import by_id, exceeded, status

_HOURS = 4


def rows() -> tuple[Row, ...]:
    """The rows in reading order."""
    return (
        Row(title="Operations and throughput against what is provisioned", panels=(_operations(), _throughput())),
        Row(title="What was wrong, and when", panels=(_troubles(),)),
        Row(title="Waiting", panels=(_latency(), _queue(), _at_limit())),
        Row(title="Burst bucket and headroom", panels=(_burst(), _utilization())),
    )


def _direction(counter: str, gauge: str) -> str:
    """
    One direction of I/O: the CSI driver's counter where it is scraped, else CloudWatch's value.

    Args:
        counter: of one attachment.

        gauge: of CloudWatch, which may arrive in bursts.
    """
    attachments = f'max by (volume_id, instance_id) (rate({counter}{{volume_id=~"${V}"}}[$__rate_interval]))'
    told = f"max by (volume_id) (last_over_time({where(gauge, V)}[19m]))"
    return f"sum by (volume_id) ({attachments}) or {told}"


def _operations() -> Series:
    return Series(
        title="Operations a second",
        says=(
            "Reads and writes on top of each other against what is provisioned (gp2: its baseline). Good is well below the red line; a flat "
            "top at the line means that the workload waits."
        ),
        unit="iops",
        queries=(
            Query(_direction("aws_ebs_csi_read_ops_total", "aws_ebs_volume_read_ops_per_second"), "reads"),
            Query(_direction("aws_ebs_csi_write_ops_total", "aws_ebs_volume_write_ops_per_second"), "writes"),
            Query(by_id(where("aws_ebs_volume_provisioned_iops", V)), "provisioned", look="limit"),
        ),
        stacked=True,
    )


def _throughput() -> Series:
    provisioned = where("aws_ebs_volume_provisioned_throughput_bytes_per_second", V)
    return Series(
        title="Throughput",
        says=(
            "Bytes read and written, on top of each other, against what is provisioned (gp3; other types have a fixed limit that AWS does not "
            "tell). Good is well below the red line."
        ),
        unit="binBps",
        queries=(
            Query(_direction("aws_ebs_csi_read_bytes_total", "aws_ebs_volume_read_bytes_per_second"), "reads"),
            Query(_direction("aws_ebs_csi_write_bytes_total", "aws_ebs_volume_write_bytes_per_second"), "writes"),
            Query(by_id(provisioned), "provisioned", look="limit"),
        ),
        stacked=True,
    )


def _troubles() -> Timeline:
    stalled = by_id(where("volume:aws_ebs_stalled_io:ratio20m", V))
    balance = by_id(where("volume:aws_ebs_burst_balance:ratio", V))
    ends = by_id(where("volume:aws_ebs_burst_balance:eta_seconds", V))
    soon = f"({ends} < {_n('AwsEbsBurstBalanceExhausting', 'eta')}) and {balance} < "
    soon += _n("AwsEbsBurstBalanceExhausting", "level")
    free = of_claim("claim:kubelet_available:ratio")
    full = of_claim("claim:kubelet_full:eta20m_seconds")
    filling = f"(({full}) < {_n('StorageClaimFullWithinHour', 'within')}) and {free} < "
    filling += _n("StorageClaimFullWithinHour", "free")
    waiting = by_id(where("volume:storage_attachment_unfinished:seconds", V))
    return Timeline(
        title="What was wrong, and when",
        says=(
            "Each line is one way to be unwell, judged by the numbers of the alerts. Good is green from end to end; a "
            "line that is not there has no data for this volume."
        ),
        queries=(
            Query(f"clamp_max({status(V)}, 2)", "AWS's check"),
            Query(f"2 * ({stalled} >= bool {_n('AwsEbsVolumeStalledIO', 'bad_minutes')})", "I/O completes"),
            Query(
                f"({exceeded(V)} >= bool {_n('AwsEbsVolumeThrottledSometimes', 'share')})"
                f" + ({exceeded(V)} >= bool {_n('AwsEbsVolumeThrottled', 'mostly')})",
                "under its limits",
            ),
            Query(
                f"{by_id(where('volume:aws_ebs_latency:max', V))} >= bool {_n('AwsEbsVolumeLatencyHigh', 'latency')}",
                "fast enough",
            ),
            Query(
                f"(0 * ({soon}) + 2) or ({balance} < bool {_n('AwsEbsBurstBalanceLow', 'level')})",
                "burst balance",
            ),
            Query(
                f"(0 * ({filling}) + 2) or 2 * ({free} < bool {_n('StorageClaimFull', 'free')})", "space in the claim"
            ),
            Query(
                f"({waiting} > bool {_n('StorageAttachmentSlow', 'seconds')})"
                f" + ({waiting} > bool {_n('StorageAttachmentStuck', 'seconds')}) or 0 * {status(V)}",
                "attachment",
            ),
        ),
        states=(State(0, "well", "green"), State(1, "watch it", "orange"), State(2, "bad", "red")),
        height=7,
    )


def _n(alert: str, threshold: str) -> str:
    return f"{number(alert, threshold):g}"


def _latency() -> Series:
    return Series(
        title="Latency of reads and writes",
        says=(
            "Mean time of a read and of a write. Good for SSD is a few milliseconds; a rise with a full queue is the "
            "limit, a rise without load is AWS's."
        ),
        unit="s",
        queries=(Query(f"max by (direction) ({where('volume:aws_ebs_latency:seconds', V)})", "{{direction}}"),),
        limit=high(warning=number("AwsEbsVolumeLatencyHigh", "latency", of="seconds")),
        width=8,
    )


def _queue() -> Series:
    operations, latency = (
        by_id(where("volume:aws_ebs_ops:per_second", V)),
        by_id(where("volume:aws_ebs_latency:max", V)),
    )
    attachments = f'max by (volume_id, instance_id) (aws_ebs_csi_volume_queue_length{{volume_id=~"${V}"}})'
    told = f"max by (volume_id) (last_over_time({where('aws_ebs_volume_queue_length', V)}[19m]))"
    return Series(
        title="Operations waiting",
        says=(
            "Operations sent to the volume and not completed yet. Good is about one for each 1,000 IOPS of an SSD; a "
            "queue without any operation done is a stall. Where nobody tells the queue, the dotted line is about it."
        ),
        unit="short",
        queries=(
            Query(f"sum by (volume_id) ({attachments}) or {told}", "waiting"),
            Query(f"{operations} * {latency}", "operations × latency", look="forecast"),
        ),
        width=8,
    )


def _at_limit() -> Series:
    return Series(
        title="Share of time at a limit",
        says=(
            "How much of the last 20 minutes the workload wanted more than is provisioned. Good is 0 %; it pages at "
            "the red line, as a share of the last five minutes or all the time."
        ),
        unit="percentunit",
        queries=(Query(f"max by (limit) ({where('volume:aws_ebs_limit_exceeded:ratio', V)})", "{{limit}}"),),
        limit=high(
            warning=number("AwsEbsVolumeThrottledSometimes", "share", of="ratio"),
            critical=number("AwsEbsVolumeThrottled", "mostly", of="ratio"),
        ),
        least=0,
        most=1,
        width=8,
    )


def _burst() -> Series:
    balance = where("volume:aws_ebs_burst_balance:ratio", V)
    ahead = f"clamp(predict_linear({balance}[30m], {_HOURS * 3600}), 0, 1)"
    return Series(
        title="Burst balance, now and ahead",
        says=(
            "What is left in the burst bucket (gp2, st1, sc1), and what will be left in four hours if it goes on as in "
            "the last 30 minutes. At zero the volume falls to its baseline. Other types have no bucket."
        ),
        unit="percentunit",
        queries=(
            Query(by_id(balance), "left"),
            Query(by_id(ahead), f"in {_HOURS} h", look="forecast"),
        ),
        limit=low(warning=number("AwsEbsBurstBalanceLow", "level", of="ratio")),
        least=0,
        most=1,
        empty="this type of volume has no burst bucket",
    )


def _utilization() -> Series:
    return Series(
        title="Utilisation by limit",
        says=(
            "Operations and throughput as a share of what is provisioned, and how high they were in 95 % of the last "
            "six hours. Good is below the line with room for the next peak."
        ),
        unit="percentunit",
        queries=(
            Query(by_id(where("volume:aws_ebs_iops_utilization:ratio", V)), "operations"),
            Query(by_id(where("volume:aws_ebs_throughput_utilization:ratio", V)), "throughput"),
            Query(by_id(where("volume:aws_ebs_utilization:p95_6h", V)), "95 % of six hours", look="forecast"),
        ),
        limit=high(warning=number("AwsEbsVolumeSaturated", "utilization", of="ratio")),
        least=0,
    )
