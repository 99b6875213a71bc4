"""
What this process is to its cluster: the Kubernetes API it reads, the Lease it shares with others, the shard it is.
"""

from __future__ import annotations

import contextlib
import random
import socket
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from exporter import __version__, logs
from exporter.clock import Clock, SystemClock
from exporter.cluster_telemetry import ClusterTelemetry
from exporter.config import Config
from exporter.config import Kubernetes as KubernetesConfig
from exporter.errors import ConfigError, Fault
from exporter.kubernetes.inside import SERVICE_ACCOUNT, in_cluster
from exporter.shards import Shard, own_ordinal
from exporter.working import Heeded, Replica, Told

if TYPE_CHECKING:
    from exporter.kubernetes.lease import Elector
    from exporter.kubernetes.server import Server

_LOG = logs.logger(__name__)


def reads_kubernetes(config: KubernetesConfig, *, in_pod: bool) -> bool:
    """Whether the configuration wants Kubernetes read; *in_pod* where this is a pod that may speak to its API."""
    if config.enabled == "auto":
        return config.named or in_pod
    return config.enabled


def elects(config: KubernetesConfig, *, in_pod: bool) -> bool:
    """Whether the configuration wants one of several replicas to lead."""
    if config.leader_election == "auto":
        return config.enabled is not False and in_pod
    return config.leader_election


def shard(config: Config, environ: Mapping[str, str], source: str) -> Shard:
    """
    Which of the exporters that share the scopes this is.

    Raises:
        ConfigError: where that cannot be known.
    """
    total, ordinal = config.shards.total, config.shards.ordinal
    if total == 1:
        return Shard()
    name = environ.get("POD_NAME") or socket.gethostname()
    found = own_ordinal(name) if ordinal == "auto" else ordinal
    if found is None or found >= total:
        what = "has no number at its end" if found is None else f"ends in {found}, which is not one of {total} ordinals"
        message = f"the pod's name {name} {what}; run a StatefulSet of {total} replicas, or set the ordinal"
        raise ConfigError(source, [Fault("shards.ordinal", message)])
    return Shard(found, total)


@contextlib.asynccontextmanager
async def replica(
    config: Config,
    environ: Mapping[str, str],
    clock: Clock,
    telemetry: ClusterTelemetry,
    *,
    own: Shard,
    source: str,
    election: bool = True,
    directory: Path = SERVICE_ACCOUNT,
) -> AsyncIterator[Replica]:
    """
    The cluster and the election that *config* wants; nothing is asked before they are run.

    Args:
        config: the whole configuration.

        environ: the environment, for the cluster's address and the pod's names.

        clock: time.

        telemetry: measures requests and renewals.

        own: the shard this is; each has a Lease of its own.

        source: where the configuration comes from, for people.

        election: whether there may be one: a single pass of a person takes nobody's Lease.

        directory: where a pod finds its service account. A pod without a token there is not meant to ask the API.

    Raises:
        ConfigError: where the API or the Lease cannot be named.
    """
    kubernetes = config.kubernetes
    in_pod = in_cluster(environ) and (directory / "token").exists()
    reads, leads = reads_kubernetes(kubernetes, in_pod=in_pod), election and elects(kubernetes, in_pod=in_pod)
    if not reads and (config.pins.annotations or config.pins.storage_classes):
        text = "pins.annotations and pins.storage_classes pin nothing, for Kubernetes is not read here"
        logs.log(_LOG, "warning", "configuration", f"{text}; set kubernetes.enabled, or pin by pins.tags")
    if not reads and not leads:
        yield Replica()
        return
    from exporter.kubernetes.api import Api  # noqa: PLC0415 - for those who read Kubernetes, or have a Lease there
    from exporter.kubernetes.server import find  # noqa: PLC0415

    real = SystemClock()  # a Lease, a token and a watch live in real time, also where AWS's is another
    server = await find(kubernetes, environ, real, directory=directory)
    agent = f"storage-exporter/{__version__}"
    async with Api(server, user_agent=agent, clock=real, observed=telemetry.request) as api:
        cluster = None
        if reads:
            from exporter.kubernetes.cluster import Cluster  # noqa: PLC0415

            logs.log(_LOG, "info", "kubernetes", f"claims are read from {server.url} ({server.source})")
            cluster = Cluster(api, kubernetes, clock, telemetry)
            cluster.keep(config.pins.annotations)
        heeded = Heeded(api)
        told = Told(telemetry, clock.time)
        elector = _elector(config, environ, heeded, server, own, told, source) if leads else None
        yield Replica(cluster, elector, heeded)


def _elector(
    config: Config,
    environ: Mapping[str, str],
    api: Heeded,
    server: Server,
    own: Shard,
    told: Told,
    source: str,
) -> Elector:
    from exporter.kubernetes.lease import Elector, Timing  # noqa: PLC0415 - where there is an election

    lease = config.kubernetes.lease
    namespace = lease.namespace or environ.get("POD_NAMESPACE") or server.namespace
    if not namespace:
        message = "is needed for the Lease outside of a cluster; give the namespace of the exporter's pods"
        raise ConfigError(source, [Fault("kubernetes.lease.namespace", message)])
    name = lease.name if own.total == 1 else f"{lease.name}-{own.ordinal}"
    return Elector(
        api,
        namespace=namespace,
        name=name,
        identity=lease.identity or identity(environ),
        timing=Timing(lease.duration, lease.renew_deadline, lease.retry_period),
        clock=SystemClock(),
        jitter=random.random,
        told=told,
    )


def identity(environ: Mapping[str, str], unique: Callable[[], uuid.UUID] = uuid.uuid4) -> str:
    """Who this process is in the Lease: the pod's name and uid, else the host's name and a number of its own."""
    name = environ.get("POD_NAME") or socket.gethostname()
    return f"{name}_{environ.get('POD_UID') or unique()}"
