"""What KMS and AWS Backup tell of what the other readers found (aws-facts 3.6; BC:kms, BC:backup)."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from tests.independent.metric import DAY
from tests.independent.place import Item, Place, asked, unix, yes_no
from tests.independent.protection_table import BACKED_UP

BAD_ENDS = ("ABORTED", "EXPIRED", "FAILED", "PARTIAL")
"""How a backup job ends that leaves less than was wanted (AWS Backup API Reference, BackupJob)."""


def read(place: Place) -> None:
    """Say what is known of the keys and the backups of what the place holds."""
    _keys(place)
    _backups(place)


def _keys(place: Place) -> None:
    known: dict[str, Item | None] = {}
    holds: Counter[tuple[str, str]] = Counter()
    for holding in place.holdings:
        if not holding.key:
            continue
        if holding.key not in known:
            known[holding.key] = _described(place, holding.key)
        key = known[holding.key]
        if key is not None:
            place.say(f"aws_{holding.level}_kms_key_info", (*holding.labels, key["KeyId"]), 1)
            holds[key["KeyId"], holding.level] += 1
    for key in {item["KeyId"]: item for item in known.values() if item}.values():
        _key(place, key)
    for pair, number in holds.items():
        place.say("aws_kms_key_resources", pair, number)


def _described(place: Place, key: str) -> Item | None:
    """The key as KMS tells it; of one that it does not know any more just that; None where only an alias is known."""
    answer = asked(place.client("kms").describe_key, "NotFoundException", KeyId=key)
    if answer is not None:
        found: Item = answer["KeyMetadata"]
        return found
    arn, _, key_id = key.rpartition(":key/")
    return {"KeyId": key_id, "Arn": key, "KeyState": "NotFound"} if arn else None


def _key(place: Place, item: Item) -> None:
    own = (item["KeyId"],)
    described = (
        *(item["Arn"], item["KeyState"], item.get("KeyManager", ""), item.get("Origin", ""), item.get("KeySpec", "")),
        yes_no(item["MultiRegion"]) if "MultiRegion" in item else "",
    )
    place.say("aws_kms_key_info", (*own, *described), 1)
    place.say("aws_kms_key_enabled", own, 1 if item["KeyState"] in ("Enabled", "Updating") else 0)
    for name, field in (("deletion", "DeletionDate"), ("material_expiry", "ValidTo"), ("created", "CreationDate")):
        if field in item:
            place.say(f"aws_kms_key_{name}_timestamp_seconds", own, unix(item[field]))


def _backups(place: Place) -> None:
    protected = {item["ResourceArn"]: item for item in place.all("backup", "list_protected_resources", "Results")}
    since = datetime.fromtimestamp(place.now - DAY, UTC)
    jobs = [
        item
        for item in place.all("backup", "list_backup_jobs", "BackupJobs", ByCreatedAfter=since)
        if item["State"] in BAD_ENDS
    ]
    for pair, number in Counter((item["ResourceType"], item["State"]) for item in jobs).items():
        place.say("aws_backup_failed_jobs", pair, number)
    bad = Counter(item["ResourceArn"] for item in jobs)
    for holding in place.holdings:
        if holding.level not in BACKED_UP:
            continue
        item = protected.get(holding.arn)
        place.say(f"aws_{holding.level}_backup_protected", holding.labels, 1 if item else 0)
        if item and "LastBackupTime" in item:
            name = f"aws_{holding.level}_last_backup_timestamp_seconds"
            place.say(name, holding.labels, unix(item["LastBackupTime"]))
        place.say(f"aws_{holding.level}_failed_backup_jobs", holding.labels, bad[holding.arn])
