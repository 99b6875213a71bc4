"""
Settings of S3 buckets that lose or show data: lifecycle, public access, versioning.

How long a component's data must be kept is known to nobody but its owner. It is a threshold of
AwsS3LifecycleShorterThanRetention, one for each kind of component: declare it there. What was never declared is watched
by change: AwsS3LifecycleShortened.
"""

from __future__ import annotations

from collections.abc import Mapping

from rules.build.model import Group, Record, Threshold
from rules.build.s3_buckets import OWNER, STACK, WHAT, B, alert, owned
from rules.build.words import BUCKET

EXPIRY = "bucket:aws_s3_lifecycle_expiry:seconds"
PUBLIC = "bucket:aws_s3_public:bool"
VERSIONED = "bucket:aws_s3_versioning:bool"

DAY = 86400
RETENTIONS: Mapping[str, tuple[str, int, str]] = {
    # threshold: (components, days, whose data)
    "mimir_blocks": ("mimir|mimir-blocks", 395, "metrics"),
    "loki_chunks": ("loki|loki-chunks", 31, "logs"),
    "tempo": ("tempo|tempo-traces", 14, "traces"),
    "configuration": (".+-(ruler|alertmanager|admin)", 3650, "rules and alertmanager state, which must not expire"),
}
"""How long the data of the stack's buckets is kept, unless `rules.alerts…thresholds` says otherwise."""

_OTHERS = "|".join(components for components, _, _ in RETENTIONS.values())


def _shorter() -> str:
    """One branch a kind of component, so that each kind's retention is a threshold of its own."""
    branches = [
        f'{EXPIRY} * on ({B}) group_left (bucket_component) {OWNER}{{bucket_component=~"{components}"}} < ${name}'
        for name, (components, _, _) in RETENTIONS.items()
    ]
    rest = f'{EXPIRY} * on ({B}) group_left (bucket_component) {OWNER}{{bucket_component!~"|{_OTHERS}"}} < $other'
    return " or ".join([*branches, rest])


_RULES = (
    "{{ with printf \"topk(3, aws_s3_bucket_lifecycle_expiration_seconds{cluster='%s',account_id='%s',region='%s',bucket='%s'})\" "
    '$labels.cluster $labels.account_id $labels.region $labels.bucket | query }}Rules: {{ range . | sortByLabel "rule_id" }}'
    "{{ .Labels.rule_id }}{{ if .Labels.prefix }} (prefix {{ .Labels.prefix }}){{ end }} {{ end }}{{ end }}"
)
_STOP = "`aws s3api get-bucket-lifecycle-configuration --bucket {{ $labels.bucket }}`"

GROUP = Group(
    topic="settings",
    rules=[
        # A rule that names a date expires everything it holds for from that day on: a week before, that is no time at all.
        Record(
            name=EXPIRY,
            expr=f"""
                min by ({B}) (
                  label_replace(aws_s3_bucket_lifecycle_shortest_expiration_seconds, "by", "age", "", "")
                  or
                  label_replace(0 * (aws_s3_bucket_lifecycle_expiration_timestamp_seconds - time() < 604800), "by", "date", "", "")
                )
            """,
        ),
        Record(name=PUBLIC, expr=f"max by ({B}) (aws_s3_bucket_public)"),
        Record(name=VERSIONED, expr=f"min by ({B}) (aws_s3_bucket_versioning_enabled)"),
        alert(
            name="AwsS3LifecycleShorterThanRetention",
            severity="critical",
            expr=_shorter(),
            wait="1m",
            keep="15m",
            thresholds={
                **{
                    name: Threshold(days * DAY, "seconds", f"retention of {whose} (components {components})")
                    for name, (components, days, whose) in RETENTIONS.items()
                },
                "other": Threshold(
                    DAY, "seconds", "retention of other components (a rule's least is a day: declare it)"
                ),
            },
            summary=f"{BUCKET}: lifecycle deletes data after {{{{ $value | humanizeDuration }}}}",
            description=f"""
                A lifecycle rule deletes objects of {WHAT} after {{{{ $value | humanizeDuration }}}}, sooner than the data must be
                kept; S3 begins within a day. {_RULES}Look at it now and disable the rule: {_STOP}. If it is meant, declare the
                retention in this alert's thresholds.
            """,
        ),
        alert(
            name="AwsS3LifecycleShortened",
            severity="warning",
            # Where there was no rule a day ago but the bucket was known, any rule is shorter.
            expr=owned(
                f"""
                    {EXPIRY} < ({EXPIRY} offset 1d)
                    or
                    {EXPIRY} and on ({B}) ({OWNER} offset 1d) unless on ({B}) last_over_time({EXPIRY}[1h] offset 1d)
                """,
                'bucket_component!=""',
            ),
            wait="5m",
            keep="1h",
            summary=f"{BUCKET}: lifecycle now deletes after {{{{ $value | humanizeDuration }}}}",
            description=f"""
                Since less than a day a lifecycle rule deletes objects of {WHAT} after {{{{ $value | humanizeDuration }}}}; before
                it was later or never. {_RULES}If nobody meant that, disable the rule today: {_STOP}.
            """,
        ),
        alert(
            name="AwsS3BucketPublic",
            severity="critical",
            # What has been public all week is meant to be, but for a bucket of the stack.
            expr=owned(f"""
                {PUBLIC} == 1 and on ({B}) (min_over_time({PUBLIC}[7d]) == 0 or {OWNER}{{bucket_component=~"{STACK}"}})
            """),
            keep="15m",
            summary=f"{BUCKET}: is open to everybody",
            description=f"""
                The policy of {WHAT} makes it public. Close it now, ask later: `aws s3api put-public-access-block --bucket
                {{{{ $labels.bucket }}}} --public-access-block-configuration
                BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true`. Then see in
                CloudTrail who changed the policy and in access logs who read.
            """,
        ),
        alert(
            name="AwsS3BucketVersioningOff",
            severity="warning",
            # Buckets that never had it are a choice; suspending it is an event, and on a bucket of the stack a fault.
            expr=owned(f"""
                {VERSIONED} == 0
                and on ({B}) (
                  max_over_time({VERSIONED}[7d]) == 1
                  or
                  group by ({B}) (aws_s3_bucket_info{{versioning="suspended", bucket_component=~"{STACK}"}})
                )
            """),
            wait="15m",
            keep="1h",
            summary=f"{BUCKET}: versioning was turned off",
            description=f"""
                Versioning of {WHAT} is suspended: what is overwritten or deleted from now on is gone. If nobody meant that:
                `aws s3api put-bucket-versioning --bucket {{{{ $labels.bucket }}}} --versioning-configuration Status=Enabled`.
            """,
        ),
    ],
)
