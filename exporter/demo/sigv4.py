"""
Verification of AWS Signature Version 4, from the request as it stood on the wire.

Written from the AWS General Reference ("Create a signed AWS API request"); what clients get wrong shows here. Knows
keys and their secrets, sessions and their ends; no service. Pure but for the clock it is given.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, unquote

from exporter.demo.wire import S3, Request

ALGORITHM = "AWS4-HMAC-SHA256"
MAXIMUM_SKEW = 900
_PAYLOAD, _UNSIGNED = "x-amz-content-sha256", "UNSIGNED-PAYLOAD"


@dataclass(frozen=True, slots=True)
class Key:
    """
    One pair of credentials.

    `expires` in real unix seconds (None: never); `tagged` where its session has tags that go along to roles assumed
    with it, as EKS Pod Identity's has.
    """

    access_key_id: str
    secret_access_key: str
    account_id: str
    arn: str
    session_token: str | None = None
    expires: float | None = None
    tagged: bool = False


class SignatureError(Exception):
    """
    A request that is not let in.

    Args:
        kind: ``anonymous``, ``signature``, ``token``, ``expired`` or (S3) ``payload``, to be spelled by the service.

        why: for people.
    """

    def __init__(self, kind: str, why: str) -> None:
        super().__init__(why)
        self.kind = kind
        self.why = why


@dataclass(frozen=True, slots=True)
class Scope:
    """The parts of an Authorization header."""

    access_key_id: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str


def parse(header: str) -> Scope:
    """
    The scope and signature of an Authorization header.

    Raises:
        SignatureError: there is none (`anonymous`) or it is malformed (`signature`).
    """
    if not header:
        raise SignatureError("anonymous", "There is no Authorization header.")
    algorithm, _, rest = header.partition(" ")
    fields = dict(part.strip().partition("=")[::2] for part in rest.split(",") if "=" in part)
    credential = fields.get("Credential", "").split("/")
    if algorithm != ALGORITHM or len(credential) != 5 or credential[4] != "aws4_request" or "Signature" not in fields:
        raise SignatureError("signature", "The Authorization header is not an AWS4-HMAC-SHA256 one.")
    names = tuple(name.lower() for name in fields.get("SignedHeaders", "").split(";") if name)
    access_key_id, date, region, service, _ = credential
    return Scope(access_key_id, date, region, service, names, fields["Signature"])


def verify(request: Request, keys: Mapping[str, Key], wall: Callable[[], float]) -> tuple[Scope, Key]:
    """
    The scope and key of a request that is signed as it should be.

    Args:
        keys: by access key id.

        wall: real unix seconds, against which the date of the request is held (15 minutes either way).

    Raises:
        SignatureError: it is not.
    """
    scope = parse(request.headers.get("authorization", ""))
    key = keys.get(scope.access_key_id)
    if key is None:
        raise SignatureError("token", "The access key is not known.")
    stamp = request.headers.get("x-amz-date", "")
    _check_time(stamp, scope, wall())
    if "host" not in scope.signed_headers:
        raise SignatureError("signature", "'Host' must be a 'SignedHeader' in the AWS Authorization.")
    required = [name for name in request.headers if name.startswith("x-amz-")]
    unsigned = [name for name in required if name not in scope.signed_headers]
    if unsigned:
        raise SignatureError("signature", f"These headers are not signed: {', '.join(unsigned)}.")
    canonical = canonical_request(request, scope.signed_headers, scope.service)
    expected = signature(key.secret_access_key, stamp, scope, canonical)
    if not hmac.compare_digest(expected, scope.signature):
        shown = canonical.replace(request.headers.get("x-amz-security-token") or "\0", "<session token>")
        raise SignatureError("signature", f"The canonical request should have been: {shown!r}")
    if scope.service == S3 and request.headers.get(_PAYLOAD) not in {_UNSIGNED, _hash(request.body)}:
        raise SignatureError("payload", "x-amz-content-sha256 is neither the body's hash nor UNSIGNED-PAYLOAD.")
    _check_session(request, key, wall())
    return scope, key


def _check_session(request: Request, key: Key, now: float) -> None:
    given = request.headers.get("x-amz-security-token")
    if given != key.session_token:
        raise SignatureError("token", "The session token is not that of the access key.")
    if key.expires is not None and now >= key.expires:
        raise SignatureError("expired", "The session has ended.")


def _check_time(stamp: str, scope: Scope, now: float) -> None:
    try:
        instant = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise SignatureError("signature", "X-Amz-Date is missing or malformed.") from None
    if not stamp.startswith(scope.date):
        raise SignatureError("signature", "The date of the credential scope is not that of X-Amz-Date.")
    if abs(now - instant) > MAXIMUM_SKEW:
        raise SignatureError("signature", f"Signature not current: {stamp} is more than 15 minutes from now.")


def canonical_request(request: Request, names: tuple[str, ...], service: str = "") -> str:
    """The canonical request over the headers *names*; of S3 with the path as it stands and the payload it states."""
    headers = "".join(f"{name}:{_trim(request.headers.get(name, ''))}\n" for name in names)
    payload = request.headers.get(_PAYLOAD, "") if service == S3 else _hash(request.body)
    path = request.path if service == S3 else quote(_normal(request.path), safe="/~-_.")
    return f"{request.method}\n{path}\n{_query(request.query)}\n{headers}\n{';'.join(names)}\n{payload}"


def signature(secret: str, stamp: str, scope: Scope, canonical: str) -> str:
    """The signature (hexadecimal) of a canonical request."""
    key = ("AWS4" + secret).encode()
    for part in (scope.date, scope.region, scope.service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    credential_scope = f"{scope.date}/{scope.region}/{scope.service}/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    return hmac.new(key, f"{ALGORITHM}\n{stamp}\n{credential_scope}\n{digest}".encode(), hashlib.sha256).hexdigest()


def _hash(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _trim(value: str) -> str:
    return re.sub(" +", " ", value.strip())


def _normal(path: str) -> str:
    """The path without ``.``, ``..`` and empty segments (every service but S3)."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            kept = kept[:-1]
        elif segment not in {"", "."}:
            kept.append(segment)
    return "/" + "/".join(kept) + ("/" if kept and path.endswith("/") else "")


def _query(raw: str) -> str:
    pairs = (part.partition("=")[::2] for part in raw.split("&") if part)
    return "&".join(
        f"{name}={value}" for name, value in sorted((_encoded(name), _encoded(value)) for name, value in pairs)
    )


def _encoded(value: str) -> str:
    return quote(unquote(value), safe="-_.~")
