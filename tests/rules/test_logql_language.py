"""The evaluator of LogQL itself: what it reads, what it refuses, what comes out."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rules.logql import (
    Compare,
    Json,
    LabelFormat,
    LineFilter,
    LogQLError,
    Matcher,
    Query,
    Range,
    Regexp,
    SetOf,
    Sum,
    go_regexp,
    parse,
)
from tests.rules.logql_run import Labels, Line, evaluate, takes_streams_without_labels
from tests.rules.mutants_logql import fewer_alternatives

STREAM = {"app": "web", "cluster": "eu"}


def counted(text: str, *lines: Line) -> dict[Labels, float]:
    return evaluate(parse(text), lines)


def line(text: str, at: float = 0.0, **labels: str) -> Line:
    return Line(STREAM | labels, text, at)


def test_reads_every_part_of_a_query() -> None:
    """Each construct of the subset becomes the node it is, with its comment as the name of the number."""
    tree = parse(
        """
        sum by (cluster, node) (
          count_over_time(
            {app="web", job!~"a|b"} |= `x "y"` !~ "z" | regexp `(?P<id>\\d+)` | json a="b", c="d"
              | label_format node=`{{ or .x .y }}` | id!="1" [5m] offset 1h
          )
        ) >= 2.5  # lines_seen
        """
    )
    query = Query(
        (Matcher("app", "=", "web"), Matcher("job", "!~", "a|b")),
        (
            LineFilter("|=", 'x "y"'),
            LineFilter("!~", "z"),
            Regexp(r"(?P<id>\d+)"),
            Json((("a", "b"), ("c", "d"))),
            LabelFormat("node", ("x", "y")),
            Matcher("id", "!=", "1"),
        ),
    )
    span = Range("count_over_time", query, 300.0, 3600.0)
    assert tree == Compare(Sum(("cluster", "node"), span), ">=", 2.5, "lines_seen")


def test_comparisons_bind_first_then_and_and_unless_then_or() -> None:
    """`a > 1 or b unless c > 2` is `(a > 1) or (b unless (c > 2))`, as in Loki."""
    one = 'count_over_time({a="b"}[1m])'
    tree = parse(f"{one} > 1 or {one} unless on (x) {one} > 2")
    assert isinstance(tree, SetOf)
    assert tree.op == "or"
    assert isinstance(tree.left, Compare)
    assert isinstance(tree.right, SetOf)
    assert (tree.right.op, tree.right.on) == ("unless", ("x",))
    assert isinstance(tree.right.right, Compare)


@pytest.mark.parametrize(
    "text",
    [
        'rate({a="b"}[5m])',
        'sum(count_over_time({a="b"}[5m]))',
        'sum without (a) (count_over_time({a="b"}[5m]))',
        'max by (a) (count_over_time({a="b"}[5m]))',
        'count_over_time({a="b"} | logfmt [5m])',
        'count_over_time({a="b"} | json [5m])',
        'count_over_time({a="b"} | unwrap x [5m])',
        'count_over_time({a="b"} | regexp `\\d+` [5m])',
        'count_over_time({a="b"} | label_format a=`{{ .b | lower }}` [5m])',
        "count_over_time({}[5m])",
        'count_over_time({a="b"}[5m]',
        'count_over_time({a="b"}[5])',
        'count_over_time({a="b"} |= "a\\"b" [5m])',
        'count_over_time({a="b"}[5m]) > 1 1',
        'count_over_time({a="b"}[5m]) + 1',
        'count_over_time({a="b"} |~ `(?=x)` [5m])',
        'count_over_time({a="b"} |~ `(` [5m])',
        'count_over_time({a=~"(a)\\1"}[5m])',
        'count_over_time({a="b"}[5m]) > ยง',
        "",
    ],
)
def test_refuses_what_is_not_in_the_subset(text: str) -> None:
    """All else is an error, never a guess: a rule that uses more needs an evaluator that knows more."""
    with pytest.raises(LogQLError):
        parse(text)


@pytest.mark.parametrize("text", [r"(?=a)", r"(?<!a)", r"(a)\1", r"a*+", r"(?P=n)", r"[[:alpha:]]", r"\Z", "a(?i)b"])
def test_refuses_regular_expressions_that_go_does_not_have(text: str) -> None:
    """What Python takes and Go does not, or takes otherwise, is refused."""
    with pytest.raises(LogQLError):
        go_regexp(text)


def test_classes_are_of_ascii_as_in_go() -> None:
    r"""`\d` and `\w` know ASCII only."""
    assert go_regexp(r"\d").search("٣") is None
    assert go_regexp(r"\w").search("é") is None
    assert go_regexp(r"(?i)A").search("a")


def test_counts_lines_of_the_range_by_stream() -> None:
    """The range is open at its beginning and closed at its end; each stream is an element."""
    text = 'count_over_time({app="web"}[1m])'
    lines = [line("a", -60.0), line("b", -59.0), line("c"), line("d", 1.0), line("e", cluster="us")]
    eu, us = (("app", "web"), ("cluster", "eu")), (("app", "web"), ("cluster", "us"))
    assert counted(text, *lines) == {eu: 2.0, us: 1.0}
    assert counted(text.replace("[1m]", "[1m] offset 1m"), *lines) == {eu: 1.0}


def test_sums_by_labels_and_leaves_out_those_without_a_value() -> None:
    """A label that a line does not have is no label of the element."""
    lines = [line("id=1"), line("id=1", app="web", pod="x"), line("none")]
    found = counted('sum by (cluster, id) (count_over_time({app="web"} | regexp `id=(?P<id>\\d)` [1m]))', *lines)
    assert found == {(("cluster", "eu"), ("id", "1")): 2.0, (("cluster", "eu"),): 1.0}


@pytest.mark.parametrize(
    ("op", "text", "taken"),
    [("|=", "a.c", ["a.c"]), ("!=", "a.c", ["abc", "xyz"]), ("|~", "a.c", ["a.c", "abc"]), ("!~", "a.c", ["xyz"])],
)
def test_line_filters(op: str, text: str, taken: list[str]) -> None:
    """Plain filters search the text itself, the others a regular expression anywhere in the line."""
    for said in ("a.c", "abc", "xyz"):
        assert bool(counted(f'count_over_time({{app="web"}} {op} `{text}` [1m])', line(said))) == (said in taken)


def test_selectors_and_label_filters_are_anchored() -> None:
    """`=~` of a label must match the whole value, a label that is missing is empty."""
    assert not counted('count_over_time({app=~"we"}[1m])', line("x"))
    assert counted('count_over_time({app=~"we.", pod!~".+"}[1m])', line("x"))
    assert not counted('count_over_time({app="web"} | regexp `(?P<a>.+)` | a=~"x" [1m])', line("xy"))
    assert counted('count_over_time({app="web"} | b="" [1m])', line("xy"))


def test_json_takes_single_fields_and_keeps_labels_of_the_stream() -> None:
    """Fields come as text, missing ones empty; under a label of the stream the found one gets another name."""
    text = (
        'sum by (level, app, app_extracted, n) (count_over_time({app="web"} | json level="lvl", app="a", n="n" [1m]))'
    )
    said = line('{"lvl":"error","a":"db","n":3}')
    assert counted(text, said) == {(("app", "web"), ("app_extracted", "db"), ("level", "error"), ("n", "3")): 1.0}


def test_a_line_that_is_not_json_fails_the_query_unless_it_is_filtered() -> None:
    """Loki fails the whole metric query over a parser's error, so a rule must drop such lines."""
    text = 'count_over_time({app="web"} | json level="level" [1m])'
    for said in ("plain", "[1]", "{"):
        with pytest.raises(ValueError, match="JSONParserErr"):
            counted(text, line(said))
    assert not counted(text.replace("[1m]", '| __error__="" [1m]'), line("plain"))


def test_label_format_takes_the_first_that_is_there() -> None:
    """As Go's `or`: the first label with a value, else empty."""
    text = 'sum by (node) (count_over_time({app="web"} | label_format node=`{{ or .a .b }}` [1m]))'
    assert counted(text, line("x", b="2")) == {(("node", "2"),): 1.0}
    assert counted(text, line("x", a="1", b="2")) == {(("node", "1"),): 1.0}
    assert counted(text, line("x")) == {(): 1.0}


def test_absence_is_told_with_the_labels_of_equality() -> None:
    """One where nothing was written, with the labels that the selector asks for by `=`."""
    text = 'absent_over_time({app="web", cluster=~"e.+"}[1m])'
    assert counted(text) == {(("app", "web"),): 1.0}
    assert counted(text, line("x")) == {}


def test_sets() -> None:
    """`and` and `unless` by all labels or by those of `on`; `or` adds what is not there."""
    a = 'sum by (cluster, id) (count_over_time({app="web"} | regexp `a(?P<id>\\d)` |= `a` [1m]))'
    b = 'sum by (cluster, id) (count_over_time({app="web"} | regexp `b(?P<id>\\d)` |= `b` [1m]))'
    one, two = (("cluster", "eu"), ("id", "1")), (("cluster", "eu"), ("id", "2"))
    lines = [line("a1"), line("a2"), line("b1"), line("b1")]
    assert counted(f"{a} and {b}", *lines) == {one: 1.0}
    assert counted(f"{a} unless {b}", *lines) == {two: 1.0}
    assert counted(f"{a} unless on (cluster) {b}", *lines) == {}
    assert counted(f"{b} or {a}", *lines) == {one: 2.0, two: 1.0}


def test_a_selector_that_takes_streams_without_labels_is_known() -> None:
    """Loki refuses it, and with it every rule of the tenant."""
    assert takes_streams_without_labels((Matcher("namespace", "!~", "a|b"),))
    assert takes_streams_without_labels((Matcher("namespace", "=~", ".*"), Matcher("app", "=", "")))
    assert not takes_streams_without_labels((Matcher("namespace", "!~", "a|b"), Matcher("app", "=~", ".+")))


@pytest.mark.parametrize(
    ("pattern", "fewer"),
    [
        ("a|b|c", ["b|c", "a|c", "a|b"]),
        ("x(?:a|b)y", ["x(?:b)y", "x(?:a)y"]),
        (r"[|]\||b", ["b", r"[|]\|"]),
        ("x(a|b)|c", ["x(b)|c", "x(a)|c", "c", "x(a|b)"]),
        ("abc(?:d)?", []),
    ],
)
def test_alternatives_are_taken_away_one_by_one(pattern: str, fewer: list[str]) -> None:
    """At every depth, and never a bar that is escaped or in a class."""
    assert fewer_alternatives(pattern) == fewer


@given(st.lists(st.text("abxyz", min_size=1, max_size=3), min_size=2, max_size=5, unique=True))
def test_without_an_alternative_the_others_still_match(words: list[str]) -> None:
    """Whatever the alternatives are, each but the one that was taken away matches whole."""
    for gone, pattern in zip(words, fewer_alternatives("|".join(words)), strict=True):
        assert re.fullmatch(pattern, gone) is None
        assert all(re.fullmatch(pattern, word) for word in words if word != gone)
