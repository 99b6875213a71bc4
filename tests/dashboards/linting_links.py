"""The dashboards' lint of where one gets: every link leads to what exists, and sets what is there."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from rules.build.model import RUNBOOKS
from tests.dashboards import reading
from tests.dashboards.labels import parse
from tests.dashboards.linting import PREFIX, Boards, Check, Fault
from tests.rules.expressions import kind, walk
from tests.tools import ROOT

_OURS = re.compile(r"/d/([\w-]+)(?:\?(.*))?", re.DOTALL)
_SET = re.compile(r"(?:^|[&{}])var-(\w+)=")
_KEPT = re.compile(r"\$\{(\w+):queryparam\}")
_FIELD = re.compile(r"\$\{__data\.fields\.(\w+)(?::\w+)?\}")
_PLAIN = re.compile(r"\$\{(?!__data\.fields\.\w+(?::raw)?\}|__url_time_range\}|\w+:queryparam\}|__value\.\w+\})[^}]*\}")
BY_ROW = re.compile(r"/d/" + PREFIX + r"\$\{__data\.fields\.(\w+)\}\?.*\$\{__data\.fields\.(\w+):raw\}")
_MARKDOWN = re.compile(r"\]\(([^)\s]+)\)")
_CONSOLE = re.compile(r"https://[^/]*(\$\{__data\.fields\.region\}\.console|s3\.console)\.aws\.amazon\.com/")


def where_to(panel: reading.Document) -> Iterator[tuple[str, bool]]:
    """The addresses to which a panel leads; and whether it is from a row of a table, whose labels are known then."""
    yield from ((link["url"], False) for link in panel.get("links") or [])
    for link in panel.get("fieldConfig", {}).get("defaults", {}).get("links") or []:
        yield link["url"], True
    for override in panel.get("fieldConfig", {}).get("overrides", []):
        for each in override["properties"]:
            if each["id"] == "links":
                yield from ((link["url"], True) for link in each["value"])
    if panel["type"] == "text":
        yield from ((url, False) for url in _MARKDOWN.findall(panel["options"]["content"]))


def links(boards: Boards) -> Iterator[Fault]:
    """Links of dashboards, panels, cells and texts."""
    there = {document["uid"]: document for document in boards.documents}
    for document in boards.documents:
        uid = document["uid"]
        for link in document["links"]:
            if link["type"] == "link":
                yield from (Fault(uid, link["title"], each) for each in _faults(boards, document, link["url"], None))
            elif not any(set(link["tags"]) <= set(other["tags"]) for other in there.values()):
                yield Fault(uid, link["title"], f"no dashboard has the tags {link['tags']}")
        for panel in reading.panels(document):
            labels = set(reading.keys(panel)) if panel["type"] == "table" else set()
            for url, row in where_to(panel):
                for each in _faults(boards, document, url, labels if row else None):
                    yield Fault(uid, panel["title"], each)


def _faults(boards: Boards, source: reading.Document, url: str, labels: set[str] | None) -> Iterator[str]:
    """What is wrong with an address; *labels* are those of the row, None outside of rows."""
    for label in _FIELD.findall(url):
        if labels is None or label not in labels:
            yield f"{url} needs the {label} of a row, which has {sorted(labels or ())}"
    if odd := _PLAIN.findall(url):
        yield f"{url}: {odd} is not known to Grafana here"
    if found := _OURS.fullmatch(url):
        yield from _inside(boards, source, url, found[1], found[2] or "")
    elif url.startswith(RUNBOOKS):
        anchor = url.removeprefix(RUNBOOKS)
        if anchor not in {"", "#${__data.fields.alertname}"} and anchor.removeprefix("#") not in _anchors():
            yield f"{url}: the runbooks have no {anchor}"
    elif not (BY_ROW.fullmatch(url) or _CONSOLE.match(url)):
        yield f"{url} leads neither to a dashboard, nor to a runbook, nor to AWS"


def _inside(boards: Boards, source: reading.Document, url: str, uid: str, words: str) -> Iterator[str]:
    """What is wrong with an address of a dashboard."""
    target = next((each for each in boards.documents if each["uid"] == uid), None)
    if target is None:
        yield f"{url} leads to {uid}, which there is not"
        return
    kept = _KEPT.findall(words)
    yield from (f"{url} keeps {name}, which {source['uid']} has not" for name in kept if not _has(source, name))
    for name in (*_SET.findall(words), *kept):
        if not _has(target, name):
            yield f"{url} sets {name}, which {uid} has not"
    if "${__url_time_range}" not in words:
        yield f"{url} loses the time range"


def _has(document: reading.Document, variable: str) -> bool:
    return variable in reading.names(document)


def by_row(boards: Boards) -> Iterator[Fault]:
    """Where a row says itself to which dashboard it leads, its expression writes only such as there are."""
    there = {document["uid"]: document for document in boards.documents}
    for uid, panel in boards.panels():
        for url, _ in where_to(panel):
            if not (found := BY_ROW.fullmatch(url)):
                continue
            for expr in (target["expr"] for target in panel["targets"]):
                written = _written(expr)
                for page in written[found[1]]:
                    if f"{PREFIX}{page}" not in there:
                        yield Fault(uid, panel["title"], f"a row leads to {page}, which there is not")
                known = {name for document in there.values() for name in reading.names(document)}
                for name in {each for text in written[found[2]] for each in _SET.findall(text)} - known:
                    yield Fault(uid, panel["title"], f"a row sets {name}, which no dashboard has")
                if not written[found[1]]:
                    yield Fault(uid, panel["title"], f"no row has {found[1]}")


def _written(expr: str) -> defaultdict[str, set[str]]:
    """The texts that an expression gives to labels."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for node, _ in walk(parse(reading.for_tree(expr))):
        if kind(node) == "Call" and node.func.name == "label_replace":
            found[node.args[1].val].add(node.args[2].val)
    return found


def _anchors() -> set[str]:
    text = (ROOT / "rules" / "README.md").read_text(encoding="utf-8")
    return {
        re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-") for heading in re.findall(r"(?m)^#+ (.*)$", text)
    }


def pages_lead_here(boards: Boards) -> Iterator[Fault]:
    """What the alerts' pages lead to exists, with the variables that they set."""
    there = {document["uid"]: set(reading.names(document)) for document in boards.documents}
    for rule in (*boards.rules, *boards.log_rules):
        url = (rule.get("annotations") or {}).get("dashboard_url")
        if url is None:
            continue
        found = re.match(r"/d/([\w-]+)", url)
        uid = found[1] if found else url
        if uid not in there:
            yield Fault(uid, rule["alert"], f"it leads to {url}, which there is not")
            continue
        for name in set(re.findall(r"var-(\w+)=", url)) - there[uid]:
            yield Fault(uid, rule["alert"], f"its page sets {name}, which is no variable there")


def ways(boards: Boards) -> Iterator[Fault]:
    """From the overview every dashboard is reached by a link of a row or a panel, in three clicks or fewer."""
    start = f"{PREFIX}overview"
    leads = {document["uid"]: _neighbours(document) for document in boards.documents}
    near = {start}
    for _ in range(3):
        near |= {uid for each in near for uid in leads.get(each, set())}
    yield from (Fault(uid, "", f"{start} does not lead here in three clicks") for uid in leads.keys() - near)


def _neighbours(document: reading.Document) -> set[str]:
    urls = [url for panel in reading.panels(document) for url, _ in where_to(panel)]
    found = [_OURS.fullmatch(url) for url in urls]
    return {each[1] for each in found if each}


def of_row(panel: dict[str, Any]) -> bool:
    """Whether a table's rows are resources or alerts that have somewhere to lead to."""
    return panel["type"] == "table" and any(row for _, row in where_to(panel))


def rows_lead_on(boards: Boards) -> Iterator[Fault]:
    """Every table's rows lead somewhere: to the detail, the runbook or AWS's console; but where this is the detail."""
    for document in boards.documents:
        if any(each["type"] == "query" and not each["multi"] for each in reading.variables(document)):
            continue
        for panel in reading.panels(document):
            if panel["type"] == "table" and not of_row(panel):
                yield Fault(document["uid"], panel["title"], "its rows lead nowhere")


LINKS: tuple[Check, ...] = (links, by_row, pages_lead_here, ways, rows_lead_on)
