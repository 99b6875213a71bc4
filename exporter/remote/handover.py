"""
What a leader tells the next one about how far it has come, in few bytes: it rides on the Lease. Pure.

A replica has the outbox of its own pod only. Without a word from the one before, a new leader would send the last hour
once more, which a receiver that takes nothing twice refuses request by request.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Mapping

ANNOTATION = "storage-exporter/cursors"
"""The Lease's annotation."""

LONGEST = 128 * 1024
"""Characters at most; an object of the API has 256 KiB for all its annotations."""

_LONGEST_READ = 16 * 2**20
_VERSION = 1

Scope = tuple[str, str]
"""Account id and region."""

Reached = Mapping[Scope, Mapping[str, int]]
"""Of each scope: family → the end of the newest period that all its series have, unix seconds."""


def text_of(reached: Reached) -> str:
    """*reached* for `reached_of`; ``""`` where it is nothing, or too much for an annotation."""
    scopes: dict[str, dict[int, list[str]]] = {}
    for (account_id, region), families in reached.items():
        by_end = scopes.setdefault(f"{account_id}/{region}", {})
        for family, end in sorted(families.items()):
            by_end.setdefault(end, []).append(family)
    if not any(scopes.values()):
        return ""
    packed = zlib.compress(json.dumps({"version": _VERSION, "scopes": scopes}, separators=(",", ":")).encode(), 9)
    text = base64.b64encode(packed).decode()
    return text if len(text) <= LONGEST else ""


def reached_of(text: str, now: float) -> dict[Scope, dict[str, int]]:
    """
    What `text_of` was told.

    Args:
        text: of the annotation; what cannot be read says nothing.

        now: unix seconds; nobody can have come further.
    """
    found: dict[Scope, dict[str, int]] = {}
    try:
        unpacker = zlib.decompressobj()
        said = json.loads(unpacker.decompress(base64.b64decode(text, validate=True), _LONGEST_READ))
        if said["version"] != _VERSION or not unpacker.eof:  # the end has the checksum
            return {}
        for scope, by_end in said["scopes"].items():
            account_id, _, region = scope.partition("/")
            families = found.setdefault((account_id, region), {})
            for end, names in by_end.items():
                if 0 < int(end) <= now:
                    families.update(dict.fromkeys(map(str, names), int(end)))
    except (ValueError, TypeError, KeyError, AttributeError, binascii.Error, zlib.error, RecursionError):
        return {}
    return found


def before(reached: Reached, oldest: int | None) -> dict[Scope, dict[str, int]]:
    """*reached*, of which nothing from *oldest* on (unix seconds, None for none) has been sent yet."""
    if oldest is None:
        return {scope: dict(families) for scope, families in reached.items()}
    return {
        scope: {family: min(end, oldest - 1) for family, end in families.items()} for scope, families in reached.items()
    }
