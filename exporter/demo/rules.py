"""
Rules of trouble, whatever they are about: which of the requests that match one it hits, and how often it did.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar


@dataclass(slots=True, kw_only=True)
class Rule:
    """
    One rule. The first `after` matching requests are spared, then `count` are hit (None: all that follow); `matched`
    and `hit` count both. `removed` once it is taken away, for what still waits because of it.
    """

    number: int
    kind: str
    count: int | None = None
    after: int = 0
    options: dict[str, Any] = field(default_factory=dict)
    matched: int = 0
    hit: int = 0
    removed: bool = False

    def match(self) -> Mapping[str, str | None]:
        """What chooses requests, as the control pages speak it."""
        return {}

    def as_dict(self) -> dict[str, Any]:
        """The rule as the control pages speak it."""
        return {
            "number": self.number,
            "match": self.match(),
            "kind": self.kind,
            "count": self.count,
            "after": self.after,
            "options": self.options,
            "matched": self.matched,
            "hit": self.hit,
        }


R = TypeVar("R", bound=Rule)


class Rules(Generic[R]):
    """
    The list of rules; may be changed from another thread while the server answers.

    Args:
        kinds: those there are.
    """

    def __init__(self, kinds: Iterable[str]) -> None:
        self._kinds = tuple(kinds)
        self._lock = threading.Lock()
        self._rules: list[R] = []
        self._made = 0

    def put(self, kind: str, make: Callable[[int], R]) -> R:
        """
        Add the rule that *make* makes with its number.

        Raises:
            ValueError: there is no such kind of fault.
        """
        if kind not in self._kinds:
            msg = f"no fault of kind {kind!r}; there are: {', '.join(self._kinds)}"
            raise ValueError(msg)
        with self._lock:
            self._made += 1
            rule = make(self._made)
            self._rules.append(rule)
        return rule

    def remove(self, rule: R) -> None:
        """Take one rule away, if it is still there."""
        with self._lock:
            rule.removed = True
            self._rules = [item for item in self._rules if item is not rule]

    def clear(self) -> None:
        """Take all rules away."""
        with self._lock:
            for rule in self._rules:
                rule.removed = True
            self._rules.clear()

    def rules(self) -> list[R]:
        """The rules there are, oldest first."""
        with self._lock:
            return list(self._rules)

    def hits(self, matches: Callable[[R], bool]) -> list[R]:
        """The rules that hit a request which those match of which *matches* is true; counts it."""
        hit = []
        with self._lock:
            for rule in self._rules:
                if not matches(rule):
                    continue
                rule.matched += 1
                if rule.matched <= rule.after or (rule.count is not None and rule.hit >= rule.count):
                    continue
                rule.hit += 1
                hit.append(rule)
        return hit
