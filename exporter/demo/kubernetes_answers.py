"""
Answers of the simulated Kubernetes API on their way out: whole or mangled.
"""

from __future__ import annotations

import gzip
from typing import Any

import orjson
from aiohttp import web

from exporter.demo.kubernetes_status import ApiError

_MALFORMED = b"\x00<html>this is {not} the answer"
_ZIPPED = 128 * 1024


def refused(error: ApiError) -> web.Response:
    """A Status as an answer."""
    headers = {**error.headers, "Content-Type": "application/json"}
    return web.Response(status=error.code, body=orjson.dumps(error.status()), headers=headers)


def answer(incoming: web.Request, status: int, body: Any) -> web.Response:
    """A body as an answer; a large one is compressed for those who understand that, as the real API does."""
    text, headers = orjson.dumps(body), {"Content-Type": "application/json", "Cache-Control": "no-cache, private"}
    if len(text) > _ZIPPED and "gzip" in incoming.headers.get("Accept-Encoding", ""):
        text, headers["Content-Encoding"] = gzip.compress(text, 1), "gzip"
    return web.Response(status=status, body=text, headers=headers)


async def send(incoming: web.Request, response: web.Response, kinds: set[str]) -> web.StreamResponse:
    """Give the answer, or what the faults of *kinds* make of its body."""
    body = response.body
    if not isinstance(body, bytes) or response.status >= 400:
        return response
    if "malformed" in kinds:
        return web.Response(status=200, body=_MALFORMED, content_type="application/json")
    if "truncated" in kinds:
        response.body = body[: len(body) // 2]
    if "cut" in kinds:
        stream = web.StreamResponse(headers={**response.headers, "Content-Length": str(len(body))})
        await stream.prepare(incoming)
        await stream.write(body[: len(body) // 2])
        if incoming.transport is not None:
            incoming.transport.close()
        return stream
    return response
