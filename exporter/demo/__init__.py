"""
An independent simulated AWS (EBS, EFS, KMS, Backup, CloudWatch, STS), Kubernetes API, remote-write receiver and
rulers on loopback: the demo, and the tests' witness.

It imports nothing of the exporter, so that what the two agree on is AWS's, not a shared mistake. Start with
`server.DemoServer`; `world.World` says what exists, `scenarios.SCENARIOS` what can go wrong there, `faults.KINDS` what
can go wrong on the wire. `kubernetes.KubernetesServer` is the API of the cluster whose volumes the account holds.
"""

from exporter.demo.clock import WorldClock
from exporter.demo.faults import KINDS
from exporter.demo.kubernetes import KubernetesServer, run_kubernetes_in_thread
from exporter.demo.kubernetes_faults import KUBERNETES_KINDS
from exporter.demo.kubernetes_objects import cluster_of
from exporter.demo.kubernetes_store import Cluster
from exporter.demo.mimir import ANONYMOUS, MimirServer, run_mimir_in_thread
from exporter.demo.mimir_checks import Limits as MimirLimits
from exporter.demo.mimir_checks import Refusal
from exporter.demo.mimir_faults import MIMIR_KINDS
from exporter.demo.mimir_pages import MimirRequest
from exporter.demo.mimir_wire import STALE_BITS, bits_of, is_stale
from exporter.demo.regions import mission_worlds
from exporter.demo.rulers import RULER_FAULTS, RulerLimits, RulerRequest, RulerServer, run_ruler_in_thread
from exporter.demo.scenarios import SCENARIOS
from exporter.demo.server import DemoServer, run_in_thread
from exporter.demo.world import World

__all__ = [
    "ANONYMOUS",
    "KINDS",
    "KUBERNETES_KINDS",
    "MIMIR_KINDS",
    "RULER_FAULTS",
    "SCENARIOS",
    "STALE_BITS",
    "Cluster",
    "DemoServer",
    "KubernetesServer",
    "MimirLimits",
    "MimirRequest",
    "MimirServer",
    "Refusal",
    "RulerLimits",
    "RulerRequest",
    "RulerServer",
    "World",
    "WorldClock",
    "bits_of",
    "cluster_of",
    "is_stale",
    "mission_worlds",
    "run_in_thread",
    "run_kubernetes_in_thread",
    "run_mimir_in_thread",
    "run_ruler_in_thread",
]
