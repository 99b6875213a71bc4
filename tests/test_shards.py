"""Several exporters share the scopes: each has one owner, few move, together they show what one alone shows."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter import exposition
from exporter.app import App
from exporter.clock import FixedClock
from exporter.config import Config
from exporter.demo import DemoServer, WorldClock, mission_worlds
from exporter.demo.regions import EXTERNAL_ID, SECOND_REGION, SECOND_ROLE
from exporter.engine import Parts, engine
from exporter.errors import ConfigError
from exporter.replica import shard
from exporter.shards import Shard, jump, own_ordinal, shard_of
from exporter.store import Store
from exporter.telemetry import Telemetry
from tests.calls import remember
from tests.harness import Series, T, config_of, parsed

KEYS = [f"{account:012d}/{region}" for account in range(200) for region in ("ap-southeast-1", "ap-southeast-3")]


@given(st.text(), st.integers(1, 1000))
def test_every_scope_has_one_owner(key: str, total: int) -> None:
    """Whatever the key, exactly one of the ordinals owns it."""
    assert 0 <= shard_of(key, total) < total
    account_id, _, region = key.partition("/")
    owners = [each for each in range(min(total, 50)) if Shard(each, min(total, 50)).owns(account_id, region)]
    assert len(owners) == 1


@pytest.mark.parametrize("total", [1, 2, 3, 7, 12])
def test_one_more_exporter_moves_few_scopes_and_only_to_itself(total: int) -> None:
    """What moves, moves to the new one; about one key in total + 1 does; each has its share."""
    before = {key: shard_of(key, total) for key in KEYS}
    after = {key: shard_of(key, total + 1) for key in KEYS}
    moved = [key for key in KEYS if before[key] != after[key]]
    assert {after[key] for key in moved} == {total}
    assert 0.5 < len(moved) * (total + 1) / len(KEYS) < 1.6
    counts = [list(after.values()).count(each) for each in range(total + 1)]
    assert min(counts) > 0.4 * len(KEYS) / (total + 1)


@pytest.mark.parametrize(
    ("state", "total", "owner"), [(1, 1, 0), (42, 57, 43), (0xDEAD10CC, 1, 0), (0xDEAD10CC, 666, 361), (256, 1024, 520)]
)
def test_it_is_the_published_hash(state: int, total: int, owner: int) -> None:
    """Answers that other programs with this hash give."""
    assert jump(state, total) == owner


def test_the_owner_of_a_scope_is_the_same_for_ever() -> None:
    """Known answers: an exporter of another version must agree on who reads what."""
    known = {"/ap-southeast-3": (1, 1, 3), "210987654321/ap-southeast-1": (0, 0, 7), "/": (0, 0, 9)}
    assert {key: tuple(shard_of(key, total) for total in (2, 3, 10)) for key in known} == known


@pytest.mark.parametrize(
    ("name", "ordinal"),
    [("storage-exporter-0", 0), ("a-b-12", 12), ("exporter", None), ("exporter-7f9c", None), ("x-", None), ("7", None)],
)
def test_the_ordinal_is_at_the_end_of_the_name(name: str, ordinal: int | None) -> None:
    """As a StatefulSet names its pods; a Deployment's names end in letters and digits."""
    assert own_ordinal(name) == ordinal


def test_an_ordinal_that_cannot_be_is_refused() -> None:
    """A pod that cannot know its scopes must not read all or none of them."""
    config = config_of(shards={"total": 3})
    assert shard(config, {"POD_NAME": "exporter-2"}, "f") == Shard(2, 3)
    assert shard(config_of(shards={"total": 3, "ordinal": 1}), {"POD_NAME": "exporter"}, "f") == Shard(1, 3)
    assert shard(config_of(), {"POD_NAME": "exporter-9"}, "f") == Shard(0, 1)
    with pytest.raises(ConfigError, match=r"f: shards\.ordinal: .* exporter-3 ends in 3, .* not one of 3 ordinals"):
        shard(config, {"POD_NAME": "exporter-3"}, "f")
    with pytest.raises(ConfigError, match="has no number at its end; run a StatefulSet of 3 replicas"):
        shard(config, {"POD_NAME": "exporter-x7"}, "f")


async def once_of(config: Config) -> Series:
    """What one whole pass has read."""
    app = App(config, read=lambda: config, source="test", environ=os.environ, clock=FixedClock(T))
    await app.once()
    return parsed(exposition.plain(app.store.snapshot(T)).decode())


async def test_all_shards_together_show_what_one_exporter_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The series of three shards are disjoint, and together those of an exporter without shards, values and all."""
    world, *others = mission_worlds(1, WorldClock(at=T))
    scopes = [
        {"regions": [world.region, SECOND_REGION, "eu-west-1"]},
        {"regions": [SECOND_REGION], "roles": [{"arn": SECOND_ROLE, "external_id": EXTERNAL_ID}]},
    ]
    async with DemoServer(world, worlds=others) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        whole = await once_of(config_of(scopes=scopes))
        alone = len(server.calls)
        parts = [await once_of(config_of(scopes=scopes, shards={"total": 3, "ordinal": each})) for each in range(3)]
        remember(server.calls)
        assert len(server.calls) < 2.5 * alone
    assert sum(bool(part) for part in parts) >= 2
    together: Series = {}
    for part in parts:
        assert not together.keys() & part.keys()
        together |= part
    assert together == whole
    assert len(whole) > 1000


async def test_a_budget_is_divided_by_scopes() -> None:
    """Each shard has the part of the budget that its scopes are of all; together they have the whole."""
    regions = ["ap-southeast-1", "ap-southeast-3", "eu-west-1", "us-east-1"]
    config = config_of(scopes=[{"regions": regions}], budget={"dollars_per_month": 40})
    dollars: list[float] = []
    read: set[str] = set()
    for ordinal in range(3):
        telemetry = Telemetry("test")
        parts = Parts({}, FixedClock(T), Store(10, lambda *_: None), telemetry, shard=Shard(ordinal, 3))
        async with engine(config, parts) as built:
            mine = {feed.access.scope.region for feed in built.feeds}
            assert not read & mine
            read |= mine
            dollars.append(built.budget.dollars or 0.0)
            assert dollars[-1] == 10 * len(mine)
    assert read == set(regions)
    assert sum(dollars) == 40
