"""
Whose a volume is: what all services that join claims have in common. Pure.

Where the persistent volumes of Kubernetes are known, only they decide. Where they are not, what the CSI drivers write
on what they make stands in (aws-facts 6.4). What is said of which things is for `ebs_claims` and `efs_claims`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from exporter.model import Claim, Fact, Family, Labels
from exporter.services.base import info

CLAIM: Labels = ("persistentvolume", "persistentvolumeclaim", "namespace", "storageclass")
"""Labels of a claim, after those of what it is bound to; kube-state-metrics' and kubelet's names."""

KUBERNETES, TAGS, CLIENT_TOKEN = "kubernetes", "tags", "client_token"
"""Where a claim is known from, as `Inventory.claims` calls it."""

PINNED = "pinned"
"""The fact of a resource that a claim pins; the others do not have it, so that they share their facts."""

SETTLING = 60
"""Seconds after which a volume that a persistent volume names is in AWS's listings, which lag behind a little."""

_MARKS = ("ebs.csi.aws.com/cluster", "ebs.csi.eks.amazonaws.com/cluster")  # the second is EKS Auto Mode's
_MADE_FOR = "kubernetes.io/created-for/"
_VOLUME_NAME = "CSIVolumeName"
_CLUSTER = "kubernetes.io/cluster/"
_CLUSTER_NAMES = ("KubernetesCluster", "eks:eks-cluster-name", "ebs.csi.aws.com/cluster-name")
_PROVISIONED = re.compile(r"pvc-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")  # as the provisioner names what it makes


def claim_info(name: str, text: str, labels: Iterable[str]) -> Family:
    """An info family with the labels of a claim after *labels*."""
    return info(name, text, (*labels, *CLAIM))


def words(claim: Claim) -> Labels:
    """The values of `CLAIM`'s labels."""
    return (claim.persistentvolume, claim.persistentvolumeclaim, claim.namespace, claim.storageclass)


def pin(*, pinned: bool) -> dict[str, Fact]:
    """The facts of a resource that a claim pins or does not pin, as far as that goes."""
    return {PINNED: True} if pinned else {}


# ---- without Kubernetes ---------------------------------------------------------------------------------------------


def by_tags(tags: Mapping[str, str]) -> Claim | None:
    """The claim a volume was made for, as its *tags* say; None where they say nothing. They tell no StorageClass."""
    claim = Claim(
        tags.get(f"{_MADE_FOR}pv/name") or tags.get(_VOLUME_NAME, ""),
        tags.get(f"{_MADE_FOR}pvc/name", ""),
        tags.get(f"{_MADE_FOR}pvc/namespace", ""),
    )
    return claim if claim.persistentvolume or claim.persistentvolumeclaim else None


def by_client_token(token: str, tags: Mapping[str, str]) -> Claim | None:
    """
    The persistent volume an EFS access point was made for; None where its *token* is not the name of one.

    The CSI driver writes no more than that, and with ``reuseAccessPoint`` a hash of the claim's name.
    """
    if tags.get("efs.csi.aws.com/cluster") == "true" and _PROVISIONED.fullmatch(token):
        return Claim(token)
    return None


# ---- which cluster's -----------------------------------------------------------------------------------------------


def is_provisioned(tags: Mapping[str, str]) -> bool:
    """Whether a volume was made by the EBS CSI driver, or by the plugin in the tree before it, for some cluster."""
    return any(tags.get(mark) == "true" for mark in _MARKS) or any(key.startswith(_MADE_FOR) for key in tags)


def clusters_of(tags: Mapping[str, str], *, owned: bool = False) -> frozenset[str]:
    """
    Ids of the clusters a volume belongs to, as its *tags* say. Drivers write them only where they are told them.

    Args:
        tags: the volume's.

        owned: without those that only share it.
    """
    named = {tags[key] for key in _CLUSTER_NAMES if key in tags}
    for key, value in tags.items():
        if key.startswith(_CLUSTER) and (value == "owned" or not owned):
            named.add(key.removeprefix(_CLUSTER))
    return frozenset(named)


# ---- whether it is time to judge -----------------------------------------------------------------------------------


def could_be_listed(claim: Claim, region: str, at: int) -> bool:
    """
    Whether the volume of *claim* must be in a listing of *region* that was made at an instant, if there is one.

    Args:
        claim: one whose making is not dated is never missed.

        region: of the listing.

        at: unix seconds of the listing.
    """
    rest = claim.zone.removeprefix(region)
    elsewhere = bool(claim.zone) and (rest == claim.zone or rest[:1].isdigit())  # us-east-1 is not us-east-11's
    return not elsewhere and 0 < claim.created <= at - SETTLING
