"""What the documents tell people to type, typed: helm against a cluster, AWS by its own description of its calls."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from exporter.cli import main
from tests.chart import typed
from tests.chart.api_server import ApiServer, Outcome, api_server
from tests.chart.releases import Release, light
from tests.chart.rendering import CHART, RELEASE
from tests.chart.typed import Command
from tests.tools import ROOT

CHART_README, README = CHART / "README.md", ROOT / "README.md"


class Terminal:
    """
    Somebody who types: in a folder of their own, at a cluster that has nothing of ours yet.

    Args:
        folder: where files are written.
    """

    def __init__(self, server: ApiServer, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.typed: list[str] = []
        self._release = Release(server, folder, light(folder))

    def type(self, command: Command) -> str:
        """Run a command, or judge it; what it prints."""
        said, words = "", list(command.words)
        self.typed.append(" ".join(words[:2]))
        if command.program == "helm":
            places = {
                "helm/storage-exporter": str(self._release.chart),
                "values.yaml": str(self.folder / "values.yaml"),
            }
            said = self._release.helm_alone(*(places.get(word, word) for word in words[1:]))
        elif command.program in {"storage-exporter", "docker"}:
            done = CliRunner().invoke(main, words[1:] if command.program != "docker" else of_image(words))
            assert done.exit_code == 0, done.output
            said = done.stdout
        elif command.program == "aws":
            assert typed.aws_faults(command, self.folder) == [], words
        elif command.program == "kubectl":
            assert typed.kubectl_faults(command) == [], words
        else:
            raise AssertionError(f"nobody can type {command.program} here")
        if command.into:
            (self.folder / command.into).write_text(said)
        return said


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    with api_server(runs=lambda _: Outcome()) as server:
        yield Terminal(server, tmp_path)


def test_the_charts_readme_from_install_to_uninstall(terminal: Terminal) -> None:
    """
    Each block of shell in its order, and what they print to be typed: the cluster has what the first values say, and at
    the end nothing.
    """
    text = CHART_README.read_text()
    values = next(block for block in re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    (terminal.folder / "values.yaml").write_text(values)
    most = 0
    for block in typed.blocks(text):
        for command in typed.commands(block):
            said = terminal.type(command)
            if command.program == "storage-exporter":
                for each in typed.commands(said):
                    terminal.type(each)
            most = max(most, len(terminal.server.found()))
    for wanted in ("aws iam", "aws eks", "helm install", "helm test", "helm upgrade", "helm uninstall"):
        assert wanted in terminal.typed
    assert most > 10
    assert [item["kind"] for item in terminal.server.found(releases=True)] == ["Namespace"]
    assert len(terminal.server.ran) == 1


def test_the_repositorys_readme_installs(terminal: Terminal) -> None:
    """The block with ``helm install`` in it, and all that its commands print to be typed."""
    (block,) = [block for block in typed.blocks(README.read_text()) if "helm install" in block]
    for command in typed.commands(block):
        said = terminal.type(command)
        if command.program == "storage-exporter":
            printed = list(typed.commands(said))
            assert [each.words[2] for each in printed if each.program == "aws"][:2] == [
                "create-role",
                "put-role-policy",
            ]
        else:
            printed = to_type(said)
        for each in printed:
            terminal.type(each)
    assert "aws eks" in terminal.typed
    kinds = {item["kind"] for item in terminal.server.found()}
    assert {"Deployment", "ClusterRole", "ServiceMonitor", "PrometheusRule", "PodDisruptionBudget"} <= kinds
    deployment = terminal.server.objects.get(terminal.server.kind("Deployment"), "monitoring", RELEASE)
    assert deployment["status"]["readyReplicas"] == 2


def of_image(words: list[str]) -> list[str]:
    """The arguments that ``docker run --rm IMAGE`` gives the program of our image."""
    assert words[:3] == ["docker", "run", "--rm"], words
    assert "/storage-exporter:" in words[3]
    return words[4:]


def to_type(notes: str) -> list[Command]:
    """The commands among what helm prints at the end."""
    lines = [line.strip() for line in notes.splitlines()]
    return [each for line in lines if line.startswith(("aws ", "kubectl ", "docker ")) for each in typed.commands(line)]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("aws nothing list", "no service nothing"),
        ("aws eks make-association", "eks has no operation make-association"),
        ("aws eks list-pod-identity-associations --cluster c", "has no --cluster"),
        ("aws eks list-pod-identity-associations", 'Missing required parameter in input: "clusterName"'),
        ("aws eks list-pod-identity-associations --cluster-name c more", "takes one word for clusterName"),
        ("aws iam get-role --role-name ''", "valid min length: 1"),
        ("kubectl fetch pods", "kubectl has no fetch"),
        ("kubectl -n x get leasse a", "kubectl knows no leasse"),
        ("kubectl rollout restart deployments,sets --selector a=b", "kubectl knows no sets"),
    ],
)
def test_a_slip_in_a_command_is_seen(line: str, fault: str, tmp_path: Path) -> None:
    """A wrong service, operation, option, value, verb or kind."""
    (command,) = typed.commands(line)
    found = typed.aws_faults(command, tmp_path) if command.program == "aws" else typed.kubectl_faults(command)
    assert fault in "".join(found)


def test_commands_are_read_as_a_shell_reads_them() -> None:
    """Lines that go on, quotes over lines, comments, what is printed into files, pipes, and commands in commands."""
    text = "a b \\\n  --c 'd\ne' > f.json  # why\n\n# nothing\ng \"$(h i)\" | j\nk &\n"
    assert list(typed.commands(text)) == [
        Command(["a", "b", "--c", "d\ne"], "f.json"),
        Command(["h", "i"]),
        Command(["g", "arn:aws:iam::123456789012:role/substituted"]),
        Command(["k"]),
    ]
    with pytest.raises(ValueError, match="does not end"):
        list(typed.commands("a 'b\n"))
