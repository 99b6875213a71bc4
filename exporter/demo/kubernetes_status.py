"""
How the simulated Kubernetes API says no: `Status` objects. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exporter.demo.kubernetes_access import Request
from exporter.demo.kubernetes_kinds import Object, Resource


class ApiError(Exception):
    """
    A request that is refused.

    Args:
        code: HTTP status.

        reason: one of the API's own words, such as ``NotFound``.

        message: for people.

        details: further fields of the Status.

        headers: beside the content type.
    """

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code, self.reason, self.message = code, reason, message
        self.details = dict(details or {})
        self.headers = dict(headers or {})

    def status(self) -> Object:
        """The Status object."""
        found: Object = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
        }
        if self.details:
            found["details"] = self.details
        return {**found, "code": self.code}


def _about(kind: Resource, name: str) -> Object:
    return {"name": name, "group": kind.group, "kind": kind.name} if kind.group else {"name": name, "kind": kind.name}


def _called(kind: Resource) -> str:
    return f"{kind.name}.{kind.group}" if kind.group else kind.name


def not_found(kind: Resource, name: str) -> ApiError:
    """There is no such object."""
    return ApiError(404, "NotFound", f'{_called(kind)} "{name}" not found', _about(kind, name))


def no_such_path() -> ApiError:
    """There is no such kind or page."""
    return ApiError(404, "NotFound", "the server could not find the requested resource")


def already_exists(kind: Resource, name: str) -> ApiError:
    """An object of the name exists."""
    return ApiError(409, "AlreadyExists", f'{_called(kind)} "{name}" already exists', _about(kind, name))


def conflict(kind: Resource, name: str, why: str = "the object has been modified since it was read") -> ApiError:
    """The object is no longer the one the caller has read."""
    message = f'Operation cannot be fulfilled on {_called(kind)} "{name}": {why}'
    return ApiError(409, "Conflict", message, _about(kind, name))


def invalid(kind: Resource, name: str, field: str, why: str) -> ApiError:
    """A field of an object holds what it may not."""
    cause = {"reason": "FieldValueInvalid", "message": why, "field": field}
    message = f'{kind.kind}.{kind.group} "{name}" is invalid: {field}: {why}'
    return ApiError(422, "Invalid", message, {**_about(kind, name), "kind": kind.kind, "causes": [cause]})


def bad_request(why: str) -> ApiError:
    """The request makes no sense."""
    return ApiError(400, "BadRequest", why)


def unauthorized() -> ApiError:
    """Nobody knows the token."""
    return ApiError(401, "Unauthorized", "Unauthorized")


def forbidden(user: str, wanted: Request) -> ApiError:
    """The user may not do this."""
    who = f'User "{user}" cannot {wanted.verb}'
    if not wanted.resource:
        return ApiError(403, "Forbidden", f'forbidden: {who} path "{wanted.path}"')
    where = f'in the namespace "{wanted.namespace}"' if wanted.namespace else "at the cluster scope"
    called = f"{wanted.resource}.{wanted.group}" if wanted.group else wanted.resource
    named = f' "{wanted.name}"' if wanted.name else ""
    message = f'{called}{named} is forbidden: {who} resource "{wanted.called}" in API group "{wanted.group}" {where}'
    about = {"name": wanted.name, "group": wanted.group, "kind": wanted.resource}
    return ApiError(403, "Forbidden", message, {field: value for field, value in about.items() if value})


def not_allowed() -> ApiError:
    """The kind cannot be changed here."""
    return ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")


def expired(why: str) -> ApiError:
    """What was asked for is forgotten."""
    return ApiError(410, "Expired", why)


def too_old(version: int, oldest: int) -> ApiError:
    """A watch that would begin before what is remembered."""
    return expired(f"too old resource version: {version} ({oldest})")


def too_large(version: int, newest: int) -> ApiError:
    """A list that shall be at least as new as what is not yet."""
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    message = f"Timeout: Too large resource version: {version}, current: {newest}"
    return ApiError(504, "Timeout", message, {"causes": [cause], "retryAfterSeconds": 1}, {"Retry-After": "1"})


def too_many(seconds: float) -> ApiError:
    """The caller shall come back later."""
    message = "the server has received too many requests and has asked us to try again later"
    wait = max(1, round(seconds))
    return ApiError(429, "TooManyRequests", message, {"retryAfterSeconds": wait}, {"Retry-After": str(wait)})


def internal() -> ApiError:
    """The server is in trouble."""
    return ApiError(500, "InternalError", "Internal error occurred: etcdserver: request timed out")
