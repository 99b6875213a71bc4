"""
Zones: lost (one page in the place of a hundred), without nodes, and pods that wait for a volume in such a zone.

A node that fails takes all of its volumes with it and is no zone: volumes count as a zone's trouble only from several
instances, else another service must be in trouble there too. What is planned (a node that is drained, a cache node that
is changed, a mount target that is made) is no trouble.
"""

from __future__ import annotations

from rules.build import words
from rules.build.claims_attach import DETACHING
from rules.build.claims_drivers import NOT_READY
from rules.build.claims_minutes import lasting, seen
from rules.build.claims_owners import OWNED, C, owned_claim
from rules.build.first import counted
from rules.build.identity import INSTANCE, NODE, VOLUME, listed
from rules.build.model import Alert, Record, Threshold
from rules.build.owners import VOLUME_OWNER

ZONE = ("cluster", "account_id", "region", "availability_zone")
_Z, _V, _I, _N = listed(ZONE), listed(VOLUME), listed(INSTANCE), listed(NODE)
_ACCOUNT = "cluster, account_id, region"

_SILENT_NODES = "instance:kubernetes_not_ready:timestamp_seconds"
_TROUBLE = "volume:storage_trouble:info"
_VOLUMES = "zone:storage_trouble_volumes:count"
_INSTANCES = "zone:storage_trouble_instances:count"
_TARGETS = "zone:aws_efs_mount_targets_down:count"
_CACHES = "zone:aws_elasticache_nodes_down:count"
_KINDS = "zone:storage_trouble_kinds:count"

_NODES = "zone:kubernetes_csi_nodes:count"
_EMPTY = "zone:storage_without_nodes:timestamp_seconds"
_MISMATCH = "claim:kubernetes_pod_zone_mismatch:timestamp_seconds"

_BAD_MINUTES = 0.14
"""Three of twenty: as AwsEbsVolumeStalledIO counts."""

_PLANNED = "creating|deleting|deleted|updating"
_PLANNED_NODE = "creating|deleting|modifying|rebooting.*|snapshotting|restore-failed|create-failed"


def zones() -> list[Record | Alert]:
    """What is in trouble, by zone, and the one page."""
    attached = f"group by ({_V}, instance_id) (aws_ebs_volume_attachment_info)"
    claimed = f'{VOLUME_OWNER}{{persistentvolumeclaim!=""}}'
    nodes = f"max by ({_N}) (aws_elasticache_node_available) == 0"
    newest = "aws_elasticache_node_newest_datapoint_timestamp_seconds"
    return [
        Record(
            name=_SILENT_NODES,
            expr=seen(
                f"""
                group by ({_I}) (aws_ebs_instance_info)
                and on (cluster, instance_id) (
                  group by (cluster, node, instance_id) (kubernetes_csinode_driver_info{{instance_id!=""}})
                  and on (cluster, node) ({NOT_READY})
                )
                """
            ),
        ),
        Record(
            name=_TROUBLE,
            expr=f"""
                (
                  {attached} and on ({_V}) (aws_ebs_volume_status{{status="impaired"}} == 1)
                  or
                  {attached} and on ({_V}) (({counted("aws_ebs_volume_stalled_io")}) >= {_BAD_MINUTES})
                  or
                  {attached} and on ({_I}) (({counted("aws_ebs_instance_attached_ebs_check_failed")}) >= {_BAD_MINUTES})
                  or
                  {attached} and on ({_I}) ({lasting(_SILENT_NODES, 10)} >= 180) and on ({_V}) {claimed}
                  or
                  group by ({_V}, instance_id) ({lasting(DETACHING, 20)} >= 300) and on ({_V}) {claimed}
                )
                * on ({_V}) group_left (availability_zone) group by ({_V}, availability_zone) (aws_ebs_volume_info)
            """,
        ),
        Record(name=_VOLUMES, expr=f"count by ({_Z}) (group by ({_Z}, volume_id) ({_TROUBLE}))"),
        Record(name=_INSTANCES, expr=f"count by ({_Z}) (group by ({_Z}, instance_id) ({_TROUBLE}))"),
        Record(
            name=_TARGETS,
            expr=f"""
                count by ({_Z}) (
                  max by ({_Z}, file_system_id) (aws_efs_mount_target_available) == 0
                  unless on ({_Z}, file_system_id) aws_efs_mount_target_info{{state=~"{_PLANNED}"}}
                )
            """,
        ),
        Record(
            name=_CACHES,
            expr=f"""
                count by ({_Z}) (
                  group by ({_N}, availability_zone) (aws_elasticache_node_info{{node_status!~"{_PLANNED_NODE}"}})
                  and on ({_N}) (
                    {nodes}
                    or
                    max by ({_ACCOUNT}) ({newest}) - on ({_ACCOUNT}) group_right () max by ({_N}) ({newest}) > 300
                  )
                )
            """,
        ),
        Record(
            name=_KINDS,
            expr=f"""
                count by ({_Z}) (
                  label_replace({_VOLUMES}, "kind", "ebs", "", "")
                  or label_replace({_TARGETS}, "kind", "efs", "", "")
                  or label_replace({_CACHES}, "kind", "elasticache", "", "")
                )
            """,
        ),
        Alert(
            name="StorageZoneLost",
            severity="critical",
            component="claims",
            expr=f"{_KINDS} >= $kinds or ({_VOLUMES} >= $volumes and {_INSTANCES} >= $instances)",
            thresholds={
                "kinds": Threshold(
                    2, "count", "kinds of storage (EBS, EFS, ElastiCache) in trouble in one zone at once"
                ),
                "volumes": Threshold(3, "count", "EBS volumes in trouble in one zone, where it is only EBS"),
                "instances": Threshold(2, "count", "instances that these volumes are on: one is a node, not a zone"),
            },
            wait="1m",
            keep="15m",
            summary="Zone {{ $labels.availability_zone }}: its storage is failing",
            description="In trouble there:"
            f"{_counts(_VOLUMES, 'EBS volumes')}{_counts(_TARGETS, 'EFS mount targets')}{_counts(_CACHES, 'cache nodes')}. "
            "This page stands for all others of the zone. Look at https://health.aws.amazon.com and keep pods away: "
            "kubectl cordon -l topology.kubernetes.io/zone={{ $labels.availability_zone }}. Then see that every database "
            "has a primary in another zone; its volumes cannot leave this one.",
            dashboard=words.dashboard("overview", "cluster", "region"),
        ),
    ]


def _counts(record: str, what: str) -> str:
    selector = "{cluster='%s',account_id='%s',region='%s',availability_zone='%s'}"
    arguments = "$labels.cluster $labels.account_id $labels.region $labels.availability_zone"
    return (
        f'{{{{ with printf "{record}{selector}" {arguments} | query }}}} '
        f'{{{{ . | first | value | printf "%.0f" }}}} {what}{{{{ end }}}}'
    )


def nodes_of_zones() -> list[Record | Alert]:
    """Zones that have volumes and no node, and the pods that wait for one."""
    registered = f"""(
        group by (cluster, node, instance_id) (kubernetes_csinode_driver_info{{csi_driver=~"ebs[.].*"}})
        unless on (cluster, node) ({NOT_READY})
    )"""
    pods = "kubernetes_pod_persistentvolumeclaim_info"
    return [
        Record(
            name=_NODES,
            expr=f"""
                count by ({_Z}) (
                  group by ({_Z}, instance_id) (aws_ebs_instance_info{{state="running"}})
                  and on (cluster, instance_id) {registered}
                )
            """,
        ),
        Record(
            name="zone:storage_claims:count",
            expr=f"""
                count by ({_Z}) (
                  {OWNED} and on ({C}) {pods}
                  or
                  {OWNED} unless on (cluster) {pods}
                )
            """,
        ),
        Record(
            name=_EMPTY,
            expr=seen(
                f"""
                zone:storage_claims:count
                unless on ({_Z}) {_NODES}
                and on (cluster) {_NODES}
                unless on (cluster) ({registered} unless on (cluster, instance_id) aws_ebs_instance_info)
                """
            ),
        ),
        Record(
            name=_MISMATCH,
            expr=seen(
                f"""
                group by ({C}) ({pods}{{phase="Pending", node=""}})
                and on ({C}) ({OWNED} and on ({_Z}) {_EMPTY})
                """
            ),
        ),
        Alert(
            name="StoragePodZoneMismatch",
            severity="critical",
            component="claims",
            expr=owned_claim(f"round({lasting(_MISMATCH, 15)} >= $seconds, 60)"),
            thresholds={
                "seconds": Threshold(300, "seconds", "since when a pod waits; a new node takes two to three minutes")
            },
            keep="10m",
            summary=f"{words.CLAIM}: no node in {{{{ $labels.availability_zone }}}}, its pod cannot start",
            description="{{ if $labels.workload }}{{ $labels.workload }}{{ else }}A pod{{ end }} has waited for "
            "{{ humanizeDuration $value }}: volume {{ $labels.volume_id }} is in {{ $labels.availability_zone }}, and there is no "
            "ready node with the EBS driver. The volume cannot leave its zone: bring a node there (node group, NodePool: "
            "requirement topology.kubernetes.io/zone). See what the scheduler says: "
            "kubectl -n {{ $labels.namespace }} get events --field-selector reason=FailedScheduling",
            dashboard=words.CLAIM_DASHBOARD,
        ),
        Alert(
            name="StorageZoneWithoutNodes",
            severity="warning",
            component="claims",
            expr=f"zone:storage_claims:count and on ({_Z}) {lasting(_EMPTY, 30)} >= $seconds",
            thresholds={
                "seconds": Threshold(900, "seconds", "since when the zone has had volumes and no node for them")
            },
            keep="15m",
            summary='Zone {{ $labels.availability_zone }}: {{ printf "%.0f" $value }} claims and no node',
            description='{{ printf "%.0f" $value }} claims have their EBS volume in {{ $labels.availability_zone }}, where no ready '
            "node has the EBS driver. When their pods start again they stay Pending. Bring a node there, or look why it "
            "went: kubectl get nodes -L topology.kubernetes.io/zone",
            dashboard=words.dashboard("overview", "cluster", "region"),
        ),
    ]
