"""
What all access to AWS shares: threads, connections, service models, limits, credentials by identity.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any, Self

from botocore.exceptions import BotoCoreError

from exporter.aws.attempts import Attempts
from exporter.aws.clients import Botocore
from exporter.aws.faults import brief
from exporter.aws.identity import IdentityConfig
from exporter.aws.limits import Limits, LimitsConfig
from exporter.aws.session import Frozen, Keeper
from exporter.aws.transport import Transport
from exporter.aws.workers import Workers
from exporter.clock import Clock
from exporter.errors import (
    ConfigError,
    CredentialsError,
    Fault,
)
from exporter.telemetry import Telemetry


class Shared:
    """
    What all access to AWS shares: threads, connections, service models, limits. An async context manager.

    Args:
        environ: where the default region is looked for; everything else of AWS's variables and files is botocore's
            to read.

        limits_config: the configuration's `limits`.

        telemetry: counts every call.

        clock: for pace, deadlines and the life of credentials.

        user_agent: what AWS's logs show of us.

        jitter: numbers from 0 to 1.

        identity: the configuration's `identity`; None takes any.

        permitted: whether AWS may be asked now.
    """

    def __init__(
        self,
        *,
        environ: Mapping[str, str],
        limits_config: LimitsConfig,
        telemetry: Telemetry,
        clock: Clock,
        user_agent: str,
        jitter: Callable[[], float] = random.random,
        identity: IdentityConfig | None = None,
        permitted: Callable[[], bool] = lambda: True,
    ) -> None:
        self.deadline = float(limits_config.deadline)
        self.telemetry = telemetry
        self.user_agent = user_agent
        self.botocore = Botocore(user_agent)
        self.workers = Workers(clock.monotonic)
        self.attempts = Attempts(
            deadline=self.deadline,
            limits=Limits(limits_config, clock),
            telemetry=telemetry,
            clock=clock,
            jitter=jitter,
            permitted=permitted,
        )
        self._permitted = permitted
        self._clock = clock
        self._jitter = jitter
        self._environ = environ
        self.provider = identity.provider if identity is not None else "auto"
        self.role = identity.role if identity is not None else None
        self._transport: Transport | None = None
        self.keepers: dict[tuple[object, ...], Keeper] = {}
        self.accesses: dict[tuple[object, ...], Any] = {}  # kept here, made in `api`

    async def __aenter__(self) -> Self:
        try:
            verify = await asyncio.to_thread(self.botocore.verify)
        except BotoCoreError as error:
            raise CredentialsError(f"the AWS settings cannot be read: {brief(error)}") from error
        self._transport = Transport(verify, self._permitted)
        try:
            await self._transport.open()
        except (OSError, ssl.SSLError) as error:
            fault = Fault("AWS_CA_BUNDLE", f"the certificates in {verify} cannot be read: {brief(error)}")
            raise ConfigError("AWS settings", [fault]) from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for keeper in self.keepers.values():
            await keeper.close()
        await self.transport.close()
        self.workers.close()

    def monotonic(self) -> float:
        """Seconds that never jump."""
        return self._clock.monotonic()

    @property
    def transport(self) -> Transport:
        """The process's connections to AWS."""
        if self._transport is None:
            raise RuntimeError("use Runtime in `async with` only")
        return self._transport

    def new_keeper(self, fetch: Callable[[], Awaitable[Frozen]], name: str) -> Keeper:
        """A keeper of the credentials that *fetch* gets; *name* says whose, for people."""
        return Keeper(fetch, name=name, clock=self._clock, jitter=self._jitter)

    def default_region(self) -> str:
        """
        The region of AWS's own settings.

        Raises:
            ConfigError: where they name none. CredentialsError: where they cannot be read.
        """
        try:
            region = self.botocore.default_region(self._environ)
        except BotoCoreError as error:
            raise CredentialsError(f"the AWS settings cannot be read: {brief(error)}") from error
        if not region:
            message = (
                "no region: set scopes[].regions in the configuration, AWS_REGION (or AWS_DEFAULT_REGION), "
                "or `region` in the AWS profile"
            )
            raise ConfigError("AWS settings", [Fault("scopes", message)])
        return region
