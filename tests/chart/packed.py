"""The rules as the program makes them of a configuration, to hold what the chart renders against; and broken charts."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from exporter.config import Config, parse
from exporter.ruler import overrides, pack, render
from exporter.ruler.render import Form, Options, Target
from exporter.ruler.shapes import Pack
from tests.chart.rendering import CHART, Object, parsed

RULES_ONLY = {"dashboards": {"enabled": False}, "scrape": {"by": "none"}, "test": {"enabled": False}}
"""Values that leave out what else takes time to render."""


@cache
def shipped() -> Pack:
    """The rules that come with the program."""
    read, faults = pack.read(pack.built_in())
    assert not faults
    return read


def configured(rules: Mapping[str, Any]) -> Config:
    """
    The configuration that has *rules* as its section.

    Raises:
        ConfigError: the program refuses it.
    """
    text = yaml.safe_dump({"rules": dict(rules)})
    return parse(text, {}, "config.yaml", lambda data: overrides.wrong(shipped(), data))


def expected(rules: Mapping[str, Any], target: Target, form: Form, options: Options | None = None) -> dict[str, Object]:
    """What `storage-exporter rules render` writes: objects by name."""
    made = render.rendered(overrides.applied(shipped(), configured(rules).rules), target, form, options)
    return {name.removesuffix(".yaml"): parsed(text)[0] for name, text in made.items()}


def copied(folder: Path) -> Path:
    """A chart in *folder* whose files may be broken: links are followed."""
    made = folder / "storage-exporter"
    shutil.copytree(CHART, made)
    return made
