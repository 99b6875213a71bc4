"""
How far each series has come: marks in bytes, and a table of them. Pure.

A mark is the end of the newest point of one family and one label set. Nearly all label sets that are written together
have the same families and the same ends, so marks are kept by what they share: the ends once, and the label sets that
have them. What writes them to disk and when is not known here.
"""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from exporter import deflate

Ends = tuple[tuple[str, int], ...]
"""Families and the end of the newest point of each, unix seconds."""

_CHUNK = 16384
"""Label sets in one piece of a table's bytes."""

_COUNT = struct.Struct("<I")
_TWO = struct.Struct("<II")
_NAME = struct.Struct("<H")
_END = struct.Struct("<q")


def shared(marks: Iterable[tuple[bytes, Ends]]) -> dict[Ends, list[bytes]]:
    """The label sets of *marks* by what they share."""
    by_ends: dict[Ends, list[bytes]] = {}
    # To hash twenty families costs more than all else here; most marks share the very tuple, which is asked first.
    by_identity: dict[int, list[bytes]] = {}
    held: list[Ends] = []
    for labels, ends in marks:
        sharing = by_identity.get(id(ends))
        if sharing is None:
            held.append(ends)
            sharing = by_identity[id(ends)] = by_ends.setdefault(ends, [])
        sharing.append(labels)
    return by_ends


def pack(groups: Mapping[Ends, Sequence[bytes]]) -> bytes:
    """Marks in few bytes, for `unpack`."""
    labels = [each for sharing in groups.values() for each in sharing]
    names = deflate.last(b"".join((struct.pack(f"<{1 + len(labels)}I", len(labels), *map(len, labels)), *labels)))
    parts = [_COUNT.pack(len(groups))]
    for ends, sharing in groups.items():
        parts.append(_TWO.pack(len(sharing), len(ends)))
        for family, end in ends:
            name = family.encode()
            parts += (_NAME.pack(len(name)), name, _END.pack(end))
    return b"".join((_COUNT.pack(len(names)), names, deflate.last(b"".join(parts))))


def unpack(packed: bytes) -> list[tuple[Ends, list[bytes]]]:
    """
    What was packed.

    Raises:
        ValueError: these bytes are no marks.
    """
    names, shares = _apart(packed)
    labels = _labels(names)
    if sum(count for count, _ in shares) != len(labels):
        raise ValueError(f"no marks: {len(labels)} label sets are shared out as if there were more or fewer")
    return list(_dealt(shares, labels))


def _apart(packed: bytes) -> tuple[bytes, tuple[tuple[int, Ends], ...]]:
    """The label sets, still in few bytes, and how many of them have which ends."""
    try:
        (size,) = _COUNT.unpack_from(packed)
        at = _COUNT.size + size
        return packed[_COUNT.size : at], tuple(_shares(zlib.decompress(packed[at:], -zlib.MAX_WBITS)))
    except (struct.error, zlib.error, UnicodeDecodeError) as error:
        raise ValueError(f"no marks: {error}") from error


def _shares(data: bytes) -> Iterator[tuple[int, Ends]]:
    (groups,) = _COUNT.unpack_from(data)
    at = _COUNT.size
    for _ in range(groups):
        count, families = _TWO.unpack_from(data, at)
        at += _TWO.size
        ends = []
        for _ in range(families):
            (size,) = _NAME.unpack_from(data, at)
            at += _NAME.size
            name = data[at : at + size].decode()
            at += size
            ends.append((name, _END.unpack_from(data, at)[0]))
            at += _END.size
        yield count, tuple(ends)


def _labels(names: bytes) -> list[bytes]:
    try:
        data = zlib.decompress(names, -zlib.MAX_WBITS)
        (count,) = _COUNT.unpack_from(data)
        sizes = struct.unpack_from(f"<{count}I", data, _COUNT.size)
    except (struct.error, zlib.error) as error:
        raise ValueError(f"no marks: {error}") from error
    bounds = list(itertools.accumulate(sizes, initial=_COUNT.size * (1 + count)))
    if bounds[-1] != len(data):
        raise ValueError(f"no marks: {len(data)} bytes where {bounds[-1]} are said to be")
    return list(map(data.__getitem__, map(slice, bounds, bounds[1:])))


def _dealt(shares: Iterable[tuple[int, Ends]], labels: list[bytes]) -> Iterator[tuple[Ends, list[bytes]]]:
    at = 0
    for count, ends in shares:
        yield ends, labels[at : at + count]
        at += count


class Table:
    """
    The newest mark of every series, made of many frames' marks in any order.

    Pass after pass the same label sets are written in the same order, so what is the same in its packed bytes is taken
    apart once.
    """

    def __init__(self) -> None:
        self._labels: dict[bytes, list[bytes]] = {}
        self._shares: dict[tuple[bytes, tuple[int, ...]], tuple[Ends, ...]] = {}

    def add(self, packed: bytes) -> None:
        """
        Take in what `pack` made; of two marks of a series the newer one stays.

        Raises:
            ValueError: these bytes are no marks; the table stays as it was.
        """
        names, shares = _apart(packed)
        counts = tuple(count for count, _ in shares)
        labels = self._labels.get(names) or _labels(names)
        if sum(counts) != len(labels):
            raise ValueError(f"no marks: {len(labels)} label sets where {sum(counts)} are said to be")
        self._labels[names] = labels
        key = names, counts
        before = self._shares.get(key)
        if before is None:
            self._shares[key] = tuple(_newest(ends) for _, ends in shares)
        else:
            self._shares[key] = tuple(_newest((*old, *new)) for old, (_, new) in zip(before, shares, strict=True))

    def forget(self, before: float) -> None:
        """Leave out every mark that ends before *before*, unix seconds."""
        for key, shares in self._shares.items():
            self._shares[key] = tuple(tuple(mark for mark in ends if mark[1] >= before) for ends in shares)

    @property
    def newest(self) -> int | None:
        """The newest of all ends, unix seconds; None where there is none."""
        return max((end for shares in self._shares.values() for ends in shares for _, end in ends), default=None)

    def packed(self) -> Iterator[bytes]:
        """All of it in bytes, a piece at a time, each for `add`."""
        for ends, sharing in self._groups().items():
            for start in range(0, len(sharing), _CHUNK):
                yield pack({ends: sharing[start : start + _CHUNK]})

    def by_family(self) -> dict[str, dict[bytes, int]]:
        """Family name to label set to the end of its newest point, unix seconds."""
        families: dict[str, dict[bytes, int]] = {}
        for ends, sharing in self._groups().items():
            for family, end in ends:
                families.setdefault(family, {}).update(dict.fromkeys(sharing, end))
        return families

    def _groups(self) -> dict[Ends, list[bytes]]:
        """Every label set once, by what it shares with others."""
        table: dict[bytes, Ends] = {}
        known: dict[Ends, Ends] = {}
        for (names, counts), shares in self._shares.items():
            for ends, sharing in _dealt(zip(counts, shares, strict=True), self._labels[names]):
                if ends:
                    _join(table, known.setdefault(ends, ends), sharing, known)
        return shared(table.items())


def _join(table: dict[bytes, Ends], ends: Ends, sharing: Sequence[bytes], known: dict[Ends, Ends]) -> None:
    """Give *ends* to the label sets that share them; *known* has the one tuple that stands for all that are equal."""
    joined: dict[int, Ends] = {}
    for labels in sharing:
        before = table.setdefault(labels, ends)
        if before is not ends:
            now = joined.get(id(before))
            if now is None:
                now = _newest((*before, *ends))
                now = joined[id(before)] = known.setdefault(now, now)
            table[labels] = now


def _newest(ends: Ends) -> Ends:
    """Each family once, with its newest end, in order."""
    newest: dict[str, int] = {}
    for family, end in ends:
        newest[family] = max(end, newest.get(family, end))
    return tuple(sorted(newest.items()))
