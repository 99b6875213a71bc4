"""
What the list operations of EC2 have in common: filters, ids, pages, tags, with the checks AWS makes. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from exporter.demo.nouns import Tags
from exporter.demo.wire import Tweaks, WireError, cut_page, numbered

Given = Mapping[str, str]
Values = Callable[[Any], Iterable[str]]
Pairs = Callable[[Any], Tags]


def _filters(given: Given) -> list[tuple[str, list[str]]]:
    """The filters of a request: name and accepted values, in order."""
    numbers = sorted({int(match[1]) for name in given if (match := re.fullmatch(r"Filter\.(\d+)\.Name", name))})
    return [(given[f"Filter.{number}.Name"], numbered(given, f"Filter.{number}.Value")) for number in numbers]


def filtered(items: Iterable[Any], given: Given, known: Mapping[str, Values], tags: Pairs | None = None) -> list[Any]:
    """
    The items that every filter of the request accepts.

    Args:
        known: by filter name, the values of an item.

        tags: of an item, where `tag:<key>` and `tag-key` may filter.

    Raises:
        WireError: there is no such filter.
    """
    kept = list(items)
    for name, accepted in _filters(given):
        values = known.get(name)
        if values is None and tags is not None and (name.startswith("tag:") or name == "tag-key"):
            values = _tag_values(name, tags)
        if values is None:
            raise WireError("InvalidParameterValue", f"The filter '{name}' is invalid")
        kept = [item for item in kept if any(_accepts(accepted, value) for value in values(item))]
    return kept


def _tag_values(name: str, tags: Pairs) -> Values:
    if name == "tag-key":
        return lambda item: [key for key, _ in tags(item)]
    return lambda item: [value for key, value in tags(item) if key == name[4:]]


def _accepts(accepted: Sequence[str], value: str) -> bool:
    """Filter values may hold ``*`` and ``?`` (EC2 User Guide, "List and filter your resources")."""
    return any(fnmatchcase(value, re.sub(r"\[", "[[]", pattern)) for pattern in accepted)


def page(
    items: list[Any], given: Given, tweaks: Tweaks, *, ids: str = "", least: int = 5, most: int = 1000
) -> tuple[list[Any], str | None]:
    """
    One page of the items and the token of the next.

    Args:
        ids: the parameter of ids that excludes a page size.

        least: what MaxResults must be at least; `most`: what it is cut to.

    Raises:
        WireError: MaxResults cannot be so.
    """
    size = given.get("MaxResults")
    if size is not None:
        if not size.isdigit() or not least <= int(size):
            raise WireError(
                "InvalidParameterValue",
                f"Value ( {size} ) for parameter maxResults is invalid. Expecting a value greater than {least}.",
            )
        if ids and numbered(given, ids):
            raise WireError(
                "InvalidParameterCombination",
                f"The parameter {ids} cannot be used with the parameter maxResults",
            )
    return cut_page(items, given.get("NextToken"), min(most, int(size)) if size else None, tweaks)


def by_id(
    items: list[Any], given: Given, prefix: str, identity: Callable[[Any], str], code: str, noun: str
) -> list[Any]:
    """
    The items asked for by id, all when none is.

    Raises:
        WireError: of *code*, when one does not exist.
    """
    wanted = numbered(given, prefix)
    if not wanted:
        return items
    missing = set(wanted) - {identity(item) for item in items}
    if missing:
        raise WireError(code, f"The {noun} '{min(missing)}' does not exist.")
    return [item for item in items if identity(item) in wanted]


def tag_set(tags: Tags) -> list[dict[str, str]] | None:
    """Tags as EC2 writes them; None, for no element at all, when there are none."""
    return [{"key": key, "value": value} for key, value in tags] or None
