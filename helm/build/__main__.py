"""
``python -m helm.build``: writes the chart's generated files; ``--check`` says which differ, exit code 1.
"""

from __future__ import annotations

import argparse
import sys

from helm.build.writing import CHART, everything


def main() -> int:
    """Write, or check."""
    parser = argparse.ArgumentParser(description="Build the generated files of the chart.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a file differs")
    check = parser.parse_args().check
    wrong = []
    for path, text in everything().items():
        file = CHART / path
        if file.is_file() and file.read_text() == text:
            continue
        wrong.append(path)
        if not check:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
    for path in wrong:
        sys.stdout.write(f"{'differs' if check else 'written'}: helm/storage-exporter/{path}\n")
    return 1 if check and wrong else 0


if __name__ == "__main__":
    sys.exit(main())
