"""The rules about S3 buckets and the observability stack's own object storage, put together."""

from __future__ import annotations

from rules.build import observability, s3_buckets, s3_posture, s3_requests, s3_sizes
from rules.build.model import RuleFile

FILE = RuleFile(
    name="s3",
    about="S3 buckets: requests, replication, sizes, settings; and the object storage of Loki, Tempo and Mimir as they see it.",
    groups=[
        s3_buckets.OWNERS,
        s3_requests.REQUEST_GROUP,
        s3_requests.REPLICATION_GROUP,
        s3_sizes.GROUP,
        s3_posture.GROUP,
        observability.REQUESTS,
        observability.FLUSHES,
    ],
)
