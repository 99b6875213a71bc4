"""The locks as pip reads them: which packages stand in one, and the part of one that a package needs."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

_NAME = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==")
_FIRST_VIA = re.compile(r"^\s+# via(?: +(\S+))?")
_NEXT_VIA = re.compile(r"^\s+#   +(\S+)")


def blocks(lock: str) -> dict[str, str]:
    """Each package of a lock that `uv pip compile` wrote, by its normal name: its lines with version and hashes."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in lock.splitlines():
        if match := _NAME.match(line):
            lines = found.setdefault(normal(match[1]), [])
        if line.strip() and not line.startswith("#"):
            lines.append(line)
    return {name: "\n".join(each) + "\n" for name, each in found.items()}


def part(lock: str, wanted: Iterable[str]) -> str:
    """
    The packages *wanted* and all that they need, as the lock's comments ("via") tell.

    Raises:
        LookupError: one of them is not in the lock.
    """
    known = blocks(lock)
    chosen = {normal(each) for each in wanted}
    if missing := sorted(chosen - set(known)):
        raise LookupError(f"{', '.join(missing)}: not in the lock; run `make lock`")
    while more := {name for name, text in known.items() if name not in chosen and _asked_by(text) & chosen}:
        chosen |= more
    return "".join(known[name] for name in sorted(chosen))


def normal(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _asked_by(block: str) -> set[str]:
    """Who wants a package, by the comments after it."""
    found = set()
    for line in block.splitlines():
        match = _FIRST_VIA.match(line) or _NEXT_VIA.match(line)
        if match and match[1]:
            found.add(normal(match[1].partition("[")[0]))
    return found


def main(arguments: Sequence[str]) -> int:
    """Print the part of a lock: its file, then the packages; for `make venv`, which has pip only."""
    path, *wanted = arguments
    sys.stdout.write(part(Path(path).read_text(encoding="utf-8"), wanted))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
