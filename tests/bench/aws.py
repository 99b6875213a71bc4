"""
The simulated AWS of the benchmark, a process of its own: `python -m tests.bench.aws --series 100000`.

A plain HTTP/1.1 server on loopback that costs next to nothing a call, so that what is measured beside it is the
exporter. Facts are rendered at their first asking and kept; GetMetricData is `canned`; each answer waits for the
latency. Signatures are not looked at. It says its address in a line of JSON, takes commands on stdin (see `_control`)
and ends with it.
"""

from __future__ import annotations

import argparse
import asyncio
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from exporter.demo import autoscaling, backup, cloudwatch, ec2, efs, elasticache, kms, s3, sts
from exporter.demo.ec2_lists import page
from exporter.demo.tables import ACCOUNT, REGION
from exporter.demo.wire import (
    AUTOSCALING,
    BACKUP,
    CLOUDWATCH,
    EC2,
    EFS,
    ELASTICACHE,
    KMS,
    REQUEST_ID,
    S3,
    STS,
    XML_HEAD,
    Reply,
    Request,
    Tweaks,
    WireError,
    namespace,
    numbered,
    render_error,
)
from exporter.demo.world import World
from tests.bench.canned import Canned
from tests.bench.estate import EC2Set, Size, ec2_sets, world
from tests.bench.lines import each_line, say

_HANDLERS: Mapping[str, Callable[[World, Request, str, Tweaks], Reply]] = {
    EC2: ec2.handle,
    EFS: efs.handle,
    S3: s3.handle,
    KMS: kms.handle,
    BACKUP: backup.handle,
    ELASTICACHE: elasticache.handle,
    AUTOSCALING: autoscaling.handle,
    CLOUDWATCH: lambda *given: cloudwatch.handle(*given)[0],
    STS: lambda world, request, operation, _: sts.handle(world, request, operation, {}, lambda: 0.0),
}

_EC2_SETS: Mapping[str, tuple[EC2Set, str]] = {
    "DescribeVolumes": ("volumes", "volumeSet"),
    "DescribeVolumeStatus": ("statuses", "volumeStatusSet"),
    "DescribeVolumesModifications": ("modifications", "volumeModificationSet"),
    "DescribeSnapshots": ("snapshots", "snapshotSet"),
    "DescribeInstances": ("instances", "reservationSet"),
}

_BY_ID = frozenset({"volume-id", "instance-id"})
_NEVER_TRUE = {("attachment.status", "attaching"), ("volume-status.status", "impaired")}
"""The first values of the filters for what is in motion or in trouble: nothing here is."""

_PASSING = re.compile(rb"(createdAfter|Duration|StartTime)=[^&]*&?")
"""Parameters that follow the time and change nothing in an account that stands still."""


class Facts:
    """Everything but GetMetricData, rendered once for each distinct question."""

    def __init__(self, size: Size) -> None:
        self._world = world(size)
        self._sets = ec2_sets(size)
        self._kept: dict[tuple[str, str, str, bytes], Reply] = {}

    def answer(self, request: Request, operation: str) -> Reply:
        """The answer, an error as AWS would put it included."""
        key = (
            request.service,
            operation,
            request.path + "?" + _PASSING.sub(b"", request.query.encode()).decode(),
            _PASSING.sub(b"", request.body),
        )
        reply = self._kept.get(key)
        if reply is None:
            try:
                reply = self._render(request, operation)
            except WireError as error:
                reply = render_error(request, request.service, error)
            self._kept[key] = reply
        return reply

    def _render(self, request: Request, operation: str) -> Reply:
        if request.service == EC2 and operation in _EC2_SETS:
            return self._listed(request, operation)
        return _HANDLERS[request.service](self._world, request, operation, Tweaks())

    def _listed(self, request: Request, operation: str) -> Reply:
        name, element = _EC2_SETS[operation]
        given = request.parameters
        items = self._sets[name]
        chosen = list(items.values())
        if "Filter.1.Name" in given:
            accepted = numbered(given, "Filter.1.Value")
            if "Filter.2.Name" in given or not (
                given["Filter.1.Name"] in _BY_ID or (given["Filter.1.Name"], accepted[0]) in _NEVER_TRUE
            ):
                raise WireError("InvalidParameterValue", f"This stand-in has no filter {given['Filter.1.Name']}")
            chosen = [items[each] for each in accepted if each in items]
        shown, token = page(chosen, given, Tweaks())
        text = (
            f'{XML_HEAD}<{operation}Response xmlns="{namespace(EC2)}"><requestId>{REQUEST_ID}</requestId>'
            f"<{element}>{''.join(shown)}</{element}>{f'<nextToken>{token}</nextToken>' if token else ''}"
            f"</{operation}Response>"
        )
        return Reply(200, "text/xml;charset=UTF-8", text.encode())


class Aws:
    """What answers: facts, datapoints, and the count of both by operation and of refusals by code."""

    def __init__(self, size: Size, latency: float) -> None:
        self.facts = Facts(size)
        self.canned = Canned()
        self.latency = latency
        self.calls: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()

    def reply(self, request: Request) -> Reply:
        """The answer to one request."""
        target = request.headers.get("x-amz-target", "")
        if target.endswith(".GetMetricData"):
            self.calls["GetMetricData"] += 1
            try:
                return Reply(200, "application/x-amz-json-1.0", self.canned.answer(request.body))
            except WireError as error:
                return self._refused("GetMetricData", render_error(request, CLOUDWATCH, error))
        scope = request.headers.get("authorization", "").partition("Credential=")[2].partition(",")[0].split("/")
        service = scope[3] if len(scope) == 5 else ""
        request = replace(request, service=service, region=scope[2] if len(scope) == 5 else "")
        operation = _operation(request, target)
        self.calls[operation or f"{service} {request.method} {request.path}"] += 1
        reply = self.facts.answer(request, operation)
        return reply if reply.status < 400 else self._refused(operation, reply)

    def _refused(self, operation: str, reply: Reply) -> Reply:
        code = re.search(rb'<Code>([^<]+)|"__type":"([^"]+)|"ErrorCode":"([^"]+)', reply.body)
        name = next((part.decode() for part in code.groups() if part), "") if code else ""
        self.refused[f"{operation} {reply.status} {name}"] += 1
        return reply


def _operation(request: Request, target: str) -> str:
    if target:
        return target.rpartition(".")[2]
    named = {EFS: efs.operation_of, BACKUP: backup.operation_of, S3: s3.operation_of}
    if request.service in named:
        return named[request.service](request)
    return request.parameters.get("Action", "")


class Connection(asyncio.Protocol):
    """One client's connection: a request after the other, each answered when the latency has passed."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._got = bytearray()
        self._head: tuple[str, str, dict[str, str]] | None = None
        self._wanted = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._got += data
        while True:
            if self._head is None:
                end = self._got.find(b"\r\n\r\n")
                if end < 0:
                    return
                first, *lines = bytes(self._got[:end]).decode("latin-1").split("\r\n")
                method, url, _ = first.split(" ", 2)
                pairs = (line.partition(":") for line in lines)
                headers = {name.lower(): value.strip() for name, _, value in pairs}
                self._head, self._wanted = (method, url, headers), int(headers.get("content-length", 0))
                del self._got[: end + 4]
            if len(self._got) < self._wanted:
                return
            body = bytes(self._got[: self._wanted])
            del self._got[: self._wanted]
            method, url, headers = self._head
            self._head = None
            path, _, query = url.partition("?")
            arn = f"arn:aws:iam::{ACCOUNT}:user/bench"
            request = Request(method, path, query, headers, body, "", REGION, ACCOUNT, arn)
            self._loop.call_later(self._aws.latency, self._send, self._aws.reply(request))

    def _send(self, reply: Reply) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        head = (
            f"HTTP/1.1 {reply.status} X\r\nContent-Type: {reply.content_type}\r\nContent-Length: {len(reply.body)}\r\n"
        )
        head += "".join(f"{name}: {value}\r\n" for name, value in reply.headers.items())
        head += f"x-amzn-RequestId: {REQUEST_ID}\r\n\r\n"
        self._transport.write(head.encode("latin-1") + reply.body)


def _control(aws: Aws, command: Mapping[str, Any]) -> dict[str, Any]:
    """
    One command: ``counts`` (since the last one), ``record`` (keep GetMetricData's bodies from now on) or ``dump``
    (write them to `path`, one a line, and keep no more).
    """
    match command["do"]:
        case "counts":
            said = {
                "calls": dict(aws.calls),
                "refused": dict(aws.refused),
                "queries": aws.canned.queries,
            }
            aws.calls.clear()
            aws.refused.clear()
            aws.canned.queries = 0
            return said
        case "record":
            aws.canned.record = True
            return {}
        case "dump":
            aws.canned.record = False
            Path(command["path"]).write_bytes(b"\n".join(aws.canned.bodies))
            count, aws.canned.bodies = len(aws.canned.bodies), []
            return {"bodies": count}
        case unknown:
            return {"error": f"no such command: {unknown}"}


async def _serve(size: Size, latency: float) -> None:
    loop = asyncio.get_running_loop()
    aws = Aws(size, latency)
    server = await loop.create_server(lambda: Connection(aws), "127.0.0.1", 0, backlog=1024)
    async with server:
        port = server.sockets[0].getsockname()[1]
        say({"url": f"http://127.0.0.1:{port}"})
        async for command in each_line():
            say(_control(aws, command))


def environment(url: str) -> dict[str, str]:
    """The standard AWS variables that bring any client to the simulated AWS at *url*."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
    }


def arguments(size: Size, latency: float = 0.03) -> list[str]:
    """The command line of a server of *size*."""
    given = [part for name, count in asdict(size).items() for part in (f"--{name.replace('_', '-')}", str(count))]
    return ["-m", "tests.bench.aws", "--latency", str(latency), *given]


def main() -> None:
    """Serve until stdin ends."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.aws", description=__doc__)
    parser.add_argument("--latency", type=float, default=0.03, help="seconds before each answer")
    for name in Size.__dataclass_fields__:
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, required=True)
    given = vars(parser.parse_args())
    latency = given.pop("latency")
    asyncio.run(_serve(Size(**given), latency))


if __name__ == "__main__":
    main()
