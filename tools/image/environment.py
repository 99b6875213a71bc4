"""
Makes the environment that the image has at /opt/storage-exporter; the Dockerfile runs this, and so do the tests.

``dependencies`` installs requirements.lock by its hashes, ``program`` the exporter's own wheel. Both leave out what is
not read (`pruning`) and compile what is; ``program`` at last looks whether the exporter works there (`inside`). An
environment may be made at one place and stand at another: it holds no path of its own but in names of source files.
``standard`` compiles what the exporter loads of Python's own library, which official images bring without bytecode.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.image import locks, pruning

HOME = Path("/opt/storage-exporter")
"""Where the environment stands in the image."""

ROOT = Path(__file__).resolve().parents[2]
_HASHED = ("--require-hashes", "--no-deps", "--only-binary=:all:")
_COMMAND = """#!/bin/sh
# What the image runs, for `kubectl exec`; the environment may stand anywhere.
exec "$(dirname "$0")/python" -P -m exporter "$@"
"""


class BuildError(Exception):
    """A step failed; the text says which and what was said."""


@dataclass(frozen=True, slots=True)
class Environment:
    """
    An environment of Python.

    Args:
        prefix: its folder.

        uv: the program that installs in place of pip, which takes ten times as long; the hashes are the same.
    """

    prefix: Path
    uv: Path | None = None

    @property
    def python(self) -> Path:
        """Its interpreter, a link to the one it was made with."""
        return self.prefix / "bin" / "python"

    @property
    def site(self) -> Path:
        """Its ``site-packages``."""
        (found,) = self.prefix.glob("lib/python3.*/site-packages")
        return found

    def make(self) -> None:
        """Make it anew, empty, with the Python that runs this, and without pip."""
        shutil.rmtree(self.prefix, ignore_errors=True)
        run(os.path.realpath(sys.executable), "-m", "venv", "--without-pip", "--symlinks", self.prefix)
        for script in (self.prefix / "bin").glob("[aA]ctivate*"):
            script.unlink()
        settings = self.prefix / "pyvenv.cfg"
        lines = settings.read_text(encoding="utf-8").splitlines(keepends=True)
        settings.write_text("".join(line for line in lines if not line.startswith("command")), encoding="utf-8")

    def install(self, *arguments: str | Path) -> None:
        """Install with pip's *arguments*; nothing is compiled and no script stays."""
        if self.uv is not None:
            run(self.uv, "pip", "install", "--quiet", "--python", self.python, "--link-mode=copy", *arguments)
        else:
            options = ("--quiet", "--disable-pip-version-check", "--no-compile", "--root-user-action=ignore")
            run(sys.executable, "-m", "pip", "--python", self.python, "install", *options, *arguments)
        (self.prefix / ".lock").unlink(missing_ok=True)  # uv's
        for script in (self.prefix / "bin").iterdir():
            if not script.name.startswith("python"):
                script.unlink()

    def compile(self, folder: Path) -> None:
        """Compile a folder of it, as it will stand at `HOME`; its sources are not looked at again when it starts."""
        mode = ("--invalidation-mode", "unchecked-hash")
        run(self.python, "-m", "compileall", "-q", "-f", *mode, "-s", self.prefix, "-p", HOME, folder)

    def inside(self, *arguments: str) -> str:
        """What `inside` answers there."""
        return run(self.python, "-I", "-B", ROOT / "tools" / "image" / "inside.py", *arguments)


def dependencies(environment: Environment, lock: Path) -> None:
    """Make the environment and install a lock into it."""
    environment.make()
    environment.install(*_HASHED, "-r", lock)
    pruning.prune_packages(environment.site)
    environment.compile(environment.site)


def program(environment: Environment, source: Path) -> list[str]:
    """
    Install the exporter from its sources, leave out what it does not call, and look whether it works.

    Args:
        environment: one that has its dependencies.

        source: the folder of pyproject.toml, exporter, rules, and requirements-dev.lock with the hatchling that builds.

    Returns:
        The services that can be called.

    Raises:
        BuildError: it does not work there.
    """
    with tempfile.TemporaryDirectory(prefix="storage-exporter-wheel-") as folder:
        environment.install("--no-deps", "--no-index", wheel(Path(folder), source, environment.uv))
    site, data = environment.site, environment.site / "botocore" / "data"
    pruning.prune_packages(site)
    known = {each.name for each in data.iterdir()}
    called = sorted(pruning.called(environment.inside("apis").split(), site / "exporter" / "aws", known))
    pruning.prune_descriptions(data, called)
    environment.compile(site / "exporter")
    command = environment.prefix / "bin" / "storage-exporter"
    command.write_text(_COMMAND, encoding="utf-8")
    command.chmod(0o755)
    environment.inside("check", *called)
    said = run(command, "--version")
    if (version := _version(source)) not in said.split():
        raise BuildError(f"storage-exporter --version says {said.strip()!r}, pyproject.toml {version}")
    run(command, "rules", "check")
    _finish(environment.prefix)
    return called


def standard(environment: Environment, out: Path) -> list[str]:
    """
    Compile the modules of Python's own library that the exporter loads, as they would stand below *out*.

    Returns:
        Their files.
    """
    files = environment.inside("standard", str(out)).splitlines()
    _finish(out)
    return files


def wheel(folder: Path, source: Path, uv: Path | None = None) -> Path:
    """Build the exporter's wheel into *folder*, with the hatchling of requirements-dev.lock and nothing else."""
    backend = Environment(folder / "backend", uv)
    backend.make()
    needed = folder / "backend.lock"
    needed.write_text(locks.part((source / "requirements-dev.lock").read_text(encoding="utf-8"), ["hatchling"]))
    backend.install(*_HASHED, "-r", needed)
    run(backend.python, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder, cwd=source)
    (built,) = folder.glob("*.whl")
    return built


def size(folder: Path) -> int:
    """Bytes of the files in a folder, links left out."""
    return sum(each.lstat().st_size for each in folder.rglob("*") if each.is_file() and not each.is_symlink())


def run(*command: str | Path, cwd: Path | None = None, environ: Mapping[str, str] | None = None) -> str:
    """
    Run a program.

    Returns:
        Its standard output.

    Raises:
        BuildError: with all it said, where it ended with another code than 0.
    """
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(  # noqa: S603 - our own words
        [str(word) for word in command],
        cwd=cwd,
        env={**clean, "PYTHONDONTWRITEBYTECODE": "1", **(environ or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BuildError(f"{' '.join(map(str, command))}: ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def _version(source: Path) -> str:
    """The version that pyproject.toml has."""
    for line in (source / "pyproject.toml").read_text(encoding="utf-8").splitlines():
        if line.startswith("version = "):
            return line.split('"')[1]
    raise BuildError(f"{source / 'pyproject.toml'} has no version")


def _finish(prefix: Path) -> None:
    """Let everybody read it, nobody but its owner write it, and give it one time where the build names one."""
    at = os.environ.get("SOURCE_DATE_EPOCH")
    for each in [prefix, *prefix.rglob("*")]:
        if not each.is_symlink():
            each.chmod(0o755 if each.is_dir() or each.stat().st_mode & 0o100 else 0o644)
        if at:
            os.utime(each, (int(at), int(at)), follow_symlinks=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """The steps by name."""
    parser = argparse.ArgumentParser(prog="python -m tools.image.environment", description=__doc__)
    parser.add_argument("step", choices=("dependencies", "program", "standard"))
    parser.add_argument("--prefix", type=Path, default=HOME, help="the environment's folder (default %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("/out"), help="for standard (default %(default)s)")
    parser.add_argument("--uv", type=Path, help="install with this uv in place of pip")
    given = parser.parse_args(arguments)
    environment = Environment(given.prefix.absolute(), given.uv)
    try:
        if given.step == "dependencies":
            dependencies(environment, ROOT / "requirements.lock")
            sys.stdout.write(f"{given.prefix}: {size(environment.prefix) / 1e6:.0f} MB with every model of botocore\n")
        elif given.step == "program":
            called = program(environment, ROOT)
            sys.stdout.write(f"{given.prefix}: {size(environment.prefix) / 1e6:.0f} MB; calls {', '.join(called)}\n")
        else:
            files = standard(environment, given.out.absolute())
            sys.stdout.write(f"{given.out}: {len(files)} modules of Python's own, {size(given.out) / 1e6:.0f} MB\n")
    except (BuildError, LookupError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
