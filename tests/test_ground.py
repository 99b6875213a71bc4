"""The repository itself: its locks, its scripts, the size of its files, and what the tests are kept away from."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import boto3
import botocore.exceptions
import hypothesis
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.guard import Guard, NetworkRefusedError, is_loopback
from tests.tools import ROOT, binary, find

pytest_plugins = ("pytester",)

LOCKS = ("requirements.lock", "requirements-dev.lock")
LONGEST_FILE = 450  # lines: a file is read in one sitting


def _pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def _requirements(*, dev: bool) -> list[Requirement]:
    """The direct dependencies as written: those of the program, or those of the group `dev`."""
    document = _pyproject()
    return [
        Requirement(text)
        for text in (document["dependency-groups"]["dev"] if dev else document["project"]["dependencies"])
    ]


def _pins(lock: str) -> dict[str, list[tuple[Requirement, frozenset[str]]]]:
    """Name → its pins (several where they differ by Python version), each with its hashes."""
    pins: dict[str, list[tuple[Requirement, frozenset[str]]]] = {}
    lines = [line for line in (ROOT / lock).read_text().splitlines() if not line.lstrip().startswith("#")]
    for entry in re.sub(r"\s*\\\n\s*", " ", "\n".join(lines)).splitlines():
        text, *hashes = entry.split(" --hash=")
        requirement = Requirement(text)
        pins.setdefault(canonicalize_name(requirement.name), []).append((requirement, frozenset(hashes)))
    return pins


def _python_files() -> Iterator[Path]:
    for folder in ("exporter", "tests", "tools"):
        yield from (ROOT / folder).rglob("*.py")


# Files


def test_no_python_file_is_too_long() -> None:
    """Every Python file can be read in one sitting."""
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in _python_files()}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}
    assert len(lengths) > 10


def test_no_module_is_a_drawer() -> None:
    """No module or package is called utils: what a thing is about is where it lives."""
    parts = {part for path in _python_files() for part in path.relative_to(ROOT).with_suffix("").parts}
    assert parts & {"util", "utils"} == set()
    assert {"exporter", "model"} <= parts


def test_readme_has_the_two_commands() -> None:
    """A stranger finds how to see it work and how to test it."""
    lines = {
        line.strip().removeprefix("$ ").split("#")[0].strip() for line in (ROOT / "README.md").read_text().splitlines()
    }
    assert {"make run", "make test"} <= lines


def test_ci_is_what_everybody_can_run() -> None:
    """CI runs `make test` and nothing else."""
    lines = [line for line in (ROOT / ".ci" / "run").read_text().splitlines() if line and not line.startswith("#")]
    assert lines == ["set -euo pipefail", 'cd "$(dirname "${BASH_SOURCE[0]}")/.."', "make test"]
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_make_help_lists_the_targets() -> None:
    """`make help` names each target that the README and the issue promise."""
    shown = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    targets = {line.split()[1] for line in shown.splitlines()}
    assert {"run", "test", "lint", "tools", "bench", "lock", "docs", "format", "clean", "help"} <= targets


# Dependencies and locks


@pytest.mark.parametrize("requirement", [*_requirements(dev=False), *_requirements(dev=True)], ids=str)
def test_direct_dependencies_have_an_upper_bound(requirement: Requirement) -> None:
    """A new major version of a dependency is taken on purpose, never by chance."""
    assert {specifier.operator for specifier in requirement.specifier} & {"<", "<=", "==", "~="}


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_name_no_place(lock: str) -> None:
    """A lock says what, never from where: no address, no path, no option that names an index."""
    text = (ROOT / lock).read_text()
    assert re.findall(r"://.*|(?<![\w.-])/\w+.*|--(?!hash=)\S+", text) == []
    assert "--hash=sha256:" in text


@pytest.mark.parametrize(
    "name", ["Makefile", ".ci/run", "tools/debian_tools.sh", "tools/find_python.sh", "pyproject.toml"]
)
def test_scripts_name_no_registry(name: str) -> None:
    """Packages come from where the machine's own pip and apt settings say."""
    assert re.findall(r"https?://|--(?:extra-)?index-url|--find-links|--trusted-host", (ROOT / name).read_text()) == []


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_hashes(lock: str) -> None:
    """Each line of a lock pins one version and the hashes of its files."""
    pins = [pin for several in _pins(lock).values() for pin in several]
    assert len(pins) > 10
    assert [
        str(requirement) for requirement, hashes in pins if not hashes or "==" not in str(requirement.specifier)
    ] == []


@pytest.mark.parametrize(("lock", "dev"), [(LOCKS[0], False), (LOCKS[1], False), (LOCKS[1], True)])
def test_locks_meet_pyproject(lock: str, *, dev: bool) -> None:
    """The locks were made from the pyproject.toml that stands beside them (else: make lock)."""
    pins = _pins(lock)
    for requirement in _requirements(dev=dev):
        versions = [next(iter(pin.specifier)).version for pin, _ in pins.get(canonicalize_name(requirement.name), [])]
        assert versions, f"{requirement} is not in {lock}: make lock"
        assert all(Version(version) in requirement.specifier for version in versions), (
            f"{requirement}, {lock}: {versions}"
        )


def test_tests_run_what_is_shipped() -> None:
    """Every pin of the runtime lock stands in the development lock with the same version and hashes."""
    shipped, tested = _pins(LOCKS[0]), _pins(LOCKS[1])
    differ = {name for name, pins in shipped.items() if {h for _, h in pins} != {h for _, h in tested.get(name, [])}}
    assert differ == set()
    assert len(shipped) < len(tested)


# Scripts, each run with a PATH that holds only what the case is about


def _program(folder: Path, name: str, body: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{body}\n")
    (folder / name).chmod(0o755)


def _find_python(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    script = ROOT / "tools" / "find_python.sh"
    return subprocess.run(
        ["/bin/sh", script, *arguments], env={"PATH": str(path)}, capture_output=True, text=True, check=False
    )


def test_find_python_passes_over_what_cannot_serve(tmp_path: Path) -> None:
    """A shim that fails and a Python too old are passed over for one that serves."""
    _program(tmp_path / "bin", "python3.13", "exit 127")
    _program(tmp_path / "bin", "python3.12", 'case "$2" in *print*) echo 3.9;; *) exit 1;; esac')
    _program(tmp_path / "bin", "python3", f'exec {sys.executable} "$@"')
    result = _find_python(tmp_path / "bin")
    assert (result.returncode, result.stdout.strip()) == (0, sys.executable)


def test_find_python_says_what_it_saw(tmp_path: Path) -> None:
    """Without a Python that serves the message names each candidate, its defect, and the next step."""
    _program(tmp_path / "bin", "python3.13", "exit 127")
    _program(tmp_path / "bin", "python3.12", 'case "$2" in *print*) echo 3.12;; *ensurepip*) exit 1;; esac')
    _program(tmp_path / "bin", "python3", 'case "$2" in *print*) echo 3.9;; *) exit 1;; esac')
    result = _find_python(tmp_path / "bin")
    assert result.returncode == 1
    assert "python3.13 does not run" in result.stderr
    assert "python3.12 is Python 3.12 without venv" in result.stderr
    assert "python3 is Python 3.9" in result.stderr
    assert "make PYTHON=" in result.stderr


def test_find_python_takes_the_one_named(tmp_path: Path) -> None:
    """PYTHON=… is looked at alone, and refused when it is not there."""
    _program(tmp_path / "bin", "python3", f'exec {sys.executable} "$@"')
    assert _find_python(tmp_path / "bin", "nowhere/python3").returncode == 1
    assert _find_python(tmp_path / "bin", sys.executable).stdout.strip() == sys.executable


def test_tools_without_apt_say_what_to_do(tmp_path: Path) -> None:
    """On a machine without apt the script leaves with 3, touches nothing and says what else would serve."""
    _program(tmp_path / "tools", "debian_tools.sh", (ROOT / "tools" / "debian_tools.sh").read_text())
    _program(tmp_path / "bin", "dirname", 'echo "${1%/*}"')
    script = tmp_path / "tools" / "debian_tools.sh"
    env = {"PATH": str(tmp_path / "bin")}
    result = subprocess.run(["/bin/sh", script], env=env, capture_output=True, text=True, check=False)
    assert result.returncode == 3
    assert "no apt-get" in result.stderr
    assert "on PATH" in result.stderr
    assert not (tmp_path / ".tools").exists()


@pytest.mark.binary
@pytest.mark.parametrize("name", ["prometheus", "promtool", "alertmanager", "prometheus-alertmanager", "amtool"])
def test_tools_run(name: str) -> None:
    """What `make tools` fetched runs on this machine."""
    result = subprocess.run([binary(name), "--version"], capture_output=True, text=True, check=True)
    assert "version" in result.stdout + result.stderr


def test_tools_are_found_before_path(tmp_path: Path) -> None:
    """.tools/ wins over PATH, either name of Alertmanager serves, and a missing program is None."""
    _program(tmp_path / "own", "promtool", "")
    _program(tmp_path / "path", "promtool", "")
    _program(tmp_path / "path", "alertmanager", "")
    path = str(tmp_path / "path")
    assert find("promtool", [tmp_path / "own"], path) == tmp_path / "own" / "promtool"
    assert find("promtool", [], path) == tmp_path / "path" / "promtool"
    assert find("prometheus-alertmanager", [tmp_path / "own"], path) == tmp_path / "path" / "alertmanager"
    assert find("amtool", [tmp_path / "own"], path) is None


@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_a_missing_tool_is_a_failure_in_ci_only(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
) -> None:
    """A run that counts cannot pass by leaving out what needs a program."""
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="no-such-program is neither"):
        binary("no-such-program")


# What conftest.py promises


def test_nothing_of_the_machine_leaks_in() -> None:
    """No credentials, region, profile, proxy or terminal setting of whoever runs the tests is seen."""
    allowed = {"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_EC2_METADATA_DISABLED"}
    assert {name for name in os.environ if name.startswith("AWS_")} == allowed
    assert [name for name in os.environ if name.upper().endswith("_PROXY")] == []
    session = boto3.Session()
    assert session.get_credentials() is None
    assert session.available_profiles == []
    with pytest.raises(botocore.exceptions.NoRegionError):
        session.client("ec2")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "::1%lo", "localhost", b"localhost"]
)
def test_loopback_is_allowed(host: object) -> None:
    """These never leave the machine."""
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["192.0.2.1", "169.254.169.254", "10.0.0.1", "2001:db8::1", "0.0.0.0", "ec2.amazonaws.com", "", None]
)
def test_anything_else_is_not(host: object) -> None:
    """Metadata addresses, private ranges and names are elsewhere."""
    assert not is_loopback(host)


def test_leaving_the_machine_is_refused_and_noted(network_guard: Guard) -> None:
    """Connect, datagram and lookup raise before a packet leaves, and stay noted for the code that swallows errors."""
    with socket.socket() as stream, pytest.raises(NetworkRefusedError, match=r"192\.0\.2\.1:443 was refused"):
        stream.connect(("192.0.2.1", 443))
    with socket.socket(type=socket.SOCK_DGRAM) as datagrams, pytest.raises(NetworkRefusedError):
        datagrams.sendto(b"", ("192.0.2.1", 53))
    with pytest.raises(NetworkRefusedError, match=r"nowhere\.invalid"):
        socket.getaddrinfo("nowhere.invalid", 443)
    assert len(network_guard.take()) == 3


async def test_servers_on_loopback_are_reached() -> None:
    """The tests' own servers are reached as ever."""

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        reader, writer = await asyncio.open_connection("localhost", cast("int", server.sockets[0].getsockname()[1]))
        assert await reader.read() == b"hello"
        writer.close()
        await writer.wait_closed()


def test_a_swallowed_refusal_fails_the_test(pytester: pytest.Pytester) -> None:
    """Code that outlives the refusal does not turn a test green that left the machine."""
    pytester.makeconftest("from tests.conftest import network_guard")
    pytester.makepyfile(
        """
        import contextlib, socket
        def test_quiet():
            with contextlib.suppress(Exception), socket.socket() as s:
                s.connect(("192.0.2.1", 443))
        """
    )
    pytester.syspathinsert(ROOT)
    pytester.runpytest_inprocess("-p", "no:asyncio", "-p", "no:cacheprovider").assert_outcomes(passed=1, errors=1)


def test_properties_are_repeatable_in_ci() -> None:
    """Hypothesis has no deadline (machines differ), and in CI looks at the same examples every time."""
    current = hypothesis.settings()
    assert current.deadline is None
    assert current.derandomize == (os.environ.get("CI") == "true")
