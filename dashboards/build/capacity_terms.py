"""How the panels about capacity count bytes, by whose they are."""

from __future__ import annotations

from dashboards.build.queries import most, where
from rules.build.identity import BUCKET, CLAIM, FILE_SYSTEM, NODE, VOLUME, listed


def of_claims(name: str) -> str:
    """A metric of claims of the chosen namespaces."""
    return where(name, "namespace", place=("cluster",))


V, F, B, C, N = listed(VOLUME), listed(FILE_SYSTEM), listed(BUCKET), listed(CLAIM), listed(NODE)
OWNER = "volume:aws_ebs_owner:info"
_CLAIMED, _UNCLAIMED = 'persistentvolumeclaim!=""', 'persistentvolumeclaim=""'

VOLUME_SIZE = most(where("aws_ebs_volume_size_bytes"), V)
FILES = where("filesystem:aws_efs_storage:bytes")
OBJECTS = where("bucket:aws_s3_size:bytes")
CACHED = most(f"last_over_time({where('aws_elasticache_node_used_memory_bytes')}[20m])", N)
SERVERLESS = where("serverless:aws_elasticache_used:bytes")
# Kubelets tell of every file system that is mounted, and of one that is shared (NFS) some size that is nobody's.
_ON_EBS = f"and on ({C}) {where(OWNER, also=_CLAIMED)}"
FREE, FREE_SHARE, SIZE = (
    f"({of_claims(f'claim:kubelet_{each}')} {_ON_EBS})"
    for each in ("available:bytes", "available:ratio", "capacity:bytes")
)
UNATTACHED = f"({where('volume:aws_ebs_unattached:bool')} == 1)"

NOBODY = "(no claim)"


def owned(expr: str, *labels: str) -> str:
    """*expr* (one series a volume) with labels of its owner, a word for none; its value stays."""
    free = f'label_replace({where(OWNER, "namespace", also=_UNCLAIMED)}, "namespace", "{NOBODY}", "", "")'
    owner = f"({where(OWNER, 'namespace', also=_CLAIMED)} or {free})"
    return f"({expr}) * on ({V}) group_left ({', '.join(labels)}) {owner}"


def by_namespace(expr: str, how: str = "sum") -> str:
    """*expr* (one series a volume) by the namespace of the volume's claim."""
    return f"{how} by (cluster, namespace) ({owned(expr, 'namespace')})"


def files_by_namespace() -> str:
    """File systems whose claims are all of one namespace; what several share is called so."""
    claim = "filesystem:aws_efs_claim:info"
    claims = f"group by ({F}, namespace) ({where(claim, 'namespace')})"
    several = f"count by ({F}) (group by ({F}, namespace) ({where(claim)})) > 1"
    shared = f'label_replace(group by ({F}) ({several}) and on ({F}) {claims}, "namespace", "(several)", "", "")'
    owner = f"(({claims} unless on ({F}) ({several})) or {shared})"
    return f"sum by (cluster, namespace) ({FILES} * on ({F}) group_left (namespace) {owner})"


def used_by_namespace() -> str:
    """Bytes in the file systems of mounted claims, as kubelets count them."""
    return f"sum by (cluster, namespace) ({SIZE} - {FREE})"
