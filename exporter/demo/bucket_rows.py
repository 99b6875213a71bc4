"""
The buckets of the mission: what Mimir, Loki and Tempo write to, and applications' buckets of every shape.

`of_region` gives those of one region. Names, sizes and loads are made up; shapes are those of aws-facts 1.4 and 3.4.
Pure: the same seed gives the same key ids for ever.
"""

from __future__ import annotations

from exporter.demo.buckets import (
    DAY,
    Bucket,
    Encryption,
    Filter,
    LifecycleRule,
    Logging,
    MetricsConfiguration,
    PublicAccessBlock,
    ReplicationRule,
    RequestLoad,
)
from exporter.demo.nouns import GENESIS, GIB, KIB, TIB, Tags, uuid_of
from exporter.demo.tables import ACCOUNT, AWKWARD_TAGS, REGION

REPLICA_REGION = "ap-southeast-1"
REPLICA = "officeless-uploads-replica"
LOGS = "officeless.access.logs"

_ABORT = LifecycleRule("abort-incomplete-uploads", abort_days=7)
_PARTIAL_BLOCK = PublicAccessBlock(block_policy=False, restrict_buckets=False)
_ENTIRE = (MetricsConfiguration(),)

# component, bytes, objects, bytes per day, load, days to expiry (None: none), whether under the own KMS key
_OBSERVABILITY: tuple[tuple[str, int, int, int, RequestLoad, int | None, bool], ...] = (
    ("mimir", 6 * TIB, 410_000, 9 * GIB, RequestLoad(42.0, 3.5, 0.8, 6.0, 0.4, listing=1.5), None, True),
    ("mimir-alertmanager", 40 * KIB * KIB, 900, 4 * KIB, RequestLoad(0.2, 0.02, swing=0.0, listing=0.1), None, True),
    ("mimir-ruler", 3 * KIB * KIB, 240, 512, RequestLoad(0.3, 0.005, listing=0.2, swing=0.0), None, True),
    ("loki-chunks", 11 * TIB, 38_000_000, 21 * GIB, RequestLoad(65.0, 28.0, 1.2, 9.0, listing=2.0), 400, False),
    ("loki-ruler", 900 * KIB, 80, 128, RequestLoad(0.2, 0.002, listing=0.1, swing=0.0), None, False),
    ("tempo", 4 * TIB, 1_900_000, 8 * GIB, RequestLoad(30.0, 6.0, 0.9, 4.0, 0.2, listing=1.0), 30, True),
)


def of_region(seed: int, region: str = REGION) -> list[Bucket]:
    """The mission's buckets in *region*: those of the platform at home, the replica in ap-southeast-1, else none."""
    if region == REGION:
        return [*_observability(seed), *_applications(seed)]
    return [_replica()] if region == REPLICA_REGION else []


def key_arn(seed: int) -> str:
    """The account's own KMS key for S3."""
    return f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{uuid_of(seed, 's3-key')}"


def _observability(seed: int) -> list[Bucket]:
    made = []
    for number, (component, size, objects, growth, load, expiry, own_key) in enumerate(_OBSERVABILITY):
        rules: tuple[LifecycleRule, ...] = (_ABORT,)
        if expiry:
            rules += (LifecycleRule("expire", days=expiry, noncurrent_days=7),)
        made.append(
            Bucket(
                f"officeless-{component}-production",
                REGION,
                GENESIS + 3600.0 * number,
                versioning="Enabled",
                encryption=Encryption("aws:kms", key_arn(seed), bucket_key=True) if own_key else Encryption(),
                lifecycle=rules,
                policy=False,
                tls_only=True,
                tags=(("team", "observability"), ("component", component), ("data-classification", "internal")),
                metrics=_ENTIRE,
                storage={"StandardStorage": size},
                objects=objects,
                growth=growth,
                load=load,
            )
        )
    return made


def _applications(seed: int) -> list[Bucket]:
    return [_uploads(seed), _backups(), _archive(), _website(), _analytics(), _logs(), _legacy(), _vault(), _new()]


def _tags(team: str, classification: str) -> Tags:
    return (("team", team), ("data-classification", classification))


def _uploads(seed: int) -> Bucket:
    """Every setting at once: own key, replication of two rules, several metrics configurations, logs."""
    return Bucket(
        "officeless-uploads-production",
        REGION,
        GENESIS + 2 * DAY,
        versioning="Enabled",
        encryption=Encryption("aws:kms", key_arn(seed), bucket_key=True),
        lifecycle=(
            _ABORT,
            LifecycleRule(
                "old-versions",
                noncurrent_days=30,
                newer_noncurrent=3,
                noncurrent_transitions=((7, "STANDARD_IA"),),
            ),
            LifecycleRule(
                "scans",
                filter=Filter("scans/", (("kind", "scan"), ("keep", "no")), larger_than=128 * KIB),
                transitions=((30, "STANDARD_IA"), (90, "GLACIER")),
                days=730,
            ),
            LifecycleRule("previews", enabled=False, filter=Filter(tags=(("kind", "preview"),)), days=14),
        ),
        policy=False,
        tags=(*_tags("documents", "confidential"), ("rpo", "1h")),
        logging=Logging(LOGS, "uploads/"),
        replication=(
            ReplicationRule(
                "everything-to-singapore",
                REPLICA,
                priority=2,
                metrics=True,
                time_control=True,
                delete_markers=True,
                failing=0.002,
            ),
            ReplicationRule(
                "exports-to-backups",
                "officeless-backups",
                filter=Filter("exports/", (("replicate", "yes"),)),
                storage_class="STANDARD_IA",
            ),
        ),
        metrics=(
            MetricsConfiguration(),
            MetricsConfiguration("Exports", Filter("exports/"), 0.12),
            MetricsConfiguration("Scans", Filter("scans/", (("kind", "scan"),)), 0.3),
        ),
        storage={
            "StandardStorage": 900 * GIB,
            "StandardIAStorage": 400 * GIB,
            "StandardIASizeOverhead": 2 * GIB,
            "GlacierStorage": 700 * GIB,
            "GlacierObjectOverhead": 30 * KIB * KIB,
            "GlacierS3ObjectOverhead": 8 * KIB * KIB,
        },
        objects=5_200_000,
        growth=3 * GIB,
        load=RequestLoad(9.0, 2.5, 0.3, 1.5, 0.6, listing=0.4, get_kib=900.0, put_kib=1400.0, swing=0.8),
    )


def _backups() -> Bucket:
    """MFA for deletes, SSE-KMS under AWS's own key, and no metrics configuration."""
    return Bucket(
        "officeless-backups",
        REGION,
        GENESIS + 3 * DAY,
        versioning="Enabled",
        mfa_delete=True,
        encryption=Encryption("aws:kms"),
        lifecycle=(LifecycleRule("to-deep-archive", filter=Filter("yearly/"), transitions=((1, "DEEP_ARCHIVE"),)),),
        policy=False,
        tags=(*_tags("platform", "restricted"), ("rpo", "24h")),
        storage={"StandardIAStorage": 3 * TIB, "DeepArchiveStorage": 20 * TIB, "DeepArchiveS3ObjectOverhead": 9 * KIB},
        objects=61_000,
        growth=12 * GIB,
        load=RequestLoad(put=0.1, get=0.01),
    )


def _archive() -> Bucket:
    """Intelligent-Tiering and Glacier types, double encryption, a rule that ends at a date; versioning suspended."""
    return Bucket(
        "officeless-archive",
        REGION,
        GENESIS + 4 * DAY,
        versioning="Suspended",
        mfa_delete=False,
        encryption=Encryption("aws:kms:dsse"),
        lifecycle=(
            LifecycleRule("end-of-the-project", filter=Filter("project-x/"), date=GENESIS + 2920.0 * DAY),
            LifecycleRule("tier", transitions=((0, "INTELLIGENT_TIERING"),), delete_markers=True),
        ),
        tags=_tags("legal", "restricted"),
        metrics=_ENTIRE,
        storage={
            "IntelligentTieringFAStorage": 200 * GIB,
            "IntelligentTieringIAStorage": 500 * GIB,
            "IntelligentTieringAIAStorage": 800 * GIB,
            "IntelligentTieringAAStorage": 90 * GIB,
            "IntAAObjectOverhead": 40 * KIB * KIB,
            "IntAAS3ObjectOverhead": 10 * KIB * KIB,
            "GlacierInstantRetrievalStorage": 1 * TIB,
            "GlacierIRSizeOverhead": 70 * KIB * KIB,
        },
        objects=2_400_000,
        growth=200 * KIB * KIB,
        load=RequestLoad(get=0.02, put=0.01, listing=0.005, idle_share=0.3),
    )


def _website() -> Bucket:
    """A public website: public policy, two of the four flags, awkward tags."""
    return Bucket(
        "www.officeless.example",
        REGION,
        GENESIS + 5 * DAY,
        public_access_block=_PARTIAL_BLOCK,
        policy=True,
        tags=AWKWARD_TAGS,
        metrics=_ENTIRE,
        storage={"StandardStorage": 3 * GIB},
        objects=21_000,
        load=RequestLoad(
            25.0, head=4.0, get_kib=40.0, client_errors=0.03, first_byte_ms=12.0, total_ms=20.0, swing=0.9
        ),
    )


def _analytics() -> Bucket:
    """Only filtered metrics configurations, with Select requests; a legacy lifecycle rule."""
    return Bucket(
        "officeless-analytics",
        REGION,
        GENESIS + 6 * DAY,
        versioning="Suspended",
        lifecycle=(LifecycleRule("tmp", legacy=True, filter=Filter("tmp/"), days=3), _ABORT),
        tags=_tags("data", "internal"),
        metrics=(
            MetricsConfiguration("Curated", Filter("curated/"), 0.6),
            MetricsConfiguration("Raw", Filter("raw/"), 0.4),
        ),
        storage={"StandardStorage": 5 * TIB, "ReducedRedundancyStorage": 12 * GIB, "OneZoneIAStorage": 90 * GIB},
        objects=740_000,
        growth=15 * GIB,
        load=RequestLoad(6.0, 1.5, select=0.2, listing=0.3, get_kib=4096.0, put_kib=8192.0, total_ms=160.0),
    )


def _logs() -> Bucket:
    """The target of access logs, with dots in its name."""
    return Bucket(
        LOGS,
        REGION,
        GENESIS + 7 * DAY,
        lifecycle=(LifecycleRule("expire-logs", filter=Filter(""), days=90, abort_days=1),),
        policy=False,
        tags=_tags("platform", "internal"),
        storage={"StandardStorage": 60 * GIB},
        objects=9_000_000,
        growth=300 * KIB * KIB,
        load=RequestLoad(put=0.7),
    )


def _legacy() -> Bucket:
    """Nothing is set: no versioning ever, no lifecycle, no block, no policy, no tags."""
    return Bucket(
        "legacy-cron-output",
        REGION,
        GENESIS - 900.0 * DAY,
        public_access_block=None,
        storage={"StandardStorage": 40 * GIB},
        objects=310_000,
    )


def _vault() -> Bucket:
    """The staging types of restores; blocked in full, policy not public, all rules disabled."""
    return Bucket(
        "officeless-vault",
        REGION,
        GENESIS + 8 * DAY,
        versioning="Enabled",
        encryption=Encryption("AES256", bucket_key=False),
        lifecycle=(LifecycleRule("everything", enabled=False, days=3650),),
        policy=False,
        tags=_tags("payments", "restricted"),
        storage={"DeepArchiveStorage": 2 * TIB, "DeepArchiveStagingStorage": 5 * GIB, "GlacierStagingStorage": GIB},
        objects=8_000,
    )


def _new() -> Bucket:
    """Made and never filled: CloudWatch has nothing of it."""
    return Bucket("officeless-playground", REGION, GENESIS + 9 * DAY, tags=_tags("web", "public"), metrics=_ENTIRE)


def _replica() -> Bucket:
    return Bucket(
        REPLICA,
        REPLICA_REGION,
        GENESIS + 2 * DAY,
        versioning="Enabled",
        lifecycle=(_ABORT,),
        policy=False,
        tags=_tags("documents", "confidential"),
        storage={"StandardStorage": 2 * TIB},
        objects=5_200_000,
        growth=3 * GIB,
    )
