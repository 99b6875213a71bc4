"""
The demo: the simulated AWS, the simulated Kubernetes API and remote-write receiver beside it, and the exporter against
all of them, in one process. The only module that knows all of them.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import click

from exporter import logs
from exporter.app import App, read_config
from exporter.clock import SystemClock
from exporter.config import Config, Delivery, Kubernetes, Lease, Push, Role, Scope, Tls
from exporter.demo import SCENARIOS, DemoServer, KubernetesServer, MimirServer, World, WorldClock, mission_worlds
from exporter.demo.kubernetes_objects import cluster_of
from exporter.demo.regions import EXTERNAL_ID, SECOND_REGION, SECOND_ROLE

__all__ = ["SCENARIOS", "run"]

TENANT = "demo"
KEPT = 6 * 3600.0
"""Seconds of samples that the receiver keeps."""


async def run(
    config_path: str | None, *, port: int, aws_port: int, seed: int, scenario: str, speed: float, push: bool
) -> None:
    """
    Serve until stopped.

    Args:
        config_path: of the configuration, None for the defaults; both regions and accounts unless it names scopes.

        port: of the exporter on loopback, 0 for any free one.

        aws_port: of the simulated AWS, likewise.

        seed: of ids, curves and noise.

        scenario: one of `SCENARIOS`.

        speed: world seconds a second.

        push: push to a simulated receiver, as a configuration that pushes does too: the demo writes nowhere else.

    Raises:
        `ConfigError`: where the configuration is bad. OSError: where a port is taken.
    """
    world, *others = mission_worlds(seed, WorldClock(speed=speed))
    kubernetes = KubernetesServer(cluster_of(world), anonymous="you")  # kubectl sends no token without TLS
    pushes = push or read_config(config_path, os.environ).delivery.mode == "push"
    mimir = MimirServer(now=world.now, keep=KEPT) if pushes else None

    def read() -> Config:
        found = read_config(config_path, os.environ)
        web = found.web.model_copy(update={"listen": f"127.0.0.1:{port}"})
        log = found.log.model_copy(update={"format": "logfmt", "level": "warning"})
        changes = {"web": web, "log": log, "scopes": found.scopes or _scopes(world.region)}
        if found.kubernetes.enabled is not False:
            changes["kubernetes"] = _kubernetes(found.kubernetes, kubernetes.url, token)
        changes["delivery"] = Delivery()
        if mimir is not None:
            changes["delivery"] = _delivery(found.delivery.push, mimir.push_url, Path(folder, "outbox"))
            changes["cluster"] = found.cluster or "demo"
        return found.model_copy(update=changes)

    with tempfile.TemporaryDirectory(prefix="storage-exporter-demo-") as folder:
        token = Path(folder, "token")
        kubeconfig = Path(folder, "kubeconfig")
        await asyncio.to_thread(token.write_text, kubernetes.token, encoding="ascii")
        logs.configure("logfmt", "warning")
        world.scenario(scenario)
        async with AsyncExitStack() as servers:
            server = await servers.enter_async_context(DemoServer(world, port=aws_port, worlds=others))
            for each in (kubernetes, mimir) if mimir is not None else (kubernetes,):
                await servers.enter_async_context(each)
            # This process is the demo's alone: nothing of the user's AWS settings may reach it, or be reached by it.
            for name in [name for name in os.environ if name.startswith("AWS_")]:
                del os.environ[name]
            os.environ.update(server.environment(), AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull)

            def started(host: str, port: int) -> None:
                url = f"http://{host}:{port}"
                known: dict[str, object] = {
                    "url": url,
                    "aws": server.url,
                    "api": kubernetes.url,
                    "kubeconfig": kubeconfig,
                }
                known |= {"where": "", "look": _SCRAPE.format(url=url)}
                if mimir is not None:
                    query = _QUERY.format(url=mimir.url, push=config.delivery.push)
                    known |= {"where": _PUSHED.format(url=mimir.url), "look": query}
                click.echo(_WELCOME.format(**known, world=world, scenario=scenario))

            text = json.dumps(kubernetes.kubeconfig())
            await asyncio.to_thread(kubeconfig.write_text, text, encoding="ascii")
            config = read()
            app = App(config, read=read, source="the demo", environ=os.environ, clock=_DemoClock(world))
            await app.run(started)


def _kubernetes(wanted: Kubernetes, url: str, token: Path) -> Kubernetes:
    """What the user wants of Kubernetes, of the demo's API; with everything that can be watched and the Lease."""
    lease = Lease(namespace="monitoring")
    changes = {"url": url, "token_file": str(token), "pods": True, "csi_drivers": True}
    return wanted.model_copy(update={**changes, "leader_election": True, "lease": lease})


def _delivery(wanted: Push | None, url: str, outbox: Path) -> Delivery:
    """What the user wants of pushing, to the demo's receiver, which knows any tenant and wants no credentials."""
    found = wanted or Push(url=url)
    changes: dict[str, object] = {
        "url": url,
        "tenant": found.tenant or TENANT,
        "auth": None,
        "headers": {},
        "tls": Tls(),
    }
    kept = found.outbox.model_copy(update={"path": str(outbox)})
    return Delivery(mode="push", push=found.model_copy(update={**changes, "outbox": kept}))


class _DemoClock(SystemClock):
    """The world's time, so that a world that runs faster is also read faster."""

    def __init__(self, world: World) -> None:
        self._world = world

    def time(self) -> float:
        """The world's instant, unix seconds."""
        return self._world.now()

    async def sleep(self, seconds: float) -> None:
        """Sleep *seconds* of the world's time, as fast as it runs now; at most a minute of real time when it stands."""
        until = self.time() + seconds
        while (left := until - self.time()) > 0:
            speed = getattr(self._world.now, "speed", 1.0)
            await asyncio.sleep(min(left / speed if speed else 1.0, 1.0))


_SHOWN = "aws_ebs_volume_read_bytes_per_second"
_WELCOME = """
storage-exporter demo: {world.account_id} in {world.region}, scenario {scenario}

  metrics        {url}/metrics        (first values within seconds; OpenMetrics by Accept header)
  landing page   {url}/
  simulated AWS  {aws}/_demo/   clock, scenarios, faults, calls
  Kubernetes API {api}   kubectl --kubeconfig {kubeconfig} get pv,pvc -A
{where}  any AWS client AWS_ENDPOINT_URL={aws} AWS_REGION={world.region} \\
                 AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY

  {look}
  Stop with Ctrl-C.
"""

_PUSHED = (
    "  remote write   {url}/_demo/   what has arrived, refusals, faults; /metrics has the exporter's own series only\n"
)
_SCRAPE = f"curl -s {{url}}/metrics | grep {_SHOWN}"
_QUERY = f"curl -s -H 'X-Scope-OrgID: {{push.tenant}}' '{{url}}/prometheus/api/v1/query?query={_SHOWN}'"


def _scopes(region: str) -> tuple[Scope, ...]:
    """Both regions of the demo's account, and its second account by way of a role."""
    role = Role(arn=SECOND_ROLE, external_id=EXTERNAL_ID)
    return Scope(regions=(region, SECOND_REGION)), Scope(regions=(SECOND_REGION,), roles=(role,))
