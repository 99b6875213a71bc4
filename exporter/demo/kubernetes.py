"""
The simulated Kubernetes API on one loopback port: HTTP, tokens, permissions, faults, and what was asked.

What exists is the `Cluster`'s; bodies are made in `kubernetes_wire`, watches run in `kubernetes_watch`. It imports
nothing of the exporter.
"""

from __future__ import annotations

import asyncio
import ssl as tls
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from aiohttp import web

from exporter.demo import kubernetes_leases as leases
from exporter.demo import kubernetes_wire as wire
from exporter.demo.kubernetes_access import Access
from exporter.demo.kubernetes_answers import answer, refused, send
from exporter.demo.kubernetes_control import KubernetesCall, add_pages
from exporter.demo.kubernetes_faults import KubernetesFault, KubernetesFaults
from exporter.demo.kubernetes_kinds import Object, Resource, discovery
from exporter.demo.kubernetes_selectors import everything, selection, value_at
from exporter.demo.kubernetes_status import (
    ApiError,
    bad_request,
    expired,
    forbidden,
    internal,
    no_such_path,
    not_allowed,
    not_found,
    too_large,
    too_many,
    unauthorized,
)
from exporter.demo.kubernetes_store import Cluster, key_of
from exporter.demo.kubernetes_watch import Watch
from exporter.demo.kubernetes_wire import Ask
from exporter.demo.outages import BAD_GATEWAY, BrokenOffError, break_off, wait_out
from exporter.demo.threads import Serving, in_thread

TOKEN = "demo-kubernetes-token"  # noqa: S105  of the demo
USER = "system:serviceaccount:monitoring:storage-exporter"
KEPT_CALLS = 20_000


class KubernetesServer(Serving):
    """
    The simulated API; use it as an async context manager.

    Args:
        cluster: what exists; an empty one when None.

        host: address to listen on.

        port: 0 for any free one; once started it stays the same, so that `stop` and `start` are an outage.

        tokens: bearer token to user name; one token when None.

        anonymous: the user a request without a token is from; nobody when ``""``. kubectl sends no token without TLS.

        ssl: speaks TLS when given.

        bookmarks: seconds between the bookmarks of a watch.

        tick: real seconds between looks at what the cluster follows.

        roles: as `enforce` takes them.
    """

    def __init__(
        self,
        cluster: Cluster | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tokens: Mapping[str, str] | None = None,
        anonymous: str = "",
        ssl: tls.SSLContext | None = None,
        bookmarks: float = 60.0,
        tick: float = 1.0,
        roles: Iterable[Object] | None = None,
    ) -> None:
        self.cluster = cluster if cluster is not None else Cluster()
        self.faults = KubernetesFaults()
        self.tokens: dict[str, str] = dict(tokens if tokens is not None else {TOKEN: USER})
        self.url = ""
        self._host, self._port, self._ssl, self._anonymous = host, port, ssl, anonymous
        self._bookmarks, self._tick = bookmarks, tick
        self._denied: set[tuple[str | None, str | None, str | None]] = set()
        self._access: Access | None = None
        self.enforce(roles)
        self._calls: deque[KubernetesCall] = deque(maxlen=KEPT_CALLS)
        self._watches: set[Watch] = set()
        self._runner: web.AppRunner | None = None
        self._stopping = asyncio.Event()
        self._ticker: asyncio.Task[None] | None = None
        self._unlisten: Callable[[], None] = _nothing

    # --- for those who use it --------------------------------------------------------------------------------------

    @property
    def token(self) -> str:
        """The first of the tokens."""
        return next(iter(self.tokens))

    @property
    def calls(self) -> list[KubernetesCall]:
        """What was asked, oldest first."""
        return list(self._calls)

    def clear_calls(self) -> None:
        """Forget what was asked."""
        self._calls.clear()

    @property
    def watching(self) -> int:
        """How many watches are open."""
        return len(self._watches)

    def drop_watches(self) -> None:
        """End every open watch, as an API server does that is replaced. From any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._end_watches)

    def deny(self, kind: str | None = None, *, user: str | None = None, verb: str | None = None) -> None:
        """Take a permission away: of a kind (plural), a user, a verb; None is all of them."""
        self._denied.add((user, kind, verb))

    def allow(self, kind: str | None = None, *, user: str | None = None, verb: str | None = None) -> None:
        """Give back what `deny` took in the same words."""
        self._denied.discard((user, kind, verb))

    def enforce(self, roles: Iterable[Object] | None) -> None:
        """
        From now on allow what these roles and bindings allow, and nothing else; where None, everybody may do all.

        Raises:
            ValueError: the real API would not store one of them.
        """
        self._access = Access(roles) if roles is not None else None

    def kubeconfig(self, authority: str = "") -> Object:
        """A kubeconfig for the first token, as JSON has it; *authority* is the path of a CA's certificate."""
        trust = {"certificate-authority": authority} if authority else {}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "demo", "cluster": {"server": self.url, **trust}}],
            "users": [{"name": "demo", "user": {"token": self.token}}],
            "contexts": [{"name": "demo", "context": {"cluster": "demo", "user": "demo", "namespace": "monitoring"}}],
            "current-context": "demo",
        }

    async def start(self) -> None:
        """Listen; `url` says where."""
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        app = web.Application(client_max_size=4 * 2**20)
        add_pages(app, self.faults, self._calls)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port, ssl_context=self._ssl).start()
        host, self._port = self._runner.addresses[0][:2]
        self.url = f"http{'s' if self._ssl else ''}://{host}:{self._port}"
        loop = self._loop
        self._unlisten = self.cluster.listen(lambda: self._wake(loop))
        self._ticker = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """Stop listening; calls that hang and watches are let go."""
        self._stopping.set()
        self._unlisten()
        self._unlisten = _nothing
        self._end_watches()
        if self._ticker is not None:
            self._ticker.cancel()
            with suppress(asyncio.CancelledError):
                await self._ticker
            self._ticker = None
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _wake(self, loop: asyncio.AbstractEventLoop) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody watches any more
            loop.call_soon_threadsafe(self._wake_watches)

    def _wake_watches(self) -> None:
        for watch in self._watches:
            watch.wake()

    def _end_watches(self) -> None:
        for watch in self._watches:
            watch.end()

    async def _follow(self) -> None:
        while True:
            self.cluster.refresh()
            await asyncio.sleep(self._tick)

    # --- one request -----------------------------------------------------------------------------------------------

    async def _answer(self, incoming: web.Request) -> web.StreamResponse:
        ask = wire.asked(incoming.method, incoming.path, dict(incoming.query))
        scheme, _, token = incoming.headers.get("Authorization", "").partition(" ")
        user = self.tokens.get(token.strip(), "") if scheme.lower() == "bearer" else self._anonymous
        rules = self.faults.take(ask.verb, ask.resource, ask.name, user, token.strip())
        call = KubernetesCall(
            *(ask.verb, ask.resource, ask.namespace, ask.name, user, ask.path, ask.query),
            incoming.headers.get("User-Agent", ""),
            time.time(),
            faults=tuple(rule.kind for rule in rules),
        )
        self._calls.append(call)
        late = [rule for rule in rules if rule.options.get("applied")]
        try:
            response = await self._suffer(incoming, ask, [rule for rule in rules if rule not in late])
            if response is None:
                self._admit(ask, user)
                if ask.verb == "watch" and ask.kind is not None:
                    return await self._watch(incoming, ask, ask.kind, rules, call)
                status, body = self._do(incoming, ask, await incoming.read())
                response = await self._suffer(incoming, ask, late) or answer(incoming, status, body)
        except ApiError as error:
            response = refused(error)
        except BrokenOffError:
            call.ended = time.time()
            return web.Response(status=503)  # nobody receives it
        call.status, call.ended = response.status, time.time()
        return await send(incoming, response, {rule.kind for rule in rules})

    async def _suffer(self, incoming: web.Request, ask: Ask, rules: Sequence[KubernetesFault]) -> web.Response | None:
        """Wait, refuse or break the connection as the rules say; None when the request goes on."""
        for rule in rules:
            if rule.kind in {"hang", "slow"}:
                await wait_out(rule, rule.seconds(60 if rule.kind == "hang" else 1), self._stopping)
            if rule.kind in {"reset", "down"}:
                break_off(incoming, reset=rule.kind == "reset")
                raise BrokenOffError
            if rule.kind == "html-502":
                return web.Response(status=502, body=BAD_GATEWAY, content_type="text/html")
            if rule.kind == "error-500":
                raise internal()
            if rule.kind == "unauthorized":
                raise unauthorized()
            if rule.kind == "forbidden":
                raise forbidden("somebody", ask.request)
            if rule.kind == "too-many-429":
                raise too_many(rule.seconds(1))
            if rule.kind == "gone-410" and (ask.verb != "watch" or rule.options.get("http")):
                raise expired("The resourceVersion for the provided request is too old.")
        return None

    def _admit(self, ask: Ask, user: str) -> None:
        if not user:
            raise unauthorized()
        for whose, kind, verb in self._denied:
            if whose in {None, user} and kind in {None, ask.resource} and verb in {None, ask.verb}:
                raise forbidden(user, ask.request)
        if self._access is not None and not self._access.allows(user, ask.request):
            raise forbidden(user, ask.request)

    async def _watch(
        self,
        incoming: web.Request,
        ask: Ask,
        kind: Resource,
        rules: Sequence[KubernetesFault],
        call: KubernetesCall,
    ) -> web.StreamResponse:
        match = selection(kind, ask.query.get("labelSelector", ""), ask.query.get("fieldSelector", ""))
        self.cluster.refresh()
        watch = Watch(self.cluster, kind, ask, match, rules, self._bookmarks)
        self._watches.add(watch)
        call.status = 200
        try:
            return await watch.run(incoming)
        finally:
            self._watches.discard(watch)
            call.ended = time.time()

    def _do(self, incoming: web.Request, ask: Ask, body: bytes) -> tuple[int, Any]:
        """Status and JSON of an ordinary request."""
        kind = ask.kind
        if kind is None:
            if ask.verb != "get":
                raise not_allowed()
            found = discovery(ask.path, incoming.host)
            if found is None:
                raise no_such_path()
            return 200, found
        self.cluster.refresh()
        if ask.verb == "list":
            return 200, self._list(incoming, kind, ask)
        if ask.verb == "get":
            item = self.cluster.get(kind.name, _key(ask))
            if item is None:
                raise not_found(kind, ask.name)
            return 200, self._shown(incoming, kind, [item], {}) or wire.single(kind, item)
        if not kind.writable or ask.verb == "patch" or (kind.namespaced and not ask.namespace):
            raise not_allowed()
        return self._write(kind, ask, body)

    def _list(self, incoming: web.Request, kind: Resource, ask: Ask) -> Object:
        match = selection(kind, ask.query.get("labelSelector", ""), ask.query.get("fieldSelector", ""))
        token, limit, version = ask.query.get("continue", ""), ask.number("limit"), ask.query.get("resourceVersion", "")
        if token and version not in {"", "0"}:
            raise bad_request("specifying resource version is not allowed when using continue")
        if (wanted := ask.number("resourceVersion")) > self.cluster.version:
            raise too_large(wanted, self.cluster.version)
        if version == "0" and not token:
            limit = 0  # such a list comes from the API server's cache, which has no pages
        page = self.cluster.page(kind, ask.namespace, match, limit, token)
        found = wire.listed(kind, page, selected=match is not everything)
        return self._shown(incoming, kind, page.items, found["metadata"]) or found

    def _shown(self, incoming: web.Request, kind: Resource, items: list[Any], metadata: Object) -> Object | None:
        """A table, for those who want one."""
        wanted = "as=Table" in incoming.headers.get("Accept", "")
        return wire.table(kind, items, metadata, self.cluster.now()) if wanted else None

    def _write(self, kind: Resource, ask: Ask, body: bytes) -> tuple[int, Any]:
        if ask.verb == "create":
            if ask.name:
                raise not_allowed()
            return 201, wire.single(kind, self.cluster.create(kind, leases.admitted(kind, body, ask.namespace)))
        if not ask.name:
            raise not_allowed()
        if ask.verb == "update":
            item = leases.admitted(kind, body, ask.namespace, ask.name)
            stored, made = self.cluster.update(kind, item)
            return 201 if made else 200, wire.single(kind, stored)
        known = self.cluster.get(kind.name, _key(ask))
        if known is None:
            raise not_found(kind, ask.name)
        self.cluster.delete(kind.name, key_of(known))
        details = {"name": ask.name, "group": kind.group, "kind": kind.name, "uid": value_at(known, "metadata.uid")}
        status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
        return 200, status


def _nothing() -> None:
    """Nobody listens."""


def _key(ask: Ask) -> str:
    return f"{ask.namespace}/{ask.name}" if ask.namespace else ask.name


@contextmanager
def run_kubernetes_in_thread(cluster: Cluster | None = None, **options: Any) -> Iterator[KubernetesServer]:
    """
    A running server on a loop and thread of its own, for synchronous tests and for clients in other processes.

    Args:
        cluster: as for `KubernetesServer`.

        options: further ones of `KubernetesServer`.
    """
    with in_thread(KubernetesServer(cluster, **options), "demo-kubernetes") as server:
        yield server
