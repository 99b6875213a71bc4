"""The rules about caches: Valkey and Redis OSS on nodes, in groups and serverless."""

from __future__ import annotations

from rules.build.elasticache_load import CLIENTS_GROUP, CONNECTIONS_GROUP, ENGINE_GROUP, HOSTS_GROUP
from rules.build.elasticache_memory import MEMORY_GROUP
from rules.build.elasticache_nodes import NODES_GROUP
from rules.build.elasticache_plans import PLANS_GROUP
from rules.build.elasticache_serverless import SERVERLESS_GROUP
from rules.build.elasticache_terms import owners
from rules.build.model import Group, RuleFile

FILE = RuleFile(
    name="elasticache",
    about="Caches (ElastiCache for Valkey and Redis OSS): full, dead, failed over, overloaded; serverless ones at limits.",
    groups=[
        Group(topic="owners", rules=[owners()]),
        NODES_GROUP,
        MEMORY_GROUP,
        ENGINE_GROUP,
        CONNECTIONS_GROUP,
        HOSTS_GROUP,
        CLIENTS_GROUP,
        SERVERLESS_GROUP,
        PLANS_GROUP,
    ],
)
