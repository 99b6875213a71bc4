"""What is said of answers, on answers that are made up; and of a label that the rules call otherwise."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from exporter.demo import mission_worlds
from tests.dashboards import linting_queries
from tests.dashboards.absent import ABSENT
from tests.dashboards.checks import complaints, shipped
from tests.dashboards.evaluating import (
    MOST,
    Answer,
    broken_rows,
    changed,
    crowded,
    empty,
    namesakes,
    numberless,
    refused,
    unnamed,
)
from tests.dashboards.held import Held
from tests.dashboards.linting import Check
from tests.dashboards.madeup import madeup
from tests.dashboards.reading import Asked, filled
from tests.dashboards.renamed import boards_renamed
from tests.dashboards.truths import Seen, untrue
from tests.prometheus import Prometheus


def _asked(**given: Any) -> Asked:
    usual = {"uid": "u", "panel": "p", "ref": "A", "expr": "x", "how": "range", "legend": "{{a}}", "kind": "timeseries"}
    return Asked(**{**usual, **given})


def _answer(*series: dict[str, str] | tuple[dict[str, str], float], refused: str = "", **given: Any) -> Answer:
    found = [each if isinstance(each, tuple) else (each, 1.0) for each in series]
    return Answer(_asked(**given), {}, [(labels, [(0.0, value)]) for labels, value in found], refused)


WELL = [_answer({"a": "1"}, {"a": "2"}), _answer({"b": "3"}, ref="B", legend="{{b}} in 4 h")]
EACH = (refused, unnamed, namesakes, crowded, numberless)


@pytest.mark.parametrize("check", EACH, ids=lambda check: check.__name__)
def test_answers_that_are_well(check: Any) -> None:
    """Nothing is said of them."""
    assert list(check(WELL)) == []
    assert empty(WELL) == set()


@pytest.mark.parametrize(
    ("check", "answers", "words"),
    [
        (refused, [_answer(refused="many-to-many")], "many-to-many"),
        (unnamed, [_answer({"a": "1"}, {"c": "2"})], "['a']"),
        (unnamed, [_answer({"a": ""})], "['a']"),
        (namesakes, [_answer({"a": "1", "b": "1"}, {"a": "1", "b": "2"})], "['1']"),
        (namesakes, [_answer({"a": "1"}), _answer({"a": "1"}, ref="B")], "['1']"),
        (namesakes, [_answer({"a": "1"}, {"a": "2"}, legend="reads")], "['reads']"),
        (crowded, [_answer(*({"a": str(number)} for number in range(MOST + 1)))], "201 series"),
        (
            crowded,
            [_answer(*({"a": f"{ref}{number}"} for number in range(MOST // 2 + 1)), ref=ref) for ref in "AB"],
            "202 series",
        ),
        (numberless, [_answer(({"a": "1"}, math.nan))], "nan"),
        (numberless, [_answer(({"a": "1"}, math.inf))], "inf"),
    ],
)
def test_what_is_wrong_with_answers(check: Any, answers: Sequence[Answer], words: str) -> None:
    """Each fault is told in these words."""
    assert [each for each in check(answers) if words in each], list(check(answers))


def test_what_may_be() -> None:
    """Rows of a table have no names and are counted once; a legend may name one thing or another."""
    rows = [_answer(*({"a": "x", "b": str(number)} for number in range(150)), ref=ref, kind="table") for ref in "AB"]
    assert list(namesakes(rows)) == list(crowded(rows)) == []
    assert list(unnamed([_answer({"a": "1"}, {"b": "2"}, legend="{{a}}{{b}}")])) == []


def test_nothing_for_any_value_is_nothing() -> None:
    """A query is empty where it is so for each value that was chosen; one that is refused is not called empty."""
    assert empty([_answer(), _answer({"a": "1"}), _answer(ref="B"), _answer(ref="C", refused="no")]) == {
        ("u", "p", "B")
    }


def test_a_row_leads_somewhere() -> None:
    """By one of its links at least; and where it names the dashboard itself, to one that is there."""
    documents = madeup().documents
    uid = documents[0]["uid"]
    well = {"volume_id": "vol-1", "cluster": "c", "account_id": "1", "region": "r"}
    assert list(broken_rows(documents, [_answer(well, uid=uid, panel="Volumes")])) == []
    assert list(broken_rows(documents, [_answer({**well, "volume_id": ""}, uid=uid, panel="Volumes")]))
    document = copy.deepcopy(documents[0])
    panel = next(each for each in document["panels"] if each["title"] == "Alerts")
    by_row = "/d/storage-exporter-${__data.fields.page}?${__url_time_range}&${__data.fields.ask:raw}"
    for override in panel["fieldConfig"]["overrides"]:
        for each in override["properties"]:
            if each["id"] == "links":
                each["value"] = [{"url": by_row}]
    changed_ = [document, documents[1]]

    def told(page: str, ask: str) -> list[str]:
        return list(broken_rows(changed_, [_answer({"page": page, "ask": ask}, uid=uid, panel="Alerts")]))

    assert told("detail", "") == told("detail", "var-volume_id=vol-1") == []
    assert told("efs", "")
    assert told("detail", "var-bucket=b")


def test_a_second_replica_that_doubles_is_seen() -> None:
    """Other values, more series, less, or a refusal; but not on panels that show replicas."""
    one, two = _answer(({"a": "1"}, 1.0)), _answer(({"a": "1"}, 2.0))
    more, none, no = _answer({"a": "1"}, {"a": "2"}), _answer(), _answer(refused="many-to-many")
    assert list(changed([one], [one], ())) == []
    for other in (two, more, none, no):
        assert list(changed([one], [other], ()))
        assert list(changed([one], [other], {("u", "p")})) == []


def test_truths_that_are_not() -> None:
    """A panel that shows another number, several, or none, is told; each truth, where nothing at all is shown."""
    world = mission_worlds(1, lambda: 1_790_000_040.0)[0]
    held = Held(Prometheus(""), world, 1_790_000_040.0, [], [], [])
    assert len(list(untrue(held, Seen([])))) >= 14

    def shown(*values: float) -> Iterator[str]:
        series = [({"a": str(number)}, value) for number, value in enumerate(values)]
        return untrue(held, Seen([_answer(*series, uid="storage-exporter-ebs-fleet", panel="How many")]))

    number = float(len({each.volume_id for each in world.volumes()}))
    assert not any(each.startswith("ebs_count:") for each in shown(number))
    for values in ((number + 1,), (number, number)):
        assert any(each.startswith("ebs_count:") for each in shown(*values))


def test_variables_are_filled() -> None:
    """Grafana's own with spans, others with their value or all; groups of a regular expression stay."""
    text = 'label_replace(rate(x{a="$a",b=~"${b:regex}",c=~"$c"}[$__rate_interval]), "d", "$1", "a", "(.*)")[$__range]'
    wanted = 'label_replace(rate(x{a="1",b=~".*",c=~""}[5m]), "d", "$1", "a", "(.*)")[60s]'
    assert filled(text, {"a": "1", "c": ""}, 60) == wanted


@pytest.mark.parametrize("check", [linting_queries.labels, linting_queries.tables], ids=lambda check: check.__name__)
def test_a_renamed_label_is_seen_without_a_server(check: Check) -> None:
    """Recordings with another label for the replication group: selectors, legends and tables are told."""
    assert list(complaints(check, shipped())) == []
    found = list(complaints(check, boards_renamed("replication_group_id", "group_id")))
    assert any(each.startswith("valkey /") and "replication_group_id" in each for each in found)


@pytest.mark.parametrize("label", ["file_system_id", "volume_id", "bucket", "serverless_cache", "cache_cluster_id"])
def test_other_labels_too(label: str) -> None:
    """Whatever names a resource."""
    assert any(label in each for each in complaints(linting_queries.labels, boards_renamed(label, f"{label}s")))


def test_every_absence_has_its_condition() -> None:
    """In words, and in a delivery that there is."""
    for key, (why, there) in ABSENT.items():
        assert len(why) >= 20, key
        assert there in {"", "push"}, key
