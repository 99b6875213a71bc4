"""What the tests of the demo share: plain boto3 clients, without retries, of a demo server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from exporter.demo import DemoServer

NOW = 1_787_479_200.0  # 2026-08-23T10:00:00Z


def client(server: DemoServer, service: str, **changes: Any) -> Any:
    """A client of the server by its standard endpoint variable's value; *changes* replace credentials or region."""
    given: dict[str, Any] = {
        "aws_access_key_id": server.access_key_id,
        "aws_secret_access_key": server.secret_access_key,
        "region_name": server.world.region,
        **changes,
    }
    session = boto3.session.Session(**given)
    config = Config(retries={"total_max_attempts": 1}, connect_timeout=60, read_timeout=60)
    return session.client(service, endpoint_url=server.url, config=config)  # type: ignore[call-overload]


@contextmanager
def clients(server: DemoServer, *services: str, **changes: Any) -> Iterator[list[Any]]:
    """Clients that are closed in the end."""
    made = [client(server, service, **changes) for service in services]
    try:
        yield made
    finally:
        for item in made:
            item.close()


def refused(call: Callable[[], Any]) -> tuple[str, int]:
    """The error code and HTTP status botocore makes of a call that must fail."""
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    raise AssertionError("the call was answered")


def query(
    name: str, namespace: str, metric: str, dimensions: dict[str, str], stat: str = "Sum", period: int = 60
) -> Any:
    """One GetMetricData query."""
    pairs = [{"Name": key, "Value": value} for key, value in dimensions.items()]
    of = {"Namespace": namespace, "MetricName": metric, "Dimensions": pairs}
    return {"Id": name, "MetricStat": {"Metric": of, "Period": period, "Stat": stat}}
