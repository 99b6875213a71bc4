"""Application Auto Scaling of the simulated AWS, read by plain boto3."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from exporter.demo import DemoServer, World, WorldClock, run_in_thread
from tests.demo_clients import NOW, client, refused


@pytest.fixture(scope="module")
def server() -> Iterator[DemoServer]:
    with run_in_thread(World(1, WorldClock(NOW))) as running:
        yield running


@pytest.fixture
def scaling(server: DemoServer) -> Iterator[Any]:
    made = client(server, "application-autoscaling")
    yield made
    made.close()
    server.faults.clear()


def test_targets_of_elasticache(scaling: Any) -> None:
    """The sharded group has a target for its shards and one for its replicas; no other group has any."""
    found = scaling.describe_scalable_targets(ServiceNamespace="elasticache")["ScalableTargets"]
    numbers = {item["ScalableDimension"]: (item["MinCapacity"], item["MaxCapacity"]) for item in found}
    assert numbers == {
        "elasticache:replication-group:NodeGroups": (3, 6),
        "elasticache:replication-group:Replicas": (1, 3),
    }
    assert {item["ResourceId"] for item in found} == {"replication-group/catalog"}
    assert not any(part for item in found for part in item["SuspendedState"].values())
    assert scaling.describe_scalable_targets(ServiceNamespace="dynamodb")["ScalableTargets"] == []


def test_targets_in_pages_and_by_id(server: DemoServer, scaling: Any) -> None:
    """MaxResults and NextToken give all once; ids and a dimension choose."""
    first = scaling.describe_scalable_targets(ServiceNamespace="elasticache", MaxResults=1)
    second = scaling.describe_scalable_targets(
        ServiceNamespace="elasticache", MaxResults=1, NextToken=first["NextToken"]
    )
    both = [*first["ScalableTargets"], *second["ScalableTargets"]]
    assert len({item["ScalableTargetARN"] for item in both}) == 2
    assert "NextToken" not in second
    server.faults.add("small-pages", service="autoscaling")
    pages = scaling.get_paginator("describe_scalable_targets").paginate(ServiceNamespace="elasticache")
    assert [len(page["ScalableTargets"]) for page in pages] == [1, 1]
    server.faults.clear()
    chosen = {
        "ResourceIds": ["replication-group/catalog"],
        "ScalableDimension": "elasticache:replication-group:Replicas",
    }
    (only,) = scaling.describe_scalable_targets(ServiceNamespace="elasticache", **chosen)["ScalableTargets"]
    assert only["MaxCapacity"] == 3
    none = scaling.describe_scalable_targets(ServiceNamespace="elasticache", ResourceIds=["replication-group/other"])
    assert none["ScalableTargets"] == []


def test_targets_are_those_of_the_moment(server: DemoServer, scaling: Any) -> None:
    """A suspended target says so."""
    world = server.world
    (target, *rest) = world.cache("catalog").scaling
    suspended = type(target)(target.dimension, target.least, target.most, suspended=True)
    world.update_cache("catalog", scaling=(suspended, *rest))
    found = scaling.describe_scalable_targets(ServiceNamespace="elasticache")["ScalableTargets"]
    world.update_cache("catalog", scaling=(target, *rest))
    assert [all(item["SuspendedState"].values()) for item in found] == [True, False]


def test_refusals(scaling: Any) -> None:
    """A strange namespace, a dimension without ids, a page too large, a foreign token, another operation."""
    ask = scaling.describe_scalable_targets
    dimension = "elasticache:replication-group:Replicas"
    for call, code in (
        (lambda: ask(ServiceNamespace="nonsense"), "ValidationException"),
        (lambda: ask(ServiceNamespace="elasticache", ScalableDimension=dimension), "ValidationException"),
        (lambda: ask(ServiceNamespace="elasticache", MaxResults=51), "ValidationException"),
        (lambda: ask(ServiceNamespace="elasticache", NextToken="nonsense"), "InvalidNextTokenException"),
        (lambda: scaling.describe_scaling_policies(ServiceNamespace="elasticache"), "UnknownOperationException"),
    ):
        assert refused(call) == (code, 400)


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [
        ("throttle-400", "ThrottlingException", 400),
        ("error-500", "InternalServiceException", 500),
        ("denied", "AccessDeniedException", 400),
        ("expired", "ExpiredTokenException", 400),
    ],
)
def test_faults_as_json_spells_them(server: DemoServer, scaling: Any, kind: str, code: str, status: int) -> None:
    """A rule by the service's name hits it."""
    server.faults.add(kind, service="application-autoscaling")
    assert refused(lambda: scaling.describe_scalable_targets(ServiceNamespace="elasticache")) == (code, status)


def test_a_wrong_secret_is_refused(server: DemoServer) -> None:
    """The signature is verified here as well."""
    made = client(server, "application-autoscaling", aws_secret_access_key="wrong")
    code = refused(lambda: made.describe_scalable_targets(ServiceNamespace="elasticache"))[0]
    made.close()
    assert code == "InvalidSignatureException"
