"""The command `policy` as a test asks it, and a configuration with chains of roles."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import botocore.session
import pytest
import yaml
from botocore import xform_name
from click.testing import CliRunner, Result

from exporter.cli import main

ACCOUNT, ISSUER = "123456789012", "oidc.eks.eu-west-1.amazonaws.com/id/ABCDEF0123456789"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER}"
OWN = f"arn:aws:iam::{ACCOUNT}:role/storage-exporter"
HUB, LEAF = "arn:aws:iam::210987654321:role/hub", "arn:aws:iam::333344445555:role/teams/a/leaf"

CHAINS = {
    "cluster": "blue",
    "scopes": [
        {"regions": ["eu-west-1"]},
        {"regions": ["eu-west-1"], "roles": [{"arn": HUB, "external_id": "for-hub"}]},
        {"regions": ["eu-west-2"], "roles": [{"arn": HUB, "external_id": "for-hub"}, {"arn": LEAF}]},
    ],
}


def cli(*words: str) -> Result:
    return CliRunner().invoke(main, ["policy", *words])


def said(*words: str) -> str:
    done = cli(*words)
    assert (done.exit_code, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture
def chains(tmp_path: Path) -> str:
    file = tmp_path / "chains.yaml"
    file.write_text(yaml.safe_dump(CHAINS), encoding="utf-8")
    return str(file)


_STUB = """#!/bin/sh
for word in "$@"; do printf '%s\\037' "$word"; done >> "$TOLD"; printf '{name}\\036' >> "$TOLD"
[ "$2" = get-role ] && echo "arn:aws:iam::999999999999:role/found" || true
"""


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of programs named aws and kubectl that only note what they were called with."""
    folder = tmp_path_factory.mktemp("bin")
    for name in ("aws", "kubectl"):
        (folder / name).write_text(_STUB.replace("{name}", name), encoding="utf-8")
        (folder / name).chmod(0o755)
    return folder


def run_by_sh(shell: Path, text: str) -> list[list[str]]:
    """The words of each program the real sh starts for *text*, the program's name first."""
    told = shell / "told"
    told.write_text("", encoding="utf-8")
    environ = {"PATH": f"{shell}:{os.environ['PATH']}", "TOLD": str(told)}
    done = subprocess.run(["sh", "-eu"], input=text, text=True, capture_output=True, env=environ, check=False)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "")
    calls = [each.split("\x1f") for each in told.read_text(encoding="utf-8").split("\x1e")[:-1]]
    return [[name, *words] for *words, name in calls]


def parameters(words: list[str]) -> dict[str, str]:
    """The options of a command of the AWS CLI; every one takes a value here."""
    return {name.removeprefix("--"): value for name, value in zip(words[::2], words[1::2], strict=True)}


def held_to_the_model(call: list[str]) -> tuple[str, dict[str, str]]:
    """The operation of an `aws` command, which has to exist with these parameters and none that is required missing."""
    _, service, command, *words = call
    model = botocore.session.get_session().get_service_model(service)
    operations = {xform_name(name, "-"): model.operation_model(name) for name in model.operation_names}
    shape = operations[command].input_shape
    assert shape is not None
    known = {xform_name(name, "-"): name for name in shape.members}
    given = {name: value for name, value in parameters(words).items() if name not in ("query", "output")}
    assert set(given) <= set(known)
    assert set(shape.required_members) <= {known[name] for name in given}
    return command, {known[name]: value for name, value in given.items()}
