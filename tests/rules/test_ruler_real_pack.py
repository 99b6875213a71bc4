"""The rules that come with the program: every file is read, keeps to the conventions, and reaches its target."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from exporter.demo import run_ruler_in_thread
from exporter.ruler import conventions, pack
from exporter.ruler.shapes import LANGUAGES
from tests.rules.ruler_side import OURS, cli, promql

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "rules").glob("mimir/*.yaml")) + sorted((ROOT / "rules").glob("loki/*.yaml"))


def test_there_are_rules_for_both() -> None:
    """Of each language at least one file: else the tests below would prove nothing."""
    assert {file.parent.name for file in FILES} == set(LANGUAGES)


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_a_file_is_sound(file: Path) -> None:
    """Read without a fault, and against no convention."""
    found, faults = pack.read(pack.built_in())
    path = f"{file.parent.name}/{file.name}"
    assert path in [each.path for each in found.files]
    wrong = [str(fault) for fault in [*faults, *conventions.faults(found)] if fault.path.startswith(path)]
    assert not wrong


def test_all_of_it_together_is_sound() -> None:
    """Also what is not of one file: limits, names of groups, thresholds."""
    found, faults = pack.read(pack.built_in())
    assert not [str(fault) for fault in [*faults, *conventions.faults(found)]]
    assert cli("check").exit_code == 0


def test_it_reaches_its_rulers_and_stays(tmp_path: Path) -> None:
    """Mimir with its limits and a real parser, and Loki, take all of it; a second time nothing is sent."""
    with run_ruler_in_thread("mimir", judge=promql) as mimir, run_ruler_in_thread("loki") as loki:
        rulers = {"mimir": {"url": mimir.url, "tenant": "t"}, "loki": {"url": loki.url, "tenant": "t"}}
        config = tmp_path / "c.yaml"
        config.write_text(yaml.safe_dump({"rules": rulers}))
        done = cli("sync", "--config", str(config))
        assert done.exit_code == 0, done.output
        found, _ = pack.read(pack.built_in())
        for server, language in zip((mimir, loki), LANGUAGES, strict=True):
            names = [group["name"] for group in server.groups("t")[OURS]]
            assert sorted(names) == sorted(group.name for group in found.groups(language))
        assert cli("diff", "--config", str(config)).exit_code == 0
