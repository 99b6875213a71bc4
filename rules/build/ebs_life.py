"""Burst credits of volumes, changes that do not end, and volumes that nobody uses."""

from __future__ import annotations

from rules.build import words
from rules.build.ebs_words import AWS_VOLUME, lasted
from rules.build.first import first
from rules.build.identity import VOLUME, listed
from rules.build.model import Alert, Group, Record, Threshold
from rules.build.owners import owned_volume

_V = listed(VOLUME)
_BALANCE, _LEFT = "volume:aws_ebs_burst_balance:ratio", "volume:aws_ebs_burst_balance:eta_seconds"
_START = "aws_ebs_volume_modification_start_timestamp_seconds"
_FREE = "volume:aws_ebs_unattached:bool"
_GP3 = f"Change it to gp3, which has no credits, online: aws ec2 modify-volume {AWS_VOLUME} --volume-type gp3."

_BURST = (
    Record(name=_BALANCE, expr=first("aws_ebs_volume_burst_balance_ratio")),
    Record(name=_LEFT, expr=f"{_BALANCE} / -(deriv({_BALANCE}[30m]) < 0)"),
    Alert(
        name="AwsEbsBurstBalanceExhausting",
        severity="critical",
        component="ebs",
        expr=owned_volume(f"{lasted(_LEFT, '< $eta', 5, nearest='60', over='max_over_time')} and {_BALANCE} < $level"),
        thresholds={
            "eta": Threshold(3600, "seconds", "until the burst balance is empty, as the last 30 minutes go"),
            "level": Threshold(0.5, "ratio", "and so little is left"),
        },
        keep="15m",
        summary=f"{words.VOLUME}: burst credits end within the hour",
        description=f"""
            {words.VOLUME_USER}, has used up its burst credits in about {{{{ humanizeDuration $value }}}}. Then it falls
            to its baseline. {_GP3}
        """,
        dashboard=words.VOLUME_DASHBOARD,
        console=words.VOLUME_CONSOLE,
    ),
    Alert(
        name="AwsEbsBurstBalanceLow",
        severity="warning",
        component="ebs",
        expr=owned_volume(lasted(_BALANCE, "< $level", 30, over="max_over_time")),
        thresholds={"level": Threshold(0.2, "ratio", "what is left in the burst bucket")},
        keep="30m",
        summary=f"{words.VOLUME}: few burst credits are left",
        description=f"""
            {words.VOLUME_USER}, has {{{{ humanizePercentage $value }}}} of its burst credits left, for half an hour at
            least. At 0% it runs at its baseline. {_GP3}
        """,
        dashboard=words.VOLUME_DASHBOARD,
        console=words.VOLUME_CONSOLE,
    ),
)

_LIFE = (
    Alert(
        name="AwsEbsVolumeModificationStuck",
        severity="warning",
        component="ebs",
        # "optimizing" may take a day and does no harm. What failed is told for two days.
        expr=owned_volume(
            f"""
            round(time() - max by ({_V}, state) ({_START}{{state="modifying"}}), 60) >= $modifying
            or
            round(time() - max by ({_V}, state) ({_START}{{state="failed"}}), 60) < $failed
            """
        ),
        thresholds={
            "modifying": Threshold(21600, "seconds", "for which a change may be in state modifying"),
            "failed": Threshold(172800, "seconds", "for which a failed change is told"),
        },
        keep="15m",
        summary=f'{words.VOLUME}: a change of the volume {{{{ if eq $labels.state "failed" }}}}failed{{{{ else }}}}does not end{{{{ end }}}}',
        description=f"""
            {words.VOLUME_USER}, was to be changed {{{{ humanizeDuration $value }}}} ago; the change is
            {{{{ $labels.state }}}}. See why: aws ec2 describe-volumes-modifications --region {{{{ $labels.region }}}}
            --volume-ids {{{{ $labels.volume_id }}}}. AWS allows the next change 6 hours after the last began.
        """,
        dashboard=words.VOLUME_DASHBOARD,
        console=words.VOLUME_CONSOLE,
    ),
    Record(
        name=_FREE,
        expr=f"""
            group by ({_V}) (aws_ebs_volume_info{{state="available"}})
            or on ({_V}) 0 * group by ({_V}) (aws_ebs_volume_info)
        """,
    ),
    Alert(
        name="AwsEbsVolumeUnattached",
        severity="info",
        component="ebs",
        # Hour by hour of what is stored: a `for` of a week does not survive the ruler.
        expr=owned_volume(
            f"min_over_time({_FREE}[7d:1h]) == 1 and {_FREE} offset 7d unless on ({_V}) aws_ebs_volume_orphaned_info"
        ),
        summary=f"{words.VOLUME}: attached to nothing for a week",
        description="""
            {{ $labels.volume_id }} in {{ $labels.availability_zone }} is paid for and unused since 7 days or more.
            If nobody needs it: take a snapshot, then aws ec2 delete-volume --region {{ $labels.region }} --volume-id {{
            $labels.volume_id }}. A claim of a workload scaled to zero is meant to wait; silence it.
        """,
        dashboard=words.VOLUME_DASHBOARD,
        console=words.VOLUME_CONSOLE,
    ),
)

GROUPS = (Group(topic="burst", rules=_BURST), Group(topic="life", rules=_LIFE, interval="5m"))
