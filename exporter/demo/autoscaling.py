"""Application Auto Scaling in JSON 1.1: DescribeScalableTargets of ElastiCache (aws-facts 3.6)."""

from __future__ import annotations

from typing import Any

import orjson

from exporter.demo.caches import Cache, ScalingTarget
from exporter.demo.metric_queries import read_json
from exporter.demo.nouns import uuid_of
from exporter.demo.wire import AUTOSCALING, Reply, Request, Tweaks, WireError, cut_page, refusal
from exporter.demo.world import World

TARGET = "AnyScaleFrontendService"
_PAGE = 50
_NAMESPACES = frozenset(
    {
        *("appstream", "cassandra", "comprehend", "custom-resource", "dynamodb", "ec2", "ecs", "elasticache"),
        *("elasticmapreduce", "kafka", "lambda", "neptune", "rds", "sagemaker", "workspaces"),
    }
)


def handle(world: World, request: Request, operation: str, tweaks: Tweaks) -> Reply:
    """
    The answer to one call of Application Auto Scaling.

    Raises:
        WireError: as AWS would answer.
    """
    if operation != "DescribeScalableTargets":
        raise refusal(AUTOSCALING, "unknown-operation", operation=operation)
    given = read_json(request)
    space = given.get("ServiceNamespace")
    if space not in _NAMESPACES:
        raise WireError("ValidationException", f"1 validation error detected: Value '{space}' at 'serviceNamespace'")
    dimension = given.get("ScalableDimension")
    if dimension and not given.get("ResourceIds"):
        raise WireError("ValidationException", "A scalable dimension needs resource ids.")
    size = given.get("MaxResults", _PAGE)
    if not isinstance(size, int) or not 1 <= size <= _PAGE:
        raise WireError("ValidationException", "MaxResults must be between 1 and 50.")
    found = [
        tree
        for cache in world.caches()
        for target in cache.scaling
        if space == "elasticache"
        for tree in [_target(world, cache, target)]
        if tree["ResourceId"] in (given.get("ResourceIds") or [tree["ResourceId"]])
        and dimension in {None, tree["ScalableDimension"]}
    ]
    shown, token = cut_page(found, given.get("NextToken"), size, tweaks, code="InvalidNextTokenException")
    body = {"ScalableTargets": shown, **({"NextToken": token} if token else {})}
    return Reply(200, "application/x-amz-json-1.1", orjson.dumps(body))


def _target(world: World, cache: Cache, target: ScalingTarget) -> dict[str, Any]:
    role = "aws-service-role/elasticache.application-autoscaling.amazonaws.com"
    name = "AWSServiceRoleForApplicationAutoScaling_ElastiCacheRG"
    number = uuid_of(world.seed, f"scalable-target|{cache.name}|{target.dimension}").replace("-", "")
    return {
        "ServiceNamespace": "elasticache",
        "ResourceId": f"replication-group/{cache.name}",
        "ScalableDimension": f"elasticache:replication-group:{target.dimension}",
        "MinCapacity": target.least,
        "MaxCapacity": target.most,
        "RoleARN": f"arn:aws:iam::{world.account_id}:role/{role}/{name}",
        "CreationTime": cache.created + 3600,
        "SuspendedState": {
            "DynamicScalingInSuspended": target.suspended,
            "DynamicScalingOutSuspended": target.suspended,
            "ScheduledScalingSuspended": target.suspended,
        },
        "ScalableTargetARN": f"arn:aws:application-autoscaling:{world.region}:{world.account_id}"
        f":scalable-target/{number}",
    }
