"""I/O that does not complete: the volume, its status, the node that lost its volumes. One fault is one page."""

from __future__ import annotations

from rules.build import nvme, words
from rules.build.ebs_words import (
    AWS_VOLUME,
    BAD_MINUTES,
    CLAIMS_OF_INSTANCE,
    NODE,
    NODE_DASHBOARD,
    STATUS_CHECKS,
    Rules,
    instance_owners,
    lasted,
    owned_instance,
)
from rules.build.first import counted
from rules.build.identity import INSTANCE, VOLUME, listed
from rules.build.model import Alert, Group, Record
from rules.build.owners import owned_volume

_V, _I = listed(VOLUME), listed(INSTANCE)
_PAIR = "volume_id, instance_id"
_COMPLETED = " + ".join(f"max by ({_PAIR}) (increase(aws_ebs_csi_{way}_ops_total[3m]))" for way in ("read", "write"))
_WAITED = f"min by ({_PAIR}) (min_over_time(aws_ebs_csi_volume_queue_length[3m]))"
_STALLED = "volume:aws_ebs_stalled_io:ratio20m"
_WARNING = "volume:aws_ebs_status_warning:bool"
_CHECK = "instance:aws_ebs_attached_check_failed:ratio20m"
_IMPAIRED = f'max by ({_V}) (aws_ebs_volume_status{{status="impaired"}}) == 1'

_VOLUMES: Rules = (
    Record(
        name="volume:aws_ebs_status_stalled:info",
        expr=f'group by ({_V}) (aws_ebs_volume_status_check_info{{check="io-performance",status="stalled"}})',
    ),
    # The driver has no check of its own. Operations that wait while for three minutes none completes say the same.
    Record(
        name="volume:aws_ebs_nvme_stalled:bool",
        expr=nvme.of_volume(f"max by (volume_id) (({_WAITED} > bool 0) * ({_COMPLETED} == bool 0))"),
    ),
    # Any of the three is enough. One minute of the driver's stands for three, and AWS renews a status every five
    # minutes: its minutes count half, so that a short blip that it caught does not page.
    Record(
        name=_STALLED,
        expr=f"""
            max by ({_V}) (
              label_replace({counted("aws_ebs_volume_stalled_io")}, "source", "check", "", "")
              or label_replace((
                sum_over_time(volume:aws_ebs_nvme_stalled:bool[20m])
                + 2 * max_over_time(volume:aws_ebs_nvme_stalled:bool[20m])
              ) / 20, "source", "nvme", "", "")
              or label_replace(count_over_time(volume:aws_ebs_status_stalled:info[20m]) / 40, "source", "status", "", "")
            )
            and on ({_V}) aws_ebs_volume_info
        """,
    ),
    Alert(
        name="AwsEbsVolumeStalledIO",
        severity="critical",
        component="ebs",
        expr=owned_volume(f"round(20 * {_STALLED}) and {_STALLED} >= $bad_minutes"),
        thresholds={"bad_minutes": BAD_MINUTES},
        keep="10m",
        summary=f"{words.VOLUME}: I/O has stalled",
        description=f"""
            {words.VOLUME_USER}, could not complete I/O in {{{{ printf "%.0f" $value }}}} of the last 20 minutes.
            Processes that use it hang until it answers. If there is a replica, fail over to it now. See what AWS says:
            aws ec2 describe-volume-status --region {{{{ $labels.region }}}} --volume-ids {{{{ $labels.volume_id }}}}.
            If it does not come back within 10 minutes, delete the pod so that the volume is attached to another node.
        """,
        dashboard=words.VOLUME_DASHBOARD,
        console=words.VOLUME_CONSOLE,
    ),
    Alert(
        name="AwsEbsVolumeImpaired",
        severity="critical",
        component="ebs",
        expr=owned_volume(f"{_IMPAIRED} unless volume:aws_ebs_status_stalled:info"),
        wait="2m",
        keep="10m",
        summary=f"{words.VOLUME}: AWS reports the volume impaired",
        description=f"""
            {words.VOLUME_USER}, is impaired: its data may be inconsistent and AWS may have switched off its I/O.{STATUS_CHECKS}
            Stop what writes to it, take a snapshot, check the file system. Switch I/O on again with
            aws ec2 enable-volume-io {AWS_VOLUME}.
        """,
        dashboard=words.VOLUME_DASHBOARD,
        console=words.VOLUME_CONSOLE,
    ),
    Record(name=_WARNING, expr=f'max by ({_V}) (aws_ebs_volume_status{{status="warning"}})'),
    Alert(
        name="AwsEbsVolumeDegraded",
        severity="warning",
        component="ebs",
        expr=owned_volume(lasted(_WARNING, "== 1", 15)),
        keep="15m",
        summary=f"{words.VOLUME}: AWS reports the volume slower than it should be",
        description=f"""
            {words.VOLUME_USER}, has been below its provisioned performance for 15 minutes, by AWS's own word.{STATUS_CHECKS}
            A volume just made from a snapshot is slow until it is read once; else watch it, and move
            to a replica or a new volume if it lasts.
        """,
        dashboard=words.VOLUME_DASHBOARD,
        console=words.VOLUME_CONSOLE,
    ),
)

_NODES: Rules = (
    *instance_owners(),
    # A node whose check fails because of a volume that has its own page needs none.
    Record(
        name="instance:aws_ebs_troubled_volumes:count",
        expr=f"""
            count by ({_I}) (
              group by ({_I}, volume_id) (aws_ebs_volume_attachment_info)
              and on ({_V}) ({_STALLED} > 0 or {_IMPAIRED})
            )
        """,
    ),
    Record(name=_CHECK, expr=counted("aws_ebs_instance_attached_ebs_check_failed")),
    Alert(
        name="AwsEbsNodeVolumesUnreachable",
        severity="critical",
        component="ebs",
        expr=owned_instance(
            f"round(20 * {_CHECK}) and {_CHECK} >= $bad_minutes unless instance:aws_ebs_troubled_volumes:count"
        ),
        thresholds={"bad_minutes": BAD_MINUTES},
        keep="10m",
        summary=f"{NODE}: volumes cannot be reached",
        description=f"""
            {{{{ $labels.instance_id }}}}{{{{ if $labels.availability_zone }}}} in {{{{ $labels.availability_zone
            }}}}{{{{ end }}}} could not reach its volumes in {{{{ printf "%.0f" $value }}}} of the last 20 minutes.{CLAIMS_OF_INSTANCE}
            Move the pods away{{{{ if $labels.node }}}}: kubectl drain {{{{ $labels.node }}}}
            --ignore-daemonsets --delete-emptydir-data{{{{ end }}}}. If that hangs, stop the instance: aws ec2
            stop-instances --force --region {{{{ $labels.region }}}} --instance-ids {{{{ $labels.instance_id }}}}.
        """,
        dashboard=NODE_DASHBOARD,
        console=words.INSTANCE_CONSOLE,
    ),
)

GROUP = Group(topic="stalled", rules=[*_VOLUMES, *_NODES])
