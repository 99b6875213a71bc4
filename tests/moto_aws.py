"""moto's server, an AWS somebody else wrote, and `once` against it: what the tests with moto share."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

REGION = "eu-west-1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": REGION}
Values = Callable[..., list[float]]


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """The address of a server with nothing in it: what moto keeps is the process's, whoever put it there."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    reset = urllib.request.Request(f"http://{host}:{port}/moto-api/reset", method="POST")
    urllib.request.urlopen(reset, timeout=30).close()
    yield f"http://{host}:{port}"
    server.stop()


def client(url: str, service: str, region: str = REGION) -> Any:
    """A plain boto3 client of that server."""
    return boto3.client(  # type: ignore[call-overload]
        service, region_name=region, endpoint_url=url, aws_access_key_id="testing", aws_secret_access_key="testing"
    )


def put(
    cloudwatch: Any,
    metric: tuple[str, str],
    dimensions: Mapping[str, str],
    values: Sequence[float],
    newest: int,
    *,
    period: int = 60,
    unit: str = "None",
) -> None:
    """One datapoint a period of *metric* (namespace, name); the newest period starts at *newest*, unix seconds."""
    namespace, name = metric
    named = [{"Name": key, "Value": value} for key, value in dimensions.items()]
    data = [
        {
            "MetricName": name,
            "Dimensions": named,
            "Timestamp": datetime.fromtimestamp(newest - period * (len(values) - 1 - index), UTC),
            "Value": value,
            "Unit": unit,
        }
        for index, value in enumerate(values)
    ]
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=data)


def once(url: str, tmp_path: Any, *words: str, config: str = "tags: [team]\n") -> tuple[int, dict[str, Any], str]:
    """Exit code, answer and stderr of ``once --format json``, run as a user runs it."""
    file = tmp_path / "config.yaml"
    file.write_text(config)
    command = [sys.executable, "-m", "exporter", "once", "--config", str(file), "--format", "json", *words]
    environ = {**CREDENTIALS, "AWS_ENDPOINT_URL": url, "AWS_EC2_METADATA_DISABLED": "true", "HOME": str(tmp_path)}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, json.loads(done.stdout or "{}"), done.stderr


def values_of(answer: Mapping[str, Any], prefix: str = "") -> Values:
    """A look into the answer of `once`: the values of the series of a name (after *prefix*) that have the labels."""

    def values(name: str, **labels: str) -> list[float]:
        return [
            each["value"]
            for each in answer["samples"]
            if each["name"] == prefix + name and labels.items() <= each["labels"].items()
        ]

    return values
