"""
The life of a claim: it waits for its volume, grows, goes; its volume is gone, or left over.

Kubernetes' facts are read bare and aggregated by claim, for a scrape may show them of two pods at once.
"""

from __future__ import annotations

from rules.build import words
from rules.build.claims_minutes import lasting, seen
from rules.build.claims_owners import CLAIM_OWNER, C, owned_claim
from rules.build.identity import VOLUME, listed
from rules.build.model import Alert, Record, Threshold

_V = listed(VOLUME)
_CAPACITY = "claim:kubelet_capacity:bytes"
_GROWING = "claim:kubernetes_grow_missing:timestamp_seconds"
_FAILED = "claim:kubernetes_resize_failed:timestamp_seconds"
_PENDING = "claim:kubernetes_pending:timestamp_seconds"
_TERMINATING = "claim:kubernetes_terminating_under_delete:seconds"
_GONE = "claim:aws_storage_gone:timestamp_seconds"
_ORPHANED = "volume:aws_ebs_orphaned:timestamp_seconds"

_RESIZE_ERRORS = "(Controller|Node)Resize(Error|Failed|Infeasible)"
_ARGUMENTS = "$labels.cluster $labels.namespace $labels.persistentvolumeclaim"
_SELECTOR = "cluster='%s',namespace='%s',persistentvolumeclaim='%s'"
_DESCRIBE = "kubectl -n {{ $labels.namespace }} describe pvc {{ $labels.persistentvolumeclaim }}"
_STATUS = (
    f'{{{{ with printf "group by (status) (kubernetes_persistentvolumeclaim_resize_status{{{_SELECTOR}}})" {_ARGUMENTS} '
    '| query }}Kubernetes says {{ . | first | label "status" }}. {{ end }}'
)


def _asked(what: str, then: str) -> str:
    family = f"kubernetes_persistentvolumeclaim_{what}"
    return f'{{{{ with printf "max({family}{{{_SELECTOR}}})" {_ARGUMENTS} | query }}}}{then}{{{{ end }}}}'


def sizes() -> list[Record | Alert]:
    """Claims that wait for their volume, for its growth, or whose growth has failed: tickets."""
    requested = f"max by ({C}) (kubernetes_persistentvolumeclaim_requested_bytes)"
    return [
        Record(
            name=_GROWING,
            expr=seen(
                f"""
                (
                  {requested} > on ({C}) max by ({C}) (kubernetes_persistentvolumeclaim_capacity_bytes)
                  and on ({C}) (
                    {_CAPACITY} or on ({C}) group by ({C}) (kubernetes_pod_persistentvolumeclaim_info{{phase="Running"}})
                  )
                )
                or on ({C})
                (
                  max by ({C}) (
                    max by ({_V}) (aws_ebs_volume_size_bytes) * on ({_V}) group_right () claim:aws_ebs_volume:info
                  ) > on ({C}) 1.1 * {_CAPACITY}
                )
                """
            ),
        ),
        Record(
            name=_FAILED,
            expr=seen(
                f"""
                group by ({C}) (kubernetes_persistentvolumeclaim_resize_status{{status=~"{_RESIZE_ERRORS}"}} == 1)
                or
                group by ({C}) (kubernetes_persistentvolumeclaim_status_condition{{condition=~"{_RESIZE_ERRORS}"}} == 1)
                """
            ),
        ),
        Record(
            name=_PENDING,
            expr=seen(
                f"""
                group by ({C}) (kubernetes_persistentvolumeclaim_status_phase{{phase="Pending"}} == 1)
                and on ({C}) (
                  group by ({C}) (kubernetes_pod_persistentvolumeclaim_info{{phase="Pending"}})
                  or
                  group by ({C}) (
                    kubernetes_persistentvolumeclaim_info
                    and on (cluster, storageclass) kubernetes_storageclass_info{{volume_binding_mode="Immediate"}}
                  )
                )
                """
            ),
        ),
        Alert(
            name="StorageClaimGrowNotApplied",
            severity="warning",
            component="claims",
            expr=owned_claim(f"round({lasting(_GROWING, 60)} >= $seconds, 60)"),
            thresholds={
                "seconds": Threshold(1800, "seconds", "since when the file system is smaller than what was asked for")
            },
            keep="15m",
            summary=f"{words.CLAIM}: grown, but its file system is not",
            description="For {{ humanizeDuration $value }} the claim has had less room than it asks for"
            f"{_asked('requested_bytes', ' ({{ . | first | value | humanize1024 }}B asked for')}"
            f"{_asked('capacity_bytes', ', {{ . | first | value | humanize1024 }}B there)')}. "
            f"It will not get it before this is mended. See why: {_DESCRIBE}",
            dashboard=words.CLAIM_DASHBOARD,
        ),
        Alert(
            name="StorageClaimResizeFailed",
            severity="warning",
            component="claims",
            expr=owned_claim(f"round({lasting(_FAILED, 30)} >= $seconds, 60)"),
            thresholds={"seconds": Threshold(600, "seconds", "since when Kubernetes calls the resize failed")},
            keep="15m",
            summary=f"{words.CLAIM}: resize failed",
            description=f"{_STATUS}The claim has the size it had, and has waited for {{{{ humanizeDuration $value }}}}. Often AWS "
            f"refuses: a volume may be changed again only after 6 hours. See the reason: {_DESCRIBE}",
            dashboard=words.CLAIM_DASHBOARD,
        ),
        Alert(
            name="StorageClaimPending",
            severity="warning",
            component="claims",
            expr=owned_claim(f"round({lasting(_PENDING, 30)} >= $seconds, 60)"),
            thresholds={"seconds": Threshold(900, "seconds", "since when the claim waits though it is wanted")},
            keep="10m",
            summary=f"{words.CLAIM}: pending, it gets no volume",
            description="For {{ humanizeDuration $value }} the claim has waited for a volume"
            "{{ if $labels.storageclass }} of class {{ $labels.storageclass }}{{ end }}. Its pods do not start. "
            f"See why: {_DESCRIBE}",
            dashboard=words.CLAIM_DASHBOARD,
        ),
    ]


_BACKUP = (
    '{{ with printf "round(time() - max('
    "aws_ebs_volume_last_snapshot_timestamp_seconds{cluster='%s',volume_id='%s'} or "
    "aws_ebs_volume_last_backup_timestamp_seconds{cluster='%s',volume_id='%s'}), 60)\" "
    "$labels.cluster $labels.volume_id $labels.cluster $labels.volume_id | query }}"
    "The newest backup is {{ . | first | value | humanizeDuration }} old."
    "{{ else }}No backup of it is known.{{ end }}"
)
_RESOURCE = (
    "{{ if $labels.volume_id }}EBS volume {{ $labels.volume_id }} will be deleted with all its data"
    "{{ else }}the storage behind it will be deleted{{ end }}"
)


def ends() -> list[Record | Alert]:
    """Claims that go and take their data along, volumes that are gone, and volumes that nobody has any more."""
    return [
        Record(
            name=_TERMINATING,
            expr=f"""
                max by ({C}) (time() - kubernetes_persistentvolumeclaim_deletion_timestamp_seconds)
                and on ({C}) kubernetes_persistentvolumeclaim_info{{reclaim_policy="Delete"}}
            """,
        ),
        Record(
            name=_GONE,
            expr=seen(
                f"""
                group by ({C}, account_id, region, volume_id) (aws_ebs_volume_missing_info{{persistentvolumeclaim!=""}})
                or
                group by ({C}, account_id, region, file_system_id, access_point_id) (
                  aws_efs_access_point_missing_info{{persistentvolumeclaim!=""}}
                )
                """
            ),
        ),
        Record(
            name=_ORPHANED,
            expr=seen(f"group by ({_V}) (aws_ebs_volume_orphaned_info) and on ({_V}) aws_ebs_volume_info"),
        ),
        _terminating(),
        _gone(),
        _orphaned(),
    ]


def _terminating() -> Alert:
    return Alert(
        name="StorageClaimTerminatingUnderDelete",
        severity="critical",
        component="claims",
        expr=owned_claim(f"round({_TERMINATING} >= $seconds, 60)", also=("persistentvolume",)),
        thresholds={
            "seconds": Threshold(60, "seconds", "since when the claim is terminating: then a pod still holds it")
        },
        keep="10m",
        summary=f"{words.CLAIM}: being deleted, its data goes with it",
        description=f"""
            Somebody deleted the claim {{{{ humanizeDuration $value }}}} ago; only the pod that uses it holds it. As soon as that
            pod ends, {_RESOURCE}. {_BACKUP} To keep the data, now:
            kubectl patch pv {{{{ if $labels.persistentvolume }}}}{{{{ $labels.persistentvolume }}}}{{{{ else }}}}PV{{{{ end }}}}
            -p '{{"spec":{{"persistentVolumeReclaimPolicy":"Retain"}}}}'
            - and do not restart{{{{ if $labels.workload }}}} {{{{ $labels.workload }}}}{{{{ else }}}} its pod{{{{ end }}}} before.
        """,
        dashboard=words.CLAIM_DASHBOARD,
    )


def _gone() -> Alert:
    return Alert(
        name="StorageClaimVolumeGone",
        severity="critical",
        component="claims",
        expr=f"""
            round({lasting(_GONE, 10)} >= $seconds, 60)
            * on ({C}) group_left (storageclass, workload) ({CLAIM_OWNER} or on ({C}) group by ({C}) ({_GONE}))
        """,
        thresholds={"seconds": Threshold(120, "seconds", "since when AWS has not had what the claim's volume names")},
        keep="10m",
        summary=f"{words.CLAIM}: its storage is gone in AWS",
        description="""
            {{ if $labels.volume_id }}EBS volume {{ $labels.volume_id }} does{{ else }}EFS access point
            {{ $labels.access_point_id }} on {{ $labels.file_system_id }} does{{ end }} not exist any more; the claim still names it.
            {{ if $labels.workload }}{{ $labels.workload }} fails or cannot start again. {{ end }}Who deleted it and when:
            aws cloudtrail lookup-events --region {{ $labels.region }} --lookup-attributes
            AttributeKey=ResourceName,AttributeValue={{ if $labels.volume_id }}{{ $labels.volume_id }}{{ else }}{{ $labels.access_point_id }}{{ end }}. Then bring it back from the newest backup{{ if $labels.volume_id }} (look in the Recycle Bin first){{ end }}.
        """,
        dashboard=words.CLAIM_DASHBOARD,
    )


def _orphaned() -> Alert:
    said = "{{ with printf \"aws_ebs_volume_orphaned_info{cluster='%s',volume_id='%s'}\" $labels.cluster $labels.volume_id | query }}"
    return Alert(
        name="StorageVolumeOrphaned",
        severity="info",
        component="claims",
        expr=f"max by ({_V}) (aws_ebs_volume_size_bytes)\nand on ({_V}) {lasting(_ORPHANED, 120)} >= $seconds",
        thresholds={"seconds": Threshold(3600, "seconds", "since when no persistent volume has named the volume")},
        summary="Volume {{ $labels.volume_id }}: nobody has it any more ({{ humanize1024 $value }}B)",
        description=f"""
            A CSI driver made it for this cluster, no persistent volume names it and nothing uses it. It is still paid for.
            {said}{{{{ if . | first | label "persistentvolumeclaim" }}}}Its tags say that it was
            {{{{ . | first | label "namespace" }}}}/{{{{ . | first | label "persistentvolumeclaim" }}}}. {{{{ end }}}}{{{{ end }}}}Where
            clusters share the account without a cluster tag it may be another one's: look, take a snapshot, delete it.
        """,
        dashboard=words.VOLUME_DASHBOARD,
        console=words.VOLUME_CONSOLE,
    )
