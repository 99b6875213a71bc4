"""Cases: keys that cannot be used or will be deleted, and a file system that several cases share."""

from __future__ import annotations

from dataclasses import replace

from rules.build.cases.ebs_world import ACCOUNT, OWNED, VOLUME, WORLD
from rules.build.cases.shapes import Case, Reading, S, Variant, flat, step

KEY = {**ACCOUNT, "key_id": "11aa-22bb"}
FS = {**ACCOUNT, "file_system_id": "fs-0a1"}
FS_INFO = S("aws_efs_file_system_info", {**FS, "name": "shared"})
FS_CLAIM = S(
    "aws_efs_access_point_persistentvolumeclaim_info",
    {**FS, "access_point_id": "fsap-1", "namespace": "files", "persistentvolumeclaim": "uploads"},
)
NAMED_FS = {**FS, "file_system_name": "shared"}
OVERVIEW = "/d/storage-exporter-overview?var-cluster=production"
KEY_CONSOLE = "https://ap-southeast-3.console.aws.amazon.com/kms/home?region=ap-southeast-3#/kms/keys/11aa-22bb"
DAY = 86400
AGED = -2 * DAY + 1200
"""An instant that is two days old after 20 minutes."""
FRESH = -160000


def _resources(level: str, count: float) -> S:
    return S("aws_kms_key_resources", {**KEY, "resource_level": level}, bad=count)


def _key(state: str) -> S:
    return S("aws_kms_key_info", {**KEY, "arn": "arn:aws:kms:…", "state": state, "manager": "CUSTOMER"})


ENCRYPTED = (
    *WORLD,
    FS_INFO,
    FS_CLAIM,
    S("aws_ebs_volume_kms_key_info", {**VOLUME, "key_id": "11aa-22bb"}),
    S("aws_efs_file_system_kms_key_info", {**FS, "key_id": "11aa-22bb"}),
    _resources("ebs_volume", 2),
    replace(_resources("ebs_volume", 2), labels={**KEY, "resource_level": "ebs_volume", "pod": "exporter-z"}),
    _resources("efs_file_system", 1),
)
_ENCRYPTS = "It encrypts: 2 ebs volume, 1 efs file system. Claims: databases/data-postgres-0, files/uploads."
_ENABLED, _DELETION = "aws_kms_key_enabled", "aws_kms_key_deletion_timestamp_seconds"
_EXPIRY = "aws_kms_key_material_expiry_timestamp_seconds"
_ARGUMENTS = "--region ap-southeast-3 --key-id 11aa-22bb"

CASES = [
    Case(
        alert="AwsKmsKeyDisabled",
        severity="critical",
        component="protection",
        series=[*ENCRYPTED, _key("Disabled"), S(_ENABLED, KEY, bad=step(20, 1, 0), good=1)],
        fires_at=20,
        keeps=10,
        labels=KEY,
        summary="KMS key 11aa-22bb: cannot be used, and 3 things need it",
        description=f"The key's state is Disabled. {_ENCRYPTS} What is open works on for a while; a volume that is "
        "attached anew, a restore and, within the hour, file systems and buckets fail. Enable it: aws kms enable-key "
        f"{_ARGUMENTS}. Ask who disabled it: CloudTrail, event DisableKey.",
        dashboard=OVERVIEW,
        console=KEY_CONSOLE,
        variants={
            "nothing of ours uses it": Variant(fires=False, series=[_resources("ebs_volume", 0)]),
            "nothing is known of what uses it": Variant(fires=False, drop=["aws_kms_key_resources"]),
            "it will be deleted, which pages": Variant(fires=False, series=[S(_DELETION, KEY, bad=7 * DAY)]),
            "a pod that is gone says so still": Variant(
                fires=False, series=[S(_ENABLED, KEY, bad=1), S(_ENABLED, {**KEY, "pod": "exporter-z"}, bad=0)]
            ),
        },
    ),
    Case(
        alert="AwsKmsKeyPendingDeletion",
        severity="critical",
        component="protection",
        series=[
            *ENCRYPTED,
            _key("PendingDeletion"),
            S(_ENABLED, KEY, bad=0),
            S(_DELETION, KEY, bad=step(20, None, 7 * DAY + 1200), good=flat(None)),
        ],
        fires_at=20,
        keeps=10,
        labels=KEY,
        summary="KMS key 11aa-22bb: will be deleted, with all that it encrypts",
        description=f"It is deleted in 7d 0h 0m 0s; then what it encrypts is lost for good. {_ENCRYPTS} It cannot be "
        f"used already now. Take it back: aws kms cancel-key-deletion {_ARGUMENTS} and then aws kms enable-key "
        f"{_ARGUMENTS}.",
        dashboard=OVERVIEW,
        console=KEY_CONSOLE,
        variants={
            "in thirty days": Variant(fires=True, series=[S(_DELETION, KEY, bad=30 * DAY)], at=1),
            "in 35 days": Variant(fires=False, series=[S(_DELETION, KEY, bad=35 * DAY)], at=1),
            "nothing of ours uses it": Variant(fires=False, series=[_resources("ebs_volume", 0)]),
        },
    ),
    Case(
        alert="AwsKmsKeyMaterialExpiring",
        severity="warning",
        component="protection",
        series=[*ENCRYPTED, S(_EXPIRY, KEY, bad=30 * DAY + 1200, good=33 * DAY)],
        fires_at=21,
        keeps=30,
        labels=KEY,
        summary="KMS key 11aa-22bb: its imported material expires",
        description="The material expires in 29d 23h 59m 0s; then nothing that the key encrypts can be read. "
        f"{_ENCRYPTS} Import the same material again, with a later date or none: aws kms get-parameters-for-import "
        f"{_ARGUMENTS} --wrapping-algorithm RSAES_OAEP_SHA_256 --wrapping-key-spec RSA_4096, then aws kms "
        "import-key-material.",
        dashboard=OVERVIEW,
        console=KEY_CONSOLE,
        variants={"nothing of ours uses it": Variant(fires=False, series=[_resources("ebs_volume", 0)])},
    ),
]

_CLAIMED = 'account_id="123456789012", cluster="production", key_id="11aa-22bb", namespace="{}", persistentvolumeclaim="{}", region="ap-southeast-3"'
READINGS = [
    Reading(
        name="the claims whose volume or file system a key encrypts",
        series=[
            *ENCRYPTED,
            replace(OWNED, labels={**OWNED.labels, "volume_id": "vol-0b2", "persistentvolumeclaim": "data-other"}),
            S("aws_ebs_volume_info", {**VOLUME, "volume_id": "vol-0b2", "state": "in-use"}),
        ],
        expr="key:kubernetes_claim:info",
        at=3,
        samples={
            f"key:kubernetes_claim:info{{{_CLAIMED.format('databases', 'data-postgres-0')}}}": 1,
            f"key:kubernetes_claim:info{{{_CLAIMED.format('files', 'uploads')}}}": 1,
        },
    ),
]
