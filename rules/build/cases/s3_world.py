"""The buckets that the cases of S3 are about."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from rules.build.cases.shapes import Case, S, Values

PLACE = {"cluster": "production", "account_id": "123456789012", "region": "ap-southeast-3"}
BUCKET = {**PLACE, "bucket": "acme-loki"}
OWNED = {**BUCKET, "bucket_component": "loki-chunks"}
DASHBOARD = "/d/storage-exporter-s3?var-cluster=production&var-account_id=123456789012&var-region=ap-southeast-3&var-bucket=acme-loki"
CONSOLE = "https://s3.console.aws.amazon.com/s3/buckets/acme-loki?region=ap-southeast-3"
WHAT = "acme-loki (component loki-chunks)"

case = partial(Case, component="s3", labels=OWNED, dashboard=DASHBOARD, console=CONSOLE)
"""About the bucket of Loki's chunks."""

LABELS = 'account_id="123456789012", bucket="acme-loki", cluster="production", region="ap-southeast-3"'


def info(component: str = "loki-chunks", versioning: str = "enabled") -> S:
    """The bucket."""
    return S("aws_s3_bucket_info", {**BUCKET, "bucket_component": component, "versioning": versioning})


INFO = info()
OTHERS = info("")
"""The bucket of nobody in the stack."""


def fact(name: str, bad: Values | float, good: Values | float | None = None, **more: str) -> S:
    """A series of the bucket, by the rest of its family's name."""
    return S(f"aws_s3_bucket_{name}", {**BUCKET, **more}, bad=bad, good=good)


ELSEWHERE: tuple[dict[str, str], ...] = ({"cluster": "c"}, {"account_id": "2"}, {"region": "r"}, {"bucket": "b"})
"""What tells another bucket from the bucket, one label each."""


def there(series: S) -> list[S]:
    """The same of four other buckets."""
    return [replace(series, labels={**series.labels, **labels}) for labels in ELSEWHERE]
