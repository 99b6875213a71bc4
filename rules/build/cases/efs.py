"""What the alerts about EFS must do."""

from __future__ import annotations

from rules.build.cases import efs_access, efs_credits
from rules.build.cases.shapes import Case, Reading

CASES: list[Case] = [*efs_credits.CASES, *efs_access.CASES]
READINGS: list[Reading] = [*efs_credits.READINGS, *efs_access.READINGS]
