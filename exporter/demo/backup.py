"""AWS Backup in its REST-JSON dialect: what it protects, its jobs and recovery points (AWS Backup API Reference)."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any
from urllib.parse import unquote

import orjson

from exporter.demo.keys import BackupJob
from exporter.demo.wire import BACKUP, Reply, Request, Tweaks, WireError, cut_page, refusal
from exporter.demo.world import World

_ROUTES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("ListProtectedResources", re.compile("/resources/?")),
    ("ListRecoveryPointsByResource", re.compile("/resources/(?P<arn>.+)/recovery-points/?")),
    ("ListBackupJobs", re.compile("/backup-jobs/?")),
)
_VAULT = "nightly"
_PAGE = 1000


def operation_of(request: Request) -> str:
    """The operation a request means, ``""`` when none does."""
    if request.method != "GET":
        return ""
    return next((name for name, pattern in _ROUTES if pattern.fullmatch(request.path)), "")


def handle(world: World, request: Request, operation: str, tweaks: Tweaks) -> Reply:
    """
    The answer to one call of AWS Backup.

    Raises:
        WireError: as AWS would answer.
    """
    given = request.parameters
    if operation == "ListProtectedResources":
        key, items = "Results", _protected(world)
    elif operation == "ListBackupJobs":
        key, items = "BackupJobs", [_job(world, job) for job in _chosen(world, given)]
    elif operation == "ListRecoveryPointsByResource":
        pattern = dict(_ROUTES)[operation].fullmatch(request.path)
        key, items = "RecoveryPoints", _recovery_points(world, unquote(pattern["arn"]) if pattern else "")
    else:
        raise refusal(BACKUP, "unknown-operation")
    token, size = given.get("nextToken"), _size(given)
    shown, following = cut_page(items, token, size, tweaks, code="InvalidParameterValueException")
    body = {key: shown, **({"NextToken": following} if following else {})}
    return Reply(200, "application/json", orjson.dumps(body))


def _size(given: dict[str, str]) -> int:
    value = given.get("maxResults", str(_PAGE))
    if not value.isdigit() or not 1 <= int(value) <= _PAGE:
        raise WireError("InvalidParameterValueException", f"MaxResults must be between 1 and {_PAGE}, not {value}.")
    return int(value)


def _completed(world: World) -> dict[str, BackupJob]:
    """The newest job of each resource that left a recovery point; a partial one does too."""
    found: dict[str, BackupJob] = {}
    for job in world.backup_jobs():
        if job.state in {"COMPLETED", "PARTIAL"}:
            found.setdefault(job.plan.resource, job)
    return found


def _protected(world: World) -> list[dict[str, Any]]:
    return [
        {
            "ResourceArn": arn,
            "ResourceType": job.plan.resource_type,
            "ResourceName": re.split("[:/]", arn)[-1],
            "LastBackupTime": job.started,
            "LastBackupVaultArn": _vault(world),
            "LastRecoveryPointArn": _point(world, job),
        }
        for arn, job in sorted(_completed(world).items())
    ]


def _vault(world: World) -> str:
    return f"arn:aws:backup:{world.region}:{world.account_id}:backup-vault:{_VAULT}"


def _point(world: World, job: BackupJob) -> str:
    return f"arn:aws:backup:{world.region}:{world.account_id}:recovery-point:{job.job_id.lower()}"


def _chosen(world: World, given: dict[str, str]) -> list[BackupJob]:
    """The jobs the filters leave: state, resource, resource type, instants of creation."""
    jobs = world.backup_jobs()
    if "state" in given:
        jobs = [job for job in jobs if job.state == given["state"]]
    if "resourceArn" in given:
        jobs = [job for job in jobs if job.plan.resource == given["resourceArn"]]
    if "resourceType" in given:
        jobs = [job for job in jobs if job.plan.resource_type == given["resourceType"]]
    if "createdAfter" in given:
        jobs = [job for job in jobs if job.started > _instant(given["createdAfter"])]
    if "createdBefore" in given:
        jobs = [job for job in jobs if job.started < _instant(given["createdBefore"])]
    return jobs


def _instant(text: str) -> float:
    """A timestamp in a query string: ISO 8601, as the rest-json protocol writes it there."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise WireError("InvalidParameterValueException", f"{text} is no timestamp.") from None


def _job(world: World, job: BackupJob) -> dict[str, Any]:
    body: dict[str, Any] = {
        "AccountId": world.account_id,
        "BackupJobId": job.job_id,
        "BackupVaultName": _VAULT,
        "BackupVaultArn": _vault(world),
        "ResourceArn": job.plan.resource,
        "ResourceType": job.plan.resource_type,
        "CreationDate": job.started,
        "State": job.state,
        "PercentDone": "100.0" if job.completed is not None else "40.0",
        "BackupSizeInBytes": job.plan.size if job.state == "COMPLETED" else 0,
        "IamRoleArn": f"arn:aws:iam::{world.account_id}:role/backup",
    }
    if job.completed is not None:
        body["CompletionDate"] = job.completed
    if job.state in {"COMPLETED", "PARTIAL"}:
        body["RecoveryPointArn"] = _point(world, job)
    elif job.completed is not None:
        body["StatusMessage"] = "The backup could not be made: the service has no access to the resource's key."
    return body


def _recovery_points(world: World, arn: str) -> list[dict[str, Any]]:
    jobs = [job for job in world.backup_jobs() if job.plan.resource == arn and job.state in {"COMPLETED", "PARTIAL"}]
    if not jobs:
        raise WireError("ResourceNotFoundException", f"Resource {arn} has no recovery points.")
    return [
        {
            "RecoveryPointArn": _point(world, job),
            "CreationDate": job.started,
            "Status": job.state,
            "BackupSizeBytes": job.plan.size,
            "BackupVaultName": _VAULT,
        }
        for job in jobs
    ]
