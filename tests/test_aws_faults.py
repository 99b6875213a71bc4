"""Each way AWS can fail has one class, told by codes and statuses and never by the words of a message."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, NoCredentialsError, ParamValidationError
from botocore.parsers import ResponseParserError

from exporter.aws.faults import NoAnswerError, RefusedError, brief, from_code, from_exception, from_json_answer
from exporter.errors import AwsError, DeadlineError, DeniedError, RequestError, ThrottledError, TransientError


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("Throttling", 400, ThrottledError),
        ("ThrottlingException", 400, ThrottledError),
        ("RequestLimitExceeded", 503, ThrottledError),
        ("SlowDown", 503, ThrottledError),
        ("TooManyRequestsException", 429, ThrottledError),
        ("EC2ThrottledException", 400, ThrottledError),
        ("PriorRequestNotComplete", 400, ThrottledError),
        ("", 429, ThrottledError),
        ("InternalError", 500, TransientError),
        ("InternalServerError", 500, TransientError),
        ("ServiceUnavailable", 503, TransientError),
        ("Unavailable", 503, TransientError),
        ("", 502, TransientError),
        ("SomethingNew", 599, TransientError),
        ("RequestTimeout", 400, TransientError),
        ("UnauthorizedOperation", 403, DeniedError),
        ("AccessDenied", 403, DeniedError),
        ("AccessDeniedException", 400, DeniedError),
        ("AuthorizationError", 403, DeniedError),
        ("OptInRequired", 403, DeniedError),
        ("SomethingNew", 403, DeniedError),
        ("", 403, DeniedError),
        ("ExpiredToken", 403, RefusedError),
        ("ExpiredTokenException", 400, RefusedError),
        ("RequestExpired", 400, RefusedError),
        ("InvalidClientTokenId", 403, RefusedError),
        ("UnrecognizedClientException", 400, RefusedError),
        ("InvalidSignatureException", 403, RefusedError),
        ("SignatureDoesNotMatch", 403, RefusedError),
        ("AuthFailure", 401, RefusedError),
        ("InvalidParameterValue", 400, RequestError),
        ("InvalidVolume.NotFound", 400, RequestError),
        ("FileSystemNotFound", 404, RequestError),
        ("", 301, RequestError),
    ],
)
def test_code_and_status_decide_the_class(code: str, status: int, kind: type[AwsError]) -> None:
    """Exactly that class: a denied call must not be repeated, a throttled one must be slowed down."""
    error = from_code("ec2", "DescribeVolumes", code, status, "words")
    assert type(error) is kind
    assert error.code == (code or f"HTTP{status}")


@pytest.mark.parametrize(
    ("headers", "body", "code"),
    [
        (
            {"x-amzn-query-error": "Throttling;Sender"},
            b'{"__type":"com.amazon.coral.availability#ThrottlingException","message":"Rate exceeded"}',
            "Throttling",
        ),
        ({}, b'{"__type":"com.amazon.coral.service#AccessDeniedException","Message":"no"}', "AccessDeniedException"),
        ({}, b'{"__type":"InvalidNextToken"}', "InvalidNextToken"),
        ({"x-amzn-errortype": "InternalFailure:http://internal.amazon.com/"}, b"{}", "InternalFailure"),
        ({}, b"<html>", "HTTP400"),
        ({}, b"[1]", "HTTP400"),
        ({}, b"", "HTTP400"),
    ],
)
def test_the_code_of_a_json_error_is_the_documented_one(headers: dict[str, str], body: bytes, code: str) -> None:
    """AWS's query-compatible code first, then the type without its namespace, else the status."""
    assert from_json_answer("cloudwatch", "GetMetricData", 400, headers, body).code == code


def _client_error(code: str, status: int) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": "words"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "DescribeVolumes")


@pytest.mark.parametrize(
    ("raised", "kind", "code"),
    [
        (NoAnswerError("Timeout", "no answer"), DeadlineError, "Timeout"),
        (NoAnswerError("Connection", "cut"), TransientError, "Connection"),
        (_client_error("RequestLimitExceeded", 503), ThrottledError, "RequestLimitExceeded"),
        (_client_error("503", 503), TransientError, "HTTP503"),
        (_client_error("403", 403), DeniedError, "HTTP403"),
        (ResponseParserError("Unable to parse"), TransientError, "Malformed"),
        (KeyError("Timestamps"), TransientError, "Malformed"),
        (NoCredentialsError(), RefusedError, "NoCredentialsError"),
        (ParamValidationError(report="x: wrong\ny: wrong"), RequestError, "ParamValidation"),
        (ConnectionClosedError(endpoint_url="http://x"), RequestError, "ConnectionClosed"),
    ],
)
def test_whatever_botocore_raises_becomes_one_of_ours(raised: Exception, kind: type[AwsError], code: str) -> None:
    """No exception of a library reaches the floors above."""
    error = from_exception("ec2", "DescribeVolumes", raised)
    assert (type(error), error.code) == (kind, code)


def test_a_message_keeps_its_first_line_only() -> None:
    """With a wrong signature AWS quotes the signed request in the lines after, session token included."""
    message = (
        "The request signature we calculated does not match.\n\n"
        "The Canonical String for this request should have been\n"
        "'POST\n/\n\nhost:ec2\nx-amz-security-token:IQoJsecret'"
    )
    assert brief(message) == "The request signature we calculated does not match."
    assert brief("You are not authorized. Encoded authorization failure message: abcDEF") == "You are not authorized."
    assert len(brief("x" * 5000)) == 300
    assert brief("") == ""
