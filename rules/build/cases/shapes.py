"""
From one case to the tests that promtool runs: the alert fires at its minute and not one before, with these words;
stays quiet when the values are good; when they are missing; ends with the resource; survives another pod; and does not
need the newest datapoint (they arrive late where they are pushed).

Minutes are counted from the start of the test. A series is what `/metrics` shows or what is pushed; the labels a
ServiceMonitor's target puts on are added here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from rules.build import first
from rules.build.cases.notation import STALE, notation
from rules.build.model import RUNBOOKS

Values = Callable[[int], float | None]
"""The value at a minute; None where there is none."""

_TARGET = {"job": "storage-exporter", "service": "storage-exporter", "container": "exporter", "endpoint": "http"}
_RESTART = 3
"""Minutes before the alert at which the pod changes; it is gone for one of them."""


def flat(value: float | None) -> Values:
    """Always the same."""
    return lambda _: value


def step(at: int, before: float | None, after: float | None) -> Values:
    """One value, and from minute *at* on another."""
    return lambda minute: after if minute >= at else before


def ramp(at: int, value: float, slope: float, least: float = float("-inf"), most: float = float("inf")) -> Values:
    """*value* until minute *at*, then *slope* more each minute, between *least* and *most*."""
    return lambda minute: round(min(max(value + slope * max(minute - at, 0), least), most), 9)


def between(start: int, end: int, inside: float | None, outside: float | None) -> Values:
    """*inside* from minute *start* until before *end*."""
    return lambda minute: inside if start <= minute < end else outside


@dataclass(frozen=True, slots=True)
class S:
    """
    A series.

    Args:
        name: of the metric.

        labels: its own (not the target's).

        bad: values in the world that goes wrong (a number stands for always).

        good: values where nothing is wrong; what has none is there in both worlds. Choose it just inside the threshold
            and `bad` just outside, so that a threshold that moves is noticed.

        stays: it goes on when the resource is deleted.
    """

    name: str
    labels: Mapping[str, str]
    bad: Values | float = 1
    good: Values | float | None = None
    stays: bool = False

    @property
    def varies(self) -> bool:
        """Whether it tells the two worlds apart."""
        return self.good is not None

    @property
    def row(self) -> dict[str, Any] | None:
        """The exporter's family, None for somebody else's metric."""
        return first.families().get(self.name)


@dataclass(frozen=True, slots=True)
class Variant:
    """
    The case once more with other series.

    Args:
        fires: whether the alert is to fire at minute *at*.

        series: in place of those of the same name and labels' identity given in *drop*, or beside.

        drop: names of metrics that are left out.

        at: the minute; the case's own unless given.

        labels: of the alert, where they differ from the case's.

        whole: *series* are the whole world.

        description: what it says at minute *at*, where the words are looked at too.
    """

    fires: bool
    series: Sequence[S] = ()
    drop: Sequence[str] = ()
    at: int | None = None
    labels: Mapping[str, str] | None = None
    whole: bool = False
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """
    An alert and what it must do.

    Args:
        alert: its name.

        severity, component, source: as it must carry them.

        series: the world.

        fires_at: the minute at which it fires first in the bad world.

        labels: all others that it carries.

        summary, description, dashboard, console: the words at that minute.

        waits: minutes of its ``for``.

        keeps: minutes of its ``keep_firing_for``.

        missing: whether it fires where the series that vary are not there at all.

        restarts: whether the case is run with a change of the pod (not for alerts about the exporter's own pods).

        ends: whether it ends with the resource.

        variants: the same with other series, by what they show.

        step: minutes between two samples and evaluations; 60 for daily values.

        among: whether the case is run beside resources that are well: another of the same place, and one of the same
            name in another cluster, account and region; "clusters" for what has one name in its cluster, wherever in
            AWS it is.
    """

    alert: str
    severity: str
    component: str
    series: Sequence[S]
    fires_at: int
    labels: Mapping[str, str]
    summary: str
    description: str
    dashboard: str = ""
    console: str = ""
    source: str = "exporter"
    waits: int = 0
    keeps: int = 0
    missing: bool = False
    restarts: bool = True
    ends: bool = True
    variants: Mapping[str, Variant] = field(default_factory=dict)
    step: int = 1
    among: bool | Literal["clusters"] = True

    def all_labels(self) -> dict[str, str]:
        """What the alert carries, without its name."""
        own = {"severity": self.severity, "component": self.component, "project": "storage-exporter"}
        return {**own, "source": self.source, **self.labels}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """
    What an expression (a recording) must say at a minute.

    Args:
        name: what it shows.

        samples: labels in PromQL's notation, such as ``x{a="b"}``, to value.
    """

    name: str
    series: Sequence[S]
    expr: str
    at: int
    samples: Mapping[str, float]
    step: int = 1


def tests_of(case: Case) -> list[dict[str, Any]]:
    """The tests of a case, as promtool's file has them."""
    end = case.fires_at + case.keeps + 4 * case.step
    bad, good = (list(_as(case.series, world)) for world in ("bad", "good"))
    absent = [each for each in bad if not each.varies]
    before = case.fires_at - case.step
    fires = {
        **_test(case, "fires", _target(bad, "exporter-a"), end),
        "alert_rule_test": [
            *([{"eval_time": _at(before), "alertname": case.alert}] if before >= 0 else []),
            {"eval_time": _at(case.fires_at), "alertname": case.alert, "exp_alerts": [_expected(case)]},
        ],
    }
    tests = [
        fires,
        *([_watched(case, "stays quiet", _target(good, "exporter-a"), end, {end: False})] if absent != bad else []),
        _watched(case, "has no data", _target(absent, "exporter-a"), end, {case.fires_at: case.missing}),
        _watched(case, "its datapoints come late", _late(case, bad), end, {case.fires_at: True}),
    ]
    if case.ends:
        gone = case.fires_at + case.step
        last = gone + case.keeps + 2 * case.step
        series = [each if each.stays else _ended(each, gone) for each in _target(bad, "exporter-a")]
        # Namesakes elsewhere live on, and are well: they are no reason for this one to go on.
        series += _target(_namesakes(good, bad), "exporter-a") if case.among else []
        tests.append(_watched(case, "its resource is deleted", series, last, {last: False}))
    if case.restarts:
        tests.append(_watched(case, "the exporter restarts", _restarted(case, bad), end, {case.fires_at: True}))
        both = [*_target(bad, "exporter-a"), *(each for each in _target(bad, "exporter-b") if each.row)]
        tests.append(_watched(case, "two pods say the same", both, end, {case.fires_at: True}))
        if absent != bad:
            well = [*_target(good, "exporter-a"), *(each for each in _target(good, "exporter-b") if each.row)]
            tests.append(_watched(case, "two pods say that all is well", well, end, {case.fires_at: False}))
    if case.among:
        series = _target(
            [*bad, *_others(good, bad, _ELSEWHERE[: 1 if case.among == "clusters" else None])], "exporter-a"
        )
        tests.append(_watched(case, "others are well", series, end, {case.fires_at: True}))
    for name, variant in case.variants.items():
        series = _replaced(bad, variant)
        at = case.fires_at if variant.at is None else variant.at
        test = _watched(case, name, _target(series, "exporter-a"), max(end, at), {at: variant.fires}, variant.labels)
        if variant.description:
            said = replace(case, description=variant.description, labels={**case.labels, **(variant.labels or {})})
            test["alert_rule_test"] = [{"eval_time": _at(at), "alertname": case.alert, "exp_alerts": [_expected(said)]}]
        tests.append(test)
    return tests


def test_of(reading: Reading) -> dict[str, Any]:
    """The test of a reading."""
    series = _target(list(_as(reading.series, "bad")), "exporter-a")
    return {
        "name": reading.name,
        "interval": f"{reading.step}m",
        "input_series": [_written(each, reading.at, reading.step) for each in series],
        "promql_expr_test": [
            {
                "expr": reading.expr,
                "eval_time": _at(reading.at),
                "exp_samples": [{"labels": labels, "value": value} for labels, value in reading.samples.items()],
            }
        ],
    }


def _as(series: Iterable[S], world: Literal["bad", "good"]) -> Iterable[S]:
    for each in series:
        if world == "good" and each.good is not None:
            yield replace(each, bad=each.good)
        else:
            yield each


def _replaced(series: Sequence[S], variant: Variant) -> list[S]:
    if variant.whole:
        return list(variant.series)
    new = {each.name for each in variant.series}
    left = [each for each in series if each.name not in new and each.name not in variant.drop]
    return [*left, *variant.series]


def _target(series: Iterable[S], pod: str) -> list[S]:
    """As a scrape shows them: with the target's labels where the series has none of that name."""
    target = {**_TARGET, "namespace": "monitoring", "pod": pod, "instance": f"{pod}:9116"}
    return [replace(each, labels={**target, **each.labels}) if each.row else each for each in series]


_IDS = frozenset(
    {
        "volume_id",
        "file_system_id",
        "bucket",
        "instance_id",
        "replication_group_id",
        "cache_cluster_id",
        "serverless_cache",
        "key_id",
        "node",
        "namespace",
        "persistentvolumeclaim",
        "persistentvolume",
        "volumeattachment",
        "access_point_id",
        "availability_zone",
        "mount_target_id",
        "parameter_group",
        "filter_id",
        "job_name",
        "aws_service",
        "bucket_component",
    }
)
"""Labels whose values are another resource's for another resource."""

_ELSEWHERE: tuple[dict[str, str], ...] = (
    {"cluster": "elsewhere"},
    {"account_id": "999999999999"},
    {"region": "eu-west-1"},
)


def _others(good: Sequence[S], bad: Sequence[S], elsewhere: Sequence[Mapping[str, str]]) -> list[S]:
    """
    The same world once more with other names, and once more each with the same names in another cluster, account and
    region, all well; but for what would be a series that is there already.
    """
    known = {(each.name, frozenset(each.labels.items())) for each in bad}
    found = []
    for each in good:
        renamed = {key: f"{value}-b" if key in _IDS and value else value for key, value in each.labels.items()}
        moved = ({**each.labels, **{k: v for k, v in there.items() if k in each.labels}} for there in elsewhere)
        for labels in (renamed, *moved):
            if (identity := (each.name, frozenset(labels.items()))) not in known:
                known.add(identity)
                found.append(replace(each, labels=labels))
    return found


def _namesakes(good: Sequence[S], bad: Sequence[S]) -> list[S]:
    """Those of the same names in another cluster, account or region."""
    return [
        each
        for each in _others(good, bad, _ELSEWHERE)
        if not any(value.endswith("-b") for value in each.labels.values())
    ]


def _restarted(case: Case, series: Sequence[S]) -> list[S]:
    # Nothing is shown while the pod changes, so a longer `for` begins anew after it: there it is what came before that
    # must not have been bent.
    change = case.fires_at - _RESTART * case.step - (case.waits if case.waits >= _RESTART * case.step else 0)
    mine, others = [each for each in series if each.row], [each for each in series if not each.row]
    before = [_ended(each, change) for each in _target(mine, "exporter-a")]
    after = [_begun(each, change + case.step) for each in _target(mine, "exporter-b")]
    return [*before, *after, *others]


def _late(case: Case, series: Sequence[S]) -> list[S]:
    """As they are pushed: no target's labels, and CloudWatch's newest are not there yet."""
    found = []
    for each in series:
        row = each.row
        if row and row["kind"] == "cloudwatch" and row["period"] < 3600:
            lag = -(-(row["every"] + row["delay"]) // 60)
            found.append(_silent(each, case.fires_at - min(case.waits, lag) + 1))
        else:
            found.append(each)
    return found


def _ended(series: S, at: int) -> S:
    def values(minute: int) -> float | None:
        return _value(series, minute) if minute < at else STALE if minute == at else None

    return replace(series, bad=values)


def _begun(series: S, at: int) -> S:
    return replace(series, bad=lambda minute: _value(series, minute) if minute >= at else None)


def _silent(series: S, at: int) -> S:
    return replace(series, bad=lambda minute: _value(series, minute) if minute < at else None)


def _value(series: S, minute: int) -> float | None:
    return series.bad(minute) if callable(series.bad) else series.bad


def _test(case: Case, what: str, series: Sequence[S], end: int) -> dict[str, Any]:
    return {
        "name": f"{case.alert}: {what}",
        "interval": f"{case.step}m",
        "input_series": [_written(each, end, case.step) for each in series],
    }


def _watched(
    case: Case,
    what: str,
    series: Sequence[S],
    end: int,
    fires: Mapping[int, bool],
    labels: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """A test that looks only at whether the alert fires, with which labels."""
    own = case.all_labels() if labels is None else {**case.all_labels(), **labels}
    said = {"alertname": case.alert, "alertstate": "firing", **{key: value for key, value in own.items() if value}}
    pairs = ",".join(f'{key}="{value}"' for key, value in sorted(said.items()))
    return {
        **_test(case, what, series, end),
        "promql_expr_test": [
            {
                "expr": f'ALERTS{{alertname="{case.alert}",alertstate="firing"}}',
                "eval_time": _at(minute),
                "exp_samples": [{"labels": f"ALERTS{{{pairs}}}", "value": 1}] if firing else [],
            }
            for minute, firing in fires.items()
        ],
    }


def _expected(case: Case) -> dict[str, Any]:
    return {
        "exp_labels": {key: value for key, value in case.all_labels().items() if value},
        "exp_annotations": {
            "summary": case.summary,
            "description": case.description,
            "runbook_url": f"{RUNBOOKS}#{case.alert.lower()}",
            **({"dashboard_url": case.dashboard} if case.dashboard else {}),
            **({"console_url": case.console} if case.console else {}),
        },
    }


def _written(series: S, end: int, step: int) -> dict[str, str]:
    pairs = ", ".join(f'{key}="{value}"' for key, value in sorted(series.labels.items()) if value)
    values = [_value(series, minute) for minute in range(0, end + step, step)]
    return {"series": f"{series.name}{{{pairs}}}", "values": notation(values)}


def _at(minutes: int) -> str:
    return f"{minutes}m"
