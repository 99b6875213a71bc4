"""What the alerts about S3, and about the observability stack's object storage, must do."""

from __future__ import annotations

from rules.build.cases import observability, s3_posture, s3_requests, s3_sizes
from rules.build.cases.shapes import Case, Reading

CASES: list[Case] = [*s3_requests.CASES, *s3_sizes.CASES, *s3_posture.CASES, *observability.CASES]
READINGS: list[Reading] = [*s3_requests.READINGS, *s3_sizes.READINGS, *s3_posture.READINGS, *observability.READINGS]
