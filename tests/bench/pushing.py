"""
Points as bodies of remote write, posted: `python -m tests.bench.pushing KIND SERIES URL`.

KIND is ``ours`` or ``protobuf``: the same points through protobuf's own classes, compressed and posted alike. Each runs
in a process that has encoded nothing before. It says in a line of JSON the CPU seconds of three rounds (the ``first``,
which knows no label set, an ``encode`` after it whose bodies are thrown away, a ``push`` whose bodies are posted one
after another, with its ``wall`` seconds), and resident bytes: ``held`` with the points alone, ``peak`` at the end.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cramjam

from exporter.clock import SystemClock
from exporter.config.delivery import Push
from exporter.naming import label_set, labels_of
from exporter.remote.client import Client
from exporter.remote.wire import Encoder, Series
from tests.bench.canned import value_of
from tests.bench.estate import NOW, volume_id
from tests.bench.lines import say
from tests.write_request import message

POINTS = 5
FAMILIES = 20
_BATCH = 2000
_LABELS = (
    "cluster",
    "account_id",
    "region",
    "availability_zone",
    "volume_id",
    "volume_type",
    "namespace",
    "persistentvolumeclaim",
)
_RESOURCES_OF_A_CALL = 25
_ZONES = ("eu-central-1a", "eu-central-1b", "eu-central-1c")

_Bodies = Callable[[Sequence[Series]], Iterator[bytes]]


def points(series: int) -> list[Series]:
    """Resource by resource as a pass hands them over: each call of GetMetricData has a window that its series share."""
    names = [f"aws_ebs_volume_measure_{number}_bytes_per_second" for number in range(FAMILIES)]
    made: list[Series] = []
    ends: list[int] = []
    for number in range(-(-series // FAMILIES)):
        volume = volume_id(number)
        claim = (volume, "gp3", f"team-{number % 40}", f"data-{number % 7}-db-{number}")
        labels = label_set(_LABELS, ("production", "123456789012", "eu-central-1", _ZONES[number % 3], *claim))
        if number % _RESOURCES_OF_A_CALL == 0:
            ends = [NOW + 60 * (point + 1) for point in range(POINTS)]
        for name in names:
            values = [value_of(name, (volume,), "Sum", end - 60, 60) for end in ends]
            made.append(Series(name, labels, ends, values))
    return made[:series]


def by_exporter() -> _Bodies:
    """Bodies as the exporter makes them."""
    encoder = Encoder(series=_BATCH)

    def bodies(series: Sequence[Series]) -> Iterator[bytes]:
        return (body.data for body in encoder.bodies(series))

    return bodies


def by_protobuf() -> _Bodies:
    """The same by protobuf's classes, each label set sorted once."""
    known: dict[bytes, list[tuple[str, str]]] = {}
    request_class = message()

    def bodies(series: Sequence[Series]) -> Iterator[bytes]:
        for start in range(0, len(series), _BATCH):
            request = request_class()
            for name, rendered, ends, values in series[start : start + _BATCH]:
                pairs = known.get(rendered)
                if pairs is None:  # a capital would come before the name; there is none
                    pairs = known[rendered] = sorted(labels_of(rendered).items())
                one = request.timeseries.add()
                one.labels.add(name="__name__", value=name)
                for label, value in pairs:
                    one.labels.add(name=label, value=value)
                for end, point in zip(ends, values, strict=True):
                    one.samples.add(value=point, timestamp=1000 * end)
            yield bytes(cramjam.snappy.compress_raw(request.SerializeToString()))

    return bodies


class _Unheard:
    """Nobody counts the requests here; the sink does."""

    def posted(self, code: str) -> None:
        """See `client.Told`."""

    def failed(self) -> None:
        """See `client.Told`."""


async def _post(bodies: Iterator[bytes], url: str) -> None:
    push = Push.model_validate({"url": url})
    told = _Unheard()
    async with Client(push, user_agent="bench", clock=SystemClock(), permitted=lambda: True, told=told) as client:
        for body in bodies:
            reply = await client.post(body, "anonymous")
            if reply.status != 204:
                raise ValueError(f"the sink answers {reply.status} {reply.text}")


def _memory() -> dict[str, int]:
    """Resident bytes now and at most (proc(5))."""
    pairs = (line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    status = {name: value.strip() for name, value in pairs}
    return {name: int(status[key].split()[0]) * 1024 for name, key in (("held", "VmRSS"), ("peak", "VmHWM"))}


def _spent(work: Callable[[], Any]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def main() -> None:
    """Encode twice, and push once."""
    kind, count, url = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    bodies = {"ours": by_exporter, "protobuf": by_protobuf}[kind]()
    series = points(count)
    held = _memory()["held"]
    first, encode = (_spent(lambda: sum(map(len, bodies(series)))) for _ in range(2))
    wall = time.perf_counter()
    push = _spent(lambda: asyncio.run(_post(bodies(series), url)))
    wall = time.perf_counter() - wall
    peak = _memory()["peak"]
    say({"first": first, "encode": encode, "push": push, "wall": wall, "held": held, "peak": peak})


if __name__ == "__main__":
    main()
