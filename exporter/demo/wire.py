"""
The parts AWS's dialects share: a request as it came, an answer, errors, XML, pages.

Nothing here knows what exists; `ec2`, `efs`, `s3`, `cloudwatch` and `sts` do. Errors are spelled per service, since
each spells them differently (aws-facts 2.4, 3.2; API references of the services, "Common errors"). Pure.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

import orjson

T = TypeVar("T")

EC2 = "ec2"
EFS = "elasticfilesystem"
CLOUDWATCH = "monitoring"
STS = "sts"
KMS = "kms"
BACKUP = "backup"
ELASTICACHE = "elasticache"
AUTOSCALING = "application-autoscaling"
S3 = "s3"
SERVICES = (EC2, EFS, CLOUDWATCH, STS, S3, KMS, BACKUP, ELASTICACHE, AUTOSCALING)
"""The services by their signing names."""

_INVALID_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Request:
    """
    One request as it stood on the wire.

    `path` and `query` are raw (still percent-encoded); header names are in lower case; `account_id`, `region` and
    `arn` are those of the caller.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    service: str = ""
    region: str = ""
    account_id: str = ""
    arn: str = ""

    @property
    def parameters(self) -> dict[str, str]:
        """Query and form parameters by name; of a repeated one the last."""
        form = ""
        if "x-www-form-urlencoded" in self.headers.get("content-type", ""):
            form = self.body.decode("utf-8", "replace")
        return dict(parse_qsl(self.query, keep_blank_values=True) + parse_qsl(form, keep_blank_values=True))


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: status, content type, body, further headers."""

    status: int
    content_type: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class WireError(Exception):
    """
    An error AWS would answer with.

    Args:
        code: as the service spells it.

        message: for people.

        status: HTTP.

        details: further elements and headers of the answer, for the dialect that has them (S3).
    """

    def __init__(
        self,
        code: str,
        message: str,
        status: int = 400,
        *,
        details: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.details = details or {}
        self.headers = headers or {}
        self.code = code
        self.message = message
        self.status = status


@dataclass(slots=True)
class Tweaks:
    """What the fault rules ask of one well-formed answer (see `faults`)."""

    page_size: int | None = None
    results: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    token_loop: bool = False

    def result(self, kind: str) -> dict[str, Any] | None:
        """The options of a rule of this kind, None when there is none."""
        return next((options for name, options in self.results if name == kind), None)


# --- errors ----------------------------------------------------------------------------------------------------------

_PLAIN: dict[str, tuple[str, str, int]] = {
    "throttle-400": ("Throttling", "Rate exceeded", 400),
    "throttle-503": ("Throttling", "Rate exceeded", 503),
    "error-500": ("InternalFailure", "The request processing has failed because of an unknown error.", 500),
    "denied": ("AccessDenied", "User: {arn} is not authorized to perform: {action}", 403),
    "expired": ("ExpiredToken", "The security token included in the request is expired", 403),
    "unknown-operation": ("InvalidAction", "The action {operation} is not valid for this web service.", 400),
    "signature": (
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. {why}",
        403,
    ),
    "token": ("InvalidClientTokenId", "The security token included in the request is invalid.", 403),
    "anonymous": ("MissingAuthenticationToken", "Request is missing Authentication Token", 403),
}


def _json_refusals(failure: str, status: int) -> dict[str, tuple[str, str, int]]:
    """As services of the JSON protocols spell what all of them refuse: *failure* is a 500, *status* the rest's."""
    return {
        "throttle-400": ("ThrottlingException", "Rate exceeded", 400),
        "throttle-503": ("ThrottlingException", "Rate exceeded", 503),
        "error-500": (failure, "The request failed because of a temporary failure of the server.", 500),
        "denied": ("AccessDeniedException", "User: {arn} is not authorized to perform: {action}", status),
        "expired": ("ExpiredTokenException", "The security token included in the request is expired", status),
        "unknown-operation": ("UnknownOperationException", "", 404 if status == 403 else 400),
        "signature": (
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided. {why}",
            status,
        ),
        "token": ("UnrecognizedClientException", "The security token included in the request is invalid.", status),
        "anonymous": ("MissingAuthenticationTokenException", "Missing Authentication Token", status),
    }


_DENIED_ON = (
    'User: {arn} is not authorized to perform: {action} on resource: "{resource}"'
    " because no identity-based policy allows the {action} action"
)
_OWN: dict[str, dict[str, tuple[str, str, int]]] = {
    EC2: {
        "throttle-503": ("RequestLimitExceeded", "Request limit exceeded.", 503),
        "error-500": ("InternalError", "An internal error has occurred", 500),
        "denied": (
            "UnauthorizedOperation",
            "You are not authorized to perform this operation. User: {arn} is not authorized to perform: {action}",
            403,
        ),
        "expired": ("RequestExpired", "Request has expired.", 400),
        "signature": ("AuthFailure", "AWS was not able to validate the provided access credentials. {why}", 401),
        "token": ("AuthFailure", "AWS was not able to validate the provided access credentials", 401),
    },
    EFS: _json_refusals("InternalServerError", 403),
    CLOUDWATCH: {"error-500": ("InternalServiceError", "Request processing has failed.", 500)},
    STS: {},
    KMS: _json_refusals("KMSInternalException", 400),
    BACKUP: _json_refusals("ServiceUnavailableException", 403),
    AUTOSCALING: _json_refusals("InternalServiceException", 400),
    S3: {
        "throttle-400": ("SlowDown", "Please reduce your request rate.", 503),
        "throttle-503": ("SlowDown", "Please reduce your request rate.", 503),
        "error-500": ("InternalError", "We encountered an internal error. Please try again.", 500),
        "denied": (
            "AccessDenied",
            _DENIED_ON,
            403,
        ),
        "expired": ("ExpiredToken", "The provided token has expired.", 400),
        "unknown-operation": ("MethodNotAllowed", "The specified method is not allowed against this resource.", 405),
        "token": ("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", 403),
        "anonymous": ("AccessDenied", "Access Denied", 403),
        "payload": (
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
            400,
        ),
    },
}
_ACTIONS = {
    "ListBuckets": "s3:ListAllMyBuckets",
    "GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "GetBucketReplication": "s3:GetReplicationConfiguration",
    "ListBucketMetricsConfigurations": "s3:GetMetricsConfiguration",
}
"""IAM's names of the operations that have another (aws-facts 3.4)."""
_IAM_PREFIX = {EC2: "ec2", EFS: "elasticfilesystem", CLOUDWATCH: "cloudwatch", STS: "sts"}
_JSON_NAMES = {
    "Throttling": "ThrottlingException",
    "InternalServiceError": "InternalServiceFault",
    "AccessDenied": "AccessDeniedException",
    "ExpiredToken": "ExpiredTokenException",
    "InvalidParameterValue": "InvalidParameterValueException",
    "ValidationError": "ValidationException",
    "SignatureDoesNotMatch": "InvalidSignatureException",
    "InvalidClientTokenId": "UnrecognizedClientException",
    "MissingAuthenticationToken": "MissingAuthenticationTokenException",
    "InvalidAction": "UnknownOperationException",
}


def refusal(
    service: str, kind: str, *, operation: str = "", arn: str = "", why: str = "", resource: str = ""
) -> WireError:
    """The error of a kind (``denied``, ``expired``, ``signature``, …) as *service* spells it."""
    code, message, status = _OWN.get(service, {}).get(kind) or _PLAIN[kind]
    action = _ACTIONS.get(operation, f"{_IAM_PREFIX.get(service, service)}:{operation}")
    filled = message.format(arn=arn, action=action, operation=operation, why=why, resource=resource)
    return WireError(code, filled.strip(), status)


def render_error(request: Request, service: str, error: WireError) -> Reply:
    """The error in the dialect the request was spoken in."""
    if service == EFS:
        body = {"ErrorCode": error.code, "Message": error.message}
        headers = {
            "x-amzn-ErrorType": f"{error.code}:http://internal.amazon.com/coral/com.amazonaws.elasticfilesystem/"
        }
        return Reply(error.status, "application/json", orjson.dumps(body), headers)
    if service in {KMS, BACKUP, AUTOSCALING}:
        name = f"{error.code}:http://internal.amazon.com/coral/com.amazon.coral.service/"
        kind = "application/json" if service == BACKUP else "application/x-amz-json-1.1"
        body = {"__type": error.code, "message": error.message}
        return Reply(error.status, kind, orjson.dumps(body), {"x-amzn-ErrorType": name})
    if service == CLOUDWATCH and speaks_json(request):
        name = _JSON_NAMES.get(error.code, error.code)
        who = "Receiver" if error.status >= 500 else "Sender"
        body = {"__type": f"com.amazonaws.cloudwatch#{name}", "message": error.message}
        headers = {"x-amzn-query-error": f"{error.code};{who}"}
        return Reply(error.status, "application/x-amz-json-1.0", orjson.dumps(body), headers)
    details = f"<Code>{text(error.code)}</Code><Message>{text(error.message)}</Message>"
    if service == S3:
        details += "".join(f"<{name}>{text(value)}</{name}>" for name, value in error.details.items())
        xml = f"{XML_HEAD}<Error>{details}<RequestId>{REQUEST_ID}</RequestId></Error>"
        return Reply(error.status, "application/xml", xml.encode(), {"x-amz-request-id": REQUEST_ID, **error.headers})
    if service == EC2:
        xml = f"<Response><Errors><Error>{details}</Error></Errors><RequestID>{REQUEST_ID}</RequestID></Response>"
    else:
        who = "Receiver" if error.status >= 500 else "Sender"
        xml = (
            f'<ErrorResponse xmlns="{namespace(service)}"><Error><Type>{who}</Type>{details}</Error>'
            f"<RequestId>{REQUEST_ID}</RequestId></ErrorResponse>"
        )
    return Reply(error.status, "text/xml;charset=UTF-8", (XML_HEAD + xml).encode())


def speaks_json(request: Request) -> bool:
    """Whether the caller speaks AWS JSON 1.0 (else query)."""
    return "x-amz-target" in request.headers


# --- XML -------------------------------------------------------------------------------------------------------------

XML_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
REQUEST_ID = "59dbff89-35bd-4eac-99ed-be587ed5d825"


def namespace(service: str) -> str:
    """The XML namespace of a service."""
    return {
        EC2: "http://ec2.amazonaws.com/doc/2016-11-15/",
        CLOUDWATCH: "http://monitoring.amazonaws.com/doc/2010-08-01/",
        STS: "https://sts.amazonaws.com/doc/2011-06-15/",
        ELASTICACHE: "http://elasticache.amazonaws.com/doc/2015-02-02/",
        S3: "http://s3.amazonaws.com/doc/2006-03-01/",
    }[service]


def text(value: str) -> str:
    """Character data, with what XML cannot hold taken out and a carriage return kept as a reference."""
    return escape(_INVALID_XML.sub("", value), {"\r": "&#13;"})


def xml(value: Any, item: str = "item") -> str:
    """The XML of a tree: a mapping's members in order (None left out), a list's items each in *item*."""
    if isinstance(value, Mapping):
        return "".join(f"<{name}>{xml(part, item)}</{name}>" for name, part in value.items() if part is not None)
    if isinstance(value, list | tuple):
        return "".join(f"<{item}>{xml(part, item)}</{item}>" for part in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value)
    return text(str(value))


def iso(instant: float) -> str:
    """An instant as EC2 and the query services write it, with milliseconds."""
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{int(instant * 1000) % 1000:03d}Z"


def query_reply(service: str, operation: str, result: Any) -> Reply:
    """The answer of a query service (CloudWatch, STS)."""
    body = (
        f'{XML_HEAD}<{operation}Response xmlns="{namespace(service)}"><{operation}Result>{xml(result, "member")}'
        f"</{operation}Result><ResponseMetadata><RequestId>{REQUEST_ID}</RequestId></ResponseMetadata>"
        f"</{operation}Response>"
    )
    return Reply(200, "text/xml", body.encode())


# --- lists and pages -------------------------------------------------------------------------------------------------


def numbered(parameters: Mapping[str, str], prefix: str) -> list[str]:
    """The values of ``<prefix>.1``, ``<prefix>.2``, … in order."""
    found = [
        (int(name[len(prefix) + 1 :]), value)
        for name, value in parameters.items()
        if name.startswith(prefix + ".") and name[len(prefix) + 1 :].isdigit()
    ]
    return [value for _, value in sorted(found)]


def make_token(content: Mapping[str, Any]) -> str:
    """An opaque page token."""
    return base64.urlsafe_b64encode(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).decode()


def read_token(token: str, code: str = "InvalidNextToken") -> dict[str, Any]:
    """
    What a token of ours holds.

    Raises:
        WireError: it is none of ours.
    """
    try:
        content = orjson.loads(base64.urlsafe_b64decode(token.encode()))
    except (binascii.Error, ValueError):
        content = None
    if not isinstance(content, dict):
        raise WireError(code, "The specified token is not valid.")
    return content


def cut_page(
    items: Sequence[T], token: str | None, size: int | None, tweaks: Tweaks, *, code: str = "InvalidNextToken"
) -> tuple[list[T], str | None]:
    """
    One page of *items* and the token of the next, None after the last.

    Args:
        token: of the request; `size`: of the request, None for all.

        code: the service's error for a token that is not its own.
    """
    offset = int(read_token(token, code).get("offset", 0)) if token else 0
    size = tweaks.page_size or size or len(items) or 1
    if tweaks.token_loop:
        return list(items[:size]), make_token({"offset": 0})
    following = make_token({"offset": offset + size}) if offset + size < len(items) else None
    return list(items[offset : offset + size]), following
