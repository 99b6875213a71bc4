"""The demo's cluster in trouble, and its objects as the official client's models."""

from __future__ import annotations

import re
from typing import Any

import pytest

from exporter.demo import SCENARIOS, World, WorldClock, run_kubernetes_in_thread
from exporter.demo.kubernetes_kinds import RESOURCES
from exporter.demo.kubernetes_many import many
from exporter.demo.kubernetes_objects import cluster_of, objects
from exporter.demo.nouns import Volume
from tests.demo_kubernetes import ask, attachments, by_name, kubernetes, names_host, of_claim, official, pod, ready
from tests.demo_worlds import NOW, world


def test_attach_stuck() -> None:
    """The old attachment goes, the new one never is attached and says why after two minutes; the pod waits."""
    asked = world()
    asked.scenario("attach-stuck", NOW)
    old, new = (asked.instance(name).instance_id for name in ("node-a1", "node-a2"))
    leaving = attachments(objects(asked, NOW + 10), asked, "data-mongodb-0")
    assert leaving.keys() == {old}
    assert leaving[old]["metadata"]["deletionTimestamp"] == "2026-08-23T10:00:00Z"
    coming = attachments(objects(asked, NOW + 100), asked, "data-mongodb-0")
    assert coming.keys() == {new}
    assert coming[new]["status"] == {"attached": False}
    assert coming[new]["metadata"]["creationTimestamp"] == "2026-08-23T10:01:00Z"
    found = objects(asked, NOW + 86_400)
    stuck = attachments(found, asked, "data-mongodb-0")[new]
    volume_id = asked.volume("data-mongodb-0").volume_id
    assert stuck["status"]["attached"] is False
    message = stuck["status"]["attachError"]["message"]
    assert f'Could not attach volume "{volume_id}" to node "{new}"' in message
    assert "expected device to be attached but was attaching" in message
    waiting = pod(found, "mongodb-0")
    assert waiting["status"]["phase"] == "Pending"
    assert waiting["spec"]["nodeName"] == names_host(asked, "node-a2")


def test_node_loss() -> None:
    """The node's entry goes, its attachments linger and say why, then everything is attached elsewhere."""
    asked = world()
    asked.scenario("node-loss", NOW)
    lost, target = asked.instance("node-a1"), asked.instance("node-a2")
    assert names_host(asked, "node-a1") in by_name(objects(asked, NOW + 100), "csinodes")
    leaving = attachments(objects(asked, NOW + 100), asked, "data-postgres-0")[lost.instance_id]
    assert leaving["status"].keys() == {"attached", "attachmentMetadata"}
    later = objects(asked, NOW + 200)
    assert names_host(asked, "node-a1") not in by_name(later, "csinodes")
    lingering = attachments(later, asked, "data-postgres-0")[lost.instance_id]
    assert lingering["metadata"]["deletionTimestamp"] == "2026-08-23T10:01:00Z"
    assert "Could not detach volume" in lingering["status"]["detachError"]["message"]
    assert "nodeName" not in pod(later, "postgres-0")["spec"]
    healed = objects(asked, NOW + 900)
    assert attachments(healed, asked, "data-postgres-0").keys() == {target.instance_id}
    assert pod(healed, "postgres-0")["status"]["phase"] == "Running"
    assert pod(healed, "postgres-0")["metadata"]["uid"] != pod(later, "postgres-0")["metadata"]["uid"]


def test_claim_terminating() -> None:
    """The claim is on its way out and stays bound, held by the pod that uses it; its class would delete the data."""
    asked = world()
    asked.scenario("claim-terminating", NOW)
    before, found = objects(asked, NOW - 1), objects(asked, NOW + 86_400)
    assert [item for item in before["persistentvolumeclaims"] if "deletionTimestamp" in item["metadata"]] == []
    (dying,) = [item for item in found["persistentvolumeclaims"] if "deletionTimestamp" in item["metadata"]]
    assert dying["metadata"]["name"] == "data-mysql-0"
    assert dying["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]
    assert dying["status"]["phase"] == "Bound"
    assert of_claim(found, "data-mysql-0")["spec"]["persistentVolumeReclaimPolicy"] == "Delete"
    assert pod(found, "mysql-0")["status"]["phase"] == "Running"


def test_csi_driver_missing() -> None:
    """One node's entry lacks the EBS driver, whose pod there is not ready; its volumes stay attached."""
    asked = world()
    asked.scenario("csi-driver-missing", NOW)
    assert all(len(item["spec"]["drivers"]) == 3 for item in objects(asked, NOW - 1)["csinodes"])
    found = objects(asked, NOW)
    bare = names_host(asked, "node-b1")
    lacking = {
        name
        for name, item in by_name(found, "csinodes").items()
        if "ebs.csi.aws.com" not in {driver["name"] for driver in item["spec"]["drivers"]}
    }
    assert lacking == {bare}
    (broken,) = [item for item in found["pods"] if item["metadata"]["namespace"] == "kube-system" and not ready(item)]
    assert (broken["metadata"]["labels"]["app"], broken["spec"]["nodeName"]) == ("ebs-csi-node", bare)
    assert attachments(found, asked, "data-postgres-1").keys() == {asked.instance("node-b1").instance_id}


def test_volume_gone() -> None:
    """AWS has no such volume any more; Kubernetes has volume, claim and attachment as before."""
    asked = world()
    before = objects(asked, NOW)
    asked.scenario("volume-gone", NOW - 60)
    assert asked.volume("data-keydb-1") not in asked.volumes()
    assert asked.volume("data-keydb-1") in asked.volumes(NOW - 61)
    assert objects(asked, NOW) == before


def test_volume_orphaned() -> None:
    """The volume is there with the driver's tags, detached; Kubernetes has neither volume nor claim."""
    asked = world()
    asked.scenario("volume-orphaned", NOW - 60)
    volume = asked.volume("data-tempo-ingester-0")
    assert volume in asked.volumes()
    assert volume.state(NOW) == "available"
    assert dict(volume.tags)["kubernetes.io/created-for/pvc/name"] == "data-tempo-ingester-0"
    found = objects(asked, NOW)
    claims = {item["metadata"]["name"] for item in found["persistentvolumeclaims"]}
    assert "data-tempo-ingester-0" not in claims
    assert volume.volume_id not in {
        item["spec"].get("csi", {}).get("volumeHandle") for item in found["persistentvolumes"]
    }
    assert "tempo-ingester-0" not in {item["metadata"]["name"] for item in found["pods"]}
    assert "data-tempo-ingester-0" in {
        item["metadata"]["name"] for item in objects(asked, NOW - 61)["persistentvolumeclaims"]
    }


# --- as the official client has them ----------------------------------------------------------------------------------


def test_official_models_know_every_field() -> None:
    """What the server gives, read into typed models and written again, is what it gave: nothing is missing or odd."""
    asked = World(1, WorldClock(NOW))
    cluster = cluster_of(asked)
    with run_kubernetes_in_thread(cluster) as server, official(server) as apis:
        for name in ("attach-stuck", "node-loss", "claim-terminating", "csi-driver-missing"):
            asked.scenario(name, NOW - 200)
            for kind, lists in apis.lists().items():
                given = ask(server, "GET", RESOURCES[kind].path).json["items"]
                typed = [apis.api.sanitize_for_serialization(item) for item in lists().items]
                assert [_plain(item) for item in typed] == [_plain(item) for item in given]
                assert given or kind == "leases"


def test_many() -> None:
    """A large cluster's objects are as typed as the small one's, all bound, every name and handle once."""
    found = many(1000)
    volumes, claims = by_name(found, "persistentvolumes"), found["persistentvolumeclaims"]
    assert len(volumes) == len(claims) == 1000
    assert len({item["spec"]["csi"]["volumeHandle"] for item in volumes.values()}) == 1000
    for item in claims:
        volume = volumes[item["spec"]["volumeName"]]
        assert volume["spec"]["claimRef"]["uid"] == item["metadata"]["uid"]
    models = kubernetes.client.ApiClient()
    for kind, model in (
        ("persistentvolumes", "V1PersistentVolume"),
        ("persistentvolumeclaims", "V1PersistentVolumeClaim"),
    ):
        for item in found[kind][:20]:
            read = models._ApiClient__deserialize(item, model)
            assert _plain(models.sanitize_for_serialization(read)) == _plain(item)


def _plain(value: Any) -> Any:
    """JSON without nulls and with one way to write UTC, which the client does not keep apart."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return re.sub(r"\+00:00$", "Z", value) if isinstance(value, str) else value


def test_a_volume_that_is_repeated_is_one() -> None:
    """What DescribeVolumes gives twice is one volume to Kubernetes."""
    asked = world()
    asked.repeat_volume("data-postgres-0")
    assert sum(isinstance(item, Volume) and item.name == "data-postgres-0" for item in asked.volumes()) == 2
    by_name(objects(asked, NOW), "persistentvolumes")


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_has_a_cluster(name: str) -> None:
    """At any instant of any scenario names are unique, references hold, and every kind can be told."""
    asked = world()
    asked.scenario(name, NOW)
    for offset in (-1, 0, 45, 70, 150, 400, 3600, 86_400):
        found = objects(asked, NOW + offset)
        volumes = by_name(found, "persistentvolumes")
        uids = {item["metadata"]["uid"] for item in found["persistentvolumeclaims"]}
        for item in found["volumeattachments"]:
            assert item["spec"]["source"]["persistentVolumeName"] in volumes
        for volume in volumes.values():
            assert volume["spec"]["claimRef"]["uid"] in uids or volume["status"]["phase"] == "Released"
        everything = [item["metadata"]["uid"] for items in found.values() for item in items]
        assert len(everything) == len(set(everything))
