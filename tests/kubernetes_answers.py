"""What each of the README's expressions must answer, scene by scene, written by hand from the demo's tables.

Volumes, instances, nodes and file systems have the names that those tables give them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tests.kubernetes_plots import LOST_POINT

Found = Mapping[tuple[str, ...], float | None]
"""Values of the labels that are looked at → value; None for one that is not."""

NOTHING: Found = {}
MIB = 2**20


@dataclass(frozen=True)
class Answer:
    """
    What one expression answers.

    Args:
        labels: that are looked at.

        found: where no scene says otherwise.

        scenes: what else it is, by scene.

        scoped: whether it is so in a shard that does not show what Kubernetes says (else there is nothing).

    Without a leader there is nothing.
    """

    labels: tuple[str, ...]
    found: Found = field(default_factory=dict)
    scenes: Mapping[str, Found] = field(default_factory=dict)
    scoped: bool = False

    def of(self, scene: str) -> Found:
        """What it is in a scene."""
        if scene in self.scenes:
            return self.scenes[scene]
        if scene == "no-lease" or (scene == "shard-0-lost" and not self.scoped):
            return NOTHING
        return self.found


def each(namespace: str, claims: Iterable[str], value: float | None = None) -> Found:
    """The same value for several claims."""
    return {(namespace, claim): value for claim in claims}


def without(found: Found, *keys: tuple[str, ...]) -> Found:
    """All but some."""
    assert set(keys) <= set(found)
    return {key: value for key, value in found.items() if key not in keys}


OF_CLAIM = ("namespace", "persistentvolumeclaim")
DATABASES = (
    *("data-postgres-0", "data-postgres-1", "data-mysql-0", "data-mysql-1"),
    *("data-mongodb-0", "data-mongodb-1", "data-mongodb-2"),
    *("data-cassandra-0", "data-cassandra-1", "data-cassandra-2", "data-clickhouse-0", "data-neo4j-0"),
    *("data-keydb-0", "data-keydb-1"),
)
INGESTERS = ("storage-mimir-ingester-0", "storage-mimir-ingester-1", "storage-mimir-ingester-2")
OBSERVED = (
    *("data-loki-ingester-0", "data-loki-ingester-1", "data-tempo-ingester-0", "data-prometheus-0", "data-grafana-0"),
    *INGESTERS,
)
# Of those on instances that tell of latency: not that of node-a3, which is no Nitro instance.
ATTACHED: Found = {
    **each("databases", DATABASES),
    **each("observability", OBSERVED),
    **each("messaging", ["data-rabbitmq-0"]),
    **each("web", ["data-wiki-0"]),
}
POINTS = [
    (namespace, claim, claim)  # the access point that was made for it is called like it here
    for namespace, claims in {
        "officeless": ("uploads", "exports"),
        "documents": ("attachments", "fonts"),
        "data": ("airflow-dags", "airflow-logs"),
        "build": ("jenkins-home",),
        "web": ("wordpress-content",),
    }.items()
    for claim in claims
]
SHARED_POINT = [("web", "media-console", "media"), ("documents", "media-console", "media")]

DRIFTING = ("data-postgres-1", "data-cassandra-0", "data-clickhouse-0", "storage-mimir-ingester-0")


def drift(*values: float) -> Found:
    """What those that were changed by hand have."""
    return {("gp3-sc", claim): value for claim, value in zip(DRIFTING, values, strict=True)}


FULL: Found = {
    ("node-a1",): 3 / 25,  # claimed volumes of CLAIMS on it, of what its type takes
    ("node-a2",): 4 / 25,
    ("node-a3",): 1 / 36,
    ("node-b1",): 4 / 25,
    ("node-b2",): 4 / 25,  # and the wiki's
    ("node-c1",): 5 / 25,
    ("node-c2",): 4 / 28,
}
VERSIONS: Found = {
    ("ebs.csi.aws.com", "controller", "v1.42.0"): 2.0,
    ("ebs.csi.aws.com", "node", "v1.42.0"): 7.0,
    ("efs.csi.aws.com", "controller", "v2.1.7"): 2.0,
    ("efs.csi.aws.com", "node", "v2.1.7"): 7.0,
}
LOST_WITH_A1 = ("data-postgres-0", "data-mongodb-0", "data-keydb-0")
IN_ZONE_C: Found = {
    **each("databases", ["data-mysql-1", "data-mongodb-2", "data-cassandra-2", "data-neo4j-0", "data-clickhouse-0"]),
    **each("observability", ["storage-mimir-ingester-2", "data-tempo-ingester-0", "data-prometheus-0"]),
    **each("messaging", ["data-rabbitmq-0"]),
}

USED: Found = {
    ("databases", "data-postgres-0", "data-postgres-0"): 50 / 200,
    ("databases", "data-cassandra-0", "data-cassandra-0"): 100 / 500,
}

ANSWERS: Mapping[str, Answer] = {
    # ---- the claim beside a number
    "Any metric of a volume, with its claim": Answer(
        OF_CLAIM,
        ATTACHED,
        {
            "attach-stuck": without(ATTACHED, ("databases", "data-mongodb-0")),
            "volume-gone": without(ATTACHED, ("databases", "data-keydb-1")),
            "volume-orphaned": without(ATTACHED, ("observability", "data-tempo-ingester-0")),
            "by-hand": {**ATTACHED, **each("databases", ["quorum"]), **each("", [""])},  # released, attached still
            "denied": without(ATTACHED, ("web", "data-wiki-0")),  # it was made before there was a driver to tag it
        },
        scoped=True,
    ),
    "Used share of the size the volume has, with its id (kubelet)": Answer(
        (*OF_CLAIM, "volume_id"),
        USED,
        {"denied": {**USED, ("databases", "data-postgres-0", "kept-copy"): 50 / 200}},
        scoped=True,
    ),
    "Share of time at the IOPS limit (NVMe)": Answer(
        (*OF_CLAIM, "instance_id"), {("databases", "data-postgres-0", "node-a1"): 0.1}, scoped=True
    ),
    "Mean read latency (NVMe)": Answer(
        (*OF_CLAIM, "instance_id"), {("databases", "data-postgres-0", "node-a1"): 0.0005}, scoped=True
    ),
    "GiB by a label of the claims (kube-state-metrics)": Answer(
        ("label_team",),
        {("payments",): 200.0 + 200.0, ("office",): 100.0},
        {"claim-terminating": NOTHING, "denied": {("payments",): 200.0 + 200.0 + 200.0, ("office",): 100.0}},
        scoped=True,
    ),
    "Access points with their claims": Answer(
        (*OF_CLAIM, "access_point_id"),
        dict.fromkeys((*POINTS, *SHARED_POINT), 1.0),
        {"denied": {("", "", point): 1.0 for _, _, point in POINTS}},
        scoped=True,
    ),
    "Claims on each file system": Answer(
        ("file_system_id",),
        {("eks_production",): 8.0, ("media",): 3.0},  # of the latter, one by a path
        {"denied": NOTHING},
        scoped=True,
    ),
    "Whom it hits when a file system has no burst credits": Answer(
        (*OF_CLAIM, "access_point_id"),
        dict.fromkeys(POINTS),  # the others have no credits to lose
        {"denied": {("", "", point): None for _, _, point in POINTS}},  # only the client token tells of them
        scoped=True,
    ),
    # ---- class, size, attachment
    "IOPS other than the class's": Answer(
        ("storageclass", "persistentvolumeclaim"),
        drift(6000, 12000, 20000, 4000),
        {
            "by-hand": {**drift(6000, 12000, 20000, 4000), ("gp3-sc", "quorum"): 1000.0, ("gp3-sc", ""): 8000.0},
            "denied": NOTHING,
        },
    ),
    "Throughput other than the class's": Answer(
        ("storageclass", "persistentvolumeclaim"),
        drift(250 * MIB, 500 * MIB, 1000 * MIB, 200 * MIB),
        {"denied": NOTHING},
    ),
    "Volume type other than the class's": Answer(
        (*OF_CLAIM, "volume_type"), scenes={"by-hand": {("databases", "quorum", "io2"): 1.0, ("", "", "io2"): 1.0}}
    ),
    "File system other than the class's": Answer(
        (*OF_CLAIM, "fstype"), scenes={"by-hand": {("databases", "data-keydb-0", "xfs"): 1.0}}
    ),
    "Claims with less than they ask for": Answer(OF_CLAIM, each("databases", ["data-cassandra-0"], 500 * 2**30)),
    "Grown volumes whose file system has waited for its node for 15 minutes": Answer(
        OF_CLAIM, each("databases", ["data-cassandra-0"])
    ),
    "Attaching or detaching for more than 3 minutes": Answer(
        (*OF_CLAIM, "node", "operation"),
        scenes={
            "attach-stuck": {("databases", "data-mongodb-0", "node-a2", "attach"): 540.0},
            "node-loss": {("databases", claim, "node-a1", "detach"): 190.0 for claim in LOST_WITH_A1},
            "by-hand": {("databases", "quorum", "node-a2", "attach"): 500.0},
            "denied": NOTHING,
        },
    ),
    "EC2's view of the same volumes": Answer(
        ("volume_id", "instance_id", "state"),
        scenes={
            "attach-stuck": {("data-mongodb-0", "node-a2", "attaching"): 540.0},
            "node-loss": {(claim, "node-a1", "detaching"): 190.0 for claim in LOST_WITH_A1},
            "by-hand": {("quorum", "node-a1", "attached"): 500.0, ("quorum", "node-a2", "attached"): 500.0},
        },
    ),
    "Attachments that fail, by reason": Answer(
        ("operation", "reason"),
        scenes={"attach-stuck": {("attach", "unexpected_state"): 1.0}, "node-loss": {("detach", "timeout"): 3.0}},
    ),
    # ---- nodes, zones, drivers
    "How full nodes are with volumes": Answer(
        ("node",),
        FULL,
        {
            "attach-stuck": {**FULL, ("node-a1",): 2 / 25, ("node-a2",): 5 / 25},
            "node-loss": without(FULL, ("node-a1",)),
            "csi-driver-missing": without(FULL, ("node-b1",)),
            "volume-orphaned": {**FULL, ("node-c1",): 4 / 25},
            "by-hand": {**without(FULL, ("node-c1",)), ("node-a1",): 4 / 25, ("node-a2",): 5 / 25},
            "denied": NOTHING,
        },
    ),
    "Ready nodes without the EBS or EFS driver": Answer(
        ("node", "csi_driver"), scenes={"csi-driver-missing": {("node-b1", "ebs.csi.aws.com"): 0.0}}
    ),
    "Claimed volumes in a zone without a ready node": Answer(
        (*OF_CLAIM, "availability_zone"),
        scenes={"by-hand": {(*key, "ap-southeast-3c"): 1.0 for key in IN_ZONE_C}},
    ),
    "Pods that wait, and the zone of their volume (pods)": Answer(
        ("pod_name", "volume_id", "availability_zone"),
        scenes={
            "attach-stuck": {("mongodb-0", "data-mongodb-0", "ap-southeast-3a"): 1.0},
            "node-loss": {(claim[5:], claim, "ap-southeast-3a"): 1.0 for claim in LOST_WITH_A1},
        },
    ),
    "Versions of the drivers (pods)": Answer(
        ("csi_driver", "component", "version"),
        VERSIONS,
        {
            "node-loss": {
                **VERSIONS,
                ("ebs.csi.aws.com", "node", "v1.42.0"): 6.0,
                ("efs.csi.aws.com", "node", "v2.1.7"): 6.0,
            },
            "by-hand": {
                **without(VERSIONS, ("ebs.csi.aws.com", "controller", "v1.42.0")),
                ("ebs.csi.aws.com", "node", "v1.42.0"): 6.0,
                ("ebs.csi.aws.com", "node", "v1.41.0"): 1.0,
            },
            "denied": NOTHING,
        },
    ),
    "Pods of the drivers that are not ready (pods)": Answer(
        ("csi_driver", "component"), scenes={"csi-driver-missing": {("ebs.csi.aws.com", "node"): 1.0}}
    ),
    "Drivers without a ready controller (pods, CSIDrivers)": Answer(
        ("csi_driver",), scenes={"by-hand": {("ebs.csi.aws.com",): 1.0}}
    ),
    # ---- left over, gone, going
    "Released volumes in GiB, and whose they were": Answer(
        (*OF_CLAIM, "volume_id"),
        {("reporting", "old-reporting", "orphan"): 300.0},
        {
            "by-hand": {
                ("reporting", "old-reporting", "orphan"): 300.0,
                ("databases", "old-redo", "redo"): 200.0,
            },
            "denied": NOTHING,
        },
    ),
    "Orphaned volumes in GiB: no persistent volume names them": Answer(
        (*OF_CLAIM, "volume_id"),
        scenes={
            "volume-orphaned": {("observability", "data-tempo-ingester-0", "data-tempo-ingester-0"): 50.0},
        },
    ),
    "Persistent volumes whose volume or access point is gone": Answer(
        (*OF_CLAIM, "volume_id", "access_point_id"),
        scenes={
            "volume-gone": {("databases", "data-keydb-1", "data-keydb-1", ""): 1.0},
            "by-hand": {("web", "lost-share", "", LOST_POINT): 1.0},
        },
    ),
    "Claims that are going, and their data with them": Answer(
        OF_CLAIM, scenes={"claim-terminating": each("databases", ["data-mysql-0"], 600.0)}
    ),
    "Claims pending for more than 10 minutes": Answer(OF_CLAIM, each("databases", ["data-reporting-0"])),
    # ---- the exporter
    "Who leads": Answer(("pod",), {("storage-exporter-0",): 1.0}, {"shard-0-lost": {("storage-exporter-1",): 1.0}}),
    "Nobody leads, or not every shard has a leader": Answer(
        ("job",),
        scenes={"no-lease": {("storage-exporter",): 0.0}, "shard-0-lost": {("storage-exporter",): 1.0}},
    ),
    "Shards that are not there": Answer(("job",), scenes={"shard-0-lost": {("storage-exporter",): 1.0}}),
    "No exporter, or none that leads": Answer((), scenes={"no-lease": {(): 1.0}}),
    "Why attempts at the Lease failed": Answer(
        ("pod", "code"), scenes={"no-lease": {("storage-exporter-0", "forbidden"): None}}
    ),
    "Kinds that are not known": Answer(
        ("kind",), scenes={"denied": {("persistentvolumes",): 0.0, ("csinodes",): 0.0, ("pods",): 0.0}}
    ),
    "Claims that Kubernetes did not tell": Answer(
        ("aws_service", "source"),
        scenes={"denied": {("ebs", "tags"): 25.0, ("efs", "client_token"): 8.0}},
    ),
    "Objects left out, other than other drivers'": Answer(
        ("kind", "reason"),
        scenes={
            "by-hand": {
                ("persistentvolumes", "malformed_handle"): 1.0,
                ("persistentvolumes", "handle_twice"): 1.0,
            }
        },
    ),
}
"""By question."""
