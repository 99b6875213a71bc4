"""GetMetricData requests of either dialect, as one value, checked as CloudWatch does (API Reference, GetMetricData)."""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from exporter.demo.metrics import Dimensions
from exporter.demo.wire import Request, WireError, speaks_json

MAXIMUM_QUERIES = 500
MAXIMUM_DATAPOINTS = 100_800
_ID = re.compile(r"[a-z][a-zA-Z0-9_]*")
_STATISTIC = re.compile(r"Sum|Average|Minimum|Maximum|SampleCount|IQM|(?:p|tm|wm|tc|ts|TM|WM|TC|TS|PR)[\d.(:%)]+")


@dataclass(frozen=True, slots=True)
class Query:
    """One metric asked for."""

    id: str
    namespace: str
    metric: str
    dimensions: Dimensions
    period: int
    stat: str
    label: str | None
    returned: bool

    @property
    def identity(self) -> tuple[str, str, Dimensions]:
        """What is billed: the metric itself."""
        return self.namespace, self.metric, self.dimensions


@dataclass(frozen=True, slots=True)
class MetricDataRequest:
    """A GetMetricData request of either dialect; instants in unix seconds."""

    queries: tuple[Query, ...]
    start: float
    end: float
    descending: bool
    limit: int
    token: str | None

    def digest(self) -> str:
        """The same for every page of one request, another for another request."""
        parts = [(item.id, item.namespace, item.metric, sorted(item.dimensions), item.stat) for item in self.queries]
        return hashlib.blake2b(repr((parts, self.start, self.end)).encode(), digest_size=8).hexdigest()

    @property
    def billed(self) -> int:
        """Metrics as AWS bills them: each metric once for every five statistics of it in the request."""
        statistics: dict[tuple[str, str, Dimensions], set[str]] = {}
        for query in self.queries:
            statistics.setdefault(query.identity, set()).add(query.stat)
        return sum(math.ceil(len(stats) / 5) for stats in statistics.values())


def read_request(request: Request) -> MetricDataRequest:
    """
    A GetMetricData request of either dialect, checked as CloudWatch checks it.

    Raises:
        WireError: `ValidationError` and the like.
    """
    given = read_json(request) if speaks_json(request) else _from_query(request.parameters)
    queries = given.get("MetricDataQueries") or []
    if not queries:
        raise WireError("MissingParameter", "The parameter MetricDataQueries is required.")
    if len(queries) > MAXIMUM_QUERIES:
        raise WireError("ValidationError", "The collection MetricDataQueries must not have a size greater than 500.")
    start, end = _instant(given, "StartTime"), _instant(given, "EndTime")
    if end <= start:
        raise WireError("ValidationError", "The parameter StartTime must be less than the parameter EndTime.")
    scan = given.get("ScanBy") or "TimestampDescending"
    if scan not in {"TimestampDescending", "TimestampAscending"}:
        raise WireError("ValidationError", f"The value {scan} for parameter ScanBy is not supported.")
    limit = int(given.get("MaxDatapoints") or MAXIMUM_DATAPOINTS)
    if not 0 < limit <= MAXIMUM_DATAPOINTS:
        raise WireError("ValidationError", "The value of MaxDatapoints must be between 1 and 100800.")
    read = tuple(_query(item) for item in queries)
    twice = [name for name, number in Counter(item.id for item in read).items() if number > 1]
    if twice:
        raise WireError(
            "ValidationError", f"The values for parameter id in MetricDataQueries are not unique: {min(twice)}."
        )
    return MetricDataRequest(read, start, end, scan == "TimestampDescending", limit, given.get("NextToken"))


def read_json(request: Request) -> dict[str, Any]:
    """
    The body of a JSON request.

    Raises:
        WireError: it is no JSON object.
    """
    try:
        given = orjson.loads(request.body or b"{}")
    except orjson.JSONDecodeError:
        given = None
    if not isinstance(given, dict):
        raise WireError("SerializationException", "The request body is not a JSON object.")
    return given


def _from_query(flat: Mapping[str, str]) -> dict[str, Any]:
    """The same tree as the JSON dialect, from the flat parameters of the query dialect."""
    queries = []
    numbers = sorted({int(name.split(".")[2]) for name in flat if name.startswith("MetricDataQueries.member.")})
    for number in numbers:
        head = f"MetricDataQueries.member.{number}."
        metric = head + "MetricStat.Metric."
        dimensions = sorted(
            {int(name[len(metric) :].split(".")[2]) for name in flat if name.startswith(metric + "Dimensions.member.")}
        )
        queries.append(
            {
                "Id": flat.get(head + "Id"),
                "Label": flat.get(head + "Label"),
                "Expression": flat.get(head + "Expression"),
                "ReturnData": flat.get(head + "ReturnData", "true") == "true",
                "MetricStat": {
                    "Metric": {
                        "Namespace": flat.get(metric + "Namespace"),
                        "MetricName": flat.get(metric + "MetricName"),
                        "Dimensions": [
                            {
                                part: flat.get(f"{metric}Dimensions.member.{index}.{part}", "")
                                for part in ("Name", "Value")
                            }
                            for index in dimensions
                        ],
                    },
                    "Period": flat.get(head + "MetricStat.Period"),
                    "Stat": flat.get(head + "MetricStat.Stat"),
                },
            }
        )
    plain = {
        name: flat[name] for name in ("StartTime", "EndTime", "ScanBy", "MaxDatapoints", "NextToken") if name in flat
    }
    return {"MetricDataQueries": queries, **plain}


def _instant(given: Mapping[str, Any], name: str) -> float:
    value = given.get(name)
    if value is None:
        raise WireError("MissingParameter", f"The parameter {name} is required.")
    try:
        if isinstance(value, str) and not re.fullmatch(r"[\d.]+", value):
            read = datetime.fromisoformat(value)
            return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
        return float(value)
    except ValueError:
        raise WireError("ValidationError", f"The parameter {name} is not a timestamp.") from None


def _query(item: Mapping[str, Any]) -> Query:
    name, stat = str(item.get("Id") or ""), item.get("MetricStat") or {}
    if not _ID.fullmatch(name) or len(name) > 255:
        raise WireError(
            "ValidationError",
            f"The value '{name}' for parameter MetricDataQueries.member.Id is not matching"
            " the expected pattern ^[a-z][a-zA-Z0-9_]*$.",
        )
    if item.get("Expression"):
        raise WireError("ValidationError", f"Error in expression '{name}': this simulation knows no metric math.")
    metric = stat.get("Metric") or {}
    for parameter, value in (
        ("Namespace", metric.get("Namespace")),
        ("MetricName", metric.get("MetricName")),
        ("Period", stat.get("Period")),
        ("Stat", stat.get("Stat")),
    ):
        if not value:
            raise WireError("MissingParameter", f"The parameter {parameter} of MetricDataQueries '{name}' is required.")
    period = int(stat["Period"]) if str(stat["Period"]).isdigit() else 0
    if period <= 0 or (period % 60 and period not in {1, 5, 10, 20, 30}):
        raise WireError("ValidationError", f"The value {stat['Period']} for parameter Period must be a multiple of 60.")
    if not _STATISTIC.fullmatch(stat["Stat"]):
        raise WireError("ValidationError", f"The value {stat['Stat']} for parameter Stat is not supported.")
    pairs = [(str(part.get("Name")), str(part.get("Value"))) for part in metric.get("Dimensions") or ()]
    return Query(
        name,
        metric["Namespace"],
        metric["MetricName"],
        frozenset(pairs),
        period,
        stat["Stat"],
        item.get("Label"),
        item.get("ReturnData") is not False,
    )
