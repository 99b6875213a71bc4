"""
The thin GetMetricData call: what is sent and how the answer is read, without botocore's models.

botocore walks its model for each query and makes a datetime of each datapoint, which is nearly all of what a call
costs (performance.md 1). Here the body comes in finished but for its times, and the answer is what the JSON parser
gives. AWS JSON 1.0, signed with botocore's own SigV4. Pure, but for the time in a signature.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from exporter.aws.clients import Endpoint
from exporter.aws.faults import MALFORMED, NoAnswerError, from_json_answer
from exporter.aws.session import Frozen
from exporter.aws.transport import Reply

SERVICE = "cloudwatch"
OPERATION = "GetMetricData"

_TARGET = f"GraniteServiceVersion20100801.{OPERATION}"
"""``targetPrefix`` of botocore's cloudwatch/2010-08-01 model."""


def body_of(head: bytes, start: int, end: int, next_token: str | None) -> bytes:
    """
    The whole request body.

    Args:
        head: a JSON object with at least one member, without its closing brace.

        start: unix seconds, inclusive.

        end: unix seconds, exclusive.

        next_token: of the page before, or None.
    """
    page = b',"NextToken":' + orjson.dumps(next_token) if next_token else b""
    return b'%b,"StartTime":%d,"EndTime":%d%b}' % (head, start, end, page)


def signed_headers(endpoint: Endpoint, body: bytes, credentials: Frozen, user_agent: str) -> dict[str, str]:
    """The headers of the request, signed for this second."""
    request = AWSRequest(
        method="POST",
        url=endpoint.url,
        headers={
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": _TARGET,
            "X-Amzn-Query-Mode": "true",
            "User-Agent": user_agent,
        },
        data=body,
    )
    SigV4Auth(credentials.read_only(), endpoint.signing_name, endpoint.region).add_auth(request)
    return dict(request.headers.items())


def answer_of(reply: Reply) -> dict[str, Any]:
    """
    The answer as JSON gives it: an object with a list ``MetricDataResults``.

    Args:
        reply: as received.

    Raises:
        AwsError: for what AWS says went wrong.

        NoAnswerError: where it is no such object.
    """
    if reply.status != 200:
        raise from_json_answer(SERVICE, OPERATION, reply.status, reply.headers, reply.body)
    try:
        answer: Any = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        answer = None
    if not isinstance(answer, Mapping) or not isinstance(answer.get("MetricDataResults"), list):
        raise NoAnswerError(MALFORMED, f"status 200 with {len(reply.body)} bytes that are no {OPERATION} answer")
    return dict(answer)
