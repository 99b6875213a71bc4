"""``python -m dashboards.build`` (``make dashboards``): writes ``dashboards/*.json``."""

from __future__ import annotations

import sys
from pathlib import Path

from dashboards.build.writing import everything

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Write what has changed, remove what is no longer built."""
    texts = everything()
    for old in ROOT.glob("*.json"):
        if old.name not in texts:
            old.unlink()
            sys.stdout.write(f"removed {old.name}\n")
    for name, text in texts.items():
        path = ROOT / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"wrote {name}\n")


if __name__ == "__main__":
    main()
