"""
The reference: the same questions by plain boto3 in threads. `python -m tests.bench.reference BODIES`.

BODIES holds the bodies of GetMetricData requests, one a line, as the exporter sent them. It says in a line of JSON what
asking them costs in a process that does nothing else: CPU seconds, wall seconds, peak resident bytes.
"""

from __future__ import annotations

import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import orjson
from botocore.config import Config

from tests.bench.lines import say

THREADS = 10


def _questions(path: str) -> list[dict[str, Any]]:
    """The keyword arguments of `get_metric_data`, one set a request."""
    asked = [orjson.loads(line) for line in Path(path).read_bytes().splitlines()]
    for each in asked:
        for name in ("StartTime", "EndTime"):
            each[name] = datetime.fromtimestamp(each[name], UTC)
    return asked


def main() -> None:
    """Ask everything once."""
    asked = _questions(sys.argv[1])
    client = boto3.client("cloudwatch", config=Config(max_pool_connections=THREADS))

    def one(question: dict[str, Any]) -> int:
        count = 0
        token: dict[str, Any] = {}
        while True:
            answer = client.get_metric_data(**question, **token)
            count += sum(len(result["Values"]) for result in answer["MetricDataResults"])
            if not answer.get("NextToken"):
                return count
            token = {"NextToken": answer["NextToken"]}

    wall, cpu = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(THREADS) as pool:
        datapoints = sum(pool.map(one, asked))
    say(
        {
            "calls": len(asked),
            "queries": sum(len(each["MetricDataQueries"]) for each in asked),
            "datapoints": datapoints,
            "cpu": time.process_time() - cpu,
            "wall": time.perf_counter() - wall,
            "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        }
    )


if __name__ == "__main__":
    main()
