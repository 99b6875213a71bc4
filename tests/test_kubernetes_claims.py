"""Whose each volume is: only what both sides say, one claim an EBS volume, and never a wrong one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.kubernetes.claims import claims_of, gather, renewed
from exporter.model import NO_CLAIMS, Claim, Claims
from tests.kubernetes_objects import LATER, VOLUME_ID, claim, laid_over, state_of, strange, volume

OTHER_ID = "vol-0fedcba9876543210"


def csi(name: str, driver: str, handle: str, **more: Any) -> dict[str, Any]:
    """A PersistentVolume of another driver than EBS's, bound to no claim."""
    spec = {"claimRef": None, "csi": {"driver": driver, "volumeHandle": handle}, **more}
    return volume(name, spec=spec, status={"phase": "Available"})


def plain(claims: Claims) -> tuple[Any, ...]:
    """What *claims* say, to compare."""
    return claims.volumes, claims.access_points, claims.file_systems, claims.buckets, claims.known


# ---- what is bound


def test_a_bound_volume() -> None:
    """Everything of its claim that somebody looks at."""
    pinned = claim(metadata={"annotations": {"monitoring": "pinned"}})
    state = state_of(["monitoring"], persistentvolumes=[volume()], persistentvolumeclaims=[pinned])
    claims, left_out = claims_of(state)
    assert claims.volumes == {
        VOLUME_ID: Claim(
            persistentvolume="pvc-1",
            persistentvolumeclaim="data-postgres-0",
            namespace="billing",
            storageclass="gp3-sc",
            zone="ap-southeast-3a",
            annotations={"monitoring": "pinned"},
            created=1767323045,
        )
    }
    assert (claims.access_points, claims.file_systems, claims.buckets, claims.known) == ({}, {}, {}, True)
    assert dict(left_out) == {}


def test_without_the_claims() -> None:
    """Where claims are not known the volume is believed; where volumes are not known nothing is."""
    claims, _ = claims_of(state_of(persistentvolumes=[volume()]))
    assert claims.volumes[VOLUME_ID].persistentvolumeclaim == "data-postgres-0"
    assert claims_of(state_of(persistentvolumeclaims=[claim()])) == (NO_CLAIMS, {})
    assert claims_of({}) == (NO_CLAIMS, {})
    assert claims_of(state_of(persistentvolumes=[]))[0].known


UID = "uid-of-data-postgres-0"


@pytest.mark.parametrize(
    ("one", "other", "bound"),
    [
        ({}, {}, True),
        ({"status": None}, {}, True),
        ({"status": {"phase": "Released"}}, {}, False),
        ({"status": {"phase": "Failed"}}, {}, False),
        ({"status": {"phase": "Available"}}, {}, False),
        ({"status": {"phase": "Pending"}}, {}, False),
        ({"spec": {"claimRef": None}}, {}, False),
        ({"spec": {"claimRef": {"name": None}}}, {}, False),
        ({"spec": {"claimRef": {"namespace": "other"}}}, {}, False),
        ({}, {"metadata": {"uid": "another, made later"}}, False),
        ({}, {"metadata": {"uid": None}}, False),
        ({}, {"spec": {"volumeName": None}}, True),
        ({}, {"spec": {"volumeName": "pvc-2"}}, False),
        ({"spec": {"claimRef": {"uid": None}}}, {}, True),
        ({"spec": {"claimRef": {"uid": None}}}, {"spec": {"volumeName": None}}, False),
        ({"spec": {"claimRef": {"uid": None}}}, {"spec": {"volumeName": "pvc-2"}}, False),
        ({}, {"metadata": {"name": "data-postgres-1", "uid": UID}}, False),
    ],
)
def test_both_sides_must_say_so(one: Mapping[str, Any], other: Mapping[str, Any], *, bound: bool) -> None:
    """A claim's name stands beside a volume that is bound to it, and to no namesake; the volume stands there anyway."""
    state = state_of(
        ["monitoring"],
        persistentvolumes=[volume(**one)],
        persistentvolumeclaims=[laid_over(claim(metadata={"annotations": {"monitoring": "pinned"}}), other)],
    )
    whose = claims_of(state)[0].volumes[VOLUME_ID]
    expected = ("data-postgres-0", "billing", {"monitoring": "pinned"}) if bound else ("", "", {})
    assert (whose.persistentvolumeclaim, whose.namespace, whose.annotations) == expected
    assert (whose.persistentvolume, whose.storageclass) == ("pvc-1", "gp3-sc")


def test_a_claim_made_anew_has_one_volume() -> None:
    """The released volume of the claim before keeps its name, which is not believed."""
    old = volume("pvc-0", OTHER_ID, status={"phase": "Released"}, spec={"claimRef": {"uid": "uid-before"}})
    state = state_of(persistentvolumes=[old, volume()], persistentvolumeclaims=[claim()])
    names = {handle: whose.persistentvolumeclaim for handle, whose in claims_of(state)[0].volumes.items()}
    assert names == {OTHER_ID: "", VOLUME_ID: "data-postgres-0"}


# ---- services


def test_efs_and_s3() -> None:
    """Several volumes may share an access point or a bucket; a handle without access point is the file system's."""
    things = [
        csi("c", "efs.csi.aws.com", "fs-1::fsap-2"),
        csi("b", "efs.csi.aws.com", "fs-1:/b:fsap-2"),
        csi("a", "efs.csi.aws.com", "fs-1:/a"),
        csi("d", "efs.csi.aws.com", "fs-1"),
        csi("f", "s3.csi.aws.com", "x"),
        csi("e", "s3.csi.aws.com", "y"),
    ]
    for thing in things[4:]:
        thing["spec"]["csi"]["volumeAttributes"] = {"bucketName": "reports"}
    claims, left_out = claims_of(state_of(persistentvolumes=things, persistentvolumeclaims=[]))
    names = {key: [(one.persistentvolume, one.path) for one in several] for key, several in _shared(claims).items()}
    assert names == {
        "fsap-2": [("b", "/b"), ("c", "")],
        "fs-1": [("a", "/a"), ("d", "")],
        "reports": [("e", ""), ("f", "")],
    }
    assert claims.volumes == {}
    assert dict(left_out) == {}


def _shared(claims: Claims) -> dict[str, Any]:
    return {**claims.access_points, **claims.file_systems, **claims.buckets}


def test_what_names_nothing_is_counted() -> None:
    """By reason; the rest is as if it were not there."""
    things = [
        volume("a", "vol-x"),
        volume("b", ""),
        csi("c", "s3.csi.aws.com", "x"),
        csi("d", "efs.csi.aws.com", "fs-1::fsap-2", mountOptions=["accesspoint=fsap-3"]),
        csi("e", "nfs.csi.k8s.io", "x"),
        volume(),
    ]
    claims, left_out = claims_of(state_of(persistentvolumes=things))
    assert list(claims.volumes) == [VOLUME_ID]
    assert _shared(claims) == {}
    assert dict(left_out) == {"malformed_handle": 2, "no_bucket": 1, "two_access_points": 1}


def made(name: str, at: str | None, phase: str = "Released") -> dict[str, Any]:
    """A volume with the usual handle."""
    return volume(name, metadata={"creationTimestamp": at}, status={"phase": phase})


@pytest.mark.parametrize(
    ("things", "counts"),
    [
        ([made("a", "2026-01-01T00:00:00Z", "Bound"), made("b", LATER)], "a"),
        ([made("a", LATER), made("b", "2026-01-01T00:00:00Z", "Bound")], "b"),
        ([made("a", "2026-01-01T00:00:00Z"), made("b", LATER)], "b"),
        ([made("a", LATER), made("b", "2026-01-01T00:00:00Z")], "a"),
        ([made("a", None), made("b", LATER)], "b"),
        ([made("b", LATER), made("a", LATER)], "a"),
        ([made("c", LATER, "Bound"), made("b", LATER, "Bound"), made("a", LATER)], "b"),
    ],
)
def test_two_volumes_with_one_handle(things: list[Any], counts: str) -> None:
    """The one that is bound counts, then the newer, then the first by name; the others are counted."""
    for order in (things, things[::-1]):
        claims, left_out = claims_of(state_of(persistentvolumes=order))
        assert claims.volumes[VOLUME_ID].persistentvolume == counts
        assert dict(left_out) == {"handle_twice": len(things) - 1}


# ---- as a whole


def test_the_order_of_events_does_not_matter() -> None:
    """The same cluster gives the same claims in the same order, however it was heard of."""
    things = [volume(f"pvc-{n}", f"vol-{n:017x}", f"data-{n}") for n in range(9)]
    owners = [claim(f"data-{n}", f"pvc-{n}") for n in range(9)]
    one = claims_of(state_of(persistentvolumes=things, persistentvolumeclaims=owners))[0]
    other = claims_of(state_of(persistentvolumes=things[::-1], persistentvolumeclaims=owners[::-1]))[0]
    assert list(one.volumes.items()) == list(other.volumes.items())
    assert all(whose.persistentvolumeclaim for whose in one.volumes.values())


def test_what_says_the_same_is_the_same_object() -> None:
    """So that nothing is joined anew: a claim that grew is the claim it was."""
    before = claims_of(state_of(persistentvolumes=[volume()], persistentvolumeclaims=[claim()]))[0]
    grown = claim(status={"capacity": {"storage": "200Gi"}})
    now = claims_of(state_of(persistentvolumes=[volume()], persistentvolumeclaims=[grown]))[0]
    assert renewed(before, now) is before
    efs = csi("pvc-2", "efs.csi.aws.com", "fs-1::fsap-2")
    point = csi("pvc-2", "efs.csi.aws.com", "fs-1:/x")
    bucket = csi("pvc-2", "s3.csi.aws.com", "x")
    bucket["spec"]["csi"]["volumeAttributes"] = {"bucketName": "reports"}
    for more in (efs, point, bucket, volume("pvc-2", OTHER_ID)):
        other = claims_of(state_of(persistentvolumes=[volume(), more], persistentvolumeclaims=[claim()]))[0]
        assert renewed(before, other) is other
        assert renewed(other, before) is before
    nothing = claims_of(state_of(persistentvolumes=[]))[0]
    assert renewed(NO_CLAIMS, nothing) is nothing


async def test_the_loop_has_its_turn() -> None:
    """Gathering says what is true at the call, while others run and objects come and go."""
    things = [volume(f"pvc-{n}", f"vol-{n:017x}", f"data-{n}") for n in range(450)]
    state = state_of(persistentvolumes=things, persistentvolumeclaims=[])
    expected = claims_of(state)
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            for records in state.values():
                if records is not None:
                    records[f"new-{turns}"] = None
                    records.pop(f"pvc-{turns}", None)
            await asyncio.sleep(0)

    running = asyncio.create_task(others())
    gathered = await gather(state)
    running.cancel()
    assert turns >= 4
    assert plain(gathered[0]) == plain(expected[0])
    assert await gather({}) == (NO_CLAIMS, {})


# ---- whatever the objects

_few = st.sampled_from(["a", "b", "c"])
_ids = st.sampled_from([VOLUME_ID, OTHER_ID, "vol-x"])


@st.composite
def clusters(draw: st.DrawFn) -> Any:
    """A handful of volumes and claims that meet in names, uids and handles; some of them strange."""
    volumes = draw(
        st.lists(
            st.builds(
                lambda name, handle, ref, uid, phase: volume(
                    name, handle, ref, spec={"claimRef": {"uid": uid}}, status={"phase": phase}
                ),
                _few,
                _ids,
                _few,
                st.sampled_from(["1", "2", None]),
                st.sampled_from(["Bound", "Bound", "Released", None]),
            )
            | strange("persistentvolumes"),
            max_size=6,
        )
    )
    owners = draw(
        st.lists(
            st.builds(
                lambda name, of, uid: claim(name, of, metadata={"uid": uid}), _few, _few, st.sampled_from(["1", "2"])
            )
            | strange("persistentvolumeclaims"),
            max_size=6,
        )
    )
    known = draw(st.booleans())
    return _lenient(persistentvolumes=volumes, persistentvolumeclaims=owners if known else None)


def _lenient(**lists: Any) -> Any:
    """The state of these objects, of which those without a readable name are left out, as a reflector does."""
    good = {
        kind: None
        if things is None
        else [
            thing
            for thing in things
            if isinstance(thing, dict)
            and isinstance(place := thing.get("metadata"), dict)
            and isinstance(place.get("namespace", ""), str)
        ]
        for kind, things in lists.items()
    }
    return state_of(**good)


@given(clusters())
def test_never_a_wrong_claim(state: dict[str, dict[str, Any] | None]) -> None:
    """
    Whatever the objects: a name stands beside a volume only if that claim exists, has the uid the volume knows, and is
    not bound elsewhere; every volume of ours is somebody's or counted; each EBS volume is one claim's.
    """
    claims, left_out = claims_of(state)
    volumes, owners = state["persistentvolumes"] or {}, state["persistentvolumeclaims"]
    said = [*claims.volumes.values(), *(one for several in _shared(claims).values() for one in several)]
    assert len(said) + sum(left_out.values()) == len(volumes)
    for whose in said:
        record = volumes[whose.persistentvolume]
        if not whose.persistentvolumeclaim:
            assert whose.namespace == ""
            continue
        assert record.phase in {"", "Bound"}
        assert (whose.namespace, whose.persistentvolumeclaim) == (record.claim_namespace, record.claim_name)
        if owners is not None:
            owner = owners[f"{whose.namespace}/{whose.persistentvolumeclaim}"]
            assert owner.volume in {"", record.name}
            assert owner.uid == record.claim_uid or (record.claim_uid == "" and owner.volume == record.name)
    for volume_id, whose in claims.volumes.items():
        assert volumes[whose.persistentvolume].named.volume_id == volume_id
