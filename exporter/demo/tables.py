"""
The rows the estate is made of: instance types, nodes, claims.

A reader who wants another node or volume adds a row here; `estate` makes resources of them. Pure.
"""

from __future__ import annotations

from exporter.demo.nouns import InstanceType, Load, Tags

ACCOUNT = "123456789012"
REGION = "ap-southeast-3"
OTHER_OWNER = "999988887777"
CLUSTER = "production"
DAY = 86_400


def zone(letter: str) -> tuple[str, str]:
    """The zone's name and its id, such as ``("ap-southeast-3a", "apse3-az1")``."""
    return f"{REGION}{letter}", f"apse3-az{'abc'.index(letter) + 1}"


AWKWARD_TAGS: Tags = (
    ('note "quoted"', 'say "hi" \\ back\\slash'),
    ("lines", "first\nsecond\r\n\ttabbed"),
    ("unicode", "Jakarta · 雅加達 · 🚀 · é"),
    ("markup", '<&> ]]> &amp; {x="y"}'),
    ("empty", ""),
)

INSTANCE_TYPES = {
    item.name: item
    for item in (
        InstanceType("m6i.xlarge", "nitro", 2500, 312.5, 12000, 10000, 1250.0, 40000, 28, "shared", 4),
        InstanceType("m6i.4xlarge", "nitro", 10000, 1250.0, 40000, 10000, 1250.0, 40000, 28, "shared", 16),
        InstanceType("r6i.large", "nitro", 650, 81.25, 3600, 10000, 1250.0, 40000, 28, "shared", 2),
        InstanceType("m7i.4xlarge", "nitro", 5000, 625.0, 20000, 10000, 1250.0, 40000, 32, "dedicated", 16),
        InstanceType("m4.large", "xen", 450, 56.25, 3600, 450, 56.25, 3600, 39, "shared", 2),
        InstanceType("c5.metal", "", 19000, 2375.0, 80000, 19000, 2375.0, 80000, 31, "shared", 96),
    )
}
"""What DescribeInstanceTypes knows, by name."""

# name, type, zone, detailed monitoring
NODES = (
    ("node-a1", "m6i.xlarge", "a", False),
    ("node-a2", "m6i.4xlarge", "a", True),
    ("node-a3", "m4.large", "a", False),
    ("node-b1", "m6i.xlarge", "b", False),
    ("node-b2", "r6i.large", "b", False),
    ("node-c1", "m6i.4xlarge", "c", False),
    ("node-c2", "c5.metal", "c", False),
)

QUIET = Load()
POSTGRES = Load(180, 420, 8, 8, 0.5, 0.8, 0.6)
WRITER = Load(15, 260, 32, 96, 0.7, 1.1, 0.3)
SMALL = Load(2, 9, 8, 8, 0.6, 0.9, 0.4)

# claim, namespace, node, GiB, IOPS, MiB/s, load, tags beyond the driver's; class gp3-sc, type gp3
CLAIMS: tuple[tuple[str, str, str, int, int, int, Load, Tags], ...] = (
    (
        "data-postgres-0",
        "databases",
        "node-a1",
        200,
        3000,
        125,
        POSTGRES,
        (("team", "payments"), ("data-classification", "restricted"), ("rpo", "1h")),
    ),
    (
        "data-postgres-1",
        "databases",
        "node-b1",
        200,
        6000,
        250,
        POSTGRES,
        (("team", "payments"), ("data-classification", "restricted"), ("rpo", "1h")),
    ),
    (
        "data-mysql-0",
        "databases",
        "node-a2",
        100,
        3000,
        125,
        Load(90, 210, 16, 16),
        (("team", "office"), ("data-classification", "confidential"), ("rpo", "4h")),
    ),
    ("data-mysql-1", "databases", "node-c1", 100, 3000, 125, Load(80, 190, 16, 16), (("team", "office"),)),
    ("data-mongodb-0", "databases", "node-a1", 150, 3000, 125, Load(120, 160, 24, 24), (("team", "documents"),)),
    ("data-mongodb-1", "databases", "node-b1", 150, 3000, 125, Load(110, 160, 24, 24), (("team", "documents"),)),
    ("data-mongodb-2", "databases", "node-c1", 150, 3000, 125, Load(110, 150, 24, 24), (("team", "documents"),)),
    ("data-cassandra-0", "databases", "node-a2", 500, 12000, 500, Load(600, 900, 64, 48), (("team", "events"),)),
    ("data-cassandra-1", "databases", "node-b2", 500, 3000, 125, Load(140, 240, 64, 48), (("team", "events"),)),
    ("data-cassandra-2", "databases", "node-c2", 500, 3000, 125, Load(150, 250, 64, 48), (("team", "events"),)),
    ("data-neo4j-0", "databases", "node-c1", 80, 3000, 125, Load(60, 30, 8, 8), (("team", "graph"), ("rpo", "24h"))),
    ("data-keydb-0", "databases", "node-a1", 40, 3000, 125, SMALL, (("team", "platform"),)),
    ("data-keydb-1", "databases", "node-b1", 40, 3000, 125, SMALL, (("team", "platform"),)),
    ("data-clickhouse-0", "databases", "node-c2", 1000, 20000, 1000, Load(700, 300, 256, 256), (("team", "data"),)),
    ("storage-mimir-ingester-0", "observability", "node-a2", 100, 4000, 200, WRITER, (("team", "observability"),)),
    ("storage-mimir-ingester-1", "observability", "node-b1", 100, 3000, 125, WRITER, (("team", "observability"),)),
    ("storage-mimir-ingester-2", "observability", "node-c1", 100, 3000, 125, WRITER, (("team", "observability"),)),
    ("data-loki-ingester-0", "observability", "node-a2", 60, 3000, 125, WRITER, (("team", "observability"),)),
    ("data-loki-ingester-1", "observability", "node-b2", 60, 3000, 125, WRITER, (("team", "observability"),)),
    ("data-tempo-ingester-0", "observability", "node-c1", 50, 3000, 125, WRITER, (("team", "observability"),)),
    ("data-prometheus-0", "observability", "node-c2", 120, 3000, 125, Load(25, 90, 64, 128), ()),
    ("data-grafana-0", "observability", "node-b2", 10, 3000, 125, SMALL, AWKWARD_TAGS),
    ("data-rabbitmq-0", "messaging", "node-c2", 30, 3000, 125, QUIET, (("monitoring", "pinned"),)),
    ("data-legacy-cron-0", "legacy", "node-a3", 20, 3000, 125, Load(1.5, 2.5, 8, 8, swing=0.9, idle_share=0.4), ()),
)

# claim, namespace, uid: access points of eks_production
SHARED_CLAIMS = (
    ("uploads", "officeless", 50_000),
    ("exports", "officeless", 50_001),
    ("attachments", "documents", 50_002),
    ("fonts", "documents", 50_003),
    ("airflow-dags", "data", 50_004),
    ("airflow-logs", "data", 50_005),
    ("jenkins-home", "build", 50_006),
    ("wordpress-content", "web", 50_007),
)
