"""Much going wrong at once, at the wire: others are not delayed, limits hold over all jobs, nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import struct
import weakref
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from exporter.demo import DemoServer, World, WorldClock, mission_worlds
from exporter.demo.regions import EXTERNAL_ID, SECOND_REGION, SECOND_ROLE
from exporter.demo.tables import ACCOUNT, REGION
from exporter.services.registry import SERVICES
from tests.calls import remember
from tests.harness import Line, T, config_of, limits_for, line
from tests.running import has, running
from tests.soak.taken import Taken

LIMITS = {**limits_for(), "get_metric_data_per_second": 1000}
VOLUMES_AND_FILES = {name: {"enabled": name in {"ebs", "efs"}} for name in SERVICES}
READ = "aws_ebs_volume_read_bytes_per_second"
VOLUMES = 300
GONE = (SECOND_REGION, "eu-central-1", "eu-west-1", "us-east-1")

Place = tuple[str, str]
"""Region and signing name of a request, as its signature's scope has them."""


class Front:
    """
    What stands before the simulated AWS: hands requests on, and does to some what a network does.

    ``hanging``: which are never answered. ``resetting``: whether connections are reset. ``delay``: seconds before each
    is handed on. ``most``: how many of a place were on their way at one time.
    """

    def __init__(self, behind: str, client: aiohttp.ClientSession) -> None:
        self._behind = behind
        self._client = client
        self.hanging: Callable[[Place], bool] = lambda _place: False
        self.resetting = False
        self.delay = 0.0
        self.hit = 0
        self.most: Counter[tuple[str, str, bool]] = Counter()
        self._inside: defaultdict[tuple[str, str, bool], int] = defaultdict(int)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """One request."""
        scope = request.headers.get("Authorization", "").partition("Credential=")[2].partition(",")[0].split("/")
        place = (scope[2], scope[3]) if len(scope) == 5 else ("", "")
        if self.resetting:
            self.hit += 1
            _reset(request)
        if self.hanging(place):
            self.hit += 1
            await asyncio.Event().wait()
        # GetMetricData has a quota of its own beside CloudWatch's other calls.
        api = (*place, request.headers.get("X-Amz-Target", "").endswith(".GetMetricData"))
        self._inside[api] += 1
        self.most[api] = max(self.most[api], self._inside[api])
        try:
            await asyncio.sleep(self.delay)
            async with self._client.request(
                request.method,
                self._behind + request.raw_path,
                headers=request.headers,
                data=await request.read(),
                skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            ) as reply:
                headers = {name: value for name, value in reply.headers.items() if name != "Transfer-Encoding"}
                return web.Response(status=reply.status, headers=headers, body=await reply.read())
        finally:
            self._inside[api] -= 1


def _reset(request: web.Request) -> None:
    """Close the connection as one that broke: a reset, no end of stream."""
    assert request.transport is not None
    connection: socket.socket = request.transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.transport.abort()


@contextlib.asynccontextmanager
async def front(server: DemoServer) -> AsyncIterator[tuple[Front, str]]:
    """A front before *server*, and its URL."""
    async with aiohttp.ClientSession(auto_decompress=False) as client:
        before = Front(server.url, client)
        app = web.Application(client_max_size=2**26)
        app.router.add_route("*", "/{path:.*}", before.answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield before, f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()


@contextlib.asynccontextmanager
async def fronted(monkeypatch: pytest.MonkeyPatch, config: object, *worlds: World) -> AsyncIterator[tuple[Line, Front]]:
    """A line that goes by way of a front, to all of *worlds* (the mission's where none is given)."""
    main, *others = worlds or mission_worlds(1, WorldClock(at=T))
    async with DemoServer(main) as first:  # only for its port: the front needs it before the engine is built
        for each in others:
            first.add_world(each)
        async with (
            front(first) as (before, url),
            line(monkeypatch, world=main, config=config, environ={"AWS_ENDPOINT_URL": url}) as over,  # type: ignore[arg-type]
        ):
            over.server = first
            yield over, before
        remember(first.calls)


def crowd() -> World:
    """The mission's estate with some hundred volumes more, all attached."""
    world = World(1, WorldClock(at=T))
    nodes = ("node-a1", "node-a2", "node-b1", "node-b2", "node-c1", "node-c2")
    for number in range(VOLUMES):
        world.add_volume(f"many-{number}", instance=nodes[number % len(nodes)], at=T - 86400)
    return world


def nothing_lost(over: Line, taken: Taken) -> None:
    taken.note(over.server.calls)
    over.server.clear_calls()
    assert taken.datapoints > 1000
    assert taken.lost(()) == []


async def test_a_throttle_of_minutes_leaves_no_hole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every API throttled for six minutes, over 300 volumes: values stay, metrics say so, then all of it is taken."""
    limits = {**LIMITS, **limits_for("throttle"), "aws_concurrency": 2}
    world, config = crowd(), config_of(limits=limits, services=VOLUMES_AND_FILES)
    async with line(monkeypatch, world=world, config=config) as over:
        taken = Taken([world])
        for minute in (0, 1):
            feeds = await over.run(T + 60 * minute)
        assert feeds["ebs"].report.ok
        before = over.names()
        assert before["aws_ebs_volume_size_bytes"] > VOLUMES
        assert before[READ] > VOLUMES
        over.server.faults.add("throttle-400")
        for minute in (2, 7):
            over.at(T + 60 * minute)
            assert not any(await asyncio.gather(*(over.scheduler.once(feed.job()) for feed in over.engine.feeds)))
            assert over.own("storage_exporter_job_success", aws_service="efs") == 0
        assert over.names()[READ] == before[READ]
        assert over.names()["aws_ebs_volume_size_bytes"] == before["aws_ebs_volume_size_bytes"]
        assert over.own("storage_exporter_aws_errors_total", operation="GetMetricData", code="Throttling") > 0
        over.server.faults.clear()
        for minute in (8, 9, 17):  # the turn of what is asked every quarter of an hour is among them
            feeds = await over.run(T + 60 * minute)
        assert feeds["ebs"].report.ok
        assert feeds["efs"].report.ok
        nothing_lost(over, taken)


async def test_a_flood_of_resets_leaves_no_hole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every connection reset for three passes: an error with a word of its own, nothing lost, well at the next pass."""
    main = World(1, WorldClock(at=T))
    config = config_of(limits={**LIMITS, "deadline": "5s"}, services=VOLUMES_AND_FILES)
    async with fronted(monkeypatch, config, main) as (over, before):
        taken = Taken([main])
        await over.run(T)
        shown = over.names()["aws_ebs_volume_size_bytes"]
        before.resetting = True
        for minute in range(1, 4):
            feeds = await over.run(T + 60 * minute)
            assert not feeds["efs"].report.ok
        assert before.hit > 10
        assert over.names()["aws_ebs_volume_size_bytes"] == shown
        assert over.own("storage_exporter_aws_errors_total", code="Connection") > 0
        before.resetting = False
        for minute in (4, 5, 17):
            feeds = await over.run(T + 60 * minute)
            assert feeds["efs"].report.ok
        nothing_lost(over, taken)


async def test_regions_that_hang_cost_the_others_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four regions hang whole, one for two accounts: every service here reads everything, and is through first."""
    config = config_of(
        limits={"deadline": "12s", "pass_deadline": "15s"},
        scopes=[
            {"regions": list(GONE)},
            {"regions": [SECOND_REGION], "roles": [{"arn": SECOND_ROLE, "external_id": EXTERNAL_ID}]},
            {"regions": [REGION]},
        ],
    )
    async with fronted(monkeypatch, config) as (over, before):
        for feed in over.engine.feeds:
            await feed.access.identify()
        before.hanging = lambda place: place[0] in GONE
        ended: list[str] = []

        async def one(name: str) -> None:
            (feed,) = (each for each in over.engine.feeds if each.name == name)
            await over.scheduler.once(feed.job())
            ended.append(feed.name)

        # Those that hang have asked first.
        await asyncio.gather(*(one(feed.name) for feed in over.engine.feeds))
        here = [feed for feed in over.engine.feeds if feed.name.endswith(REGION)]
        there = [feed for feed in over.engine.feeds if feed.name.endswith(GONE)]
        assert before.hit > 20
        assert {feed.name: list(feed.report.failures) for feed in here} == {feed.name: [] for feed in here}
        assert all(feed.report.failures or feed.name in over.scheduler.errors for feed in there)
        assert set(ended[: len(here)]) == {feed.name for feed in here}


async def test_a_describe_that_hangs_holds_no_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of EC2 hangs: in the same passes EBS's values from CloudWatch go on, and EFS is whole."""
    config = config_of(limits={**LIMITS, **limits_for("hang")}, services=VOLUMES_AND_FILES)
    async with line(monkeypatch, config=config) as over:
        await over.run(T)
        newest = over.own("storage_exporter_newest_datapoint_timestamp_seconds", aws_service="ebs")
        over.server.faults.add("hang", service="ec2", seconds=60)
        for minute in (5, 10, 15):
            feeds = await over.run(T + 60 * minute)
            assert feeds["efs"].report.ok
            now = over.own("storage_exporter_newest_datapoint_timestamp_seconds", aws_service="ebs")
            assert now >= newest + 300
            newest = now
        assert "GetMetricData" not in feeds["ebs"].report.failures
        assert over.own("storage_exporter_job_success", aws_service="ebs") == 0


async def test_the_limits_hold_over_all_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two ways into one account, all services side by side: of no API more than two calls are on their way at once."""
    main = World(1, WorldClock(at=T))
    role = f"arn:aws:iam::{ACCOUNT}:role/storage-exporter"
    config = config_of(
        limits={"deadline": "30s", "pass_deadline": "60s", "aws_concurrency": 2},
        scopes=[{"regions": [REGION]}, {"regions": [REGION], "roles": [{"arn": role}]}],
    )
    async with fronted(monkeypatch, config, main) as (over, before):
        for feed in over.engine.feeds:
            await feed.access.identify()
        before.delay = 0.02
        await asyncio.gather(*(over.scheduler.once(feed.job()) for feed in over.engine.feeds))
        busy = {api: most for api, most in before.most.items() if api[1] != "sts"}
        assert {api[1] for api in busy} >= {"ec2", "elasticfilesystem", "monitoring", "elasticache"}
        assert max(busy.values()) == 2


async def test_a_reload_lets_the_old_engine_go(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What a reload replaced is freed, its clients with it: reloads must not add up."""
    async with running(monkeypatch, tmp_path) as over:
        await over.until(lambda state: state == "ready\n", "/-/ready")
        gone = []
        for _ in range(3):
            engine = over.app._engine
            assert engine is not None
            gone.append(weakref.ref(engine.feeds[0]))
            del engine
            assert (await over.reload())[0] == 200
            await over.until(lambda state: state == "healthy\n", "/-/healthy")
        async with asyncio.timeout(60):
            while any(each() is not None for each in gone):
                await asyncio.sleep(0.2)
                gc.collect()


async def test_a_reload_while_one_describe_fails_keeps_facts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The new engine's first pass cannot read DescribeVolumes: what the old one knew stands in for it."""
    async with running(monkeypatch, tmp_path, deadline="5s") as over:
        await over.until(lambda state: state == "ready\n", "/-/ready")
        await over.until(has("aws_ebs_volume_size_bytes", READ))
        over.server.faults.add("throttle-400", service="ec2", operation="DescribeVolumes")
        assert (await over.reload())[0] == 200
        failed = (
            'storage_exporter_discovery_success{account_id="123456789012",aws_service="ebs",operation="DescribeVolumes"'
        )
        await over.until(
            lambda text: any(line.startswith(failed) and line.endswith(" 0.0") for line in text.splitlines())
        )
        await asyncio.sleep(1)  # a page of the pass that failed
        assert has("aws_ebs_volume_size_bytes", "aws_ebs_volume_info", READ)((await over.get("/metrics"))[1])
