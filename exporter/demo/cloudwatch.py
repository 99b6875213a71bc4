"""
CloudWatch in both its dialects, AWS JSON 1.0 and query: GetMetricData and ListMetrics.

Checks what CloudWatch checks, pages by datapoints, and carries the instant of the first page in the token, so that
the pages of one answer agree. Faults of single results (`faults`) are put in here, where results are made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

from exporter.demo.metric_queries import MetricDataRequest, Query, read_json, read_request
from exporter.demo.wire import (
    CLOUDWATCH,
    Reply,
    Request,
    Tweaks,
    WireError,
    cut_page,
    iso,
    make_token,
    query_reply,
    read_token,
    refusal,
    speaks_json,
)
from exporter.demo.world import World

LIST_PAGE = 500


def handle(world: World, request: Request, operation: str, tweaks: Tweaks) -> tuple[Reply, MetricDataRequest | None]:
    """
    The answer to one CloudWatch call, and for GetMetricData what was asked.

    Raises:
        WireError: as AWS would answer.
    """
    if operation == "GetMetricData":
        asked = read_request(request)
        body = _metric_data(world, asked, tweaks)
        return _reply(request, operation, body), asked
    if operation == "ListMetrics":
        return _reply(request, operation, _list_metrics(world, request, tweaks)), None
    raise refusal(CLOUDWATCH, "unknown-operation", operation=operation)


def _reply(request: Request, operation: str, body: dict[str, Any]) -> Reply:
    if speaks_json(request):
        return Reply(200, "application/x-amz-json-1.0", orjson.dumps(body))
    for item in body.get("MetricDataResults", ()):
        item["Timestamps"] = [iso(stamp) for stamp in item["Timestamps"]]
    return query_reply(CLOUDWATCH, operation, body)


# --- the answer ------------------------------------------------------------------------------------------------------


def _metric_data(world: World, asked: MetricDataRequest, tweaks: Tweaks) -> dict[str, Any]:
    token = read_token(asked.token) if asked.token else {}
    digest = asked.digest()
    if token and token.get("of") not in {digest, None}:
        raise WireError("InvalidNextToken", "The next token specified is invalid.")
    instant = float(token.get("at", world.now()))
    rest = token.get("rest")
    first = not token or tweaks.token_loop
    made = (
        _result(world, query, asked, instant, tweaks if first else Tweaks(), rest)
        for query in asked.queries
        if query.returned
    )
    results = [item for item in made if item is not None]
    body: dict[str, Any] = {}
    more: dict[str, Any] | None = None
    partial = tweaks.result("partial-data")
    if first and partial is not None:
        more = {"rest": partial}
    elif rest is None:
        limit = min(asked.limit, tweaks.page_size or asked.limit)
        results, offset = _cut(results, int(token.get("offset", 0)), limit)
        more = {"offset": offset} if offset else None
    if tweaks.token_loop:
        more = {"offset": 0}
    if tweaks.result("shuffled") is not None:
        results.sort(key=lambda item: hashlib.blake2b(item["Id"].encode(), digest_size=4).digest())
    body["MetricDataResults"] = results
    body["Messages"] = []
    messages = tweaks.result("messages")
    if messages is not None:
        body["Messages"] = [
            {
                "Code": messages.get("code", "MaxMetricsExceeded"),
                "Value": messages.get("value", "Maximum number of allowed metrics exceeded"),
            }
        ]
    if more is not None:
        body["NextToken"] = make_token({"of": digest, "at": instant, **more})
    return body


def _result(
    world: World, query: Query, asked: MetricDataRequest, instant: float, tweaks: Tweaks, rest: Mapping[str, Any] | None
) -> dict[str, Any] | None:
    """One result; on the page that brings the *rest* of partial ones, only those (None for the others)."""
    if rest is not None and not _chosen(query, rest):
        return None
    points = world.points(
        query.namespace, query.metric, query.dimensions, query.stat, query.period, asked.start, asked.end, instant
    )
    if asked.descending:
        points.reverse()
    if rest is not None:
        points = points[len(points) // 2 :]
    status, messages = "Complete", []
    kind = _fault_of(query, tweaks)
    if kind.startswith("partial-data"):
        points, status = points[: len(points) // 2], "PartialData"
    elif kind == "internal-error":
        points, status = [], "InternalError"
        messages = [{"Code": "InternalError", "Value": "The query failed inside CloudWatch."}]
    elif kind == "forbidden-result":
        points, status = [], "Forbidden"
        messages = [{"Code": "Forbidden", "Value": "The metric's data may not be read across accounts."}]
    values: list[Any] = [value for _, value in points]
    if kind == "nan-strings":
        values = ["NaN", *values[1:]] if values else values
    result: dict[str, Any] = {
        "Id": query.id,
        "Label": query.label or query.metric,
        "Timestamps": [stamp for stamp, _ in points],
        "Values": values,
        "StatusCode": status,
    }
    return {**result, "Messages": messages} if messages else result


def _fault_of(query: Query, tweaks: Tweaks) -> str:
    kinds = ("partial-data", "partial-data-no-token", "internal-error", "forbidden-result", "nan-strings")
    for kind, options in tweaks.results:
        if kind in kinds and _chosen(query, options):
            return kind
    return ""


def _chosen(query: Query, options: Mapping[str, Any]) -> bool:
    """Whether a rule means this query: by `ids`, `metric`, a dimension's `value`; all when it names none."""
    if "ids" in options and query.id not in options["ids"]:
        return False
    if "metric" in options and query.metric != options["metric"]:
        return False
    return "value" not in options or options["value"] in {value for _, value in query.dimensions}


def _cut(results: list[dict[str, Any]], offset: int, limit: int) -> tuple[list[dict[str, Any]], int]:
    """The results with datapoints *offset* to *offset + limit* of them all, and where to go on (0: done)."""
    shown, seen = [], 0
    for item in results:
        begin, seen = seen, seen + len(item["Values"])
        if begin == seen:  # an empty result stands on the page of the datapoint before it
            if offset < begin <= offset + limit or begin == offset == 0:
                shown.append(item)
        elif begin < offset + limit and seen > offset:
            part = slice(max(0, offset - begin), offset + limit - begin)
            piece = {**item, "Timestamps": item["Timestamps"][part], "Values": item["Values"][part]}
            shown.append(piece if seen <= offset + limit else {**piece, "StatusCode": "PartialData"})
    return shown, offset + limit if seen > offset + limit else 0


def _list_metrics(world: World, request: Request, tweaks: Tweaks) -> dict[str, Any]:
    given = read_json(request) if speaks_json(request) else _list_from_query(request.parameters)
    recent = given.get("RecentlyActive")
    if recent not in {None, "", "PT3H"}:
        raise WireError("ValidationError", f"The value {recent} for parameter RecentlyActive is not supported.")
    wanted = given.get("Dimensions") or []
    found = []
    for space, metric, dimensions, newest in world.metrics(given.get("Namespace") or ""):
        pairs = dict(dimensions)
        if given.get("MetricName") not in {None, "", metric} or (recent and newest < world.now() - 3 * 3600):
            continue
        if all(part["Name"] in pairs and part.get("Value") in {None, pairs[part["Name"]]} for part in wanted):
            sorted_pairs = [{"Name": name, "Value": value} for name, value in sorted(dimensions)]
            found.append({"Namespace": space, "MetricName": metric, "Dimensions": sorted_pairs})
    shown, token = cut_page(found, given.get("NextToken"), LIST_PAGE, tweaks)
    return {"Metrics": shown, **({"NextToken": token} if token else {})}


def _list_from_query(flat: Mapping[str, str]) -> dict[str, Any]:
    heads = [f"Dimensions.member.{number}" for number in range(1, 11)]
    dimensions = [
        {"Name": flat[f"{head}.Name"], "Value": flat.get(f"{head}.Value")} for head in heads if f"{head}.Name" in flat
    ]
    return {**flat, "Dimensions": dimensions}
