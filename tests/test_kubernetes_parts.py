"""Classes, pods and failures: what parameters mean, whose a pod is, and why attaching failed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.kubernetes.failures import reason_of
from exporter.kubernetes.kinds import Skipped
from tests.kubernetes_objects import LATER, driver_pod, kept, metadata, pod, storage_class

MIB = 1024**2

# ---- classes


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        (None, ("gp3", "ext4", 3000, 125 * MIB, "false")),
        ({"TYPE": "gp3", "IOPS": "4000", "Throughput": "200"}, ("gp3", "ext4", 4000, 200 * MIB, "false")),
        ({"type": "gp3", "iopsPerGB": "50", "encrypted": "true"}, ("gp3", "ext4", None, 125 * MIB, "true")),
        ({"type": "gp3", "iops": "many", "throughput": "-1"}, ("gp3", "ext4", None, None, "false")),
        ({"type": "gp2"}, ("gp2", "ext4", None, None, "false")),
        ({"type": "io2", "iops": "64000", "throughput": "9"}, ("io2", "ext4", 64000, None, "false")),
        ({"type": "io1"}, ("io1", "ext4", None, None, "false")),
        ({"type": "st1", "iops": "5", "fsType": "xfs"}, ("st1", "xfs", None, None, "false")),
        ({"csi.storage.k8s.io/fstype": "xfs"}, ("gp3", "xfs", 3000, 125 * MIB, "false")),
        ({"CSI.storage.k8s.io/fstype": "xfs"}, ("gp3", "ext4", 3000, 125 * MIB, "false")),
    ],
)
def test_parameters_of_ebs_classes(parameters: Any, expected: tuple[Any, ...]) -> None:
    """Case does not matter but for the file system's key; the driver's defaults stand where nothing is said."""
    for provisioner in ("ebs.csi.aws.com", "ebs.csi.eks.amazonaws.com", "kubernetes.io/aws-ebs"):
        thing = storage_class() | {"provisioner": provisioner, "parameters": parameters}
        seen = kept("storageclasses", thing)
        assert (seen.volume_type, seen.fstype, seen.iops, seen.throughput, seen.encrypted) == expected


def test_classes_of_others() -> None:
    """EFS has parameters of its own, and their case matters; foreign classes tell foreign claims apart."""
    efs = {"provisioningMode": "efs-ap", "fileSystemId": "fs-1", "type": "gp3", "basePath": "/x"}
    bare = {"metadata": metadata("efs"), "provisioner": "efs.csi.aws.com"}
    seen = kept("storageclasses", {**bare, "parameters": efs})
    assert (seen.provisioning_mode, seen.file_system_id, seen.volume_type, seen.iops) == ("efs-ap", "fs-1", "", None)
    assert (seen.reclaim_policy, seen.volume_binding_mode) == ("Delete", "Immediate")
    assert (seen.allow_expansion, seen.default, seen.encrypted, seen.fstype) == (False, False, "", "")
    seen = kept("storageclasses", {**bare, "parameters": {"PROVISIONINGMODE": "efs-ap", "fileSystemId": "${fs}"}})
    assert (seen.provisioning_mode, seen.file_system_id) == ("", "")
    unset = {"storageclass.kubernetes.io/is-default-class": "false"}
    assert not kept("storageclasses", storage_class(metadata={"annotations": unset})).default
    beta = {"storageclass.beta.kubernetes.io/is-default-class": "true"}
    foreign = {"metadata": metadata("x", annotations=beta), "provisioner": "x.csi", "parameters": {"type": "pd-ssd"}}
    seen = kept("storageclasses", foreign)
    assert (seen.provisioner, seen.volume_type, seen.throughput, seen.default) == ("x.csi", "", None, True)


# ---- pods


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("public.ecr.aws/ebs-csi-driver/aws-ebs-csi-driver:v1.42.0", "v1.42.0"),
        ("host:5000/aws-ebs-csi-driver:v1.42.0-eksbuild.1@sha256:" + "0" * 64, "v1.42.0-eksbuild.1"),
        ("host:5000/aws-ebs-csi-driver@sha256:" + "0" * 64, "1.42.0"),
        ("host:5000/aws-ebs-csi-driver", "1.42.0"),
        ("", "1.42.0"),
        (None, "1.42.0"),
    ],
)
def test_versions(image: str | None, version: str) -> None:
    """The tag of the driver's own container, else what the chart's label says."""
    labels = {"app.kubernetes.io/version": "1.42.0"}
    containers = [{"name": "csi-provisioner", "image": "x:v5"}, {"name": "ebs-plugin", "image": image}]
    assert kept("pods", driver_pod(metadata={"labels": labels}, spec={"containers": containers})).version == version


def test_driver_pods() -> None:
    """By their container, else by the chart's name; controller and node by the label, else by what made them."""
    seen = kept("pods", driver_pod())
    assert (seen.driver, seen.component, seen.version) == ("ebs.csi.aws.com", "node", "v1.42.0")
    assert kept("pods", driver_pod(app="ebs-csi-node-windows")).component == "node"
    assert kept("pods", driver_pod(app="efs-csi-controller")).component == "controller"
    owners = [{"kind": "Node", "name": "x"}, {"kind": "DaemonSet", "name": "mine", "controller": True}]
    seen = kept("pods", driver_pod(metadata={"labels": None, "ownerReferences": owners}))
    assert (seen.driver, seen.component, seen.owner_name) == ("ebs.csi.aws.com", "node", "mine")
    owners = [{"kind": "DaemonSet", "name": "mine", "controller": True}]
    seen = kept("pods", driver_pod(app="ebs-csi-controller", metadata={"ownerReferences": owners}))
    assert seen.component == "controller"
    labels = {"app.kubernetes.io/name": "aws-efs-csi-driver", "app.kubernetes.io/version": "2.1.7"}
    seen = kept("pods", driver_pod(metadata={"labels": labels}, spec={"containers": None}))
    assert (seen.driver, seen.version) == ("efs.csi.aws.com", "2.1.7")
    for name, found in (("efs-plugin", "efs.csi.aws.com"), ("s3-plugin", "s3.csi.aws.com")):
        assert kept("pods", driver_pod(spec={"containers": [{"name": name}]})).driver == found


def test_readiness() -> None:
    """A pod that goes is not ready, whatever its condition still says."""
    assert kept("pods", pod()).ready
    assert not kept("pods", pod(metadata={"deletionTimestamp": LATER})).ready
    assert not kept("pods", pod(status={"conditions": [{"type": "Ready", "status": "False"}]})).ready
    assert not kept("pods", pod(status={"conditions": None})).ready


def test_pods_that_matter() -> None:
    """Ephemeral volumes have claims too, named after pod and volume; a pod without any claim is irrelevant."""
    volumes = [{"name": "scratch", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}}, {"name": "x", "emptyDir": {}}]
    assert kept("pods", pod(claims=(), spec={"volumes": volumes})).claims == ("postgres-0-scratch",)
    with pytest.raises(Skipped, match=r"^irrelevant$"):
        kept("pods", pod(claims=()))


# ---- why attaching failed

SDK_1 = (
    'rpc error: code = Internal desc = Could not attach volume "vol-0" to node "i-0": could not attach volume: '
    "VolumeInUse: vol-0 is already attached to an instance\n\tstatus code: 400, request id: 1"
)
SDK_2 = (
    'rpc error: code = Internal desc = Could not attach volume "vol-0" to node "i-0": operation error EC2: '
    "AttachVolume, https response error StatusCode: 400, RequestID: 1, api error {}: You may attach up to 27 devices"
)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (SDK_2.format("AttachmentLimitExceeded"), "AttachmentLimitExceeded"),
        (SDK_2.format("InvalidVolume.NotFound"), "InvalidVolume.NotFound"),
        (SDK_2.format("x" * 300), "other"),
        (SDK_2.format('"; DROP'), "other"),
        (SDK_1, "VolumeInUse"),
        ("api error UnauthorizedOperation", "UnauthorizedOperation"),
        ('Multi-Attach error for volume "pvc-1" Volume is already exclusively attached to one node', "multi_attach"),
        ("rpc error: code = DeadlineExceeded desc = context deadline exceeded", "timeout"),
        ("timed out waiting for external-attacher of ebs.csi.aws.com CSI driver", "timeout"),
        ("rpc error: code = Aborted desc = An operation with the given Volume vol-0 already exists", "in_flight"),
        ('attachment of disk "vol-0" failed, expected device to be attached but was attaching', "unexpected_state"),
        ("could not get a free device name to assign to node i-0", "no_device_name"),
        ("CSINode node-a1 does not contain driver ebs.csi.aws.com", "no_driver_on_node"),
        ("rpc error: code = ResourceExhausted desc = x", "limit"),
        ("rpc error: code = NotFound desc = Instance i-0 not found", "not_found"),
        ("dial unix /csi/csi.sock: connect: connection refused", "unavailable"),
        ("", "other"),
        ("something else: it broke", "other"),
    ],
)
def test_reasons(message: str, reason: str) -> None:
    """AWS's code where there is one, else a word; never the text."""
    assert reason_of(message) == reason


@given(st.text() | st.text().map(lambda text: f"api error {text}: x"))
def test_reasons_are_words(message: str) -> None:
    """Whatever the message, a label's value of few letters."""
    assert reason_of(message).replace(".", "").replace("_", "").isalnum()
    assert len(reason_of(message)) <= 120
