"""
From S3's answers about one bucket to facts. Pure.

An answer that is None is not known (denied, not read yet, the bucket gone) and says nothing; one that is empty means
that there is none of it, which is a fact.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain

from exporter.model import Family
from exporter.services.base import Findings, seconds_of, text_of
from exporter.services.items import Item
from exporter.services.policies import requires_tls
from exporter.services.reader import Answer, Operation
from exporter.services.s3_facts import (
    BUCKET_INFO,
    CREATED,
    ENCRYPTION,
    ENCRYPTION_ENABLED,
    LIFECYCLE,
    LIFECYCLE_ABORT,
    LIFECYCLE_EXPIRATION,
    LIFECYCLE_EXPIRATION_DATE,
    LIFECYCLE_NEWER_VERSIONS,
    LIFECYCLE_NONCURRENT,
    LIFECYCLE_RULE_INFO,
    LIFECYCLE_RULES,
    LIFECYCLE_SHORTEST,
    LIFECYCLE_TRANSITION,
    LOGGING,
    LOGGING_ENABLED,
    METRICS,
    METRICS_CONFIGURATION_INFO,
    METRICS_CONFIGURATIONS,
    POLICY,
    POLICY_STATUS,
    PUBLIC,
    PUBLIC_ACCESS,
    PUBLIC_ACCESS_BLOCKED,
    PUBLIC_ACCESS_SETTING,
    REPLICATION_ENABLED,
    REPLICATION_RULE_INFO,
    REPLICATION_RULES,
    TLS_ONLY,
    VERSIONING,
    VERSIONING_ENABLED,
)

DAY = 86400

_SETTINGS = {
    "BlockPublicAcls": "block_public_acls",
    "IgnorePublicAcls": "ignore_public_acls",
    "BlockPublicPolicy": "block_public_policy",
    "RestrictPublicBuckets": "restrict_public_buckets",
}


@dataclass(frozen=True, slots=True)
class About:
    """
    What is known of one bucket.

    Args:
        name: the bucket's.

        item: as ListBuckets gives it.

        component: the part of the observability stack it belongs to, ``""`` for none.

        tags: its own, empty where they are not known.

        answers: by the operation that gave them.
    """

    name: str
    item: Item
    component: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[Operation, Answer | None] = field(default_factory=dict)

    def basis(self) -> Iterator[object]:
        """All that is said of it is made of: while none of it changes nothing that is said does."""
        yield self.name
        yield self.item
        yield from chain.from_iterable(self.tags.items())
        yield from (answer.items if answer is not None else None for answer in self.answers.values())

    def document(self, operation: Operation) -> Item | None:
        """The one document *operation* gives: None where it is not known, empty where there is none."""
        answer = self.answers.get(operation)
        if answer is None:
            return None
        return answer.items[0] if answer.items else {}


@dataclass(frozen=True, slots=True)
class Rule:
    """
    A replication rule.

    Args:
        rule_id: as CloudWatch's dimension has it.

        destination: the name of the bucket it replicates to.

        enabled: whether it does.

        metrics: whether CloudWatch is told of it: replication metrics or replication time control are on.

        time_control: whether the latter is.

        storage_class: of the copies, ``""`` for the source's.
    """

    rule_id: str
    destination: str
    enabled: bool
    metrics: bool
    time_control: bool
    storage_class: str


def region_of(constraint: object) -> str:
    """The region a LocationConstraint means: the oldest two have names of their own (S3, GetBucketLocation)."""
    return {"": "us-east-1", "EU": "eu-west-1"}.get(text_of(constraint), text_of(constraint))


def tags_in(answer: Answer | None) -> dict[str, str]:
    """The tags of GetBucketTagging's answer."""
    items = answer.items if answer is not None else ()
    return {text_of(tag.get("Key")): text_of(tag.get("Value")) for item in items for tag in item.get("TagSet") or ()}


def storage_types(answer: Answer) -> dict[str, list[str]]:
    """Bucket → storage types CloudWatch has sizes of, from ListMetrics' answer, sorted."""
    found: dict[str, set[str]] = {}
    for metric in answer.items:
        named = {text_of(each.get("Name")): text_of(each.get("Value")) for each in metric.get("Dimensions") or ()}
        if named.keys() == {"BucketName", "StorageType"}:
            found.setdefault(named["BucketName"], set()).add(named["StorageType"])
    return {bucket: sorted(types) for bucket, types in found.items()}


def filter_ids(about: About) -> list[str]:
    """The ids of the bucket's metrics configurations, which are CloudWatch's FilterId."""
    answer = about.answers.get(METRICS)
    return sorted({text_of(item.get("Id")) for item in answer.items} - {""}) if answer is not None else []


def default_key(about: About) -> str:
    """The KMS key new objects are encrypted with, ``""`` where it is S3's own or not known."""
    default = _default_encryption(about) or {}
    by_kms = text_of(default.get("SSEAlgorithm")).startswith("aws:kms")
    return text_of(default.get("KMSMasterKeyID")) or ("alias/aws/s3" if by_kms else "")


def replication_rules(about: About) -> list[Rule]:
    """The bucket's replication rules, enabled or not."""
    rules = []
    document = about.document(REPLICATION_RULES) or {}
    for item in (document.get("ReplicationConfiguration") or {}).get("Rules") or ():
        destination = item.get("Destination") or {}
        time_control = _is_enabled(destination.get("ReplicationTime"))
        rules.append(
            Rule(
                text_of(item.get("ID")),
                text_of(destination.get("Bucket")).rpartition(":::")[2],
                _is_enabled(item),
                _is_enabled(destination.get("Metrics")) or time_control,
                time_control,
                text_of(destination.get("StorageClass")),
            )
        )
    return rules


# ---- saying ---------------------------------------------------------------------------------------------------------


def say(found: Findings, about: About, info: Family, tags: Mapping[str, str], regions: Mapping[str, str]) -> None:
    """
    Add every fact of a bucket.

    Args:
        found: gets them.

        about: what is known of the bucket.

        info: `BUCKET_INFO` with the labels of the tags.

        tags: the values of those, in their order.

        regions: bucket → its region, of all the account's buckets.
    """
    bucket = (about.name,)
    described = _described(about)
    found.say(info, (*(described[label] for label in BUCKET_INFO.labels[2:]), *tags.values()), 1)
    found.say(CREATED, bucket, seconds_of(about.item.get("CreationDate")))
    versioning = about.document(VERSIONING)
    if versioning is not None:
        found.say(VERSIONING_ENABLED, bucket, _is_enabled(versioning))
    encryption = _default_encryption(about)
    if encryption is not None:
        found.say(ENCRYPTION_ENABLED, bucket, bool(encryption.get("SSEAlgorithm")))
    policy = about.document(POLICY_STATUS)
    if policy is not None:
        found.say(PUBLIC, bucket, (policy.get("PolicyStatus") or {"IsPublic": False}).get("IsPublic"))
    own_policy = about.document(POLICY)
    if own_policy is not None:
        found.say(TLS_ONLY, bucket, requires_tls(text_of(own_policy.get("Policy"))))
    blocks = about.document(PUBLIC_ACCESS)
    if blocks is not None:
        flags = blocks.get("PublicAccessBlockConfiguration") or {}
        found.say(PUBLIC_ACCESS_BLOCKED, bucket, all(flags.get(name) is True for name in _SETTINGS))
        for name, setting in _SETTINGS.items():
            found.say(PUBLIC_ACCESS_SETTING, (about.name, setting), flags.get(name) is True)
    logging = about.document(LOGGING)
    if logging is not None:
        found.say(LOGGING_ENABLED, bucket, bool(logging.get("LoggingEnabled")))
    _say_replication(found, about, regions)
    _say_lifecycle(found, about)
    _say_metrics(found, about)


def _described(about: About) -> dict[str, str]:
    """The info labels' values."""
    versioning, logging = about.document(VERSIONING), about.document(LOGGING) or {}
    default = _default_encryption(about) or {}
    encryption = about.document(ENCRYPTION) or {}
    rule = _first_rule(encryption)
    return {
        "bucket": about.name,
        "bucket_component": about.component,
        "versioning": "" if versioning is None else text_of(versioning.get("Status")).lower() or "never",
        "mfa_delete": "" if versioning is None else text_of(versioning.get("MFADelete")).lower() or "disabled",
        "encryption": text_of(default.get("SSEAlgorithm")),
        "kms_key_id": text_of(default.get("KMSMasterKeyID")),
        "bucket_key_enabled": text_of(rule.get("BucketKeyEnabled")),
        "logging_target_bucket": text_of((logging.get("LoggingEnabled") or {}).get("TargetBucket")),
    }


def _first_rule(encryption: Item) -> Item:
    rules = (encryption.get("ServerSideEncryptionConfiguration") or {}).get("Rules") or ()
    first: Item = rules[0] if rules else {}
    return first


def _default_encryption(about: About) -> Item | None:
    """How new objects are encrypted: a bucket has one rule at most. None where it is not known."""
    document = about.document(ENCRYPTION)
    if document is None:
        return None
    default: Item = _first_rule(document).get("ApplyServerSideEncryptionByDefault") or {}
    return default


def _is_enabled(item: Item | None) -> bool:
    return bool(item) and text_of((item or {}).get("Status")) == "Enabled"


def _say_replication(found: Findings, about: About, regions: Mapping[str, str]) -> None:
    if about.document(REPLICATION_RULES) is None:
        return
    rules = replication_rules(about)
    found.say(REPLICATION_ENABLED, (about.name,), any(rule.enabled for rule in rules))
    for rule in rules:
        described = (
            regions.get(rule.destination, ""),
            "Enabled" if rule.enabled else "Disabled",
            rule.storage_class,
            text_of(rule.metrics),
            text_of(rule.time_control),
        )
        found.say(REPLICATION_RULE_INFO, (about.name, rule.rule_id, rule.destination, *described), 1)


def _say_metrics(found: Findings, about: About) -> None:
    answer = about.answers.get(METRICS)
    if answer is None:
        return
    found.say(METRICS_CONFIGURATIONS, (about.name,), len(answer.items))
    for item in answer.items:
        found.say(METRICS_CONFIGURATION_INFO, (about.name, text_of(item.get("Id")), *held_for(item)), 1)


def _say_lifecycle(found: Findings, about: About) -> None:
    document = about.document(LIFECYCLE)
    if document is None:
        return
    rules = document.get("Rules") or ()
    found.say(LIFECYCLE_RULES, (about.name,), sum(_is_enabled(rule) for rule in rules))
    ages = []
    for rule in rules:
        where = (about.name, text_of(rule.get("ID")), *held_for(rule))
        expiration = rule.get("Expiration") or {}
        marker = text_of(expiration.get("ExpiredObjectDeleteMarker"))
        found.say(LIFECYCLE_RULE_INFO, (*where, text_of(rule.get("Status")), marker), 1)
        if not _is_enabled(rule):
            continue
        age = _days(expiration.get("Days"))
        ages += [] if age is None else [age]
        found.say(LIFECYCLE_EXPIRATION, where, age)
        found.say(LIFECYCLE_EXPIRATION_DATE, where, seconds_of(expiration.get("Date")))
        noncurrent = rule.get("NoncurrentVersionExpiration") or {}
        found.say(LIFECYCLE_NONCURRENT, where, _days(noncurrent.get("NoncurrentDays")))
        found.say(LIFECYCLE_NEWER_VERSIONS, where, noncurrent.get("NewerNoncurrentVersions"))
        abort = rule.get("AbortIncompleteMultipartUpload") or {}
        found.say(LIFECYCLE_ABORT, where, _days(abort.get("DaysAfterInitiation")))
        for transition in rule.get("Transitions") or ():
            to = text_of(transition.get("StorageClass"))
            found.say(LIFECYCLE_TRANSITION, (*where, to), _days(transition.get("Days")))
    found.say(LIFECYCLE_SHORTEST, (about.name,), min(ages, default=None))


def _days(value: int | None) -> int | None:
    return None if value is None else value * DAY


def held_for(rule: Item) -> tuple[str, str]:
    """
    For which objects a lifecycle rule or a metrics configuration holds: their prefix, and what else narrows it (tags,
    sizes, an access point; joined by commas); both empty for all objects.
    """
    given = rule.get("Filter") or {}
    both = given.get("And") or {}
    prefix = text_of(given.get("Prefix")) or text_of(both.get("Prefix")) or text_of(rule.get("Prefix"))
    return prefix, ",".join([*_narrowed(given), *_narrowed(both)])


def _narrowed(given: Item) -> Iterator[str]:
    tags = [given["Tag"]] if given.get("Tag") else given.get("Tags") or ()
    yield from sorted(f"tag:{text_of(tag.get('Key'))}={text_of(tag.get('Value'))}" for tag in tags)
    if given.get("ObjectSizeGreaterThan") is not None:
        yield f"size>{given['ObjectSizeGreaterThan']}"
    if given.get("ObjectSizeLessThan") is not None:
        yield f"size<{given['ObjectSizeLessThan']}"
    if given.get("AccessPointArn"):
        yield f"access_point={given['AccessPointArn']}"
