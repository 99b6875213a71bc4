"""
Whose a claim is and what is behind it: exactly one series a claim, for alerts that begin at the claim.

Where two volumes or two classes are found for a claim none is taken. Every claim that Kubernetes, a pod or a kubelet
tells of has a series, though nothing else is known of it: no alert is lost in the join.
"""

from __future__ import annotations

from collections.abc import Sequence

from rules.build.identity import CLAIM, listed
from rules.build.model import Record
from rules.build.owners import VOLUME_OWNER, WORKLOAD

CLAIM_VOLUME = "claim:aws_ebs_volume:info"
_NOW = "claim:kubernetes_owner:info"
CLAIM_OWNER = "claim:storage_owner:info"

C = listed(CLAIM)
OWNED = f'{VOLUME_OWNER}{{persistentvolumeclaim!~"|several"}}'
"""Volumes with exactly one claim."""

_VOLUMES = f"group by ({C}, account_id, region, volume_id, availability_zone, storageclass, workload) ({OWNED})"
_CLAIMS = f"group by ({C}, csi_driver, storageclass, persistentvolume) (kubernetes_persistentvolumeclaim_info)"
_EACH = f"group by ({C}) (kubernetes_persistentvolumeclaim_info)"


def claim_owners() -> list[Record]:
    """
    Recordings up to `CLAIM_OWNER`: CLAIM, csi_driver, storageclass, persistentvolume, the volume's, workload. It is
    remembered for a while: what a client sees is not another alert because the exporter is away.
    """
    lately = f"last_over_time({_NOW}[15m])"
    return [
        Record(name=CLAIM_VOLUME, expr=f"{_VOLUMES} unless on ({C}) (count by ({C}) ({_VOLUMES}) > 1)"),
        Record(
            name=_NOW,
            expr=f"""
                (
                  ({_CLAIMS} unless on ({C}) (count by ({C}) ({_CLAIMS}) > 1))
                  * on ({C}) group_left (account_id, region, volume_id, availability_zone) (
                    {CLAIM_VOLUME} or on ({C}) {_EACH}
                  )
                  * on ({C}) group_left (workload) ({WORKLOAD} or on ({C}) {_EACH})
                )
                or on ({C})
                {CLAIM_VOLUME}
            """,
        ),
        Record(
            name=CLAIM_OWNER,
            expr=f"""
                {_NOW}
                or on ({C}) ({lately} unless on ({C}) (count by ({C}) ({lately}) > 1))
                or on ({C}) {_EACH}
                or on ({C}) group by ({C}) (kubelet_volume_stats_capacity_bytes)
                or on ({C}) group by ({C}) (kubernetes_pod_persistentvolumeclaim_info)
            """,
        ),
    ]


def owned_claim(expr: str, also: Sequence[str] = ()) -> str:
    """
    *expr* with the labels of what is behind the claim, as far as they are known; its value stays.

    Args:
        expr: one series a claim.

        also: more labels of `CLAIM_OWNER`.
    """
    extra = listed(("account_id", "region", "volume_id", "availability_zone", "storageclass", "workload", *also))
    return f"({expr})\n* on ({C}) group_left ({extra}) {CLAIM_OWNER}"
