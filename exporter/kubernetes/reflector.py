"""
One kind of object, kept up to date: listed once, then watched, and listed again where that is not enough.

What a Reflector has is what the server said last, less what a fault keeps from us; how old that is, is `contact`. No
fault ends it, and no object either: one that cannot be read is left out, with a reason, and counted until a later
version can be read. Versions are opaque: they are handed back to the server and never compared.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import msgspec

from exporter import logs
from exporter.backoff import Backoff
from exporter.clock import Clock
from exporter.kubernetes.api import Api, Page
from exporter.kubernetes.faults import (
    ForbiddenError,
    GoneError,
    KubernetesError,
    MalformedError,
    NotFoundError,
)
from exporter.kubernetes.kinds import Kind, Skipped
from exporter.kubernetes.wire import Event

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
"""Seconds before the next attempt, doubled from the first to the longest; each a quarter more or less."""

ROLES_PAUSE = 60.0
"""Seconds before what was forbidden, or is not served, is asked for again: that takes a person."""

MOST_ASKED = 120.0
"""Seconds of a server's Retry-After that are heeded."""

WELL = 5.0
"""Seconds a watch has to be open to count as good: what fails sooner, again and again, is asked ever more rarely."""

HUGE = 4 * 1024**2
"""Bytes above which an object is left out: more than twice what etcd takes, and it would hold the event loop."""

_STRIDE = 512 * 1024
_AN_OBJECT = 4096
"""A list gives way to others each time it has read so many bytes, an object counted as so many more than it has: about
every hundred objects, or a few milliseconds."""

_CHANGES = frozenset({"ADDED", "MODIFIED", "DELETED"})

_LOG = logs.logger(__name__)
_NONE = object()


class _Meta(msgspec.Struct, rename="camel"):
    name: Any = ""
    namespace: Any = ""
    resource_version: Any = ""


class _Named(msgspec.Struct):
    metadata: _Meta


_NAMED = msgspec.json.Decoder(_Named)


class Pace:
    """
    How long to wait between attempts.

    Args:
        jitter: from 0 to 1, by chance.
    """

    def __init__(self, jitter: Callable[[], float]) -> None:
        self._backoff = Backoff(FIRST_PAUSE, LONGEST_PAUSE, jitter)

    def pause(self, well: float, least: float | None = None) -> float:
        """
        Seconds to wait after an attempt: none after a watch that was well and ended as it should.

        Args:
            well: how long the watch was open, 0 where it never was.

            least: what to wait at any rate after a failure; None after none.
        """
        if well >= WELL:
            self._backoff.reset()
            if least is None:
                return 0.0
        return self._backoff.next(least or 0.0)


class _Known:
    """Objects, and what is left out and why."""

    def __init__(self) -> None:
        self.records: dict[str, object] = {}
        self.reasons: dict[str, str] = {}
        self.skipped: Counter[str] = Counter()

    def keep(self, key: str, record: object) -> bool:
        """Take over a record; whether that is news. Where an equal one is there, that stays."""
        news = self._count(key, None)
        if self.records.get(key, _NONE) != record:
            self.records[key] = record
            return True
        return news

    def leave(self, key: str, reason: str) -> bool:
        """Leave an object out; whether that is news."""
        return (self.records.pop(key, _NONE) is not _NONE) | self._count(key, reason)

    def drop(self, key: str) -> bool:
        """Forget an object; whether that is news."""
        return (self.records.pop(key, _NONE) is not _NONE) | self._count(key, None)

    def nameless(self) -> None:
        """Leave out an object of a list whose name cannot be read."""
        self.skipped["unnamed"] += 1

    def _count(self, key: str, reason: str | None) -> bool:
        before = self.reasons.pop(key, None) if reason is None else self.reasons.get(key)
        if before == reason:
            return False
        if before is not None:
            self.skipped[before] -= 1
            if not self.skipped[before]:
                del self.skipped[before]
        if reason is not None:
            self.reasons[key] = reason
            self.skipped[reason] += 1
        return True


class Reflector:
    """
    The objects of one kind; `run` keeps them up to date.

    ``objects`` changes in place while `run` runs: whoever awaits while reading it takes a copy. An object whose record
    has not changed keeps the very same record. ``version`` grows whenever ``objects`` or ``skipped`` changes.
    ``contact`` is when the server last said anything (unix seconds, 0 for never), ``error`` the code of what is the
    matter and ``trouble`` the same for people, ``""`` while a watch is open.

    Args:
        api: to ask.

        kind: of what.

        clock: the time.

        jitter: from 0 to 1, by chance.

        seconds: for which a watch is asked, up to twice that, so that not all end together.

        timeout: seconds for a page of a list, and for a watch to open.
    """

    def __init__(
        self,
        api: Api,
        kind: Kind,
        clock: Clock,
        *,
        jitter: Callable[[], float],
        seconds: float = 300.0,
        timeout: float = 60.0,
    ) -> None:
        self.kind = kind
        self.version = 0
        self.contact = 0.0
        self.error = ""
        self.trouble = ""
        self._ill = ""  # the last failure's code, until a watch has been well
        self._api = api
        self._clock = clock
        self._jitter = jitter
        self._seconds = seconds
        self._timeout = timeout
        self._pace = Pace(jitter)
        self._once = logs.Once(_LOG, 3600.0, clock.monotonic)
        self._known = _Known()
        self._from = ""  # the version to watch from, "" where the list is to be asked first
        self._opened = float("-inf")
        self._listed = asyncio.Event()
        self._changed = asyncio.Event()
        self._answered = asyncio.Event()

    @property
    def objects(self) -> dict[str, object]:
        """The records by ``namespace/name``, or ``name`` where there is no namespace."""
        return self._known.records

    @property
    def skipped(self) -> Counter[str]:
        """How many objects are left out at present, by reason."""
        return self._known.skipped

    @property
    def listed(self) -> bool:
        """Whether there ever was a whole list."""
        return self._listed.is_set()

    async def wait_listed(self) -> None:
        """Return when there is a whole list."""
        await self._listed.wait()

    async def answered(self) -> None:
        """Return when there is a whole list, or an attempt at it has failed."""
        await self._answered.wait()

    def forget(self) -> None:
        """Let the next `run` begin with a list: what is kept of an object is another thing now."""
        self._from = ""

    async def changed(self, since: int) -> int:
        """Return `version` when it is another than *since*."""
        while self.version == since:
            await self._changed.wait()
        return self.version

    async def run(self) -> None:
        """List and watch until cancelled; nothing else ends it."""
        while True:
            self._opened = float("inf")
            least: float | None = None
            try:
                if not self._from:
                    await self._list()
                await self._watch()
                self._note_well()
            except GoneError as error:
                logs.log(_LOG, "debug", "kubernetes_gone", str(error), kind=self.kind.name)
                if not self._from:  # it was the list
                    self._failed(error.code, str(error))
                self._from = ""
            except KubernetesError as error:
                least = self._after(error)
            except Exception as error:  # noqa: BLE001 - a mistake of ours must not end what others build on
                least, self._from = 0.0, ""
                self._failed("internal", f"{self.kind.name}: {logs.describe(error)}; please report this", error)
            if pause := self._pace.pause(self._well(), least):
                await self._clock.sleep(pause)

    def _after(self, error: KubernetesError) -> float:
        """Take note of a failure; returns the seconds to wait at least."""
        self._failed(error.code, str(error))
        if isinstance(error, ForbiddenError | MalformedError):
            # Where a watch is not allowed, lists are all there is; where it says what cannot be read, something is
            # lost that a watch from the same version would say again.
            self._from = ""
        if isinstance(error, ForbiddenError | NotFoundError):
            return ROLES_PAUSE
        return min(error.retry_after, MOST_ASKED)

    def _failed(self, code: str, text: str, error: Exception | None = None) -> None:
        self._note_well()
        self.error = self._ill = code
        self.trouble = text
        self._answered.set()
        self._once.log(code, "warning", "kubernetes_failed", text, kind=self.kind.name, error=error)

    def _well(self) -> float:
        """For how long the watch of this attempt has been open, 0 where it never was."""
        return max(0.0, self._clock.monotonic() - self._opened)

    def _note_well(self) -> None:
        """Say that a fault is over, where it is: not after each moment between two."""
        if self._ill and self._well() >= WELL:
            text = f"{self.kind.name}: in contact again"
            logs.log(_LOG, "info", "kubernetes_recovered", text, kind=self.kind.name, after=self._ill)
            self._once.forget(self._ill)
            self._ill = ""

    # ---- the whole --------------------------------------------------------------------------------------------------

    async def _list(self) -> None:
        """Take over a whole list, all at once when it is complete."""
        fresh, version = _Known(), ""
        async with aclosing(self._api.pages(self.kind.path, timeout=self._timeout)) as pages:
            async for page in pages:
                if page.first:
                    fresh = _Known()
                await self._take_all(page, fresh)
                self.contact = self._clock.time()
                version = page.version
                del page  # or it would be held while the next one comes in
        before, self._known, self._from = self._known, fresh, version
        if not self.listed or (before.records, before.skipped, before.reasons) != (
            fresh.records,
            fresh.skipped,
            fresh.reasons,
        ):
            self._bump()
        self._listed.set()
        self._answered.set()

    async def _take_all(self, page: Page, known: _Known) -> None:
        """Take the objects of a page over into *known*, and with them the records they had before."""
        read = 0
        for raw in page.items:
            key, _ = _identity(raw)
            if not key:
                known.nameless()
            else:
                if key in self._known.records:
                    known.records[key] = self._known.records[key]
                self._put(known, key, raw)
            read += len(memoryview(raw)) + _AN_OBJECT
            if read >= _STRIDE:
                read = 0
                await asyncio.sleep(0)

    # ---- the changes ------------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        seconds = self._seconds * (1.0 + self._jitter())
        async with self._api.watch(self.kind.path, self._from, seconds, timeout=self._timeout) as events:
            self._opened = self._clock.monotonic()
            self.contact = self._clock.time()
            self.error = self.trouble = ""
            async for event in events:
                self.contact = self._clock.time()
                self._take(event)
                if self._ill:
                    self._note_well()

    def _take(self, event: Event) -> None:
        key, version = _identity(event.object)
        if event.type in _CHANGES:
            if not key:
                # Something happened to an object, and only a list tells to which.
                raise GoneError(f"{self.kind.name}: an event names no object; they are listed again")
            if self._known.drop(key) if event.type == "DELETED" else self._put(self._known, key, event.object):
                self._bump()
        if version:
            self._from = version

    def _put(self, known: _Known, key: str, raw: msgspec.Raw) -> bool:
        """Take one object over into *known*; whether that is news."""
        record, reason = self._kept(key, raw)
        return known.leave(key, reason) if reason else known.keep(key, record)

    def _kept(self, key: str, raw: msgspec.Raw) -> tuple[object, str]:
        """The record of one object, or why it is left out."""
        view = memoryview(raw)
        if len(view) > HUGE:
            return None, "huge"
        try:
            return self.kind.keep(bytes(view)), ""
        except Skipped as skipped:
            return None, skipped.reason
        except Exception as error:  # noqa: BLE001 - one object must not cost all others
            text = f"{self.kind.name} {key} cannot be read; it is left out"
            self._once.log("object", "warning", "kubernetes_object_unread", text, kind=self.kind.name, error=error)
            return None, "malformed"

    def _bump(self) -> None:
        self.version += 1
        self._changed.set()
        self._changed = asyncio.Event()


def _identity(raw: msgspec.Raw) -> tuple[str, str]:
    """The key of an object and its version; ``""`` for what cannot be read."""
    try:
        meta = _NAMED.decode(raw).metadata
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "", ""
    version = meta.resource_version if isinstance(meta.resource_version, str) else ""
    if not isinstance(meta.name, str) or not meta.name or not isinstance(meta.namespace, str | None):
        return "", version
    return f"{meta.namespace}/{meta.name}" if meta.namespace else meta.name, version
