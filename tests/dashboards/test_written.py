"""What is committed is what the program writes, and Grafana's SDK knows every word of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.build.links import PREFIX
from dashboards.build.writing import everything
from tests.dashboards.madeup import madeup
from tests.dashboards.reading import FOLDER

NOT_IN_THE_SDK = frozenset({"titleFormat", "textFormat", "tagKeys", "step"})
"""Of annotations: the SDK's model lacks them, Grafana's Prometheus data source reads them."""

FILES = sorted(FOLDER.glob("*.json"))


def test_committed_is_what_is_built() -> None:
    """`make dashboards` would change no file, add none and remove none."""
    built = everything()
    there = {path.name: path.read_text(encoding="utf-8") for path in FILES}
    assert sorted(there) == sorted(built)
    assert [name for name, text in built.items() if there[name] != text] == []


def test_eight_dashboards_called_as_their_files() -> None:
    """The set that the alerts' pages and the README know, each in the file of its uid."""
    names = ["capacity", "ebs-fleet", "ebs-volume", "efs", "exporter", "overview", "s3", "valkey"]
    assert [path.stem for path in FILES] == names
    assert [json.loads(path.read_text("utf-8"))["uid"] for path in FILES] == [PREFIX + name for name in names]


def _differences(one: Any, other: Any, at: str = "") -> Iterator[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            if key not in other:
                yield f"{at}/{key} is lost"
            elif key not in one:
                yield f"{at}/{key} is added"
            else:
                yield from _differences(one[key], other[key], f"{at}/{key}")
    elif isinstance(one, list) and isinstance(other, list):
        if len(one) != len(other):
            yield f"{at}: {len(one)} became {len(other)}"
        for place, (mine, theirs) in enumerate(zip(one, other, strict=False)):
            yield from _differences(mine, theirs, f"{at}/{place}")
    elif one != other:
        yield f"{at}: {one!r} became {other!r}"


def lost(document: dict[str, Any]) -> list[str]:
    """What does not survive the SDK's models."""
    register_default_plugins()
    again = json.loads(JSONEncoder(sort_keys=True).encode(Dashboard.from_json(document)))
    return [
        each
        for each in _differences(document, again)
        if not (
            each.startswith("/annotations/list/") and each.removesuffix(" is lost").split("/")[-1] in NOT_IN_THE_SDK
        )
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_sdk_knows_every_word(path: Path) -> None:
    """Read by the SDK's models and written again, nothing is lost and nothing is added."""
    assert lost(json.loads(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("key", ["datasorce", "legendFormatt", "drawStyl", "decription"])
def test_a_misspelt_word_is_seen(key: str) -> None:
    """A word that the SDK does not know is lost on the way, at whatever depth."""
    document = madeup().documents[1]
    panel = next(each for each in document["panels"] if each["title"] == "Balances")
    places = {
        "datasorce": panel,
        "legendFormatt": panel["targets"][0],
        "drawStyl": panel["fieldConfig"]["defaults"]["custom"],
        "decription": document,
    }
    assert lost(document) == []
    places[key][key] = "x"
    assert [each for each in lost(document) if each.endswith(f"/{key} is lost")]
