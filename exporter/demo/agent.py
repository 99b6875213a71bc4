"""
A fake EKS Pod Identity agent on loopback: credentials of a role for whoever shows the token of its file.

Written from what pods see (chart.md 3.1, 3.3) and from the errors of EKS Auth (its API Reference).
Its credentials are known to a `DemoServer`, so what is signed with them is answered there.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson
from aiohttp import web

from exporter.demo.server import DemoServer
from exporter.demo.sessions import make_key
from exporter.demo.sigv4 import Key
from exporter.demo.wire import iso

PATH = "/v1/credentials"
TROUBLES: dict[str, str] = {
    "hang": "no answer, or none until the client leaves",
    "unavailable": "HTTP 503, as when EKS Auth cannot be reached",
    "malformed": "HTTP 200 with half a JSON document",
    "missing-member": "HTTP 200 without SecretAccessKey",
    "denied": "HTTP 400, the text of `denial`",
}
"""What can be wrong with the agent, by name."""

DENIAL = "(AccessDeniedException): Unauthorized Exception! EKS does not have permissions to assume the associated role."


class PodIdentityAgent:
    """
    The agent of one pod; use it as an async context manager.

    Args:
        server: that shall know the credentials.

        token_file: where the pod's token is; a first token is written there.

        role: ARN of the role; the first of the server's world when None.

        session: name of the sessions.

        life: seconds the credentials live (EKS: six hours).

        wall: real unix seconds.

    Attributes:
        trouble: of `TROUBLES`, or ``""`` for none; may be changed at any time, also from another thread.

        denial: the body of the trouble ``denied``.

        calls: statuses of the answers, oldest first; 0 for one that was never given.
    """

    def __init__(
        self,
        server: DemoServer,
        token_file: Path,
        *,
        role: str | None = None,
        session: str = "eks-production-storage-exporter-0a1b2c3d",
        life: float = 21_600.0,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.trouble = ""
        self.denial = DENIAL
        self.life = life
        self.calls: list[int] = []
        self.url = ""
        self.role = role or next(iter(server.world.roles))
        self.token_file = token_file
        self._server, self._session, self._wall = server, session, wall
        self._known: dict[str, Key] = {}
        self._runner: web.AppRunner | None = None
        self._stopping = asyncio.Event()
        self.rotate()

    def rotate(self, token: str | None = None) -> str:
        """Write another token into the file (one of chance when None); the one before is refused from now on."""
        made = token if token is not None else f"pod-token-{secrets.token_hex(12)}"
        self.token_file.write_text(made, encoding="utf-8")
        return made

    def environment(self) -> dict[str, str]:
        """The variables EKS puts into a pod that has an association."""
        return {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": self.url + PATH,
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(self.token_file),
        }

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen on a free port of loopback; `url` says where."""
        self._stopping = asyncio.Event()
        app = web.Application()
        app.router.add_get(PATH, self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"

    async def stop(self) -> None:
        """Stop listening; calls that hang are let go."""
        self._stopping.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _answer(self, request: web.Request) -> web.Response:
        if self.trouble == "hang":
            self.calls.append(0)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), 600)
            return web.Response(status=503)
        status, body, kind = self._decide(request.headers.get("Authorization", ""))
        self.calls.append(status)
        return web.Response(status=status, body=body, content_type=kind)

    def _decide(self, token: str) -> tuple[int, bytes, str]:
        """Status, body and content type for a call that shows *token*."""
        plain = "text/plain"
        if self.trouble == "unavailable":
            return 503, b"(ServiceUnavailableException): The service is unavailable.", plain
        if self.trouble == "denied":
            return 400, self.denial.encode(), plain
        if not token:
            return 400, b"Service account token cannot be empty", plain
        if token != self.token_file.read_text(encoding="utf-8"):
            return 400, b"(InvalidTokenException): The token provided is not valid.", plain
        body = self._credentials()
        if self.trouble == "malformed":
            return 200, body[: len(body) // 2], "application/json"
        return 200, body, "application/json"

    def _credentials(self) -> bytes:
        key = make_key(self.role, self._session, self._known, self._wall, self.life, tagged=True)
        self._server.add_key(key)
        body = {
            "AccessKeyId": key.access_key_id,
            "SecretAccessKey": key.secret_access_key,
            "Token": key.session_token,
            "AccountId": key.account_id,
            "Expiration": iso(key.expires or 0.0),
        }
        if self.trouble == "missing-member":
            del body["SecretAccessKey"]
        return orjson.dumps(body)


@contextmanager
def run_agent_in_thread(server: DemoServer, token_file: Path, **options: Any) -> Iterator[PodIdentityAgent]:
    """
    A running agent on a loop and thread of its own, for synchronous tests and for clients in other processes.

    Args:
        server: as for `PodIdentityAgent`, as are `token_file` and the further *options*.
    """
    agent = PodIdentityAgent(server, token_file, **options)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="pod-identity-agent", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(agent.start(), loop).result(30)
        yield agent
    finally:
        asyncio.run_coroutine_threadsafe(agent.stop(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()
