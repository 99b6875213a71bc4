"""Keys against moto's server, an AWS somebody else wrote: their states come back as they were set through boto3."""

from __future__ import annotations

from typing import Any

from tests.moto_aws import REGION, client, moto, once, values_of

__all__ = ["moto"]

LACKING = {"ListProtectedResources", "ListBackupJobs"}
"""What moto 5 does not have of AWS Backup."""


def test_keys_in_use_and_no_others(moto: str, tmp_path: Any) -> None:
    """Enabled, disabled and pending keys of volumes and file systems, each joined to what it encrypts."""
    kms, ec2, efs = (client(moto, service) for service in ("kms", "ec2", "efs"))
    good, off, going, unused = (kms.create_key(Description=name)["KeyMetadata"] for name in ("a", "b", "c", "d"))
    zone = {"AvailabilityZone": f"{REGION}a", "Size": 8, "VolumeType": "gp3"}
    volumes = {
        name: ec2.create_volume(Encrypted=True, KmsKeyId=key["Arn"], **zone)["VolumeId"]
        for name, key in (("good", good), ("off", off))
    }
    system = efs.create_file_system(CreationToken="keyed", Encrypted=True, KmsKeyId=going["Arn"])["FileSystemId"]
    kms.disable_key(KeyId=off["KeyId"])
    end = kms.schedule_key_deletion(KeyId=going["KeyId"], PendingWindowInDays=7)["DeletionDate"]

    code, answer, stderr = once(moto, tmp_path)

    values = values_of(answer)

    keys = {"good": good["KeyId"], "off": off["KeyId"], "going": going["KeyId"]}
    assert [values("aws_kms_key_enabled", key_id=key) for key in keys.values()] == [[1], [0], [0]]
    assert values("aws_kms_key_info", key_id=keys["off"], state="Disabled", manager="CUSTOMER") == [1]
    assert values("aws_kms_key_info", key_id=keys["going"], state="PendingDeletion", arn=going["Arn"]) == [1]
    assert values("aws_kms_key_deletion_timestamp_seconds") == [int(end.timestamp())]
    for name, volume in volumes.items():
        assert values("aws_ebs_volume_kms_key_info", volume_id=volume, key_id=keys[name]) == [1]
    assert values("aws_efs_file_system_kms_key_info", file_system_id=system, key_id=keys["going"]) == [1]
    assert values("aws_kms_key_resources", key_id=keys["good"], resource_level="ebs_volume") == [1]
    assert values("aws_kms_key_enabled", key_id=unused["KeyId"]) == []

    failed = {each["operation"] for each in answer["failures"] if each["job"].startswith("protection")}
    assert failed == LACKING
    assert code == 1
    assert all(f": {operation}: " in stderr for operation in failed)
    assert values("aws_ebs_volume_backup_protected") == []  # not known is not "no"
