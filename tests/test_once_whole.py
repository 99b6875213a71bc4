"""One pass that is whole: what a pass puts off is read by the next, and who follows others comes after them."""

from __future__ import annotations

import os

import pytest

from exporter import exposition
from exporter.app import App
from exporter.clock import FixedClock
from exporter.config import Config
from exporter.demo import World, WorldClock, mission_worlds, run_in_thread
from exporter.demo.regions import EXTERNAL_ID, SECOND_ACCOUNT, SECOND_REGION, SECOND_ROLE
from exporter.services.reader import MOST_SPREAD
from exporter.services.registry import SERVICES
from tests.calls import remember
from tests.harness import T, config_of, parsed


async def once(config: Config, at: float = T) -> tuple[App, dict[str, set[str]]]:
    """One `once`: the app with its values, and the operations that failed by feed."""
    app = App(config, read=lambda: config, source="test", environ=os.environ, clock=FixedClock(at))
    feeds = await app.once()
    return app, {feed.name: set(feed.report.failures) for feed in feeds if feed.report.failures}


async def test_once_reads_all_of_an_estate_that_a_pass_would_spread(monkeypatch: pytest.MonkeyPatch) -> None:
    """More calls than a pass makes: `once` goes on until none is left, each call made once."""
    world = World(1, WorldClock(at=T))
    for number in range(40):
        world.add_bucket(f"team-{number:03d}", at=T - 86_400)
    services = {name: {"enabled": name == "s3"} for name in SERVICES}
    with run_in_thread(world) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        app, failures = await once(config_of(services=services))
        calls = [(call.operation, call.parameters.get("Bucket", "")) for call in server.calls]
        remember(server.calls)
    assert failures == {}
    per_bucket = [call for call in calls if call[1]]
    assert len(per_bucket) > 2 * MOST_SPREAD
    assert len(per_bucket) == len(set(per_bucket))
    series = parsed(exposition.plain(app.store.snapshot(T)).decode())
    known = {dict(labels)["bucket"] for name, labels in series if name == "aws_s3_bucket_versioning_enabled"}
    assert known == {bucket.name for bucket in world.buckets()}


async def test_once_shows_the_newest_values_where_the_program_pushes(monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour of datapoints is for the receiver: printed are those of the usual pass, whatever `delivery` says."""
    services = {name: {"enabled": name == "efs"} for name in SERVICES}
    delivery = {"mode": "push", "push": {"url": "http://127.0.0.1:9/", "outbox": {"path": "/nowhere"}}}
    printed = []
    for more in ({}, {"delivery": delivery}):
        with run_in_thread(World(1, WorldClock(at=T))) as server:
            for name, value in server.environment().items():
                monkeypatch.setenv(name, value)
            app, failures = await once(config_of(services=services, cluster="blue", **more))
        assert failures == {}
        printed.append(parsed(exposition.plain(app.store.snapshot(T)).decode()))
    assert printed[0] == printed[1]
    assert any(name.endswith("_metered_io_bytes_per_second") for name, _ in printed[0])


async def test_keys_and_backups_follow_in_every_scope(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one `once` over two regions and two accounts protection already knows what the others found there."""
    main, *others = mission_worlds(1, WorldClock(at=T))
    scopes = [
        {"regions": [main.region, SECOND_REGION]},
        {"regions": [SECOND_REGION], "roles": [{"arn": SECOND_ROLE, "external_id": EXTERNAL_ID}]},
    ]
    services = {name: {"tiers": ["essential"]} for name in SERVICES}
    with run_in_thread(main, worlds=others) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        app, failures = await once(config_of(scopes=scopes, services=services))
        remember(server.calls)
    assert failures == {}
    series = parsed(exposition.plain(app.store.snapshot(T)).decode())

    def places(family: str) -> set[tuple[str, str]]:
        return {
            (dict(labels)["account_id"], dict(labels)["region"]) for name, labels in series if name.startswith(family)
        }

    everywhere = {(main.account_id, main.region), (main.account_id, SECOND_REGION), (SECOND_ACCOUNT, SECOND_REGION)}
    for family in ("aws_kms_key_enabled", "aws_ebs_volume_info", "aws_efs_file_system_info", "aws_s3_bucket_info"):
        assert places(family) == everywhere, family
    assert places("aws_elasticache_node_info") == everywhere
    # A bucket is a series of its own region's scope alone, although S3 lists it everywhere.
    buckets = [dict(labels)["bucket"] for name, labels in series if name == "aws_s3_bucket_info"]
    assert len(buckets) == len(set(buckets))
    regions = {
        dict(labels)["destination_region"] for name, labels in series if name == "aws_s3_bucket_replication_rule_info"
    }
    assert SECOND_REGION in regions
