"""A pod with an identity: the simulated AWS, the node's agent, the exporter's way to AWS, and a look for secrets."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore.utils import ContainerMetadataFetcher

from exporter.aws.api import Access, Runtime
from exporter.demo import DemoServer
from exporter.demo.agent import Agent
from tests.aws_wire import Limits, Told, VirtualClock, told
from tests.calls import remember
from tests.harness import config_of

HALF_LIFE = 3 * 3600 + 1
"""Seconds after which the agent's usual credentials are due."""


@dataclass
class Pod:
    """What a test holds; `clock` is the exporter's and the agent's, and starts at the real time."""

    server: DemoServer
    agent: Agent
    clock: VirtualClock
    telling: Told = field(default_factory=told)

    @asynccontextmanager
    async def runtime(self, clock: Any = None, **identity: str) -> AsyncIterator[Runtime]:
        """The exporter's way to AWS; *identity* is the configuration's."""
        async with Runtime(
            environ=os.environ,
            limits_config=Limits(),
            telemetry=self.telling.telemetry,
            clock=clock or self.clock,
            user_agent="storage-exporter/0",
            jitter=lambda: 0.0,
            identity=config_of(identity=identity).identity,
        ) as runtime:
            yield runtime

    @property
    def failures(self) -> dict[str, float]:
        """Failed refreshes by class."""
        name = "credentials_refresh_failures_total"
        codes = {labels["code"] for labels in self.telling.labels(name)}
        return {code: self.telling.value(name, code=code) for code in codes}

    @property
    def expiry(self) -> float:
        """When the credentials in use expire, as the metric says."""
        return self.telling.value("credentials_expiry_timestamp_seconds")

    def secrets(self) -> set[str]:
        """Everything that must be seen nowhere."""
        found = set(self.agent.tokens) | {self.agent.token_file.read_text().strip()}
        found |= {*self.server.world.web_identities.values(), *self.server.world.ended_web_identities}
        for key in self.server.keys:
            found |= {key.secret_access_key, key.session_token or ""}
        return found - {""}

    def shown(self, *texts: str) -> list[str]:
        """The secrets that are to be seen in *texts* or in the exporter's own metrics."""
        own = self.telling.telemetry.render(openmetrics=False).decode()
        return [secret for secret in self.secrets() if any(secret in text for text in (*texts, own))]


@asynccontextmanager
async def a_pod(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture, *, injected: bool = True
) -> AsyncIterator[Pod]:
    """
    A pod, on this very event loop; at its end nothing secret may be in the log or the metrics.

    Args:
        monkeypatch: of the environment. botocore's pauses between questions to the agent are made short.

        tmp_path: for the token file.

        caplog: heard from level info.

        injected: whether EKS has put its variables into the pod.
    """
    caplog.set_level("INFO")
    caplog.set_level("INFO", logger="exporter")
    monkeypatch.setattr(ContainerMetadataFetcher, "SLEEP_TIME", 0.01)
    monkeypatch.setattr(ContainerMetadataFetcher, "TIMEOUT_SECONDS", 0.3)
    clock = VirtualClock(time.time())
    async with DemoServer() as server, Agent(server, tmp_path / "pod-token", wall=clock.time) as agent:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        for name, value in (agent.environment() if injected else {}).items():
            monkeypatch.setenv(name, value)
        pod = Pod(server, agent, clock)
        try:
            yield pod
        finally:
            remember(server.calls)
        assert pod.secrets()
        assert not pod.shown(caplog.text)


async def ask(access: Access, **more: Any) -> Any:
    """One signed call, of the API with the smallest model."""
    return await access.call("sts", "GetCallerIdentity", {}, aws_service="ebs", **more)


async def calls(access: Access, n: int) -> None:
    """*n* calls side by side."""
    await asyncio.gather(*(ask(access) for _ in range(n)))


def put(file: Path, text: str | None) -> None:
    """What a file holds from now on; None for a file that is not there."""
    if text is None:
        file.unlink()
    else:
        file.write_text(text)


def identities(telling: Told) -> Sequence[tuple[str, str]]:
    """(account_id, provider) of each identity_info."""
    return sorted((labels["account_id"], labels["provider"]) for labels in telling.labels("identity_info"))
