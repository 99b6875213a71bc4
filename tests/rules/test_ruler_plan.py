"""What a ruler has beside what it should have: nothing is a difference that is only another way to say the same."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from exporter.demo.ruler_groups import RulerKind, read
from exporter.ruler.plan import as_json, lines, plan
from exporter.ruler.render import Target, groups_for, language_of
from exporter.ruler.shapes import Group, Language, Rule
from tests.rules.ruler_side import CREDITS, GROWTH, UNUSED, small

OURS = "storage-exporter"


def kept(groups: list[dict[str, Any]], kind: RulerKind, *, long_spans: bool = False) -> list[dict[str, Any]]:
    """*groups* as a ruler of this kind gives them back."""
    return [read(yaml.safe_dump(group).encode(), kind, lambda _: "").given(long_spans=long_spans) for group in groups]


def wanted(folder: Path, target: Target = "mimir") -> list[dict[str, Any]]:
    found = small(folder)
    return [group.data() for group in groups_for(target, found.groups(language_of(target)))]


@pytest.mark.parametrize("kind", ["mimir", "cortex", "loki"])
@pytest.mark.parametrize("long_spans", [False, True])
def test_what_a_ruler_gives_back_is_what_it_was_sent(tmp_path: Path, kind: RulerKind, long_spans: bool) -> None:
    """Keys in another order, durations in other words, empty fields left out, Loki's own losses: no difference."""
    target: Target = "loki" if kind == "loki" else "mimir"
    sent = wanted(tmp_path, target)
    made = plan(language_of(target), OURS, kept(sent, kind, long_spans=long_spans), sent)
    assert not made.differs, list(lines(made))


@pytest.mark.parametrize(
    "edit",
    [
        lambda group: group.pop("interval"),
        lambda group: group.update(interval="1m0s", limit=0, labels={}, source_tenants=None),
        lambda group: group.update(align_evaluation_time_on_interval=False),
        lambda group: group["rules"][0].update(
            {"for": "0s", "keep_firing_for": "0s", "labels": {}, "annotations": None}
        ),
        lambda group: group["rules"][1].update(expr="\n " + group["rules"][1]["expr"] + "\n"),
        lambda group: group["rules"][2].update({"for": "90m"}),
    ],
)
def test_defaults_and_spaces_are_no_difference(tmp_path: Path, edit: Callable[[Any], object]) -> None:
    """What rulers write out or leave out."""
    sent = wanted(tmp_path)
    there = copy.deepcopy(sent)
    edit(there[0])
    made = plan("mimir", OURS, there, sent)
    assert not made.differs, list(lines(made))


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda group: group.update(interval="2m"), "interval: 2m → (nothing)"),
        (lambda group: group.pop("query_offset"), "query_offset: (nothing) → 1s"),
        (lambda group: group.update(limit=3), "limit: 3 → (nothing)"),
        (lambda group: group["rules"].pop(1), "+ alert AwsEfsBurstCreditsDepleted"),
        (lambda group: group["rules"].append({"alert": "X", "expr": "1"}), "- alert X"),
        (lambda group: group["rules"].append(group["rules"][1]), "- alert AwsEfsBurstCreditsDepleted"),
        (lambda group: group["rules"].reverse(), "order: another → ours"),
        (lambda group: group["rules"][1].update({"for": "3m"}), "for: 3m → 2m"),
        (lambda group: group["rules"][1].pop("for"), "for: (nothing) → 2m"),
        (lambda group: group["rules"][1]["labels"].update(severity="info"), "labels.severity: info → critical"),
        (lambda group: group["rules"][1]["labels"].update(team="x"), "labels.team: x → (nothing)"),
        (lambda group: group["rules"][1]["annotations"].pop("summary"), "annotations.summary"),
        (lambda group: group["rules"][1].update(expr="x > 1"), "expr:"),
        (lambda group: group["rules"][1].pop("keep_firing_for"), "keep_firing_for: (nothing) → 15m"),
    ],
)
def test_everything_else_is_a_difference(tmp_path: Path, edit: Callable[[Any], object], told: str) -> None:
    """One group to change, and the plan says what of it."""
    sent = wanted(tmp_path)
    there = copy.deepcopy(sent)
    edit(there[0])
    made = plan("mimir", OURS, there, sent)
    assert [change.group for change in made.of("update")] == [CREDITS]
    assert [change.group for change in made.of("unchanged")] == [UNUSED, GROWTH]
    assert told in "\n".join(lines(made))


def test_loki_forgets_and_is_not_asked_again(tmp_path: Path) -> None:
    """A missing keep_firing_for is Loki's; another one is somebody's."""
    sent = wanted(tmp_path, "loki")
    there = copy.deepcopy(sent)
    del there[0]["rules"][0]["keep_firing_for"]
    assert not plan("loki", OURS, there, sent).differs
    assert plan("mimir", OURS, there, sent).differs
    there[0]["rules"][0]["keep_firing_for"] = "1h"
    assert plan("loki", OURS, there, sent).differs


def test_the_plan_reads_like_a_diff(tmp_path: Path) -> None:
    """Counts first, then groups by name with their sign, and what is other in them."""
    sent = wanted(tmp_path)
    there = copy.deepcopy(
        [sent[0], {"name": "storage-exporter.old.gone", "rules": [{"alert": "X", "expr": "1"}]}, sent[2]]
    )
    there[0]["rules"][1]["expr"] = there[0]["rules"][1]["expr"].replace("1e+10", "5")
    there[0]["rules"][2]["for"] = "5m"
    made = plan("mimir", OURS, there, sent)
    assert list(lines(made)) == [
        "mimir: namespace storage-exporter: 1 to create, 1 to change, 1 to delete, 1 unchanged",
        f"  ~ group {CREDITS}",
        "    ~ alert AwsEfsBurstCreditsDepleted",
        "        expr:",
        "          -filesystem:aws_efs_burst_credits:bytes <= 5  # balance",
        "          +filesystem:aws_efs_burst_credits:bytes <= 1e+10  # balance",
        "           and",
        "    ~ alert AwsEfsBurstCreditsLow",
        "        for: 5m → 1h30m",
        f"  + group {UNUSED} (1 rule)",
        "  - group storage-exporter.old.gone (1 rule)",
    ]
    found = as_json(made)
    assert (found["target"], found["differs"]) == ("mimir", True)
    assert [(group["name"], group["change"]) for group in found["groups"]] == [
        (CREDITS, "update"),
        (UNUSED, "create"),
        ("storage-exporter.old.gone", "delete"),
        (GROWTH, "unchanged"),
    ]
    assert found["groups"][0]["changed"][0] == {
        "kind": "alert",
        "name": "AwsEfsBurstCreditsDepleted",
        "change": "update",
        "fields": ["expr"],
    }


def test_nothing_to_do_is_one_line(tmp_path: Path) -> None:
    """A plan without differences does not list what is as it should be."""
    sent = wanted(tmp_path)
    assert list(lines(plan("mimir", OURS, sent, sent))) == [
        "mimir: namespace storage-exporter: nothing to do, 3 unchanged"
    ]


def test_groups_of_any_shape_can_be_there(tmp_path: Path) -> None:
    """Somebody else's idea of a group in our namespace is replaced or deleted, and never breaks the plan."""
    sent = wanted(tmp_path)
    odd: list[dict[str, Any]] = [
        {"name": CREDITS},
        {"name": "a", "rules": None},
        {"name": "b", "rules": [1, {}, {"alert": None}]},
        {"name": 3},
    ]
    made = plan("mimir", OURS, odd, sent)
    assert [change.group for change in made.of("delete")] == ["3", "a", "b"]
    assert [change.group for change in made.of("update")] == [CREDITS]
    assert as_json(made)["groups"]
    assert list(lines(made))


_names = st.text("ABCdef_", min_size=1, max_size=4).map(lambda text: "A" + text)
_texts = st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=12)
_spans = st.integers(1, 10**6).map(lambda seconds: f"{seconds}s") | st.sampled_from(["", "1h", "1h30m", "1d"])
_labels = st.dictionaries(_names, _texts, max_size=3)
_rules = st.builds(Rule, st.just("alert"), _names, _texts, _spans, _spans, _labels, _labels)
_several = st.lists(_rules, min_size=1, max_size=4).map(tuple)
_group = st.builds(Group, _names, st.sampled_from(["1m", "5m", "90s"]), _several)
_groups = st.lists(_group, max_size=4, unique_by=lambda group: group.name)


@given(_groups, st.sampled_from(["mimir", "cortex", "loki"]))
def test_any_groups_come_back_unchanged(groups: list[Group], kind: RulerKind) -> None:
    """Whatever is sent and kept by a ruler of any kind is not sent again."""
    language: Language = "loki" if kind == "loki" else "mimir"
    sent = [group.data() for group in groups]
    assert not plan(language, OURS, kept(sent, kind), sent).differs


@given(_groups, _groups)
def test_a_plan_that_is_done_leaves_nothing_to_do(there: list[Group], groups: list[Group]) -> None:
    """Creating, replacing and deleting by the plan gives exactly what is wanted, and touches nothing unchanged."""
    has = {group.name: group.data() for group in there}
    sent = {group.name: group.data() for group in groups}
    made = plan("mimir", OURS, list(has.values()), list(sent.values()))
    for change in made.of("create", "update"):
        assert (change.group in has) == (change.what == "update")
        has[change.group] = sent[change.group]
    for change in made.of("delete"):
        del has[change.group]
    assert not plan("mimir", OURS, list(has.values()), list(sent.values())).differs
    assert set(has) == set(sent)
