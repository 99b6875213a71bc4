"""
S3 buckets of the simulated account, each with its whole life and its settings as AWS has them.

Nouns only: `bucket_rows` fills them, `s3` puts them into AWS's words, `s3_metrics` says what CloudWatch has of them.
Sources: S3 API Reference (the Get* operations of a bucket), aws-facts 1.4 and 3.4. Pure values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from exporter.demo.nouns import GENESIS, NEVER, Tags

DAY = 86_400

TYPES_OF_REQUESTS = ("Get", "Put", "Delete", "Head", "Post", "Select", "List")
"""The kinds of requests CloudWatch counts, as its metrics begin (``GetRequests``)."""


@dataclass(frozen=True, slots=True)
class Encryption:
    """The default encryption: ``AES256``, ``aws:kms`` or ``aws:kms:dsse``; `kms_key_id` ``""`` is AWS's own key."""

    algorithm: str = "AES256"
    kms_key_id: str = ""
    bucket_key: bool = False


@dataclass(frozen=True, slots=True)
class Filter:
    """What a rule or a metrics configuration is limited to; sizes in bytes, all None and empty: everything."""

    prefix: str | None = None
    tags: Tags = ()
    larger_than: int | None = None
    smaller_than: int | None = None

    @property
    def parts(self) -> int:
        """How many conditions there are; from two on AWS puts them into ``And``."""
        return sum(item is not None for item in (self.prefix, self.larger_than, self.smaller_than)) + len(self.tags)


@dataclass(frozen=True, slots=True)
class LifecycleRule:
    """
    A lifecycle rule; None and ``()`` are left out of AWS's answer.

    `days` or `date` (unix seconds, midnight UTC) expire current versions; `transitions` are (days, storage class);
    `abort_days` ends incomplete uploads. `legacy` rules carry ``Prefix`` in the place of ``Filter``.
    """

    rule_id: str
    enabled: bool = True
    filter: Filter = Filter()
    legacy: bool = False
    days: int | None = None
    date: float | None = None
    delete_markers: bool = False
    transitions: tuple[tuple[int, str], ...] = ()
    noncurrent_days: int | None = None
    newer_noncurrent: int | None = None
    noncurrent_transitions: tuple[tuple[int, str], ...] = ()
    abort_days: int | None = None


@dataclass(frozen=True, slots=True)
class PublicAccessBlock:
    """The four flags of a bucket's block of public access."""

    block_acls: bool = True
    ignore_acls: bool = True
    block_policy: bool = True
    restrict_buckets: bool = True


OPEN = PublicAccessBlock(block_acls=False, ignore_acls=False, block_policy=False, restrict_buckets=False)


@dataclass(frozen=True, slots=True)
class Logging:
    """Where access logs go; `prefix` may be ``""``."""

    bucket: str
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class ReplicationRule:
    """
    A replication rule to the bucket named `destination`.

    `metrics` publishes replication metrics from 15 minutes after `since` (unix seconds); `time_control` (RTC) needs it.
    `operations` per second are replicated, `failing` of them (0-1) fail; `latency` seconds is the ordinary lag.
    """

    rule_id: str
    destination: str
    enabled: bool = True
    priority: int = 1
    filter: Filter = Filter()
    metrics: bool = False
    time_control: bool = False
    storage_class: str = ""
    delete_markers: bool = False
    since: float = GENESIS
    operations: float = 0.5
    failing: float = 0.0
    latency: float = 12.0


@dataclass(frozen=True, slots=True)
class MetricsConfiguration:
    """Request metrics under ``FilterId`` `filter_id`, of `share` (0-1) of the requests, 15 minutes after `since` on."""

    filter_id: str = "EntireBucket"
    filter: Filter = Filter()
    share: float = 1.0
    since: float = GENESIS


@dataclass(frozen=True, slots=True)
class RequestLoad:
    """
    The ordinary requests to a bucket: per second by kind, KiB each, shares of errors (0-1), milliseconds, day swing.

    `select` requests scan `select_kib` each and return a tenth of it. `idle_share` of the minutes have none at all.
    """

    get: float = 0.0
    put: float = 0.0
    delete: float = 0.0
    head: float = 0.0
    post: float = 0.0
    select: float = 0.0
    listing: float = 0.0
    get_kib: float = 256.0
    put_kib: float = 256.0
    select_kib: float = 4096.0
    client_errors: float = 0.002
    server_errors: float = 0.00002
    first_byte_ms: float = 18.0
    total_ms: float = 45.0
    swing: float = 0.5
    idle_share: float = 0.0

    @property
    def rates(self) -> dict[str, float]:
        """Requests per second by the names of `TYPES_OF_REQUESTS`."""
        rates = (self.get, self.put, self.delete, self.head, self.post, self.select, self.listing)
        return dict(zip(TYPES_OF_REQUESTS, rates, strict=True))


@dataclass(frozen=True, slots=True)
class Bucket:
    """
    One general purpose bucket.

    `versioning` is None where it was never enabled, else ``Enabled`` or ``Suspended``; `mfa_delete` None where it was
    never set. `policy` says whether the bucket's policy makes it public, None without a policy; `tls_only`,
    whether it refuses requests without TLS. `storage` is bytes by
    CloudWatch's StorageType and `objects` their number, both at creation (or `GENESIS`, if later); `growth` is bytes
    per day, of the first storage type. At `opened` somebody lifts the block and makes the policy public. Instants in
    unix seconds.
    """

    name: str
    region: str
    created: float = GENESIS
    deleted: float = NEVER
    opened: float = NEVER
    versioning: str | None = None
    mfa_delete: bool | None = None
    encryption: Encryption = Encryption()
    lifecycle: tuple[LifecycleRule, ...] = ()
    public_access_block: PublicAccessBlock | None = PublicAccessBlock()
    policy: bool | None = None
    tls_only: bool = False
    tags: Tags = ()
    logging: Logging | None = None
    replication: tuple[ReplicationRule, ...] = ()
    metrics: tuple[MetricsConfiguration, ...] = ()
    storage: Mapping[str, int] = field(default_factory=dict)
    objects: int = 0
    growth: int = 0
    load: RequestLoad = RequestLoad()

    @property
    def arn(self) -> str:
        """Its ARN, which names neither region nor account."""
        return f"arn:aws:s3:::{self.name}"

    def exists(self, at: float) -> bool:
        """Whether ListBuckets knows it at *at*."""
        return self.created <= at < self.deleted

    def settings(self, at: float) -> Bucket:
        """The bucket with the settings it has at *at*."""
        if at < self.opened:
            return self
        return replace(self, policy=True, public_access_block=OPEN)

    def sizes(self, at: float) -> dict[str, int]:
        """Bytes by storage type at *at*; only the types it holds."""
        days = max(0.0, at - max(self.created, GENESIS)) / DAY
        grown = int(self.growth * days)
        return {name: size + (grown if number == 0 else 0) for number, (name, size) in enumerate(self.storage.items())}

    def count(self, at: float) -> int:
        """The number of objects at *at*, in proportion to the bytes."""
        before = sum(self.storage.values())
        return int(self.objects * sum(self.sizes(at).values()) / before) if before else self.objects
