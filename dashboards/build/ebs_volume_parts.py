"""Selections of the one volume, its claim and its instance, for the rows of the volume's dashboard."""

from __future__ import annotations

from dashboards.build.queries import where
from dashboards.build.volumes import owner

V = "volume_id"

CLAIMED = owner(V, also='persistentvolumeclaim!~"|several"')
"""The volume's owner where exactly one claim is known."""

ATTACHED = where("aws_ebs_volume_attachment_info", V)

OF_VOLUME = f"and on (cluster, account_id, region, volume_id) {owner(V)}"
OF_CLAIM = f"and on (cluster, namespace, persistentvolumeclaim) {CLAIMED}"
OF_INSTANCE = f"and on (cluster, account_id, region, instance_id) {ATTACHED}"


def of_claim(name: str, around: str = "{}") -> str:
    """
    What kubelet or Kubernetes know of the claim on the volume.

    Args:
        name: of a recording or family by claim.

        around: PromQL around the selection, such as ``predict_linear({}[6h], 3600)``.
    """
    found = around.format(where(name, place=("cluster",)))
    return f"max by (cluster, namespace, persistentvolumeclaim) ({found} {OF_CLAIM})"


def of_instance(name: str) -> str:
    """A fact about the instance (or instances) that the volume is attached to, one series an instance."""
    return f"max by (instance_id) ({where(name)} {OF_INSTANCE})"
