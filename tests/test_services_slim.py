"""What discovery keeps: slim records, facts in columns, and the same objects for as long as nothing has changed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.clock import FixedClock
from exporter.columns import fact_blocks
from exporter.demo.server import DemoServer
from exporter.facts import Facts
from exporter.model import Asset, Inventory, Sample, Scope
from exporter.naming import label_set
from exporter.services.base import Findings, Service, Wishes, gauge, info, tags_of
from exporter.services.ebs import Ebs
from exporter.services.ebs_facts import STATUS, VOLUMES
from exporter.services.items import Keeping, Record, slimmer
from exporter.services.reader import Operation, Reader
from exporter.services.registry import SERVICES
from tests.aws_wire import REGION, running, simulated_aws

SCOPE = Scope("123456789012", "eu-west-1")
SIZE = gauge("aws_thing_size_bytes", "Size.", ("thing",))
AGE = gauge("aws_thing_age_seconds", "Age.", ("thing",))
KIND = info("aws_thing_info", "What it is.", ("thing", "kind"))
LIST = Operation("ec2", "ListThings", 300, "ec2:ListThings", "Things", fields=("Id", "Size", "Tags{}"))

THINGS = [
    {"Id": "t-1", "Size": 1, "Junk": "x" * 50, "Tags": [{"Key": "team", "Value": "a"}, {"Key": "n", "Value": "1"}]},
    {"Id": "t-2", "Size": 2, "Junk": "x" * 50, "Tags": [{"Key": "team", "Value": "a"}, {"Key": "n", "Value": "2"}]},
]

# ---- records --------------------------------------------------------------------------------------------------------


def test_a_record_holds_what_is_named_and_reads_like_a_dict() -> None:
    """Lists hold for each of their items; what AWS leaves out is missing; tags are a mapping, instants seconds."""
    item = {
        "Id": "t-1",
        "At": datetime(2026, 1, 1, tzinfo=UTC),
        "Links": [{"To": "a", "Junk": 1}, {"To": "b"}],
        "Deep": {"Whole": {"x": [1, {"y": None}]}, "Junk": 1},
        "Tags": [{"Key": "team", "Value": "a"}],
        "Empty": [],
    }
    record = slimmer(("Id", "At", "Links.To", "Deep.Whole", "Tags{}", "Empty.X", "Absent"))(item, {})
    assert record == {
        "Id": "t-1",
        "At": 1767225600,
        "Links": ({"To": "a"}, {"To": "b"}),
        "Deep": {"Whole": {"x": (1, {"y": None})}},
        "Tags": {"team": "a"},
        "Empty": (),
    }
    assert record.get("Absent", 7) == 7
    assert "Absent" not in record
    assert "Junk" not in record["Deep"]
    assert tags_of(record) == tags_of(item) == {"team": "a"}
    assert slimmer(())(item, {})["Deep"] == {"Whole": {"x": (1, {"y": None})}, "Junk": 1}
    with pytest.raises(KeyError):
        record["Absent"]


def test_records_share_their_names_and_their_texts() -> None:
    """What makes 7,000 volumes small: no names of their own, and one string for what they have in common."""
    slim = slimmer(VOLUMES.fields)
    made = [
        slim(
            {
                "VolumeId": f"vol-{n}",
                "VolumeType": f"g{letter}3",
                "Tags": [{"Key": f"a{letter}", "Value": "c"}],
            },
            {},
        )
        for n, letter in enumerate("pp")
    ]
    assert made[0]["VolumeType"] is made[1]["VolumeType"]
    assert next(iter(made[0]["Tags"])) is next(iter(made[1]["Tags"]))
    status = slimmer(STATUS.fields)
    pool: dict[Any, Any] = {}
    states = [status({"VolumeId": f"vol-{n}", "VolumeStatus": {"Status": "ok", "Details": []}}, pool) for n in range(2)]
    assert states[0]["VolumeStatus"] is states[1]["VolumeStatus"]
    assert not hasattr(made[0], "__dict__")
    assert made[0] != made[1]


def test_what_has_not_changed_is_the_same_record() -> None:
    """Whatever its place in the list; what has changed is new."""
    slim = slimmer(LIST.fields)
    before = [slim(thing, {}) for thing in THINGS]
    keep, bigger = Keeping(slim, before), {"Id": "t-1", "Size": 9}
    after = [keep({"Id": "t-0"}), keep(bigger), keep(THINGS[1])]
    assert after[2] is before[1]
    assert after[1] is not before[0]
    assert [dict(each) for each in after[:2]] == [{"Id": "t-0"}, bigger]


class Listing:
    """An AWS with one list, cut into records where the reader wants it, as `aws.api` does."""

    def __init__(self, items: Sequence[Mapping[str, Any]]) -> None:
        self.items = items

    async def call(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError

    async def read_all(self, *_: Any, keep: Any = None, **__: Any) -> list[Any]:
        return [keep(item) for item in self.items]


async def test_a_renewed_answer_that_is_equal_is_the_same_list() -> None:
    """Whether something changed is asked with ``is``; its age is new all the same."""
    aws, clock = Listing(THINGS), FixedClock(1_000_000)
    reader = Reader(aws, "ebs", clock, {}, lambda *_: None)

    async def read() -> Any:
        reader.start_pass()
        answer = await reader.read(LIST)
        clock.at += 300
        return answer

    first, second = await read(), await read()
    assert second.items is first.items
    assert second.at == first.at + 300
    aws.items = [THINGS[0], {**THINGS[1], "Size": 3}]
    third = await read()
    assert third.items is not first.items
    assert third.items[0] is first.items[0]
    assert third.items[1]["Size"] == 3


async def test_answers_nobody_asks_for_are_forgotten_when_they_are_outlived() -> None:
    """A key that names what is gone (a chunk of instances) must not be kept for days."""
    clock = FixedClock(1_000_000)
    reader = Reader(Listing(THINGS), "ebs", clock, {}, lambda *_: None)
    for number in range(50):
        reader.start_pass()
        await reader.read(LIST, key=str(number))
        clock.at += 300
    assert len(reader._memory) == 900 // 300 + 1


# ---- facts ----------------------------------------------------------------------------------------------------------


def found_of(sizes: Mapping[str, int], kind: str = "a", constant: Any = (("cluster", "c"),)) -> Findings:
    found = Findings(SCOPE, constant)
    for thing, size in sizes.items():
        found.say(KIND, (thing, kind), 1)
        found.say(SIZE, (thing,), size)
        found.say(AGE, (thing,), 5)
    return found


texts = st.lists(st.text(max_size=8), min_size=2, max_size=2)


@given(texts, texts)
def test_label_sets_are_those_of_the_one_way_to_spell_them(values: list[str], before: list[str]) -> None:
    """Also with quotes, backslashes, line ends, percent signs and what no encoding holds."""
    facts = Facts((("cluster", before[0]),), (before[1], "eu-west-1"))
    facts.say(KIND, tuple(values), 1)
    (block,) = facts.blocks(0)
    assert block.labels == (label_set(("cluster", *KIND.labels), (before[0], before[1], "eu-west-1", *values)),)


def test_samples_come_back_as_they_were_said() -> None:
    """Family by family, without the constant labels."""
    found = found_of({"x": 1, 'y"\\\n': 2})
    where = ("123456789012", "eu-west-1")
    assert list(found.samples)[2:4] == [Sample(SIZE, (*where, "x"), 1.0), Sample(SIZE, (*where, 'y"\\\n'), 2.0)]
    assert (len(found.samples), found.samples.number(AGE), found.samples[0].family) == (6, 2, KIND)
    with pytest.raises(ValueError, match="2 values for the 1 labels thing"):
        found.say(SIZE, ("x", "y"), 1)


def test_families_share_labels_and_the_first_of_two_counts() -> None:
    """One label set is one object in all families, and one tuple; a series that is there twice is named."""
    found = found_of({"x": 1, "y": 2})
    found.say(KIND, ("x", "a"), 7)
    blocks, twice = fact_blocks(found.samples, (("cluster", "c"),), 100)
    kinds, sizes, ages = blocks
    assert sizes.labels is ages.labels
    assert list(kinds.values) == [1, 1]
    assert len(twice) == 1
    assert twice[0].startswith('aws_thing_info{cluster="c",account_id=')
    assert 'thing="x"' in twice[0]
    other, _ = fact_blocks(list(found.samples), (("cluster", "c"),), 100)  # samples that are in no columns
    assert [(each.family, each.labels, each.values) for each in other] == [
        (each.family, each.labels, each.values) for each in blocks
    ]


async def test_a_block_stays_itself_while_nothing_in_it_changes() -> None:
    """One that changes is new, over the same labels where only values did."""
    constant = (("cluster", "c"),)
    first = await found_of({"x": 1, "y": 2}).settle(None)
    before, _ = fact_blocks(first.samples, constant, 100)
    again = await found_of({"x": 1, "y": 2}).settle(first)
    assert all(a is b for a, b in zip(before, fact_blocks(again.samples, constant, 160)[0], strict=True))
    moved = await found_of({"x": 1, "y": 3}).settle(again)
    kinds, sizes, ages = fact_blocks(moved.samples, constant, 220)[0]
    assert (kinds is before[0], sizes is before[1], ages is before[2]) == (True, False, True)
    assert sizes.labels is before[1].labels
    assert list(sizes.values) == [1, 3]
    grown = await found_of({"x": 1, "y": 3, "z": 4}).settle(moved)
    assert [len(block.values) for block in fact_blocks(grown.samples, constant, 280)[0]] == [3, 3, 3]
    gone = await Findings(SCOPE, constant).settle(grown)
    assert fact_blocks(gone.samples, constant, 340)[0] == []


# ---- whole services against the simulated AWS -----------------------------------------------------------------------


@pytest.fixture
async def demo(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DemoServer]:
    async with simulated_aws(monkeypatch) as server:
        yield server


class Whole:
    """The same AWS, of whose answers everything is kept as botocore gives it."""

    def __init__(self, access: Any) -> None:
        self._access = access

    async def call(self, *args: Any, **more: Any) -> Any:
        return await self._access.call(*args, **more)

    async def read_all(self, *args: Any, keep: Any = None, **more: Any) -> Any:
        return await self._access.read_all(*args, **more)


def service_of(name: str, assets: Sequence[Asset] = ()) -> Service:
    service = SERVICES[name]
    kinds = frozenset(row.kind.name for row in service.rows)
    return service(Wishes(("Name", "team"), kinds=kinds, neighbours=lambda _: assets, constant=(("cluster", "c"),)))


async def found_by(name: str, access: Any, clock: FixedClock, assets: Sequence[Asset] = ()) -> Inventory:
    reader = Reader(access, name, clock, {}, lambda *_: None)
    reader.start_pass()
    inventory = await service_of(name, assets).discover(reader, Scope("123456789012", REGION))
    assert not inventory.failures
    return inventory


async def test_slim_records_hold_everything_that_is_read(demo: DemoServer) -> None:
    """Every service says the same of what it keeps as of all that AWS says."""
    clock = FixedClock(int(demo.world.now()))
    assets: list[Asset] = []
    async with running() as runtime:
        access = runtime.open(REGION)
        await access.identify()
        for name in SERVICES:
            slim = await found_by(name, access, clock, assets)
            whole = await found_by(name, Whole(access), clock, assets)
            assert list(slim.samples) == list(whole.samples) != []
            assert slim.resources == whole.resources
            assert (slim.assets, slim.targets, slim.counts) == (whole.assets, whole.targets, whole.counts)
            assets += slim.assets
    assert {asset.level for asset in assets} >= {"ebs_volume", "efs_file_system", "s3_bucket"}


@pytest.mark.parametrize("name", [*SERVICES])
async def test_a_pass_in_which_nothing_changed_makes_nothing_anew(demo: DemoServer, name: str) -> None:
    """Looks and full listings that answer the same leave blocks, resources and assets as they are."""
    clock = FixedClock(int(demo.world.now()))
    async with running() as runtime:
        access = runtime.open(REGION)
        service, reader = service_of(name), Reader(access, name, clock, {}, lambda *_: None)
        seen = []
        for _ in range(7):  # a full listing, fast looks, the next full listing, a look after it
            reader.start_pass()
            inventory = await service.discover(reader, SCOPE)
            seen.append((inventory, fact_blocks(inventory.samples, (("cluster", "c"),), reader.now)[0]))
            clock.at += 60
    (first, blocks), *others = seen
    for inventory, again in others:
        assert len(again) == len(blocks)
        assert [new.family.name for old, new in zip(blocks, again, strict=True) if old is not new] == []
        assert inventory.resources is first.resources
        assert inventory.assets is first.assets


async def test_one_volume_that_changes_costs_its_own_part_only(demo: DemoServer) -> None:
    """Its resource and its families are new; the other resources, and what is said of status and snapshots, stay."""
    clock = FixedClock(int(demo.world.now()))
    async with running() as runtime:
        access = runtime.open(REGION)
        service, reader = service_of("ebs"), Reader(access, "ebs", clock, {}, lambda *_: None)
        assert isinstance(service, Ebs)
        reader.start_pass()
        first = await service.discover(reader, SCOPE)
        before = {block.family.name: block for block in fact_blocks(first.samples, (("cluster", "c"),), 0)[0]}
        changed = next(iter(reader._memory[VOLUMES.name, ""].answer.items))  # type: ignore[union-attr]
        bigger = Record(tuple(changed), tuple(9999 if key == "Size" else value for key, value in changed.items()))
        answer = reader._memory[VOLUMES.name, ""].answer
        assert answer is not None
        answer.items[:] = [bigger if each is changed else each for each in answer.items]
        service._present._basis = None  # as if the list were another one
        reader.start_pass()
        second = await service.discover(reader, SCOPE)
        after = {block.family.name: block for block in fact_blocks(second.samples, (("cluster", "c"),), 60)[0]}
    assert {name for name in before if before[name] is not after[name]} == {"aws_ebs_volume_size_bytes"}
    differing = [(a, b) for a, b in zip(first.resources, second.resources, strict=True) if a is not b]
    assert 1 <= len(differing) <= 3
    assert all(b.facts["size_gib"] == 9999 and a.facts["size_gib"] != 9999 for a, b in differing)


class Account:
    """One volume on one instance, whose answers the test changes; by operation."""

    def __init__(self) -> None:
        link = {"InstanceId": "i-1", "State": "attached", "Device": "/dev/xvda"}
        self.answers: dict[str, list[dict[str, Any]]] = {
            "DescribeVolumes": [{"VolumeId": "vol-1", "Size": 8, "VolumeType": "gp3", "Attachments": [link]}],
            "DescribeInstances": [self.instance("running")],
            "DescribeInstanceTypes": [{"InstanceType": "m5.large", "Hypervisor": "nitro", "EbsInfo": {}}],
        }

    @staticmethod
    def instance(state: str) -> dict[str, Any]:
        return {"Instances": [{"InstanceId": "i-1", "InstanceType": "m5.large", "State": {"Name": state}}]}

    async def call(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError

    async def read_all(self, *asked: Any, keep: Any = None, **_: Any) -> Any:
        _, operation, _, params = asked
        filtered = params.get("Filters") and operation != "DescribeInstances"
        return [] if filtered else [keep(item) for item in self.answers.get(operation, [])]


async def test_each_answer_that_changes_is_said() -> None:
    """Nothing is taken for unchanged that is not: each operation's word, one after another."""
    aws, clock = Account(), FixedClock(1_790_000_000)
    service, reader = service_of("ebs"), Reader(aws, "ebs", clock, {}, lambda *_: None)

    async def said() -> dict[tuple[str, ...], float]:
        reader.start_pass()
        inventory = await service.discover(reader, SCOPE)
        clock.at += 86400
        return {(each.family.name, *each.labels[2:]): each.value for each in inventory.samples}

    before = await said()
    for operation, answer in (
        ("DescribeInstances", [Account.instance("stopping")]),
        ("DescribeVolumeStatus", [{"VolumeId": "vol-1", "VolumeStatus": {"Status": "impaired"}}]),
        ("DescribeVolumesModifications", [{"VolumeId": "vol-1", "ModificationState": "optimizing", "Progress": 5}]),
        ("DescribeSnapshots", [{"VolumeId": "vol-1", "SnapshotId": "snap-1", "StartTime": 5, "State": "completed"}]),
        ("DescribeInstanceTypes", [{"InstanceType": "m5.large", "Hypervisor": "xen", "EbsInfo": {}}]),
        ("DescribeVolumes", [{"VolumeId": "vol-1", "Size": 9}]),
        ("DescribeVolumes", []),
    ):
        aws.answers[operation] = answer
        after = await said()
        assert after != before, operation
        before = after
    assert before == {}
