"""
The HTTP API by which rulers of Mimir, Cortex and Loki keep rules: namespaces of groups, one group a request, as YAML.

A request is repeated while the ruler does not answer or has trouble of its own, for a while; what it refuses is not.
Only the one namespace it was made for is ever named in a request.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import ssl
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiohttp
import yaml
from yarl import URL

from exporter import logs, trust
from exporter.backoff import Backoff
from exporter.clock import Clock
from exporter.config import HIDDEN, LokiRuler, MimirRuler
from exporter.connections import proxy_for
from exporter.errors import ConfigError, Fault, RulerError
from exporter.ruler.shapes import Language
from exporter.ruler.writing import dumped

_AGAIN = frozenset({429, 500, 502, 503, 504})
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 15.0
_LARGEST_ANSWER = 32 * 2**20
_SHORTEST_SECRET = 4  # what is shorter would be found in every text
_SAID = 400  # characters of an answer that a message repeats
_OF_THE_GROUP = frozenset({400, 413, 422})
"""Refusals that are for what was sent: another group may be taken."""

_READ_ONLY = "unsupported in rule local store"
"""What Loki says where its rules come from files."""

_EMPTY = ("no rule groups found", "group namespace does not exist", "group does not exist")
"""What rulers say with 404 where the API is there, and the namespace is not."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class RulerClient:
    """
    Our namespace in one ruler; use it as an async context manager.

    Args:
        language: whose rules, which is also the key of the configuration.

        ruler: the configuration.

        namespace: ours.

        user_agent: such as ``storage-exporter/0.1.0``.

        patience: seconds after which a request is not tried again.

        clock: time.

        jitter: from 0 to 1, by chance.

        environ: of the process, for its proxy; None for the real one.
    """

    def __init__(
        self,
        language: Language,
        ruler: MimirRuler | LokiRuler,
        namespace: str,
        *,
        user_agent: str,
        patience: float,
        clock: Clock,
        jitter: Callable[[], float],
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._key = f"rules.{language}"
        self._ruler = ruler
        self._address = ruler.url.rstrip("/") + ruler.prefix.rstrip("/")
        self._namespace = namespace
        self._headers = {"User-Agent": user_agent, **({"X-Scope-OrgID": ruler.tenant} if ruler.tenant else {})}
        self._patience = patience
        self._clock = clock
        self._jitter = jitter
        self._proxy = proxy_for(ruler.url, os.environ if environ is None else environ)
        self._secrets: list[str] = []
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """
        Read what says who we are.

        Raises:
            ConfigError: where a file cannot be used.
        """
        shown = await self._used("auth", lambda: trust.authorization(self._ruler.auth))
        headers = {name: value.reveal() for name, value in self._ruler.headers.items()}
        headers |= {"Authorization": shown} if shown else {}
        self._headers |= headers
        self._secrets = sorted({part for value in headers.values() for part in _parts(value)}, key=len, reverse=True)
        context = None
        if self._ruler.url.startswith("https:"):
            context = await self._used("tls", lambda: trust.context(self._ruler.tls))
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=True if context is None else context),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None, sock_read=None),
            trust_env=False,  # the proxy is chosen by ourselves; aiohttp would add a password from ~/.netrc
        )
        return self

    async def _used(self, key: str, read: Callable[[], Any]) -> Any:
        try:
            return await asyncio.to_thread(read)
        except (OSError, ValueError) as error:
            fault = Fault(f"{self._key}.{key}", f"a file it names cannot be used: {trust.why(error)}")
            raise ConfigError("configuration", (fault,)) from None

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def groups(self) -> list[dict[str, Any]]:
        """
        The groups of the namespace; none where there is no such namespace.

        Raises:
            RulerError: the ruler did not give them.
        """
        status, text = await self._request("GET", ())
        if status == 404:
            return []
        try:
            data = yaml.load(text, _Loader)  # noqa: S506 - a safe loader
        except (yaml.YAMLError, ValueError, RecursionError):
            data = text
        if data is None:
            return []
        ours = isinstance(data, dict) and set(data) <= {self._namespace}
        groups = (data.get(self._namespace) or []) if ours else None
        if not isinstance(groups, list) or not all(isinstance(group, dict) and group.get("name") for group in groups):
            raise RulerError(
                f"{self._address} does not answer with groups of rules but with {self._quoted(text)}; "
                f"do {self._key}.url and {self._key}.prefix lead to the ruler's API, past every sign-in page?"
            )
        return groups

    async def put(self, group: Mapping[str, Any]) -> None:
        """
        Create or replace a group.

        Raises:
            RulerError: it was not taken.
        """
        await self._request("POST", (), dumped(dict(group)), str(group["name"]))

    async def delete(self, group: str) -> None:
        """
        Delete a group; well also where there is none.

        Raises:
            RulerError: it was not deleted.
        """
        await self._request("DELETE", (group,), about=group)

    async def delete_namespace(self) -> None:
        """
        Delete the whole namespace; well also where there is none.

        Raises:
            RulerError: it was not deleted.
        """
        await self._request("DELETE", ())

    async def _request(
        self, method: str, below: tuple[str, ...], body: str | None = None, about: str = ""
    ) -> tuple[int, str]:
        """Status, 2xx or the 404 of a namespace or group that is not there, and text of the answer."""
        backoff = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE, self._jitter)
        until = self._clock.monotonic() + self._patience
        while True:
            wait = 0.0
            try:
                status, text, wait = await self._exchange(method, below, body, until - self._clock.monotonic())
            except _UnansweredError as error:
                problem, again = RulerError(str(error)), not error.final
            else:
                if 200 <= status < 300 or (status == 404 and method != "POST" and self._is_empty(text)):
                    return status, text
                problem = RulerError(self._refusal(method, status, text, about), refused=status in _OF_THE_GROUP)
                again = status in _AGAIN and _READ_ONLY not in text
            pause = backoff.next(wait)
            if not again or self._clock.monotonic() + pause > until:
                raise problem from None
            await self._clock.sleep(pause)

    async def _exchange(
        self, method: str, below: tuple[str, ...], body: str | None, left: float
    ) -> tuple[int, str, float]:
        """One request of *left* seconds at most: status, text, and how long the ruler asks to be left alone."""
        assert self._session is not None, "enter the client first"  # noqa: S101
        path = "/".join(quote(part, safe="") for part in (self._namespace, *below))
        headers = self._headers | ({"Content-Type": "application/yaml"} if body is not None else {})
        seconds = max(1.0, min(self._ruler.timeout, left))
        try:
            async with (
                asyncio.timeout(seconds),
                self._session.request(
                    method,
                    URL(f"{self._address}/{path}", encoded=True),
                    data=None if body is None else body.encode(),
                    headers=headers,
                    allow_redirects=False,
                    proxy=self._proxy,
                ) as response,
            ):
                text = await _text(response)
                return response.status, text, _seconds(response.headers.get("Retry-After", ""))
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            raise self._unanswered(error, seconds) from None

    def _unanswered(self, error: Exception, seconds: float) -> _UnansweredError:
        host = f"{self._key}: {URL(self._ruler.url).authority}"
        if isinstance(error, TimeoutError):
            hint = "is it overloaded, or does a firewall swallow the packets?"
            return _UnansweredError(f"{host}: no whole answer within {seconds:g} s; {hint}", final=False)
        if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
            hint = f"name its authority by {self._key}.tls.ca_file, or use the name its certificate holds"
            return _UnansweredError(f"{host}: TLS failed: {self._brief(error)}; {hint}", final=True)
        if isinstance(error, aiohttp.ClientConnectorDNSError):
            return _UnansweredError(f"{host}: the name is not known; correct {self._key}.url", final=False)
        hint = f"does the ruler run there, and is {self._key}.url its port?"
        return _UnansweredError(f"{host}: {self._brief(error)}; {hint}", final=False)

    # --- words

    def _refusal(self, method: str, status: int, text: str, about: str) -> str:
        what = f"group {about}" if about else f"namespace {self._namespace}"
        return f"{self._key}: {method} of {what}: HTTP {status}, {self._quoted(text)}; {self._next(status, text)}"

    def _next(self, status: int, text: str) -> str:
        key, ruler = self._key, self._ruler
        if status == 401 and "org id" in text.lower():
            return f"it wants a tenant: set {key}.tenant"
        if status == 401:
            return f"it does not know us: correct {key}.auth" if ruler.auth else f"it wants to know us: set {key}.auth"
        if status == 403:
            return f"we may not do this: correct {key}.tenant or the rights of {key}.auth"
        if status in (404, 405):
            ours = "Mimir's is /prometheus/config/v1/rules, and Cortex's /api/v1/rules"
            known = "Loki's is /loki/api/v1/rules" if key == "rules.loki" else ours
            return f"no ruler API is below {ruler.prefix}: set {key}.prefix ({known}), or switch on its enable_api"
        if 300 <= status < 400:
            return f"it points elsewhere: give the final address as {key}.url"
        if status == 413:
            return "the group is too large for it or for a proxy in between: raise their limit of a body"
        if _READ_ONLY in text:
            return "its rules come from files: give it a ConfigMap (rules render --format configmap), or other storage"
        if status in _AGAIN:
            return "it was tried until the time was used up: look at the ruler's log, and sync again"
        if "limit" in text and "rule groups" in text:
            return "raise ruler_max_rule_groups_per_tenant, or leave whole files out by rules.files"
        if "limit" in text and "rules per rule group" in text:
            return "raise ruler_max_rules_per_rule_group"
        return "correct or disable what it names (rules.alerts, rules.disable), or report it with the ruler's version"

    def _quoted(self, text: str) -> str:
        line = self._clean(" ".join(text.split()))
        return f"'{line[:_SAID]}{'…' * (len(line) > _SAID)}'" if line else "an empty answer"

    def _brief(self, error: Exception) -> str:
        return self._clean(str(error).strip().partition("\n")[0])[:_SAID] or type(error).__name__

    def _clean(self, text: str) -> str:
        """*text* as it may be shown: nothing that moves a cursor, none of our secrets."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return logs.redact("".join(char if char.isprintable() else " " for char in text))

    @staticmethod
    def _is_empty(text: str) -> bool:
        return any(words in text.lower() for words in _EMPTY)


class _UnansweredError(Exception):
    """No whole answer; ``final`` where another attempt would end the same."""

    def __init__(self, text: str, *, final: bool) -> None:
        super().__init__(text)
        self.final = final


def _parts(value: str) -> list[str]:
    """A header's value, and what of it is a secret by itself."""
    scheme, _, shown = value.partition(" ")
    parts = [value, shown]
    if scheme == "Basic":
        with contextlib.suppress(ValueError):  # a header of somebody's own need not hold what it should
            parts.append(base64.b64decode(shown).decode().partition(":")[2])
    return [part for part in parts if len(part) >= _SHORTEST_SECRET]


async def _text(response: aiohttp.ClientResponse) -> str:
    body = b""
    while part := await response.content.readany():
        body += part
        if len(body) > _LARGEST_ANSWER:
            response.close()
            break
    return body.decode(errors="replace")


def _seconds(text: str) -> float:
    """Of Retry-After, where it is a number."""
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0.0
