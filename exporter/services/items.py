"""
AWS's answers as they are kept between two readings: only what is read of them, and each text once. Pure.

botocore gives an item as nested dicts of fresh strings, two to three kilobytes a volume; a `Record` with the fields an
operation names is a fifth of that, and most of its strings are every other item's too (performance.md 5).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

Item = Mapping[str, Any]
"""One thing as AWS describes it: a `Record`, or as botocore gives it."""

Pool = dict[Any, Any]
"""Parts of items that were met before, by themselves: most volumes have the same status in the same words."""

Slim = Callable[[Item, Pool], "Record"]
"""From an item as botocore gives it to what is kept of it."""

_LONGEST = 300
"""Characters up to which a text may be the same in many items; beyond it is a document."""

_PLACES: dict[tuple[str, ...], dict[str, int]] = {}
"""Names in their order → the place of each; the process's records of one shape share it."""

_Tree = dict[str, "_Tree | None"]


class Record(Mapping[str, Any]):
    """
    A mapping of few names that many records have in common: the names are stored once, each record has its values.

    It reads like the dict it was made of, with tuples for lists and unix seconds for datetimes.
    """

    __slots__ = ("_places", "_values")

    def __init__(self, names: tuple[str, ...], values: tuple[Any, ...]) -> None:
        places = _PLACES.get(names)
        if places is None:
            places = _PLACES[names] = {name: place for place, name in enumerate(names)}
        self._places = places
        self._values = values

    def __getitem__(self, name: str) -> Any:
        return self._values[self._places[name]]

    def get(self, name: str, default: Any = None) -> Any:
        """The value of *name*, else *default*."""
        place = self._places.get(name)
        return default if place is None else self._values[place]

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._values)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Record) and self._places is other._places:
            return self._values == other._values
        return dict(self.items()) == dict(other.items()) if isinstance(other, Mapping) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._values)

    def __repr__(self) -> str:
        return f"Record({dict(self.items())!r})"

    @property
    def key(self) -> str:
        """What tells it from the others of its list: its first value where that is a text, else ``""``."""
        first = self._values[0] if self._values else ""
        return first if isinstance(first, str) else ""


@lru_cache(maxsize=256)
def slimmer(fields: tuple[str, ...]) -> Slim:
    """
    How to make a `Record` of an item.

    Args:
        fields: what is kept, in this order: names, with dots between where something lies deeper
            (``Attachments.InstanceId`` holds for each of a list). A list of keys and values may be kept as one mapping:
            ``Tags{}``. What comes first should tell the items apart. Nothing at all means everything.
    """
    tree: _Tree = {}
    for field in fields:
        *above, last = field.split(".")
        at = tree
        for name in above:
            below = at.setdefault(name, {})
            if below is None:
                raise ValueError(f"{field}: all of {name} is kept already")
            at = below
        at[last] = None
    return lambda item, pool: _record(item, tree, pool)


class Keeping:
    """
    Makes records of a listing's items, in a worker thread; what has not changed is the very same record as before.

    Args:
        slim: how a record is made.

        known: the records of the reading before.
    """

    def __init__(self, slim: Slim, known: Sequence[Item]) -> None:
        self._slim = slim
        self._known = known
        self._by_key: dict[str, Record] | None = None
        self._pool: Pool = {}

    def __call__(self, item: Item) -> Record:
        """What is kept of *item*."""
        if self._by_key is None:
            self._by_key = {each.key: each for each in self._known if isinstance(each, Record)}
        new = self._slim(item, self._pool)
        old = self._by_key.get(new.key)
        return old if old is not None and old == new else new


def _record(item: Item, tree: _Tree, pool: Pool) -> Record:
    if not tree:
        return Record(tuple(map(_text, item)), tuple(_kept(value, pool) for value in item.values()))
    names: list[str] = []
    values: list[Any] = []
    for name, below in tree.items():
        if name.endswith("{}"):
            listed = item.get(name[:-2])
            if listed is not None:
                names.append(name[:-2])
                values.append(_mapping(listed))
            continue
        value = item.get(name)
        if value is not None:
            names.append(name)
            values.append(_kept(value, pool) if below is None else _below(value, below, pool))
    return Record(tuple(names), tuple(values))


def _mapping(listed: Iterable[Item]) -> Record:
    """``[{"Key": k, "Value": v}, …]`` as ``{k: v, …}``; the last of two of one key counts."""
    pairs = {_text(str(tag.get("Key", ""))): _text(str(tag.get("Value", ""))) for tag in listed}
    return Record(tuple(pairs), tuple(pairs.values()))


def _below(value: Any, tree: _Tree, pool: Pool) -> Any:
    if isinstance(value, Mapping):
        return _shared(_record(value, tree, pool), pool)
    if isinstance(value, list | tuple):
        parts = tuple(_below(each, tree, pool) for each in value)
        # Numbers are left alone: lists of two names may be equal and differ in type (1 and True).
        return _shared(parts, pool) if all(isinstance(part, str | Record) for part in parts) else parts
    return _kept(value, pool)


def _kept(value: Any, pool: Pool) -> Any:
    if isinstance(value, str):
        return _text(value)
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, Mapping | list | tuple):
        return _below(value, {}, pool)
    timestamp = getattr(value, "timestamp", None)
    return int(timestamp()) if callable(timestamp) else value


def _shared(part: Any, pool: Pool) -> Any:
    """*part*, or the one met before that is the same. One name has values of one type, so equal is the same."""
    return pool.setdefault(part, part)


def _text(value: str) -> str:
    return sys.intern(value) if type(value) is str and len(value) <= _LONGEST else value
