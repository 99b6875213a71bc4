"""
Troubles of the simulated Kubernetes API, as rules: which request, what happens, how often.

Rules are taken in the order they were added; each counts the requests it matched. The server does what they say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from exporter.demo.rules import Rule, Rules

KUBERNETES_KINDS: dict[str, str] = {
    "error-500": "a Status of InternalError, HTTP 500",
    "html-502": "the HTML of a load balancer, HTTP 502",
    "reset": "the connection is reset before an answer",
    "down": "the connection is closed before an answer",
    "hang": "no answer for `seconds` (60), or until the client leaves; with `held` true only while the rule is there",
    "slow": "the right answer, `seconds` (1) late",
    "unauthorized": "the token is not known, HTTP 401",
    "forbidden": "the user may not do this, HTTP 403",
    "too-many-429": "HTTP 429 with Retry-After of `seconds` (1)",
    "gone-410": "list: HTTP 410; watch: HTTP 200 and an ERROR event with a 410 in it, or with `http` true HTTP 410",
    "malformed": "HTTP 200 with a body, or an event, that is not JSON",
    "truncated": "half the body with a Content-Length that fits it; watch: half an event, then a proper end",
    "cut": "the connection is closed in mid-body; watch: after `events` (1) events, in the middle of the next line",
    "silent": "watch: the answer begins, and then nothing comes, not even bookmarks, for `seconds` (60)",
}
"""Kind and what it does. With the option `applied` true a create or update is done before the answer suffers."""


@dataclass(slots=True, kw_only=True)
class KubernetesFault(Rule):
    """
    One rule. `verb` (get, list, watch, create, update, delete), `resource` (plural), `name` and `user` (or token)
    choose requests, None all.
    """

    verb: str | None = None
    resource: str | None = None
    name: str | None = None
    user: str | None = None

    def match(self) -> Mapping[str, str | None]:
        """What chooses requests; a user's token is not said."""
        return {"verb": self.verb, "kind": self.resource, "name": self.name, "user": self.user}

    def seconds(self, usual: float) -> float:
        """The option `seconds`."""
        return float(self.options.get("seconds", usual))


class KubernetesFaults(Rules[KubernetesFault]):
    """The list of rules; may be changed from another thread while the server answers."""

    def __init__(self) -> None:
        super().__init__(KUBERNETES_KINDS)

    def add(
        self,
        kind: str,
        *,
        verb: str | None = None,
        resource: str | None = None,
        name: str | None = None,
        user: str | None = None,
        count: int | None = None,
        after: int = 0,
        **options: Any,
    ) -> KubernetesFault:
        """
        Add a rule.

        Raises:
            ValueError: there is no such kind of fault.
        """
        chosen: dict[str, Any] = {"verb": verb, "resource": resource, "name": name, "user": user}
        return self.put(
            kind,
            lambda number: KubernetesFault(
                number=number, kind=kind, count=count, after=after, options=options, **chosen
            ),
        )

    def add_from(self, given: Mapping[str, Any]) -> KubernetesFault:
        """Add a rule as the control pages speak it: {match: {verb, kind, name, user}, kind, count, after, options}."""
        match = given.get("match") or {}
        return self.add(
            str(given.get("kind")),
            verb=match.get("verb"),
            resource=match.get("kind"),
            name=match.get("name"),
            user=match.get("user"),
            count=given.get("count"),
            after=int(given.get("after") or 0),
            **(given.get("options") or {}),
        )

    def take(self, verb: str, resource: str, name: str, user: str, token: str) -> list[KubernetesFault]:
        """The rules that hit this request, counting it."""

        def matches(rule: KubernetesFault) -> bool:
            wanted = ((rule.verb, {verb}), (rule.resource, {resource}), (rule.name, {name}), (rule.user, {user, token}))
            return all(asked is None or asked in found for asked, found in wanted)

        return self.hits(matches)
