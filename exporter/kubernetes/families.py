"""
The families of what Kubernetes says of storage. A table, nothing else.

Labels are kube-state-metrics' and the kubelet's, so that their series join without renaming; nothing is called ``pod``,
``job`` or ``instance``, which scrapers set. Only what belongs to an AWS driver is said.
"""

from __future__ import annotations

from exporter.model import Family
from exporter.naming import unit_of


def _gauge(name: str, text: str, *labels: str) -> Family:
    name = f"kubernetes_{name}"
    return Family(name, text, labels, "gauge", unit_of(name))


def _info(name: str, text: str, *labels: str) -> Family:
    return Family(f"kubernetes_{name}_info", text, labels, "info", "")


# ---- persistent volumes

_VOLUME = ("persistentvolume",)
VOLUME_INFO = _info(
    "persistentvolume",
    "What the persistent volume is and which AWS resource it names, whoever owns it; a volume from before CSI has the "
    "driver that serves it now. No id: its handle is malformed.",
    *_VOLUME,
    "csi_driver",
    "volume_id",
    "file_system_id",
    "access_point_id",
    "bucket",
    "storageclass",
    "reclaim_policy",
    "fstype",
    "availability_zone",
    "volume_attributes_class",
)
VOLUME_PHASE = _gauge(
    "persistentvolume_status_phase", "1 for the phase the persistent volume is in.", *_VOLUME, "phase"
)
VOLUME_SINCE = _gauge(
    "persistentvolume_phase_transition_timestamp_seconds",
    "When the persistent volume came into its phase, unix seconds (Kubernetes 1.28 and later): for how long a released "
    "volume has been paid for.",
    *_VOLUME,
    "phase",
)
VOLUME_CAPACITY = _gauge("persistentvolume_capacity_bytes", "Size of the persistent volume.", *_VOLUME)
VOLUME_CREATED = _gauge(
    "persistentvolume_created_timestamp_seconds", "When the persistent volume was made, unix seconds.", *_VOLUME
)
VOLUME_DELETION = _gauge(
    "persistentvolume_deletion_timestamp_seconds",
    "Since when the persistent volume is terminating, unix seconds; nothing while it is not.",
    *_VOLUME,
)
VOLUME_RELEASED = _info(
    "persistentvolume_released",
    "Whose the persistent volume was, while it is released or its reclaiming failed.",
    *_VOLUME,
    "namespace",
    "persistentvolumeclaim",
)

# ---- claims

_CLAIM = ("namespace", "persistentvolumeclaim")
CLAIM_INFO = _info(
    "persistentvolumeclaim",
    "What the claim asks for and is bound to. The reclaim policy is its volume's: with Delete, the volume goes when "
    "the claim goes. The attributes class is the wanted one, the volume's is the one in force.",
    *_CLAIM,
    "persistentvolume",
    "csi_driver",
    "storageclass",
    "reclaim_policy",
    "access_mode",
    "volume_mode",
    "volume_attributes_class",
)
CLAIM_REQUESTED = _gauge(
    "persistentvolumeclaim_requested_bytes",
    "Size the claim asks for; more than its capacity while a resize is not done.",
    *_CLAIM,
)
CLAIM_CAPACITY = _gauge(
    "persistentvolumeclaim_capacity_bytes", "Size the claim really has, file system included.", *_CLAIM
)
CLAIM_CREATED = _gauge(
    "persistentvolumeclaim_created_timestamp_seconds",
    "When the claim was made, unix seconds: since when a pending one waits.",
    *_CLAIM,
)
CLAIM_DELETION = _gauge(
    "persistentvolumeclaim_deletion_timestamp_seconds",
    "Since when the claim is terminating, unix seconds; nothing while it is not. It stays while a pod uses it.",
    *_CLAIM,
)
CLAIM_PHASE = _gauge("persistentvolumeclaim_status_phase", "1 for the phase the claim is in.", *_CLAIM, "phase")
CLAIM_CONDITION = _gauge(
    "persistentvolumeclaim_status_condition",
    "1 for each condition that is true of the claim, such as Resizing, FileSystemResizePending or ModifyVolumeError.",
    *_CLAIM,
    "condition",
)
CLAIM_CONDITION_SINCE = _gauge(
    "persistentvolumeclaim_condition_transition_timestamp_seconds",
    "Since when the condition is true of the claim, unix seconds.",
    *_CLAIM,
    "condition",
)
CLAIM_RESIZE = _gauge(
    "persistentvolumeclaim_resize_status",
    "1 for how the resize of the claim stands, such as NodeResizePending or ControllerResizeInfeasible.",
    *_CLAIM,
    "status",
)

# ---- classes

_CLASS = ("storageclass",)
CLASS_INFO = _info(
    "storageclass",
    "What the class asks its driver for, with the driver's defaults where it says nothing; the volume type has the "
    "label that it has on aws_ebs_volume_info.",
    *_CLASS,
    "provisioner",
    "volume_type",
    "fstype",
    "provisioning_mode",
    "file_system_id",
    "encrypted",
    "reclaim_policy",
    "volume_binding_mode",
    "allow_expansion",
    "default",
)
CLASS_IOPS = _gauge(
    "storageclass_iops",
    "Operations a second that volumes of the class are provisioned with; 3000 for gp3 where the class says nothing, "
    "nothing where they depend on the size.",
    *_CLASS,
)
CLASS_THROUGHPUT = _gauge(
    "storageclass_throughput_bytes_per_second",
    "Throughput that gp3 volumes of the class are provisioned with; 125 MiB/s where the class says nothing.",
    *_CLASS,
)

# ---- attachments

_ATTACHMENT = ("volumeattachment", "node", "persistentvolume", "volume_id")
ATTACHMENT_INFO = _info(
    "volumeattachment",
    "Which volume shall be attached to which node, and whether it is. EC2's side is aws_ebs_volume_attachment_info.",
    *_ATTACHMENT,
    "csi_driver",
    "attached",
)
ATTACHMENT_UNFINISHED = _gauge(
    "volumeattachment_unfinished_timestamp_seconds",
    "Since when attaching (not attached yet) or detaching (still there though deleted) is not done, unix seconds.",
    *_ATTACHMENT,
    "operation",
)
ATTACHMENT_ERROR = _gauge(
    "volumeattachment_error_timestamp_seconds",
    "When the last attempt failed, unix seconds (0 where that is not said), until one succeeds. The reason is AWS's "
    "error code, else a word such as multi_attach or timeout.",
    *_ATTACHMENT,
    "operation",
    "reason",
)

# ---- nodes and drivers

_NODE_DRIVER = ("node", "csi_driver")
NODE_DRIVER_INFO = _info(
    "csinode_driver",
    "AWS drivers that have registered with the node's kubelet, and the instance the driver says the node is.",
    *_NODE_DRIVER,
    "instance_id",
)
NODE_LIMIT = _gauge(
    "csinode_attach_limit", "Volumes of the driver that the scheduler lets onto the node.", *_NODE_DRIVER
)
NODE_REGISTERED = _gauge(
    "csinode_driver_registered",
    "1 where the driver has registered with the node's kubelet, else 0; for every AWS driver the cluster uses. A node "
    "without it cannot mount its volumes. Nodes that never shall have it (Fargate, Auto Mode beside others) are 0 too.",
    *_NODE_DRIVER,
)
DRIVER_INFO = _info(
    "csidriver",
    "AWS drivers that are installed in the cluster.",
    "csi_driver",
    "attach_required",
    "storage_capacity",
    "fs_group_policy",
)

# ---- pods

POD_CLAIM = _info(
    "pod_persistentvolumeclaim",
    "Which pods use the claim, where they run and what made them.",
    *_CLAIM,
    "pod_name",
    "node",
    "owner_kind",
    "owner_name",
    "phase",
)
_PART = ("csi_driver", "component", "version")
DRIVER_PODS = _gauge(
    "csi_driver_pods",
    "Pods of the driver's controller and nodes by the version of its image, finished ones left out.",
    *_PART,
)
DRIVER_READY = _gauge("csi_driver_ready_pods", "Those of them that are ready.", *_PART)

FAMILIES: tuple[Family, ...] = (
    VOLUME_INFO,
    VOLUME_PHASE,
    VOLUME_SINCE,
    VOLUME_CAPACITY,
    VOLUME_CREATED,
    VOLUME_DELETION,
    VOLUME_RELEASED,
    CLAIM_INFO,
    CLAIM_REQUESTED,
    CLAIM_CAPACITY,
    CLAIM_CREATED,
    CLAIM_DELETION,
    CLAIM_PHASE,
    CLAIM_CONDITION,
    CLAIM_CONDITION_SINCE,
    CLAIM_RESIZE,
    CLASS_INFO,
    CLASS_IOPS,
    CLASS_THROUGHPUT,
    ATTACHMENT_INFO,
    ATTACHMENT_UNFINISHED,
    ATTACHMENT_ERROR,
    NODE_DRIVER_INFO,
    NODE_LIMIT,
    NODE_REGISTERED,
    DRIVER_INFO,
    POD_CLAIM,
    DRIVER_PODS,
    DRIVER_READY,
)
"""All of them."""
