"""Whose a bucket is, and what the alerts about buckets share."""

from __future__ import annotations

from functools import partial

from rules.build import words
from rules.build.identity import BUCKET, listed
from rules.build.model import Alert, Group, Record

B = listed(BUCKET)

OWNER = "bucket:aws_s3_owner:info"

STACK = "(mimir|loki|tempo|cortex|thanos|pyroscope)(-.+)?"
"""Components that are the observability stack's: `services.s3.components` may name any bucket one, a website's too."""

_COMPONENTS = f"group by ({B}, bucket_component) (aws_s3_bucket_info)"

OWNERS = Group(
    topic="owners",
    rules=[
        # Exactly one series a bucket: where two pods name its component differently for a moment, none is taken.
        Record(
            name=OWNER,
            expr=f"""
                ({_COMPONENTS} unless on ({B}) (count by ({B}) ({_COMPONENTS}) > 1))
                or on ({B})
                group by ({B}) (aws_s3_bucket_info)
            """,
        ),
    ],
)

alert = partial(Alert, component="s3", dashboard=words.BUCKET_DASHBOARD, console=words.BUCKET_CONSOLE)
"""An alert about a bucket."""

WHAT = "{{ $labels.bucket }}{{ if $labels.bucket_component }} (component {{ $labels.bucket_component }}){{ end }}"
"""The bucket and what it is for, for a description."""


def owned(expr: str, matcher: str = "") -> str:
    """
    *expr* (one series or more a bucket) with the bucket's component; its value stays.

    Args:
        matcher: of the component, such as ``bucket_component!=""``.
    """
    return f"({expr}) * on ({B}) group_left (bucket_component) {OWNER}{{{matcher}}}"
