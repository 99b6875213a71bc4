"""
KMS keys and AWS Backup's plans of the simulated account: nouns with their lives, and the rows of the estate. Pure.

A job of AWS Backup is a function of its plan and the instant, so asking twice, or in another order, changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from exporter.demo.nouns import GENESIS, GIB, NEVER, uuid_of
from exporter.demo.tables import DAY

DELETION_WAIT = 7 * DAY
"""Seconds between the wish to delete a key and its deletion: the least AWS allows (KMS API, ScheduleKeyDeletion)."""


@dataclass(frozen=True, slots=True)
class Key:
    """
    A KMS key: disabled at `disabled`, to be deleted as of `doomed`; `expires` is that of imported material.

    `updating` is the span (unix seconds) in which the primary of a multi-Region key changes.
    """

    key_id: str
    alias: str
    manager: str = "CUSTOMER"
    origin: str = "AWS_KMS"
    created: float = GENESIS
    disabled: float = NEVER
    doomed: float = NEVER
    expires: float = NEVER
    multi_region: bool = False
    updating: tuple[float, float] = (NEVER, NEVER)

    def exists(self, at: float) -> bool:
        """Whether DescribeKey knows it at *at*."""
        return self.created <= at < self.doomed + DELETION_WAIT

    def state(self, at: float) -> str:
        """AWS's word for its state at *at*."""
        if at >= self.doomed:
            return "PendingDeletion"
        if at >= self.expires:
            return "PendingImport"
        if at >= self.disabled:
            return "Disabled"
        return "Updating" if self.updating[0] <= at < self.updating[1] else "Enabled"


@dataclass(frozen=True, slots=True)
class BackupPlan:
    """
    Backups of one resource: one every `every` seconds at `offset`, which takes `takes`.

    `ends` is how each ends from `failing` on; before that they complete. `number` names the resource's vault entries.
    """

    resource_type: str
    resource: str
    offset: int
    ends: str = "FAILED"
    failing: float = NEVER
    every: int = DAY
    takes: int = 2400
    size: int = 40 * GIB


@dataclass(frozen=True, slots=True)
class BackupJob:
    """One job as it stands at the instant it was asked for; instants in unix seconds."""

    job_id: str
    plan: BackupPlan
    state: str
    started: float
    completed: float | None


KEPT_DAYS = 30
"""Days for which AWS Backup lists jobs (AWS Backup API, ListBackupJobs)."""


def jobs_of(plan: BackupPlan, seed: int, now: float) -> Iterator[BackupJob]:
    """The jobs of the last thirty days, newest first."""
    newest = (now - plan.offset) // plan.every * plan.every + plan.offset
    for number in range(KEPT_DAYS * DAY // plan.every):
        started = newest - number * plan.every
        if started < GENESIS:
            return
        bad = started >= plan.failing
        done = now >= started + plan.takes
        state = plan.ends if bad and done else "COMPLETED" if done else "RUNNING"
        job_id = uuid_of(seed, f"backup-{plan.resource}-{started:.0f}").upper()
        yield BackupJob(job_id, plan, state, started, started + plan.takes if done else None)


def keys_of(seed: int) -> dict[str, Key]:
    """The keys of an account and region: AWS's own, made at first use, and customers'."""
    made = [
        *(Key(uuid_of(seed, f"aws-{name}-key"), f"alias/aws/{name}", "AWS") for name in _MANAGED),
        *(Key(uuid_of(seed, f"{name}-key"), f"alias/officeless-{name}") for name in _OWN),
        Key(
            uuid_of(seed, "imported-key"),
            "alias/officeless-imported",
            origin="EXTERNAL",
            expires=GENESIS + 6 * 365 * DAY,
        ),
    ]
    return {key.key_id: key for key in made}


_MANAGED = ("ebs", "s3", "elasticfilesystem", "backup")
_OWN = ("ebs", "efs", "s3", "elasticache")
