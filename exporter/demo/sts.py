"""
STS in its query dialect: who is calling, and sessions of a role, by another identity or by a web identity token.

Sessions are made in `sessions`; what the world knows of identities is `World.identities` and `World.roles`.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping

from exporter.demo.sessions import ROLE, as_tree, asked_seconds, make_key, user_id
from exporter.demo.sigv4 import Key, parse
from exporter.demo.wire import STS, Reply, Request, WireError, query_reply
from exporter.demo.world import World

UNSIGNED = "AssumeRoleWithWebIdentity"
"""The operation that is asked without a signature."""

_AUDIENCE = "sts.amazonaws.com"


def handle(
    world: World, request: Request, operation: str, keys: MutableMapping[str, Key], wall: Callable[[], float]
) -> Reply:
    """
    The answer to one STS call.

    Raises:
        WireError: as AWS would answer.
    """
    if operation == "GetCallerIdentity":
        user = user_id(request.account_id, request.arn)
        return query_reply(STS, operation, {"Arn": request.arn, "UserId": user, "Account": request.account_id})
    if operation == "AssumeRole":
        return _assume_role(world, request, keys, wall)
    if operation == UNSIGNED:
        return _with_web_identity(world, request, keys, wall)
    raise WireError("InvalidAction", f"Could not find operation {operation} for version 2011-06-15")


def _named(request: Request) -> tuple[str, str]:
    """The role's ARN and the session's name."""
    given = request.parameters
    arn, session = given.get("RoleArn", ""), given.get("RoleSessionName", "")
    if not ROLE.fullmatch(arn) or not session:
        raise WireError("ValidationError", f"{arn or 'RoleArn'} is invalid")
    return arn, session


def _assume_role(world: World, request: Request, keys: MutableMapping[str, Key], wall: Callable[[], float]) -> Reply:
    given, identities = request.parameters, world.identities
    caller = keys[parse(request.headers.get("authorization", "")).access_key_id]
    arn, session = _named(request)
    chained = ":assumed-role/" in request.arn
    seconds = asked_seconds(given.get("DurationSeconds"), arn, identities, chained=chained)
    if arn not in world.roles or world.roles[arn] not in {None, given.get("ExternalId")}:
        raise _not_authorized(request.arn, "sts:AssumeRole", arn)
    if caller.tagged and arn in identities.no_tag_session:
        raise _not_authorized(request.arn, "sts:TagSession", arn)
    key = make_key(arn, session, keys, wall, identities.session_seconds or seconds, tagged=caller.tagged)
    return query_reply(STS, "AssumeRole", as_tree(key))


def _not_authorized(caller: str, action: str, arn: str) -> WireError:
    return WireError("AccessDenied", f"User: {caller} is not authorized to perform: {action} on resource: {arn}", 403)


def _with_web_identity(
    world: World, request: Request, keys: MutableMapping[str, Key], wall: Callable[[], float]
) -> Reply:
    given, identities = request.parameters, world.identities
    arn, session = _named(request)
    token = given.get("WebIdentityToken", "")
    seconds = asked_seconds(given.get("DurationSeconds"), arn, identities, chained=False)
    if not token:
        raise WireError("ValidationError", "1 validation error detected: Value '' at 'webIdentityToken'")
    if token in identities.expired_tokens:
        message = "Token expired: current date/time must be before the expiration date/time of the token"
        raise WireError("ExpiredTokenException", message)
    if token not in identities.web_tokens.values():
        raise WireError(
            "InvalidIdentityToken",
            "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)",
        )
    if identities.web_tokens.get(arn) != token:
        raise WireError("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", 403)
    key = make_key(arn, session, keys, wall, identities.session_seconds or seconds, tagged=False)
    issuer = f"oidc.eks.{world.region}.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE"
    return query_reply(
        STS,
        UNSIGNED,
        {
            **as_tree(key),
            "SubjectFromWebIdentityToken": "system:serviceaccount:monitoring:storage-exporter",
            "Audience": _AUDIENCE,
            "Provider": f"arn:aws:iam::{key.account_id}:oidc-provider/{issuer}",
        },
    )
