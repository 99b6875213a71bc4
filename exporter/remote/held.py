"""
What has no stamps of its own, as bodies: facts and daily values, all with the stamp of the write.

What did not change since the last write costs its stamp and the compression. What is kept is kept for the blocks of the
last write only, by the identity of blocks and of their lists of label sets: those never change, and are the same object
where nothing did. Pure; when to write, and what becomes of the bodies, is `shipping`'s.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Container, Generator, Iterator, Mapping, Sequence
from itertools import compress

from exporter.model import Block, Snapshot
from exporter.remote.endings import Endings, Piece
from exporter.remote.runs import SERIES, STAMPS, Heads, Key, Rows, Run, body, same
from exporter.remote.wire import Encoder

_LABELS = 8192
"""Label sets looked at in one go: less than 1 ms."""

_NEW_LABELS = 16
"""Label sets encoded in one go: about 1 ms."""

_VALUES = 1 << 14
"""Values that are remembered to be shared, at most."""


_Identity = tuple[int, int]
"""Of a list of label sets; and for the how manieth block of a family over it."""


class _Group:
    """
    Blocks of different families over the very same label sets.

    Args:
        rows: the label sets, encoded.

        names: of the families.

        blocks: one a family.

        heads: one a family.

        parts: tenant and indexes of each run.

        runs: one a part.
    """

    __slots__ = ("blocks", "heads", "names", "parts", "rows", "runs")

    def __init__(self, rows: Rows, names: Sequence[str], blocks: Sequence[Block], heads: Sequence[Heads]) -> None:
        self.rows = rows
        self.names = names
        self.blocks = blocks
        self.heads = heads
        self.parts = list(rows.parts(len(blocks)))
        self.runs: list[Run] = []


class Held:
    """
    Writes snapshots that follow each other.

    Args:
        encoder: knows the external labels, and remembers label sets.

        tenant_of: the tenant of a rendered label set.
    """

    def __init__(self, encoder: Encoder, tenant_of: Callable[[bytes], str]) -> None:
        self._encoder = encoder
        self._tenant_of = tenant_of
        self._endings = Endings(encoder, tenant_of)
        self._groups: dict[_Identity, _Group] = {}
        self._keys: dict[Key, Key] = {}
        self._values: dict[bytes, bytes] = {}
        self._last: Mapping[str, tuple[Block, ...]] = {}
        self._at = 0

    def write(self, snapshot: Snapshot, at: int, skip: Container[str] = ()) -> Iterator[Piece | None]:
        """
        The markers of what has ended, then all that is there. Each piece that was delivered is to be told to `taken`.

        Args:
            snapshot: of what is to be written, with each series once.

            at: the stamp, unix seconds; later than that of the last write.

            skip: tenants to whom nothing is written any more; looked at before each body.

        Yields:
            Pieces, and None where others may have their turn, about every millisecond.

        Raises:
            ValueError: where the stamp is none of `runs.STAMPS`.
        """
        if at not in STAMPS:
            raise ValueError(f"{at} is not between 1971 and 2109")
        families = {family.name: blocks for family, blocks in snapshot.families}
        yield from self._ending(families)
        self._last, self._at = families, at
        yield from self._endings.pieces(at, skip)
        yield from self._running(families, at, skip)

    def taken(self, piece: Piece) -> None:
        """The receiver has *piece*: the markers in it are not sent again."""
        self._endings.taken(piece)

    def forget(self) -> None:
        """Somebody else writes from now on: nothing was written, and nothing ends that was."""
        self._groups, self._last = {}, {}
        self._keys, self._values = {}, {}
        self._endings.forget()

    # ---- what has ended ----

    def _ending(self, families: Mapping[str, tuple[Block, ...]]) -> Iterator[None]:
        waiting = set(self._endings.names())
        for name in dict.fromkeys((*self._last, *families)):
            old, new = self._last.get(name, ()), families.get(name, ())
            removed = [block for block in old if block not in new]
            added = [block for block in new if block not in old]
            if not removed and not added:
                continue
            if name not in waiting and all(any(_covers(each, block) for each in added) for block in removed):
                continue
            live: set[bytes] = set()
            for block in new:
                yield from _into(live, block)
            self._endings.back(name, live)
            gone: set[bytes] = set()
            for block in removed:
                yield from _into(gone, block)
            self._endings.ended(name, gone - live, self._at)

    # ---- what is there ----

    def _running(
        self, families: Mapping[str, tuple[Block, ...]], at: int, skip: Container[str]
    ) -> Iterator[Piece | None]:
        alike: dict[_Identity, dict[str, Block]] = {}
        for name, blocks in families.items():
            for number, block in enumerate(blocks):
                # A family may have several blocks over the same label sets, with values in different places.
                times = sum(each.labels is block.labels for each in blocks[:number])
                alike.setdefault((id(block.labels), times), {})[name] = block
        before, self._groups = self._groups, {}
        filled: dict[str, list[Run]] = {}
        for identity, named in alike.items():
            labels = next(iter(named.values())).labels
            group = yield from self._group(labels, named, before.pop(identity, None))
            self._groups[identity] = group
            for (tenant, _), run in zip(group.parts, group.runs, strict=True):
                runs = filled.setdefault(tenant, [])
                if runs and sum(each.series for each in runs) + run.series > SERIES:
                    yield from _piece(tenant, runs, at, skip)
                    runs.clear()
                runs.append(run)
        for tenant, runs in filled.items():
            yield from _piece(tenant, runs, at, skip)

    def _group(
        self, labels: Sequence[bytes], named: Mapping[str, Block], old: _Group | None
    ) -> Generator[None, None, _Group]:
        """The blocks of one list of label sets, encoded; what *old* has of them is used again."""
        names, blocks = tuple(named), tuple(named.values())
        if old is None:
            rows = yield from self._rows(labels)
            return (yield from self._encoded(_Group(rows, names, blocks, [Heads(name) for name in names])))
        if old.names != names:
            heads = dict(zip(old.names, old.heads, strict=True))
            known = [heads.get(name) or Heads(name) for name in names]
            return (yield from self._encoded(_Group(old.rows, names, blocks, known)))
        changed = [pair for pair in zip(old.blocks, blocks, strict=True) if pair[0] is not pair[1]]
        if not changed:
            return old
        return (yield from self._encoded(_Group(old.rows, names, blocks, old.heads), old.runs, changed))

    def _encoded(
        self, group: _Group, before: Sequence[Run] = (), changed: Sequence[tuple[Block, Block]] = ()
    ) -> Generator[None, None, _Group]:
        """*group* with its runs; those of *before* in which no value has *changed* are used again."""
        for number, (_, indexes) in enumerate(group.parts):
            if before and all(same(indexes, old, new) for old, new in changed):
                group.runs.append(before[number])
            else:
                group.runs.append(Run(group.rows, indexes, group.blocks, group.heads, self._values))
                if len(self._values) > _VALUES:
                    self._values = {}
            yield
        return group

    def _rows(self, labels: Sequence[bytes]) -> Generator[None, None, Rows]:
        rows = Rows(labels)
        for number, each in enumerate(labels):
            rows.add(self._encoder.halves(each), self._tenant_of(each), self._keys)
            if not number % _NEW_LABELS:
                yield None
        rows.settle()
        return rows


def _piece(tenant: str, runs: Sequence[Run], at: int, skip: Container[str]) -> Iterator[Piece]:
    if tenant not in skip and any(run.series for run in runs):
        yield Piece(tenant, body(runs, at))


def _covers(new: Block, old: Block) -> bool:
    """Whether each series of *old* is surely in *new*, without looking at their label sets."""
    return new.labels is old.labels and not math.isnan(sum(new.values))


def _into(found: set[bytes], block: Block) -> Iterator[None]:
    """Add the label sets that have a value to *found*, pausing every millisecond."""
    for start in range(0, len(block.labels), _LABELS):
        values = block.values[start : start + _LABELS]
        found.update(compress(block.labels[start : start + _LABELS], map(operator.eq, values, values)))
        yield
