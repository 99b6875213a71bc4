"""moto's server, an AWS somebody else wrote, and `once` against it: what the tests with moto share."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

REGION = "eu-west-1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": REGION}
Values = Callable[..., list[float]]


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """
    The address of a server with nothing in it, in a process of its own: what moto keeps is its process's, and so are
    the sockets that its threads leave to the garbage collector.
    """
    log = tmp_path_factory.mktemp("moto") / "log"
    with log.open("w") as stream:
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"], stdout=stream, stderr=stream
        )
    try:
        yield _address(log)
    finally:
        server.terminate()
        server.wait(20)


def _address(log: Path) -> str:
    """Where the server says that it listens; fails with its words where it does not within half a minute."""
    for _ in range(300):
        found = re.search(r"http://127\.0\.0\.1:\d+", log.read_text())
        if found:
            return found[0]
        time.sleep(0.1)
    pytest.fail(f"moto's server does not listen: {log.read_text()}")


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
