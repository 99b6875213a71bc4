"""The commands as a person types them: what they print, where, and with which exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from exporter.cli import main
from exporter.demo import World, WorldClock, run_in_thread
from exporter.services.registry import SERVICES
from tests.calls import remember
from tests.harness import parsed

ROOT = Path(__file__).parent.parent


def cli(*words: str) -> Result:
    return CliRunner().invoke(main, words)


@pytest.mark.parametrize("words", [["--help"], ["rules", "--help"]])
def test_lines_of_the_help_stand_as_they_were_written(words: list[str]) -> None:
    """What must not be wrapped is not, and the sign that says so is not shown."""
    lines = CliRunner().invoke(main, words).output.splitlines()
    assert not any("\\b" in line for line in lines)
    assert any(line.startswith(("  storage-exporter rules check", "  Try it")) for line in lines)


def test_help_names_the_ways_in() -> None:
    """A stranger learns from --help how to try it, how to run it and what it may do."""
    text = cli("--help").output
    for word in ("storage-exporter demo", "storage-exporter once", "storage-exporter policy", "Pod Identity"):
        assert word in text
    for command in ("run", "once", "check", "metrics", "policy", "demo"):
        assert cli(command, "--help").exit_code == 0


def test_check_prints_the_effective_configuration(tmp_path: Path) -> None:
    """Defaults included; what is set in vain is noted on stderr."""
    file = tmp_path / "c.yaml"
    off = ", ".join(f"{name}: {{enabled: false}}" for name in SERVICES)
    file.write_text(f"cluster: blue\nservices: {{{off}}}\n")
    done = cli("check", "--config", str(file))
    assert done.exit_code == 0
    assert "cluster: blue" in done.stdout
    assert "max_series" in done.stdout
    assert "every service is disabled" in done.stderr


def test_a_bad_configuration_is_refused_with_all_faults(tmp_path: Path) -> None:
    """Exit code 2, one line a fault, those of the services' tables too once the file itself is sound."""
    file = tmp_path / "c.yaml"
    file.write_text("servces: {}\nbudget: {dollars_per_month: many}\n")
    done = cli("run", "--config", str(file))
    assert done.exit_code == 2
    assert len(done.stderr.splitlines()) == 2
    assert "did you mean 'services'" in done.stderr
    labels = ", ".join(f"label_{number}: x" for number in range(30))
    file.write_text(
        "services: {ebs: {rows: {VolumeReadByte: {enabled: true}, VolumeQueueLength: {every: 1d}},"
        " discovery: {DescribeVolume: 60s}}}\ncluster: x\n"
        f"delivery: {{mode: push, push: {{url: 'http://mimir/push', external_labels: {{{labels}}}}}}}\n"
    )
    done = cli("check", "--config", str(file))
    assert done.exit_code == 2
    assert "did you mean 'VolumeReadBytes'" in done.stderr
    assert "go stale" in done.stderr
    assert "did you mean 'DescribeVolumes'" in done.stderr
    assert "receivers such as Mimir take 30" in done.stderr
    assert cli("check", "--config", str(tmp_path / "none.yaml")).exit_code == 2


def test_metrics_markdown_is_the_page_in_the_tree() -> None:
    """METRICS.md is generated; `make docs` writes it."""
    assert (ROOT / "exporter" / "METRICS.md").read_text() == cli("metrics", "--markdown").output


def test_metrics_json_holds_the_contract() -> None:
    """The shape rules and dashboards build on (design.md 6.1)."""
    listed = json.loads(cli("metrics", "--json").output)
    assert listed["version"] == 1
    by_name = {family["name"]: family for family in listed["families"]}
    assert len(by_name) == len(listed["families"])
    row = by_name["aws_ebs_volume_stalled_io"]
    assert row["source"] == {
        "namespace": "AWS/EBS",
        "metric": "VolumeStalledIOCheck",
        "statistic": "Maximum",
        "dimensions": {"InstanceId": None, "VolumeId": "volume_id"},
    }
    assert (row["fold"], row["period"], row["delay"], row["every"], row["span"]) == ("mean", 60, 120, 300, 540)
    assert by_name["storage_exporter_job_success"]["labels"] == ["account_id", "region", "aws_service", "job_name"]


def test_policy_only_reads() -> None:
    """Every action of the printed policy is a Describe, a Get or a List; a role chain adds the two of STS."""
    document = json.loads(cli("policy").output)
    actions = {action for statement in document["Statement"] for action in statement["Action"]}
    assert actions
    assert all(action.split(":")[1].startswith(("Describe", "Get", "List")) for action in actions)
    assert "ec2:DescribeFastSnapshotRestores" not in actions
    assert "sts:AssumeRole" not in actions


def test_policy_follows_the_configuration(tmp_path: Path) -> None:
    """What the configuration switches on or off comes and goes in the policy."""
    file = tmp_path / "c.yaml"
    off = ", ".join(f"{name}: {{enabled: false}}" for name in SERVICES if name != "ebs")
    file.write_text(
        "scopes: [{}, {regions: [eu-west-1], roles: [{arn: 'arn:aws:iam::123456789012:role/x'}]}]\n"
        f"services: {{{off}, ebs: {{tiers: [essential, standard, on-request]}}}}\n"
    )
    document = json.loads(cli("policy", "--config", str(file)).output)
    by_sid = {statement["Sid"]: statement for statement in document["Statement"]}
    assert set(by_sid) == {"Metrics", "Ebs", "Chain"}
    assert "ec2:DescribeFastSnapshotRestores" in by_sid["Ebs"]["Action"]
    assert by_sid["Chain"]["Resource"] == "arn:aws:iam::123456789012:role/x"


def unpaced(folder: Path) -> Path:
    """A configuration that does not pace Describe calls, for an AWS of our own."""
    file = folder / "unpaced.yaml"
    file.write_text("limits: {describe_per_second: 1000}\n")
    return file


@pytest.mark.parametrize("form", ["table", "prometheus", "json"])
def test_once_in_every_format(form: str, tmp_path: Path) -> None:
    """One pass of a whole estate, exit code 0, the same volume in each format."""
    with run_in_thread(World(1, WorldClock())) as server:
        volume = server.world.volume("data-postgres-0").volume_id
        done = subprocess.run(
            [sys.executable, "-m", "exporter", "once", "--config", str(unpaced(tmp_path)), "--format", form],
            env={**server.environment(), "HOME": "/nonexistent", "COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        remember(server.calls)
    assert done.returncode == 0, done.stderr
    assert volume in done.stdout
    if form == "prometheus":
        assert parsed(done.stdout)
    elif form == "json":
        assert json.loads(done.stdout)["failures"] == []
    else:
        assert "MiB/s" in done.stdout


def test_once_names_what_failed_on_stderr(tmp_path: Path) -> None:
    """A denied API: exit code 1, the operation, the action to grant; everything else is printed."""
    with run_in_thread(World(1, WorldClock())) as server:
        server.faults.add("denied", service="efs", operation="DescribeFileSystems")
        done = subprocess.run(
            [sys.executable, "-m", "exporter", "once", "--config", str(unpaced(tmp_path)), "--format", "json"],
            env={**server.environment(), "HOME": "/nonexistent"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert "DescribeFileSystems" in done.stderr
    assert "elasticfilesystem:DescribeFileSystems" in done.stderr
    assert any(sample["name"] == "aws_ebs_volume_size_bytes" for sample in json.loads(done.stdout)["samples"])


def test_no_region_is_said_with_the_ways_to_set_one() -> None:
    """Exit code 2 and what to do."""
    done = subprocess.run(
        [sys.executable, "-m", "exporter", "once"],
        env={"HOME": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "AWS_REGION" in done.stderr
