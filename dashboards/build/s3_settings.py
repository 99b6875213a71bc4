"""S3: settings of buckets that lose or show data, their keys, and the claims that mount them."""

from __future__ import annotations

from dashboards.build.links import BUCKET_CONSOLE, KEY_CONSOLE, runbook, to
from dashboards.build.panels import PLACE_KEYS, Column, Key, Row, State, Table
from dashboards.build.queries import most, where
from dashboards.build.s3_terms import CLOSED, COMPONENT, PLAIN, YES, B, chosen, owned, retention
from dashboards.build.thresholds import high
from rules.build.identity import KEY as KMS_KEY
from rules.build.identity import listed

K = listed(KMS_KEY)
_BUCKET = Key(
    label="bucket", name="Bucket", links=[to("s3", "bucket", title="Only this one"), BUCKET_CONSOLE], width=290
)


def settings() -> Row:
    """The row of settings."""

    def column(expr: str) -> str:
        return owned(f"({expr})")

    expiry = owned(chosen("bucket:aws_s3_lifecycle_expiry:seconds"))
    far = 1e12
    rule = "aws_s3_bucket_lifecycle_expiration_seconds"
    return Row(
        title="Settings that lose or show data",
        panels=[
            Table(
                title="Lifecycle against what must be kept",
                says=(
                    "When rules expire objects, beside the retention that is declared for the component (thresholds of "
                    "AwsS3LifecycleShorterThanRetention). Good: long enough."
                ),
                keys=[*PLACE_KEYS, _BUCKET, COMPONENT],
                columns=[
                    Column(name="rows", expr=f"{expiry} or {retention()}", hidden=True),
                    Column(name="Deletes after", expr=expiry, unit="s", decimals=1, width=105),
                    Column(name="Must be kept", expr=retention(), unit="s", decimals=1, width=105),
                    Column(
                        name="Verdict",
                        expr=f"{expiry} - {retention()}",
                        states=(State(-far, "too short", "red", upto=-1), State(0, "long enough", "green", upto=far)),
                        width=100,
                    ),
                ],
                height=7,
                empty="No lifecycle rule expires objects.",
                links=[runbook("AwsS3LifecycleShorterThanRetention")],
            ),
            Table(
                title="Lifecycle rules that expire objects",
                says="Each enabled rule with what it holds for; an empty prefix and filter mean every object.",
                keys=[
                    *PLACE_KEYS,
                    Key(label="bucket", name="Bucket", links=[BUCKET_CONSOLE], width=290),
                    Key(label="rule_id", name="Rule", width=95),
                    Key(label="prefix", name="Prefix", width=80),
                    Key(label="filter", name="Filter", width=270),
                ],
                columns=[
                    Column(
                        name="Deletes after",
                        expr=most(chosen(rule), B, "rule_id", "prefix", "filter"),
                        unit="s",
                        decimals=1,
                        width=95,
                    )
                ],
                sort="Deletes after",
                height=7,
                empty="No lifecycle rule expires objects.",
            ),
            Table(
                title="Settings of buckets",
                says="Good: not public, access blocked, TLS demanded. Versions matter where nothing else keeps old data.",
                keys=[*PLACE_KEYS, _BUCKET, COMPONENT],
                columns=[
                    Column(name="Public", expr=column(chosen("bucket:aws_s3_public:bool")), states=CLOSED, width=80),
                    Column(
                        name="Access blocked",
                        expr=column(most(chosen("aws_s3_bucket_public_access_blocked"), B)),
                        states=YES,
                        width=115,
                    ),
                    Column(
                        name="Versions", expr=column(chosen("bucket:aws_s3_versioning:bool")), states=PLAIN, width=90
                    ),
                    Column(
                        name="TLS demanded",
                        expr=column(most(chosen("aws_s3_bucket_transit_encryption_required"), B)),
                        states=YES,
                        width=115,
                    ),
                    Column(
                        name="Access log",
                        expr=column(most(chosen("aws_s3_bucket_logging_enabled"), B)),
                        states=PLAIN,
                        width=100,
                    ),
                    Column(
                        name="Replicated",
                        expr=column(most(chosen("aws_s3_bucket_replication_enabled"), B)),
                        states=PLAIN,
                        width=100,
                    ),
                    Column(
                        name="Aborts uploads after",
                        expr=column(f"min by ({B}) ({chosen('aws_s3_bucket_lifecycle_abort_incomplete_seconds')})"),
                        unit="s",
                        decimals=1,
                        width=150,
                    ),
                    Column(
                        name="Failed backup jobs",
                        expr=column(most(chosen("aws_s3_bucket_failed_backup_jobs"), B)),
                        limit=high(warning=1),
                        decimals=0,
                        width=140,
                    ),
                ],
                sort="Bucket",
                links=[runbook("AwsS3BucketPublic")],
                empty="No bucket is known here.",
            ),
        ],
    )


def owners() -> Row:
    """The row of keys and claims."""
    keyed = f"group by ({B}, key_id) ({chosen('aws_s3_bucket_kms_key_info')})"
    mounts = "aws_s3_bucket_persistentvolumeclaim_info"
    claimed = 'persistentvolumeclaim!="",namespace=~".+"'
    labels = f"{B}, namespace, persistentvolumeclaim, persistentvolume"
    return Row(
        title="Keys, and claims that mount a bucket",
        panels=[
            Table(
                title="Keys of these buckets",
                says="The KMS key that new objects are encrypted with. A disabled key makes the objects unreadable.",
                keys=[
                    *PLACE_KEYS,
                    Key(label="bucket", name="Bucket", links=[BUCKET_CONSOLE], width=290),
                    Key(label="key_id", name="Key", links=[KEY_CONSOLE], width=300),
                ],
                columns=[
                    Column(
                        name="Usable",
                        expr=f"{keyed} * on ({K}) group_left () {most(where('aws_kms_key_enabled'), K)}",
                        states=(State(0, "no", "red"), State(1, "yes", "green")),
                        width=75,
                    )
                ],
                width=12,
                empty="No key is known.",
            ),
            Table(
                title="Claims that mount a bucket",
                says="Persistent volumes of Mountpoint for S3: who reads and writes the bucket as files.",
                keys=[
                    *PLACE_KEYS,
                    Key(label="namespace", name="Namespace", width=110),
                    Key(label="persistentvolumeclaim", name="Claim", width=140),
                    Key(label="bucket", name="Bucket", links=[BUCKET_CONSOLE], width=260),
                    Key(label="persistentvolume", name="Persistent volume", width=130),
                ],
                columns=[
                    Column(
                        name="claims",
                        expr=f"group by ({labels}) ({chosen(mounts, claimed)})",
                        hidden=True,
                    )
                ],
                width=12,
                empty="No claim mounts a bucket.",
            ),
        ],
        folded=True,
    )
