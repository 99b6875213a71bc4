"""
What went wrong with a request to the Kubernetes API, as one of our error classes: decided here, once.

Whether something is worth another attempt, and when, follows from the class; its `code` is one short word for labels. A
text names what was asked, what was wrong and the next step. It quotes of an answer only the message of a Kubernetes
Status (never a page of HTML, never a header), so no token can be in it. Pure; no retries.

::

    KubernetesError
     ├─ UnauthorizedError   401: who we are is not accepted
     ├─ ForbiddenError      403: who we are may not do this
     ├─ NotFoundError       404
     ├─ ConflictError       409: another was first
     ├─ GoneError           410: the version or the page is too old, list again
     ├─ ThrottledError      429, with the seconds the server names
     ├─ RejectedError       any other 4xx
     ├─ ServerError         5xx
     ├─ UnreachableError    no connection, or it broke
     ├─ TimedOutError       no whole answer in time
     └─ MalformedError      an answer that is not what a Kubernetes API says
         └─ TooLargeError   more bytes than we are ready to hold
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import unquote

import aiohttp
import msgspec

from exporter import logs
from exporter.errors import ExporterError

_LONGEST = 300
"""Characters of the server's words that are kept."""


class KubernetesError(ExporterError):
    """
    A request to the Kubernetes API that did not give what was asked.

    Args:
        message: what was asked, what was wrong, the next step.

        retry_after: seconds the server asks to wait, 0 where it does not say.
    """

    code: ClassVar[str] = "failed"

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class UnauthorizedError(KubernetesError):
    """Who we say we are is not accepted."""

    code = "unauthorized"


class ForbiddenError(KubernetesError):
    """We may not do this; only a change of roles helps."""

    code = "forbidden"


class NotFoundError(KubernetesError):
    """No such object, or this cluster does not serve that kind."""

    code = "not_found"


class ConflictError(KubernetesError):
    """The object exists already, or another changed it first."""

    code = "conflict"


class GoneError(KubernetesError):
    """The version to watch from, or the rest of a list, is too old: list again."""

    code = "gone"


class ThrottledError(KubernetesError):
    """The server asks for a slower pace."""

    code = "throttled"


class RejectedError(KubernetesError):
    """The server refuses the request itself."""

    code = "rejected"


class ServerError(KubernetesError):
    """The server failed."""

    code = "server_error"


class UnreachableError(KubernetesError):
    """There is no connection, or it broke before the answer was whole."""

    code = "unreachable"


class TimedOutError(KubernetesError):
    """No whole answer in time."""

    code = "timeout"


class MalformedError(KubernetesError):
    """An answer that is not what a Kubernetes API says."""

    code = "malformed"


class TooLargeError(MalformedError):
    """An answer, or one event of a watch, of more bytes than we are ready to hold."""


class Status(msgspec.Struct, frozen=True):
    """What is read of a Kubernetes Status."""

    kind: str = ""
    code: int = 0
    message: str = ""


_STATUS = msgspec.json.Decoder(Status)


@dataclass(frozen=True, slots=True)
class Asked:
    """
    What a request asks for.

    Args:
        verb: as roles spell it: ``get``, ``list``, ``watch``, ``create``, ``update``.

        path: as in the API, such as ``/apis/coordination.k8s.io/v1/namespaces/monitoring/leases/storage-exporter``.
    """

    verb: str
    path: str

    @property
    def group(self) -> str:
        """The API group, ``""`` for the core."""
        parts = self._parts
        return parts[1] if parts[0] == "apis" and len(parts) > 1 else ""

    @property
    def namespace(self) -> str:
        """The namespace, ``""`` where the whole cluster is asked."""
        rest = self._rest
        return rest[1] if len(rest) > 2 and rest[0] == "namespaces" else ""

    @property
    def kind(self) -> str:
        """The plural name of the resource; the path where it is none."""
        rest = self._rest[2:] if self.namespace else self._rest
        return rest[0] if rest else self.path

    @property
    def name(self) -> str:
        """The object, ``""`` for the collection."""
        rest = self._rest[2:] if self.namespace else self._rest
        return rest[1] if len(rest) > 1 else ""

    @property
    def _parts(self) -> list[str]:
        return [unquote(part) for part in self.path.strip("/").split("/")]

    @property
    def _rest(self) -> list[str]:
        return self._parts[3 if self._parts[0] == "apis" else 2 :]

    def __str__(self) -> str:
        within = f" in namespace {self.namespace}" if self.namespace else ""
        return f"{self.verb} {self.kind}{f' {self.name}' if self.name else ''}{within}"


def from_answer(asked: Asked, status: int, headers: Mapping[str, str], body: bytes) -> KubernetesError:
    """The error that an answer other than success is; *body* may be anything."""
    return from_status(asked, status, _message(body), _seconds(headers.get("Retry-After", "")))


def from_status(asked: Asked, status: int, message: str = "", retry_after: float = 0.0) -> KubernetesError:
    """The error of an HTTP status, or of the Status that a watch ends with; *message* is the server's."""
    said = brief(message)
    said = f"; the server says: {said}" if said else ""
    kind, text = _told(asked, status)
    return kind(f"{asked}: {text}{said}", retry_after)


def _told(asked: Asked, status: int) -> tuple[type[KubernetesError], str]:
    if status == 401:
        return UnauthorizedError, "the API does not accept who we are (401); is the token of this cluster, and current?"
    if status == 403:
        return ForbiddenError, _permission(asked)
    if status == 404:
        what = "there is no such object" if asked.name else f'this cluster does not serve it in "{asked.group}"'
        return NotFoundError, f"{what} (404)"
    if status == 409:
        return ConflictError, "another wrote it first (409)"
    if status == 410:
        return GoneError, "the version asked for is too old (410); it is listed again"
    if status == 429:
        return ThrottledError, "the API asks for a slower pace (429); it is asked again later"
    if 400 <= status < 500:
        return RejectedError, f"the API refuses the request ({status}); is the server a Kubernetes API?"
    if status >= 500:
        return ServerError, f"the API failed ({status}); it is asked again later"
    return MalformedError, f"status {status} is no answer of a Kubernetes API; is its url right?"


def _permission(asked: Asked) -> str:
    place = f"a Role of namespace {asked.namespace}" if asked.namespace else "a ClusterRole"
    return (
        f'not allowed (403); give the service account the verb "{asked.verb}" on the resource "{asked.kind}" of the '
        f'API group "{asked.group}" by {place}'
    )


def from_trouble(asked: Asked, host: str, error: Exception) -> KubernetesError:
    """
    The error that an exception of the transport is.

    Args:
        asked: what was asked.

        host: whom.

        error: aiohttp's, the system's, or a ValueError of a URL or header.
    """
    if isinstance(error, aiohttp.ClientSSLError):
        hint = "if the API has an authority of its own, name its certificate by kubernetes.ca_file"
        return UnreachableError(f"{asked}: TLS with {host} failed: {brief(str(error))}; {hint}")
    if isinstance(error, aiohttp.ClientPayloadError):
        return UnreachableError(f"{asked}: {host} broke the answer off; it is asked again")
    if isinstance(error, aiohttp.ClientResponseError):
        return MalformedError(f"{asked}: {host} does not answer in HTTP: {brief(error.message)}; is its port right?")
    return UnreachableError(f"{asked}: {host}: {brief(str(error)) or type(error).__name__}; is the address right?")


def brief(text: str) -> str:
    """The first line of *text*, cut and without what looks like a secret."""
    line = text.strip().partition("\n")[0].strip()
    return logs.redact(line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…")


def _message(body: bytes) -> str:
    """The message of the Status in *body*, ``""`` where it is none."""
    try:
        status = _STATUS.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return status.message if status.kind == "Status" else ""


def _seconds(header: str) -> float:
    """Of ``Retry-After``; 0 where it names none (or a date, which a Kubernetes API never does)."""
    return float(header) if header.isascii() and header.isdigit() and len(header) < 10 else 0.0
