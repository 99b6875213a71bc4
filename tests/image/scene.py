"""
The pod of the rendered chart in a sandbox, between a simulated AWS with its Pod Identity agent, a simulated Kubernetes
API and, where it pushes, a simulated Mimir.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from exporter.demo import DemoServer, World
from exporter.demo.agent import Agent
from exporter.demo.kubernetes import KubernetesServer
from exporter.demo.kubernetes_objects import cluster_of
from exporter.demo.mimir import MimirServer
from tests.calls import remember
from tests.chart.rendering import Object, one, render
from tests.image.building import environment
from tests.image.dockerfile import final
from tests.image.kubelet import Container, Kubelet, Node
from tests.image.sandbox import Sandbox, started
from tests.prometheus import free_port
from tests.serving import Authority

NAME = "storage-exporter-6f9c9c9d7b-x2x4z"
PASSWORD = "correct-horse-battery-staple"
_IDENTITY = "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount"
_TOKEN = "eks-pod-identity-token"
_PATIENCE = 60.0
"""Seconds for what a probe has no number for."""


@dataclass
class Scene:
    """What a test looks at."""

    sandbox: Sandbox
    session: aiohttp.ClientSession
    aws: DemoServer
    agent: Agent
    kubernetes: KubernetesServer
    mimir: MimirServer | None
    objects: list[Object]

    @property
    def container(self) -> Container:
        return self.sandbox.container

    async def get(self, path: str, port: int = 0) -> tuple[int, str]:
        """One answer of the pod; status 0 where there is none."""
        port = port or self.container.probes["readinessProbe"][1]
        try:
            async with self.session.get(f"http://127.0.0.1:{port}{path}") as answer:
                return answer.status, await answer.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            return 0, repr(error)

    async def probe(self, name: str) -> None:
        """Ask as the kubelet does, until it is content."""
        path, port = self.container.probes[name]
        answer: tuple[int, str] = (0, "")
        try:
            async with asyncio.timeout(_PATIENCE):
                while not 200 <= (answer := await self.get(path, port))[0] < 400:
                    assert self.sandbox.process.poll() is None, f"it has ended: {self.sandbox.said()}"
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"{name}: {answer}; it said {self.sandbox.said()}") from None


def values(aws: DemoServer, port: int, mimir: MimirServer | None) -> dict[str, Any]:
    """The chart's own values, but for the places that are simulated."""
    found: dict[str, Any] = {
        "port": port,
        "aws": {"region": aws.world.region},
        "extraEnv": [{"name": "AWS_ENDPOINT_URL", "value": aws.url}],
    }
    if mimir is not None:
        password = "/etc/storage-exporter/secrets/mimir/password"
        auth = {"basic": {"username": "exporter", "password_file": password}}
        push = {"url": mimir.push_url, "tenant": "anonymous", "auth": auth}
        found["secretFiles"] = ["mimir"]
        found["config"] = {"delivery": {"mode": "push", "push": push}, "cluster": "test"}
    return found


@asynccontextmanager
async def scene(
    folder: Path,
    *,
    pushes: bool = False,
    limits: Mapping[str, Any] | None = None,
    more: Mapping[str, Any] | None = None,
) -> AsyncIterator[Scene]:
    """
    The pod, running.

    Args:
        folder: an empty one.

        pushes: whether it pushes to Mimir, with a password, in place of being scraped.

        limits: the configuration's section of that name.

        more: values of the chart over those of `values`.
    """
    built = await asyncio.to_thread(environment, final().base.partition(":")[2].partition("-")[0])
    authority = Authority(folder)
    authority.issue("api")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "api.crt", folder / "api.key")
    world = World()
    async with AsyncExitStack() as stack:
        aws = await stack.enter_async_context(DemoServer(world))
        agent = await stack.enter_async_context(Agent(aws, folder / _TOKEN))
        kubernetes = await stack.enter_async_context(KubernetesServer(cluster_of(world), ssl=tls))
        mimir = MimirServer(basic={"exporter": PASSWORD}) if pushes else None
        if mimir is not None:
            await stack.enter_async_context(mimir)
        wanted = {**values(aws, free_port(), mimir), **(more or {})}
        if limits:
            wanted["config"] = {**wanted.get("config", {}), "limits": dict(limits)}
        objects = await asyncio.to_thread(render, wanted)
        node = _node(aws, agent, kubernetes, authority)
        container = Kubelet(one(objects, "Deployment")["spec"]["template"], objects, final(), node, NAME).container()
        session = await stack.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)))
        running = started(container, built, folder / "pod")
        sandbox = await asyncio.to_thread(running.__enter__)
        try:
            yield Scene(sandbox, session, aws, agent, kubernetes, mimir, objects)
        finally:
            await asyncio.to_thread(running.__exit__, None, None, None)
            remember(aws.calls)


def _node(aws: DemoServer, agent: Agent, kubernetes: KubernetesServer, authority: Authority) -> Node:
    """What the node and EKS add to the pod."""
    host, _, port = kubernetes.url.removeprefix("https://").rpartition(":")
    injected = {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": agent.url,
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": f"{_IDENTITY}/{_TOKEN}",
        "AWS_REGION": aws.world.region,
        "AWS_DEFAULT_REGION": aws.world.region,
        "AWS_STS_REGIONAL_ENDPOINTS": "regional",
    }
    secret = {"kind": "Secret", "metadata": {"name": "mimir"}, "stringData": {"password": PASSWORD}}
    return Node(
        token=kubernetes.token,
        authority=authority.path.read_text(),
        api=(host, port),
        injected=injected,
        injected_files={_IDENTITY: {_TOKEN: agent.token_file.read_text()}},
        objects=[secret],
    )
