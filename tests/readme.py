"""What a person copies from the README: its expressions and its YAML, as they stand there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from tests.tools import ROOT

README = ROOT / "README.md"
HEADER = "| Question | Expression |"


def expressions() -> Mapping[str, str]:
    """Question → PromQL, of every table that has such columns."""
    found: dict[str, str] = {}
    within = False
    for line in README.read_text(encoding="utf-8").splitlines():
        within = line == HEADER or (within and line.startswith("|"))
        row = re.fullmatch(r"\| ([^|`]+) \| `([^`]+)` \|", line) if within and line != HEADER else None
        if within and line not in {HEADER, "|---|---|"}:
            assert row is not None, f"no question and one expression: {line}"
            assert row[1] not in found, f"asked twice: {row[1]}"
            found[row[1]] = row[2].replace(r"\|", "|")
    return found


def documents() -> list[Any]:
    """Every YAML document of every block of YAML."""
    blocks = re.findall(r"^```yaml\n(.*?)^```$", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [document for block in blocks for document in yaml.safe_load_all(block)]
