"""
``python -m rules.build``: writes every generated file, and promtool's tests into ``rules/tests``; ``--check`` says which
differ, exit code 1.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rules.build.writing import everything, suite, suite_names, suite_text

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Write, or check."""
    parser = argparse.ArgumentParser(description="Build the rule files.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a file differs")
    check = parser.parse_args().check
    wrong = []
    for path, text in everything().items():
        file = ROOT / path
        if file.is_file() and file.read_text() == text:
            continue
        wrong.append(path)
        if not check:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
    if not check:
        folder = ROOT / "tests"
        folder.mkdir(exist_ok=True)
        for name in suite_names():
            (folder / f"{name}.yaml").write_text(suite_text(name, suite(name)))
    for path in wrong:
        sys.stdout.write(f"{'differs' if check else 'written'}: rules/{path}\n")
    return 1 if check and wrong else 0


if __name__ == "__main__":
    sys.exit(main())
