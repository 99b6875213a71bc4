"""The preview draws a page of every kind of panel as Grafana would, and photographs it."""

from __future__ import annotations

import copy
import dataclasses
import re
import urllib.parse
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from dashboards.build.page import Variable
from tests.dashboards.every_kind import NOW, PAGE, STEP, Canned, document
from tests.dashboards.preview import (
    model,
    page,
    pictures,
)
from tests.dashboards.preview.asking import Desk, Window

HOUR = Window(NOW - 3600, NOW, STEP)

# ---- pages ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def drawn() -> page.Drawn:
    """The page of the made-up dashboard."""
    return page.draw(Desk(Canned(), model.board(document()), lambda since: HOUR), 1440, "Last 1 hour")


@pytest.fixture(scope="module")
def root(drawn: page.Drawn) -> ET.Element:
    """The page as a tree: it is well-formed."""
    return ET.fromstring(drawn.html.split("\n", 1)[1])


def _name(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _said(element: ET.Element) -> str:
    return " ".join("".join(element.itertext()).split())


def _sections(root: ET.Element) -> dict[str, ET.Element]:
    found = list(root.iter("section"))
    return {_said(each.findall(".//h2")[0]): each for each in found}


def test_every_panel_is_there_with_its_title_and_its_help(root: ET.Element) -> None:
    """Each panel of the JSON once, folded ones too, with its description as a tooltip."""
    board = model.board(document())
    sections = _sections(root)
    assert sorted(sections) == sorted(panel.title for panel in board.panels)
    assert len(board.panels) == 20
    for panel in board.panels:
        assert sections[panel.title].find(".//span[@class='info']").get("title") == panel.says  # type: ignore[union-attr]
    assert "folded in Grafana" in _said(root)
    assert "Is it well?" in _said(root)


def test_no_panel_covers_another(root: ET.Element) -> None:
    """Their rectangles are apart and within the page."""
    boxes = []
    for section in root.iter("section"):
        style = dict(each.split(":") for each in (section.get("style") or "").split(";"))
        left, top, wide, tall = (float(style[name].removesuffix("px")) for name in ("left", "top", "width", "height"))
        assert left >= 0
        assert left + wide <= 1440 - 32 + 0.2
        boxes.append((left, top, left + wide, top + tall))
    for place, one in enumerate(boxes):
        for other in boxes[place + 1 :]:
            apart = one[2] <= other[0] + 0.2 or other[2] <= one[0] + 0.2 or one[3] <= other[1] or other[3] <= one[1]
            assert apart, (one, other)


def test_nothing_is_nan_or_undefined(drawn: page.Drawn) -> None:
    """No coordinate and no word is a failed calculation."""
    assert not re.search(r"\b(NaN|nan|inf|undefined|None|null)\b", re.sub(r"<style>.*?</style>", "", drawn.html))


@pytest.mark.parametrize(
    ("title", "texts"),
    [
        ("Alerts", ["all well"]),
        ("First to run out", ["3.20 hours"]),
        ("Stored", ["1.91 TiB"]),
        ("Spend", ["$123"]),
        ("Nothing there", ["none fires"]),
        ("Operations", ["read", "1.23K io/s", "write", "12 io/s"]),
        ("Alerts that fire", ["AwsEbsVolumeStalled", "page", "info"]),
        ("Volumes", ["vol-0bbb", "logs <&> 1", "2 TiB", "95%", "12.3 ms", "impaired"]),
        ("Throughput", ["32 MiB/s", "provisioned", "vol-0aaa in 4 h", "age"]),
        ("By class", ["Last *", "Mean", "Max", "vol-0ccc"]),
        ("Latency", ["1 s", "100 ms", "p99"]),
        ("Empty", ["No data"]),
        ("Crowded", ["more"]),
        ("Time left", ["vol-0bbb", "1 hour", "1.04 days", "14.9 weeks"]),
        ("Words", ["Look at this, then that.", "one", "two"]),
        ("Roles", ["primary", "replica", "vol-0ccc"]),
        ("Driver", ["No Loki in this rendering", "Could not attach volume"]),
    ],
)
def test_a_panel_says_what_it_knows(root: ET.Element, title: str, texts: list[str]) -> None:
    """Values in their units, words in place of values, names of series."""
    said = _said(_sections(root)[title])
    for text in texts:
        assert text in said


def test_rows_are_sorted_and_the_hidden_is_hidden(root: ET.Element) -> None:
    """The fullest volume first, those without a value last; a key without a heading is no column."""
    section = _sections(root)["Volumes"]
    rows = [[_said(cell) for cell in row] for row in section.iter("tr")]
    assert rows[0] == ["Volume", "Claim", "Size", "Used", "Latency", "State"]
    assert [row[0].split()[0] for row in rows[1:]] == ["vol-0bbb", "vol-0aaa", "vol-0ccc"]


def test_links_lead_where_grafana_would_lead(root: ET.Element) -> None:
    """To the row's own detail with time and place kept, to its runbook, to the console of the row's region."""
    section = _sections(root)["Volumes"]
    found = {link.get("title"): link.get("href") or "" for link in section.findall(".//tr[4]//a")}
    detail = urllib.parse.urlsplit(found["Open ebs-volume"])
    asked = urllib.parse.parse_qs(detail.query)
    assert detail.path == "/d/storage-exporter-ebs-volume"
    assert asked["var-volume_id"] == ["vol-0ccc"]
    assert asked["var-cluster"] == ["$__all"]
    assert asked["to"] == [f"{NOW:.0f}000"]
    assert found["AWS console"].startswith("https://us-east-1.console.aws.amazon.com/ec2")
    assert found["AWS console"].endswith("volumeId=vol-0ccc")
    alerts = _sections(root)["Alerts that fire"]
    assert next(link.get("href", "") for link in alerts.iter("a")).endswith("#AwsEbsVolumeStalled")
    head = [link for link in root.findall(".//header//a") if _said(link).startswith("Runbooks")]
    assert head[0].get("href", "").startswith("https://")


def test_colours_follow_thresholds_and_words(root: ET.Element) -> None:
    """Red within a day, green when all is well, orange above a limit."""
    sections = _sections(root)

    def colour(title: str) -> str:
        return (sections[title].find(".//div[@class='value']").get("style") or "").rpartition("color:")[2]  # type: ignore[union-attr]

    assert colour("Alerts") == model.COLOURS["green"]
    assert colour("First to run out") == model.COLOURS["red"]
    assert colour("Spend") == model.COLOURS["orange"]
    cells = {_said(cell): cell for cell in sections["Volumes"].iter("span")}
    assert model.COLOURS["red"] in (cells["impaired"].get("style") or "")


def test_lines_are_dashed_dotted_and_broken_as_they_should(root: ET.Element) -> None:
    """A limit has dashes, a forecast dots, a gap stays open, daily values are steps over gaps."""
    sections = _sections(root)

    def paths(title: str, name: str) -> list[ET.Element]:
        for group in sections[title].iter():
            if _name(group) == "g" and len(group) and _name(group[0]) == "title" and group[0].text == name:
                return [each for each in group if _name(each) in {"path", "rect"}]
        return []

    assert paths("Throughput", "provisioned")[0].get("stroke-dasharray") == "10 6"
    assert paths("Throughput", "provisioned")[0].get("stroke") == model.COLOURS["red"]
    assert paths("Throughput", "vol-0aaa in 4 h")[0].get("stroke-dasharray") == "2 6"
    assert paths("Throughput", "vol-0aaa")[0].get("stroke-dasharray") is None
    assert len([each for each in paths("Gaps", "busy") if each.get("fill") == "none"]) == 2
    steps = paths("Days", "objects")
    assert len(steps) == 1
    assert "H" in (steps[0].get("d") or "")
    assert all(_name(each) == "rect" for each in paths("Counts", "failures"))
    assert (
        sum("threshold" in (each.text or "") for each in sections["Throughput"].iter() if _name(each) == "title") == 1
    )


def test_a_mark_stands_in_every_panel_over_time(root: ET.Element) -> None:
    """With its words; only where there is an axis to stand on."""
    for title in ("Throughput", "Gaps", "Days", "By class"):
        titles = [each.text for each in _sections(root)[title].iter() if _name(each) == "title"]
        assert "vol-0aaa failed over" in titles
    assert not any("failed over" in (each.text or "") for each in _sections(root)["Roles"].iter())


def test_what_has_no_room_is_counted(root: ET.Element, drawn: page.Drawn) -> None:
    """Names shown and names left out are all of them, and the command says so."""
    section = _sections(root)["Crowded"]
    names = [each for each in section.iter("span") if each.get("class") == "series"]
    more = re.search(r"\+ (\d+) more", _said(section))
    assert more
    assert len(names) + int(more[1]) == 40
    assert any(title == "Crowded" and "legend" in what for title, what in drawn.odd)
    assert ("Empty", "no data") in drawn.odd


def test_a_page_says_that_it_is_a_rendering_where_it_matters(root: ET.Element) -> None:
    """Its time, its variables and their values."""
    head = _said(root.find(".//header"))  # type: ignore[arg-type]
    assert "Made up" in head
    assert "Last 1 hour" in head
    assert "Volume vol-0bbb" in head.replace("Volumevol", "Volume vol")


def test_a_variable_that_follows_from_others_is_not_shown() -> None:
    """Grafana hides it, and so does the rendering; queries have it all the same."""
    hidden = Variable(name="other", title="Follows", metric="size", label="volume_id", many=False, hidden=True)
    source = document(dataclasses.replace(PAGE, variables=[*PAGE.variables, hidden]))
    desk = Desk(Canned(), model.board(source), lambda since: HOUR)
    assert "Follows" not in page.draw(desk).html
    assert desk.chosen["other"].text


def _changed(which: str, **changes: Any) -> page.Drawn:
    source = copy.deepcopy(document())
    for each in source["panels"]:
        for panel in [each, *(each.get("panels") or [])]:
            if panel.get("title") == which and panel["type"] != "row":
                for key, value in changes.items():
                    panel[key] = value
    return page.draw(Desk(Canned(), model.board(source), lambda since: HOUR))


def test_columns_that_do_not_fit_are_told() -> None:
    """Grafana scrolls sideways, and nobody sees what stands there."""
    found = _changed("Volumes", gridPos={"x": 0, "y": 14, "w": 8, "h": 7})
    assert any(title == "Volumes" and "off to the right" in what for title, what in found.odd)


def test_rows_that_do_not_fit_are_counted() -> None:
    """As is the last of them."""
    found = _changed("Volumes", gridPos={"x": 0, "y": 14, "w": 24, "h": 4})
    assert "+ 2 more rows" in found.html


def test_a_title_that_is_cut_off_is_told() -> None:
    """With an ellipsis in its place."""
    found = _changed("Spend", title="What all that we ask AWS for costs in a month")
    assert any("its title is cut off" in what for _, what in found.odd)
    assert "…" in found.html


def test_a_column_that_is_not_shown_does_not_sort() -> None:
    """Grafana knows no column of that name; the rows stay as they came."""
    found = _changed("Volumes", options={"sortBy": [{"displayName": "region", "desc": True}]})
    assert any("which it does not show" in what for title, what in found.odd if title == "Volumes")


def test_words_are_lost_where_grafana_merges_by_threshold() -> None:
    """The thresholds' own texts stand there, as in Grafana."""
    source = document()
    config = next(each for each in source["panels"][-1]["panels"] if each["title"] == "Roles")["fieldConfig"]
    assert config["defaults"]["color"]["mode"] != "thresholds"
    config["defaults"]["color"]["mode"] = "thresholds"
    config["defaults"]["thresholds"]["steps"] = [{"value": None, "color": "green"}, {"value": 1, "color": "red"}]
    found = page.draw(Desk(Canned(), model.board(source), lambda since: HOUR))
    section = _sections(ET.fromstring(found.html.split("\n", 1)[1]))["Roles"]
    assert "primary" not in _said(section)
    assert "< 1" in _said(section)
    assert "1+" in _said(section)
    assert any(title == "Roles" and "words are lost" in what for title, what in found.odd)


def test_a_kind_that_is_not_known_is_refused() -> None:
    """A panel may not be left out in silence."""
    with pytest.raises(ValueError, match="heatmap"):
        _changed("Words", type="heatmap")


# ---- pictures ------------------------------------------------------------------------------------------------------
def _browser(folder: Path, script: str) -> Path:
    path = folder / "chromium"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_a_picture_is_taken_with_a_profile_of_its_own(tmp_path: Path) -> None:
    """Of the page, as large as asked for."""
    script = 'for word; do case $word in --screenshot=*) echo "$@" > "${word#*=}";; esac; done'
    picture = tmp_path / "x.png"
    pictures.take(_browser(tmp_path, script), tmp_path / "x.html", picture, 1440, 900)
    said = picture.read_text()
    assert "--window-size=1440,900" in said
    assert (tmp_path / "x.html").as_uri() in said
    profile = re.search(r"--user-data-dir=(\S+)", said)
    assert profile
    assert not Path(profile[1]).exists()


def test_a_browser_that_takes_no_picture_is_told_with_its_words(tmp_path: Path) -> None:
    """An old picture does not stand in for a new one."""
    picture = tmp_path / "x.png"
    picture.write_text("old")
    with pytest.raises(pictures.PictureError, match="no display"):
        pictures.take(_browser(tmp_path, "echo no display >&2; exit 1"), tmp_path / "x.html", picture, 10, 10)
    assert not picture.exists()


def test_a_picture_that_failed_is_taken_once_more(tmp_path: Path) -> None:
    """The second attempt counts."""
    script = (
        f"test -e {tmp_path}/tried || {{ touch {tmp_path}/tried; exit 1; }}\n"
        'for word; do case $word in --screenshot=*) echo done > "${word#*=}";; esac; done'
    )
    pictures.take(_browser(tmp_path, script), tmp_path / "x.html", tmp_path / "x.png", 10, 10)
    assert (tmp_path / "x.png").read_text() == "done\n"


def test_a_browser_is_found_on_the_path_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages come without pictures then."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert pictures.chromium() is None
    made = _browser(tmp_path, "exit 0")
    assert pictures.chromium() == made
