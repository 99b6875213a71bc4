"""
The EKS Pod Identity agent of a node, on loopback: it gives a pod's credentials for the token in the pod's file.

Written from the contract of the containers' credentials endpoint (AWS SDKs and Tools Reference Guide, "Container
credential provider"; chart.md 3.1). What it gives is known to a `DemoServer`, so signatures made with it verify, and
end when the session ends. Its troubles are switches; AWS's own are the server's fault rules.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web

from exporter.demo.server import DemoServer
from exporter.demo.sigv4 import Key
from exporter.demo.sts import granted
from exporter.demo.tables import ACCOUNT
from exporter.demo.threads import Serving

PATH = "/v1/credentials"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/storage-exporter"
USUAL_LIFE = 6 * 3600.0
"""Seconds."""

TROUBLES: dict[str, str] = {
    "": "none",
    "hang": "no answer until the client leaves",
    "503": "HTTP 503: the agent cannot reach the EKS Auth API",
    "400": "HTTP 400: EKS Auth does not give the role to this pod",
    "malformed": "HTTP 200 with half of a JSON document",
    "missing": "HTTP 200 without the member `lacking`",
}
"""What may be the matter with it."""


class Agent(Serving):
    """
    One agent; use it as an async context manager.

    Args:
        server: the AWS its credentials are good for.

        token_file: the pod's; written when it starts, and by `rotate`.

        role: whose credentials it gives.

        life: seconds of each session.

        wall: unix seconds, for the expiry it names and the server's end of the session.

    ``role``, ``life``, ``trouble`` (of `TROUBLES`) and ``lacking`` may be set at any time. ``accepts_old`` says whether
    a token is good after it was rotated away. ``calls`` counts requests as they come; ``answers`` are the statuses of
    those that were answered, ``tokens`` what each request had for a token, ``granted`` the sessions.
    """

    def __init__(
        self,
        server: DemoServer,
        token_file: Path,
        *,
        role: str = ROLE,
        life: float = USUAL_LIFE,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.role = role
        self.life = life
        self.trouble = ""
        self.lacking = "Token"
        self.accepts_old = False
        self.calls = 0
        self.answers: list[int] = []
        self.tokens: list[str] = []
        self.granted: list[Key] = []
        self.token_file = token_file
        self.url = ""
        self._server = server
        self._wall = wall
        self._known: set[str] = set()
        self._port = 0
        self._runner: web.AppRunner | None = None
        self._stopping = asyncio.Event()
        self.rotate("eks-pod-identity-token-0")

    def rotate(self, token: str) -> None:
        """Put another token into the file, as the kubelet does."""
        self._known.add(token)
        self.token_file.write_text(token)

    def end_sessions(self) -> None:
        """End all sessions it has given, before their time."""
        self.granted = [replace(key, expires=0.0) for key in self.granted]
        for key in self.granted:
            self._server.add_key(key)

    def environment(self) -> dict[str, str]:
        """The variables EKS puts into a pod."""
        return {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": self.url,
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(self.token_file),
        }

    async def start(self) -> None:
        """Listen, on the port of before where it has listened before; `url` says where."""
        self._stopping = asyncio.Event()
        app = web.Application()
        app.router.add_get(PATH, self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self._port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self._port}{PATH}"

    async def stop(self) -> None:
        """Stop listening; requests that hang are let go."""
        self._stopping.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    # --- one request -----------------------------------------------------------------------------------------------

    async def _answer(self, request: web.Request) -> web.Response:
        self.calls += 1
        token = request.headers.get("Authorization", "")
        self.tokens.append(token)
        if self.trouble == "hang":
            await self._stopping.wait()
        answer = self._reply(token)
        self.answers.append(answer.status)
        return answer

    def _reply(self, token: str) -> web.Response:
        if self.trouble in {"hang", "503"}:
            return web.Response(status=503, text="(ServiceUnavailableException): the service is unavailable")
        good = self._known if self.accepts_old else {self.token_file.read_text()}
        if token not in good:
            return web.Response(
                status=400, text="(InvalidTokenException): The token included in the request is invalid"
            )
        if self.trouble == "400":
            message = "EKS does not have permissions to assume the associated role"
            return web.Response(status=400, text=f"(AccessDeniedException): {message}")
        if self.trouble == "malformed":
            return web.Response(text='{"AccessKeyId": "', content_type="application/json")
        key = granted(self.role, "eks-production-pod", self.life, len(self.granted), self._wall(), tagged=True)
        self._server.add_key(key)
        self.granted.append(key)
        answer = {
            "AccessKeyId": key.access_key_id,
            "SecretAccessKey": key.secret_access_key,
            "Token": key.session_token,
            "AccountId": key.account_id,
            "Expiration": datetime.fromtimestamp(key.expires or 0.0, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        if self.trouble == "missing":
            del answer[self.lacking]
        return web.json_response(answer)
