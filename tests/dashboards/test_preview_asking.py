"""How the preview asks a Prometheus, and what it makes of the answers: variables, legends, courses, log lines."""

from __future__ import annotations

import json
import math
import re
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.dashboards.every_kind import NOW, STEP, Canned, document
from tests.dashboards.preview import __main__ as command
from tests.dashboards.preview import (
    canvas,
    draw_bars,
    draw_series,
    draw_stat,
    draw_table,
    draw_text,
    draw_timeline,
    legend,
    model,
    page,
    samples,
)
from tests.dashboards.preview.asking import Answer, Desk, Line, Server, Window, legends, lettered, runs
from tests.dashboards.preview.markup import Markup, cut, tag, width_of
from tests.prometheus import Prometheus, RefusedError

HOUR = Window(NOW - 3600, NOW, STEP)

# ---- asking --------------------------------------------------------------------------------------------------------


def _desk(wanted: dict[str, str] | None = None) -> Desk:
    return Desk(Canned(), model.board(document()), lambda since: HOUR, wanted)


def test_variables_have_values() -> None:
    """Everything where that is allowed, else what an alert speaks of, else what was asked for."""
    desk = _desk()
    assert desk.chosen["cluster"].value == ".*"
    assert desk.chosen["volume_id"].value == "vol-0bbb"
    assert desk.chosen["loki_datasource"].text == "Loki"
    assert _desk({"volume_id": "vol-0ccc"}).chosen["volume_id"].value == "vol-0ccc"


def test_variables_are_filled_in() -> None:
    """In queries, in links with a row's labels, and what Grafana brings itself."""
    desk = _desk()
    assert desk.filled('x{a=~"$cluster",v="${volume_id}"}[$__rate_interval]') == 'x{a=~".*",v="vol-0bbb"}[240s]'
    assert desk.filled("$__range ${__range_s} $__interval $unknown") == "3600s 3600 60s $unknown"
    url = desk.filled(
        "/d/x?${__url_time_range}&${cluster:queryparam}&${volume_id:queryparam}&var-b=${__data.fields.b}", {"b": "B"}
    )
    assert url == f"/d/x?from={NOW - 3600:.0f}000&to={NOW:.0f}000&var-cluster=$__all&var-volume_id=vol-0bbb&var-b=B"


def test_a_panel_with_a_time_of_its_own_is_asked_for_it() -> None:
    """Its points, its marks in queries and its axis; the others keep the dashboard's."""
    source = document()
    panels = {each["title"]: each for each in source["panels"] if each["type"] != "row"}
    panels["Days"]["timeFrom"] = "24h"
    panels["Days"]["targets"][0]["expr"] = "objects[$__range]"
    canned = Canned()
    windows = {"now-1h": HOUR, "now-24h": Window(NOW - 86400, NOW, 600)}
    desk = Desk(canned, model.board(source), lambda since: windows[since])
    drawn = page.draw(desk)
    assert "objects[86400s]" in canned.asked
    assert "Last 24h" in drawn.html


def test_series_are_named_by_their_legend() -> None:
    """Labels filled in, a missing one empty; without a legend what differs, else the metric."""
    assert lettered("{{ a }} of {{b}}{{c}}", {"a": "1", "b": "2"}) == "1 of 2"
    target = model.Target("A", "x", "__auto", instant=True)
    lines = [Line({"__name__": "m", "id": "1", "k": "v"}, []), Line({"__name__": "m", "id": "2", "k": "v"}, [])]
    assert legends(target, lines) == ["1", "2"]
    assert legends(target, lines[:1]) == ["m"]
    assert legends(target, [Line({}, [])]) == ["x"]
    assert legends(model.Target("A", "x", "{{id}}", instant=True), lines) == ["1", "2"]


def test_instants_without_a_gap_are_one_mark() -> None:
    """A mark lasts as long as its series is there."""
    assert list(runs([60, 120, 180, 600], 60)) == [(60, 180), (600, 600)]
    assert list(runs([], 60)) == []


@contextmanager
def _served(answers: dict[str, Any]) -> Iterator[tuple[Server, list[tuple[str, dict[str, str]]]]]:
    """A server that speaks Prometheus's API, and what it was asked."""
    asked: list[tuple[str, dict[str, str]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urllib.parse.urlsplit(self.path)
            words = dict(urllib.parse.parse_qsl(parts.query))
            asked.append((parts.path, words))
            answer = answers.get(words.get("query", parts.path))
            found = answer(words) if callable(answer) else answer
            body = json.dumps({"data": found} if found is not None else {"error": "parse error"}).encode()
            self.send_response(200 if found is not None else 400)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield Server(Prometheus(f"http://127.0.0.1:{server.server_address[1]}")), asked
        finally:
            server.shutdown()
            thread.join()


def _matrix(words: dict[str, str]) -> dict[str, Any]:
    points = [[float(words["start"]), "1"], [float(words["end"]), "2"]]
    return {"resultType": "matrix", "result": [{"metric": {"id": "x"}, "values": points}]}


def test_a_long_span_is_asked_piece_by_piece() -> None:
    """No more points than Prometheus gives at once, none asked twice."""
    with _served({"q": _matrix}) as (server, asked):
        lines = server.span("q", 0, 25_000, 1)
        assert server.oldest("q", 0, 600) == 0
    pieces = [(words["start"], words["end"]) for _, words in asked[:3]]
    assert pieces == [("0", "9999"), ("10000", "19999"), ("20000", "25000")]
    assert len(lines) == 1
    assert [at for at, _ in lines[0].points] == [0, 9999, 10_000, 19_999, 20_000, 25_000]


def test_labels_values_are_those_of_what_is_there() -> None:
    """Sorted, without empty ones; an instant query is asked at its instant."""
    vector = {
        "resultType": "vector",
        "result": [{"metric": metric, "value": [5, "1"]} for metric in ({"id": "b"}, {"id": "A"}, {"id": "b"}, {})],
    }
    with _served({"m": vector}) as (server, asked):
        assert server.values("id", "m", 5) == ["A", "b"]
        assert [line.points for line in server.instant("m", 5)] == [[(5, 1)]] * 4
    assert asked[0] == ("/api/v1/query", {"query": "m", "time": "5"})


def test_a_query_that_is_refused_is_said_and_the_panel_drawn() -> None:
    """Prometheus's own words, under the letter of the query."""

    class Refusing(Canned):
        def instant(self, expr: str, at: float) -> list[Line]:
            if expr == "alerts":
                raise RefusedError("parse error")
            return super().instant(expr, at)

    board = model.board(document())
    drawn = page.draw(Desk(Refusing(), board, lambda since: HOUR))
    assert ("Alerts", "A: parse error") in drawn.odd


# ---- parts ---------------------------------------------------------------------------------------------------------


def _canvas(lines: list[Line], **source: Any) -> canvas.Canvas:
    panel = model.Panel(1, "x", "Title", "", (0, 0, 12, 8), [], [], source)
    return canvas.Canvas(panel, Answer({"A": lines}), 400, 200, HOUR)


def test_bands_end_where_the_state_changes_or_is_not_known() -> None:
    """Equal values are one band; a gap is one too."""
    points = [(0.0, 1.0), (60.0, 1.0), (120.0, 0.0), (300.0, 0.0), (360.0, 0.0)]
    assert draw_timeline.bands(points, 60) == [(0, 120, 1), (120, 180, 0), (300, 360, 0)]
    assert draw_timeline.bands([], 60) == []


def test_stacked_series_stand_on_each_other_and_limits_do_not() -> None:
    """Each begins where the one before ended."""
    stacking = {"custom.stacking": {"mode": "normal"}}
    made = [
        draw_series.Drawn(Line({}, []), model.Look(look), "", [(1.0, 2.0)])
        for look in (stacking, stacking, {}, stacking)
    ]
    found = draw_series.stacked(made)
    assert [each.points for each in found] == [[(1, 2)], [(1, 4)], [(1, 2)], [(1, 6)]]
    assert [each.floor for each in found] == [[(1, 0)], [(1, 2)], None, [(1, 4)]]


@pytest.mark.parametrize(
    ("properties", "values", "low", "high"),
    [
        ({"custom.axisSoftMin": 0}, [5.0, 10.0], 0, 10.8),
        ({"custom.axisSoftMin": 0, "custom.axisSoftMax": 20}, [5.0, 10.0], 0, 21.6),
        ({"min": 0, "max": 1}, [0.2, 0.3], 0, 1),
        ({}, [-1.0, 1.0], -1.16, 1.16),
        ({"custom.axisSoftMin": 0}, [0.0, 0.0], 0, 1),
        ({}, [10.0, 10.0], 9, 11),
        ({"custom.scaleDistribution": {"type": "log"}}, [0.0, 0.02, 50.0], 0.01, 100),
    ],
)
def test_an_axis_holds_its_values(properties: dict[str, Any], values: list[float], low: float, high: float) -> None:
    """From zero where the panel says so, ends of its own where it has them, room above."""
    made = draw_series.Drawn(
        Line({}, []), model.Look(properties), "", [(float(at), each) for at, each in enumerate(values)]
    )
    axis = draw_series.scale([made], 200)
    assert (axis.low, axis.high) == pytest.approx((low, high))
    assert all(0 <= axis.part(value) <= 1 for value in values)


def test_thresholds_that_are_not_seen_are_told() -> None:
    """A line that would say how far it is."""
    steps = {"steps": [{"value": None, "color": "green"}, {"value": 100, "color": "red"}]}
    config = {"defaults": {"thresholds": steps, "custom": {"thresholdsStyle": {"mode": "dashed"}}}}
    made = _canvas([Line({}, [(NOW - 60, 1.0), (NOW, 2.0)], "x", "A")], fieldConfig=config)
    draw_series.draw(made)
    assert any("outside the axis" in what for what in made.odd)


def test_values_that_are_not_finite_are_left_out_and_told() -> None:
    """A division by zero does not bend the axis."""
    made = _canvas([Line({}, [(NOW - 60, math.inf), (NOW - 30, 1.0), (NOW, math.nan)], "x", "A")])
    assert "nan" not in draw_series.draw(made)
    assert any("not finite" in what for what in made.odd)
    only = _canvas([Line({}, [(NOW, math.nan)], "x", "A")])
    assert "No data" in draw_series.draw(only)


def test_a_long_leap_of_the_scene_is_no_gap() -> None:
    """Days that a scene leaves out are drawn over, hours of silence within are not."""
    points = [(0.0, 1.0), (86400.0, 2.0)]
    assert len(draw_series.pieces(points, Window(0, 1, 300).gap)) == 2
    assert len(draw_series.pieces(points, Window(0, 1, 300, 90_000).gap)) == 1


def test_legends_calculate_and_sort() -> None:
    """Last, mean, maximum of what is finite."""
    line = Line({}, [(0, 4.0), (1, 1.0), (2, math.nan), (3, 1.0)])
    assert [legend.calculated(line, calc) for calc in ("lastNotNull", "mean", "max", "min", "sum")] == [1, 2, 4, 1, 6]
    assert legend.calculated(Line({}, []), "max") is None
    with pytest.raises(ValueError, match="variance"):
        legend.calculated(line, "variance")


def test_a_legend_beside_is_sorted_by_what_the_panel_says() -> None:
    """The highest last value first, or the lowest."""
    lines = [Line({}, [(NOW, value)], name, "A") for name, value in (("low", 1.0), ("high", 3.0), ("middle", 2.0))]
    for falling, names in ((True, ["high", "middle", "low"]), (False, ["low", "middle", "high"])):
        options = {"calcs": ["lastNotNull", "max"], "sortBy": "Last *", "sortDesc": falling}
        made = legend.table([(line, "red", model.Look({})) for line in lines], _canvas([]), options, 300, 200)
        assert re.findall(r'title="(\w+)"', made) == names


def test_the_last_value_is_the_last_that_is_there() -> None:
    """Not the first, and not one that is no number."""
    assert draw_stat.last(Line({}, [(0, 1.0), (1, 2.0), (2, math.nan)])) == 2
    assert draw_stat.last(Line({}, [(0, math.nan)])) is None


def test_a_step_holds_its_value_until_the_next() -> None:
    """Across first, then up or down."""
    assert draw_series.path([(0, 5), (10, 7)], steps=True) == "M0.0 5.0 H10.0 V7.0"
    assert draw_series.path([(0, 5), (10, 7)]) == "M0.0 5.0 L10.0 7.0"


def test_bars_are_as_long_as_their_values() -> None:
    """From the least to the most; names that are too long are cut off and told."""
    config = {"defaults": {"min": 10, "max": 110}}
    lines = [Line({}, [(NOW, value)], "n" * 99 if value == 60 else "x", "A") for value in (10.0, 60.0, 200.0)]
    made = _canvas(lines, fieldConfig=config)
    drawn = ET.fromstring(draw_bars.draw(made))
    widths = [float(each.get("width") or 0) for each in drawn.iter() if each.tag.endswith("rect")]
    full = widths[0]
    assert [wide / full for wide in widths[1::2]] == pytest.approx([0, 0.5, 1], abs=0.01)
    assert sum("…" in (each.text or "") for each in drawn.iter()) == 1
    assert any("is cut off" in what for what in made.odd)


def test_a_cell_that_is_a_bar_is_as_long_as_its_value() -> None:
    """Half of its room for a half."""
    config = {"defaults": {"custom": {"cellOptions": {"type": "gauge"}}, "max": 1}}
    steps = [{"id": "organize", "options": {"excludeByName": {"Time": True}}}]
    made = _canvas([Line({"id": "x"}, [(NOW, 0.5)], "", "A")], fieldConfig=config, transformations=steps)
    wide = re.search(r'<b style="width:(\d+)px"><i style="width:(\d+)px', draw_table.draw(made))
    assert wide
    assert int(wide[2]) == pytest.approx(int(wide[1]) / 2, abs=1)


def test_markdown_is_escaped_and_marked_up() -> None:
    """Headings, lists, bold, code, links; what is not ours stays text."""
    text = "# One\nwords **bold `x`** and\nmore <b>\n- a\n- b\n\n1. c [d](/e)"
    assert draw_text.markdown(text, lambda url: url + "!") == (
        "<h2>One</h2><p>words <b>bold <code>x</code></b> and more &lt;b&gt;</p>"
        '<ul><li>a</li><li>b</li></ul><ul><li>c <a href="/e!">d</a></li></ul>'
    )


def test_text_is_escaped_once() -> None:
    """Attributes and text; what is markup already stays."""
    assert tag("a", "<&>", Markup("<b/>"), href='"x"', stroke_width=1.25, class_=None) == (
        '<a href="&quot;x&quot;" stroke-width="1.2">&lt;&amp;&gt;<b/></a>'
    )
    assert cut("short", 100, 12) == "short"
    shortened = cut("a" * 50, 100, 12)
    assert shortened.endswith("…")
    assert width_of(shortened, 12) <= 100


def test_lines_of_the_rules_tests_are_shown_where_they_fit() -> None:
    """Selector and filters choose; a query beyond the rules' subset is chosen by its selector."""
    known = samples.samples()
    assert len(known) > 50
    fits = samples.chosen('{namespace="kube-system", container="ebs-plugin"} |= `Could not attach`', known)
    assert fits
    assert all("Could not attach" in line for line in fits)
    assert samples.chosen('{namespace="kube-system", container="ebs-plugin"} | logfmt | x > 3', known, most=3)
    assert samples.chosen('{namespace="nowhere"}', known) == []
    with pytest.raises(samples.LogQLError):
        samples.chosen("no selector", known)


def test_a_unit_that_the_preview_does_not_know_is_told() -> None:
    """And the number is shown with it."""
    made = _canvas([])
    assert canvas.number(made, model.Look({"unit": "parsec"}), 2.0) == "2 parsec"
    assert canvas.number(made, model.Look({"unit": "s"}), math.nan) == "–"
    assert canvas.number(made, model.Look({"unit": "dateTimeFromNow"}), (NOW - 600) * 1000) == "10 minutes ago"
    assert len(made.odd) == 2


# ---- the command ---------------------------------------------------------------------------------------------------


def test_ranges_are_read() -> None:
    """And what is none is refused."""
    assert [command.seconds(f"now-{each}") for each in ("30m", "6h", "90d")] == [1800, 21600, 7_776_000]
    with pytest.raises(ValueError, match="yesterday"):
        command.seconds("yesterday")


def test_what_is_shown_is_as_long_as_the_scene_can_tell() -> None:
    """Hours: the minutes that were lived through; days: what there is, with the leaps of the scene."""
    board = model.board(document())
    with _served({command.AGE: lambda words: _matrix({**words, "start": str(NOW - 15 * 86400)})}) as (server, _):
        hours = command.window(server, 6 * 3600, NOW)
        days = command.window(server, 90 * 86400, NOW)
    assert (NOW - hours.start, hours.step, hours.gap) == (3600, 60, 90)
    assert (NOW - days.start, days.step) == (15 * 86400, 300)
    assert days.gap > 86400
    assert command.words(board, hours) == "Last 1h"
    long = model.Board("u", "t", "", "now-90d", [], [], [])
    assert command.words(long, days) == "Last 15 days of its 90d"
    assert command.words(model.Board("u", "t", "", "now-6h", [], [], []), hours) == "Last 60 min of its 6h"


def test_the_command_writes_a_page_a_dashboard(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Those that are asked for, from a server, without pictures where none are wanted."""
    (tmp_path / "one.json").write_text(json.dumps(document()))
    (tmp_path / "two.json").write_text("not asked for")

    def matrix(words: dict[str, str]) -> dict[str, Any]:
        return {"resultType": "matrix", "result": []}

    class Always(dict[str, Any]):
        def get(self, key: str, default: Any = None) -> Any:
            return lambda words: matrix(words) if "start" in words else {"resultType": "vector", "result": []}

    with _served(Always()) as (server, _):
        url = server._prometheus.url
        words = ["--url", url, "--at", str(NOW), "--only", "one", "--no-pictures"]
        command.main([*words, "--dashboards", str(tmp_path), "--out", str(tmp_path / "out")])
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["one.html"]
    assert "Made up" in (tmp_path / "out" / "one.html").read_text()
    said = capsys.readouterr().out
    assert "20 panels" in said
    assert "storage-exporter-made-up: Stored: no data" in said
