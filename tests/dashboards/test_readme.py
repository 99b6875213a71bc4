"""What dashboards/README.md says of the dashboards is so."""

from __future__ import annotations

import re
from typing import Any

import yaml

from dashboards.build.queries import PLACE
from dashboards.build.writing import pages
from tests.tools import ROOT

_FOLDER = ROOT / "dashboards"
_TEXT = (_FOLDER / "README.md").read_text(encoding="utf-8")


def test_every_dashboard_is_in_the_table() -> None:
    """Each by its file and with words, the overview first."""
    rows = re.findall(r"(?m)^\| \[`([a-z0-9-]+)\.json`\]\(([a-z0-9-]+)\.json\) \| (.+) \|$", _TEXT)
    assert all(shown == leads and len(words.split()) >= 5 for shown, leads, words in rows)
    assert sorted(shown for shown, _, _ in rows) == sorted(page.uid for page in pages())
    assert rows[0][0] == pages()[0].uid


def test_links_lead_to_what_there_is() -> None:
    """Every link that is a path."""
    paths = [path for path in re.findall(r"\]\(([^)#]+)\)", _TEXT) if "://" not in path]
    assert len(paths) > len(pages())
    assert [path for path in paths if not (_FOLDER / path).exists()] == []


def test_the_provisioning_of_files_is_what_grafana_takes() -> None:
    """A provider of files that nobody changes by hand."""
    blocks: list[Any] = [yaml.safe_load(block) for block in re.findall(r"(?s)```yaml\n(.*?)```", _TEXT)]
    (provider,) = blocks[0]["providers"]
    assert blocks[0]["apiVersion"] == 1
    assert provider["type"] == "file"
    assert provider["allowUiUpdates"] is False
    assert provider["options"]["path"].startswith("/")


def test_each_dashboard_fits_a_config_map() -> None:
    """A ConfigMap holds a MiB: one a dashboard, as the text says."""
    sizes = [path.stat().st_size for path in _FOLDER.glob("*.json")]
    assert max(sizes) < 2**20


def test_variables_that_are_named_are_there() -> None:
    """The place, on every dashboard; and panels that the text names are on the exporter's."""
    assert all(f"`{name}`" in _TEXT for name in PLACE)
    (exporter,) = [page for page in pages() if page.uid == "exporter"]
    titles = {panel.title for row in exporter.rows for panel in row.panels}
    named = {title for title in re.findall(r"(?<!\*)\*([A-Z][A-Za-z ]+)\*(?!\*)", _TEXT) if title != "All"}
    assert named
    assert named <= titles
