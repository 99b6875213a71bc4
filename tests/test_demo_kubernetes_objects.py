"""The objects of the demo's cluster: what the account's world makes of them, in every scenario, as official models."""

from __future__ import annotations

import re

from exporter.demo import World, WorldClock
from exporter.demo.kubernetes_kinds import Object
from exporter.demo.kubernetes_objects import cluster_of, objects
from exporter.demo.nouns import Claim
from exporter.demo.tables import CLAIMS, NODES, SHARED_CLAIMS
from tests.demo_kubernetes import attachments, by_name, names_host, of_claim, pod, ready
from tests.demo_worlds import NOW, world

_HANDLES = {
    "ebs.csi.aws.com": r"vol-[0-9a-f]{17}",
    "efs.csi.aws.com": r"fs-[0-9a-f]{17}(::fsap-[0-9a-f]{17}|:/assets)",
    "s3.csi.aws.com": r"s3-uploads",
    "nfs.csi.k8s.io": r"nfs\.office\.example#export/scans##",
}


# --- an ordinary day --------------------------------------------------------------------------------------------------


def test_every_volume_has_its_claim() -> None:
    """Each claim of the account's tables is bound to the volume AWS has, both sides name each other by id."""
    asked = world()
    found = objects(asked, NOW)
    claims = {
        (item["metadata"]["namespace"], item["metadata"]["name"]): item for item in found["persistentvolumeclaims"]
    }
    for name, namespace, _, size, *_ in CLAIMS:
        volume = of_claim(found, name)
        claim, disk = claims[namespace, name], asked.volume(name)
        assert volume["spec"]["csi"]["volumeHandle"] == disk.volume_id
        assert volume["spec"]["claimRef"]["uid"] == claim["metadata"]["uid"]
        assert claim["spec"]["volumeName"] == volume["metadata"]["name"] == f"pvc-{claim['metadata']['uid']}"
        assert claim["spec"]["resources"]["requests"]["storage"] == volume["spec"]["capacity"]["storage"] == f"{size}Gi"
        assert (claim["status"]["phase"], volume["status"]["phase"]) == ("Bound", "Bound")
        (term,) = volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]
        assert term["matchExpressions"] == [
            {"key": "topology.kubernetes.io/zone", "operator": "In", "values": [disk.zone]}
        ]
        assert dict(disk.tags)["CSIVolumeName"] == volume["metadata"]["name"]
    system = asked.file_system("eks_production")
    for name, namespace, _ in SHARED_CLAIMS:
        (point,) = [item for item in system.access_points if item.claim and item.claim.name == name]
        handle = of_claim(found, name)["spec"]["csi"]["volumeHandle"]
        assert handle == f"{system.file_system_id}::{point.access_point_id}"
        assert claims[namespace, name]["spec"]["volumeName"] == point.client_token


def test_handles_follow_the_grammars() -> None:
    """Every driver's handle, the migrated volume, the bucket's name, a path without access point, a shared point."""
    asked = world()
    found = objects(asked, NOW)
    handles = []
    for item in found["persistentvolumes"]:
        csi = item["spec"].get("csi")
        if csi is not None:
            assert re.fullmatch(_HANDLES[csi["driver"]], csi["volumeHandle"])
            handles.append(csi["volumeHandle"])
    wiki = of_claim(found, "data-wiki-0")
    disk = asked.volume("wiki")
    assert wiki["spec"]["awsElasticBlockStore"]["volumeID"] == f"aws://{disk.zone}/{disk.volume_id}"
    assert wiki["metadata"]["annotations"]["pv.kubernetes.io/migrated-to"] == "ebs.csi.aws.com"
    bucket = of_claim(found, "uploads-bucket")["spec"]["csi"]["volumeAttributes"]["bucketName"]
    assert bucket in {item.name for item in asked.buckets(NOW)}
    media = asked.file_system("media")
    assert handles.count(f"{media.file_system_id}::{media.access_points[0].access_point_id}") == 2
    assert f"{media.file_system_id}:/assets" in handles
    assert "storageClassName" not in of_claim(found, "media-assets")["spec"]


def test_claims_that_are_not_simply_bound() -> None:
    """One waits for its first pod, one for the growth of its file system, one volume outlived its claim."""
    asked = world()
    found = objects(asked, NOW)
    claims = {item["metadata"]["name"]: item for item in found["persistentvolumeclaims"]}
    pending = claims["data-reporting-0"]
    assert pending["status"] == {"phase": "Pending"}
    assert "volumeName" not in pending["spec"]
    growing = claims["data-cassandra-0"]
    assert growing["spec"]["resources"]["requests"]["storage"] == "500Gi"
    assert growing["status"]["capacity"]["storage"] == "400Gi"
    assert [(item["type"], item["status"]) for item in growing["status"]["conditions"]] == [
        ("FileSystemResizePending", "True")
    ]
    released = by_name(found, "persistentvolumes")["old-reporting"]
    assert (released["status"]["phase"], released["spec"]["persistentVolumeReclaimPolicy"]) == ("Released", "Retain")
    assert released["spec"]["claimRef"]["name"] not in claims
    phases = {item["status"]["phase"] for item in found["persistentvolumes"]}
    assert phases == {"Bound", "Released"}


def test_classes_and_drivers() -> None:
    """The class of the databases is gp3 of 3000 IOPS and 125 MiB/s; the shared one names the file system."""
    asked = world()
    found = objects(asked, NOW)
    classes = by_name(found, "storageclasses")
    block, shared = classes["gp3-sc"], classes["efs"]
    assert block["provisioner"] == "ebs.csi.aws.com"
    assert block["parameters"].items() >= {"type": "gp3", "iops": "3000", "throughput": "125"}.items()
    assert block["parameters"]["csi.storage.k8s.io/fstype"] == "ext4"
    assert (block["reclaimPolicy"], block["volumeBindingMode"], block["allowVolumeExpansion"]) == (
        "Delete",
        "WaitForFirstConsumer",
        True,
    )
    system = asked.file_system("eks_production").file_system_id
    assert shared["parameters"].items() >= {"provisioningMode": "efs-ap", "fileSystemId": system}.items()
    assert shared["parameters"]["directoryPerms"] == "700"
    assert classes["nfs-office"]["provisioner"] == "nfs.csi.k8s.io"
    used = {item["spec"].get("storageClassName", "") for item in found["persistentvolumes"]}
    assert used - {""} <= classes.keys()
    drivers = by_name(found, "csidrivers")
    assert {name: item["spec"]["attachRequired"] for name, item in drivers.items()} == {
        "ebs.csi.aws.com": True,
        "efs.csi.aws.com": False,
        "s3.csi.aws.com": False,
    }


def test_nodes_say_what_they_can_hold() -> None:
    """Every instance has an entry with its id in both AWS drivers and a limit below that of its type."""
    asked = world()
    found = by_name(objects(asked, NOW), "csinodes")
    assert len(found) == len(NODES)
    for name, *_ in NODES:
        instance = asked.instance(name)
        drivers = {item["name"]: item for item in found[names_host(asked, name)]["spec"]["drivers"]}
        assert drivers["ebs.csi.aws.com"]["nodeID"] == drivers["efs.csi.aws.com"]["nodeID"] == instance.instance_id
        assert 0 < drivers["ebs.csi.aws.com"]["allocatable"]["count"] < instance.type.attachments
        assert "topology.ebs.csi.aws.com/zone" in drivers["ebs.csi.aws.com"]["topologyKeys"]


def test_attachments_are_where_aws_has_them() -> None:
    """Each claim's volume is attached to the node it is attached to in AWS; other volumes have no attachment here."""
    asked = world()
    found = objects(asked, NOW)
    expected = 0
    for disk in asked.volumes():
        if disk.claim is None:
            continue
        ((instance_id, item),) = attachments(found, asked, disk.name).items()
        assert instance_id == disk.held(NOW)[0].instance_id
        assert item["status"]["attached"] is True
        assert item["spec"]["attacher"] == "ebs.csi.aws.com"
        assert re.fullmatch(r"csi-[0-9a-f]{64}", item["metadata"]["name"])
        expected += 1
    assert len(found["volumeattachments"]) == expected + 1  # and the migrated one's
    assert {item["spec"]["nodeName"] for item in found["volumeattachments"]} <= set(by_name(found, "csinodes"))


def test_pods_use_the_claims() -> None:
    """StatefulSets' pods on their volumes' nodes, Deployments' by twos, one finished Job, drivers with versions."""
    asked = world()
    found = objects(asked, NOW)
    postgres = pod(found, "postgres-0")
    assert postgres["metadata"]["ownerReferences"][0]["kind"] == "StatefulSet"
    assert postgres["metadata"]["ownerReferences"][0]["name"] == "postgres"
    assert postgres["spec"]["nodeName"] == names_host(asked, "node-a1")
    mounted = [
        (item["metadata"]["namespace"], volume["persistentVolumeClaim"]["claimName"], item["status"]["phase"])
        for item in found["pods"]
        for volume in item["spec"]["volumes"]
        if "persistentVolumeClaim" in volume
    ]
    bound = {
        (item["metadata"]["namespace"], item["metadata"]["name"])
        for item in found["persistentvolumeclaims"]
        if item["status"]["phase"] == "Bound"
    }
    assert {(namespace, claim) for namespace, claim, _ in mounted} == bound
    assert [phase for _, claim, phase in mounted if claim == "airflow-logs"] == ["Running", "Running", "Succeeded"]
    drivers = [item for item in found["pods"] if item["metadata"].get("labels", {}).get("app", "").endswith("-node")]
    assert len(drivers) == 2 * len(NODES)
    images = {image.rpartition("/")[2] for item in drivers for image in _images(item)}
    assert {"aws-ebs-csi-driver:v1.42.0", "aws-efs-csi-driver:v2.1.7"} <= images
    controllers = [item for item in found["pods"] if "controller" in item["metadata"]["name"]]
    assert {item["metadata"]["labels"]["app"] for item in controllers} == {"ebs-csi-controller", "efs-csi-controller"}
    assert all(ready(item) for item in (*drivers, *controllers))


def _images(item: Object) -> list[str]:
    return [container["image"] for container in item["spec"]["containers"]]


# --- in time ----------------------------------------------------------------------------------------------------------


def test_the_same_instant_is_the_same_cluster() -> None:
    """Asked twice, in another order, or of another world of the seed: the same; another seed has other ids."""
    first = objects(world(), NOW)
    again = world()
    objects(again, NOW + 3600)
    assert objects(again, NOW) == first
    other = objects(world(seed=2), NOW)
    assert not by_name(first, "persistentvolumes").keys() & {
        name for name in by_name(other, "persistentvolumes") if name.startswith("pvc-")
    }


def test_an_empty_account_has_an_empty_cluster() -> None:
    """Without volumes and file systems there are classes and drivers, and nothing that uses them."""
    found = objects(World.empty(1, WorldClock(NOW)), NOW)
    kinds = ("persistentvolumes", "persistentvolumeclaims", "volumeattachments", "csinodes", "pods")
    assert {kind: found[kind] for kind in kinds} == {kind: [] for kind in kinds}
    assert "gp3-sc" in by_name(found, "storageclasses")


def test_a_claim_made_by_hand_comes_to_life() -> None:
    """The claim first, pending; then volume and attachment; a watcher of the cluster sees each step."""
    clock = WorldClock(NOW)
    asked = World(1, clock)
    cluster = cluster_of(asked)
    cluster.refresh()
    before = cluster.version
    claim = Claim("databases", "data-new-0", "pvc-0b4e3f7a-0000-4000-a000-000000000001", "gp3-sc")
    asked.add_volume("data-new-0", claim=claim, at=NOW + 10)
    asked.attach("data-new-0", "node-a1", NOW + 20, takes=12)
    for _ in range(40):
        clock.advance(1)
        cluster.refresh()
    told = [(event.kind, event.before is None) for event in cluster.events() if event.version > before]
    assert told == [
        ("persistentvolumeclaims", True),
        ("persistentvolumes", True),
        ("persistentvolumeclaims", False),
        ("pods", True),
        ("pods", False),  # it has a node
        ("volumeattachments", True),
        ("pods", False),  # it runs
        ("volumeattachments", False),
    ]


def test_nothing_changes_while_nothing_happens() -> None:
    """An hour of an ordinary day makes no change at all."""
    clock = WorldClock(NOW)
    cluster = cluster_of(World(1, clock))
    cluster.refresh()
    version = cluster.version
    for _ in range(12):
        clock.advance(300)
        cluster.refresh()
    assert cluster.version == version


def test_what_is_changed_by_hand_stays() -> None:
    """An object that a test put, changed or deleted is the test's from then on; the others go on with the world."""
    asked = World(1, WorldClock(NOW))
    cluster = cluster_of(asked)
    cluster.refresh()
    node, other = names_host(asked, "node-b1"), names_host(asked, "node-a1")
    volume = of_claim(objects(asked, NOW), "data-tempo-ingester-0")["metadata"]["name"]
    cluster.patch("csinodes", node, {"metadata": {"labels": {"by": "hand"}}})
    cluster.patch("persistentvolumes", volume, {"metadata": {"labels": {"by": "hand"}}})
    cluster.delete("csinodes", other)
    asked.scenario("csi-driver-missing")
    cluster.refresh()
    assert len(cluster.get("csinodes", node)["spec"]["drivers"]) == 3
    assert cluster.get("csinodes", other) is None
    asked.scenario("volume-orphaned")
    cluster.refresh()
    assert cluster.get("persistentvolumes", volume)["metadata"]["labels"] == {"by": "hand"}
    assert cluster.get("persistentvolumeclaims", "observability/data-tempo-ingester-0") is None
