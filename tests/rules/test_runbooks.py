"""Each alert has its runbook, where its page leads to; and what a runbook tells to ask can be asked."""

from __future__ import annotations

import re
from itertools import pairwise

import promql_parser
import pytest

from rules.build import first
from tests.rules.expressions import selectors
from tests.rules.linting import CLIENTS
from tests.rules.pieces import ROOT, Rule, load, mimir_files

_PARTS = ("Means.", "How bad.", "False alarms.", "Look.", "Do now.", "Do for good.")
_FILES = (*mimir_files(), *sorted((ROOT / "loki").glob("*.yaml")))
_RULES = [rule for file in _FILES for group in load(file)["groups"] for rule in group["rules"]]
_ALERTS = {rule["alert"]: rule for rule in _RULES if "alert" in rule}
_RECORDINGS = {rule["record"] for rule in _RULES if "record" in rule}
_TEXT = (ROOT / "README.md").read_text()
_ANCHOR = re.compile(r'(?m)^<a name="([^"]*)"></a>$')
_BOOKS = {
    part.partition("\n")[0].strip(): part.partition("\n")[2].partition("\n## ")[0]
    for part in _ANCHOR.sub("", _TEXT).split("\n### ")[1:]
}
_ALWAYS = frozenset({"ALERTS", "up", "prometheus_notifications_dropped_total"})
_OTHERS = (*CLIENTS, r"container_\w+", r"tempo\w+", r"storage_operation_\w+", r"csi_\w+", r"node_\w+")


def _anchor(heading: str) -> str:
    return re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-")


def test_every_alert_has_one_runbook_and_every_runbook_an_alert() -> None:
    """Headings are the alerts' names, each once."""
    headings = re.findall(r"(?m)^### (.*)$", _TEXT)
    assert sorted(headings) == sorted(_ALERTS)


def test_every_alert_has_its_own_anchor() -> None:
    """
    GitHub's anchors of headings are in lower case, and a dashboard cannot lower the name in a row's link: so each
    heading has an anchor with the alert's own name on the line before it, and nothing else has one.
    """
    assert sorted(_ANCHOR.findall(_TEXT)) == sorted(_ALERTS)
    lines = _TEXT.split("\n")
    for before, line in pairwise(lines):
        name = line.removeprefix("### ") if line.startswith("### ") else ""
        assert (before == f'<a name="{name}"></a>') == bool(name), line
    assert "<a " not in _ANCHOR.sub("", _TEXT)


@pytest.mark.parametrize("name", sorted(_ALERTS))
def test_a_page_leads_to_its_runbook(name: str) -> None:
    """The address ends in the anchor that the heading has; the six parts are there, in order, each with words."""
    rule: Rule = _ALERTS[name]
    address, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    assert address.endswith("/rules/README.md")
    assert anchor == _anchor(name)
    places = [_BOOKS[name].find(f"**{part}**") for part in _PARTS]
    assert -1 not in places
    assert places == sorted(places)
    texts = [_BOOKS[name][start:end] for start, end in zip(places, [*places[1:], None], strict=True)]
    assert all(len(text.split()) >= 3 for text in texts)


@pytest.mark.parametrize("name", sorted(_ALERTS))
def test_a_runbook_tells_at_least_three_things_to_look_at(name: str) -> None:
    """Queries and commands in blocks of code."""
    look = _BOOKS[name].partition("**Look.**")[2].partition("**Do now.**")[0]
    blocks = re.findall(r"```\w+\n(.*?)```", look, re.DOTALL)
    entries = [entry for block in blocks for entry in block.strip().splitlines() if not entry.startswith(" ")]
    assert len(entries) >= 3, blocks


def _queries() -> list[tuple[str, str]]:
    found = []
    for name, book in _BOOKS.items():
        for block in re.findall(r"```promql\n(.*?)```", book, re.DOTALL):
            # One query a line, or one over several lines.
            try:
                promql_parser.parse(block)
                found.append((name, block))
            except ValueError:
                found += [(name, line) for line in block.strip().splitlines()]
    return found


@pytest.mark.parametrize(("name", "query"), _queries(), ids=lambda value: value if value in _BOOKS else "")
def test_a_query_reads_what_there_is(name: str, query: str) -> None:
    """Each PromQL query parses, and reads recordings and metrics that exist."""
    for node, _ in selectors(query):
        read = node.name or next((m.value for m in node.matchers.matchers if m.name == "__name__"), "")
        known = read in first.families() or read in _RECORDINGS or read in _ALWAYS
        if not node.name:
            known = "objstore" in read or any(re.fullmatch(read, family) for family in first.families())
        assert known or any(re.fullmatch(other, read) for other in _OTHERS), f"{name}: {read}"


def test_links_of_the_page_lead_somewhere() -> None:
    """Anchors are headings, files are there."""
    headings = {_anchor(heading) for heading in re.findall(r"(?m)^#+ (.*)$", _TEXT)}
    for target in re.findall(r"\]\(([^)\s]+)\)", _TEXT):
        if target.startswith("#"):
            assert target[1:] in headings, target
        elif "://" not in target:
            assert (ROOT / target.partition("#")[0]).exists(), target
