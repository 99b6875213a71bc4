"""What the alerts about caches must do."""

from __future__ import annotations

from rules.build.cases import (
    elasticache_load,
    elasticache_memory,
    elasticache_nodes,
    elasticache_plans,
    elasticache_readings,
    elasticache_serverless,
)
from rules.build.cases.shapes import Case, Reading

_PARTS = (elasticache_nodes, elasticache_memory, elasticache_load, elasticache_serverless, elasticache_plans)

CASES: list[Case] = [case for part in _PARTS for case in part.CASES]
READINGS: list[Reading] = [reading for part in (*_PARTS, elasticache_readings) for reading in part.READINGS]
