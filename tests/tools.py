"""Programs the tests run that no Python package brings: Debian's, which `make tools` unpacks into `.tools/`.

Only finds them; starting them is each test's own business. Mark such tests with `@pytest.mark.binary`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Debian calls the program after its package, everybody else by its own name.
NAMES: Mapping[str, Sequence[str]] = {
    "alertmanager": ("prometheus-alertmanager", "alertmanager"),
    "prometheus-alertmanager": ("prometheus-alertmanager", "alertmanager"),
}


def binary(name: str) -> Path:
    """Return the absolute path of a program: the one in `.tools/` first, else the one on PATH.

    Without one the test is skipped with the reason, and fails where the environment has CI=true: a run that counts must
    not pass by leaving things out.
    """
    found = find(name, [ROOT / ".tools" / "usr" / "bin"], os.environ.get("PATH", ""))
    if found is None:
        unavailable(f"{name} is neither in .tools/ nor on PATH: `make tools` fetches it on Debian and Ubuntu")
    return found


def unavailable(reason: str) -> NoReturn:
    """Skip the test for a *reason* that lies in the machine; where CI=true, fail it."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason} (a failure because CI=true)")
    pytest.skip(reason)


def find(name: str, folders: Sequence[Path], path: str) -> Path | None:
    """Return the program under any of its names, looking in `folders` before `path` (a PATH string), or None."""
    names = NAMES.get(name, (name,))
    for search in (os.pathsep.join(str(folder) for folder in folders), path):
        for candidate in names:
            if search and (program := shutil.which(candidate, path=search)):
                return Path(program).resolve()
    return None
