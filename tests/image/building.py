"""
The image's environment, made here by the program that the Dockerfile runs, of the files that the Dockerfile copies, and
kept in build/image until what it is made from changes.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tests.image.dockerfile import stages
from tests.tools import ROOT
from tools.image.environment import run

FOLDER = ROOT / "build" / "image"
UV = Path(sys.executable).parent / "uv"
_RECIPE = ("tools/image/*.py",)
_DEPENDENCIES = (*_RECIPE, "requirements.lock")
_PROGRAM = (
    *_DEPENDENCIES,
    *("Dockerfile", "requirements-dev.lock", "pyproject.toml", "README.md", "LICENSE"),
    *("exporter/**/*.py", "rules/*/*.yaml", "rules/thresholds.yaml"),
)


def environment(base_version: str) -> Path:
    """
    The folder of the environment.

    Args:
        base_version: of the image's Python, such as ``3.12``; another one is taken where that is not installed.
    """
    python = interpreter(base_version)
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        dependencies = FOLDER / f"dependencies-{_key(python, _DEPENDENCIES)}"
        if not dependencies.is_dir():
            _leave("dependencies")
            _step(python, "dependencies", fresh := FOLDER / "fresh")
            fresh.rename(dependencies)
        program = FOLDER / f"program-{_key(python, _PROGRAM)}"
        if not program.is_dir():
            _leave("program")
            fresh = FOLDER / "fresh"
            shutil.rmtree(fresh, ignore_errors=True)
            shutil.copytree(dependencies, fresh, symlinks=True, copy_function=os.link)
            _step(python, "program", fresh)
            fresh.rename(program)
    return program


def interpreter(version: str) -> Path:
    """The Python of that version, where there is one on PATH or in pyenv; else the one that runs the tests."""
    name = f"python{version}"
    own = Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}")
    home = Path(pwd.getpwuid(os.getuid()).pw_dir)  # tests have a HOME of their own
    homes = sorted(home.glob(f".pyenv/versions/{version}.*/bin/{name}"))
    for candidate in (shutil.which(name), *homes, own):
        if candidate and (found := _real(candidate)):
            return found
    raise LookupError(f"neither {name} nor {own} runs")


def _real(candidate: str | Path) -> Path | None:
    """The interpreter behind a name, which may be a shim or one of a virtual environment."""
    ask = "import os, sys; print(os.path.realpath(sys.executable))"
    done = subprocess.run([candidate, "-I", "-c", ask], capture_output=True, text=True, check=False)
    return Path(done.stdout.strip()) if done.returncode == 0 else None


def sources(folder: Path) -> Path:
    """Fill *folder*, which is not there yet, with what the first stage copies, as it does; returns it."""
    folder.mkdir(parents=True)
    for paths, flags in stages({"BASE_DIGEST": "sha256:0"})[0].copies():
        assert not flags
        for source in paths[:-1]:
            if (ROOT / source).is_dir():  # what is in it
                left_out = shutil.ignore_patterns("__pycache__", "*.py[cod]")
                shutil.copytree(ROOT / source, folder / paths[-1], symlinks=True, ignore=left_out, dirs_exist_ok=True)
            else:
                (folder / paths[-1]).mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / source, folder / paths[-1])
    return folder


def _step(python: Path, step: str, prefix: Path) -> None:
    uv = ("--uv", UV) if UV.exists() else ()
    with tempfile.TemporaryDirectory(prefix="storage-exporter-sources-") as folder:
        source = sources(Path(folder) / "src")
        run(python, "-m", "tools.image.environment", step, "--prefix", prefix, *uv, cwd=source)


def _key(python: Path, patterns: Iterable[str]) -> str:
    digest = hashlib.sha256(str(python).encode())
    for file in sorted({file for pattern in patterns for file in ROOT.glob(pattern)}):
        digest.update(f"\n{file.relative_to(ROOT)}\n".encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def _leave(kind: str) -> None:
    """Take away all but the newest of a kind."""
    found = sorted(FOLDER.glob(f"{kind}-*"), key=lambda each: each.stat().st_mtime)
    for old in found[:-1]:
        shutil.rmtree(old)
