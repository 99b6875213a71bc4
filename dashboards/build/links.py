"""Where a panel, a row or a cell leads: another dashboard with time and variables kept, a runbook, AWS's console."""

from __future__ import annotations

from dataclasses import dataclass

from rules.build.model import RUNBOOKS

PREFIX = "storage-exporter-"


@dataclass(frozen=True, slots=True)
class Link:
    """
    A link.

    Args:
        title: its words.

        url: with Grafana's ``${__data.fields.…}`` for a row's labels.

        new: opens in a new tab.
    """

    title: str
    url: str
    new: bool = False


def to(uid: str, *labels: str, title: str = "", values: dict[str, str] | None = None) -> Link:
    """
    To a dashboard with the time, the data sources and the place as they are, and variables set from the row.

    Args:
        uid: without the prefix, such as ``efs``.

        labels: of the row, each the variable of the same name.

        title: of the link.

        values: variables with a given text.
    """
    words = [
        "${__url_time_range}",
        "${prometheus_datasource:queryparam}",
        "${loki_datasource:queryparam}",
        *(f"${{{each}:queryparam}}" for each in ("cluster", "account_id", "region") if each not in labels),
        *(f"var-{label}=${{__data.fields.{label}}}" for label in labels),
        *(f"var-{name}={value}" for name, value in (values or {}).items()),
    ]
    return Link(title or f"Open {uid}", f"/d/{PREFIX}{uid}?{'&'.join(words)}")


_HERE = to("${__data.fields.page}")
ROW = Link("Open its dashboard", f"{_HERE.url}&${{__data.fields.ask:raw}}")
"""
From a table whose rows are of several services: the row's labels say which dashboard (``page``, its uid without the
prefix) and which variables (``ask``, such as ``var-bucket=a``). Both are hidden keys.
"""

RUNBOOK = Link("Runbook", f"{RUNBOOKS}#${{__data.fields.alertname}}", new=True)
"""Of a row that is an alert."""


def runbook(alert: str) -> Link:
    """Of an alert that is known."""
    return Link("Runbook", f"{RUNBOOKS}#{alert.lower()}", new=True)


_REGION = "${__data.fields.region}"
_CONSOLE = f"https://{_REGION}.console.aws.amazon.com"


def _console(path: str) -> Link:
    return Link("AWS console", f"{_CONSOLE}/{path}", new=True)


VOLUME_CONSOLE = _console(f"ec2/home?region={_REGION}#VolumeDetails:volumeId=${{__data.fields.volume_id}}")
INSTANCE_CONSOLE = _console(f"ec2/home?region={_REGION}#InstanceDetails:instanceId=${{__data.fields.instance_id}}")
FILE_SYSTEM_CONSOLE = _console(f"efs/home?region={_REGION}#/file-systems/${{__data.fields.file_system_id}}")
BUCKET_CONSOLE = Link(
    "AWS console", f"https://s3.console.aws.amazon.com/s3/buckets/${{__data.fields.bucket}}?region={_REGION}", new=True
)
GROUP_CONSOLE = _console(f"elasticache/home?region={_REGION}#/valkey/${{__data.fields.replication_group_id}}")
SERVERLESS_CONSOLE = _console(
    f"elasticache/home?region={_REGION}#/valkey/serverless/${{__data.fields.serverless_cache}}"
)
KEY_CONSOLE = _console(f"kms/home?region={_REGION}#/kms/keys/${{__data.fields.key_id}}")
