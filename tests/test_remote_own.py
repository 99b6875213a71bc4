"""The exporter's metrics about itself as data and as bodies."""

from __future__ import annotations

import math

from prometheus_client.parser import text_string_to_metric_families

from exporter.families import SELF_FAMILIES
from exporter.model import Scope
from exporter.naming import labels_of
from exporter.own_metrics import OwnFamily, families_of
from exporter.remote.endings import LOOK_BACK, Piece
from exporter.remote.own import Own, metas
from exporter.remote.wire import STALE, Encoder
from exporter.remote_telemetry import RemoteTelemetry
from exporter.telemetry import Telemetry
from tests.write_request import bits, samples_of

AT = 1_700_000_040
HERE = Scope("111111111111", "eu-west-1")
Labels = frozenset[tuple[str, str]]


def own(replica: str = "pod-0") -> Own:
    return Own(Encoder({"env": "e"}), lambda labels: labels_of(labels).get("account_id", ""), replica)


def gauge(name: str, *samples: tuple[dict[str, str], float]) -> OwnFamily:
    return OwnFamily(name, "gauge", "", "", samples)


def pieces(writer: Own, families: list[OwnFamily], at: int, skip: set[str] | None = None) -> list[Piece]:
    return [piece for piece in writer.write(families, at, skip or set()) if piece is not None]


def written(found: list[Piece], at: int) -> dict[Labels, int]:
    series: dict[Labels, int] = {}
    for piece in found:
        for labels, samples in samples_of(piece.body.data).items():
            assert labels not in series
            ((stamp, value),) = samples
            assert stamp == 1000 * at
            series[labels] = bits(value)
    return series


def telemetry() -> Telemetry:
    made = Telemetry("1.2.3", cluster="production")
    made.request(HERE, "ebs", "DescribeVolumes")
    made.error(HERE, "ebs", "DescribeVolumes", 'a"b\\c\nd')
    made.identity(HERE, "arn:aws:iam::111111111111:role/reader", "pod-identity")
    made.newest_datapoint(HERE, "ebs", 1234.5)
    RemoteTelemetry(made, 2**20).waiting(0, 0, oldest=None, since=None, now=1234.5)
    return made


def test_the_data_are_what_the_page_shows() -> None:
    """Every series of the page under its name, with its labels and value, and none beside it (no _created)."""
    made = telemetry()
    shown = {
        (sample.name, frozenset(sample.labels.items()))
        for metric in text_string_to_metric_families(made.render(openmetrics=False).decode())
        for sample in metric.samples
    }
    families = made.own_families()
    data = {(each.name, frozenset(labels.items())): value for each in families for labels, value in each.samples}
    assert set(data) == shown
    assert len(families) == len({each.name for each in families})
    place = {"cluster": "production", "account_id": HERE.account_id, "region": HERE.region, "aws_service": "ebs"}
    assert data["storage_exporter_newest_datapoint_timestamp_seconds", frozenset(place.items())] == 1234.5
    assert all(("cluster", "production") in labels for _, labels in data)


def test_the_data_say_what_the_table_says() -> None:
    """Name, type, help and unit of each family are those of its row; counters have _total, infos _info."""
    rows = {row.name: row for row in SELF_FAMILIES}
    ours = [each for each in telemetry().own_families() if each.name in rows]
    assert {each.type for each in ours} == {"gauge", "counter", "info"}
    for each in ours:
        row = rows[each.name]
        assert (each.type, each.help, each.unit) == (row.type, row.help, row.unit)


class Odd:
    """A metric of a kind that we have none of."""

    type = "histogram"
    documentation = "odd"
    unit = ""

    class _Sample:
        labels: dict[str, str] = {}  # noqa: RUF012
        value = 1.0

        def __init__(self, name: str) -> None:
            self.name = name

    def __init__(self) -> None:
        self.samples = [self._Sample("x_bucket"), self._Sample("x_count"), self._Sample("x_bucket")]


def test_a_metric_with_several_names_is_several_families() -> None:
    """What is none of our types is of no known type, and no series is lost."""
    assert families_of([Odd()]) == [
        OwnFamily("x_bucket", "unknown", "odd", "", [({}, 1.0), ({}, 1.0)]),
        OwnFamily("x_count", "unknown", "odd", "", [({}, 1.0)]),
    ]


def test_each_replica_writes_its_own() -> None:
    """The label replica is on every series, and all that telemetry knows is there."""
    families = telemetry().own_families()
    found = pieces(own("pod-1"), families, AT)
    series = written(found, AT)
    assert series == {
        frozenset({"__name__": each.name, "env": "e", "replica": "pod-1", **labels}.items() - {("x", "")}): bits(value)
        for each in families
        for labels, value in ((dict(item for item in pair[0].items() if item[1]), pair[1]) for pair in each.samples)
    }
    assert {piece.tenant for piece in found} == {"", HERE.account_id}


def test_own_series_end_once() -> None:
    """A series that telemetry has no more gets a marker until it is taken; one that is NaN is not there."""
    writer = own()
    a, b = {"job_name": "a"}, {"job_name": "b"}
    pieces(writer, [gauge("x", (a, 1.0), (b, 2.0)), gauge("y", ({}, 3.0)), gauge("z", ({}, math.nan))], AT)
    rest = [gauge("x", (a, 1.0))]
    ended = {frozenset({"__name__": "x", "env": "e", "replica": "pod-0", **b}.items()): bits(STALE)}
    ended |= {frozenset({"__name__": "y", "env": "e", "replica": "pod-0"}.items()): bits(STALE)}
    alive = {frozenset({"__name__": "x", "env": "e", "replica": "pod-0", **a}.items()): bits(1.0)}
    assert written(pieces(writer, rest, AT + 60), AT + 60) == alive | ended
    again = pieces(writer, rest, AT + 120)
    assert written(again, AT + 120) == alive | ended
    for piece in again:
        writer.taken(piece)
    assert written(pieces(writer, rest, AT + 180), AT + 180) == alive


def test_own_series_that_come_back_go_on() -> None:
    """Neither a marker beside the value, nor one for what no query sees any more."""
    writer = own()
    pieces(writer, [gauge("x", ({}, 1.0)), gauge("y", ({}, 1.0))], AT)
    pieces(writer, [], AT + 60)
    back = written(pieces(writer, [gauge("x", ({}, 2.0))], AT + 120), AT + 120)
    assert sorted(back.values()) == sorted((bits(2.0), bits(STALE)))
    late = AT + LOOK_BACK + 1
    assert list(written(pieces(writer, [gauge("x", ({}, 2.0))], late), late).values()) == [bits(2.0)]


def test_nothing_goes_to_a_tenant_that_is_skipped() -> None:
    """Neither values nor markers; and all of it once it is skipped no more."""
    writer = own()
    scope = {"account_id": HERE.account_id}
    families = [gauge("x", ({}, 1.0), (scope, 2.0)), gauge("y", ({}, 1.0), (scope, 2.0))]
    assert {piece.tenant for piece in pieces(writer, families, AT, {""})} == {HERE.account_id}
    assert {piece.tenant for piece in pieces(writer, families[:1], AT + 60, {HERE.account_id})} == {""}
    found = pieces(writer, families[:1], AT + 120)
    assert sum(value == bits(STALE) for value in written(found, AT + 120).values()) == 2


def test_many_own_series_are_several_bodies() -> None:
    """No body of more than 2,000 series, others have their turn in between, and none is lost."""
    families = [gauge("x", *(({"n": str(n)}, float(n)) for n in range(4500)))]
    writer = own()
    made = list(writer.write(families, AT))
    found = [piece for piece in made if piece is not None]
    assert [piece.body.series for piece in found] == [2000, 2000, 500]
    assert len(written(found, AT)) == 4500
    assert len(made) - len(found) >= 4500 / 16 - 1
    markers = pieces(writer, [], AT + 60)
    assert [piece.body.series for piece in markers] == [2000, 2000, 500]
    assert set(written(markers, AT + 60).values()) == {bits(STALE)}


def test_metadata_name_the_series() -> None:
    """What is said of a family is said under the name that its series have."""
    said = metas(telemetry().own_families())
    assert {("storage_exporter_aws_requests_total", "counter"), ("storage_exporter_build_info", "info")} <= {
        (meta.name, meta.type) for meta in said
    }
