"""
What went wrong, as one of our error classes: decided here, once, from AWS's error code and the HTTP status.

Both planes end here: botocore's exceptions and the answers the thin GetMetricData call reads itself. No decision is
made on the words of a message. Messages are cut to their first line, because AWS may quote the signed request, its
session token included, in the lines after. Pure; whether to try again is for `api`.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
)
from botocore.parsers import ResponseParserError

from exporter.errors import AwsError, DeadlineError, DeniedError, RequestError, ThrottledError, TransientError

TIMEOUT = "Timeout"
CONNECTION = "Connection"
MALFORMED = "Malformed"

_LONGEST_MESSAGE = 300
"""Characters of AWS's words that are kept: enough for "User … is not authorized to perform … on resource …"."""

# The codes are AWS's own: "Common Errors" of each API reference, EC2's error code list, and what botocore's retry
# tables treat alike.
_THROTTLED = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)

_DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "AuthorizationErrorException",
        "Forbidden",
        "NotAuthorized",
        "NotAuthorizedException",
        "OptInRequired",
        "SubscriptionRequiredException",
        "UnauthorizedOperation",
    }
)

_CREDENTIALS = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "InvalidToken",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "RequestExpired",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "TokenRefreshRequired",
        "UnrecognizedClientException",
    }
)

_TRANSIENT = frozenset(
    {
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "InternalServiceError",
        "InternalServiceException",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "Unavailable",
    }
)


class RefusedError(AwsError):
    """
    AWS does not accept the credentials of the call. Never leaves `aws`: other credentials are looked for, and where
    there are none it becomes a CredentialsError.
    """


class NoAnswerError(Exception):
    """
    No answer came over the wire, or none that can be read.

    Args:
        code: `TIMEOUT`, `CONNECTION` or `MALFORMED`.

        message: what was seen.
    """

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(f"{code}: {message}")


def brief(message: object) -> str:
    """The first line of *message*, cut to a length a log line can carry; without EC2's encoded appendix."""
    lines = str(message).strip().splitlines()
    text = lines[0].partition("Encoded authorization failure message:")[0].strip() if lines else ""
    return text if len(text) <= _LONGEST_MESSAGE else text[: _LONGEST_MESSAGE - 1] + "…"


def from_code(service: str, operation: str, code: str, status: int, message: str) -> AwsError:
    """
    The error for an answer that is no success.

    Args:
        service: botocore's name of the API.

        operation: as AWS spells it.

        code: AWS's error code, ``""`` where there is none.

        status: of HTTP.

        message: AWS's words.
    """
    shown = code or f"HTTP{status}"
    text = brief(message) or _phrase(status)
    if code in _THROTTLED or status == HTTPStatus.TOO_MANY_REQUESTS:
        return ThrottledError(service, operation, shown, text)
    if code in _CREDENTIALS:
        return RefusedError(service, operation, shown, text)
    if code in _TRANSIENT or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return TransientError(service, operation, shown, text)
    if code in _DENIED or status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return DeniedError(service, operation, shown, text)
    return RequestError(service, operation, shown, text)


def from_exception(service: str, operation: str, error: Exception) -> AwsError:
    """The error for anything that botocore, or the transport under it, raised in the middle of a call."""
    if isinstance(error, NoAnswerError):
        kind = DeadlineError if error.code == TIMEOUT else TransientError
        return kind(service, operation, error.code, brief(error.message))
    if isinstance(error, ClientError):
        told: Mapping[str, Any] = error.response
        code, status = told.get("Error", {}).get("Code", ""), told.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        # botocore gives the bare HTTP status as the code where the body had none.
        code = "" if str(code).isdigit() else str(code)
        return from_code(service, operation, code, int(status), told.get("Error", {}).get("Message", ""))
    if isinstance(error, ResponseParserError):
        return TransientError(service, operation, MALFORMED, "the answer cannot be read")
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return RefusedError(service, operation, type(error).__name__, brief(error))
    if isinstance(error, ParamValidationError):
        # Its message goes over several lines, each a wrong parameter; the first names nothing.
        return RequestError(service, operation, "ParamValidation", brief("; ".join(str(error).splitlines()[1:])))
    if isinstance(error, BotoCoreError):
        return RequestError(service, operation, type(error).__name__.removesuffix("Error"), brief(error))
    return TransientError(service, operation, MALFORMED, f"the answer cannot be read: {type(error).__name__}")


def from_json_answer(service: str, operation: str, status: int, headers: Mapping[str, str], body: bytes) -> AwsError:
    """
    The error for an answer of the AWS JSON protocol that is no success.

    The code of the older query protocol, where AWS sends it, wins over ``__type``: it is the one that is documented
    and that botocore reports (aws-facts 2.4).

    Args:
        service: botocore's name of the API.

        operation: as AWS spells it.

        status: of HTTP.

        headers: names compared without regard to case.

        body: as received; need not be JSON.
    """
    told: object = None
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        told = None
    fields: Mapping[str, Any] = told if isinstance(told, dict) else {}
    query_code = headers.get("x-amzn-query-error", "").partition(";")[0]
    type_code = str(fields.get("__type") or headers.get("x-amzn-errortype") or fields.get("code") or "")
    code = query_code or type_code.rpartition("#")[2].partition(":")[0]
    return from_code(service, operation, code, status, str(fields.get("message") or fields.get("Message") or ""))


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"HTTP status {status}"
