"""
What the simulated servers do in trouble, whatever they speak: wait, break a connection, answer as a load balancer does.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress

from aiohttp import web

from exporter.demo.rules import Rule

BAD_GATEWAY = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


class BrokenOffError(Exception):
    """A fault has closed the connection."""


def break_off(incoming: web.Request, *, reset: bool) -> None:
    """Close the connection without an answer; with *reset* the client sees that it was no ordinary end."""
    transport = incoming.transport
    if transport is None:
        return
    sock = transport.get_extra_info("socket")
    if reset and sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def wait_out(rule: Rule, seconds: float, stopping: asyncio.Event) -> None:
    """Wait *seconds*, or until the server stops; with the rule's option `held` only while the rule is there."""
    loop = asyncio.get_running_loop()
    until, held = loop.time() + seconds, bool(rule.options.get("held"))
    while (left := until - loop.time()) > 0 and not stopping.is_set():
        if rule.removed and held:
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), min(left, 0.02 if held else left))
