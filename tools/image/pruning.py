"""
What the image leaves out of the packages it installs, and why that is safe.

botocore describes four hundred services and the exporter calls nine; which, is read from the exporter's own code. What
is left out is never imported: sources of compiled modules, stubs, examples, tests of packages. Licences stay.
"""

from __future__ import annotations

import ast
import shutil
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

_DROPPED_FILES = ("*.pyi", "*.pyx", "*.pxd", "*.c", "*.h", "*.rst", "REQUESTED", "direct_url.json", "uv_cache.json")
_DROPPED_FOLDERS = ("tests", "examples")
_DROPPED_DESCRIPTIONS = ("examples-1*", "waiters-2*", "completions-1*")
"""Of a service: what documents it, what waits for it, what completes a command line."""


def prune_packages(site: Path) -> None:
    """Take away what no program reads from the packages of a ``site-packages``."""
    for pattern in _DROPPED_FILES:
        for file in [*site.rglob(pattern)]:
            if not _is_licence(file):
                file.unlink()
    for folder in [each for name in _DROPPED_FOLDERS for each in site.glob(f"*/{name}") if each.is_dir()]:
        shutil.rmtree(folder)


def prune_descriptions(data: Path, called: Collection[str]) -> None:
    """
    Leave of botocore's descriptions the newest one of each service that is called, and the files of all services.

    Args:
        data: ``botocore/data``.

        called: names of services as botocore has them.

    Raises:
        LookupError: botocore has no such service.
    """
    services = {each.name: each for each in data.iterdir() if each.is_dir()}
    if unknown := sorted(set(called) - set(services)):
        raise LookupError(f"botocore describes no {', '.join(unknown)}: look at requirements.lock")
    for name, folder in services.items():
        versions = sorted(each for each in folder.iterdir() if each.is_dir())
        for old in versions[:-1] if name in called else [folder]:
            shutil.rmtree(old)
        for file in [file for pattern in _DROPPED_DESCRIPTIONS for file in folder.glob(f"*/{pattern}")]:
            file.unlink()


def called(apis: Iterable[str], sources: Path, known: Collection[str]) -> set[str]:
    """
    The services whose clients the exporter makes.

    Args:
        apis: those that its services' operations name.

        sources: of the modules that speak to AWS themselves; a text in them that is a service's name counts as a call.

        known: all names that botocore has.
    """
    own = {text for file in sorted(sources.glob("*.py")) for text in _texts(file.read_text(encoding="utf-8"))}
    return {*apis, *(own & set(known))}


def _texts(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _is_licence(file: Path) -> bool:
    return any(word in file.name.upper() for word in ("LICEN", "COPYING", "NOTICE", "AUTHORS")) or (
        file.parent.name == "licenses"
    )
