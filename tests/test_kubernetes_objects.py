"""What is kept of the cluster's objects: every wanted field, no other, and `Skipped` for what makes no sense."""

from __future__ import annotations

import json
import sys
import tracemalloc
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.kubernetes.kinds import Skipped
from exporter.kubernetes.objects import DEFAULT, KINDS, kinds
from exporter.kubernetes.records import (
    CsiDriver,
    CsiNode,
    Failure,
    NodeDriver,
    PersistentVolume,
    PersistentVolumeClaim,
    Pod,
    StorageClass,
    VolumeAttachment,
)
from exporter.kubernetes.volumes import Unnamed, Volume
from tests.kubernetes_objects import (
    GIB,
    LATER,
    LATER_AT,
    MADE_AT,
    MAKERS,
    VOLUME_ID,
    attachment,
    claim,
    driver,
    json_values,
    kept,
    node,
    pod,
    storage_class,
    strange,
    volume,
)

MIB = 1024**2


def skipped(kind: str, thing: Any) -> str:
    """The reason for which *thing* is skipped."""
    raw = thing if isinstance(thing, bytes) else json.dumps(thing).encode()
    with pytest.raises(Skipped) as caught:
        KINDS[kind].keep(raw)
    return caught.value.reason


# ---- each kind whole


def test_a_volume() -> None:
    """All that is read of a PersistentVolume."""
    thing = volume(metadata={"deletionTimestamp": LATER}, spec={"volumeAttributesClassName": "fast"})
    assert kept("persistentvolumes", thing) == PersistentVolume(
        name="pvc-1",
        driver="ebs.csi.aws.com",
        named=Volume("ebs", volume_id=VOLUME_ID),
        storageclass="gp3-sc",
        reclaim_policy="Delete",
        fstype="ext4",
        zone="ap-southeast-3a",
        volume_attributes_class="fast",
        phase="Bound",
        claim_namespace="billing",
        claim_name="data-postgres-0",
        claim_uid="uid-of-data-postgres-0",
        capacity=100 * GIB,
        created=MADE_AT,
        deleted=LATER_AT,
        phase_since=MADE_AT,
    )


def test_a_claim() -> None:
    """All that is read of a PersistentVolumeClaim, with a resize on its way."""
    conditions = [
        {"type": "Resizing", "status": "True", "lastTransitionTime": LATER},
        {"type": "FileSystemResizePending", "status": "True", "lastTransitionTime": None},
        {"type": "ModifyVolumeError", "status": "False"},
        {"type": None, "status": "True"},
    ]
    thing = claim(
        metadata={"annotations": {"monitoring": "pinned"}, "deletionTimestamp": LATER},
        spec={"accessModes": ["ReadWriteOnce", "ReadOnlyMany"], "volumeAttributesClassName": "fast"},
        status={
            "conditions": conditions,
            "allocatedResourceStatuses": {"storage": "NodeResizePending"},
            "capacity": {"storage": "50Gi"},
        },
    )
    assert kept("persistentvolumeclaims", thing, ["monitoring"]) == PersistentVolumeClaim(
        namespace="billing",
        name="data-postgres-0",
        uid="uid-of-data-postgres-0",
        volume="pvc-1",
        storageclass="gp3-sc",
        provisioner="ebs.csi.aws.com",
        access_mode="ReadOnlyMany,ReadWriteOnce",
        volume_mode="Filesystem",
        volume_attributes_class="fast",
        phase="Bound",
        requested=100 * GIB,
        capacity=50 * GIB,
        created=MADE_AT,
        deleted=LATER_AT,
        conditions=(("FileSystemResizePending", None), ("Resizing", LATER_AT)),
        resize_status="NodeResizePending",
        annotations={"monitoring": "pinned"},
    )


def test_the_rest_of_them() -> None:
    """All that is read of classes, attachments, nodes, drivers and pods."""
    assert kept("storageclasses", storage_class()) == StorageClass(
        name="gp3-sc",
        provisioner="ebs.csi.aws.com",
        volume_type="gp3",
        fstype="ext4",
        provisioning_mode="",
        file_system_id="",
        encrypted="true",
        reclaim_policy="Delete",
        volume_binding_mode="WaitForFirstConsumer",
        iops=3000,
        throughput=125 * MIB,
        allow_expansion=True,
        default=True,
    )
    failing = {"attachError": {"time": LATER, "message": "api error VolumeInUse: x"}, "detachError": {"message": ""}}
    thing = attachment(metadata={"deletionTimestamp": LATER}, status={"attached": False, **failing})
    assert kept("volumeattachments", thing) == VolumeAttachment(
        name="csi-1",
        driver="ebs.csi.aws.com",
        node="node-a1",
        volume="pvc-1",
        volume_id="",
        attached=False,
        created=MADE_AT,
        deleted=LATER_AT,
        attach_error=Failure("VolumeInUse", LATER_AT),
        detach_error=Failure("other", None),
    )
    ebs = NodeDriver("ebs.csi.aws.com", "i-0123456789abcdef0", 25)
    efs = NodeDriver("efs.csi.aws.com", "i-0123456789abcdef0", None)
    assert kept("csinodes", node()) == CsiNode("node-a1", (ebs, efs))
    assert kept("csidrivers", driver(spec={"attachRequired": False})) == CsiDriver(
        "ebs.csi.aws.com", attach_required=False, storage_capacity=False, fs_group_policy="ReadWriteOnceWithFSType"
    )
    assert kept("csidrivers", driver(spec={"attachRequired": None})).attach_required
    assert kept("pods", pod(claims=["b", "a", "b"])) == Pod(
        namespace="billing",
        name="postgres-0",
        node="node-a1",
        phase="Running",
        owner_kind="StatefulSet",
        owner_name="postgres",
        claims=("b", "a"),
        ready=True,
        driver="",
        component="",
        version="",
    )


def test_what_may_be_null_or_absent() -> None:
    """Everything but the name: Go leaves out what is empty, or writes null for it."""
    for kind, maker in MAKERS.items():
        thing = maker()
        for field in [name for name in thing if name != "metadata"]:
            thing[field] = None
        bare = {"metadata": {"name": thing["metadata"]["name"]}}
        nulls = {"metadata": dict.fromkeys(thing["metadata"]) | bare["metadata"], "spec": {}, "status": {}}
        reasons = {
            "persistentvolumes": "other_driver",
            "volumeattachments": "other_driver",
            "pods": "irrelevant",
        }
        for each in (thing, bare, nulls):
            if kind in reasons:
                assert skipped(kind, each) == reasons[kind]
            else:
                assert kept(kind, each).name == bare["metadata"]["name"]
    assert kept("csinodes", {"metadata": {"name": "a"}, "spec": {"drivers": None}}) == CsiNode("a", ())


def test_old_ways() -> None:
    """The class as an annotation goes before the field; volumes from before CSI; a resize as 1.26 says it."""
    beta = {"annotations": {"volume.beta.kubernetes.io/storage-class": "old"}}
    block = {"volumeID": f"aws://ap-southeast-3a/{VOLUME_ID}", "fsType": "xfs", "partition": 1}
    seen = kept("persistentvolumes", volume(metadata=beta, spec={"csi": None, "awsElasticBlockStore": block}))
    assert seen.storageclass == "old"
    assert (seen.driver, seen.fstype, seen.named.volume_id) == ("ebs.csi.aws.com", "xfs", VOLUME_ID)
    seen = kept("persistentvolumeclaims", claim(metadata=beta, status={"resizeStatus": "NodeExpansionPending"}))
    assert (seen.storageclass, seen.resize_status) == ("old", "NodeExpansionPending")


def test_which_volumes_are_kept() -> None:
    """Those of AWS drivers, also with a handle that names nothing; no others."""
    for source in ({"nfs": {"server": "a", "path": "/"}}, {"hostPath": {"path": "/"}}, {"csi": {"driver": "nfs.csi"}}):
        thing = volume()
        del thing["spec"]["csi"]
        thing["spec"] |= source
        assert skipped("persistentvolumes", thing) == "other_driver"
    assert kept("persistentvolumes", volume(handle="vol-x")).named is Unnamed.MALFORMED_HANDLE
    csi = {"csi": {"driver": "s3.csi.aws.com", "volumeHandle": "x"}}
    assert kept("persistentvolumes", volume(spec=csi)).named is Unnamed.NO_BUCKET
    csi["csi"] |= {"driver": "efs.csi.aws.com", "volumeHandle": "fs-1"}
    seen = kept("persistentvolumes", volume(spec=csi | {"mountOptions": ["accesspoint=fsap-2"]}))
    assert seen.named == Volume("efs", file_system_id="fs-1", access_point_id="fsap-2")


def test_other_drivers_are_skipped() -> None:
    """Attachments and drivers of others."""
    assert skipped("volumeattachments", attachment(spec={"attacher": "x.csi"})) == "other_driver"
    assert skipped("csidrivers", driver("x.csi")) == "other_driver"


ZONE_A = {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["a"]}
ZONE_A_OF_EBS = {"key": "topology.ebs.csi.aws.com/zone", "operator": "In", "values": ["a"]}
OLD_ZONE_A = {"key": "failure-domain.beta.kubernetes.io/zone", "operator": "In", "values": ["a"]}
ZONE_B = {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["b"]}
ZONES = {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["a", "b"]}
NOT_B = {"key": "topology.kubernetes.io/zone", "operator": "NotIn", "values": ["b"]}
AUTO = {"key": "eks.amazonaws.com/compute-type", "operator": "In", "values": ["auto"]}


@pytest.mark.parametrize(
    ("terms", "zone"),
    [
        ([[ZONE_A]], "a"),
        ([[ZONE_A_OF_EBS]], "a"),
        ([[OLD_ZONE_A]], "a"),
        ([[AUTO, ZONE_A]], "a"),
        ([[ZONE_A, ZONE_A_OF_EBS]], "a"),
        ([[ZONES, ZONE_A_OF_EBS]], "a"),
        ([[ZONE_A], [ZONE_A_OF_EBS]], "a"),
        ([[ZONE_A], [ZONE_B]], ""),
        ([[ZONE_A, ZONE_B]], ""),
        ([[ZONES]], ""),
        ([[NOT_B]], ""),
        ([[ZONE_A], [AUTO]], ""),
        ([[ZONE_A], []], ""),
        ([[]], ""),
        ([], ""),
    ],
)
def test_zones(terms: list[list[Any]], zone: str) -> None:
    """The one zone that is left when conditions of a term hold together and one term must hold."""
    selector = {"nodeSelectorTerms": [{"matchExpressions": term} for term in terms]}
    assert kept("persistentvolumes", volume(spec={"nodeAffinity": {"required": selector}})).zone == zone


def test_inline_volumes() -> None:
    """A volume that a pod names itself has no PersistentVolume; the attachment says which it is."""
    inline = {"csi": {"driver": "ebs.csi.aws.com", "volumeHandle": VOLUME_ID}}
    thing = attachment(spec={"source": {"persistentVolumeName": None, "inlineVolumeSpec": inline}})
    seen = kept("volumeattachments", thing)
    assert (seen.volume, seen.volume_id) == ("", VOLUME_ID)


def test_nodes() -> None:
    """Without drivers of ours it is kept too: that it lacks them is what matters. No limit is no limit."""
    assert kept("csinodes", node("a", [])) == CsiNode("a", ())
    strange_ones: list[Any] = [
        {"name": "ebs.csi.aws.com", "nodeID": "node-a", "allocatable": {"count": -1}},
        {"name": "ebs.csi.aws.com", "nodeID": "i-0123456789abcdef0", "allocatable": {"count": 2**40}},
        {"name": None, "nodeID": None, "allocatable": None},
    ]
    assert kept("csinodes", node("a", strange_ones)) == CsiNode("a", (NodeDriver("ebs.csi.aws.com", "", None),))


# ---- which kinds


def test_the_kinds() -> None:
    """The wanted ones in one order, whoever asks how; the defaults are there; another is refused by name."""
    assert [kind.name for kind in kinds(["pods", "csinodes"], lambda _: False)] == ["csinodes", "pods"]
    assert [kind.name for kind in kinds(DEFAULT, lambda _: False)] == list(DEFAULT)
    assert [kind.name for kind in kinds(KINDS, lambda _: False)] == list(MAKERS) == list(KINDS)
    assert kinds([], lambda _: False) == ()
    assert {kind.path.rsplit("/", 1)[1] for kind in KINDS.values()} == set(KINDS)
    with pytest.raises(ValueError, match=r"^nodes: no such kind; there are persistentvolumes, .*pods$"):
        kinds(["pods", "nodes"], lambda _: False)


def test_annotations_that_nobody_looks_at() -> None:
    """Are not kept, and where none is kept all claims share one empty mapping."""
    one, two = (kept("persistentvolumeclaims", claim(name)) for name in "ab")
    assert one.annotations == {}
    assert one.annotations is two.annotations
    assert KINDS["persistentvolumeclaims"].keep(json.dumps(claim()).encode()) == kept("persistentvolumeclaims", claim())


# ---- what makes no sense


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b"7",
        b"{",
        b'{"metadata": {"name": "a"}} trailing',
        b'{"metadata": {"name": "\xff"}}',
        b'{"metadata": {"name": "\\ud800"}}',
        b'{"metadata": {"name": ""}}',
        b'{"metadata": {"name": null}}',
        b'{"metadata": {"name": 7}}',
        b'{"metadata": null}',
        b'{"metadata": {"name": "' + b"x" * 254 + b'"}}',
        b'{"x": 1e999999, "metadata": {"name": ' + b"9" * 5000 + b"}}",
        b'{"spec": ' + b"[" * 100_000 + b"]" * 100_000 + b', "metadata": {"name": "a"}}',
        b'{"other": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b', "metadata": {"name": "a"}}',
        b'{"spec": 7, "status": 7, "parameters": 7, "metadata": {"name": "a", "labels": 7}}',
    ],
    ids=lambda raw: raw[:24].decode("latin-1") if isinstance(raw, bytes) else str(raw),
)
def test_malformed(kind: str, raw: bytes) -> None:
    """No JSON, another shape, no name, nested without end: skipped, and nothing raises."""
    if b'"spec": 7' in raw and kind == "storageclasses":
        raw = raw.replace(b'"name": "a"', b'"name": ""')  # a class has neither
    assert skipped(kind, raw) == "malformed"


def test_absurd_fields_cost_only_themselves() -> None:
    """A size or an instant that is none, or a document where a word should be, is as if it were not there."""
    odd = {"capacity": {"storage": {"not": ["a", "size"]}}, "storageClassName": "x" * 300}
    seen = kept("persistentvolumes", volume(spec=odd, metadata={"creationTimestamp": "soon"}))
    assert (seen.capacity, seen.created, seen.storageclass, seen.name) == (None, None, "", "pvc-1")
    requests = {"resources": {"requests": {"storage": "1e999999"}}}
    statuses = {"allocatedResourceStatuses": {"storage": 7}, "capacity": {"storage": None}}
    seen = kept("persistentvolumeclaims", claim(spec=requests, status=statuses))
    assert (seen.requested, seen.capacity, seen.resize_status, seen.volume) == (None, None, "", "pvc-1")


def test_names_of_all_scripts() -> None:
    """Are kept as they are."""
    for name in ("größe", "数据-0", "e\u0301", "\U0001f600", 'a"b\\c\nd'):
        assert kept("persistentvolumes", volume(name)).name == name
        assert kept("persistentvolumeclaims", claim(name)).name == name


def test_it_reads_what_it_is_given() -> None:
    """A piece of a larger answer that was left undecoded serves as bytes do."""
    raw = msgspec.Raw(json.dumps(node()).encode())
    keep: Any = KINDS["csinodes"].keep
    assert keep(raw) == kept("csinodes", node())


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_nothing_raises_but_skipped(kind: str, data: st.DataObject) -> None:
    """Whatever an object holds: a record with a name, or a reason of one word."""
    thing = data.draw(strange(kind) | json_values)
    try:
        record: Any = KINDS[kind].keep(json.dumps(thing).encode())
    except Skipped as reason:
        assert reason.reason in {"malformed", "other_driver", "irrelevant"}  # noqa: PT017 - if it raises, then this
    else:
        assert record.name == thing["metadata"]["name"]


@given(st.sampled_from(list(KINDS)), st.binary(max_size=200), st.integers(0, 2000), st.binary(max_size=3))
def test_no_bytes_raise(kind: str, raw: bytes, at: int, cut: bytes) -> None:
    """Neither any bytes, nor an object with some of its bytes replaced, nor one that ends too early."""
    whole = json.dumps(MAKERS[kind]()).encode()
    for each in (raw, whole[:at], whole[:at] + cut + whole[at + len(cut) :]):
        try:
            KINDS[kind].keep(each)
        except Skipped as reason:
            assert reason.reason  # noqa: PT017 - that nothing else is raised is the point


# ---- memory


def test_many_are_small() -> None:
    """5,000 volumes with their claims, keys and all, within 6 MiB; what they have in common they share."""
    number = 5000
    one_volume = json.dumps(volume("pvc-NAME", "vol-ID", "data-NUMBER"))
    one_claim = json.dumps(claim("data-NUMBER", "pvc-NAME", metadata={"uid": "NAME"}))

    def text(template: str, n: int) -> bytes:
        return template.replace("NAME", f"{n:036x}").replace("ID", f"{n:017x}").replace("NUMBER", str(n)).encode()

    texts = [(text(one_volume, n), text(one_claim, n)) for n in range(number)]
    assert len(texts[0][0]) > 2000
    volumes: dict[str, Any] = {}
    claims: dict[str, Any] = {}
    tracemalloc.start()
    try:
        for one, other in texts:
            seen: Any = KINDS["persistentvolumes"].keep(one)
            volumes[seen.name] = seen
            seen = KINDS["persistentvolumeclaims"].keep(other)
            claims[f"{seen.namespace}/{seen.name}"] = seen
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert (len(volumes), len(claims)) == (number, number)
    assert held < 6 * MIB
    for field in ("driver", "storageclass", "reclaim_policy", "fstype", "zone", "phase", "claim_namespace"):
        assert len({id(getattr(each, field)) for each in volumes.values()}) == 1
    for field in ("namespace", "storageclass", "provisioner", "access_mode", "volume_mode", "phase", "annotations"):
        assert len({id(getattr(each, field)) for each in claims.values()}) == 1
    assert sys.getsizeof(next(iter(volumes.values()))) < 200
