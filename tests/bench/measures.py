"""What is measured, and how: each function runs one set-up and returns its numbers, a list a measure (one a run)."""

from __future__ import annotations

import gzip
import http.client
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families

from exporter.services.registry import SERVICES
from tests.bench import configs
from tests.bench.aws import environment
from tests.bench.estate import PLATFORM, Size, size_of
from tests.bench.processes import BenchError, Talker, exporter, run, simulated_aws, talker
from tests.bench.pushing import POINTS

AWS_PACE = 50.0
"""GetMetricData calls a second that AWS admits by default (aws-facts 2.1)."""

_UNPACED = 1000.0
_AT_ONCE = 50
_PAUSE = 0.02
"""Seconds a scraper waits between two scrapes."""

_OTHERS = 4
"""Calls of a pass that are not GetMetricData's once discovery rests: the fast looks of EBS, now and then events."""

Numbers = dict[str, list[float]]


@dataclass(slots=True)
class Plan:
    """How much is run: *series*, *runs* of each measure, simulated *minutes* of steady state."""

    series: int = 100_000
    runs: int = 5
    minutes: int = 60
    rest: float = 60.0
    latency: float = 0.03


@dataclass(slots=True)
class Sheet:
    """Numbers by measure; what is noted twice is two runs."""

    numbers: Numbers = field(default_factory=dict)

    def note(self, **values: float) -> None:
        """Add a run's value to each of the measures."""
        for name, value in values.items():
            self.numbers.setdefault(name, []).append(float(value))


def page(url: str, *, zipped: bool = True) -> bytes:
    """What /metrics answers, as it comes."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
    try:
        connection.request("GET", "/metrics", headers={"Accept-Encoding": "gzip" if zipped else "identity"})
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise BenchError(f"/metrics answers {answer.status}")
        return body
    finally:
        connection.close()


def check(url: str) -> str:
    """
    The page, once it is sure that every job reads everything.

    Raises:
        BenchError: where one does not; a benchmark of calls that fail is worth nothing.
    """
    text = gzip.decompress(page(url)).decode()
    own = "\n".join(line for line in text.splitlines() if "storage_exporter_" in line) + "\n"
    good = {
        sample.labels["job_name"]: sample.value
        for family in text_string_to_metric_families(own)
        for sample in family.samples
        if sample.name == "storage_exporter_job_success"
    }
    failing = sorted(name for name, value in good.items() if value != 1)
    if failing or len(good) < len(SERVICES):
        raise BenchError(f"jobs that fail: {', '.join(failing) or 'not all have run'}")
    return text


def _counts(aws: Talker) -> dict[str, Any]:
    counts = aws.ask("counts")
    # What is not there (a bucket without replication) is an answer; all else that is refused is a mistake made here.
    wrong = [each for each in counts["refused"] if " 404 " not in each]
    if wrong:
        raise BenchError(f"the simulated AWS refused: {', '.join(wrong)}")
    return counts


def warm(aws: Talker, side: Talker) -> None:
    """First passes, then one a minute until discovery has read everything and rests, then a whole sweep."""
    side.ask("settle")
    check(side.first["url"])
    _counts(aws)
    while True:
        side.ask("sweep", seconds=60)
        calls = _counts(aws)["calls"]
        if sum(count for name, count in calls.items() if name != "GetMetricData") <= _OTHERS:
            break
    side.ask("sweep", seconds=configs.EVERY)
    _counts(aws)


@contextmanager
def _warmed(size: Size, plan: Plan, pace: float) -> Iterator[tuple[Talker, Talker]]:
    config = configs.sweep(get_metric_data_per_second=pace, aws_concurrency=_AT_ONCE)
    with simulated_aws(size, plan.latency) as aws, exporter(config, aws) as side:
        warm(aws, side)
        yield aws, side
        check(side.first["url"])


def sweeps(plan: Plan, sheet: Sheet) -> None:
    """As fast as it goes: CPU and wall of a sweep, then the same questions by boto3; the snapshot rendered cold."""
    with _warmed(size_of(plan.series), plan, _UNPACED) as (aws, side), tempfile.TemporaryDirectory() as folder:
        for _ in range(plan.runs):
            spent = side.ask("sweep", seconds=configs.EVERY)
            counts = _counts(aws)
            sheet.note(
                sweep_cpu=spent["cpu"],
                sweep_passes_cpu=spent["passes"],
                sweep_wall=spent["wall"],
                sweep_rendered=spent["rendered"],
                sweep_queries=counts["queries"],
                sweep_calls=counts["calls"]["GetMetricData"],
            )
        for _ in range(plan.runs):
            stalls = side.ask("sweep", seconds=configs.EVERY, watch=True)["stalls"]
            sheet.note(unpaced_stall_p99=stalls["p99"], unpaced_stall_longest=stalls["longest"])
        bodies, snapshot = (str(Path(folder) / name) for name in ("bodies", "snapshot"))
        aws.ask("record")
        side.ask("sweep", seconds=configs.EVERY)
        aws.ask("dump", path=bodies)
        sheet.note(series=side.ask("snapshot", path=snapshot)["series"])
        url = side.first["url"]
        sheet.note(page_plain=len(page(url, zipped=False)), page_gzip=len(page(url)))
        sheet.note(**{f"unpaced_{name}": value for name, value in side.ask("memory").items()})
        for _ in range(plan.runs):
            _rendered(sheet, snapshot)
        for _ in range(max(1, plan.runs // 2)):
            asked = run(["-m", "tests.bench.reference", bodies], environment(aws.first["url"]))
            sheet.note(
                boto3_cpu=asked["cpu"],
                boto3_wall=asked["wall"],
                boto3_peak=asked["peak"],
                boto3_queries=asked["queries"],
                boto3_datapoints=asked["datapoints"],
            )


def _rendered(sheet: Sheet, snapshot: str) -> None:
    ours = run(["-m", "tests.bench.rendering", snapshot, "ours"])
    theirs = run(["-m", "tests.bench.rendering", snapshot, "prometheus_client"])
    sheet.note(
        render_cpu=ours["cpu"],
        render_series=ours["series"],
        render_plain=ours["plain"],
        generate_latest_cpu=theirs["cpu"],
    )
    measured = run(["-m", "tests.bench.rendering", snapshot, "ours", "measured"])
    latest = run(["-m", "tests.bench.rendering", snapshot, "prometheus_client", "measured"])
    sheet.note(
        measured_render_cpu=measured["cpu"],
        measured_series=measured["series"],
        measured_plain=measured["plain"],
        measured_gzip=measured["gzip"],
        measured_latest_cpu=latest["cpu"],
    )


def paced(plan: Plan, sheet: Sheet) -> None:
    """At AWS's pace: wall against the floor, the loop's stalls, scrapes meanwhile and while nothing happens, memory."""
    with _warmed(size_of(plan.series), plan, AWS_PACE) as (aws, side):
        for _ in range(plan.runs):
            spent = side.ask("sweep", seconds=configs.EVERY)
            sheet.note(paced_cpu=spent["cpu"], paced_wall=spent["wall"], paced_calls=_calls(aws))
        for _ in range(plan.runs):
            stalls = side.ask("sweep", seconds=configs.EVERY, watch=True)["stalls"]
            sheet.note(stall_p99=stalls["p99"], stall_longest=stalls["longest"])
        for scrapers in (1, 10):
            for _ in range(plan.runs):
                _scraped(sheet, side, scrapers, "sweep")
            _scraped(sheet, side, scrapers, "idle")
        sheet.note(idle_minute_cpu=_idle_minute(side, plan.rest))
        sheet.note(**side.ask("memory"))


def _calls(aws: Talker) -> int:
    return int(_counts(aws)["calls"]["GetMetricData"])


def _scraped(sheet: Sheet, side: Talker, scrapers: int, during: str) -> None:
    """Latencies of scrapers in milliseconds, while a sweep runs or for some seconds of nothing."""
    command = ["-m", "tests.bench.scraper", side.first["url"], str(scrapers), str(_PAUSE)]
    with talker(command) as client:
        if during == "sweep":
            side.ask("sweep", seconds=configs.EVERY, busy=True)
        else:
            side.ask("idle", seconds=4.0, passes=False)
        latencies = client.ask("stop")
    for name in ("first", "total"):
        ordered = sorted(1000 * each for each in latencies[name])
        key = f"{during}_{scrapers}_{name}"
        sheet.note(
            **{f"{key}_p50": median(ordered), f"{key}_p99": ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]}
        )
    sheet.note(**{f"{during}_{scrapers}_scrapes": len(latencies["total"])})


def _idle_minute(side: Talker, rest: float) -> float:
    """CPU seconds of a minute in which each job makes a pass that finds nothing due, scraped twice."""
    side.tell("idle", seconds=rest, passes=True)
    page(side.first["url"])
    time.sleep(rest / 2)
    page(side.first["url"])
    return float(side.heard()["cpu"]) * 60 / rest


def steady(plan: Plan, sheet: Sheet) -> None:
    """Default tiers and intervals, discovery included, scraped every 30 simulated seconds, turn after turn."""
    for name, size in (("full", size_of(plan.series)), ("platform", PLATFORM)):
        with simulated_aws(size, plan.latency) as aws, exporter(configs.usual(hurried=True), aws) as side:
            side.ask("settle")
            check(side.first["url"])
            simulated(side, min(15, plan.minutes) * 60)
            _counts(aws)
            cpu, seconds = simulated(side, plan.minutes * 60)
            check(side.first["url"])
            calls = _counts(aws)["calls"]
            rest = side.ask("idle", seconds=plan.rest, passes=False)
            sheet.note(
                **{
                    f"{name}_turns_share": cpu / seconds,
                    f"{name}_rest_share": rest["cpu"] / rest["wall"],
                    f"{name}_steady_share": cpu / seconds + rest["cpu"] / rest["wall"],
                    f"{name}_steady_minutes": seconds / 60,
                    f"{name}_steady_metric_calls": calls["GetMetricData"],
                    f"{name}_steady_other_calls": sum(calls.values()) - calls["GetMetricData"],
                    f"{name}_steady_peak": side.ask("memory")["peak"],
                }
            )


def simulated(side: Talker, seconds: float) -> tuple[float, float]:
    """CPU seconds and simulated seconds of turns over *seconds*, with a scrape every 30 of them."""
    begun, done, scrapes = side.ask("cpu")["cpu"], 0.0, 0
    while done < seconds:
        done += side.ask("turn")["seconds"]
        while scrapes * 30 < done:
            page(side.first["url"])
            scrapes += 1
    return side.ask("cpu")["cpu"] - begun, done


def arrived(sink: Talker, series: int) -> dict[str, Any]:
    """
    What the sink has taken since the last time.

    Raises:
        BenchError: where that is not every point of so many series.
    """
    came = sink.ask("told")
    if came["series"] != series or came["samples"] != series * POINTS:
        raise BenchError(f"of {series} series with {POINTS} points each, there came {came}")
    return came


def pushes(plan: Plan, sheet: Sheet) -> None:
    """Points of a whole estate into remote write, ours and by protobuf's classes, each in a process of its own."""
    with talker(["-m", "tests.bench.sink"]) as sink:
        for _ in range(plan.runs):
            for kind in ("ours", "protobuf"):
                spent = run(["-m", "tests.bench.pushing", kind, str(plan.series), sink.first["url"]])
                came = arrived(sink, plan.series)
                sheet.note(**{f"{kind}_{name}": value for name, value in {**spent, **came}.items()})


def growth(series: int, plan: Plan, sheet: Sheet) -> None:
    """A sweep, the memory and the rendering at another size."""
    with _warmed(size_of(series), plan, _UNPACED) as (aws, side), tempfile.TemporaryDirectory() as folder:
        for _ in range(plan.runs):
            spent = side.ask("sweep", seconds=configs.EVERY)
            queries = _counts(aws)["queries"]
            sheet.note(sweep_cpu=spent["cpu"], sweep_wall=spent["wall"], sweep_queries=queries)
        url = side.first["url"]
        sheet.note(page_plain=len(page(url, zipped=False)), page_gzip=len(page(url)))
        sheet.note(**side.ask("memory"))
        snapshot = str(Path(folder) / "snapshot")
        sheet.note(series=side.ask("snapshot", path=snapshot)["series"])
        for _ in range(plan.runs):
            sheet.note(render_cpu=run(["-m", "tests.bench.rendering", snapshot, "ours"])["cpu"])
