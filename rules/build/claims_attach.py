"""
Volumes that are not attached or detached in time. Kubernetes says it in seconds, EC2 within a minute or two; each is
enough, and there is one alert a volume.

A drain or a rotation moves a volume within one to two minutes. The attach-detach controller gives up a node after six,
so what takes ten minutes does not end without help. EC2 does not say when a detaching began: that is counted here.
"""

from __future__ import annotations

from rules.build import words
from rules.build.claims_minutes import lasting, seen
from rules.build.identity import VOLUME, listed
from rules.build.model import Alert, Record, Severity, Threshold
from rules.build.owners import VOLUME_OWNER

_V = listed(VOLUME)
_K = "cluster, volume_id"

DETACHING = "volume:aws_ebs_detaching:timestamp_seconds"
"""By VOLUME and instance_id: detaching, or busy, from that instance; for `lasting`."""

UNFINISHED = "volume:storage_attachment_unfinished:seconds"
_KUBERNETES = "volume:kubernetes_attachment_unfinished:seconds"
_OWNER = "volume:storage_attachment_owner:info"


def attachments() -> list[Record | Alert]:
    """Recordings of how long it has taken by now, and the alerts that read them."""
    return [
        Record(
            name=DETACHING,
            expr=seen(f'group by ({_V}, instance_id) (aws_ebs_volume_attachment_info{{state=~"detaching|busy"}})'),
        ),
        Record(
            name=_KUBERNETES,
            expr=f"""
                max by ({_K}) (
                  time() - kubernetes_volumeattachment_unfinished_timestamp_seconds{{volume_id!=""}}
                )
            """,
        ),
        Record(
            name=UNFINISHED,
            expr=f"""
                max by ({_V}) (
                  label_replace(
                    time() - aws_ebs_volume_attachment_start_timestamp_seconds{{state="attaching"}},
                    "seen", "attaching", "", ""
                  )
                  or
                  label_replace({lasting(DETACHING, 20)}, "seen", "detaching", "", "")
                  or
                  label_replace(
                    group by ({_V}) (aws_ebs_volume_info) * on ({_K}) group_left () {_KUBERNETES},
                    "seen", "kubernetes", "", ""
                  )
                  or
                  label_replace(
                    {_KUBERNETES} unless on ({_K}) aws_ebs_volume_info,
                    "seen", "kubernetes", "", ""
                  )
                )
            """,
        ),
        Record(
            name=_OWNER,
            expr=f"""
                {VOLUME_OWNER}
                or on ({_V})
                ({UNFINISHED} ^ 0)
            """,
        ),
        _late(
            "StorageAttachmentStuck",
            "critical",
            Threshold(
                600, "seconds", "since when attaching or detaching is not done; Kubernetes gives up after 6 minutes"
            ),
            "It will not end by itself.",
        ),
        _late(
            "StorageAttachmentSlow",
            "warning",
            Threshold(180, "seconds", "since when attaching or detaching is not done; usual are 10 to 60 seconds"),
            "Usual is less than one minute.",
        ),
    ]


_STATE = (
    "{{ with printf \"group by (state, instance_id) (aws_ebs_volume_attachment_info{cluster='%s',volume_id='%s'})\" "
    '$labels.cluster $labels.volume_id | query }} EC2 says:{{ range . | sortByLabel "instance_id" }} '
    "{{ .Labels.state }} {{ .Labels.instance_id }}{{ end }}.{{ end }}"
    '{{ with printf "group by (operation, node) '
    "(kubernetes_volumeattachment_unfinished_timestamp_seconds{cluster='%s',volume_id='%s'})\" "
    '$labels.cluster $labels.volume_id | query }} Kubernetes waits for:{{ range . | sortByLabel "node" }} '
    "{{ .Labels.operation }} {{ .Labels.node }}{{ end }}.{{ end }}"
    '{{ with printf "group by (reason) '
    "(kubernetes_volumeattachment_error_timestamp_seconds{cluster='%s',volume_id='%s'})\" "
    '$labels.cluster $labels.volume_id | query }} Reason:{{ range . | sortByLabel "reason" }} '
    "{{ .Labels.reason }}{{ end }}.{{ end }}"
)


def _late(name: str, severity: Severity, limit: Threshold, outlook: str) -> Alert:
    extra = "availability_zone, namespace, persistentvolumeclaim, storageclass, workload, node"
    user = "{{ if $labels.workload }}{{ $labels.workload }} waits for it. {{ end }}"
    asked = (
        "{{ with printf \"group by (persistentvolume) (kubernetes_persistentvolume_info{cluster='%s',volume_id='%s'})\" "
        "$labels.cluster $labels.volume_id | query }}"
    )
    first = (
        f"Which node holds it: kubectl get volumeattachments | grep {asked}"
        '{{ . | first | label "persistentvolume" }}{{ else }}NAME{{ end }}. '
        "If that node is dead: kubectl taint nodes NODE "
        "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute, and end its instance."
    )
    return Alert(
        name=name,
        severity=severity,
        component="claims",
        expr=f"round({UNFINISHED} >= $seconds, 60)\n* on ({_V}) group_left ({extra}) {_OWNER}",
        thresholds={"seconds": limit},
        keep="10m",
        summary=f"{words.VOLUME}: not attached or detached for {{{{ humanizeDuration $value }}}}",
        description=f"{words.VOLUME_USER}: on its way for {{{{ humanizeDuration $value }}}}. {outlook}"
        f"{_STATE} {user}{first}",
        dashboard=words.VOLUME_DASHBOARD,
        console=words.VOLUME_CONSOLE,
    )
