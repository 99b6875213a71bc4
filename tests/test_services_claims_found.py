"""Claims beside what real discovery finds in the simulated AWS: who tells of them, what is left over or missed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exporter import exposition
from exporter.columns import fact_blocks
from exporter.demo.nouns import AccessPoint
from exporter.model import Claim, Claims
from exporter.services.base import Wishes
from exporter.store import Store
from tests.aws_wire import REGION
from tests.claims_scene import alike, by_access_point, by_volume, known, said, scene
from tests.harness import T, parsed

VOLUME_CLAIM = "aws_ebs_volume_persistentvolumeclaim_info"
ORPHANED, MISSING = "aws_ebs_volume_orphaned_info", "aws_ebs_volume_missing_info"
POINT_CLAIM = "aws_efs_access_point_persistentvolumeclaim_info"
POINT_MISSING = "aws_efs_access_point_missing_info"
SYSTEM_CLAIM = "aws_efs_file_system_persistentvolumeclaim_info"
BUCKET_CLAIM = "aws_s3_bucket_persistentvolumeclaim_info"
DRIVEN = ("ebs.csi.aws.com/cluster", "true")


# ---- who tells ------------------------------------------------------------------------------------------------------


async def test_the_tags_say_what_kubernetes_would_but_for_the_class(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Kubernetes every claim of the estate is there all the same, and it is said who told."""
    async with scene(monkeypatch, "ebs") as over:
        by_tags = await over.look()
        over.claims = known(by_volume(over.world))
        by_kubernetes = await over.look(T + 60)
        claimed = said(by_kubernetes, VOLUME_CLAIM)
        assert len(claimed) == 24
        assert {labels[-1] for labels in claimed} == {"gp3-sc"}
        assert said(by_tags, VOLUME_CLAIM) == {(*labels[:-1], "") for labels in claimed}
        assert (by_tags.claims, by_kubernetes.claims) == ({"tags": 24}, {"kubernetes": 24})
        assert said(by_kubernetes, ORPHANED) == said(by_kubernetes, MISSING) == said(by_tags, ORPHANED) == set()


async def test_where_kubernetes_is_known_only_kubernetes_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever tags say: a volume it does not name has no claim, one that is bound to nobody has an empty one."""
    async with scene(monkeypatch, "ebs") as over:
        world = over.world
        first, second = (world.volume(name).volume_id for name in ("data-postgres-0", "data-postgres-1"))
        over.claims = known({first: Claim("pv-unbound", storageclass="gp3"), "vol-elsewhere": Claim("pv", "c", "n")})
        inventory = await over.look()
        assert said(inventory, VOLUME_CLAIM) == {(first, "pv-unbound", "", "", "gp3")}
        assert inventory.claims == {"kubernetes": 1}
        over.claims = known({second: Claim("pv", "data", "shop", "gp3")})
        assert await over.said(VOLUME_CLAIM, T + 60) == {(second, "pv", "data", "shop", "gp3")}
        over.claims = known({})
        inventory = await over.look(T + 120)
        assert said(inventory, VOLUME_CLAIM) == set()
        assert inventory.claims == {"kubernetes": 0}


async def test_nobody_is_asked_where_nothing_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a listing there is no source, and nothing is missing."""
    for name, api in (("ebs", "ec2"), ("efs", "elasticfilesystem"), ("s3", "s3")):
        async with scene(monkeypatch, name) as over:
            over.claims = known(by_volume(over.world), access_points=by_access_point(over.world))
            over.server.faults.add("denied", service=api)
            inventory = await over.look()
            assert inventory.claims == {}
            assert list(inventory.samples) == []


async def test_one_claim_that_changes_costs_its_own_family_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """All else that is said, resources and assets stay the very same objects; everything does where none changed."""
    async with scene(monkeypatch, "ebs") as over:
        volumes = by_volume(over.world)
        over.claims = known(volumes)
        first = await over.look()
        before = {block.family.name: block for block in fact_blocks(first.samples, (), T)[0]}
        over.claims = known(dict(volumes))  # another object, which says the same
        same = await over.look(T + 60)
        assert {block.family.name: block for block in fact_blocks(same.samples, (), T + 60)[0]} == before
        changed = over.world.volume("data-postgres-0").volume_id
        over.claims = known({**volumes, changed: replace(volumes[changed], namespace="billing")})
        second = await over.look(T + 120)
        after = {block.family.name: block for block in fact_blocks(second.samples, (), T + 120)[0]}
        assert {name for name in before if before[name] is not after[name]} == {VOLUME_CLAIM}
        assert alike(first, second)


# ---- left over ------------------------------------------------------------------------------------------------------


async def test_orphans_of_our_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """Idle volumes of some age that our driver made and nobody names, with what they were made for."""
    async with scene(monkeypatch, "ebs", Wishes(pick=lambda key, tags: tags.get("Name") != "unselected")) as over:
        world = over.world
        ours = ("KubernetesCluster", "production")
        for_claim = (
            ("kubernetes.io/created-for/pvc/name", "data-old-0"),
            ("kubernetes.io/created-for/pvc/namespace", "shop"),
        )

        def add(name: str, *tags: tuple[str, str], at: float = T - 3600, instance: str | None = None) -> str:
            return world.add_volume(name, at=at, instance=instance, tags=tags).volume_id

        named = add("named", DRIVEN, ours, ("CSIVolumeName", "pvc-1"), *for_claim)
        bare = add("bare", DRIVEN)
        add("young", DRIVEN, ours, at=T - 60)
        add("staging", DRIVEN, ("kubernetes.io/cluster/staging", "owned"))
        add("attached", DRIVEN, ours, instance="node-a1")
        add("own", ("Name", "by-hand"))
        add("unselected", DRIVEN, ours, ("Name", "unselected"))
        volumes = by_volume(world)
        over.claims = known(volumes)
        expected = {(named, "pvc-1", "data-old-0", "shop"), (bare, "", "", "")}
        assert await over.said(ORPHANED) == expected
        over.claims = known({**volumes, bare: Claim("pv-static")})
        assert await over.said(ORPHANED, T + 60) == {(named, "pvc-1", "data-old-0", "shop")}
        over.claims = Claims(volumes)
        assert await over.said(ORPHANED, T + 120) == set()


async def test_no_orphans_where_our_cluster_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another cluster's estate: not one volume is ours, so nothing can be said of any of them."""
    async with scene(monkeypatch, "ebs") as over:
        world = over.world
        stray = world.add_volume("stray", at=T - 3600, tags=(DRIVEN,)).volume_id
        over.claims = known({"vol-0123456789abcdef0": Claim("pv", created=1)})
        assert await over.said(ORPHANED) == set()
        assert await over.said(MISSING, T + 60) == set()
        over.claims = known({world.volume("data-postgres-0").volume_id: Claim("pv", created=1)})
        assert await over.said(ORPHANED, T + 300) == {(stray, "", "", "")}


async def test_clusters_are_learnt_from_volumes_that_are_not_selected_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read of the estate must not decide whose a volume is."""
    async with scene(monkeypatch, "ebs", Wishes(pick=lambda _, tags: tags.get("Name") == "stray")) as over:
        volumes = by_volume(over.world)
        tags = (DRIVEN, ("Name", "stray"), ("KubernetesCluster", "production"))
        stray = over.world.add_volume("stray", at=T - 3600, tags=tags).volume_id
        over.claims = known(volumes)
        assert await over.said(ORPHANED) == {(stray, "", "", "")}


async def test_a_volume_that_is_deleted_with_its_claim_is_never_an_orphan(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its persistent volume goes at once, while the listing that still has it is minutes old: the next one decides."""
    async with scene(monkeypatch, "ebs") as over:
        world = over.world
        kept, deleted = (
            world.add_volume(name, at=T - 3600, tags=(DRIVEN, ("CSIVolumeName", name))).volume_id
            for name in ("kept", "deleted")
        )
        volumes = by_volume(world)
        over.claims = known({**volumes, kept: Claim("kept"), deleted: Claim("deleted")})
        assert await over.said(ORPHANED) == set()
        over.claims = known(volumes)
        world.delete_volume("deleted", T + 30)
        for minute in range(1, 5):
            assert await over.said(ORPHANED, T + 60 * minute) == set()
        assert await over.said(ORPHANED, T + 300) == {(kept, "kept", "", "")}


async def test_a_claim_that_goes_while_a_listing_is_read_waits_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Kubernetes said before AWS was asked is what counts against a volume."""
    async with scene(monkeypatch, "ebs") as over:
        volume = over.world.add_volume("going", at=T - 3600, tags=(DRIVEN,)).volume_id
        volumes = by_volume(over.world)
        over.claims = known({**volumes, volume: Claim("pv")})
        told: list[Claims] = []

        def asked() -> None:
            told.append(over.claims)
            if len(told) == 2:  # AWS has been asked since
                over.claims = known(volumes)

        over.asked = asked
        inventory = await over.look()
        assert said(inventory, ORPHANED) == set()
        assert volume not in {labels[0] for labels in said(inventory, VOLUME_CLAIM)}
        assert await over.said(ORPHANED, T + 60) == set()
        assert await over.said(ORPHANED, T + 300) == {(volume, "", "", "")}


# ---- missing --------------------------------------------------------------------------------------------------------


async def test_persistent_volumes_whose_volume_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of this region (or of none in particular) that the listing must have; even if none is selected here."""
    async with scene(monkeypatch, "ebs", Wishes(pick=lambda *_: False)) as over:
        old = Claim("pv", "data", "shop", "gp3", zone=f"{REGION}a", created=T - 3600)
        volumes = by_volume(over.world)
        over.claims = known(
            {
                **volumes,
                "vol-gone": old,
                "vol-anywhere": replace(old, persistentvolume="anywhere", zone=""),
                "vol-young": replace(old, created=T - 10),
                "vol-undated": replace(old, created=0),
                "vol-elsewhere": replace(old, zone="eu-west-1a"),
            }
        )
        expected = {("vol-gone", "pv", "data", "shop", "gp3"), ("vol-anywhere", "anywhere", "data", "shop", "gp3")}
        assert await over.said(MISSING) == expected
        assert await over.said(MISSING, T + 60) == expected  # the listing is the same, so the young one is still young
        later = await over.said(MISSING, T + 300)
        assert {labels[0] for labels in later} == {"vol-gone", "vol-anywhere", "vol-young"}
        over.claims = Claims(over.claims.volumes)
        assert await over.said(MISSING, T + 360) == set()


async def test_without_a_good_listing_nothing_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """For as long as the last good one counts it decides; then nobody knows."""
    async with scene(monkeypatch, "ebs") as over:
        over.claims = known({**by_volume(over.world), "vol-gone": Claim("pv", created=1)})
        assert len(await over.said(MISSING)) == 1
        over.server.faults.add("denied", service="ec2", operation="DescribeVolumes")
        assert len(await over.said(MISSING, T + 600)) == 1
        assert await over.said(MISSING, T + 960) == set()


async def test_a_volume_seen_since_the_listing_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fast look sees one that is being attached; and one that has gone since is for the next listing to miss."""
    async with scene(monkeypatch, "ebs") as over:
        world = over.world
        deleted = world.volume("data-postgres-0").volume_id
        volumes = by_volume(world)
        over.claims = known(volumes)
        await over.look()
        fresh = world.add_volume("fresh", at=T + 10).volume_id
        world.attach("fresh", "node-a1", T + 20, takes=200)
        over.claims = known({**volumes, fresh: Claim("pv", created=T - 3600)})
        world.detach("data-postgres-0", T + 50, takes=60)
        assert await over.said(MISSING, T + 60) == set()
        world.delete_volume("data-postgres-0", T + 115)
        inventory = await over.look(T + 120)
        assert said(inventory, MISSING) == set()
        assert deleted not in {labels[0] for labels in said(inventory, VOLUME_CLAIM)}  # the look has seen it go
        assert {labels[0] for labels in await over.said(MISSING, T + 300)} == {deleted}


# ---- EFS and S3 -----------------------------------------------------------------------------------------------------


async def test_access_points_and_file_systems_of_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several persistent volumes may share one; those that name no access point are the file system's, with a path."""
    async with scene(monkeypatch, "efs") as over:
        system = over.world.file_system("eks_production")
        shared, points = system.file_system_id, by_access_point(over.world)
        by_token = await over.look()
        assert by_token.claims == {"client_token": len(points)}
        assert said(by_token, POINT_CLAIM) == {
            (shared, point, claim.persistentvolume, "", "", "") for point, (claim,) in points.items()
        }
        twice, other = list(points)[:2]
        static = [Claim("pv-a", "data", "a", path="/a"), Claim("pv-b", "data", "b", path="/b"), Claim("pv-c")]
        over.claims = known(
            {},
            access_points={twice: [*points[twice], Claim("pv-too", "uploads", "review", "efs")]},
            file_systems={shared: static, "fs-elsewhere": static},
        )
        inventory = await over.look(T + 60)
        (first,) = points[twice]
        assert said(inventory, POINT_CLAIM) == {
            (shared, twice, first.persistentvolume, first.persistentvolumeclaim, first.namespace, "efs"),
            (shared, twice, "pv-too", "uploads", "review", "efs"),
        }
        assert said(inventory, SYSTEM_CLAIM) == {
            (shared, "/a", "pv-a", "data", "a", ""),
            (shared, "/b", "pv-b", "data", "b", ""),
            (shared, "", "pv-c", "", "", ""),
        }
        assert inventory.claims == {"kubernetes": 5}
        assert other not in {labels[1] for labels in said(inventory, POINT_CLAIM)}
        over.claims = replace(over.claims, known=False)
        again = await over.look(T + 120)
        assert said(again, POINT_CLAIM) == said(by_token, POINT_CLAIM)
        assert said(again, SYSTEM_CLAIM) == set()


async def test_an_access_point_made_by_hand_has_no_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its client token may look like anything, the driver's mark is what counts."""
    async with scene(monkeypatch, "efs") as over:
        token = "pvc-0b9d1a5e-2f3c-4d5e-8f90-a1b2c3d4e5f6"
        over.world.add_access_point("media", AccessPoint("fsap-0aaaaaaaaaaaaaaaa", token, "/x", 1, 1))
        assert len(by_access_point(over.world)) == len(await over.said(POINT_CLAIM)) > 0


async def test_persistent_volumes_whose_access_point_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Judged by the file system that their handle names, where its access points are listed and old enough."""
    async with scene(monkeypatch, "efs") as over:
        shared = over.world.file_system("eks_production").file_system_id
        gone = Claim("pv-gone", "data", "shop", "efs", created=T - 3600, file_system_id=shared)
        points = by_access_point(over.world)
        over.claims = known(
            {},
            access_points={
                **points,
                "fsap-gone": [gone, replace(gone, persistentvolume="pv-young", created=T - 10)],
                "fsap-undated": [replace(gone, created=0)],
                "fsap-elsewhere": [replace(gone, file_system_id="fs-0123456789abcdef0")],
                "fsap-nowhere": [replace(gone, file_system_id="")],
            },
        )
        expected = {(shared, "fsap-gone", "pv-gone", "data", "shop", "efs")}
        assert await over.said(POINT_MISSING) == expected
        assert len(await over.said(POINT_MISSING, T + 300)) == 2
        over.claims = replace(over.claims, known=False)
        assert await over.said(POINT_MISSING, T + 360) == set()
        over.claims = replace(over.claims, known=True)
        over.server.faults.add("denied", service="elasticfilesystem", operation="DescribeAccessPoints")
        assert len(await over.said(POINT_MISSING, T + 600)) == 2
        assert await over.said(POINT_MISSING, T + 1300) == set()


async def test_buckets_of_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only Kubernetes knows them; one bucket may be several claims', and a bucket that is not here says nothing."""
    async with scene(monkeypatch, "s3") as over:
        without = await over.look()
        assert without.claims == {}
        bucket = min(labels[0] for labels in said(without, "aws_s3_bucket_created_timestamp_seconds"))
        mounting = [Claim("pv-a", "models", "ml", "s3"), Claim("pv-b", "models", "batch")]
        over.claims = known({}, buckets={bucket: mounting, "somebody-elses": mounting})
        inventory = await over.look(T + 60)
        assert said(inventory, BUCKET_CLAIM) == {
            (bucket, "pv-a", "models", "ml", "s3"),
            (bucket, "pv-b", "models", "batch", ""),
        }
        assert inventory.claims == {"kubernetes": 2}
        blocks = {block.family.name: block for block in fact_blocks(without.samples, (), T)[0]}
        again = {block.family.name: block for block in fact_blocks(inventory.samples, (), T + 60)[0]}
        assert {name for name in again if again[name] is not blocks.get(name)} == {BUCKET_CLAIM}
        assert alike(inventory, without)
        over.claims = replace(over.claims, known=False)
        assert await over.said(BUCKET_CLAIM, T + 120) == set()


# ---- texts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ['quo"te', "back\\slash", "new\nline", "ünï€ode 日本", "a=b,c={d}", "%s %d"])
async def test_odd_names_come_out_as_they_are(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever Kubernetes gives for a name stands in the exposition, on the families of claims."""
    async with scene(monkeypatch, "ebs") as over:
        volume = over.world.volume("data-postgres-0").volume_id
        odd = Claim(text, text, text, text, created=1)
        over.claims = known({volume: odd, "vol-gone": odd})
        inventory = await over.look()
    store = Store(10_000, lambda *_: None)
    store.put("ebs", fact_blocks(inventory.samples, (), T)[0], at=T)
    shown = parsed(exposition.plain(store.snapshot(T)).decode())
    names = dict.fromkeys(("persistentvolume", "persistentvolumeclaim", "namespace", "storageclass"), text)
    for family, volume_id in ((VOLUME_CLAIM, volume), (MISSING, "vol-gone")):
        labels = {"account_id": "123456789012", "region": REGION, "volume_id": volume_id, **names}
        assert shown[family, frozenset(labels.items())] == 1
