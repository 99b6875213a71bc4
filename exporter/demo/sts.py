"""
STS in its query dialect: who is calling, and sessions of a role.

Sessions it grants are put into the ring of keys the server verifies with, so they work and end like real ones.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, MutableMapping

from exporter.demo.sigv4 import Key
from exporter.demo.wire import STS, Reply, Request, WireError, iso, query_reply
from exporter.demo.world import World

_ROLE = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):role/(.+)")


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
        return _assume_role(world, request, keys, wall)
    raise WireError("InvalidAction", f"Could not find operation {operation} for version 2011-06-15")


def _assume_role(world: World, request: Request, keys: MutableMapping[str, Key], wall: Callable[[], float]) -> Reply:
    given = request.parameters
    arn, session = given.get("RoleArn", ""), given.get("RoleSessionName", "")
    seconds = given.get("DurationSeconds", "3600")
    if not seconds.isdigit() or not 900 <= int(seconds) <= 43_200:
        raise WireError("ValidationError", f"1 validation error detected: Value '{seconds}' at 'durationSeconds'")
    match = _ROLE.fullmatch(arn)
    if not match or not session:
        raise WireError("ValidationError", f"{arn or 'RoleArn'} is invalid")
    if arn not in world.roles or world.roles[arn] not in {None, given.get("ExternalId")}:
        message = f"User: {request.arn} is not authorized to perform: sts:AssumeRole on resource: {arn}"
        raise WireError("AccessDenied", message, 403)
    expires = wall() + int(seconds)
    number = hashlib.sha256(f"{arn}|{session}|{expires}|{len(keys)}".encode()).hexdigest()
    assumed = f"arn:aws:sts::{match[1]}:assumed-role/{match[2].rsplit('/', 1)[-1]}/{session}"
    key = Key(f"ASIA{number[:16].upper()}", number[:40], match[1], assumed, f"token-{number}", expires)
    keys[key.access_key_id] = key
    return query_reply(
        STS,
        "AssumeRole",
        {
            "Credentials": {
                "AccessKeyId": key.access_key_id,
                "SecretAccessKey": key.secret_access_key,
                "SessionToken": key.session_token,
                "Expiration": iso(expires),
            },
            "AssumedRoleUser": {"AssumedRoleId": f"AROA{number[:16].upper()}:{session}", "Arn": assumed},
            "PackedPolicySize": 6,
        },
    )
