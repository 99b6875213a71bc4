"""KMS, AWS Backup, further regions and the second account of the simulated AWS, read by plain boto3."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from exporter.demo import DemoServer, WorldClock, mission_worlds, run_in_thread
from exporter.demo.regions import EXTERNAL_ID, SECOND_ACCOUNT, SECOND_REGION, SECOND_ROLE
from exporter.demo.tables import ACCOUNT, DAY, REGION
from tests import demo_clients as clients
from tests.harness import T


@pytest.fixture
def server() -> Iterator[DemoServer]:
    """The mission's worlds, all at one instant."""
    main, *others = mission_worlds(1, WorldClock(at=T))
    with run_in_thread(main, worlds=others) as running:
        yield running


def client(server: DemoServer, service: str, region: str = REGION, **keys: str) -> Any:
    return clients.client(server, service, region_name=region, **keys)


def code_of(error: ClientError) -> tuple[str, int]:
    return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]


def test_a_key_is_found_by_every_name_it_has(server: DemoServer) -> None:
    """Id, ARN, alias and the alias's ARN give the same metadata; a name of nobody is NotFoundException."""
    kms, key = client(server, "kms"), server.world.kms_key("alias/officeless-efs")
    prefix = f"arn:aws:kms:{REGION}:{ACCOUNT}:"
    names = (key.key_id, f"{prefix}key/{key.key_id}", key.alias, prefix + key.alias)
    told = [kms.describe_key(KeyId=name)["KeyMetadata"] for name in names]
    assert all(one == told[0] for one in told)
    assert (told[0]["KeyState"], told[0]["Enabled"], told[0]["KeyManager"]) == ("Enabled", True, "CUSTOMER")
    assert told[0]["Arn"] == names[1]
    assert "DeletionDate" not in told[0]
    for name in ("alias/nobody", "00000000-0000-4000-a000-000000000000", prefix + "alias/nobody"):
        with pytest.raises(ClientError) as refused:
            kms.describe_key(KeyId=name)
        assert code_of(refused.value) == ("NotFoundException", 400)


def test_the_keys_of_the_estate_are_those_its_resources_name(server: DemoServer) -> None:
    """What volumes and file systems say they are encrypted with can be described."""
    kms = client(server, "kms")
    volumes = client(server, "ec2").describe_volumes()["Volumes"]
    systems = client(server, "efs").describe_file_systems()["FileSystems"]
    named = {item["KmsKeyId"] for item in [*volumes, *systems] if item.get("KmsKeyId")}
    assert {kms.describe_key(KeyId=name)["KeyMetadata"]["Arn"] for name in named} == named
    assert kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]["KeyManager"] == "AWS"
    imported = kms.describe_key(KeyId="alias/officeless-imported")["KeyMetadata"]
    assert (imported["Origin"], imported["KeyState"]) == ("EXTERNAL", "Enabled")
    assert imported["ValidTo"].timestamp() > T


def test_the_life_of_a_key_that_is_disabled(server: DemoServer) -> None:
    """Scenario kms-disabled: disabled, an hour later pending deletion with its date, seven days later gone."""
    kms, world = client(server, "kms"), server.world
    world.scenario("kms-disabled", T)
    states = []
    for at in (T - 1, T, T + 3600):
        world.now.set(at, 0)  # type: ignore[attr-defined]
        states.append(kms.describe_key(KeyId="alias/officeless-efs")["KeyMetadata"])
    assert [one["KeyState"] for one in states] == ["Enabled", "Disabled", "PendingDeletion"]
    assert [one["Enabled"] for one in states] == [True, False, False]
    assert states[-1]["DeletionDate"].timestamp() == T + 3600 + 7 * DAY
    world.now.set(T + 3600 + 7 * DAY, 0)  # type: ignore[attr-defined]
    with pytest.raises(ClientError, match="NotFoundException"):
        kms.describe_key(KeyId="alias/officeless-efs")


def test_protected_resources_and_their_jobs_agree(server: DemoServer) -> None:
    """The last backup is the newest job that left a recovery point; bad ends are listed by state, newest first."""
    backup = client(server, "backup")
    protected = {item["ResourceArn"]: item for item in backup.list_protected_resources()["Results"]}
    since = datetime.fromtimestamp(T - 2 * DAY, UTC)
    jobs = backup.list_backup_jobs(ByCreatedAfter=since)["BackupJobs"]
    assert {job["State"] for job in jobs} >= {"COMPLETED", "FAILED", "EXPIRED", "ABORTED", "PARTIAL"}
    assert all(job["CreationDate"] > since for job in jobs)
    assert [job["CreationDate"] for job in jobs] == sorted((job["CreationDate"] for job in jobs), reverse=True)
    for state in ("FAILED", "EXPIRED", "ABORTED", "PARTIAL"):
        chosen = backup.list_backup_jobs(ByState=state, ByCreatedAfter=since)["BackupJobs"]
        assert chosen == [job for job in jobs if job["State"] == state] != []
    for arn, item in protected.items():
        points = backup.list_recovery_points_by_resource(ResourceArn=arn)["RecoveryPoints"]
        assert max(point["CreationDate"] for point in points) == item["LastBackupTime"]
    assert {item["ResourceType"] for item in protected.values()} == {"EBS", "EFS", "S3", "RDS"}


def test_pages_of_backup(server: DemoServer) -> None:
    """MaxResults cuts, NextToken goes on, a token of nobody is refused."""
    backup = client(server, "backup")
    whole = backup.list_protected_resources()["Results"]
    pages = backup.get_paginator("list_protected_resources").paginate(PaginationConfig={"PageSize": 2})
    assert [item for page in pages for item in page["Results"]] == whole
    with pytest.raises(ClientError) as refused:
        backup.list_protected_resources(NextToken="nonsense")
    assert code_of(refused.value)[0] == "InvalidParameterValueException"


@pytest.mark.parametrize(
    ("kind", "kms_code", "backup_code"),
    [
        ("throttle-400", ("ThrottlingException", 400), ("ThrottlingException", 400)),
        ("error-500", ("KMSInternalException", 500), ("ServiceUnavailableException", 500)),
        ("denied", ("AccessDeniedException", 400), ("AccessDeniedException", 403)),
        ("expired", ("ExpiredTokenException", 400), ("ExpiredTokenException", 403)),
    ],
)
def test_faults_are_spelled_as_the_services_do(
    server: DemoServer, kind: str, kms_code: tuple[str, int], backup_code: tuple[str, int]
) -> None:
    """As botocore reads them: code and status."""
    server.faults.add(kind)
    with pytest.raises(ClientError) as refused:
        client(server, "kms").describe_key(KeyId="alias/officeless-efs")
    assert code_of(refused.value) == kms_code
    with pytest.raises(ClientError) as refused:
        client(server, "backup").list_protected_resources()
    assert code_of(refused.value) == backup_code


def test_regions_and_accounts_are_apart(server: DemoServer) -> None:
    """Each (account, region) has its own things; the second account is reached by its role with the external id."""
    here = {item["VolumeId"] for item in client(server, "ec2").describe_volumes()["Volumes"]}
    there = {item["VolumeId"] for item in client(server, "ec2", SECOND_REGION).describe_volumes()["Volumes"]}
    replica = client(server, "efs", SECOND_REGION).describe_file_systems()["FileSystems"]
    main = client(server, "efs").describe_replication_configurations()["Replications"]
    assert replica[0]["FileSystemId"] in {target["FileSystemId"] for item in main for target in item["Destinations"]}
    sts = client(server, "sts")
    with pytest.raises(ClientError, match="AccessDenied"):
        sts.assume_role(RoleArn=SECOND_ROLE, RoleSessionName="test")
    given = sts.assume_role(RoleArn=SECOND_ROLE, RoleSessionName="test", ExternalId=EXTERNAL_ID)["Credentials"]
    keys = {
        "aws_access_key_id": given["AccessKeyId"],
        "aws_secret_access_key": given["SecretAccessKey"],
        "aws_session_token": given["SessionToken"],
    }
    assert client(server, "sts", SECOND_REGION, **keys).get_caller_identity()["Account"] == SECOND_ACCOUNT
    other = {item["VolumeId"] for item in client(server, "ec2", SECOND_REGION, **keys).describe_volumes()["Volumes"]}
    assert here
    assert there
    assert other
    assert here.isdisjoint(there)
    assert there.isdisjoint(other)
    assert here.isdisjoint(other)
    key = client(server, "kms", SECOND_REGION, **keys).describe_key(KeyId="alias/officeless-efs")["KeyMetadata"]
    assert key["AWSAccountId"] == SECOND_ACCOUNT
