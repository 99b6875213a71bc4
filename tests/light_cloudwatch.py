"""
A CloudWatch that only answers GetMetricData: every query with a datapoint for each period of its window, at once.

For tests of long stretches of time: what is asked, and how often, is theirs to judge, not what the values say.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
from aiohttp import web

METRIC_TARGET = "GraniteServiceVersion20100801.GetMetricData"


class LightCloudWatch:
    """
    The server.

    ``url``: where it listens. ``asked``: how often each was asked, by (namespace, metric, dimensions): what the bill
    counts. ``queries``: members asked, by namespace and metric. ``refuse``: how many of the next requests are
    throttled. ``behind``: the URL of the AWS that answers everything else.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: Counter[tuple[str, str, tuple[tuple[str, str], ...]]] = Counter()
        self.queries: Counter[tuple[str, str]] = Counter()
        self.requests = 0
        self.refuse = 0
        self.behind = ""

    async def answer(self, request: web.Request) -> web.Response:
        """One GetMetricData request, by AWS JSON 1.0."""
        if request.headers["X-Amz-Target"] != METRIC_TARGET:
            return await self._forward(request)
        self.requests += 1
        if self.refuse:
            self.refuse -= 1
            body = {"__type": "com.amazon.coral.availability#ThrottlingException", "message": "Rate exceeded"}
            return web.Response(
                status=400, body=orjson.dumps(body), headers={"x-amzn-query-error": "Throttling;Sender"}
            )
        asked = orjson.loads(await request.read())
        billed: dict[tuple[str, str, tuple[tuple[str, str], ...]], int] = {}
        results = []
        for query in asked["MetricDataQueries"]:
            stat = query["MetricStat"]
            metric = stat["Metric"]
            name = (metric["Namespace"], metric["MetricName"])
            dimensions = tuple(sorted((each["Name"], each["Value"]) for each in metric["Dimensions"]))
            billed[(*name, dimensions)] = billed.get((*name, dimensions), 0) + 1
            self.queries[name] += 1
            starts = list(range(asked["StartTime"], asked["EndTime"], stat["Period"]))
            results.append(
                {
                    "Id": query["Id"],
                    "Label": "",
                    "StatusCode": "Complete",
                    "Timestamps": starts,
                    "Values": [1.0] * len(starts),
                }
            )
        for key, statistics in billed.items():
            self.asked[key] += -(-statistics // 5)
        return web.Response(
            body=orjson.dumps({"MetricDataResults": results, "Messages": []}), content_type="application/json"
        )

    async def _forward(self, request: web.Request) -> web.Response:
        """What is no GetMetricData, to the AWS behind; the signature holds, for the headers stay as they are."""
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.post(self.behind, data=await request.read(), headers=request.headers) as reply,
        ):
            return web.Response(
                status=reply.status, body=await reply.read(), headers={"Content-Type": reply.headers["Content-Type"]}
            )

    def billed(self, *namespaces: str) -> int:
        """Metrics that AWS would bill for what was asked of *namespaces*."""
        return sum(count for (namespace, _, _), count in self.asked.items() if namespace in namespaces)


@contextlib.asynccontextmanager
async def light_cloudwatch() -> AsyncIterator[LightCloudWatch]:
    """The server, on a free port of 127.0.0.1."""
    light = LightCloudWatch("")
    app = web.Application(client_max_size=2**26)
    app.router.add_post("/", light.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        light.url = "http://{}:{}".format(*runner.addresses[0])
        yield light
    finally:
        await runner.cleanup()


def environment(light: LightCloudWatch) -> dict[str, Any]:
    """What leads the exporter's GetMetricData to *light* and leaves the rest where it is."""
    return {"AWS_ENDPOINT_URL_CLOUDWATCH": light.url}
