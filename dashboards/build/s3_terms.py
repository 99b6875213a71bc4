"""How the panels about S3 choose and name buckets, and how long a bucket's data must be kept."""

from __future__ import annotations

from dashboards.build.panels import Key, State
from dashboards.build.queries import where
from dashboards.build.thresholds import number
from rules.build.identity import BUCKET, listed
from rules.build.s3_posture import RETENTIONS

B = listed(BUCKET)
OWNER = "bucket:aws_s3_owner:info"
YES = (State(0, "no", "orange"), State(1, "yes", "green"))
PLAIN = (State(0, "no", "text"), State(1, "yes", "green"))
"""Where no may be meant."""

CLOSED = (State(0, "no", "green"), State(1, "PUBLIC", "red"))
COMPONENT = Key(label="bucket_component", name="Component", width=125)


def chosen(name: str, also: str = "") -> str:
    """A metric of the chosen buckets."""
    return where(name, "bucket", also=also)


def stack(name: str) -> str:
    """A recording about the observability stack's own clients."""
    return where(name, "namespace", place=("cluster",))


def owned(expr: str) -> str:
    """*expr* (one series or more a bucket) with the bucket's component; its value stays."""
    return f"{expr} * on ({B}) group_left (bucket_component) {OWNER}"


def retention() -> str:
    """Seconds that the data of each bucket with a known component must be kept, with the labels of `owned`."""
    branches = []
    for name, (components, _, _) in RETENTIONS.items():
        seconds = number("AwsS3LifecycleShorterThanRetention", name, of="seconds")
        matcher = f'bucket_component=~"{components}"'
        branches.append(f"{seconds:.0f} * group by ({B}, bucket_component) ({chosen(OWNER, matcher)})")
    return f"({' or '.join(branches)})"
