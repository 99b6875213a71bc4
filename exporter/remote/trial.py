"""
Whether the receiver would take what we send, found out by a request that holds nothing. For `check --connect`.
"""

from __future__ import annotations

from collections.abc import Mapping

from exporter.clock import Clock
from exporter.config.delivery import Push
from exporter.errors import ConfigError, ReceiverError
from exporter.remote.client import Client
from exporter.remote.replies import advice, meaning
from exporter.remote.tenants import Tenants
from exporter.remote.wire import write


class _Nobody:
    def posted(self, code: str) -> None:
        """Is not counted."""

    def failed(self) -> None:
        """Is not counted."""


async def try_receiver(
    push: Push, *, user_agent: str, clock: Clock, environ: Mapping[str, str] | None = None
) -> str | None:
    """
    Send an empty request for each tenant.

    Args:
        push: the configuration.

        user_agent: such as ``storage-exporter/0.1.0``.

        clock: the time.

        environ: of the process, for its proxy; None for the real one.

    Returns:
        None where all were accepted, else what is wrong with the first that was not and the next step.
    """
    nobody = _Nobody()
    client = Client(push, user_agent=user_agent, clock=clock, permitted=lambda: True, told=nobody, environ=environ)
    try:
        async with client:
            for tenant in Tenants(push.tenant, push.tenants).names():
                reply = await client.post(write(()), tenant)
                if meaning(reply) != "taken":
                    return f"{push.url}{f' as tenant {tenant}' if tenant else ''}: {advice(reply)}"
    except ConfigError as error:
        return "; ".join(map(str, error.faults))
    except ReceiverError as error:
        return f"{push.url}: {error}"
    return None
