"""The wheel holds the rules as files: a program that is installed finds them without the repository."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.rules.ruler_side import written

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc")


def test_a_wheel_has_the_rules_and_nothing_else_of_their_folder(tmp_path: Path) -> None:
    """Built by the build backend itself; what the pack's links point at are real files in it."""
    tree = tmp_path / "tree"
    shutil.copytree(ROOT / "exporter", tree / "exporter", symlinks=True, ignore=LEFT_OUT)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree / name)
    rules = written(tree / "rules")
    for name in ("build/model.py", "tests/efs.yaml", "README.md", "alertmanager/templates/pager.tmpl"):
        (rules / name).parent.mkdir(parents=True, exist_ok=True)
        (rules / name).write_text("x\n")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")]
    built = subprocess.run(command, cwd=tree, capture_output=True, text=True, timeout=300, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {name.removeprefix("exporter/ruler/pack/") for name in archive.namelist() if "/ruler/pack/" in name}
        assert names == {
            *("mimir/efs.yaml", "mimir/s3.yaml", "loki/drivers.yaml", "thresholds.yaml"),
            "alertmanager/templates/pager.tmpl",
        }
        assert archive.read("exporter/ruler/pack/mimir/efs.yaml") == (rules / "mimir/efs.yaml").read_bytes()
        assert not [name for name in archive.namelist() if name.startswith("rules/")]
        archive.extractall(tmp_path / "installed")
    command = [sys.executable, "-m", "exporter", "rules", "check"]
    done = subprocess.run(command, cwd=tmp_path / "installed", capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("mimir: 2 files, 3 groups")
