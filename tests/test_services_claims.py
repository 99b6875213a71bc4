"""Whose a volume is, what is left over and what is missing: the pure decisions, as tables and properties."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.model import NO_CLAIMS, Claim, Claims, Scope
from exporter.services.base import Findings
from exporter.services.claims import by_client_token, by_tags, clusters_of, could_be_listed, is_provisioned
from exporter.services.ebs_claims import YOUNG, Judge, missing, orphaned, say_claims, say_missing, say_orphaned, strays
from exporter.services.ebs_facts import CLAIM_INFO
from exporter.services.items import Item
from exporter.services.reader import Answer

NOW = 1_790_000_000
REGION = "ap-southeast-3"
PV = "pvc-0b9d1a5e-2f3c-4d5e-8f90-a1b2c3d4e5f6"
DRIVEN = {"ebs.csi.aws.com/cluster": "true"}
OURS = {"KubernetesCluster": "production", "kubernetes.io/cluster/production": "owned", **DRIVEN}
MADE_FOR = "kubernetes.io/created-for"


def volume(volume_id: str, tags: Mapping[str, str] = DRIVEN, **fields: Any) -> Item:
    """An idle volume of old, as DescribeVolumes tells of it."""
    return {"VolumeId": volume_id, "State": "available", "CreateTime": NOW - 86_400, "Tags": tags, **fields}


def known(volumes: Mapping[str, Claim]) -> Claims:
    return Claims(volumes, known=True)


# ---- what drivers write ---------------------------------------------------------------------------------------------

TOLD = {
    "all of it": (
        {
            "CSIVolumeName": PV,
            f"{MADE_FOR}/pv/name": PV,
            f"{MADE_FOR}/pvc/name": "data-postgres-0",
            f"{MADE_FOR}/pvc/namespace": "billing",
            **OURS,
        },
        Claim(PV, "data-postgres-0", "billing"),
    ),
    "without extra metadata": ({"CSIVolumeName": PV, **DRIVEN}, Claim(PV)),
    "the plugin in the tree": (
        {f"{MADE_FOR}/pv/name": "pv-1", f"{MADE_FOR}/pvc/name": "data", f"{MADE_FOR}/pvc/namespace": "shop"},
        Claim("pv-1", "data", "shop"),
    ),
    "a claim without a volume's name": (
        {f"{MADE_FOR}/pvc/name": "data", f"{MADE_FOR}/pvc/namespace": "shop"},
        Claim("", "data", "shop"),
    ),
    "empty, then the other": ({f"{MADE_FOR}/pv/name": "", "CSIVolumeName": PV}, Claim(PV)),
    "only that a driver made it": (OURS, None),
    "only a namespace": ({f"{MADE_FOR}/pvc/namespace": "shop"}, None),
    "nothing": ({"Name": "wiki"}, None),
}


@pytest.mark.parametrize("name", TOLD)
def test_what_the_tags_of_a_volume_say(name: str) -> None:
    """As far as they go; never a StorageClass."""
    tags, expected = TOLD[name]
    assert by_tags(tags) == expected


@pytest.mark.parametrize(
    ("token", "mark", "expected"),
    [
        (PV, "true", Claim(PV)),
        (PV, "false", None),
        (PV, "", None),
        (PV.upper(), "true", None),
        (f"{PV}-x", "true", None),
        (f"x{PV}", "true", None),
        ("pvc-0b9d1a5e", "true", None),
        ("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "true", None),  # reuseAccessPoint
        ("media-console", "true", None),
        ("", "true", None),
    ],
)
def test_what_the_client_token_of_an_access_point_says(token: str, mark: str, expected: Claim | None) -> None:
    """The persistent volume's name, where the driver made the access point and it looks like one."""
    assert by_client_token(token, {"efs.csi.aws.com/cluster": mark} if mark else {}) == expected


CLUSTERS: Mapping[str, tuple[Mapping[str, str], bool, set[str], set[str]]] = {
    "told its id": (OURS, True, {"production"}, {"production"}),
    "not told": (DRIVEN, True, set(), set()),
    "shared": ({"kubernetes.io/cluster/a": "owned", "kubernetes.io/cluster/b": "shared"}, False, {"a", "b"}, {"a"}),
    "auto mode": (
        {"ebs.csi.eks.amazonaws.com/cluster": "true", "eks:eks-cluster-name": "auto"},
        True,
        {"auto"},
        {"auto"},
    ),
    "scoped": ({"ebs.csi.aws.com/cluster-name": "scoped", **DRIVEN}, True, {"scoped"}, {"scoped"}),
    "a mark that is none": ({"ebs.csi.aws.com/cluster": "false"}, False, set(), set()),
    "the plugin in the tree": ({f"{MADE_FOR}/pv/name": PV, "KubernetesCluster": "old"}, True, {"old"}, {"old"}),
}


@pytest.mark.parametrize("name", CLUSTERS)
def test_which_cluster_made_a_volume(name: str) -> None:
    """Whether a driver made it at all, all clusters it belongs to, and those that own it."""
    tags, made, every, owners = CLUSTERS[name]
    assert is_provisioned(tags) is made
    assert clusters_of(tags) == every
    assert clusters_of(tags, owned=True) == owners


@pytest.mark.parametrize(
    ("zone", "region", "created", "expected"),
    [
        ("ap-southeast-3a", REGION, 1, True),
        ("", REGION, 1, True),
        ("ap-southeast-3-bkk-1a", REGION, 1, True),
        ("us-gov-west-1b", "us-gov-west-1", 1, True),
        ("ap-southeast-1a", REGION, 1, False),
        ("us-east-11a", "us-east-1", 1, False),
        ("us-east-1a", "us-east-11", 1, False),
        ("ap-southeast-3a", REGION, NOW - 60, True),
        ("ap-southeast-3a", REGION, NOW - 59, False),
        ("ap-southeast-3a", REGION, NOW + 60, False),
        ("ap-southeast-3a", REGION, 0, False),
    ],
)
def test_when_a_volume_is_missed(zone: str, region: str, created: int, expected: bool) -> None:
    """In this region or who knows where, and of a persistent volume that the listing cannot have been too early for."""
    assert could_be_listed(Claim("pv", zone=zone, created=created), region, NOW) is expected


# ---- left over ------------------------------------------------------------------------------------------------------

STRAYS: Mapping[str, tuple[Item, bool]] = {
    "idle": (volume("vol-1"), True),
    "in error": (volume("vol-1", State="error"), True),
    "claimed": (volume("vol-claimed"), False),
    "attached": (volume("vol-1", Attachments=[{"InstanceId": "i-1", "State": "attached"}]), False),
    "attached to a task": (volume("vol-1", Attachments=[{"State": "attached"}]), False),
    "being made": (volume("vol-1", State="creating"), False),
    "on its way": (volume("vol-1", State="deleting"), False),
    "five minutes old": (volume("vol-1", CreateTime=NOW - YOUNG), True),
    "younger": (volume("vol-1", CreateTime=NOW - YOUNG + 1), False),
    "of no date": (volume("vol-1", CreateTime=None), False),
    "nobody's": (volume("vol-1", {"Name": "vol"}), False),
}


@pytest.mark.parametrize("name", STRAYS)
def test_which_volumes_have_strayed(name: str) -> None:
    """Made by a driver, of a certain age, idle, and named by no persistent volume."""
    item, expected = STRAYS[name]
    claims = known({"vol-claimed": Claim("pv")})
    assert strays([item], claims, NOW) == ({item["VolumeId"]} if expected else set())
    assert strays([item], Claims({"vol-claimed": Claim("pv")}), NOW) == set()  # nobody knows whose they are


ORPHANS: Mapping[str, tuple[Mapping[str, str], Mapping[str, str], bool]] = {
    # of our volume, of the candidate, whether it is ours
    "one id": (OURS, OURS, True),
    "no ids at all": (DRIVEN, DRIVEN, True),
    "ours is told its id, it is not": (OURS, DRIVEN, True),
    "another's": (OURS, {**DRIVEN, "KubernetesCluster": "staging"}, False),
    "another's, and ours is not told": (DRIVEN, OURS, False),
    "shared with another's": (OURS, {**OURS, "kubernetes.io/cluster/staging": "shared"}, False),
    "owned by one that shares ours": (
        {**OURS, "kubernetes.io/cluster/staging": "shared"},
        {**DRIVEN, "kubernetes.io/cluster/staging": "owned"},
        False,
    ),
    "auto mode": ({"eks:eks-cluster-name": "auto"}, {"eks:eks-cluster-name": "auto"}, True),
}


@pytest.mark.parametrize("name", ORPHANS)
def test_whose_cluster_an_orphan_is(name: str) -> None:
    """What clusters are ours is learnt from the volumes that our persistent volumes name."""
    ours, tags, expected = ORPHANS[name]
    there = {"vol-ours": volume("vol-ours", ours), "vol-1": volume("vol-1", {**tags, "CSIVolumeName": PV})}
    found = orphaned({"vol-1"}, known({"vol-ours": Claim("pv")}), there, there)
    assert found == ({"vol-1": Claim(PV)} if expected else {})


def test_what_is_no_orphan() -> None:
    """Where nothing of our cluster is; what is claimed by now, in use by now, gone by now; what is not selected."""
    there = {"vol-ours": volume("vol-ours"), "vol-1": volume("vol-1")}
    ours = {"vol-ours": Claim("pv")}
    assert orphaned({"vol-1"}, known(ours), there, there) == {"vol-1": Claim("")}
    assert orphaned({"vol-1"}, known({"vol-elsewhere": Claim("pv")}), there, there) == {}
    assert orphaned({"vol-1"}, Claims(ours), there, there) == {}
    assert orphaned({"vol-1"}, known({**ours, "vol-1": Claim("pv-1")}), there, there) == {}
    used = {**there, "vol-1": volume("vol-1", Attachments=[{"InstanceId": "i-1"}])}
    assert orphaned({"vol-1"}, known(ours), used, used) == {}
    left = {"vol-ours": there["vol-ours"]}
    assert orphaned({"vol-1"}, known(ours), left, left) == {}
    assert orphaned({"vol-1"}, known(ours), there, left) == {}
    assert orphaned({"vol-1"}, known(ours), there, {"vol-1": there["vol-1"]}) == {"vol-1": Claim("")}


# ---- missing --------------------------------------------------------------------------------------------------------


def test_what_is_missing() -> None:
    """A persistent volume of old whose volume is neither in the full listing nor seen since; only where ours are."""
    old = Claim("pv-old", "data", "shop", "gp3", "ap-southeast-3a", created=NOW - 3600)
    ours = {"vol-ours": Claim("pv", created=1)}
    there = {"vol-ours": volume("vol-ours")}
    listed = Answer([there["vol-ours"]], NOW)
    assert missing(known({**ours, "vol-gone": old}), there, listed, REGION) == {"vol-gone": old}
    assert missing(known(ours), there, listed, REGION) == {}
    assert missing(known({"vol-gone": old}), there, listed, REGION) == {}
    assert missing(Claims({**ours, "vol-gone": old}), there, listed, REGION) == {}
    assert missing(known({**ours, "vol-gone": old}), there, None, REGION) == {}
    assert missing(known({**ours, "vol-gone": old}), there, listed, "eu-west-1") == {}
    seen = {**there, "vol-gone": volume("vol-gone")}
    assert missing(known({**ours, "vol-gone": old}), seen, listed, REGION) == {}
    since = Answer([*listed.items, volume("vol-gone")], NOW)  # it has gone since: Kubernetes may say so in a moment
    assert missing(known({**ours, "vol-gone": old}), there, since, REGION) == {}


# ---- whatever there is ----------------------------------------------------------------------------------------------

ids = st.sampled_from([f"vol-{number}" for number in range(6)])
tags_of_any = st.dictionaries(
    st.sampled_from([*OURS, "CSIVolumeName", f"{MADE_FOR}/pv/name", f"{MADE_FOR}/pvc/name", "eks:eks-cluster-name"]),
    st.sampled_from(["", "true", "owned", "production", "staging", PV]),
)
items = st.builds(
    volume,
    ids,
    tags_of_any,
    State=st.sampled_from(["available", "in-use", "creating", "deleting", "error"]),
    CreateTime=st.sampled_from([None, NOW - 86_400, NOW - 10]),
    Attachments=st.sampled_from([(), ({"InstanceId": "i-1"},), ({},)]),
)
claims_of_any = st.builds(
    Claims,
    st.dictionaries(
        ids,
        st.builds(
            Claim,
            st.text(min_size=1, max_size=4),
            st.text(max_size=4),
            st.text(max_size=4),
            zone=st.sampled_from(["", "ap-southeast-3a", "eu-west-1a"]),
            created=st.sampled_from([0, NOW - 86_400, NOW]),
        ),
    ),
    known=st.booleans(),
)


@given(st.lists(items), st.lists(items, max_size=2), claims_of_any, claims_of_any)
async def test_nobody_is_wronged(listing: list[Item], newer: list[Item], before: Claims, claims: Claims) -> None:
    """Whatever there is: one series a volume; no orphan that somebody names, nothing missing that is there."""
    judge = Judge(lambda claim: bool(claim.namespace))
    judge.note(Answer(list(listing), NOW), before, NOW)
    there = {item["VolumeId"]: item for item in [*listing, *newer]}
    owners = await judge.judge(claims, there, there, REGION)
    found = Findings(Scope("123456789012", REGION))
    await say_claims(found, there, claims)
    await say_orphaned(found, owners.orphaned)
    await say_missing(found, owners.missing)
    said = list(found.samples)
    for name in {sample.family.name for sample in said}:
        named = [sample.labels[2] for sample in said if sample.family.name == name]
        assert len(named) == len(set(named))
    claimed = {sample.labels[2]: sample.labels[3:6] for sample in said if sample.family == CLAIM_INFO}
    assert claimed.keys() <= there.keys()
    if claims.known:
        expected = {key: claim for key, claim in claims.volumes.items() if key in there}
        assert claimed == {
            key: (claim.persistentvolume, claim.persistentvolumeclaim, claim.namespace)
            for key, claim in expected.items()
        }
        assert owners.pinned == {key for key, claim in expected.items() if claim.namespace}
    else:
        assert not owners.orphaned
        assert not owners.missing
        assert not owners.pinned
    assert owners.orphaned.keys() <= there.keys() - claims.volumes.keys() - before.volumes.keys()
    assert not owners.orphaned or before.known
    assert owners.missing.keys() <= claims.volumes.keys() - there.keys()
    assert all(0 < claim.created < NOW for claim in owners.missing.values())


async def test_a_listing_from_before_proves_nothing_against_the_claims_of_now() -> None:
    """Nor does what was known before Kubernetes was; a listing of this pass does, and it counts until the next."""
    there = {"vol-ours": volume("vol-ours"), "vol-1": volume("vol-1")}
    claims, judge = known({"vol-ours": Claim("pv")}), Judge(lambda _: False)

    async def after(listed: Answer | None, before: Claims, now: int) -> list[str]:
        judge.note(listed, before, now)
        return list((await judge.judge(claims, there, there, REGION)).orphaned)

    items = list(there.values())
    assert await after(Answer(items, NOW - 60), claims, NOW) == []
    assert await after(Answer(items, NOW), NO_CLAIMS, NOW) == []
    fresh = Answer(items, NOW + 60)
    assert await after(fresh, claims, NOW + 60) == ["vol-1"]
    assert await after(fresh, NO_CLAIMS, NOW + 120) == ["vol-1"]
    assert await after(None, claims, NOW + 180) == []
