"""What the tests of simulated caches share: short ways to ask a world or a client."""

from __future__ import annotations

from typing import Any

from exporter.demo import World
from tests.demo_worlds import Pairs, points

SPACE = "AWS/ElastiCache"


def words(text: str) -> list[str]:
    return text.split()


def of(cluster_id: str, *, paired: bool = True, node_id: str = "0001", **more: str) -> Pairs:
    return {"CacheClusterId": cluster_id, **({"CacheNodeId": node_id} if paired else {}), **more}


def read(asked: World, metric: str, given: Pairs, stat: str = "Average", back: float = 900) -> list[tuple[int, float]]:
    period = 300 if metric.startswith("CPUCredit") else 60
    return points(asked, metric, given, stat, space=SPACE, period=period, back=max(back, 3 * period))


def values(asked: World, metric: str, given: Pairs, stat: str = "Average", back: float = 900) -> list[float]:
    return [value for _, value in read(asked, metric, given, stat, back)]


def clusters(cache: Any, **given: Any) -> dict[str, Any]:
    answer = cache.describe_cache_clusters(ShowCacheNodeInfo=True, **given)
    return {item["CacheClusterId"]: item for item in answer["CacheClusters"]}


def groups(cache: Any) -> dict[str, Any]:
    return {item["ReplicationGroupId"]: item for item in cache.describe_replication_groups()["ReplicationGroups"]}
