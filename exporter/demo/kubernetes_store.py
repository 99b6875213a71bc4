"""
What the simulated Kubernetes API stores: objects, resource versions, the log of changes that watches read, compaction.

A `Cluster` knows no wire. It may be changed from any thread; objects it holds are replaced, never changed in place.
"""

from __future__ import annotations

import base64
import binascii
import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from exporter.demo.kubernetes_kinds import RESOURCES, Object, Resource
from exporter.demo.kubernetes_metadata import instant, managed
from exporter.demo.kubernetes_selectors import Match, everything, value_at
from exporter.demo.kubernetes_status import already_exists, bad_request, conflict, expired, not_found, too_old
from exporter.demo.nouns import uuid_of

Objects = Mapping[str, Iterable[Object]]
"""Kind (plural) to objects."""

_SNAPSHOTS = 64


@dataclass(frozen=True, slots=True)
class Event:
    """One change; `object` is None for a deletion, `before` None for a new object. `at` is the cluster's time."""

    version: int
    kind: str
    key: str
    object: Any
    before: Any
    at: float


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list: its items, the version it shows, what continues it (or ``""``), how many are left."""

    items: list[Any]
    version: int
    token: str
    remaining: int


def key_of(item: Mapping[str, Any]) -> str:
    """The key of an object: ``namespace/name``, or the name of one without a namespace."""
    metadata = item["metadata"]
    return f"{metadata['namespace']}/{metadata['name']}" if metadata.get("namespace") else str(metadata["name"])


class Cluster:
    """
    The objects of one cluster.

    Args:
        source: what exists at present, for a cluster that follows something else; asked by `refresh`. Objects that
            were put or deleted by hand are no longer followed.

        now: the cluster's time, unix seconds.

        log: how many changes are remembered.

    With `create_on_update` set, a PUT of a Lease that does not exist makes it, as the real API does; else it is 404.
    """

    def __init__(
        self,
        source: Callable[[], Objects] | None = None,
        *,
        now: Callable[[], float] = time.time,
        log: int = 50_000,
    ) -> None:
        self.now = now
        self.create_on_update = False
        self._source, self._limit = source, log
        self._lock = threading.RLock()
        self._objects: dict[str, dict[str, Any]] = {name: {} for name in RESOURCES}
        self._followed: dict[str, dict[str, Object]] = {name: {} for name in RESOURCES}
        self._by_hand: set[tuple[str, str]] = set()
        self._log: list[Event] = []
        self._snapshots: dict[tuple[str, int], list[tuple[str, Any]]] = {}
        self._changed = dict.fromkeys(RESOURCES, 0)
        self._version, self._compacted, self._made = 1000, 1000, 0
        self._listeners: list[Callable[[], None]] = []
        self._quiet = 0

    # --- by hand ---------------------------------------------------------------------------------------------------

    @property
    def version(self) -> int:
        """The resource version of the newest change."""
        with self._lock:
            return self._version

    @property
    def compacted(self) -> int:
        """The oldest resource version a watch may begin from."""
        with self._lock:
            return self._compacted

    def put(self, kind: str, item: Mapping[str, Any]) -> Object:
        """
        Make or replace an object.

        Args:
            kind: plural.

            item: with ``metadata.name``, and ``metadata.namespace`` where the kind has one. What it lacks of uid,
                creation time and managed fields is filled in; its resource version is not heeded.

        Returns:
            It as it is stored.
        """
        with self._lock:
            self._by_hand.add((kind, key_of(item)))
            return self._store(kind, dict(item))

    def put_verbatim(self, kind: str, key: str, value: Any) -> None:
        """Put what need not be an object: any JSON value but None, or bytes that are served as they are."""
        with self._lock:
            self._by_hand.add((kind, key))
            self._log_change(kind, key, orjson.Fragment(value) if isinstance(value, bytes) else value)

    def patch(self, kind: str, key: str, changes: Mapping[str, Any]) -> Object:
        """
        Change fields of an object by a JSON merge patch: mappings are merged, None deletes a field.

        Raises:
            KeyError: there is no such object.
        """
        with self._lock:
            return self.put(kind, _merged(self._objects[kind][key], changes))

    def delete(self, kind: str, key: str) -> None:
        """
        Delete an object.

        Raises:
            KeyError: there is no such object.
        """
        with self._lock:
            if key not in self._objects[kind]:
                raise KeyError(key)
            self._by_hand.add((kind, key))
            self._log_change(kind, key, None)

    def fill(self, objects: Objects) -> None:
        """Put many objects that have always been there: the log does not know how they came."""
        with self._together():
            for kind, items in objects.items():
                for item in items:
                    self.put(kind, item)
            self.compact()

    def get(self, kind: str, key: str) -> Any:
        """One object as it is stored, None where there is none."""
        with self._lock:
            return self._objects[kind].get(key)

    def objects(self, kind: str) -> list[Any]:
        """The objects of a kind, by key."""
        with self._lock:
            return [item for _, item in sorted(self._objects[kind].items())]

    def events(self) -> list[Event]:
        """The changes that are remembered, oldest first."""
        with self._lock:
            return list(self._log)

    def compact(self, keep: int = 0) -> None:
        """Forget all but the newest *keep* changes; older watches and continued lists get 410."""
        with self._lock:
            gone = len(self._log) - keep
            if gone > 0:
                self._compacted = self._log[gone - 1].version
                del self._log[:gone]
            for each in [each for each in self._snapshots if each[1] < self._compacted]:
                del self._snapshots[each]

    def refresh(self) -> None:
        """Turn what the source says now into changes."""
        if self._source is None:
            return
        with self._together():
            found = {kind: {key_of(item): item for item in items} for kind, items in self._source().items()}
            for kind, before in self._followed.items():
                after = found.get(kind, {})
                for key in before.keys() - after.keys():
                    if (kind, key) not in self._by_hand:
                        self._log_change(kind, key, None)
                for key, item in after.items():
                    known = before.get(key)
                    if (kind, key) in self._by_hand or known == item:
                        continue
                    if known is not None and known["metadata"].get("uid") != item["metadata"].get("uid"):
                        self._log_change(kind, key, None)  # another object of the same name
                    self._store(kind, item)
                self._followed[kind] = after

    # --- for the server --------------------------------------------------------------------------------------------

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call *listener* after changes, in the thread that made them; the result ends that."""
        with self._lock:
            self._listeners.append(listener)

        def end() -> None:
            with self._lock:
                self._listeners.remove(listener)

        return end

    def page(
        self, kind: Resource, namespace: str = "", match: Match = everything, limit: int = 0, token: str = ""
    ) -> Page:
        """
        A page of a list, consistent over all its pages.

        Args:
            limit: at most so many items; 0 for all.

            token: of the page before.

        Raises:
            `ApiError`: 400 the token is none, 410 it is too old.
        """
        with self._lock:
            begin = ""
            if token:
                version, begin = _opened(token)
                rows = self._snapshots.get((kind.name, version))
                if rows is None:
                    raise expired("The provided continue parameter is too old; begin the list anew without it.")
            else:
                version = self._version
                rows = self._rows(kind.name)
            prefix = f"{namespace}/" if namespace else ""
            rest = [row for row in rows if row[0] > begin and row[0].startswith(prefix) and match(row[1])]
            shown = rest[:limit] if limit else rest
            left = len(rest) - len(shown)
            following = ""
            if left:
                self._snapshots[kind.name, version] = rows
                while len(self._snapshots) > _SNAPSHOTS:
                    del self._snapshots[next(iter(self._snapshots))]
                following = base64.urlsafe_b64encode(orjson.dumps([version, shown[-1][0]])).decode().rstrip("=")
            return Page([item for _, item in shown], version, following, left)

    def since(self, kind: str, version: int) -> tuple[list[Event], int]:
        """
        The changes of a kind after *version*, and the version they lead to.

        Raises:
            `ApiError`: 410, they are forgotten.
        """
        with self._lock:
            if version < self._compacted:
                raise too_old(version, self._compacted)
            if version >= self._changed[kind]:
                return [], max(version, self._version)
            start = bisect_right(self._log, version, key=lambda event: event.version)
            return [event for event in self._log[start:] if event.kind == kind], self._version

    def create(self, kind: Resource, item: Mapping[str, Any]) -> Object:
        """Make an object. Raises `ApiError` 409 when there is one of the name."""
        with self._lock:
            key = key_of(item)
            if key in self._objects[kind.name]:
                raise already_exists(kind, str(item["metadata"]["name"]))
            return self.put(kind.name, _without(item, "uid", "creationTimestamp", "managedFields", "deletionTimestamp"))

    def update(self, kind: Resource, item: Mapping[str, Any]) -> tuple[Object, bool]:
        """
        Replace an object that is still the one the caller read.

        Returns:
            It as it is stored, and whether it was made.

        Raises:
            `ApiError`: 404 there is none, 409 it is another one or another version.
        """
        with self._lock:
            metadata = item["metadata"]
            name, uid = str(metadata["name"]), metadata.get("uid")
            before = self._objects[kind.name].get(key_of(item))
            if before is None:
                if not self.create_on_update:
                    raise not_found(kind, name)
                if uid:
                    raise conflict(kind, name, "Precondition failed: UID in precondition is not that of the object")
                return self.create(kind, item), True
            if uid and uid != value_at(before, "metadata.uid"):
                raise conflict(kind, name, "Precondition failed: UID in precondition is not that of the object")
            if metadata.get("resourceVersion") != value_at(before, "metadata.resourceVersion"):
                raise conflict(kind, name)
            return self.put(kind.name, _without(item, "uid", "creationTimestamp", "managedFields")), False

    # --- within ----------------------------------------------------------------------------------------------------

    def _rows(self, kind: str) -> list[tuple[str, Any]]:
        return sorted(self._objects[kind].items(), key=lambda row: row[0])

    def _store(self, kind: str, item: Object) -> Object:
        key = key_of(item)
        known = self._objects[kind].get(key)
        before = known["metadata"] if isinstance(known, dict) and "metadata" in known else {}
        metadata = dict(item["metadata"])
        if not metadata.get("uid"):
            self._made += 1
            metadata["uid"] = before.get("uid") or uuid_of(self._made, f"{kind}/{key}")
        if not metadata.get("creationTimestamp"):
            metadata["creationTimestamp"] = before.get("creationTimestamp") or instant(self.now())
        metadata["resourceVersion"] = str(self._version + 1)
        if "managedFields" not in metadata:
            metadata["managedFields"] = managed(item, RESOURCES[kind].api_version, metadata["creationTimestamp"])
        stored = {**item, "metadata": metadata}
        stored.pop("apiVersion", None)
        stored.pop("kind", None)
        self._log_change(kind, key, stored)
        return stored

    def _log_change(self, kind: str, key: str, item: Any) -> None:
        self._version += 1
        before = self._objects[kind].get(key)
        if item is None:
            del self._objects[kind][key]
        else:
            self._objects[kind][key] = item
        self._changed[kind] = self._version
        self._log.append(Event(self._version, kind, key, item, before, self.now()))
        if len(self._log) > self._limit:
            self.compact(self._limit // 2)
        if not self._quiet:
            self._tell()

    @contextmanager
    def _together(self) -> Iterator[None]:
        """Tell those who listen once of all changes within."""
        with self._lock:
            before, self._quiet = self._version, self._quiet + 1
            try:
                yield
            finally:
                self._quiet -= 1
                if self._version != before and not self._quiet:
                    self._tell()

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()


def _opened(token: str) -> tuple[int, str]:
    try:
        version, begin = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        return int(version), str(begin)
    except (ValueError, TypeError, binascii.Error):
        raise bad_request("continue key is not valid") from None


def _merged(known: Any, changes: Mapping[str, Any]) -> Object:
    merged = dict(known) if isinstance(known, dict) else {}
    for name, value in changes.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = _merged(merged.get(name), value) if isinstance(value, Mapping) else value
    return merged


def _without(item: Mapping[str, Any], *fields: str) -> Object:
    kept = {name: value for name, value in item["metadata"].items() if name not in fields}
    return {**item, "metadata": kept}
