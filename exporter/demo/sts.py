"""
STS in its query dialect: who is calling, and sessions of a role.

Sessions it grants are put into the ring of keys the server verifies with, so they work and end like real ones. Errors
are those of the STS API reference (AssumeRole, AssumeRoleWithWebIdentity); EKS Pod Identity's tags go along from
session to session, and a role whose trust policy does not allow sts:TagSession then refuses (chart.md 3.7).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, MutableMapping
from typing import Any

from exporter.demo.sigv4 import Key, parse
from exporter.demo.wire import STS, Reply, Request, WireError, iso, query_reply
from exporter.demo.world import World

WEB_IDENTITY = "AssumeRoleWithWebIdentity"
LEAST_SECONDS, MOST_SECONDS, MOST_SECONDS_CHAINED = 900, 43_200, 3600
"""Seconds a session may last; the last where it is asked for with a session."""

_ROLE = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):role/(.+)")


def is_unsigned(request: Request) -> bool:
    """Whether a request to STS is of the operation that needs no signature, and has none."""
    return not request.headers.get("authorization") and request.parameters.get("Action") == WEB_IDENTITY


def handle(
    world: World, request: Request, operation: str, keys: MutableMapping[str, Key], wall: Callable[[], float]
) -> Reply:
    """
    The answer to one STS call.

    Raises:
        WireError: as AWS would answer.
    """
    if operation == "GetCallerIdentity":
        access_key = request.arn.encode()
        user = "AIDA" + hashlib.sha256(access_key).hexdigest()[:16].upper()
        return query_reply(STS, operation, {"Arn": request.arn, "UserId": user, "Account": request.account_id})
    if operation == "AssumeRole":
        return query_reply(STS, operation, _assume_role(world, request, keys, wall))
    if operation == WEB_IDENTITY:
        return query_reply(STS, operation, _exchange(world, request, keys, wall))
    raise WireError("InvalidAction", f"Could not find operation {operation} for version 2011-06-15")


def granted(arn: str, session: str, seconds: float, number: int, now: float, *, tagged: bool = False) -> Key:
    """
    The credentials of a new session of a role.

    Args:
        arn: the role's.

        session: its name.

        seconds: of life.

        number: makes it differ from others granted at the same time.

        now: real unix seconds.

        tagged: whether it has tags that go along.

    Raises:
        WireError: where *arn* is none of a role, or the session has no name.
    """
    match = _ROLE.fullmatch(arn)
    if not match or not session:
        raise WireError("ValidationError", f"{arn or 'RoleArn'} is invalid")
    digest = hashlib.sha256(f"{arn}|{session}|{now}|{number}".encode()).hexdigest()
    assumed = f"arn:aws:sts::{match[1]}:assumed-role/{match[2].rsplit('/', 1)[-1]}/{session}"
    secret, token = digest[:40], f"token-{digest}"
    return Key(f"ASIA{digest[40:56].upper()}", secret, match[1], assumed, token, now + seconds, tagged)


def _assume_role(
    world: World, request: Request, keys: MutableMapping[str, Key], wall: Callable[[], float]
) -> dict[str, Any]:
    given = request.parameters
    arn = given.get("RoleArn", "")
    caller = keys[parse(request.headers["authorization"]).access_key_id]
    seconds = _seconds(given.get("DurationSeconds", "3600"))
    key = granted(arn, given.get("RoleSessionName", ""), seconds, len(keys), wall(), tagged=caller.tagged)
    if caller.session_token is not None and seconds > MOST_SECONDS_CHAINED:
        message = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
        raise WireError("ValidationError", message)
    if arn not in world.roles or world.roles[arn] not in {None, given.get("ExternalId")}:
        raise _not_authorized(request.arn, "AssumeRole", arn)
    if caller.tagged and arn in world.untagged_roles:
        raise _not_authorized(request.arn, "TagSession", arn)
    return {**_session(key, keys), "PackedPolicySize": 74 if caller.tagged else 6}


def _exchange(
    world: World, request: Request, keys: MutableMapping[str, Key], wall: Callable[[], float]
) -> dict[str, Any]:
    given = request.parameters
    arn, token = given.get("RoleArn", ""), given.get("WebIdentityToken", "")
    seconds = _seconds(given.get("DurationSeconds", "3600"))
    key = granted(arn, given.get("RoleSessionName", ""), seconds, len(keys), wall())
    if arn not in world.web_identities:
        raise WireError("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", 403)
    if token in world.ended_web_identities:
        raise WireError(
            "ExpiredTokenException", "Token expired: current date/time must be before the expiration date/time"
        )
    if token != world.web_identities[arn]:
        raise WireError("InvalidIdentityToken", "Couldn't retrieve verification key from your identity provider")
    return {
        **_session(key, keys),
        "SubjectFromWebIdentityToken": "system:serviceaccount:monitoring:storage-exporter",
        "Audience": "sts.amazonaws.com",
    }


def _seconds(given: str) -> int:
    if not given.isdigit() or not LEAST_SECONDS <= int(given) <= MOST_SECONDS:
        raise WireError("ValidationError", f"1 validation error detected: Value '{given}' at 'durationSeconds'")
    return int(given)


def _not_authorized(who: str, action: str, arn: str) -> WireError:
    message = f"User: {who} is not authorized to perform: sts:{action} on resource: {arn}"
    return WireError("AccessDenied", message, 403)


def _session(key: Key, keys: MutableMapping[str, Key]) -> dict[str, Any]:
    """The session in an answer, from now on among *keys*."""
    keys[key.access_key_id] = key
    name = key.arn.rpartition("/")[2]
    return {
        "Credentials": {
            "AccessKeyId": key.access_key_id,
            "SecretAccessKey": key.secret_access_key,
            "SessionToken": key.session_token,
            "Expiration": iso(key.expires or 0.0),
        },
        "AssumedRoleUser": {"AssumedRoleId": f"AROA{key.access_key_id[4:]}:{name}", "Arn": key.arn},
    }
