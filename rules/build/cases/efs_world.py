"""The file system that the cases of EFS are about."""

from __future__ import annotations

from rules.build.cases.shapes import S

FILE_SYSTEM = {
    "cluster": "production",
    "account_id": "123456789012",
    "region": "ap-southeast-3",
    "file_system_id": "fs-0a1",
}
NAMED = {**FILE_SYSTEM, "file_system_name": "eks_production"}
CLAIM = {"namespace": "shared", "persistentvolumeclaim": "uploads"}
POD = {"cluster": "production", **CLAIM, "owner_kind": "Deployment", "owner_name": "web"}


def info(mode: str = "bursting") -> S:
    """The file system in a throughput mode."""
    return S("aws_efs_file_system_info", {**FILE_SYSTEM, "name": "eks_production", "throughput_mode": mode})


def pod(name: str, node: str, phase: str = "Running", good: float | None = None) -> S:
    """A pod that uses the claim."""
    labels = {**POD, "pod_name": name, "node": node, "phase": phase}
    return S("kubernetes_pod_persistentvolumeclaim_info", labels, good=good)


INFO = info()
OWNED = S(
    "aws_efs_access_point_persistentvolumeclaim_info",
    {**FILE_SYSTEM, **CLAIM, "access_point_id": "fsap-1", "persistentvolume": "pvc-1", "storageclass": "efs"},
)
# 200 GiB of Standard storage: a baseline of 200 x 50 KiB/s = 10,240,000 bytes a second.
SIZE = S("aws_efs_file_system_metered_size_bytes", {**FILE_SYSTEM, "storage_class": "Standard"}, bad=214748364800)
WORLD = (INFO, OWNED, SIZE)

DASHBOARD = (
    "/d/storage-exporter-efs?var-cluster=production&var-account_id=123456789012"
    "&var-region=ap-southeast-3&var-file_system_id=fs-0a1"
)
CONSOLE = "https://ap-southeast-3.console.aws.amazon.com/efs/home?region=ap-southeast-3#/file-systems/fs-0a1"
REMEDY = (
    "One command lifts the limit (no way back for 24 hours): `aws efs update-file-system --region ap-southeast-3 "
    "--file-system-id fs-0a1 --throughput-mode elastic`."
)
CLAIMS = "Claims: shared/uploads "
