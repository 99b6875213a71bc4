"""
CSI drivers that are not there: on a node (pods that need a volume hang there), or their controllers (nothing is made,
attached or grown). Only the drivers for EBS and EFS: that of S3 is on purpose not on every node.
"""

from __future__ import annotations

from rules.build import words
from rules.build.claims_minutes import lasting, seen
from rules.build.model import Alert, Record, Threshold

_N = "cluster, node, csi_driver"
_D = "cluster, csi_driver"
_P = "cluster, csi_driver, part"

NOT_READY = 'max by (cluster, node) (kube_node_status_condition{condition="Ready", status="true"}) == 0'
"""Nodes that kube-state-metrics calls not ready; none where it is not scraped."""

_MISSING = "node:kubernetes_csi_driver_missing:timestamp_seconds"
_DOWN = "driver:kubernetes_csi_controller_down:timestamp_seconds"
_UNREADY = "driver:kubernetes_csi_unready_pods:count"
_DEGRADED = "driver:kubernetes_csi_degraded:timestamp_seconds"
_OURS = 'csi_driver=~"e[bf]s[.].*"'


def _kind(expr: str) -> str:
    """With the kind of driver: a node of Auto Mode has another one for EBS, and one is enough."""
    return f'label_replace({expr}, "kind", "$1", "csi_driver", "(e.s).*")'


def _pods(what: str) -> str:
    """Pods of a part of a driver, of all versions; `part` is what the family calls component, which alerts have too."""
    known = f"max by ({_D}, component, version) (kubernetes_csi_driver_{what}{{{_OURS}}})"
    return f'sum by ({_P}) (label_replace({known}, "part", "$1", "component", "(.*)"))'


def drivers() -> list[Record | Alert]:
    """Recordings of what is missing, and the alerts that say so after some minutes."""
    controllers = f'{{{_OURS}, component="controller"}}'
    return [
        Record(
            name=_MISSING,
            expr=seen(
                f"""
                max by ({_N}) (
                  {_kind(f'kubernetes_csinode_driver_registered{{{_OURS}, node!~"fargate-.*"}}')}
                  unless on (cluster, node, kind) {_kind('kubernetes_csinode_driver_info{csi_driver=~"ebs[.].*"}')}
                ) == 0
                unless on (cluster, node) ({NOT_READY})
                """
            ),
        ),
        Record(
            name=_DOWN,
            expr=seen(
                f"""
                max by ({_D}) (kubernetes_csi_driver_ready_pods{controllers}) == 0
                or
                group by ({_D}) (kubernetes_csi_driver_pods{{csi_driver="ebs.csi.aws.com", component="node"}})
                unless on ({_D}) kubernetes_csi_driver_pods{controllers}
                """
            ),
        ),
        Record(name=_UNREADY, expr=f"{_pods('pods')} - {_pods('ready_pods')}"),
        Record(
            name=_DEGRADED,
            expr=seen(f'{_UNREADY} > 0 unless on ({_P}) label_replace({_DOWN}, "part", "controller", "", "")'),
        ),
        Alert(
            name="StorageCsiDriverMissingOnNode",
            severity="critical",
            component="claims",
            expr=f"round({lasting(_MISSING, 15)} >= $seconds, 60)",
            thresholds={
                "seconds": Threshold(300, "seconds", "since when the node has no driver; new nodes take one minute")
            },
            keep="10m",
            summary="Node {{ $labels.node }}: {{ $labels.csi_driver }} is not registered",
            description="For {{ humanizeDuration $value }} the kubelet of {{ $labels.node }} has not known "
            "{{ $labels.csi_driver }}. Pods that get there wait in ContainerCreating; pods that end there keep their "
            "volumes. Keep new ones away: kubectl cordon {{ $labels.node }}. Then look at the driver's pod: "
            "kubectl -n kube-system get pods -o wide --field-selector spec.nodeName={{ $labels.node }}",
            dashboard=words.OVERVIEW_DASHBOARD,
        ),
        Alert(
            name="StorageCsiControllerDown",
            severity="critical",
            component="claims",
            expr=f"round({lasting(_DOWN, 15)} >= $seconds, 60)",
            thresholds={
                "seconds": Threshold(300, "seconds", "since when no controller is ready; a deploy takes one minute")
            },
            keep="10m",
            summary="Driver {{ $labels.csi_driver }}: no controller is ready",
            description="For {{ humanizeDuration $value }} {{ $labels.csi_driver }} has had no ready controller. No volume "
            "is made, attached, detached or grown; a pod that moves to another node stays without its data. Mounted "
            "volumes go on. Look: kubectl -n kube-system get pods -l "
            "'app in (ebs-csi-controller,efs-csi-controller)' -o wide",
            dashboard=words.OVERVIEW_DASHBOARD,
        ),
        Alert(
            name="StorageCsiDriverDegraded",
            severity="warning",
            component="claims",
            expr=f"{_UNREADY}\nand on ({_P}) {lasting(_DEGRADED, 30)} >= $seconds",
            thresholds={"seconds": Threshold(900, "seconds", "since when some of the driver's pods are not ready")},
            summary='Driver {{ $labels.csi_driver }}: {{ printf "%.0f" $value }} {{ $labels.part }} pods not ready',
            description='{{ printf "%.0f" $value }} {{ $labels.part }} pods of {{ $labels.csi_driver }} are not ready, '
            "and some have not been for 15 minutes. A node without a ready driver cannot mount volumes; one controller less "
            "is one failure from none. Look: kubectl -n kube-system get pods -o wide | grep -e ebs-csi -e efs-csi",
            dashboard=words.OVERVIEW_DASHBOARD,
        ),
    ]
