"""All generated files of the chart, by their paths in it."""

from __future__ import annotations

from pathlib import Path

from helm.build import readme, schema, sources
from helm.build.entries import read

CHART = Path(__file__).resolve().parent.parent / "storage-exporter"
HEAD = Path(__file__).resolve().parent / "README.head.md"


def everything() -> dict[str, str]:
    """The text of each."""
    values = read((CHART / "values.yaml").read_text())
    return {
        "values.schema.json": schema.text(values),
        "README.md": readme.text(values, HEAD.read_text()),
        "files/sources.yaml": sources.text(),
    }
