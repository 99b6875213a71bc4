"""What Kubernetes says of storage as a whole: the table, and that what has not changed is not said again."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from exporter.kubernetes.facts import Said
from exporter.kubernetes.families import CLASS_INFO, FAMILIES
from exporter.kubernetes.objects import DEFAULT, KINDS
from exporter.naming import METRIC_NAME, unit_of
from exporter.services.ebs_facts import VOLUME_INFO as EBS_VOLUME_INFO
from tests.kubernetes_objects import (
    LATER,
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
    series,
    state_of,
    storage_class,
    strange,
    volume,
)

UNASKED: dict[str, Any] = {"annotations": {"volume.kubernetes.io/storage-provisioner": None}}

# ---- the table


def test_the_table() -> None:
    """Names are ours and well formed, units are the names' endings, no label is one that scrapers set."""
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)
    for family in FAMILIES:
        assert family.name.startswith("kubernetes_")
        assert METRIC_NAME.match(family.name)
        assert (family.type == "info") == family.name.endswith("_info")
        assert family.unit == ("" if family.type == "info" else unit_of(family.name))
        assert len(set(family.labels)) == len(family.labels)
        assert not {"pod", "job", "instance"} & set(family.labels)
        assert family.help.endswith(".")
    assert set(CLASS_INFO.labels) & set(EBS_VOLUME_INFO.labels) == {"volume_type", "encrypted"}


async def test_every_family_is_said() -> None:
    """A cluster in which everything happens says each family, and none that is not in the table."""
    troubled = attachment(
        metadata={"deletionTimestamp": LATER}, status={"attachError": {"time": LATER, "message": "timed out"}}
    )
    resizing = {"conditions": [{"type": "Resizing", "status": "True", "lastTransitionTime": LATER}]}
    state = state_of(
        persistentvolumes=[volume(metadata={"deletionTimestamp": LATER}), volume("b", status={"phase": "Released"})],
        persistentvolumeclaims=[
            claim(metadata={"deletionTimestamp": LATER}, status={**resizing, "resizeStatus": "NodeResizePending"})
        ],
        storageclasses=[storage_class()],
        volumeattachments=[troubled],
        csinodes=[node()],
        csidrivers=[driver()],
        pods=[pod(), driver_pod()],
    )
    assert set(await say(state)) == {family.name.removeprefix("kubernetes_") for family in FAMILIES}


async def test_nothing_known_says_nothing() -> None:
    """No kind at all, and kinds that are empty."""
    assert await say({}) == {}
    assert await say({kind: {} for kind in KINDS}) == {}


async def test_constant_labels_come_first() -> None:
    """As for every other series."""
    facts = await Said().facts(state_of(csidrivers=[driver()]), {}, (("cluster", "c"),))
    (block,) = facts.blocks(1)
    assert block.labels[0].startswith(b'{cluster="c",csi_driver="ebs.csi.aws.com",')


# ---- said again


async def test_only_what_changed_is_said_again() -> None:
    """Nothing changed: the same object. One kind changed: other families are the same blocks, equal ones too."""
    said = Said()
    state = state_of(
        persistentvolumes=[volume()],
        persistentvolumeclaims=[claim()],
        storageclasses=[storage_class()],
        volumeattachments=[attachment()],
        csinodes=[node()],
    )
    versions = dict.fromkeys(state, 1)
    one = await said.facts(state, versions, ())
    blocks = {block.family.name: block for block in one.blocks(1)}
    assert await said.facts(state, dict(versions), ()) is one
    claims = state["persistentvolumeclaims"] or {}
    claims.update(state_of(persistentvolumeclaims=[claim(status={"phase": "Lost"})])["persistentvolumeclaims"] or {})
    assert await said.facts(state, versions, ()) is one  # its version says that it has not changed
    versions["persistentvolumeclaims"] += 1
    two = await said.facts(state, versions, ())
    changed = {block.family.name for block in two.blocks(2) if block is not blocks[block.family.name]}
    assert changed == {"kubernetes_persistentvolumeclaim_status_phase"}
    assert series(two)["persistentvolumeclaim_status_phase"][0][0]["phase"] == "Lost"


async def test_another_listing_says_the_same() -> None:
    """Listed again in another order, into another mapping: every block is the one it was."""
    said = Said()
    volumes, claims = [volume(f"pvc-{n}") for n in range(5)], [claim(f"c-{n}") for n in range(5)]
    one = await said.facts(state_of(persistentvolumes=volumes, persistentvolumeclaims=claims), {}, ())
    state = state_of(persistentvolumes=volumes[::-1], persistentvolumeclaims=claims[::-1])
    two = await said.facts(state, {}, ())
    assert two is not one
    assert [id(block) for block in two.blocks(2)] == [id(block) for block in one.blocks(1)]


async def test_joined_kinds_are_heard() -> None:
    """Claims hear of their volumes and classes, attachments and nodes of volumes, pods of claims."""
    said = Said()
    state = state_of(
        persistentvolumeclaims=[claim(metadata=UNASKED)],
        volumeattachments=[attachment()],
        csinodes=[node("a", [])],
        pods=[pod()],
    )
    versions = dict.fromkeys(state, 1)
    facts = series(await said.facts(state, versions, ()))
    assert column(facts, "persistentvolumeclaim_info", "reclaim_policy") == [("",)]
    assert "csinode_driver_registered" not in facts
    state = {**state, "persistentvolumes": state_of(persistentvolumes=[volume()])["persistentvolumes"]}
    facts = series(await said.facts(state, versions, ()))
    assert column(facts, "persistentvolumeclaim_info", "reclaim_policy") == [("Delete",)]
    assert column(facts, "volumeattachment_info", "volume_id") == [(VOLUME_ID,)]
    assert bare(facts, "csinode_driver_registered") == [0]
    state["persistentvolumes"] = {}
    facts = series(await said.facts(state, versions, ()))
    assert "persistentvolumeclaim_info" not in facts
    assert "pod_persistentvolumeclaim_info" not in facts
    assert said.left_out == {"persistentvolumeclaims": {"other_driver": 1}, "pods": {"other_driver": 1}}
    state["storageclasses"] = state_of(storageclasses=[storage_class()])["storageclasses"]
    facts = series(await said.facts(state, versions, ()))
    assert column(facts, "persistentvolumeclaim_info", "csi_driver") == [("ebs.csi.aws.com",)]
    assert len(facts["pod_persistentvolumeclaim_info"]) == 1
    assert bare(facts, "csinode_driver_registered") == [0]
    state["persistentvolumeclaims"] = {}
    assert "pod_persistentvolumeclaim_info" not in series(await said.facts(state, versions, ()))


async def test_another_cluster_label() -> None:
    """The configuration was read again: everything is said anew."""
    said = Said()
    state = state_of(csidrivers=[driver()])
    await said.facts(state, {}, (("cluster", "a"),))
    facts = series(await said.facts(state, {}, (("cluster", "b"),)))
    assert column(facts, "csidriver_info", "cluster") == [("b",)]


async def test_while_others_run() -> None:
    """The event loop has its turn; what changes meanwhile is for the next call, and is not lost."""
    said = Said()
    state = state_of(
        persistentvolumes=[volume(f"pvc-{n}", f"vol-{n:017x}") for n in range(450)],
        persistentvolumeclaims=[claim(f"c-{n}", f"pvc-{n}") for n in range(450)],
    )
    versions = dict.fromkeys(DEFAULT, 1)
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            for kind, records in state.items():
                if records:
                    records.pop(next(iter(records)))
                    versions[kind] += 1
            await asyncio.sleep(0)

    running = asyncio.create_task(others())
    facts = series(await said.facts(state, versions, ()))
    running.cancel()
    assert turns >= 8
    assert len(facts["persistentvolume_info"]) == len(facts["persistentvolumeclaim_info"]) == 450
    facts = series(await said.facts(state, versions, ()))
    assert 0 < len(facts["persistentvolume_info"]) == 450 - turns


async def test_a_call_that_is_cut_off() -> None:
    """The next one says everything."""
    said = Said()
    state = state_of(persistentvolumes=[volume(f"pvc-{n}", f"vol-{n:017x}") for n in range(250)])
    task = asyncio.create_task(said.facts(state, {}, ()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert len((await say(state, said))["persistentvolume_info"]) == 250


# ---- whatever the objects


async def test_names_of_all_scripts() -> None:
    """Survive to the label."""
    names = ["größe", "数据-0", "\U0001f600", 'a"b\\c\nd', "100%s", "{}"]
    facts = await say(state_of(persistentvolumes=[volume(name) for name in names]))
    assert sorted(column(facts, "persistentvolume_info", "persistentvolume")) == sorted((name,) for name in names)


@given(st.fixed_dictionaries({kind: st.none() | st.lists(strange(kind), max_size=4) for kind in KINDS}))
async def test_nothing_raises(lists: dict[str, Any]) -> None:
    """No family but those of the table, no series twice, every value a number."""
    good = {
        kind: None if things is None else [thing for thing in things if _readable(thing)]
        for kind, things in lists.items()
    }
    facts = await say(state_of(**good))
    assert set(facts) <= {family.name.removeprefix("kubernetes_") for family in FAMILIES}
    for found in facts.values():
        assert len({tuple(labels.items()) for labels, _ in found}) == len(found)
        assert all(value >= 0 for _, value in found)


def _readable(thing: Any) -> bool:
    """Whether a reflector could say under which name to keep it."""
    place = thing.get("metadata") if isinstance(thing, dict) else None
    return isinstance(place, dict) and isinstance(place.get("namespace") or "", str)
