"""What S3 tells of its buckets (aws-facts 3.4), and which of their metrics CloudWatch is asked for (aws-facts 1.4)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.independent.metric import DAY
from tests.independent.place import Holding, Item, Place, asked, requires_tls, tags_of, unix, yes_no
from tests.independent.points import Subject
from tests.independent.s3_table import ALL_STORAGE_TYPES, STORAGE_TYPES

COMPONENTS: Mapping[str, str] = {
    r"(.+[.-])?mimir-alertmanager([.-].+)?": "mimir-alertmanager",
    r"(.+[.-])?mimir-ruler([.-].+)?": "mimir-ruler",
    r"(.+[.-])?mimir([.-].+)?": "mimir-blocks",
    r"(.+[.-])?loki-ruler([.-].+)?": "loki-ruler",
    r"(.+[.-])?loki([.-].+)?": "loki-chunks",
    r"(.+[.-])?tempo([.-].+)?": "tempo",
}
"""What is a component where the configuration does not say: the default of `services.s3.components`."""

AWS_KEY = "alias/aws/s3"
"""With what KMS encrypts where no key is named (S3 API Reference, ServerSideEncryptionByDefault)."""

BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


def read(place: Place) -> None:
    """Say what S3 tells of the buckets of this region, and note what CloudWatch is to be asked about."""
    buckets = {
        item["Name"]: item for item in place.all("s3", "list_buckets", "Buckets", PaginationConfig={"PageSize": 100})
    }
    regions = {name: str(item["BucketRegion"]) for name, item in buckets.items()}
    for name, item in buckets.items():
        if regions[name] == place.region:
            _bucket(place, name, item, regions)


def component_of(name: str, wanted: Mapping[str, str] | None) -> str:
    """The component a bucket is, "" for none; ``${group}`` in the template is what the pattern's group matched."""
    for pattern, template in (COMPONENTS if wanted is None else wanted).items():
        if found := re.fullmatch(pattern, name):
            filled = template
            for group, text in found.groupdict().items():
                filled = filled.replace("${" + group + "}", text or "")
            return filled
    return ""


def _bucket(place: Place, name: str, item: Item, regions: Mapping[str, str]) -> None:
    client = place.client("s3")
    tagging = asked(client.get_bucket_tagging, "NoSuchTagSet", Bucket=name)
    tags = tags_of(tagging or {}, "TagSet")
    component = component_of(name, place.wanted.components)
    versioning = client.get_bucket_versioning(Bucket=name)
    encryption, key = _encryption(place, name)
    logging = client.get_bucket_logging(Bucket=name).get("LoggingEnabled", {})
    status, mfa_delete = versioning.get("Status", "never").lower(), versioning.get("MFADelete", "disabled").lower()
    described = (
        *(component, status, mfa_delete, *encryption),
        logging.get("TargetBucket", ""),
    )
    place.say("aws_s3_bucket_info", (name, *described), 1, tags)
    place.say("aws_s3_bucket_created_timestamp_seconds", (name,), unix(item["CreationDate"]))
    place.say("aws_s3_bucket_versioning_enabled", (name,), 1 if versioning.get("Status") == "Enabled" else 0)
    place.say("aws_s3_bucket_encryption_enabled", (name,), 1 if encryption[0] else 0)
    place.say("aws_s3_bucket_logging_enabled", (name,), 1 if logging else 0)
    _public(place, name)
    _lifecycle(place, name)
    pinned = place.pinned(tags)
    _replication(place, name, regions, pinned)
    _filters(place, name, component, pinned)
    for storage_type in STORAGE_TYPES:
        pair = name, storage_type
        place.subjects.append(Subject("bucket-storage", pair, pair, {}, pinned))
    place.subjects.append(Subject("bucket", (name, ALL_STORAGE_TYPES), (name,), {}, pinned))
    place.holdings.append(Holding("s3_bucket", (name,), key, f"arn:aws:s3:::{name}"))


def _encryption(place: Place, name: str) -> tuple[tuple[str, str, str], str]:
    """Algorithm, key and bucket key as labels, and the key."""
    absent = "ServerSideEncryptionConfigurationNotFoundError"
    answer = asked(place.client("s3").get_bucket_encryption, absent, Bucket=name)
    if answer is None:
        return ("", "", ""), ""
    rule = answer["ServerSideEncryptionConfiguration"]["Rules"][0]
    default = rule["ApplyServerSideEncryptionByDefault"]
    key = default.get("KMSMasterKeyID", "")
    labels = default["SSEAlgorithm"], key, yes_no(rule.get("BucketKeyEnabled", False))
    return labels, key or (AWS_KEY if default["SSEAlgorithm"].startswith("aws:kms") else "")


def _public(place: Place, name: str) -> None:
    client = place.client("s3")
    policy = asked(client.get_bucket_policy, "NoSuchBucketPolicy", Bucket=name)
    required = policy is not None and requires_tls(policy["Policy"], "s3")
    place.say("aws_s3_bucket_transit_encryption_required", (name,), 1 if required else 0)
    status = asked(client.get_bucket_policy_status, "NoSuchBucketPolicy", Bucket=name)
    place.say("aws_s3_bucket_public", (name,), 1 if status and status["PolicyStatus"]["IsPublic"] else 0)
    answer = asked(client.get_public_access_block, "NoSuchPublicAccessBlockConfiguration", Bucket=name)
    block = answer["PublicAccessBlockConfiguration"] if answer else {}
    on = {setting: bool(block.get(setting)) for setting in BLOCKS}
    place.say("aws_s3_bucket_public_access_blocked", (name,), 1 if all(on.values()) else 0)
    for setting, value in on.items():
        place.say("aws_s3_bucket_public_access_block_setting", (name, snake(setting)), 1 if value else 0)


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


# --- lifecycle -------------------------------------------------------------------------------------------------------


def scope_of(rule: Item) -> tuple[str, str]:
    """For what a rule or a metrics configuration holds: the prefix, and the rest of its filter."""
    limit: Item = rule.get("Filter", {})
    limit = limit.get("And", limit)
    tags = limit.get("Tags", [limit["Tag"]] if "Tag" in limit else [])
    rest = [f"tag:{tag['Key']}={tag['Value']}" for tag in sorted(tags, key=lambda tag: str(tag["Key"]))]
    if "ObjectSizeGreaterThan" in limit:
        rest.append(f"size>{limit['ObjectSizeGreaterThan']}")
    if "ObjectSizeLessThan" in limit:
        rest.append(f"size<{limit['ObjectSizeLessThan']}")
    return limit.get("Prefix") or rule.get("Prefix") or "", ",".join(rest)


def _lifecycle(place: Place, name: str) -> None:
    answer = asked(place.client("s3").get_bucket_lifecycle_configuration, "NoSuchLifecycleConfiguration", Bucket=name)
    rules = answer["Rules"] if answer else []
    enabled = [rule for rule in rules if rule["Status"] == "Enabled"]
    place.say("aws_s3_bucket_lifecycle_rules", (name,), len(enabled))
    for rule in rules:
        own = name, rule.get("ID", ""), *scope_of(rule)
        marker = rule.get("Expiration", {}).get("ExpiredObjectDeleteMarker")
        marker = "" if marker is None else yes_no(marker)
        place.say("aws_s3_bucket_lifecycle_rule_info", (*own, rule["Status"], marker), 1)
    for rule in enabled:
        own = name, rule.get("ID", ""), *scope_of(rule)
        for family, value in _ages(rule):
            place.say(f"aws_s3_bucket_lifecycle_{family}", own, value)
        for step in rule.get("Transitions", ()):
            if "Days" in step:
                place.say(
                    "aws_s3_bucket_lifecycle_transition_seconds", (*own, step["StorageClass"]), step["Days"] * DAY
                )
    ages = [rule["Expiration"]["Days"] for rule in enabled if "Days" in rule.get("Expiration", {})]
    if ages:
        place.say("aws_s3_bucket_lifecycle_shortest_expiration_seconds", (name,), min(ages) * DAY)


def _ages(rule: Item) -> Iterator[tuple[str, float]]:
    """What an enabled rule does, and when: family and value."""
    expiration, noncurrent = rule.get("Expiration", {}), rule.get("NoncurrentVersionExpiration", {})
    if "Days" in expiration:
        yield "expiration_seconds", expiration["Days"] * DAY
    if "Date" in expiration:
        yield "expiration_timestamp_seconds", unix(expiration["Date"])
    if "NoncurrentDays" in noncurrent:
        yield "noncurrent_expiration_seconds", noncurrent["NoncurrentDays"] * DAY
    if "NewerNoncurrentVersions" in noncurrent:
        yield "newer_noncurrent_versions", noncurrent["NewerNoncurrentVersions"]
    if "AbortIncompleteMultipartUpload" in rule:
        yield "abort_incomplete_seconds", rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] * DAY


# --- replication, request metrics ------------------------------------------------------------------------------------


def _replication(place: Place, name: str, regions: Mapping[str, str], pinned: bool) -> None:
    absent = "ReplicationConfigurationNotFoundError"
    answer = asked(place.client("s3").get_bucket_replication, absent, Bucket=name)
    rules = answer["ReplicationConfiguration"]["Rules"] if answer else []
    enabled = any(rule["Status"] == "Enabled" for rule in rules)
    place.say("aws_s3_bucket_replication_enabled", (name,), 1 if enabled else 0)
    for rule in rules:
        target: Mapping[str, Any] = rule["Destination"]
        destination = target["Bucket"].rpartition(":")[2]
        region = regions.get(destination, "")
        metered = target.get("Metrics", {}).get("Status") == "Enabled"
        timed = target.get("ReplicationTime", {}).get("Status") == "Enabled"
        described = region, rule["Status"], target.get("StorageClass", ""), yes_no(metered), yes_no(timed)
        place.say("aws_s3_bucket_replication_rule_info", (name, rule["ID"], destination, *described), 1)
        if rule["Status"] == "Enabled" and (metered or timed):
            own = name, destination, rule["ID"]
            place.subjects.append(Subject("bucket-replication-source", own, own, {}, pinned))
            if region:  # of another account's bucket it is not known where its metrics are
                where = region if region != place.region else ""
                place.subjects.append(Subject("bucket-replication", own, own, {}, pinned, published_in=where))


def _filters(place: Place, name: str, component: str, pinned: bool) -> None:
    token: dict[str, str] = {}
    count = 0
    while True:
        answer = place.client("s3").list_bucket_metrics_configurations(Bucket=name, **token)
        for item in answer.get("MetricsConfigurationList", ()):
            count += 1
            own = name, item["Id"]
            place.say("aws_s3_bucket_metrics_configuration_info", (*own, *scope_of(item)), 1)
            kind = "component-filter" if component else "other-filter"
            place.subjects.append(Subject(kind, own, own, {}, pinned))
        if not answer.get("IsTruncated"):
            break
        token = {"ContinuationToken": answer["NextContinuationToken"]}
    place.say("aws_s3_bucket_metrics_configurations", (name,), count)
