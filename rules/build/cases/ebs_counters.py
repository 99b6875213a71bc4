"""What the recordings make of the driver's counters: how far back they look, over which attachments, over which scrapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from rules.build.cases.ebs_limits import flow
from rules.build.cases.ebs_world import ACCOUNT, ATTACHMENT, INFO, INSTANCE, NODE_INFO, VOLUME, driver
from rules.build.cases.shapes import Reading, S, Values, step

_NOW = 30


def _selector(name: str, labels: Mapping[str, str], **more: str) -> str:
    pairs = ", ".join(f'{key}="{value}"' for key, value in sorted({**labels, **more}.items()))
    return f"{name}{{{pairs}}}"


def _again(series: S) -> S:
    """The same driver pod, as another scrape shows it."""
    return replace(series, labels={**series.labels, "job": "other"})


def _seconds(way: str, a_minute: float) -> list[S]:
    """
    In the last five minutes three of the attachment, one of another scrape of it, two quarters of another attachment:
    3.5 of what it is a minute.
    """
    name = f"{way}_seconds_total"
    return [
        driver(name, a_minute, 28),
        _again(driver(name, a_minute, 26)),
        driver(name, a_minute / 4, 27, instance="i-0b2"),
    ]


def _work(name: str, a_minute: float) -> list[S]:
    """What began in the last five minutes: four of the attachment, two of its other scrape, three halves of another."""
    return [
        driver(name, a_minute, start=26),
        _again(driver(name, a_minute, start=28)),
        driver(name, a_minute / 2, start=27, instance="i-0b2"),
    ]


# Of five minutes: 5.5 times 60000 reads and 30000 writes, in 3.5 times 240 and 60 seconds.
_FLOW = [
    INFO,
    *_seconds("read", 240),
    *_seconds("write", 60),
    *_work("read_ops_total", 60_000),
    *_work("write_ops_total", 30_000),
    *_work("read_bytes_total", 6e9),
    *_work("write_bytes_total", 3e9),
]
_MEASURED: list[tuple[str, float, dict[str, str]]] = [
    ("ops:per_second", 1650, {}),
    ("throughput:bytes_per_second", 1.65e8, {}),
    ("latency:seconds", 840 / 330_000, {"direction": "read"}),
    ("latency:seconds", 210 / 165_000, {"direction": "write"}),
]


def _of(volume_id: str, series: S) -> S:
    return replace(series, labels={**series.labels, "volume_id": volume_id})


def _known(*volumes: str) -> list[S]:
    return [_of(volume_id, INFO) for volume_id in volumes]


def _moved(minute: int) -> Values:
    """A counter that moves at that minute only."""
    return step(minute, 5, 6)


def _waiting(volume_id: str, queue: Values | float, reads: Values | float, writes: Values | float) -> list[S]:
    """A volume's queue, and what it completes."""
    return [
        _of(volume_id, replace(driver(name, 0), bad=values))
        for name, values in (("volume_queue_length", queue), ("read_ops_total", reads), ("write_ops_total", writes))
    ]


def _except(minute: int) -> Values:
    """Operations wait in every minute but one."""
    return lambda now: 0.0 if now == minute else 4.0


_STALLED: dict[str, tuple[float, list[S]]] = {
    "vol-1": (0, _waiting("vol-1", _except(8), 5, 5)),
    "vol-2": (1, _waiting("vol-2", _except(5), _moved(6), _moved(6))),
    "vol-3": (0, _waiting("vol-3", 4, _moved(9), 5)),
    "vol-4": (0, _waiting("vol-4", 4, 5, _moved(9))),
    # Another scrape of the same queue says that it is empty.
    "vol-5": (0, [*_waiting("vol-5", 4, 5, 5), _again(_waiting("vol-5", 0, 5, 5)[0])]),
    # Two attachments, both stalled; and two of which one works.
    "vol-6": (
        1,
        [
            each
            for one in _waiting("vol-6", 4, 5, 5)
            for each in (one, replace(one, labels={**one.labels, "instance_id": "i-0b2"}))
        ],
    ),
    "vol-7": (
        1,
        [
            *_waiting("vol-7", 4, 5, 5),
            *(
                replace(one, labels={**one.labels, "instance_id": "i-0b2"})
                for one in _waiting("vol-7", 0, _moved(9), _moved(9))
            ),
        ],
    ),
}
"""Volume to whether it is stalled at minute 10, and why: three minutes are looked at."""


def _rising(a_minute: float, until: int) -> Values:
    return lambda minute: a_minute * min(minute, until)


def _exceeded(limit: str, until: int) -> list[S]:
    """A node's counter that rises all of each minute until *until*, and by a quarter of it in another scrape."""
    labels = {"instance_id": "i-0a1", "job": "ebs-csi-node", "instance": "10.0.0.1:3302"}
    return [
        S(
            f"aws_ebs_csi_ec2_exceeded_{limit}_seconds_total",
            {**labels, "pod": pod},
            bad=_rising(a_minute, until),
        )
        for pod, a_minute in (("a", 60), ("b", 15))
    ]


def _told(*statuses: tuple[str, str, str]) -> list[S]:
    """Volumes attached to instances, and what AWS calls them."""
    return [
        each
        for volume_id, instance_id, status in statuses
        for each in (
            _of(volume_id, INFO),
            replace(ATTACHMENT, labels={**ATTACHMENT.labels, "volume_id": volume_id, "instance_id": instance_id}),
            S("aws_ebs_volume_status", {**VOLUME, "volume_id": volume_id, "status": status}),
        )
    ]


READINGS = [
    Reading(
        name="what volumes do in five minutes, over all attachments, each scrape once",
        series=_FLOW,
        expr=" or ".join(
            f'round(label_replace(volume:aws_ebs_{name}, "of", "{name}", "", ""), 0.000001)'
            for name in dict.fromkeys(name for name, _, _ in _MEASURED)
        ),
        at=_NOW,
        samples={_selector("", VOLUME, of=name, **labels): round(value, 6) for name, value, labels in _MEASURED},
    ),
    Reading(
        name="where the numbers come from: the driver counts for five minutes after it was last heard",
        series=[
            *_known("vol-1", "vol-2"),
            *(_of(each, told) for each in ("vol-1", "vol-2") for told in flow(read_ops=1, write_ops=1)),
            *(
                _of(each, replace(driver("read_ops_total", 0), bad=step(heard, 5, None)))
                for each, heard in (("vol-1", 28), ("vol-2", 21))
            ),
        ],
        expr="volume:aws_ebs_source:info",
        at=_NOW,
        samples={
            _selector("volume:aws_ebs_source:info", ACCOUNT, volume_id=volume_id, source=source): 1
            for volume_id, source in (("vol-1", "nvme"), ("vol-2", "cloudwatch"))
        },
    ),
    Reading(
        name="three minutes in which operations wait and none completes, on any attachment",
        series=[*_known(*_STALLED), *(each for _, told in _STALLED.values() for each in told)],
        expr="volume:aws_ebs_nvme_stalled:bool",
        at=10,
        samples={
            _selector("volume:aws_ebs_nvme_stalled:bool", ACCOUNT, volume_id=volume_id): value
            for volume_id, (value, _) in _STALLED.items()
        },
    ),
    Reading(
        name="both limits of a node, of the last 19 minutes, each scrape once",
        series=[NODE_INFO, *_exceeded("iops", 28), *_exceeded("tp", 25)],
        expr="round(19 * instance:aws_ebs_limit_exceeded:ratio, 0.01)",
        at=_NOW,
        samples={_selector("", INSTANCE, limit="iops"): 17, _selector("", INSTANCE, limit="throughput"): 14},
    ),
    Reading(
        name="how many volumes of a node are in trouble",
        series=_told(
            ("vol-1", "i-0a1", "impaired"),
            ("vol-2", "i-0a1", "impaired"),
            ("vol-3", "i-0a1", "ok"),
            ("vol-4", "i-0b2", "impaired"),
        ),
        expr="instance:aws_ebs_troubled_volumes:count",
        at=5,
        samples={
            _selector("instance:aws_ebs_troubled_volumes:count", ACCOUNT, instance_id=instance_id): count
            for instance_id, count in (("i-0a1", 2), ("i-0b2", 1))
        },
    ),
]
