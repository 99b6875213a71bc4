"""
One HTTP request to AWS and its whole answer, within a time that is kept to the end of the body.

Both planes go through it: the thin GetMetricData call, and botocore, whose clients hand their signed request over from
their worker thread (`Transport.answer_for`). So there is one connection pool, one rule for proxies and certificates,
one list of ways to fail, and an answer that trickles in byte by byte, which a read timeout never ends, is cut off like
any other. No retries and no meaning: that is for `api` and `faults`.
"""

from __future__ import annotations

import asyncio
import io
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import aiohttp
import orjson
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.httpsession import get_cert_path
from botocore.model import ServiceModel
from botocore.utils import get_environ_proxies
from yarl import URL

from exporter.aws.faults import CONNECTION, MALFORMED, TIMEOUT, NoAnswerError, brief, from_code
from exporter.aws.workers import Attempt
from exporter.connections import FencedConnector

_OWN_HEADERS = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
"""Headers aiohttp would add by itself; what is sent is what was signed."""


_ROOTS: Mapping[tuple[str, str], str] = {
    ("s3", "GetBucketEncryption"): "ServerSideEncryptionConfiguration",
    ("s3", "GetBucketLifecycleConfiguration"): "LifecycleConfiguration",
    ("s3", "GetBucketLocation"): "LocationConstraint",
    ("s3", "GetBucketLogging"): "BucketLoggingStatus",
    ("s3", "GetBucketPolicyStatus"): "PolicyStatus",
    ("s3", "GetBucketReplication"): "ReplicationConfiguration",
    ("s3", "GetBucketTagging"): "Tagging",
    ("s3", "GetBucketVersioning"): "VersioningConfiguration",
    ("s3", "GetPublicAccessBlock"): "PublicAccessBlockConfiguration",
    ("s3", "ListBucketMetricsConfigurations"): "ListMetricsConfigurationsResult",
    ("s3", "ListBuckets"): "ListAllMyBucketsResult",
}
"""The documents that protocol rest-xml answers in; botocore's models do not name them (S3 API Reference)."""

_JSON_TEXTS = frozenset({("s3", "GetBucketPolicy")})
"""Operations of protocol rest-xml whose body is a JSON document, which botocore hands on as text."""

_XML = frozenset({"ec2", "query", "rest-xml"})
"""Protocols that answer in XML."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport:
    """
    The process's connections to AWS. `open` and `close` on the event loop.

    Args:
        verify: the certificate bundle (a file or a directory) the AWS settings name, or None for botocore's own.

        permitted: whether AWS may be asked, looked at right before anything is sent.
    """

    def __init__(self, verify: str | None, permitted: Callable[[], bool] = lambda: True) -> None:
        self._verify = verify
        self._permitted = permitted
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._here = threading.local()
        self._proxies: dict[str, str | None] = {}

    async def open(self) -> None:
        """Read the certificates, in a thread; raises OSError or ssl.SSLError where they cannot be read."""
        self._loop = asyncio.get_running_loop()
        context = await asyncio.to_thread(_ssl_context, self._verify)
        self._session = aiohttp.ClientSession(
            connector=FencedConnector(context, self._permitted, _not_leading),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None),
            skip_auto_headers=_OWN_HEADERS,
        )

    async def close(self) -> None:
        """Close the connections; what is under way on them ends."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes, seconds: float) -> Reply:
        """
        The answer to one request.

        Args:
            method: of HTTP.

            url: sent as it is, because it is signed.

            headers: likewise.

            body: likewise.

            seconds: for all of it: connecting, waiting, the last byte.

        Raises:
            NoAnswerError: where no whole answer came.
        """
        if self._session is None:
            raise NoAnswerError(CONNECTION, "the connections are closed")
        try:
            async with (
                asyncio.timeout(seconds),
                self._session.request(
                    method,
                    URL(url, encoded=True),
                    headers=headers,
                    data=body or None,
                    allow_redirects=False,
                    proxy=self._proxy_for(url),
                ) as response,
            ):
                return Reply(response.status, response.headers, await response.read())
        except TimeoutError:
            raise NoAnswerError(TIMEOUT, f"no whole answer within {seconds:.1f} s from {URL(url).host}") from None
        except aiohttp.ClientSSLError as error:
            hint = "if a proxy or an endpoint of your own answers here, name its certificate with AWS_CA_BUNDLE"
            raise NoAnswerError(CONNECTION, f"TLS with {URL(url).host} failed: {brief(error)}; {hint}") from error
        except aiohttp.ClientPayloadError as error:
            raise NoAnswerError(CONNECTION, f"{URL(url).host} cut the answer off") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise NoAnswerError(CONNECTION, f"{URL(url).host}: {brief(error) or type(error).__name__}") from error

    def _proxy_for(self, url: str) -> str | None:
        origin = str(URL(url, encoded=True).origin())
        if origin not in self._proxies:
            # HTTPS_PROXY and NO_PROXY by botocore's own rule; aiohttp's would add a password from ~/.netrc.
            proxy = get_environ_proxies(url).get(URL(url).scheme)
            self._proxies[origin] = f"http://{proxy}" if proxy and "://" not in proxy else proxy or None
        return self._proxies[origin]

    # ---- for botocore's clients, in worker threads -----------------------------------------------------------------

    def lend(self, attempt: Attempt) -> None:
        """Say in a worker thread on whose behalf its next botocore call is made."""
        self._here.attempt = attempt

    def answer_for(self, model: ServiceModel, request: AWSPreparedRequest, event_name: str) -> AWSResponse:
        """
        The ``before-send`` hook of botocore: the answer to a signed request.

        An answer that says "success" and is not what the protocol speaks would be parsed into an empty result, and an
        empty account is a fact; so it is refused here.

        Args:
            model: the client's.

            request: signed.

            event_name: ends with the operation.
        """
        loop = self._loop
        attempt: Attempt | None = getattr(self._here, "attempt", None)
        if loop is None or attempt is None:
            raise NoAnswerError(CONNECTION, "the connections are closed")
        headers = {name: _text(value) for name, value in request.headers.items()}
        url, body = str(request.url), _body_of(request)
        exchange = self.send(str(request.method), url, headers, body, max(0.0, attempt.left))
        reply = attempt.wait(exchange, loop)
        operation = event_name.rpartition(".")[2]
        if reply.status < 300:
            _check_success(model, operation, reply.body)
        elif reply.status >= 500 and model.resolved_protocol in _XML and b"<Code>" not in reply.body:
            # Whatever stands before AWS answers in HTML, on which the parser would fail and forget the status.
            raise from_code(model.service_name, operation, "", reply.status, "")
        answered = HTTPHeaders.from_pairs(list(reply.headers.items()))
        return AWSResponse(url, reply.status, answered, _Raw(reply.body))


def _not_leading() -> NoAnswerError:
    return NoAnswerError(CONNECTION, "this replica does not lead any more, so nothing is sent")


class _Raw(io.BytesIO):
    """A body as botocore reads it."""

    def stream(self, *_args: object, **_kwargs: object) -> Iterator[bytes]:
        yield self.read()


def _check_success(model: ServiceModel, operation: str, body: bytes) -> None:
    protocol = model.resolved_protocol
    shape = model.operation_model(operation).output_shape
    if shape is None or not shape.members:
        return
    payload = shape.members.get(str(shape.serialization.get("payload", "")))
    if payload is not None and payload.type_name == "string":
        # A text of its own kind: a bucket's policy is JSON, and half of one would read as one that forbids nothing.
        good = _is_json(body) if (model.service_name, operation) in _JSON_TEXTS else bool(body.strip())
    elif protocol == "rest-xml":
        # Also where the answer is one member, such as a bucket's encryption: nothing would be read as none of it.
        root, expected = _root_of(body), _ROOTS.get((model.service_name, operation))
        # Some stand-ins for AWS name every document after its operation.
        good = bool(root) and (expected is None or root in {expected, f"{operation}Response"})
    elif "payload" in shape.serialization:
        good = True
    elif protocol in {"json", "rest-json"}:
        good = _is_json(body)
    elif protocol in {"query", "ec2"}:
        good = f"<{operation}Response".encode() in body[:1000]
    else:
        good = True
    if not good:
        raise NoAnswerError(MALFORMED, f"status 200 with {len(body)} bytes that are no {operation} answer")


def _is_json(body: bytes) -> bool:
    try:
        return isinstance(orjson.loads(body), dict)
    except orjson.JSONDecodeError:
        return False


def _root_of(body: bytes) -> str:
    """The name of the root of an XML document, ``""`` where it is none or not whole."""
    try:
        return str(ET.fromstring(body).tag).rpartition("}")[2]  # noqa: S314 - botocore parses the same bytes so
    except ET.ParseError:
        return ""


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _body_of(request: AWSPreparedRequest) -> bytes:
    body: Any = request.body
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    return bytes(body) if isinstance(body, bytes | bytearray) else bytes(body.read())


def _ssl_context(verify: str | None) -> ssl.SSLContext:
    path = verify or str(get_cert_path(verify=True))
    if Path(path).is_dir():
        return ssl.create_default_context(capath=path)
    return ssl.create_default_context(cafile=path)
