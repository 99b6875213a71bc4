"""A chart with some of its templates only, for tests that render one object many times; the values are the same."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.chart.rendering import CHART


def partial(folder: Path, templates: Sequence[str], more: Mapping[str, str] | None = None) -> Path:
    """
    Make the chart in *folder*.

    Args:
        folder: does not exist yet.

        templates: file names; named templates (``_*.tpl``) are there anyway.

        more: other templates by file name, with their text.

    Returns:
        The folder.
    """
    (folder / "templates").mkdir(parents=True)
    for name in ("Chart.yaml", "values.yaml", "values.schema.json"):
        shutil.copy(CHART / name, folder / name)
    (folder / "files").mkdir()
    shutil.copy(CHART / "files" / "sources.yaml", folder / "files" / "sources.yaml")
    for path in [*(CHART / "templates").glob("_*.tpl"), *(CHART / "templates" / name for name in templates)]:
        shutil.copy(path, folder / "templates" / path.name)
    for name, text in (more or {}).items():
        (folder / "templates" / name).write_text(text)
    return folder
