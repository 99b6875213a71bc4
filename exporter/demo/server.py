"""
The simulated AWS on one loopback port, and its control pages under ``/_demo/``.

It verifies the signature of every request, finds the service by the credential's scope, applies the fault rules and
lets the service's dialect answer. What is true is the world's; what is written down about each call is here.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from aiohttp import web

from exporter.demo import autoscaling, backup, cloudwatch, ec2, efs, elasticache, kms, s3, sts
from exporter.demo.buckets import Bucket
from exporter.demo.control import ControlPages
from exporter.demo.faults import ERRORS, Fault, Faults, tweaks
from exporter.demo.identities import Identities, Run, Span
from exporter.demo.metric_queries import MetricDataRequest
from exporter.demo.sigv4 import Key, SignatureError, verify
from exporter.demo.threads import Serving, in_thread
from exporter.demo.wire import (
    AUTOSCALING,
    BACKUP,
    CLOUDWATCH,
    EC2,
    EFS,
    ELASTICACHE,
    KMS,
    S3,
    SERVICES,
    STS,
    Reply,
    Request,
    Tweaks,
    WireError,
    refusal,
    render_error,
)
from exporter.demo.work_scenarios import REFUSALS
from exporter.demo.world import World

ACCESS_KEY_ID = "AKIAIOSFODNN7EXAMPLE"
SECRET_ACCESS_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"  # noqa: S105  the example pair of AWS's own documentation
KEPT_CALLS = 20_000
_MALFORMED = b"\x00<html>this is {not} the answer"
_VERSIONS = {"2011-06-15": STS, "2010-08-01": CLOUDWATCH, elasticache.VERSION: ELASTICACHE}
_TARGETS = (("TrentService.", KMS), (autoscaling.TARGET, AUTOSCALING))
_ANSWERS: Mapping[str, Callable[[World, Request, str, Tweaks], Reply]] = {
    EC2: ec2.handle,
    EFS: efs.handle,
    S3: s3.handle,
    KMS: kms.handle,
    BACKUP: backup.handle,
    ELASTICACHE: elasticache.handle,
    AUTOSCALING: autoscaling.handle,
}
"""Services that answer from a world alone, by their signing names."""


@dataclass(frozen=True, slots=True)
class Call:
    """
    One request that was answered, or not.

    `status` is 0 when no answer was begun; `error` is AWS's code or ``""``; `queries` and `billed` count GetMetricData
    queries and the metrics AWS would bill; `faults` are the kinds that hit it; `at` is real, `instant` the world's time
    (unix seconds); `answered` is the world's time when the answer was about to be made, 0 where none was. `request` is
    the GetMetricData request as it was understood.
    """

    service: str
    operation: str
    status: int
    user_agent: str
    access_key_id: str
    at: float
    instant: float
    parameters: Mapping[str, str] = field(default_factory=dict)
    queries: int = 0
    billed: int = 0
    error: str = ""
    faults: tuple[str, ...] = ()
    request: MetricDataRequest | None = None
    answered: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """The call as the control pages show it."""
        return {
            "service": self.service,
            "operation": self.operation,
            "status": self.status,
            "error": self.error,
            "user_agent": self.user_agent,
            "queries": self.queries,
            "billed": self.billed,
            "faults": self.faults,
            "at": self.at,
            "instant": self.instant,
        }


class DemoServer(Serving):
    """
    The simulated AWS; use it as an async context manager.

    Args:
        world: what exists; the estate of the mission in real time when None.

        host: address to listen on.

        port: 0 for any free one.

        worlds: further accounts and regions, served beside *world*.

        keys: further credentials it knows, beside `access_key_id` and `secret_access_key`.

        wall: real unix seconds, for signatures and sessions.
    """

    def __init__(
        self,
        world: World | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        worlds: Sequence[World] = (),
        keys: Sequence[Key] = (),
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.world = world if world is not None else World()
        self.faults = Faults()
        self.identities = Identities()
        self.access_key_id = ACCESS_KEY_ID
        self.secret_access_key = SECRET_ACCESS_KEY
        self.url = ""
        self._worlds: dict[tuple[str, str], World] = {}
        self._host, self._port, self._wall = host, port, wall
        self._calls: deque[Call] = deque(maxlen=KEPT_CALLS)
        self._runner: web.AppRunner | None = None
        self._stopping = asyncio.Event()
        arn = f"arn:aws:iam::{self.world.account_id}:user/demo"
        own = Key(self.access_key_id, self.secret_access_key, self.world.account_id, arn)
        self._keys = {key.access_key_id: key for key in (own, *keys)}
        for each in (self.world, *worlds):
            self.add_world(each)

    # --- for those who use it --------------------------------------------------------------------------------------

    def add_world(self, world: World) -> None:
        """Serve another account or region as well; where there is none, an account is empty."""
        self._worlds[world.account_id, world.region] = world
        world.account_buckets = partial(self._account_buckets, world.account_id)

    def add_key(self, key: Key) -> None:
        """Know further credentials."""
        self._keys[key.access_key_id] = key

    @property
    def keys(self) -> list[Key]:
        """The credentials it knows, those of sessions it granted included."""
        return list(self._keys.values())

    @property
    def calls(self) -> list[Call]:
        """What was asked, oldest first."""
        return list(self._calls)

    def clear_calls(self) -> None:
        """Forget what was asked, and by whom."""
        self._calls.clear()
        self.identities.clear()

    def handovers(self) -> list[Run]:
        """Who called, as runs of calls of one identity, oldest first."""
        return self.identities.handovers()

    def overlaps(self) -> list[tuple[Span, Span]]:
        """Pairs of calls of different identities that were under way at the same time."""
        return self.identities.overlaps()

    def environment(self) -> dict[str, str]:
        """The standard AWS variables that bring any client here."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_REGION": self.world.region,
            "AWS_DEFAULT_REGION": self.world.region,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    async def start(self) -> None:
        """Listen; `url` says where."""
        self._stopping = asyncio.Event()
        app = web.Application(client_max_size=16 * 2**20)
        calls = lambda: [call.as_dict() for call in self._calls]  # noqa: E731
        ControlPages(self.world, self.faults, calls, self.identities.as_dict).add_to(app)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"

    async def stop(self) -> None:
        """Stop listening; calls that hang are let go."""
        self._stopping.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    # --- one request -----------------------------------------------------------------------------------------------

    async def _answer(self, incoming: web.Request) -> web.StreamResponse:
        arrived, span = self.identities.monotonic(), None
        path, _, query = incoming.raw_path.partition("?")
        headers: dict[str, str] = {}
        for name, value in incoming.headers.items():
            lower = name.lower()
            headers[lower] = f"{headers[lower]},{value}" if lower in headers else value
        request = Request(incoming.method, path, query, headers, await incoming.read())
        call = Call(_guess(request), "", 0, headers.get("user-agent", ""), "", self._wall(), self.world.now())
        rules: list[Fault] = []
        try:
            request, call = self._admit(request, call)
            if call.access_key_id:
                span = self.identities.began(call.access_key_id, call.service, call.operation, arrived)
            rules = self.faults.take(call.service, call.operation)
            rules += self._refusals(self._world_of(request)).take(call.service, call.operation)
            call = replace(call, faults=tuple(rule.kind for rule in rules))
            await self._delay(rules)
            call = replace(call, answered=self.world.now())
            reply, asked = self._reply(request, call, rules)
            if asked is not None:
                call = replace(call, queries=len(asked.queries), billed=asked.billed, request=asked)
        except WireError as error:
            call = replace(call, error=error.code)
            reply = render_error(request, call.service, error)
        except asyncio.CancelledError:  # the client left
            self._calls.append(call)
            raise
        finally:
            if span is not None:
                self.identities.ended(span, call.queries, call.billed)
        self._calls.append(replace(call, status=reply.status))
        return await _send(incoming, reply, {rule.kind for rule in rules})

    def _admit(self, request: Request, call: Call) -> tuple[Request, Call]:
        """The request with its caller, once its signature holds; with the one unsigned operation, nobody's."""
        if call.service == STS and sts.is_unsigned(request):
            parameters = request.parameters
            request = replace(request, service=STS, region=self.world.region, account_id=self.world.account_id)
            return request, replace(call, operation=parameters["Action"], parameters=parameters)
        try:
            scope, key = verify(request, self._keys, self._wall)
        except SignatureError as error:
            raise refusal(call.service, error.kind, why=error.why) from None
        if scope.service != call.service:
            why = f"Credential should be scoped to correct service: '{call.service}'."
            raise refusal(call.service, "signature", why=why)
        request = replace(request, service=scope.service, region=scope.region, account_id=key.account_id, arn=key.arn)
        operation = _operation(request)
        parameters = {} if "x-amz-target" in request.headers else request.parameters
        if request.service == S3:
            parameters = {**parameters, "Bucket": s3.bucket_of(request)[0]}
        return request, replace(call, operation=operation, access_key_id=key.access_key_id, parameters=parameters)

    async def _delay(self, rules: list[Fault]) -> None:
        """Wait as the rules say, or until the server stops; a client that leaves cancels it."""
        for rule in rules:
            if rule.kind in {"hang", "slow"}:
                seconds = float(rule.options.get("seconds", 60 if rule.kind == "hang" else 1))
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), seconds)

    def _reply(self, request: Request, call: Call, rules: list[Fault]) -> tuple[Reply, MetricDataRequest | None]:
        for rule in rules:
            if rule.kind == "error":
                options = rule.options
                raise WireError(
                    options.get("code", "Unknown"), options.get("message", "A demo fault."), options.get("status", 400)
                )
            if rule.kind in ERRORS:
                resource = s3.resource_of(request) if call.service == S3 else ""
                raise refusal(call.service, rule.kind, operation=call.operation, arn=request.arn, resource=resource)
        world = self._world_of(request)
        if any(rule.kind == "empty" for rule in rules):
            world = World.empty(world.seed, world.now, account_id=world.account_id, region=world.region)
        changes = tweaks(rules)
        answer = _ANSWERS.get(call.service)
        if answer is not None:
            return answer(world, request, call.operation, changes), None
        if call.service == STS:
            known = set(self._keys)
            reply = sts.handle(self.world, request, call.operation, self._keys, self._wall)
            for session in self._keys.keys() - known:
                self.identities.granted(session, call.access_key_id or session)
            return reply, None
        return cloudwatch.handle(world, request, call.operation, changes)

    def _world_of(self, request: Request) -> World:
        found = self._worlds.get((request.account_id, request.region))
        if found is None:
            found = World.empty(self.world.seed, self.world.now, account_id=request.account_id, region=request.region)
            self.add_world(found)
        return found

    def _refusals(self, world: World) -> Faults:
        """The faults that belong to the scenario of *world*, once it has begun."""
        name, start = world.active
        found = Faults()
        for each in REFUSALS.get(name, ()) if world.now() >= start else ():
            found.add_from(each)
        return found

    def _account_buckets(self, account_id: str) -> list[Bucket]:
        """Every bucket of an account, in whatever region: S3 lists them everywhere."""
        worlds = [world for (account, _), world in self._worlds.items() if account == account_id]
        return sorted((item for world in worlds for item in world.own_buckets()), key=lambda item: item.name)


async def _send(incoming: web.Request, reply: Reply, kinds: set[str]) -> web.StreamResponse:
    body = reply.body
    if "malformed" in kinds:
        body = _MALFORMED
    if "truncated" in kinds:
        body = body[: len(body) // 2]
    headers = {"Content-Type": reply.content_type, **reply.headers}
    if "x-amz-request-id" not in headers:  # S3's own name for it
        headers["x-amzn-RequestId"] = "59dbff89-35bd-4eac-99ed-be587ed5d825"
    if "cut" in kinds:
        headers["Content-Length"] = str(len(body))
        stream = web.StreamResponse(status=reply.status, headers=headers)
        await stream.prepare(incoming)
        await stream.write(body[: len(body) // 2])
        if incoming.transport is not None:
            incoming.transport.close()
        return stream
    return web.Response(status=reply.status, headers=headers, body=body)


def _guess(request: Request) -> str:
    """The service a request is for, by its scope, else by its shape."""
    credential = request.headers.get("authorization", "").partition("Credential=")[2].partition(",")[0].split("/")
    if len(credential) == 5 and credential[3] in SERVICES:
        return credential[3]
    if request.path.startswith(efs.VERSION):
        return EFS
    if "x-amz-target" in request.headers:
        return next(
            (name for prefix, name in _TARGETS if request.headers["x-amz-target"].startswith(prefix)), CLOUDWATCH
        )
    if len(credential) != 5 and s3.operation_of(request) and "Action" not in request.parameters:
        return S3
    return _VERSIONS.get(request.parameters.get("Version", ""), EC2)


def _operation(request: Request) -> str:
    if request.service == EFS:
        return efs.operation_of(request)
    if request.service == BACKUP:
        return backup.operation_of(request)
    if request.service == S3:
        return s3.operation_of(request)
    target = request.headers.get("x-amz-target", "")
    return target.rpartition(".")[2] if target else request.parameters.get("Action", "")


@contextmanager
def run_in_thread(world: World | None = None, **options: Any) -> Iterator[DemoServer]:
    """
    A running server on a loop and thread of its own, for synchronous tests and for clients in other processes.

    Args:
        world: as for `DemoServer`.

        options: further ones of `DemoServer`.
    """
    with in_thread(DemoServer(world, **options), "demo-server") as server:
        yield server
