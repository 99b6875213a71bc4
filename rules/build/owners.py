"""
Whose a resource is, said once: recordings with exactly one series a resource, which alerts join for the claim's name.

They cannot fail: where two claims, workloads or nodes are found for one resource, none is taken, or the word "several".
A resource without a claim has a series all the same. Infos are aggregated by their exact identity first, for a scrape
puts the exporter's own namespace on series that have none; so a volume whose PersistentVolume nobody claims has none.
"""

from __future__ import annotations

from rules.build.identity import CLAIM, CLUSTER, FILE_SYSTEM, VOLUME, listed
from rules.build.model import Record

VOLUME_OWNER = "volume:aws_ebs_owner:info"
FILE_SYSTEM_OWNER = "filesystem:aws_efs_owner:info"
FILE_SYSTEM_CLAIM = "filesystem:aws_efs_claim:info"
WORKLOAD = "claim:kubernetes_workload:info"

_V, _C, _F = listed(VOLUME), listed(CLAIM), listed(FILE_SYSTEM)
_CLAIMED = 'aws_ebs_volume_persistentvolumeclaim_info{persistentvolumeclaim!=""}'
_VOLUME_CLAIMS = f"group by ({_V}, namespace, persistentvolumeclaim, storageclass) ({_CLAIMED})"
_WORKLOADS = f'group by ({_C}, workload) (label_join(kubernetes_pod_persistentvolumeclaim_info, "workload", "/", "owner_kind", "owner_name"))'
_NODES = 'group by (cluster, volume_id, node) (kubernetes_volumeattachment_info{attached="true", volume_id!=""})'


def volume_owners() -> list[Record]:
    """Recordings up to `VOLUME_OWNER`: labels of VOLUME, availability_zone, volume_type, the claim's, workload, node."""
    return [
        Record(
            name="volume:aws_ebs_claim:info",
            expr=f"""
                ({_VOLUME_CLAIMS} unless on ({_V}) (count by ({_V}) ({_VOLUME_CLAIMS}) > 1))
                or on ({_V})
                label_replace(label_replace(
                  group by ({_V}) ({_CLAIMED}),
                  "namespace", "several", "", ""), "persistentvolumeclaim", "several", "", "")
                or on ({_V})
                group by ({_V}) (aws_ebs_volume_info)
            """,
        ),
        Record(
            name=WORKLOAD,
            expr=f"{_WORKLOADS} unless on ({_C}) (count by ({_C}) ({_WORKLOADS}) > 1)",
        ),
        Record(
            name="volume:kubernetes_node:info",
            expr=f"{_NODES} unless on ({CLUSTER}, volume_id) (count by ({CLUSTER}, volume_id) ({_NODES}) > 1)",
        ),
        Record(
            name=VOLUME_OWNER,
            expr=f"""
                group by ({_V}, availability_zone, volume_type) (aws_ebs_volume_info)
                * on ({_V}) group_left (namespace, persistentvolumeclaim, storageclass) volume:aws_ebs_claim:info
                * on ({_C}) group_left (workload) (
                  {WORKLOAD} or on ({_C}) group by ({_C}) (volume:aws_ebs_claim:info)
                )
                * on ({CLUSTER}, volume_id) group_left (node) (
                  volume:kubernetes_node:info or on ({CLUSTER}, volume_id) group by ({CLUSTER}, volume_id) (aws_ebs_volume_info)
                )
            """,
        ),
    ]


def file_system_owners() -> list[Record]:
    """Recordings up to `FILE_SYSTEM_OWNER` (labels of FILE_SYSTEM, file_system_name) and the claims of file systems."""
    return [
        Record(
            name=FILE_SYSTEM_CLAIM,
            expr=f"""
                group by ({_F}, namespace, persistentvolumeclaim) (aws_efs_access_point_persistentvolumeclaim_info{{persistentvolumeclaim!=""}})
                or
                group by ({_F}, namespace, persistentvolumeclaim) (aws_efs_file_system_persistentvolumeclaim_info{{persistentvolumeclaim!=""}})
            """,
        ),
        Record(
            name=FILE_SYSTEM_OWNER,
            expr=f"""
                group by ({_F}, file_system_name) (
                  label_replace(aws_efs_file_system_info, "file_system_name", "$1", "name", "(.*)")
                )
            """,
        ),
    ]


def owned_volume(expr: str) -> str:
    """*expr* (one series a volume) with the labels of its owner; its value stays."""
    extra = "availability_zone, namespace, persistentvolumeclaim, storageclass, workload, node"
    return f"({expr})\n* on ({_V}) group_left ({extra}) {VOLUME_OWNER}"


def owned_file_system(expr: str) -> str:
    """*expr* (one series a file system) with the file system's name; its value stays."""
    return f"({expr})\n* on ({_F}) group_left (file_system_name) {FILE_SYSTEM_OWNER}"
