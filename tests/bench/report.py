"""From numbers to the table: medians, what the issue wants to be reached, whether it is."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from tests.bench import measures
from tests.bench.measures import Plan, Sheet

RESULTS = Path(__file__).parent / "RESULTS.md"
LARGEST = "RESULTS-largest.md"

_MIB = 2**20


class Numbers:
    """Medians by part and measure."""

    def __init__(self, sheets: Mapping[str, Sheet]) -> None:
        self._sheets = sheets

    def __call__(self, part: str, name: str) -> float:
        """The median of a measure's runs; KeyError where it was not run."""
        return median(self._sheets[part].numbers[name])

    def worst(self, part: str, name: str) -> float:
        """The largest of a measure's runs."""
        return max(self._sheets[part].numbers[name])


@dataclass(frozen=True, slots=True)
class Line:
    """
    One line of the table.

    Args:
        measure: what it is.

        shown: its value as text, from the numbers.

        reach: as the issue has it, ``""`` where it says nothing.

        reached: whether it is, None where the issue says nothing.
    """

    measure: str
    shown: Callable[[Numbers], str]
    reach: str = ""
    reached: Callable[[Numbers], bool] | None = None


def _ratio(n: Numbers) -> float:
    return n("sweep", "boto3_cpu") / n("sweep", "sweep_cpu")


def _latest(n: Numbers) -> float:
    return n("sweep", "measured_latest_cpu") / n("sweep", "measured_render_cpu")


def _over_floor(n: Numbers) -> float:
    return n("paced", "paced_wall") / (n("paced", "paced_calls") / measures.AWS_PACE) - 1


def _scrape(n: Numbers, key: str) -> str:
    parts = [f"{name} {n('paced', f'{key}_{name}_p50'):.1f} / {n('paced', f'{key}_{name}_p99'):.1f}" for name in _BOTH]
    return "; ".join(parts) + " ms"


_BOTH = ("first", "total")

LINES: tuple[Line, ...] = (
    Line(
        "full sweep, as fast as it goes: exporter CPU until the page shows it",
        lambda n: (
            f"{n('sweep', 'sweep_cpu'):.2f} s ({n('sweep', 'sweep_passes_cpu'):.2f} s until the passes are through)"
        ),
        "≤ 0.8 s",
        lambda n: n("sweep", "sweep_cpu") <= 0.8,
    ),
    Line("… wall", lambda n: f"{n('sweep', 'sweep_wall'):.2f} s, rendered after {n('sweep', 'sweep_rendered'):.2f} s"),
    Line(
        "… questions", lambda n: f"{n('sweep', 'sweep_queries'):,.0f} queries in {n('sweep', 'sweep_calls'):.0f} calls"
    ),
    Line(
        "the same questions by boto3 in 10 threads",
        lambda n: (
            f"{n('sweep', 'boto3_cpu'):.1f} s CPU, {n('sweep', 'boto3_wall'):.1f} s wall, "
            f"{n('sweep', 'boto3_peak') / _MIB:.0f} MiB"
        ),
    ),
    Line("… over the exporter's CPU", lambda n: f"{_ratio(n):.1f} ×", "≥ 15 ×", lambda n: _ratio(n) >= 15),
    Line(
        "render and compress, cold: CloudWatch's families",
        lambda n: (
            f"{n('sweep', 'measured_render_cpu'):.3f} s CPU for {n('sweep', 'measured_series'):,.0f} series, "
            f"{n('sweep', 'measured_plain') / 1e6:.1f} MB"
        ),
        "≤ 0.10 s",
        lambda n: n("sweep", "measured_render_cpu") <= 0.10,
    ),
    Line("… `generate_latest` over it", lambda n: f"{_latest(n):.1f} ×", "≥ 15 ×", lambda n: _latest(n) >= 15),
    Line(
        "render and compress, cold: the whole page with its facts",
        lambda n: (
            f"{n('sweep', 'render_cpu'):.3f} s CPU for {n('sweep', 'render_series'):,.0f} series, "
            f"{n('sweep', 'render_plain') / 1e6:.1f} MB; `generate_latest` {n('sweep', 'generate_latest_cpu'):.2f} s"
        ),
    ),
    Line(
        "`/metrics`, its own metrics included",
        lambda n: f"{n('sweep', 'page_plain') / 1e6:.1f} MB plain, {n('sweep', 'page_gzip') / 1e6:.2f} MB gzip",
    ),
    Line(
        "steady state, full estate: share of a core",
        lambda n: (
            f"{100 * n('steady', 'full_steady_share'):.2f} % ({100 * n('steady', 'full_turns_share'):.2f} % turns "
            f"and scrapes, {100 * n('steady', 'full_rest_share'):.2f} % between them)"
        ),
        "≤ 2 %",
        lambda n: n("steady", "full_steady_share") <= 0.02,
    ),
    Line(
        "steady state, 300 volumes",
        lambda n: (
            f"{100 * n('steady', 'platform_steady_share'):.2f} % "
            f"({100 * n('steady', 'platform_turns_share'):.2f} % turns and scrapes, "
            f"{100 * n('steady', 'platform_rest_share'):.2f} % between them)"
        ),
        "≤ 0.3 %",
        lambda n: n("steady", "platform_steady_share") <= 0.003,
    ),
    Line("an idle minute: CPU", lambda n: f"{n('paced', 'idle_minute_cpu'):.2f} s"),
    Line(
        "peak RSS after discovery, sweeps and scrapes",
        lambda n: (
            f"{n('paced', 'peak') / _MIB:.0f} MiB (paced), {n('sweep', 'unpaced_peak') / _MIB:.0f} MiB (unpaced), "
            f"{n('steady', 'full_steady_peak') / _MIB:.0f} MiB (steady state)"
        ),
        "≤ 220 MiB",
        lambda n: n("paced", "peak") <= 220 * _MIB,
    ),
    Line(
        "`/metrics` gzip during a sweep, 1 scraper, p50 / p99",
        lambda n: _scrape(n, "sweep_1"),
        "total p99 ≤ 25 ms",
        lambda n: n("paced", "sweep_1_total_p99") <= 25,
    ),
    Line(
        "… 10 scrapers",
        lambda n: (
            f"{_scrape(n, 'sweep_10')} "
            f"({n('paced', 'sweep_10_total_p99') / n('paced', 'sweep_1_total_p99'):.1f} × one scraper's)"
        ),
        "total p99 ≤ 250 ms",
        lambda n: n("paced", "sweep_10_total_p99") <= 250,
    ),
    Line("… between sweeps, 1 scraper", lambda n: _scrape(n, "idle_1")),
    Line("… between sweeps, 10 scrapers", lambda n: _scrape(n, "idle_10")),
    Line(
        "event-loop stall during a paced sweep, p99",
        lambda n: f"{n('paced', 'stall_p99'):.1f} ms",
        "≤ 5 ms",
        lambda n: n("paced", "stall_p99") <= 5,
    ),
    Line(
        "… longest",
        lambda n: f"{n('paced', 'stall_longest'):.0f} ms (worst run {n.worst('paced', 'stall_longest'):.0f} ms)",
        "≤ 50 ms",
        lambda n: n("paced", "stall_longest") <= 50,
    ),
    Line(
        "… as fast as it goes, p99 and longest",
        lambda n: f"{n('sweep', 'unpaced_stall_p99'):.1f} ms, {n('sweep', 'unpaced_stall_longest'):.0f} ms",
    ),
    Line(
        "paced at 50 calls a second: wall over the floor",
        lambda n: (
            f"{100 * _over_floor(n):+.1f} % ({n('paced', 'paced_wall'):.2f} s for {n('paced', 'paced_calls'):.0f} "
            f"calls; CPU {n('paced', 'paced_cpu'):.2f} s)"
        ),
        "≤ +5 %",
        lambda n: _over_floor(n) <= 0.05,
    ),
    *(
        Line(
            f"start, {name}: listening, complete page",
            lambda n, key=key: (  # type: ignore[misc]
                f"{n('start', f'{key}_listening'):.2f} s, {n('start', f'{key}_complete'):.1f} s; of these CPU "
                f"{n('start', f'{key}_listening_cpu'):.2f} s (imports), {n('start', f'{key}_complete_cpu'):.1f} s; "
                f"{n('start', f'{key}_calls'):.0f} calls"
            ),
            "more waiting for AWS than CPU",
            lambda n, key=key: n("start", f"{key}_complete") >= 2 * n("start", f"{key}_complete_cpu"),  # type: ignore[misc]
        )
        for name, key in (("300 volumes", "platform"), ("full estate", "full"))
    ),
    Line(
        "remote write: encode and compress, 5 points a series",
        lambda n: (
            f"{n('push', 'ours_encode'):.3f} s CPU for {n('push', 'ours_series'):,.0f} series "
            f"({n('push', 'ours_first'):.3f} s where no label set is known yet)"
        ),
    ),
    Line(
        "… by protobuf's classes",
        lambda n: (
            f"{n('push', 'protobuf_encode'):.2f} s CPU, {n('push', 'protobuf_encode') / n('push', 'ours_encode'):.1f} ×"
        ),
    ),
    Line(
        "… encode, compress and post",
        lambda n: (
            f"{n('push', 'ours_push'):.3f} s CPU, {n('push', 'ours_wall'):.2f} s wall, "
            f"{n('push', 'ours_requests'):.0f} requests; protobuf's classes {n('push', 'protobuf_push'):.2f} s CPU"
        ),
    ),
    Line(
        "… on the wire",
        lambda n: (
            f"{n('push', 'ours_bytes') / n('push', 'ours_samples'):.1f} bytes a sample, "
            f"{n('push', 'ours_bytes') / 1e6:.2f} MB"
        ),
    ),
    Line(
        "… peak RSS",
        lambda n: (
            f"{n('push', 'ours_peak') / _MIB:.0f} MiB, of which the points themselves and the program "
            f"{n('push', 'ours_held') / _MIB:.0f} MiB; protobuf's classes {n('push', 'protobuf_peak') / _MIB:.0f} MiB"
        ),
    ),
)


def page(plan: Plan, sheets: Mapping[str, Sheet], *, seconds: float) -> str:
    """The page of results; lines whose part was not run are left out."""
    numbers = Numbers(sheets)
    table = ["| measure | value | reach | |", "|---|---|---|---|"]
    for line in LINES:
        try:
            shown = line.shown(numbers)
            verdict = "" if line.reached is None else "reached" if line.reached(numbers) else "**not reached**"
        except KeyError:
            continue
        table.append(f"| {line.measure} | {shown} | {line.reach} | {verdict} |")
    return "\n".join(
        [
            f"# Results at about {plan.series:,} CloudWatch series",
            "",
            "Written by `make bench`; how each number comes about is in [README.md](README.md).",
            "",
            (
                f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {os.cpu_count()} cores "
                f"({platform.machine()}), latency {1000 * plan.latency:.0f} ms, medians of {plan.runs} runs, "
                f"{seconds / 60:.0f} minutes."
            ),
            "",
            *(table if len(table) > 2 else ()),
            *_growth(sheets, numbers),
            "",
        ]
    )


def _growth(sheets: Mapping[str, Sheet], n: Numbers) -> list[str]:
    parts = [part for part in sheets if part.startswith("growth ")]
    if not parts:
        return []
    rows = [
        f"| {n(part, 'sweep_queries'):,.0f} | {n(part, 'series'):,.0f} | {n(part, 'sweep_cpu'):.3f} s "
        f"| {1e6 * n(part, 'sweep_cpu') / n(part, 'sweep_queries'):.1f} µs | {n(part, 'peak') / _MIB:.0f} MiB "
        f"| {n(part, 'render_cpu'):.3f} s | {1e6 * n(part, 'render_cpu') / n(part, 'series'):.2f} µs "
        f"| {n(part, 'page_gzip') / 1e6:.2f} MB |"
        for part in parts
    ]
    return [
        "",
        "Growth:",
        "",
        "| queries of a sweep | series on the page | sweep CPU | a query | peak RSS | render, cold | a series | gzip |",
        "|---|---|---|---|---|---|---|---|",
        *rows,
    ]


def write(text: str, *, whole: bool, largest: bool) -> None:
    """Keep the page where it is a whole run, or that of the largest size; a part of it is only printed."""
    if largest:
        (RESULTS.parent / LARGEST).write_text(text)
    elif whole:
        RESULTS.write_text(text)
