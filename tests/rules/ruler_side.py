"""A small pack of rules in a folder, a configuration for rulers, and the command as a person types it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import promql_parser
import yaml
from click.testing import CliRunner, Result

from exporter.cli import main
from exporter.config import Config, parse
from exporter.ruler import overrides, pack
from exporter.ruler.shapes import Pack

PAGE = "https://github.com/officeless/storage-exporter/blob/main/rules/README.md"
OURS = "storage-exporter"
CREDITS, UNUSED, GROWTH, ATTACH = (
    "storage-exporter.efs.credits",
    "storage-exporter.efs.unused",
    "storage-exporter.s3.growth",
    "storage-exporter.drivers.attach",
)


def alert(name: str, expr: str, severity: str = "warning", **more: Any) -> dict[str, Any]:
    """An alert that keeps to every convention."""
    return {
        "alert": name,
        "expr": expr,
        **more,
        "labels": {"severity": severity, "component": "efs", "project": OURS},
        "annotations": {
            "summary": "File system {{ $labels.file_system_id }}: something.",
            "description": "It is so. Look:\n`kubectl get pods`.",
            "runbook_url": f"{PAGE}#{name.lower()}",
            "dashboard_url": "/d/storage-exporter-s3?var-file_system_id={{ $labels.file_system_id }}",
        },
    }


def files() -> dict[str, Any]:
    """The small pack: path in the folder to data."""
    return {
        "mimir/efs.yaml": {
            "groups": [
                {
                    "name": CREDITS,
                    "interval": "1m",
                    "rules": [
                        {
                            "record": "filesystem:aws_efs_burst_credits:bytes",
                            "expr": "  max by (cluster, file_system_id) (aws_efs_burst_credit_balance_bytes)\n"
                            "and on (cluster, file_system_id)\n  aws_efs_file_system_info\n",
                        },
                        alert(
                            "AwsEfsBurstCreditsDepleted",
                            "filesystem:aws_efs_burst_credits:bytes <= 1e+10  # balance\n"
                            "and\nfilesystem:aws_efs_burst_credits:bytes > -1  # floor\n",
                            "critical",
                            **{"for": "2m", "keep_firing_for": "15m"},
                        ),
                        alert(
                            "AwsEfsBurstCreditsLow",
                            "filesystem:aws_efs_burst_credits:ratio < 0.25  # credits\n",
                            **{"for": "1h30m"},
                        ),
                    ],
                },
                {
                    "name": UNUSED,
                    "interval": "1m",
                    "rules": [alert("AwsEfsUnused", "filesystem:aws_efs_connections:max7d == 0", "info")],
                },
            ]
        },
        "mimir/s3.yaml": {
            "groups": [
                {
                    "name": GROWTH,
                    "interval": "5m",
                    "rules": [alert("AwsS3BucketGrowthAnomaly", "bucket:aws_s3_growth:ratio > 1.5  # growth\n")],
                }
            ]
        },
        "loki/drivers.yaml": {
            "groups": [
                {
                    "name": ATTACH,
                    "interval": "1m",
                    "rules": [
                        alert(
                            "EbsCsiAttachFailing",
                            'sum by (cluster) (count_over_time({container="ebs-plugin"} |= "attach" [10m]))'
                            " > 2  # lines\n",
                            "critical",
                            **{"for": "5m", "keep_firing_for": "10m"},
                        )
                    ],
                }
            ]
        },
        "thresholds.yaml": {
            "AwsEfsBurstCreditsDepleted": {
                "balance": {"value": 1e10, "unit": "bytes", "meaning": "credits that are as good as none"},
                "floor": {"value": -1, "unit": "bytes", "meaning": "below it is nonsense"},
            },
            "AwsEfsBurstCreditsLow": {"credits": {"value": 0.25, "unit": "ratio", "meaning": "share that is left"}},
            "AwsS3BucketGrowthAnomaly": {"growth": {"value": 1.5, "unit": "ratio", "meaning": "times the usual"}},
            "EbsCsiAttachFailing": {"lines": {"value": 2, "unit": "count", "meaning": "lines in ten minutes"}},
        },
    }


def written(folder: Path, data: Mapping[str, Any] | None = None) -> Path:
    """The pack *data*, or the small one, as files below *folder*."""
    for path, content in (files() if data is None else data).items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False))
    return folder


def small(folder: Path) -> Pack:
    """The small pack, read."""
    found, faults = pack.read(written(folder))
    assert not faults
    return found


def configured(rules: str, environ: Mapping[str, str] | None = None) -> Config:
    """A configuration with the section *rules*, flow style or indented by two."""
    return parse(f"rules: {rules}\n", environ or {}, "file")


def with_overrides(folder: Path, rules: str) -> Pack:
    """The small pack as *rules* want it."""
    return overrides.applied(small(folder), configured(rules).rules)


class Side:
    """
    The command in a folder of its own, with the small pack and a configuration.

    Args:
        folder: of the test.
    """

    def __init__(self, folder: Path) -> None:
        self.pack = written(folder / "pack")
        self.config = folder / "config.yaml"
        self.config.write_text("{}\n")

    def configure(self, rules: Mapping[str, Any]) -> None:
        """Write the section `rules`."""
        self.config.write_text(yaml.safe_dump({"rules": dict(rules)}, sort_keys=False))

    def change(self, path: str, edit: Callable[[Any], None]) -> None:
        """Edit a file of the pack."""
        file = self.pack / path
        data = yaml.safe_load(file.read_text())
        edit(data)
        file.write_text(yaml.safe_dump(data, sort_keys=False))

    def __call__(self, *words: str) -> Result:
        """`rules` with these words, the pack and the configuration."""
        return cli(*words, "--pack", str(self.pack), "--config", str(self.config))


def cli(*words: str) -> Result:
    """`storage-exporter rules` with these words."""
    return CliRunner().invoke(main, ("rules", *words))


def promql(expr: str) -> str:
    """What is wrong with a PromQL expression, ``""`` for nothing: the judge of a simulated ruler."""
    try:
        promql_parser.parse(expr)
    except ValueError as error:
        return str(error)
    return ""
