"""What Kubernetes says of storage, family by family."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.kubernetes.facts import Said
from tests.kubernetes_objects import (
    GIB,
    LATER,
    LATER_AT,
    MADE_AT,
    VOLUME_ID,
    attachment,
    bare,
    claim,
    column,
    driver,
    driver_pod,
    node,
    pod,
    say,
    state_of,
    storage_class,
    volume,
)

EFS = {"driver": "efs.csi.aws.com", "volumeHandle": "fs-1::fsap-2", "fsType": None}
NFS: dict[str, Any] = {"spec": {"csi": {"driver": "nfs.csi.k8s.io"}}}


# ---- volumes


async def test_a_volume() -> None:
    """What it is, how it stands, what it holds, since when."""
    facts = await say(state_of(persistentvolumes=[volume(spec={"volumeAttributesClassName": "fast"})]))
    identity = {"persistentvolume": "pvc-1"}
    assert facts == {
        "persistentvolume_info": [
            (
                {
                    **identity,
                    "csi_driver": "ebs.csi.aws.com",
                    "volume_id": VOLUME_ID,
                    "file_system_id": "",
                    "access_point_id": "",
                    "bucket": "",
                    "storageclass": "gp3-sc",
                    "reclaim_policy": "Delete",
                    "fstype": "ext4",
                    "availability_zone": "ap-southeast-3a",
                    "volume_attributes_class": "fast",
                },
                1,
            )
        ],
        "persistentvolume_status_phase": [({**identity, "phase": "Bound"}, 1)],
        "persistentvolume_phase_transition_timestamp_seconds": [({**identity, "phase": "Bound"}, MADE_AT)],
        "persistentvolume_capacity_bytes": [(identity, 100 * GIB)],
        "persistentvolume_created_timestamp_seconds": [(identity, MADE_AT)],
    }


async def test_volumes_that_go() -> None:
    """A released or failed one says whose it was; a bound one does not, nor one that was nobody's."""
    facts = await say(
        state_of(
            persistentvolumes=[
                volume("a", status={"phase": "Released"}),
                volume("b", status={"phase": "Failed"}, metadata={"deletionTimestamp": LATER}),
                volume("c"),
                volume("d", status={"phase": "Released"}, spec={"claimRef": None}),
            ]
        )
    )
    assert facts["persistentvolume_released_info"] == [
        ({"persistentvolume": name, "namespace": "billing", "persistentvolumeclaim": "data-postgres-0"}, 1)
        for name in "ab"
    ]
    assert facts["persistentvolume_deletion_timestamp_seconds"] == [({"persistentvolume": "b"}, LATER_AT)]


async def test_what_volumes_name() -> None:
    """EFS and S3 by their own ids; a malformed handle by none."""
    bucket = {"driver": "s3.csi.aws.com", "volumeAttributes": {"bucketName": "reports"}}
    facts = await say(
        state_of(
            persistentvolumes=[volume("a", spec={"csi": EFS}), volume("b", spec={"csi": bucket}), volume("c", "vol-x")]
        )
    )
    ids = ("persistentvolume", "csi_driver", "volume_id", "file_system_id", "access_point_id", "bucket")
    assert column(facts, "persistentvolume_info", *ids) == [
        ("a", "efs.csi.aws.com", "", "fs-1", "fsap-2", ""),
        ("b", "s3.csi.aws.com", "", "", "", "reports"),
        ("c", "ebs.csi.aws.com", "", "", "", ""),
    ]


# ---- claims


async def test_a_claim() -> None:
    """What it asks for, what it has, and how a resize stands."""
    conditions = [
        {"type": "FileSystemResizePending", "status": "True", "lastTransitionTime": LATER},
        {"type": "Resizing", "status": "True"},
    ]
    growing = claim(
        metadata={"deletionTimestamp": LATER},
        spec={"resources": {"requests": {"storage": "200Gi"}}},
        status={"conditions": conditions, "allocatedResourceStatuses": {"storage": "NodeResizePending"}},
    )
    facts = await say(state_of(persistentvolumes=[volume()], persistentvolumeclaims=[growing]))
    identity = {"namespace": "billing", "persistentvolumeclaim": "data-postgres-0"}
    assert {name: found for name, found in facts.items() if name.startswith("persistentvolumeclaim")} == {
        "persistentvolumeclaim_info": [
            (
                {
                    **identity,
                    "persistentvolume": "pvc-1",
                    "csi_driver": "ebs.csi.aws.com",
                    "storageclass": "gp3-sc",
                    "reclaim_policy": "Delete",
                    "access_mode": "ReadWriteOnce",
                    "volume_mode": "Filesystem",
                    "volume_attributes_class": "",
                },
                1,
            )
        ],
        "persistentvolumeclaim_requested_bytes": [(identity, 200 * GIB)],
        "persistentvolumeclaim_capacity_bytes": [(identity, 100 * GIB)],
        "persistentvolumeclaim_created_timestamp_seconds": [(identity, MADE_AT)],
        "persistentvolumeclaim_deletion_timestamp_seconds": [(identity, LATER_AT)],
        "persistentvolumeclaim_status_phase": [({**identity, "phase": "Bound"}, 1)],
        "persistentvolumeclaim_status_condition": [
            ({**identity, "condition": "FileSystemResizePending"}, 1),
            ({**identity, "condition": "Resizing"}, 1),
        ],
        "persistentvolumeclaim_condition_transition_timestamp_seconds": [
            ({**identity, "condition": "FileSystemResizePending"}, LATER_AT)
        ],
        "persistentvolumeclaim_resize_status": [({**identity, "status": "NodeResizePending"}, 1)],
    }


@pytest.mark.parametrize(
    ("volumes", "policy"),
    [
        (None, ""),
        ([], ""),
        ([volume()], "Delete"),
        ([volume(spec={"persistentVolumeReclaimPolicy": "Retain"})], "Retain"),
        ([volume(spec={"claimRef": {"uid": "of the one before"}})], ""),
        ([volume(spec={"claimRef": {"namespace": "other"}})], ""),
        ([volume(spec={"claimRef": None})], ""),
    ],
)
async def test_the_reclaim_policy_is_the_volumes(volumes: Any, policy: str) -> None:
    """And only that of the volume that is truly the claim's."""
    facts = await say(state_of(persistentvolumes=volumes, persistentvolumeclaims=[claim()]))
    assert column(facts, "persistentvolumeclaim_info", "reclaim_policy") == [(policy,)]


PENDING: dict[str, Any] = {"status": {"phase": "Pending", "capacity": None}, "spec": {"volumeName": None}}
UNASKED: dict[str, Any] = {"annotations": {"volume.kubernetes.io/storage-provisioner": None}}
FOREIGN: dict[str, Any] = {"annotations": {"volume.kubernetes.io/storage-provisioner": "nfs.csi.k8s.io"}}
BEFORE_CSI: dict[str, Any] = {"annotations": {"volume.kubernetes.io/storage-provisioner": "kubernetes.io/aws-ebs"}}
NFS_CLASS = storage_class("nfs", provisioner="nfs.csi.k8s.io")
EFS_CLASS = storage_class("efs", provisioner="efs.csi.aws.com", parameters={"fileSystemId": "fs-1"})


@pytest.mark.parametrize(
    ("thing", "volumes", "classes", "driver_or_reason"),
    [
        # by its volume
        (claim(metadata=FOREIGN), [volume()], [NFS_CLASS], "ebs.csi.aws.com"),
        (claim(metadata=FOREIGN), [volume(spec={"csi": EFS})], None, "efs.csi.aws.com"),
        # by who was asked
        (claim(), None, None, "ebs.csi.aws.com"),
        (claim(), [], [], "ebs.csi.aws.com"),
        (claim(metadata=BEFORE_CSI), None, None, "ebs.csi.aws.com"),
        (claim(metadata=FOREIGN), None, None, "!other_driver"),
        (claim(metadata=FOREIGN), [volume("pvc-1", **NFS)], [storage_class()], "!other_driver"),
        # by its class
        (claim(metadata=UNASKED, **PENDING), None, [storage_class()], "ebs.csi.aws.com"),
        (claim(metadata=UNASKED, spec={"storageClassName": "efs"}), None, [EFS_CLASS], "efs.csi.aws.com"),
        (claim(metadata=UNASKED, spec={"storageClassName": "nfs"}), None, [NFS_CLASS], "!other_driver"),
        # by nothing
        (claim(metadata=UNASKED), None, None, ""),
        (claim(metadata=UNASKED, **PENDING), [], None, ""),
        (claim(metadata=UNASKED), [], None, "!other_driver"),
        (claim(metadata=UNASKED), [], [], "!other_driver"),
        (claim(metadata=UNASKED, **PENDING), [], [], "!unknown_class"),
        (claim(metadata=UNASKED, spec={"volumeName": None, "storageClassName": ""}), [], [], "!other_driver"),
        (claim(metadata=UNASKED), None, [], "!other_driver"),
    ],
)
async def test_which_claims_are_ours(thing: Any, volumes: Any, classes: Any, driver_or_reason: str) -> None:
    """By their volume, else by who was asked to make it, else by their class; where nobody knows, and none may, all."""
    said = Said()
    state = state_of(persistentvolumes=volumes, persistentvolumeclaims=[thing], storageclasses=classes)
    facts = await say(state, said)
    if driver_or_reason.startswith("!"):
        assert "persistentvolumeclaim_info" not in facts
        assert said.left_out["persistentvolumeclaims"] == {driver_or_reason[1:]: 1}
    else:
        assert column(facts, "persistentvolumeclaim_info", "csi_driver") == [(driver_or_reason,)]
        assert "persistentvolumeclaims" not in said.left_out


# ---- classes


async def test_classes() -> None:
    """Drift between class and volume is one expression: same labels, same units."""
    said = Said()
    facts = await say(state_of(storageclasses=[storage_class(), EFS_CLASS, NFS_CLASS]), said)
    assert facts["storageclass_info"][1:] == [
        (
            {
                "storageclass": "gp3-sc",
                "provisioner": "ebs.csi.aws.com",
                "volume_type": "gp3",
                "fstype": "ext4",
                "provisioning_mode": "",
                "file_system_id": "",
                "encrypted": "true",
                "reclaim_policy": "Delete",
                "volume_binding_mode": "WaitForFirstConsumer",
                "allow_expansion": "true",
                "default": "true",
            },
            1,
        )
    ]
    assert column(facts, "storageclass_info", "storageclass", "file_system_id") == [("efs", "fs-1"), ("gp3-sc", "")]
    assert facts["storageclass_iops"] == [({"storageclass": "gp3-sc"}, 3000)]
    assert facts["storageclass_throughput_bytes_per_second"] == [({"storageclass": "gp3-sc"}, 131072000)]
    assert said.left_out == {"storageclasses": {"other_driver": 1}}


# ---- attachments


async def test_attachments() -> None:
    """Side by side with EC2's: the volume's id is there, through the persistent volume or of itself."""
    things = [
        attachment("a"),
        attachment("b", status={"attached": False}),
        attachment("c", status=None, metadata={"creationTimestamp": None}),
        attachment("d", metadata={"deletionTimestamp": LATER}),
        attachment("e", "gone", metadata={"deletionTimestamp": LATER}, status={"attached": False}),
        attachment(
            "f",
            spec={
                "source": {
                    "persistentVolumeName": None,
                    "inlineVolumeSpec": {"awsElasticBlockStore": {"volumeID": "vol-01234567"}},
                }
            },
        ),
    ]
    facts = await say(state_of(persistentvolumes=[volume()], volumeattachments=things))
    labels = ("volumeattachment", "node", "persistentvolume", "volume_id", "csi_driver", "attached")
    assert column(facts, "volumeattachment_info", *labels) == [
        ("a", "node-a1", "pvc-1", VOLUME_ID, "ebs.csi.aws.com", "true"),
        ("b", "node-a1", "pvc-1", VOLUME_ID, "ebs.csi.aws.com", "false"),
        ("c", "node-a1", "pvc-1", VOLUME_ID, "ebs.csi.aws.com", "false"),
        ("d", "node-a1", "pvc-1", VOLUME_ID, "ebs.csi.aws.com", "true"),
        ("e", "node-a1", "gone", "", "ebs.csi.aws.com", "false"),
        ("f", "node-a1", "", "vol-01234567", "ebs.csi.aws.com", "true"),
    ]
    unfinished = facts["volumeattachment_unfinished_timestamp_seconds"]
    assert [(found["volumeattachment"], found["operation"], value) for found, value in unfinished] == [
        ("b", "attach", MADE_AT),
        ("d", "detach", LATER_AT),
        ("e", "detach", LATER_AT),
    ]


async def test_failed_attachments() -> None:
    """Operation and reason, never the text; without an instant it is 0, but there."""
    failing = {
        "attachError": {"time": LATER, "message": "api error VolumeInUse: vol-0 is in use"},
        "detachError": {"message": "rpc error: code = DeadlineExceeded desc = secret"},
    }
    facts = await say(state_of(volumeattachments=[attachment(status=failing)]))
    errors = facts["volumeattachment_error_timestamp_seconds"]
    assert [(found["operation"], found["reason"], value) for found, value in errors] == [
        ("attach", "VolumeInUse", LATER_AT),
        ("detach", "timeout", 0),
    ]


# ---- nodes and drivers


async def test_nodes() -> None:
    """What has registered, and with 0 what has not and is used by some volume, class or other node."""
    lone = {"name": "efs.csi.aws.com", "nodeID": "i-0fedcba9876543210"}
    auto = storage_class("auto", provisioner="ebs.csi.eks.amazonaws.com")
    facts = await say(
        state_of(
            csinodes=[node("a"), node("b", [lone]), node("c", [])],
            storageclasses=[auto, NFS_CLASS],
            persistentvolumes=[volume(spec={"csi": {"driver": "s3.csi.aws.com"}})],
        )
    )
    assert column(facts, "csinode_driver_info", "node", "csi_driver", "instance_id") == [
        ("a", "ebs.csi.aws.com", "i-0123456789abcdef0"),
        ("a", "efs.csi.aws.com", "i-0123456789abcdef0"),
        ("b", "efs.csi.aws.com", "i-0fedcba9876543210"),
    ]
    assert facts["csinode_attach_limit"] == [({"node": "a", "csi_driver": "ebs.csi.aws.com"}, 25)]
    registered = {(found["node"], found["csi_driver"]): value for found, value in facts["csinode_driver_registered"]}
    drivers = ("ebs.csi.aws.com", "ebs.csi.eks.amazonaws.com", "efs.csi.aws.com", "s3.csi.aws.com")
    expected = {"a": (1, 0, 1, 0), "b": (0, 0, 1, 0), "c": (0, 0, 0, 0)}
    assert registered == {
        (name, one): value for name, values in expected.items() for one, value in zip(drivers, values, strict=True)
    }


async def test_a_class_that_eks_put_there() -> None:
    """Is no use of a driver: every cluster has it, also one without the driver."""
    old = storage_class("gp2", provisioner="kubernetes.io/aws-ebs")
    facts = await say(state_of(csinodes=[node("a", [])], storageclasses=[old]))
    assert "csinode_driver_registered" not in facts


async def test_drivers() -> None:
    """Those of AWS, as they are installed."""
    facts = await say(state_of(csidrivers=[driver("efs.csi.aws.com", spec={"attachRequired": False})]))
    labels = {"attach_required": "false", "storage_capacity": "false", "fs_group_policy": "ReadWriteOnceWithFSType"}
    assert facts == {"csidriver_info": [({"csi_driver": "efs.csi.aws.com", **labels}, 1)]}


# ---- pods


async def test_pods() -> None:
    """Which pods use a claim of ours; those that use only others' are counted."""
    said = Said()
    nfs = claim("nfs", "pvc-9", metadata={**FOREIGN, "name": "nfs"})
    state = state_of(
        persistentvolumeclaims=[claim(), nfs],
        pods=[pod(claims=["data-postgres-0", "nfs", "unheard-of"]), pod("x", ["nfs"])],
    )
    facts = await say(state, said)
    assert facts["pod_persistentvolumeclaim_info"] == [
        (
            {
                "namespace": "billing",
                "persistentvolumeclaim": "data-postgres-0",
                "pod_name": "postgres-0",
                "node": "node-a1",
                "owner_kind": "StatefulSet",
                "owner_name": "postgres",
                "phase": "Running",
            },
            1,
        )
    ]
    assert said.left_out["pods"] == {"other_driver": 1}
    facts = await say({**state, "persistentvolumeclaims": None})
    assert len(facts["pod_persistentvolumeclaim_info"]) == 4  # where claims are not known, all


async def test_driver_pods() -> None:
    """How many there are and how many are ready, by version; what has finished or failed is no longer there."""
    failing: dict[str, Any] = {"status": {"conditions": [{"type": "Ready", "status": "False"}]}}
    old: dict[str, Any] = {"spec": {"containers": [{"name": "ebs-plugin", "image": "x/y:v1.41.0"}]}}
    pods = [
        driver_pod("a"),
        driver_pod("b", **failing),
        driver_pod("c", **old),
        driver_pod("d", app="ebs-csi-controller"),
        driver_pod("e", status={"phase": "Failed"}),
        driver_pod("f", status={"phase": "Succeeded"}),
    ]
    said = Said()
    facts = await say(state_of(pods=pods), said)
    for family, values in {"csi_driver_pods": [1, 1, 2], "csi_driver_ready_pods": [1, 1, 1]}.items():
        assert column(facts, family, "csi_driver", "component", "version") == [
            ("ebs.csi.aws.com", "controller", "v1.42.0"),
            ("ebs.csi.aws.com", "node", "v1.41.0"),
            ("ebs.csi.aws.com", "node", "v1.42.0"),
        ]
        assert bare(facts, family) == values
    assert said.left_out == {}
