"""The notes of the chart for some values: no command of Helm prints them without a cluster."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.chart.partial import partial
from tests.chart.rendering import Values, render

WRAPPED = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: notes}
data: {notes: {{ include (print $.Template.BasePath "/NOTES.txt") . | toJson }}}
"""

Notes = Callable[..., str]


def wrapped(folder: Path) -> Path:
    """A chart whose notes are an object: no command of Helm prints them without a cluster."""
    return partial(folder / "chart", ["NOTES.txt"], {"zz-notes.yaml": WRAPPED})


def printer(folder: Path) -> Notes:
    """What is printed for some values, after looking for what never may be in it. *folder*: for a chart."""
    chart = wrapped(folder)

    def printed(values: Values | None = None, **more: Any) -> str:
        (found,) = render(values, chart=chart, **more)
        text: str = found["data"]["notes"]
        well_formed(text)
        return text

    return printed


def well_formed(text: str) -> None:
    """
    Nothing of Go's formats and types shows; lines that are no commands end before column 80; no two blank lines; each
    paragraph ends as a sentence does, and what announces a command has one.
    """
    for mark in ("%!", "<no value>", "map[", "<nil>", "[]", "  \n"):
        assert mark not in text, mark
    assert "\n\n\n" not in text
    for line in text.splitlines():
        assert len(line) < 80 or line.startswith("    "), line
    for part in text.split("\n\n"):
        if part.startswith("* "):
            _, *lines = part.rstrip("\n").splitlines()
            last = [line for line in lines if not line.startswith("    ")][-1]
            assert last.endswith((".", ":", "?")), part
            assert not last.endswith((":", "?")) or lines[-1].startswith("    "), f"no command follows: {part}"


def item(text: str, title: str) -> str:
    """One subject on one line; empty where the notes have none whose title begins so."""
    found = [part for part in text.split("\n\n") if part.startswith(f"* {title}")]
    assert len(found) < 2, title
    return re.sub(r"\s+", " ", found[0]) if found else ""


def commands(text: str) -> list[str]:
    """The lines to paste."""
    return [line.strip() for line in text.splitlines() if line.startswith("    ")]
