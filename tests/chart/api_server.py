"""
A stand-in Kubernetes API server on loopback, for helm itself: discovery, objects, patches, watches, Jobs that end.

It keeps objects as they are sent (`api_objects`), and no controller stands behind them, but what `helm --wait` and
hooks wait for: workloads are ready at once, and Jobs and bare pods end as a callback says, which may really run them.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonpatch
import yaml
from aiohttp import web

from exporter.demo.kubernetes_access import Request, request_of
from exporter.demo.kubernetes_kinds import Resource
from exporter.demo.kubernetes_selectors import selection
from exporter.demo.kubernetes_status import ApiError
from exporter.demo.threads import Serving, in_thread
from tests.chart.api_kinds import Kind, known, said
from tests.chart.api_objects import Object, Objects, RefusedError, plain
from tests.chart.api_patch import merged, strategic
from tests.chart.api_protobuf import MAGIC, decoded
from tests.chart.api_workloads import ended, ready


@dataclass(frozen=True)
class Outcome:
    """How a Job or a bare pod ended."""

    succeeded: bool = True
    log: str = ""


class ApiServer(Serving):
    """
    The server; see `api_server` for a running one.

    Args:
        namespaces: that exist beside default and kube-system.

        without: groups whose kinds the cluster does not have, such as ``monitoring.coreos.com``.

        runs: is called with each Job, and each pod that no other object makes, on a thread of its own.
    """

    def __init__(
        self,
        *namespaces: str,
        without: Collection[str] = (),
        runs: Callable[[Object], Outcome] = lambda _: Outcome(),
    ) -> None:
        self.objects = Objects(*namespaces)
        self.kinds = known(without)
        self.runs = runs
        self.url = ""
        self.ran: list[Object] = []
        self._logs: dict[str, str] = {}
        self._runner: web.AppRunner | None = None
        self._changed = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()

    # --- for tests ---------------------------------------------------------------------------------------------------

    def found(self, *, releases: bool = False) -> list[Object]:
        """What exists, as manifests have it; without what the server itself has made and, unless asked, releases."""
        every = [item for item in self.objects.everything() if "ownerReferences" not in item["metadata"]]
        return [copy.deepcopy(plain(item)) for item in every if releases or not is_release(item)]

    def releases(self) -> list[Object]:
        """The Secrets that helm keeps its releases in."""
        return [copy.deepcopy(item) for item in self.objects.everything() if is_release(item)]

    def kind(self, name: str) -> Kind:
        """A kind by its name, such as ``ConfigMap``."""
        return next(kind for kind in self.kinds if kind.kind == name)

    def kubeconfig(self, path: Path, namespace: str = "default") -> Path:
        """Write a kubeconfig for the server."""
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "here", "cluster": {"server": self.url}}],
            "users": [{"name": "me", "user": {}}],
            "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me", "namespace": namespace}}],
            "current-context": "here",
        }
        path.write_text(yaml.safe_dump(content))
        path.chmod(0o600)
        return path

    # --- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Listen on a free port of loopback."""
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Condition()
        app = web.Application(client_max_size=16 << 20)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Listen no more; what a callback runs is waited for."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._runner is not None:
            await self._runner.cleanup()

    # --- one request -------------------------------------------------------------------------------------------------

    async def _answer(self, incoming: web.Request) -> web.StreamResponse:
        request = request_of(incoming.method, incoming.path, dict(incoming.query))
        try:
            if request.verb == "watch":
                return await self._watch(incoming, request)
            status, body = await self._do(incoming, request)
        except RefusedError as error:
            status, body = error.code, _status(error.code, error.reason, str(error))
        except ApiError as error:
            status, body = error.code, error.status()
        if isinstance(body, str):
            return web.Response(status=status, text=body)
        return web.json_response(body, status=status)

    async def _do(self, incoming: web.Request, request: Request) -> tuple[int, Any]:
        kind = self._kind(request)
        if kind is None:
            found = said(self.kinds, request.path) if request.verb == "get" else None
            if found is None:
                raise RefusedError(404, "NotFound", "the server could not find the requested resource")
            return 200, found
        namespace = request.namespace if kind.namespaced else ""
        if request.subresource == "log" and kind.kind == "Pod":
            return 200, self._logs.get(f"{namespace}/{request.name}", "")
        if request.verb == "list":
            return 200, self._list(kind, namespace, incoming)
        if request.verb == "get":
            return 200, self.objects.get(kind, namespace, request.name)
        body = await incoming.read()
        if request.verb == "create":
            made = self.objects.create(kind, namespace, _read(body))
            await self._effects(kind, namespace, made)
            return 201, made
        if request.verb == "delete":
            self.objects.delete(kind, namespace, request.name)
            await self._tell()
            return 200, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
        if request.verb in {"update", "patch"}:
            item = _read(body)
            if request.verb == "patch":
                old = self.objects.get(kind, namespace, request.name)
                item = _patched(kind, old, item, incoming.content_type)
            made = self.objects.update(kind, namespace, request.name, item)
            await self._effects(kind, namespace, made)
            return 200, made
        raise RefusedError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")

    def _kind(self, request: Request) -> Kind | None:
        place = (request.resource, request.group, request.version)
        return next((kind for kind in self.kinds if (kind.plural, kind.group, kind.version) == place), None)

    def _list(self, kind: Kind, namespace: str, incoming: web.Request) -> Object:
        match = _match(kind, incoming)
        items = [item for item in self.objects.all(kind, namespace) if match(item)]
        metadata = {"resourceVersion": str(self.objects.version)}
        return {"kind": f"{kind.kind}List", "apiVersion": kind.group_version, "metadata": metadata, "items": items}

    async def _watch(self, incoming: web.Request, request: Request) -> web.StreamResponse:
        kind = self._kind(request)
        if kind is None:
            raise RefusedError(404, "NotFound", "the server could not find the requested resource")
        match, version = _match(kind, incoming), int(incoming.query.get("resourceVersion") or 0)
        stream = web.StreamResponse(headers={"Content-Type": "application/json"})
        await stream.prepare(incoming)
        while True:
            told = [each for each in self.objects.events if each.version > version and each.kind == kind]
            for each in told:
                if request.namespace in {"", each.item["metadata"].get("namespace")} and match(each.item):
                    await stream.write(json.dumps({"type": each.word, "object": each.item}).encode() + b"\n")
            version = max(version, self.objects.version)
            async with self._changed:
                if version == self.objects.version:
                    await self._changed.wait()

    # --- what a cluster does by itself -------------------------------------------------------------------------------

    async def _effects(self, kind: Kind, namespace: str, item: Object) -> None:
        ready(self.objects, self.kinds, kind, namespace, item)
        if kind.kind in {"Job", "Pod"} and "status" not in item:
            self.ran.append(copy.deepcopy(item))
            task = asyncio.create_task(self._run(kind, namespace, copy.deepcopy(item)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        await self._tell()

    async def _run(self, kind: Kind, namespace: str, item: Object) -> None:
        outcome = await asyncio.to_thread(self.runs, item)
        name = item["metadata"]["name"]
        self._logs[f"{namespace}/{name}"] = outcome.log
        with contextlib.suppress(RefusedError):  # it was deleted meanwhile
            now = self.objects.get(kind, namespace, name)
            self.objects.update(kind, namespace, name, {**now, "status": ended(kind, succeeded=outcome.succeeded)})
            await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


def is_release(item: Object) -> bool:
    """Whether an object is a Secret that helm keeps a release in."""
    return item["kind"] == "Secret" and item.get("type") == "helm.sh/release.v1"


def _match(kind: Kind, incoming: web.Request) -> Callable[[Any], bool]:
    resource = Resource(kind.plural, kind.kind, kind.group, kind.namespaced, ())
    return selection(resource, incoming.query.get("labelSelector", ""), incoming.query.get("fieldSelector", ""))


def _read(body: bytes) -> Any:
    try:
        return decoded(body) if body.startswith(MAGIC) else json.loads(body)
    except ValueError as error:
        raise RefusedError(400, "BadRequest", f"the object provided is unrecognized: {error}") from None


def _patched(kind: Kind, old: Object, patch: Any, content: str) -> Any:
    if content == "application/merge-patch+json":
        return merged(old, patch)
    if content == "application/strategic-merge-patch+json" and not kind.custom:
        try:
            return strategic(old, patch, kind.kind)
        except ValueError as error:
            raise RefusedError(400, "BadRequest", f"unable to apply the patch: {error}") from None
    if content == "application/json-patch+json":
        return jsonpatch.apply_patch(old, patch)
    raise RefusedError(415, "UnsupportedMediaType", f"the body of the request was in an unknown format: {content}")


def _status(code: int, reason: str, message: str) -> Object:
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    return {**status, "message": message, "reason": reason, "code": code}


@contextlib.contextmanager
def api_server(*namespaces: str, **options: Any) -> Iterator[ApiServer]:
    """A running server on a thread of its own; arguments as for `ApiServer`."""
    with in_thread(ApiServer(*namespaces, **options), "stand-in-kubernetes") as server:
        yield server
