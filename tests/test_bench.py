"""The benchmark's parts work end to end: the exporter shows what its simulated AWS says, and each part says numbers."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections import Counter
from pathlib import Path
from statistics import median

import pytest

from exporter.services.registry import SERVICES
from tests.bench import configs, parts, pushing, report, sampler
from tests.bench.aws import environment
from tests.bench.canned import value_of
from tests.bench.estate import NOW, Size, instance_id, node_of, volume_id
from tests.bench.measures import Plan, Sheet, arrived, check, page, pushes, warm
from tests.bench.processes import BenchError, exporter, run, simulated_aws, talker
from tests.bench.pushing import points
from tests.harness import Series, parsed
from tests.write_request import samples_of

SIZE = Size(volumes=12, nodes=2, file_systems=1, buckets=2, components=1, cache_nodes=1)


def _of(series: Series, name: str, **labels: str) -> float:
    found = [value for (each, own), value in series.items() if each == name and labels.items() <= dict(own).items()]
    assert len(found) == 1, f"{len(found)} series of {name} {labels}"
    return found[0]


def test_a_sweep_shows_what_the_simulated_aws_says(tmp_path: Path) -> None:
    """One sweep of a small estate: counts, values, and the same questions to boto3."""
    config = configs.sweep(get_metric_data_per_second=1000, aws_concurrency=50)
    with simulated_aws(SIZE, 0.0) as aws, exporter(config, aws) as side:
        warm(aws, side)
        aws.ask("record")
        swept = side.ask("sweep", seconds=configs.EVERY, watch=True)
        counts = aws.ask("counts")
        series = parsed(check(side.first["url"]))
        taken = side.ask("snapshot", path=str(tmp_path / "snapshot"))
        aws.ask("dump", path=str(tmp_path / "bodies"))
        asked = run(["-m", "tests.bench.reference", str(tmp_path / "bodies")], environment(aws.first["url"]))
        with talker(["-m", "tests.bench.scraper", side.first["url"], "2", "0.01"]) as scrapers:
            side.ask("sweep", seconds=configs.EVERY, busy=True)
            latencies = scrapers.ask("stop")
        size = len(page(side.first["url"]))

    names = Counter(name for name, _ in series)
    assert names["aws_ebs_volume_info"] == SIZE.volumes
    assert names["aws_ebs_instance_info"] == SIZE.nodes
    assert names["aws_s3_bucket_info"] == SIZE.buckets
    assert names["aws_elasticache_node_info"] == SIZE.cache_nodes
    shown = {row.family.name for row in SERVICES["ebs"].rows if names[row.family.name] == SIZE.volumes}
    assert len(shown) == 12, "twelve rows a volume, as the issue has it"

    now = int(swept["now"])
    assert now > NOW
    end = (now - 120) // 60 * 60
    starts = range(end - configs.EVERY, end, 60)
    for number in (0, 7, 11):
        volume = volume_id(number)
        written = [value_of("VolumeWriteBytes", [volume], "Sum", start, 60) for start in starts]
        assert len(written) == 5
        shown_value = _of(series, "aws_ebs_volume_write_bytes_per_second", volume_id=volume)
        assert shown_value == pytest.approx(sum(written) / configs.EVERY)
        where = [instance_id(node_of(SIZE, number)), volume]
        latency = max(value_of("VolumeAvgReadLatency", where, "Average", start, 60) for start in starts)
        assert _of(series, "aws_ebs_volume_read_latency_seconds", volume_id=volume) == pytest.approx(latency / 1000)

    assert counts["refused"] == {}
    assert counts["queries"] >= 12 * SIZE.volumes
    assert asked["queries"] == counts["queries"]
    assert 4.5 * asked["queries"] < asked["datapoints"] <= 5.5 * asked["queries"]
    assert swept["cpu"] >= swept["passes"] > 0
    assert swept["stalls"]["looks"] > 10
    assert taken["series"] == sum(count for name, count in names.items() if name.startswith("aws_"))
    assert len(latencies["total"]) == len(latencies["first"]) > 0
    assert latencies["size"] == pytest.approx(size, rel=0.1)
    ours, theirs = (
        run(["-m", "tests.bench.rendering", str(tmp_path / "snapshot"), kind]) for kind in ("ours", "prometheus_client")
    )
    assert ours["series"] == theirs["series"] == taken["series"]
    assert ours["plain"] == pytest.approx(theirs["plain"], rel=0.05)


def test_failing_calls_are_no_measurement() -> None:
    """A job that cannot read everything ends the benchmark."""
    config = configs.usual().replace("limits:", "limits:\n  deadline: 1s\n  pass_deadline: 3s")
    with simulated_aws(SIZE, 0.0) as aws, exporter(config, aws) as side:
        aws.process.kill()
        side.ask("settle")
        with pytest.raises(BenchError, match=r"jobs that fail: .*ebs"):
            check(side.first["url"])


def test_what_is_pushed_arrives_whole() -> None:
    """A request more than one, ours and by protobuf's classes: every sample is there, and the numbers make a table."""
    plan, sheet = Plan(series=2100, runs=1), Sheet()
    pushes(plan, sheet)
    numbers = sheet.numbers
    for kind in ("ours", "protobuf"):
        assert numbers[f"{kind}_series"] == [2100.0]
        assert numbers[f"{kind}_samples"] == [10_500.0]
        assert numbers[f"{kind}_requests"] == [2.0]
        assert all(
            0 < held <= peak for held, peak in zip(numbers[f"{kind}_held"], numbers[f"{kind}_peak"], strict=True)
        )
        assert all(cpu > 0 for name in ("first", "encode", "push") for cpu in numbers[f"{kind}_{name}"])
    text = report.page(plan, {"push": sheet}, seconds=60)
    assert text.count("| remote write: encode and compress") == 1
    assert f"{median(numbers['ours_bytes']) / 10_500:.1f} bytes a sample" in text


def test_both_ways_of_pushing_say_the_same() -> None:
    """The reference encodes what we encode, series by series."""
    series = points(300)
    ours, theirs = (
        [samples_of(data) for data in bodies(series)] for bodies in (pushing.by_exporter(), pushing.by_protobuf())
    )
    assert ours == theirs
    assert sum(map(len, ours)) == 300
    assert {len(labels) for each in ours for labels in each} == {9}, "eight labels and the name"


def test_points_that_do_not_arrive_are_no_measurement() -> None:
    """A sink that has seen something else than was pushed ends the benchmark; it tells of each request once."""
    with talker(["-m", "tests.bench.sink"]) as sink:
        push = ["-m", "tests.bench.pushing", "ours", "20", sink.first["url"]]
        run(push)
        assert arrived(sink, 20)["samples"] == 100
        run(push)
        with pytest.raises(BenchError, match=r"of 21 series with 5 points each, there came .*20"):
            arrived(sink, 21)


def test_the_table_says_what_is_reached() -> None:
    """Medians, the issue's limits beside them, and nothing of what was not run."""
    sheet = Sheet()
    for cpu in (0.7, 0.75, 2.0):
        sheet.note(sweep_cpu=cpu, sweep_passes_cpu=0.6, boto3_cpu=9.0)
    text = report.page(Plan(), {"sweep": sheet}, seconds=60)
    assert "| 0.75 s (0.60 s until the passes are through) | ≤ 0.8 s | reached |" in text
    assert "| 12.0 × | ≥ 15 × | **not reached** |" in text
    assert "steady" not in text


_LIBRARIES = "/x/.venv/lib/python3.11/site-packages"
_IMPORTING = ("<frozen importlib._bootstrap>", "_find_and_load")


@pytest.mark.parametrize(
    ("stack", "part"),
    [
        ([("/x/exporter/app.py", "run"), (f"{_LIBRARIES}/botocore/parsers.py", "parse")], "botocore: answers parsed"),
        (
            [("/x/exporter/aws/clients.py", "_make"), ("/x/exporter/aws/models.py", "load_file")],
            "botocore: service models read",
        ),
        ([("/x/exporter/aws/clients.py", "_make"), (f"{_LIBRARIES}/botocore/a.py", "b")], "botocore: clients made"),
        ([("/usr/lib/python3.11/asyncio/events.py", "_run")], "the event loop itself"),
        ([("/x/exporter/cli.py", "<module>"), ("/y/z.py", "f")], "the rest"),
        (
            [_IMPORTING, ("/x/exporter/cli.py", "<module>"), _IMPORTING, (f"{_LIBRARIES}/aiohttp/web.py", "<module>")],
            "import of aiohttp",
        ),
        ([_IMPORTING, (f"{_LIBRARIES}/rich/a.py", "<module>"), ("/x/exporter/web.py", "_write")], "import of rich"),
        (
            [_IMPORTING, (f"{_LIBRARIES}/rich/a.py", "<module>"), ("/usr/lib/python3.11/ssl.py", "<module>")],
            "import of Python's own modules",
        ),
        (
            [_IMPORTING, ("/x/exporter/cli.py", "<module>"), ("/usr/lib/python3.11/asyncio/a.py", "<module>")],
            "import of Python's own modules",
        ),
    ],
)
def test_a_stack_belongs_to_one_part(stack: list[tuple[str, str]], part: str) -> None:
    """An import counts for the package that is imported, whoever wants it; else the first part that has a frame."""
    assert parts.by_part({tuple(stack): 2.0, (("/y/z.py", "f"),): 0.0}).items() >= {part: 2.0}.items()


def test_a_process_says_where_its_cpu_goes(tmp_path: Path) -> None:
    """Nearly all of what it spends is in the stacks, where it was spent: in threads too, and from the signal on."""
    program = tmp_path / "burning.py"
    program.write_text(
        "import signal, threading, time\n"
        "def burn(clock, seconds):\n"
        "    while clock() < seconds: sum(range(1000))\n"
        "def early(): burn(time.process_time, time.process_time() + 0.2)\n"
        "def late():\n"
        "    thread = threading.Thread(target=burn, args=(time.thread_time, 0.4))\n"
        "    thread.start()\n"
        "    while thread.is_alive(): time.sleep(0.001)\n"
        "early(); signal.raise_signal(signal.SIGUSR1); late(); signal.raise_signal(signal.SIGUSR2)\n"
    )
    path = tmp_path / "samples"
    environ = {**os.environ, "PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[1]}"}
    subprocess.run([sys.executable, *sampler.command(path, "burning")], check=True, env=environ, timeout=60)
    stacks, whole = pickle.loads(path.read_bytes())
    assert whole >= 0.4
    assert 0.8 * whole <= sum(stacks.values()) <= 1.05 * whole
    functions = Counter[str]()
    for stack, seconds in stacks.items():
        for name in {name for _, name in stack}:
            functions[name] += seconds
    assert functions["burn"] >= 0.5 * whole
    assert functions["early"] == 0
