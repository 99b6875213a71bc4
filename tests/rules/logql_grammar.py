"""
Grafana's own grammar of LogQL, by `tools/logql/check.mjs` under node: whether a text is LogQL at all.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from typing import Any

from tests.rules.loki_rules import ROOT
from tests.tools import unavailable


def grammar_faults(expressions: Sequence[str]) -> list[dict[str, Any]]:
    """What Grafana's grammar finds wrong with them. Skips where it is not there, and fails where CI=true."""
    node, folder = shutil.which("node"), ROOT / ".tools" / "logql"
    if node is None or not (folder / "node_modules").is_dir():
        reason = (
            "Grafana's LogQL grammar is not in .tools/logql: `tools/logql_tools.sh` fetches it where node and npm are"
        )
        unavailable(reason)
    command = [node, str(ROOT / "tools/logql/check.mjs"), str(folder)]
    asked = subprocess.run(
        command, input=json.dumps(list(expressions)), capture_output=True, text=True, timeout=120, check=False
    )
    assert asked.returncode == 0, asked.stderr
    found: list[dict[str, Any]] = json.loads(asked.stdout)
    return found
