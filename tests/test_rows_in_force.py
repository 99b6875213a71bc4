"""Which rows the configuration puts in force: tiers, wishes, free sources and their witnesses; and what is pinned."""

from __future__ import annotations

import pytest

from exporter.cloudwatch.rows import RowWish, choose, reasons, why_not
from exporter.config import Config
from exporter.demo import World, WorldClock
from exporter.model import Claim, Fact, Resource, Scope, Tier
from exporter.services.ebs_rows import NVME, ROWS, VOLUME
from exporter.services.registry import SERVICES
from exporter.settings import (
    claims_pinned_by,
    faults_between,
    notices,
    pinned_by,
    sections,
    settings_of,
    wishes_of,
)
from tests.harness import T, config_of, line

USUAL = (Tier.ESSENTIAL, Tier.STANDARD)


def test_what_the_free_source_has_is_not_asked_but_for_the_witness() -> None:
    """
    With the driver's counters: no flow, latency or exceeded check; the stalled check every 15 minutes, and its values
    stand for as long as that takes (900 + 120 + 2 x 60).
    """
    asked = {one.row.source: one for one in choose(ROWS, USUAL, {}, [NVME])}
    assert set(asked) == {"BurstBalance", "VolumeStalledIOCheck", "StatusCheckFailed_AttachedEBS"}
    stalled = asked["VolumeStalledIOCheck"]
    assert (stalled.every, stalled.row.every, stalled.row.span) == (900, 900, 1140)
    without = {one.row.source: one for one in choose(ROWS, USUAL, {}, [])}
    assert (without["VolumeStalledIOCheck"].every, without["VolumeStalledIOCheck"].row.span) == (300, 540)
    assert len(without) == 11


def test_a_wish_goes_before_tier_and_free_source() -> None:
    """A row wished for is asked at the table's interval, one that is disabled is not, and each is told why not."""
    wishes = {
        "VolumeReadBytes": RowWish(enabled=True),
        "VolumeStalledIOCheck": RowWish(enabled=True),
        "BurstBalance": RowWish(enabled=False),
        "VolumeQueueLength": RowWish(every=300),
    }
    asked = {one.row.source: one.every for one in choose(ROWS, USUAL, wishes, [NVME])}
    assert asked == {"VolumeReadBytes": 900, "VolumeStalledIOCheck": 300, "StatusCheckFailed_AttachedEBS": 60}
    why = {metric: reason for (_, metric), reason in reasons(ROWS, USUAL, wishes, [NVME]).items()}
    assert (why["BurstBalance"], why["VolumeWriteBytes"], why["EBSReadOps"]) == ("disabled", "covered", "tier")
    assert not set(why) & set(asked)
    assert all((why_not(row, USUAL, wishes, [NVME]) is None) == (row.source in asked) for row in ROWS)


def test_a_resource_is_pinned_by_a_tag_or_by_what_discovery_says_of_its_claim() -> None:
    """Either is enough; values match as a whole; an annotation's key among the tags is not one."""
    pins = Config.model_validate({"pins": {"tags": {"team": "pay.*"}, "annotations": {"a/pin": "yes"}}}).pins
    pinned = pinned_by(pins)

    def volume(facts: dict[str, Fact], **tags: str) -> Resource:
        return Resource(VOLUME, Scope("123456789012", "eu-west-1"), ("vol-1",), facts, tags)

    assert pinned(volume({}, team="payments"))
    assert not pinned(volume({}, team="we pay"))
    assert pinned(volume({"pinned": True, "size_gib": 8}, team="web"))
    assert not pinned(volume({"size_gib": 8}, **{"a/pin": "yes"}))
    assert not pinned_by(Config().pins)(volume({}))


def test_a_claim_pins_by_an_annotation_or_its_class() -> None:
    """Either is enough, values match as a whole; a class that is not known is no class."""
    pins = Config.model_validate({"pins": {"annotations": {"a/pin": "y.s"}, "storage_classes": ["io2", "fast"]}}).pins
    pinned = claims_pinned_by(pins)
    assert pinned(Claim("pv", annotations={"a/pin": "yes"}))
    assert not pinned(Claim("pv", storageclass="gp3", annotations={"a/pin": "yes, please", "b/pin": "yes"}))
    assert pinned(Claim("pv", storageclass="io2"))
    assert not pinned(Claim("pv", storageclass="io2-retain"))
    assert not pinned(Claim("pv"))
    assert not claims_pinned_by(Config().pins)(Claim("pv", storageclass="io2", annotations={"a/pin": "yes"}))


def test_pins_by_claims_are_what_discovery_is_told() -> None:
    """Such a configuration has no faults, and each service is asked for it."""
    config = config_of(pins={"annotations": {"a/pin": "yes"}, "storage_classes": ["io2"]})
    assert faults_between(config) == []
    for name, section in sections(config).items():
        wishes = wishes_of(settings_of(SERVICES[name], section, config), section, config)
        assert wishes.pinned(Claim("pv", storageclass="io2"))
        assert not wishes.pinned(Claim("pv", storageclass="gp3"))


@pytest.mark.parametrize(
    ("budget", "said"),
    [({"dollars_per_month": 0}, "a budget of 0"), ({"dollars_per_month": 9, "essential": "defer"}, "defer leaves out")],
)
def test_check_warns_of_a_budget_that_blinds(budget: dict[str, object], said: str) -> None:
    """What can be told without AWS; a usual budget needs no word."""
    assert any(said in notice for notice in notices(config_of(budget=budget)))
    assert notices(config_of(budget={"dollars_per_month": 200})) == []


async def test_a_namespace_is_pinned_by_the_tags_of_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo's volumes carry what EBS CSI writes: those of one namespace are asked every minute, others are not."""
    services = {name: {"enabled": False} for name in ("efs", "s3", "elasticache", "protection")}
    pins = {"tags": {"kubernetes.io/created-for/pvc/namespace": "messaging"}}
    async with line(monkeypatch, World(1, WorldClock(at=T)), config_of(services=services, pins=pins)) as over:
        world = over.server.world
        mine = world.volume("data-rabbitmq-0").volume_id
        (feed,) = over.engine.feeds
        for instant in (T, T + 60):
            await over.run(instant)
        assert feed.collector is not None
        bill = await feed.collector.bill()
        assert {(each.every, each.resources) for each in bill.lines if each.pinned} == {(60, 1)}
        assert {each.kind for each in bill.lines if each.pinned} == {"ebs-volume", "ebs-attachment"}
        newest = "aws_ebs_volume_newest_datapoint_timestamp_seconds"
        assert over.value(newest, volume_id=mine) is not None
        assert over.names()[newest] == 1
        # 4 flow, 2 latency, 2 exceeded and the stalled check of the one volume, and the checks of 6 Nitro nodes.
        before = over.own("storage_exporter_aws_billable_metrics_total")
        await over.run(T + 120)
        assert over.own("storage_exporter_aws_billable_metrics_total") - before == 9 + 6
