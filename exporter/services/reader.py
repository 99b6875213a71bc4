"""
The operations a service declares, and the reader that asks them no more often than they change.

An answer that fails leaves what was known in place up to its age limit; one denied or hanging operation never costs the
others anything but its own facts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from exporter.clock import Clock
from exporter.errors import AwsError, CredentialsError, DeniedError, RequestError
from exporter.facts import LEAST_AGE_LIMIT
from exporter.services.items import Item, Keeping, slimmer


@dataclass(frozen=True, slots=True)
class Operation:
    """
    One read-only AWS operation a service needs.

    Args:
        api: botocore's name of the API, such as ``ec2``.

        name: the operation as AWS spells it.

        every: seconds between two readings.

        action: the IAM action that allows it (S3's differ from the operations' names).

        result: the member of the answer that holds the items, ``""`` for the whole answer as one item.

        fields: what is kept of an item (`items.slimmer`), empty for everything.

        paged: whether AWS paginates it.

        page_size: items a page, where it can be said. Small pages keep the interpreter responsive (performance.md 8).

        absent: error codes that mean "there is none".

        gone: error codes that mean that what it is asked of is no more there: then nothing is known, and nothing is
            wrong.

        needed_by: the resource kind it is only asked for, ``""`` for always.

        on: what its action is allowed on, with ``{partition}``; empty for the service's `arns`.
    """

    api: str
    name: str
    every: int
    action: str
    result: str = ""
    fields: tuple[str, ...] = ()
    paged: bool = True
    page_size: int | None = None
    absent: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()
    needed_by: str = ""
    on: tuple[str, ...] = ()

    def __hash__(self) -> int:
        return hash((self.api, self.name))  # all fields would take longer than whatever is looked up

    @property
    def age_limit(self) -> int:
        """Seconds for which its last good answer may be used: three readings, at least 15 minutes."""
        return max(LEAST_AGE_LIMIT, 3 * self.every)


EARLY = 5
"""Seconds by which a pass may come early and still count: passes are a minute apart, give or take some milliseconds."""

MOST_SPREAD = 200
"""Calls of the kind that can wait (one a bucket, one a key) which a pass makes; the next pass goes on from there."""

_TOGETHER = 4
"""Askings of one operation under way at one time: when it hangs, the others behind them are spared the wait."""

_REFUSALS = 3
"""Refusals of one operation after which a pass asks it no more: by then it is not the one resource's policy."""


class Access(Protocol):
    """What a reader needs of `aws.api.Access`."""

    async def call(
        self, service: str, operation: str, params: Mapping[str, Any], *, aws_service: str
    ) -> dict[str, Any]:
        """One call; errors of the `AwsError` tree or `CredentialsError`."""
        ...

    async def read_all(
        self,
        service: str,
        operation: str,
        result_key: str,
        params: Mapping[str, Any],
        *,
        aws_service: str,
        page_size: int | None = None,
        keep: Callable[[Item], Item] | None = None,
    ) -> list[Any]:
        """All pages of one call, of each item what *keep* returns; the same errors."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """
    Items as they were at an instant (unix seconds).

    A renewed answer with the same items has the very same list: whether something changed is asked with ``is``.
    """

    items: list[Item]
    at: int


@dataclass(slots=True)
class _Memory:
    answer: Answer | None = None
    age_limit: int = LEAST_AGE_LIMIT
    tried: float = float("-inf")
    used: float = float("-inf")
    every: int = 0
    refusal: Exception | None = None


Outcome = Callable[[Operation, Exception | None], None]
"""Told of every reading that was made, with its failure or None."""


class Reader:
    """
    Asks the operations of one service in one scope, each when it is due, and remembers the last good answers.

    Args:
        access: the scope's AWS.

        service: on whose behalf, such as ``ebs``.

        clock: unix seconds are read once a pass.

        intervals: operation name → seconds, where the configuration differs from the table.

        told: called after each reading.
    """

    def __init__(self, access: Access, service: str, clock: Clock, intervals: Mapping[str, int], told: Outcome) -> None:
        self._access = access
        self._service = service
        self._clock = clock
        self._intervals = intervals
        self._told = told
        self._memory: dict[tuple[str, str], _Memory] = {}
        self._turns: dict[str, asyncio.Semaphore] = {}
        self._refused: dict[str, int] = {}
        self._spread = 0
        self.failures: dict[str, Exception] = {}
        self.waiting = 0
        self.now = 0

    def take_over(self, old: Reader) -> None:
        """Let what *old* knew stand in where an answer fails; all is asked anew, for the configuration may differ."""
        self._memory = {key: _Memory(answer=memory.answer, used=memory.used) for key, memory in old._memory.items()}

    def start_pass(self) -> None:
        """Begin a pass: take the time, forget the failures of the last and the answers nobody has used since long."""
        self.now = int(self._clock.time())
        self.failures = {}
        self.waiting = self._spread = 0
        self._refused, self._turns = {}, {}
        # What nobody has asked for within its age limit is outlived, and due besides.
        self._memory = {
            key: memory for key, memory in self._memory.items() if memory.used >= self.now - memory.age_limit
        }

    def interval(self, operation: Operation) -> int:
        """Seconds between two readings of *operation*, the configuration's word first."""
        return self._intervals.get(operation.name, operation.every)

    async def read(
        self,
        operation: Operation,
        params: Mapping[str, Any] | None = None,
        *,
        key: str = "",
        every: int | None = None,
        may_wait: bool = False,
    ) -> Answer | None:
        """
        The items of *operation*, asked anew if due, else from memory.

        Args:
            operation: what to ask.

            params: with which parameters, apart from pages.

            key: tells apart several askings of one operation (a file system's id, a filter's name).

            every: seconds, where this asking has an interval of its own.

            may_wait: one of many, of which a pass makes `MOST_SPREAD`; the rest is counted in `waiting`.

        Returns:
            The newest good answer, or None where nothing is known (any more). A failure is in `failures`, by the
            operation's name, and is never raised. After a failure that another try in this pass cannot mend, the same
            operation is not asked again in this pass: a file system after the other would each wait for the same hang.
            A refusal may be about the one resource; so the others are still asked, until it is refused again and again.
        """
        memory = self._memory.get((operation.name, key))
        if memory is None:
            memory = self._memory[(operation.name, key)] = _Memory()
        memory.used = self.now
        interval = memory.every = self.interval(operation) if every is None else every
        memory.age_limit = max(LEAST_AGE_LIMIT, 3 * interval)
        if self._is_due(memory, interval):
            async with self._turns.setdefault(operation.name, asyncio.Semaphore(_TOGETHER)):
                # Counted only now: calls spared, because the operation fails, must not use up what others may make.
                if self._given_up(operation):
                    pass
                elif may_wait and self._spread >= MOST_SPREAD:
                    self.waiting += 1
                else:
                    self._spread += may_wait
                    await self._renew(memory, operation, params or {})
        elif memory.refusal is not None:
            self.failures.setdefault(operation.name, memory.refusal)  # not asked again so soon, and not well either
        answer = memory.answer
        if answer is not None and self.now - answer.at > memory.age_limit:
            return None
        return answer

    def is_due(self, operation: Operation, *, key: str = "", every: int | None = None) -> bool:
        """Whether `read` would ask it now, rather than answer from memory, for which nothing has to be waited for."""
        memory = self._memory.get((operation.name, key))
        return memory is None or self._is_due(memory, self.interval(operation) if every is None else every)

    def _is_due(self, memory: _Memory, interval: int) -> bool:
        return self.now - memory.tried >= interval - EARLY

    def askings(self) -> dict[str, float]:
        """Requests an hour by operation, as they were asked in the last pass; what comes in pages takes more."""
        found: dict[str, float] = {}
        for (name, _), memory in self._memory.items():
            if memory.used == self.now and memory.every:
                found[name] = found.get(name, 0.0) + 3600 / memory.every
        return found

    def _given_up(self, operation: Operation) -> bool:
        return self._refused.get(operation.name, 0) >= _REFUSALS

    async def _renew(self, memory: _Memory, operation: Operation, params: Mapping[str, Any]) -> None:
        memory.tried, memory.refusal = self.now, None
        try:
            known = memory.answer.items if memory.answer is not None else []
            items = await self._ask(operation, params, Keeping(slimmer(operation.fields), known))
        except (AwsError, CredentialsError) as error:
            if isinstance(error, AwsError) and error.code in operation.gone:
                memory.answer, memory.tried = None, float("-inf")
                self._told(operation, None)
                return
            if isinstance(error, DeniedError | RequestError):
                memory.refusal = error
                self.failures.setdefault(operation.name, error)
                self._refused[operation.name] = self._refused.get(operation.name, 0) + 1
            else:
                # It may be well again at once: ask at the next pass rather than after the whole interval.
                self.failures[operation.name] = error
                self._refused[operation.name] = _REFUSALS
                memory.tried = float("-inf")
            self._told(operation, error)
        else:
            memory.answer = Answer(known if memory.answer is not None and items == known else items, self.now)
            if operation.name not in self.failures:  # one good answer among refusals is no success of the operation
                self._told(operation, None)

    async def _ask(self, operation: Operation, params: Mapping[str, Any], keep: Keeping) -> list[Item]:
        try:
            if operation.paged:
                return await self._access.read_all(
                    operation.api,
                    operation.name,
                    operation.result,
                    params,
                    aws_service=self._service,
                    page_size=operation.page_size,
                    keep=keep,
                )
            answer = await self._access.call(operation.api, operation.name, params, aws_service=self._service)
        except AwsError as error:
            if error.code in operation.absent:
                return []
            raise
        found = answer.get(operation.result) or [] if operation.result else [answer]
        return [keep(item) for item in (found if isinstance(found, list) else [found])]
