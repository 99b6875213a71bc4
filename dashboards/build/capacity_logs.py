"""Capacity: what Kubernetes, the EBS driver and workloads say of volumes. Alerts on logs of a namespace lead here."""

from __future__ import annotations

from dashboards.build.links import runbook
from dashboards.build.panels import Logs, Row

_EVENTS = (
    '{job=~"loki.source.kubernetes_events|integrations/kubernetes/eventhandler",namespace=~"$namespace",'
    'cluster=~"$cluster"}'
)
_WORKLOADS = '{namespace=~".+",namespace=~"$namespace",container!="storage-exporter",cluster=~"$cluster"}'
_DRIVER = '{namespace="kube-system",container="ebs-plugin",cluster=~"$cluster"}'
_SPAN = "6h"


def row() -> Row:
    """The row."""
    return Row(
        title="What Kubernetes and workloads say of volumes (6 hours)",
        panels=[
            Logs(
                title="Events about volumes",
                says="Volumes that are not attached, mounted, made or grown, and pods that no node takes. Good: nothing.",
                expr=(
                    f"{_EVENTS} |~ `FailedAttachVolume|FailedMount|FailedMapVolume|ProvisioningFailed|VolumeResizeFailed|"
                    "FileSystemResizeFailed|VolumeFailedDelete|volume node affinity conflict|exceed max volume count|"
                    "no available volume zone|bound to non-existent pv`"
                ),
                span=_SPAN,
                links=[runbook("KubeVolumeEventsFailing")],
                width=12,
            ),
            Logs(
                title="No space left, in the words of workloads",
                says="A claim, an emptyDir or the node's own disk is full: writes fail. Good: nothing.",
                expr=(
                    f"{_WORKLOADS} |~ `(?i)no space left on device|ENOSPC|disk quota exceeded` "
                    '!~ `count_over_time|query"?[=:]|storage-exporter/blob`'
                ),
                span=_SPAN,
                links=[runbook("WorkloadNoSpaceLeft")],
                width=12,
            ),
            Logs(
                title="Volumes that the EBS driver cannot make or change",
                says="The claim stays Pending, or keeps its size, and AWS's error says why. Good: nothing.",
                expr=(
                    f"{_DRIVER} |~ `Could not create volume|Invalid parameter key|Could not resize volume|"
                    "Could not modify volume`"
                ),
                span=_SPAN,
                links=[runbook("EbsCsiProvisioningFailing")],
            ),
        ],
        folded=True,
    )
