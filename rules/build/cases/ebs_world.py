"""The one volume, claim, pod and node that the cases about EBS happen to."""

from __future__ import annotations

from rules.build.cases.shapes import S

ACCOUNT = {"cluster": "production", "account_id": "123456789012", "region": "ap-southeast-3"}
VOLUME = {**ACCOUNT, "volume_id": "vol-0a1"}
INSTANCE = {**ACCOUNT, "instance_id": "i-0a1"}
CLAIM = {"namespace": "databases", "persistentvolumeclaim": "data-postgres-0", "storageclass": "gp3-sc"}


def info(volume_type: str = "gp3", state: str = "in-use") -> S:
    """What the volume is."""
    labels = {**VOLUME, "volume_type": volume_type, "state": state, "availability_zone": "ap-southeast-3a"}
    return S("aws_ebs_volume_info", labels)


INFO = info()
OWNED = S("aws_ebs_volume_persistentvolumeclaim_info", {**VOLUME, **CLAIM, "persistentvolume": "pvc-1"})
POD = S(
    "kubernetes_pod_persistentvolumeclaim_info",
    {"cluster": "production", "namespace": "databases", "persistentvolumeclaim": "data-postgres-0",
     "pod_name": "postgres-0", "node": "node-a1", "owner_kind": "StatefulSet", "owner_name": "postgres"},
)  # fmt: skip
ATTACHED = S(
    "kubernetes_volumeattachment_info",
    {"cluster": "production", "volumeattachment": "csi-1", "node": "node-a1", "volume_id": "vol-0a1",
     "attached": "true"},
)  # fmt: skip
WORLD = (INFO, OWNED, POD, ATTACHED)
OWNER = {
    **VOLUME,
    **CLAIM,
    "availability_zone": "ap-southeast-3a",
    "workload": "StatefulSet/postgres",
    "node": "node-a1",
}
NOBODYS = {"namespace": "", "persistentvolumeclaim": "", "storageclass": "", "workload": ""}
"""What is not known of a volume without a claim."""

USER = "vol-0a1 in ap-southeast-3a on node node-a1, used by StatefulSet/postgres"

NODE_INFO = S(
    "aws_ebs_instance_info",
    {**INSTANCE, "instance_type": "m6i.2xlarge", "availability_zone": "ap-southeast-3a", "state": "running"},
)
NODE_NAME = S(
    "kubernetes_csinode_driver_info",
    {"cluster": "production", "node": "node-a1", "csi_driver": "ebs.csi.aws.com", "instance_id": "i-0a1"},
)
NODE_EFS = S(
    "kubernetes_csinode_driver_info",
    {"cluster": "production", "node": "node-a1", "csi_driver": "efs.csi.aws.com", "instance_id": "i-0a1"},
)
ATTACHMENT = S(
    "aws_ebs_volume_attachment_info", {**VOLUME, "instance_id": "i-0a1", "device": "/dev/xvdb", "state": "attached"}
)
NODE = {**INSTANCE, "availability_zone": "ap-southeast-3a", "node": "node-a1"}

VOLUME_PAGE = (
    "/d/storage-exporter-ebs-volume?var-cluster=production&var-account_id=123456789012"
    "&var-region=ap-southeast-3&var-volume_id=vol-0a1"
)
VOLUME_CONSOLE = (
    "https://ap-southeast-3.console.aws.amazon.com/ec2/home?region=ap-southeast-3#VolumeDetails:volumeId=vol-0a1"
)
NODE_PAGE = "/d/storage-exporter-ebs-fleet?var-cluster=production&var-account_id=123456789012&var-region=ap-southeast-3"
NODE_CONSOLE = (
    "https://ap-southeast-3.console.aws.amazon.com/ec2/home?region=ap-southeast-3#InstanceDetails:instanceId=i-0a1"
)


def driver(counter: str, per_minute: float, until: int = 10_000, start: int = 0, *, instance: str = "i-0a1") -> S:
    """
    A counter of the EBS CSI driver's node pod as its own scrape shows it.

    Args:
        counter: its name without ``aws_ebs_csi_``.

        per_minute: what is added each minute from *start* until *until*.
    """
    return S(
        f"aws_ebs_csi_{counter}",
        {"volume_id": "vol-0a1", "instance_id": instance, "namespace": "kube-system", "pod": "ebs-csi-node-x",
         "job": "ebs-csi-node", "instance": "10.0.0.1:3302"},
        bad=lambda minute: per_minute * min(max(minute - start, 0), until - start),
    )  # fmt: skip
