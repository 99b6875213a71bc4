"""Keys and backups over the simulated AWS: only keys in use are asked, joined to what they protect."""

from __future__ import annotations

import pytest

from exporter.clock import FixedClock
from exporter.demo import World, WorldClock
from exporter.demo.tables import ACCOUNT, DAY, REGION
from exporter.model import Asset, Scope
from exporter.services.base import Wishes
from exporter.services.neighbours import Neighbours
from exporter.services.protection import GONE, Protection, key_arn
from exporter.services.reader import Reader
from tests.harness import Line, T, config_of, limits_for, line

KMS = ("kms", "DescribeKey")
ONLY = {
    "services": {
        # Facts are what is joined here: CloudWatch is not asked.
        **{name: {"tiers": []} for name in ("ebs", "efs", "protection")},
        **{name: {"enabled": False} for name in ("s3", "elasticache")},
    }
}


def made(over: Line, operation: str) -> int:
    return sum(call.operation == operation for call in over.server.calls)


def volume(over: Line, name: str) -> str:
    return over.server.world.volume(name).volume_id


async def test_the_keys_of_what_is_there_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """One question a key, whatever the number of things it encrypts; each thing is joined to its key."""
    async with line(monkeypatch, config=config_of(limits=limits_for(), **ONLY)) as over:
        feeds = await over.run(T)
        assert feeds["protection"].report.ok
        world = over.server.world
        encrypted = {item.volume_id for item in world.volumes() if item.encrypted}
        key, shared = world.kms_key("alias/officeless-ebs").key_id, world.kms_key("alias/officeless-efs").key_id
        assert made(over, "DescribeKey") == 2
        assert over.value("aws_kms_key_enabled", key_id=key) == 1
        assert over.value("aws_kms_key_resources", key_id=key, resource_level="ebs_volume") == len(encrypted)
        assert over.names()["aws_ebs_volume_kms_key_info"] == len(encrypted)
        assert over.names()["aws_kms_key_info"] == 2
        system = world.file_system("eks_production").file_system_id
        assert over.value("aws_efs_file_system_kms_key_info", file_system_id=system, key_id=shared) == 1
        await over.run(T + 60)
        assert made(over, "DescribeKey") == 2
        await over.run(T + 300)
        assert made(over, "DescribeKey") == 4


async def test_a_key_that_is_disabled_then_doomed_then_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each state shows within five minutes; the date of the deletion is the alert's lead."""
    world = World(1, WorldClock(at=T))
    world.scenario("kms-disabled", T + 600)
    key = world.kms_key("alias/officeless-efs").key_id
    async with line(monkeypatch, world=world, config=config_of(limits=limits_for(), **ONLY)) as over:
        for at, enabled, state, deletion in (
            (T, 1, "Enabled", None),
            (T + 900, 0, "Disabled", None),
            (T + 600 + 3600, 0, "PendingDeletion", T + 600 + 3600 + 7 * DAY),
            (T + 600 + 3600 + 7 * DAY, 0, GONE, None),
        ):
            await over.run(at)
            assert over.value("aws_kms_key_enabled", key_id=key) == enabled
            assert over.value("aws_kms_key_info", key_id=key, state=state) == 1
            assert over.value("aws_kms_key_deletion_timestamp_seconds", key_id=key) == deletion


async def test_backups_beside_what_they_protect(monkeypatch: pytest.MonkeyPatch) -> None:
    """0 where AWS Backup knows nothing of it; the last recovery point's time; bad ends of a day, by resource."""
    async with line(monkeypatch, config=config_of(limits=limits_for(), **ONLY)) as over:
        await over.run(T)
        good, bad, none = (volume(over, name) for name in ("data-postgres-0", "data-mongodb-0", "orphan"))
        assert over.value("aws_ebs_volume_backup_protected", volume_id=good) == 1
        assert over.value("aws_ebs_volume_backup_protected", volume_id=none) == 0
        newest = over.value("aws_ebs_volume_last_backup_timestamp_seconds", volume_id=good)
        assert newest is not None
        assert T - DAY - 3600 < newest <= T
        assert over.value("aws_ebs_volume_last_backup_timestamp_seconds", volume_id=none) is None
        failed = "aws_ebs_volume_failed_backup_jobs"
        assert [over.value(failed, volume_id=each) for each in (good, bad, none)] == [0, 1, 0]
        assert over.value("aws_backup_failed_jobs", resource_type="EBS", state="FAILED") == 1
        assert over.value("aws_backup_failed_jobs", resource_type="S3", state="PARTIAL") == 1
        over.server.world.scenario("backup-failed", T)
        await over.run(T + 2 * DAY)
        assert [over.value(failed, volume_id=each) for each in (good, bad, none)] == [1, 1, 0]


@pytest.mark.parametrize("kind", ["denied", "throttle-400", "error-500", "cut", "truncated", "malformed", "hang"])
@pytest.mark.parametrize("operation", ["DescribeKey", "ListProtectedResources", "ListBackupJobs"])
async def test_each_operation_fails_alone(kind: str, operation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other facts stay, what is not known is not said, and what was known is kept."""
    kinds = {
        "DescribeKey": ("aws_kms_key_enabled", "aws_ebs_volume_kms_key_info"),
        "ListProtectedResources": ("aws_ebs_volume_backup_protected", "aws_ebs_volume_last_backup_timestamp_seconds"),
        "ListBackupJobs": ("aws_backup_failed_jobs", "aws_ebs_volume_failed_backup_jobs"),
    }
    async with line(monkeypatch, config=config_of(limits=limits_for(kind), **ONLY)) as over:
        over.server.faults.add(kind, operation=operation, seconds=30)
        feeds = await over.run(T)
        assert set(feeds["protection"].report.failures) == {operation}
        assert feeds["ebs"].report.ok
        names = over.names()
        for other, families in kinds.items():
            assert all((family in names) is (other != operation) for family in families), other
        over.server.faults.clear()
        await over.run(T + 3700)
        assert all(family in over.names() for families in kinds.values() for family in families)
        over.server.faults.add(kind, operation=operation, seconds=30)
        await over.run(T + 3700 + (600 if operation == "DescribeKey" else 3700))  # due again, not outlived
        assert all(family in over.names() for families in kinds.values() for family in families)


async def test_a_key_of_which_only_aws_knows_is_no_missing_key() -> None:
    """A default key that AWS has not made yet (alias/aws/…) says nothing; a key id that AWS does not know is gone."""
    scope = Scope("123456789012", "cn-north-1")
    neighbours = Neighbours()
    neighbours.note(
        scope,
        "s3",
        [
            Asset("arn:aws-cn:s3:::a", "s3_bucket", ("bucket",), ("a",), "alias/aws/s3"),
            Asset("arn:aws-cn:s3:::b", "s3_bucket", ("bucket",), ("b",), "1234-5678"),
            Asset("arn:aws-cn:s3:::c", "s3_bucket", ("bucket",), ("c",)),
            Asset("arn:x", "thing", ("thing",), ("t",), "1234-5678"),
        ],
    )

    class Aws:
        async def call(self, _service: str, operation: str, params: object, *, aws_service: str) -> dict[str, object]:
            return {"KeyMetadata": []}  # as `Reader` reads the codes for "there is none"

        async def read_all(self, *_: object, **__: object) -> list[dict[str, object]]:
            return []

    reader = Reader(Aws(), "protection", FixedClock(T), {}, lambda *_: None)
    reader.start_pass()
    found = await Protection(Wishes(neighbours=neighbours.of)).discover(reader, scope)
    said = {(sample.family.name, *sample.labels[2:]): sample.value for sample in found.samples}
    assert said["aws_kms_key_enabled", "1234-5678"] == 0
    assert {name for name, *_ in said if name.startswith("aws_kms")} == {
        *("aws_kms_key_enabled", "aws_kms_key_info", "aws_kms_key_resources"),
    }
    assert said["aws_s3_bucket_kms_key_info", "b", "1234-5678"] == 1
    assert not [key for key in said if key[1] == "a" and "kms" in key[0]]
    neighbours.forget(scope, "s3")
    assert list(neighbours.of(scope)) == []


@pytest.mark.parametrize(
    ("name", "arn"),
    [
        ("arn:aws:kms:eu-west-1:1:key/k", "arn:aws:kms:eu-west-1:1:key/k"),
        ("k-1", f"arn:aws:kms:{REGION}:{ACCOUNT}:key/k-1"),
        ("alias/aws/s3", f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/aws/s3"),
    ],
)
def test_one_key_has_one_name(name: str, arn: str) -> None:
    """However a service spells it, so that it is asked once."""
    assert key_arn(name, Scope(ACCOUNT, REGION)) == arn
