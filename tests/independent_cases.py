"""The worlds in which the exporter and the independent witness are compared, and what is configured on both sides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from exporter.demo import World, WorldClock, mission_worlds
from exporter.demo.buckets import (
    Encryption,
    Filter,
    LifecycleRule,
    MetricsConfiguration,
    PublicAccessBlock,
    ReplicationRule,
    RequestLoad,
)
from exporter.demo.cache_rows import alone
from exporter.demo.caches import CacheEvent, ScalingTarget, ServerlessCache, UpdateAction
from exporter.demo.nouns import AccessPoint
from exporter.demo.regions import EXTERNAL_ID, SECOND_REGION, SECOND_ROLE
from exporter.demo.tables import REGION
from tests.harness import T
from tests.independent.place import Scope, Wanted
from tests.independent.tables import DIMENSIONS, METRICS

ODD = T + 3 * 86_400 + 7 * 3600 + 1039
"""Three days later in the afternoon: no whole minute, and just behind a quarter of an hour."""

HOUR, DAY = 3600, 86_400

ALL = ("essential", "standard", "on-request")
SERVICES = ("ebs", "efs", "s3", "elasticache", "protection")
OLD = ("ebs", "efs")
CACHES = ("elasticache",)
PROTECTED = ("ebs", "efs", "s3", "protection")


@dataclass(frozen=True)
class Case:
    """
    A world at an instant, and what is configured.

    Args:
        scenario: its name, and for how many seconds it has been going on.

        scopes: where several are read; the simulated AWS then has all the mission's regions and accounts.

        sections: of the configuration, beyond what the other fields say.
    """

    name: str
    services: tuple[str, ...] = SERVICES
    tiers: tuple[str, ...] = ALL
    seed: int = 1
    at: float = T
    scenario: tuple[str, float] = ("quiet", 0)
    cluster: str = ""
    tags: tuple[str, ...] = ()
    pins: Mapping[str, str] = field(default_factory=dict)
    components: Mapping[str, str] | None = None
    scopes: tuple[Scope, ...] = ()
    change: Callable[[World], object] = lambda _: None

    def worlds(self) -> list[World]:
        """The simulated accounts and regions, the one that the scenario is about first."""
        clock = WorldClock(at=self.at)
        worlds = mission_worlds(self.seed, clock) if self.scopes else [World(self.seed, clock)]
        name, since = self.scenario
        worlds[0].scenario(name, self.at - since)
        self.change(worlds[0])
        return worlds

    @property
    def config(self) -> dict[str, Any]:
        """The sections of the exporter's file."""
        services: dict[str, dict[str, Any]] = {name: {"enabled": name in self.services} for name in SERVICES}
        for name in SERVICES[:-1]:
            services[name]["tiers"] = list(self.tiers)
        if self.components is not None:
            services["s3"]["components"] = dict(self.components)
        sections: dict[str, Any] = {"services": services}
        if self.cluster:
            sections["cluster"] = self.cluster
        if self.tags:
            sections["tags"] = list(self.tags)
        if self.pins:
            sections["pins"] = {"tags": dict(self.pins)}
        if self.scopes:
            sections["scopes"] = [
                {
                    "regions": [scope.region],
                    "roles": [{"arn": arn, "external_id": external_id} for arn, external_id in scope.roles],
                }
                for scope in self.scopes
            ]
        return sections

    @property
    def wanted(self) -> Wanted:
        """The same for the witness."""
        scopes = self.scopes or (Scope(),)
        return Wanted(self.tiers, self.cluster, self.tags, self.pins, self.components, scopes, self.services)


def grow_old_disks(world: World) -> None:
    """A gp2 volume above its burst ceiling on Xen, where BurstBalance reads 100, one on Nitro, and one at it."""
    world.add_volume("huge-xen", instance="node-a3", at=T - 86_400, type="gp2", size=2000, iops=6000, throughput=0)
    world.add_volume("huge-nitro", instance="node-b1", at=T - 86_400, type="gp2", size=2000, iops=6000, throughput=0)
    world.add_volume("io1-shared", instance="node-a1", at=T - 86_400, type="io1", size=100, iops=5000, throughput=0)
    world.update_volume("io1-shared", multi_attach=True)
    world.attach("io1-shared", "node-a2", T - 80_000)


def trouble_files(world: World) -> None:
    """File systems in other states than the mission's: changing, idle, unprotected, half available."""
    media, scratch = world.file_system("media"), world.file_system("scratch")
    broken, *others = media.mount_targets
    world.update_file_system("media", mount_targets=(replace(broken, state="error"), *others), lifecycle=(), tags=())
    world.update_file_system("scratch", state="updating", backup="ENABLING", load=replace(scratch.load, idle_share=1.0))
    world.add_access_point(
        "scratch", AccessPoint("fsap-0f00000000000000f", "by-hand", '/a \\ "b"', 0, 0, state="creating")
    )
    old = world.file_system("eks_production").replication
    assert old is not None
    world.update_file_system("eks_production", replication=replace(old, status="PAUSED"))


def trouble_caches(world: World) -> None:
    """Caches in other states than the mission's: made and deleted just now, moving slots, following another region."""
    now = world.now()
    world.update_cache("feature-flags", retention=2, snapshot_window="21:00-22:00")
    world.update_cache("catalog", pending=(("Resharding", {"SlotMigration": {"ProgressPercentage": "37.5"}}),))
    world.update_cache("legacy-queue", global_id="erpgt-legacy", global_role="SECONDARY", version="9.1.0")
    world.add_cache_node("sessions", "sessions-004", now - 90)
    world.delete_cache("events-buffer", now - 200)
    world.delete_cache_node("page-fragments", now - 100, node_id="0002")
    world.update_cache("page-fragments", pending=(("NumCacheNodes", "1"), ("CacheNodeIdsToRemove", ["0002", "0003"])))
    world.update_cache(
        "profiles", pending=(("UserGroups", {"UserGroupIdsToAdd": ["a"]}), ("TransitEncryptionMode", "required"))
    )
    world.fail_over("catalog", "0002", now - 150)
    world.add_cache(
        alone(
            "old-redis",
            "cache.t4g.micro",
            engine="redis",
            version="7.0.7",
            parameter_group="default.redis7",
            transit=True,
            busy=((now - 60, now + 60, "snapshotting"),),
            manual_snapshots=(("just-begun", now - 30), ("half-an-hour-old", now - 1800)),
            updates=tuple(
                UpdateAction(
                    f"update-{status}", "low", status, now - 9 * DAY, now + DAY, 0, "yes", update_status="expired"
                )
                for status in ("not-applied", "stopped", "scheduled", "complete", "not-applicable", "waiting-to-start")
            ),
        )
    )
    world.add_cache(ServerlessCache("fresh", now - 60, engine="redis", major="7", retention=1, snapshot_time="03:00"))
    world.add_cache(ServerlessCache("pages", now - 4000, data_maximum=3))
    scaling = ScalingTarget("NodeGroups", 3, 6, suspended=True), ScalingTarget("Replicas", 1, 3)
    world.update_cache("catalog", scaling=scaling, busy=((now - 600, now + 600, "modifying"),), durability="sync")
    texts = (
        (DAY + 1, "sessions-001", "cache-cluster", "Recovering cache nodes 0001"),  # before the first 24 hours
        (DAY - 1, "sessions-002", "cache-cluster", "Recovering cache nodes 0001"),
        (DAY - 90, "sessions-002", "cache-cluster", "Recovering cache nodes 0001"),
        (7200, "sessions-002", "cache-cluster", "Finished recovery for cache nodes 0001"),
        (600, "sessions", "replication-group", "Test Failover API called for node group 0001"),
        (0, "sessions-003", "cache-cluster", "Finished recovery for cache nodes 0001"),
    )
    world.update_cache("sessions", events=tuple(CacheEvent(now - age, *words) for age, *words in texts))
    full = CacheEvent(now - 61, "web-fragments", "serverless-cache", FULL_SLOT)
    world.update_serverless_cache("web-fragments", events=(full,))
    for name in ("sessions", "profiles"):
        world.update_cache(name, tags=(*world.cache(name).tags, ("monitoring", "pinned")))
    cache = world.serverless_cache("web-fragments")
    world.update_serverless_cache("web-fragments", tags=(*cache.tags, ("monitoring", "pinned")))


def trouble_buckets(world: World) -> None:
    """Buckets in other states than the mission's: new, gone, opened, counted in parts, pinned."""
    now = world.now()
    world.add_bucket("brand-new", at=now - 300)
    world.delete_bucket("legacy-cron-output", at=now - 100)
    world.update_bucket(
        "officeless-analytics",
        metrics=(MetricsConfiguration("Part/1"), MetricsConfiguration("young", since=now - 600)),
        load=RequestLoad(get=20, put=3, select=2, listing=0.5, idle_share=0.3, server_errors=0.01),
        tags=(("monitoring", "pinned"),),
    )
    world.update_bucket(
        "officeless-playground",
        metrics=tuple(MetricsConfiguration(f"filter-{number:03}", since=now) for number in range(120)),
        encryption=Encryption("aws:kms", "alias/officeless"),
        mfa_delete=True,
        public_access_block=PublicAccessBlock(ignore_acls=False),
        lifecycle=(
            LifecycleRule("old", filter=Filter("a/"), legacy=True, days=3, noncurrent_days=2, newer_noncurrent=5),
            LifecycleRule(
                "both", filter=Filter(None, (("b", "2"), ("a", "1")), 1, 2), transitions=((0, "GLACIER_IR"),)
            ),
            LifecycleRule("markers", delete_markers=True, noncurrent_transitions=((9, "STANDARD_IA"),)),
            LifecycleRule("off", enabled=False, days=1, abort_days=2),
            LifecycleRule("dated", date=T // DAY * DAY + 30.0 * DAY, abort_days=9),
        ),
    )
    world.update_bucket(
        "officeless-vault",
        versioning="Enabled",
        replication=(
            ReplicationRule("away", "a-bucket-of-others", metrics=True, failing=0.2),
            ReplicationRule("off", "officeless-backups", enabled=False, metrics=True, storage_class="GLACIER"),
            ReplicationRule("silent", "officeless-archive"),
            ReplicationRule("new", "officeless-backups", time_control=True, metrics=True, since=now - 1100.0),
        ),
    )


def trouble_keys(world: World) -> None:
    """Keys in other states than the mission's: deleted, waiting for deletion, with material that has expired."""
    now = world.now()
    states: tuple[dict[str, Any], ...] = (
        {"doomed": now - 8.0 * DAY},
        {"doomed": now - 60.0},
        {"origin": "EXTERNAL", "expires": now - 60.0},
        {"multi_region": True, "updating": (now - 2.0, now + 2.0)},
    )
    for key, fields in zip(world.kms_keys(), states, strict=False):
        world.update_kms_key(key.key_id, **fields)


def everything(world: World) -> None:
    """All of these, and a datapoint of each metric that nobody's commands make."""
    trouble_caches(world)
    trouble_buckets(world)
    now = int(world.now()) // 60 * 60
    of = {"CacheClusterId": "legacy-queue-002", "CacheNodeId": "0001", "clusterId": "web-fragments"}
    for metric in METRICS:
        if metric.subject in {"cache-node", "serverless-cache"} and "_commands_" in metric.family:
            dimensions = {name: of[name] for name in DIMENSIONS[metric.subject]}
            points = {now - 60 * age: 7.0 + age for age in range(3, 20)}
            world.put_points(metric.namespace, metric.metric, dimensions, points)
    for name in ("SearchNumberOfIndexes", "SearchTotalIndexedDocuments", "SearchUsedMemoryBytes"):
        dimensions = {name: of[name] for name in DIMENSIONS["cache-node"]}
        world.put_points("AWS/ElastiCache", name, dimensions, {now - 240: 3.0})
    key = world.kms_keys()[0]
    world.update_kms_key(key.key_id, origin="EXTERNAL", expires=now + 86_400.0)


FULL_SLOT = "Slot 77 is using more than 90% of the per-slot limit of 32 GB"

TWO_REGIONS_AND_ANOTHER_ACCOUNT = (
    Scope(REGION),
    Scope(SECOND_REGION),
    Scope(SECOND_REGION, ((SECOND_ROLE, EXTERNAL_ID),)),
)

CASES = (
    Case("default", tiers=ALL[:2]),
    Case("all tiers, another seed and instant", seed=7, at=ODD),
    Case("disks and files, default", OLD, ALL[:2], seed=7, at=ODD),
    Case("ebs-saturated", OLD, scenario=("ebs-saturated", 1800)),
    Case("volume-stalled", OLD, scenario=("volume-stalled", 400)),
    Case("volume-stalled, over", OLD, seed=2, at=ODD, scenario=("volume-stalled", 700)),
    Case("ebs-degraded", OLD, scenario=("ebs-degraded", 1500)),
    Case("node-loss, detaching", OLD, scenario=("node-loss", 120)),
    Case("node-loss, detached", OLD, scenario=("node-loss", 330)),
    Case("node-loss, coming up", OLD, scenario=("node-loss", 365)),
    Case("node-loss, over", OLD, seed=3, at=ODD, scenario=("node-loss", 900)),
    Case("attach-stuck", OLD, scenario=("attach-stuck", 600)),
    Case("volume-lifecycle, young", OLD, scenario=("volume-lifecycle", 400)),
    Case("volume-lifecycle, detached", OLD, scenario=("volume-lifecycle", 2000)),
    Case("cloudwatch-late", ("efs", "s3", "elasticache"), ALL[:2], scenario=("cloudwatch-late", 1200)),
    Case("efs-credits", OLD, scenario=("efs-credits", 7200)),
    Case("efs-credits, spent", OLD, seed=5, at=ODD, scenario=("efs-credits", 6 * HOUR)),
    Case("old and shared disks", OLD, change=grow_old_disks),
    Case("files in trouble", OLD, at=ODD, change=trouble_files),
    Case("caches in trouble", CACHES, seed=4, at=ODD, change=trouble_caches),
    Case("valkey-failover, headless", CACHES, ALL[:2], scenario=("valkey-failover", 45)),
    Case("valkey-failover, over", CACHES, seed=2, at=ODD, scenario=("valkey-failover", 400)),
    Case("valkey-memory", CACHES, ALL[:2], scenario=("valkey-memory", 1500)),
    Case("valkey-saturated", CACHES, ALL[:2], scenario=("valkey-saturated", 900)),
    Case("silent-node", CACHES, ALL[:1], scenario=("silent-node", 290)),
    Case("silent-node, outlived", CACHES, ALL[:2], scenario=("silent-node", 1500)),
    Case("buckets in trouble", ("s3",), seed=4, at=ODD, change=trouble_buckets),
    Case("s3-errors", ("s3",), scenario=("s3-errors", 900)),
    Case("s3-growth", ("s3",), ALL[:2], at=T + 11 * HOUR, scenario=("s3-growth", 2 * DAY)),
    Case("bucket-public", ("s3",), ("standard",), seed=6, at=ODD, scenario=("bucket-public", 60)),
    Case("kms-disabled", PROTECTED, ALL[:1], scenario=("kms-disabled", 600)),
    Case("kms-disabled, to be deleted", ("efs", "elasticache", "protection"), ALL[:1], scenario=("kms-disabled", 5000)),
    Case("keys in trouble", tiers=ALL[:1], change=trouble_keys),
    Case("backup-failed, some run", PROTECTED, ALL[:1], at=T + 5.1 * HOUR, scenario=("backup-failed", 7 * HOUR)),
    Case(
        "backup-failed, for days",
        ("ebs", "efs", "s3", "protection"),
        ALL[:1],
        at=ODD,
        scenario=("backup-failed", 4 * DAY),
    ),
    Case(
        "two regions and another account",
        tiers=ALL[:2],
        at=ODD,
        cluster="production",
        scopes=TWO_REGIONS_AND_ANOTHER_ACCOUNT,
    ),
    Case(
        "cluster, tags, pins and components",
        at=ODD,
        cluster="production",
        tags=("team", "data-classification", "rpo", 'note "quoted"', "lines", "unicode", "markup", "empty"),
        pins={"monitoring": "pinned"},
        components={r"officeless-(?P<what>uploads|loki-\w+)-production": "the-${what}", r".*analytics": "numbers"},
        change=everything,
    ),
)
