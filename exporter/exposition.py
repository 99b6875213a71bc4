"""
A snapshot as bytes: text format 0.0.4 and OpenMetrics 1.0, rendered and compressed once, served many times.

The two formats differ in the lines above the samples only, so the samples are written and compressed once for both
(performance.md 3.1, method F: whole columns through orjson, label sets as they are), and once for as long as their
block stays the same. What is kept is compressed; the plain text for the rare client without gzip is made from it on
demand. A page is one gzip member, since curl and browsers stop after the first: it is put together from deflate blocks
that end on byte boundaries and from their checksums, and stays open for a tail, the exporter's own metrics. Pure but
for the worker thread that `Renderer` compresses in.
"""

from __future__ import annotations

import asyncio
import math
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress, pairwise
from typing import Literal

import orjson

from exporter import crc
from exporter.deflate import FASTEST, Codec, deflate, last
from exporter.model import Block, Family, Snapshot
from exporter.naming import escape, escape_help, info_base

Format = Literal["text", "openmetrics"]
FORMATS: tuple[Format, Format] = ("text", "openmetrics")

_CONTENT_TYPES: Mapping[Format, str] = {
    "text": "text/plain; version=0.0.4; charset=utf-8",
    "openmetrics": "application/openmetrics-text; version=1.0.0; charset=utf-8",
}

_SLICE = 1024
"""Values rendered in one go: well below 1 ms on the event loop, and little enough to stay in memory already mapped."""

_FEW = 64
"""Values up to which a family is compressed with its neighbours, rather than its blocks apart from their heads."""

_HEADS = 64
"""Families compressed together, at most."""

_BATCH = 1 << 19
"""Bytes handed to the worker thread at once: about 1 ms of it."""

_MANY = 256
"""Pieces handed to the worker thread at once, however small."""

_PORTION = 1 << 18
"""Bytes of plain text made at once."""

_JOINS = 1000
"""Pieces whose checksums are joined in one go: about 1 ms."""

_GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff"
"""Deflate, no name, no time, fastest, unknown system (RFC 1952, 2.3)."""


def content_type(format: Format) -> str:  # noqa: A002 - the word of the specifications
    """The Content-Type of a page in that format."""
    return _CONTENT_TYPES[format]


def negotiate(accept: str) -> Format:
    """
    The format a client would rather have, by its Accept header (``""`` where it sent none).

    OpenMetrics only where it is named with a version we write and weighs more than text; anything else is text, which
    every client reads.
    """
    best: tuple[float, Format] = (0.0, "text")
    for choice in accept.split(","):
        kind, *parameters = (part.strip() for part in choice.split(";"))
        pairs = (parameter.partition("=") for parameter in parameters)
        said = {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}
        format_ = _offered(kind.lower(), said.get("version", ""))
        weight = weight_of(said.get("q", "1"))
        if format_ is not None and weight > best[0]:
            best = (weight, format_)
    return best[1]


def weight_of(q: str) -> float:
    """A quality value of HTTP, 0 to 1; 1 where it cannot be read."""
    try:
        weight = float(q)
    except ValueError:
        return 1.0
    return 1.0 if math.isnan(weight) else min(1.0, max(0.0, weight))


def head(family: Family, format: Format) -> bytes:  # noqa: A002
    """The lines above a family's samples."""
    if format == "text":
        lines = [f"# HELP {family.name} {escape_help(family.help)}", f"# TYPE {family.name} gauge"]
    elif family.type == "info":
        name = info_base(family.name)
        lines = [f"# HELP {name} {escape(family.help)}", f"# TYPE {name} info"]
    else:
        lines = [f"# HELP {family.name} {escape(family.help)}", f"# TYPE {family.name} gauge"]
        if family.unit:
            lines.append(f"# UNIT {family.name} {family.unit}")
    return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def sample_lines(family: Family, block: Block, start: int = 0, stop: int | None = None) -> bytes:
    """
    The lines of the values *start* to *stop* of a block, the same in both formats; values that are NaN have none.

    Args:
        family: whose name the lines begin with.

        block: the columns.

        start: index of the first value.

        stop: index after the last, None for all.
    """
    labels: Sequence[bytes] = block.labels[start:stop]
    column = block.values[start:stop].tolist()
    written = orjson.dumps(column)[1:-1]
    texts = written.split(b",")
    if b"null" in written:
        # JSON has no NaN and no infinities.
        keep = [not math.isnan(value) for value in column]
        texts = [_infinity(value) if text == b"null" else text for value, text in zip(column, texts, strict=True)]
        labels, texts = list(compress(labels, keep)), list(compress(texts, keep))
    if not labels:
        return b""
    name = family.name.encode()
    pieces = [name] * (4 * len(labels) + 1)
    pieces[1::4] = labels
    pieces[2::4] = [b" "] * len(labels)
    pieces[3::4] = texts
    pieces[4::4] = [b"\n" + name] * len(labels)
    pieces[-1] = b"\n"
    return b"".join(pieces)


def plain(snapshot: Snapshot, format: Format = "text") -> bytes:  # noqa: A002
    """The whole of a snapshot uncompressed. OpenMetrics lacks its ``# EOF``: more may follow."""
    return b"".join(
        head(family, format) + b"".join(sample_lines(family, block) for block in blocks)
        for family, blocks in snapshot.families
    )


@dataclass(frozen=True, slots=True)
class Page:
    """
    One format, compressed and still open at its end.

    Args:
        blocks: deflate blocks, each ending on a byte boundary and none the last; none refers to another's bytes.

        crc: CRC-32 of the plain text.

        size: its bytes.
    """

    blocks: tuple[bytes, ...] = ()
    crc: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class Rendered:
    """A snapshot in every format. Immutable: a handler may hold one while the next is made."""

    text: Page = Page()
    openmetrics: Page = Page()

    def page(self, format: Format) -> Page:  # noqa: A002
        """The page in that format."""
        return self.text if format == "text" else self.openmetrics

    def gzip(self, format: Format, tail: bytes = b"") -> list[bytes]:  # noqa: A002
        """A complete gzip stream of the page and, after it, *tail*; in pieces, to be sent one after another."""
        return [*self.gzip_open(format), self.gzip_end(format, tail, last(tail))]

    def gzip_open(self, format: Format) -> list[bytes]:  # noqa: A002
        """The stream up to the end of the page, to be completed by `gzip_end`."""
        return [_GZIP_HEAD, *self.page(format).blocks]

    def gzip_end(self, format: Format, tail: bytes, deflated: bytes) -> bytes:  # noqa: A002
        """
        What completes the stream.

        Args:
            format: of the page.

            tail: what is to follow the page.

            deflated: its `last` block.
        """
        page = self.page(format)
        size = (page.size + len(tail)) & 0xFFFFFFFF
        return deflated + struct.pack("<II", FASTEST.crc32(tail, page.crc), size)

    def plain(self, format: Format) -> Iterator[bytes]:  # noqa: A002
        """The page uncompressed, at most `_PORTION` bytes at a time: less than 1 ms of work each."""
        for block in self.page(format).blocks:
            inflate = FASTEST.decompressobj(-zlib.MAX_WBITS)
            rest = block
            while rest:
                text = inflate.decompress(rest, _PORTION)
                if text:
                    yield text
                rest = inflate.unconsumed_tail


class _Piece:
    """A stretch of text that is compressed, or waits to be; the text is let go as soon as it is."""

    __slots__ = ("ahead", "crc", "deflated", "size", "text")

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.size = len(text)
        self.deflated = b""
        self.crc = 0
        self.ahead: crc.Shift = ()

    def squeeze(self, codec: Codec, level: int) -> None:
        """Compress it; the text is still there, to be let go where it was made (memory goes back to where it lay)."""
        self.deflated = deflate(self.text, codec, level)
        self.crc = codec.crc32(self.text, 0)
        self.ahead = crc.shift(self.size)


_Run = tuple[tuple[Family, tuple[Block, ...]], ...]
"""Families that are compressed together, a format at a time: each its head and the lines of its blocks."""


class _Pieces:
    """
    The pieces of one snapshot, by what they were made of.

    Args:
        runs: heads and small families, one piece a format.

        lines: samples of one block, the same in both formats.
    """

    __slots__ = ("lines", "runs")

    def __init__(self) -> None:
        self.runs: dict[_Run, tuple[_Piece, ...]] = {}
        self.lines: dict[Block, tuple[_Piece, ...]] = {}


class Renderer:
    """
    Makes pages of snapshots that follow each other.

    A block that was in the snapshot before is not looked at again: its compressed lines are used once more. Blocks and
    lines are kept for as long as the newest snapshot has them, the lines compressed only.

    Args:
        level: of compression; 0 to 3 of isal, 1 to 9 of zlib.

        codec: `isal_zlib` where there is one, else `zlib`.
    """

    def __init__(self, level: int = 1, codec: Codec = FASTEST) -> None:
        self._level = level
        self._codec = codec
        self._before = _Pieces()

    async def render(self, snapshot: Snapshot) -> Rendered:
        """
        All formats of a snapshot; one at a time.

        Lines are written on the event loop, less than a millisecond at a time, and compressed in a worker thread
        (which holds no lock meanwhile), so that a scrape in between waits for neither.
        """
        now = _Pieces()
        waiting: list[_Piece] = []
        size = 0
        order: list[tuple[_Piece, ...]] = []
        for piece in self._making(snapshot, now, order):
            waiting.append(piece)
            size += piece.size
            if size >= _BATCH or len(waiting) >= _MANY:
                await self._squeeze(waiting)
                waiting, size = [], 0
        await self._squeeze(waiting)
        pages = [await _page([pieces[index % len(pieces)] for pieces in order]) for index in range(len(FORMATS))]
        self._before = now
        return Rendered(*pages)

    def _making(self, snapshot: Snapshot, now: _Pieces, order: list[tuple[_Piece, ...]]) -> Iterator[_Piece]:
        """Put all pieces in *order*, one for all formats or one a format; yields what must be compressed."""
        for run, block in _parts(snapshot):
            known = self._before.runs.get(run) if block is None else self._before.lines.get(block)
            if known is None:
                made = []
                for piece in _run(run) if block is None else _lines(run[0][0], block):
                    made.append(piece)
                    yield piece
                known = tuple(made)
            if block is None:
                now.runs[run] = known
                order.append(known)
            else:
                now.lines[block] = known
                order.extend((piece,) for piece in known)

    async def _squeeze(self, pieces: Sequence[_Piece]) -> None:
        def all_of_them() -> None:
            for piece in pieces:
                piece.squeeze(self._codec, self._level)

        if pieces:
            await asyncio.to_thread(all_of_them)
        for piece in pieces:
            piece.text = b""


async def render(snapshot: Snapshot, level: int = 1, codec: Codec = FASTEST) -> Rendered:
    """All formats of one snapshot, with nothing before it to build on; see `Renderer`."""
    return await Renderer(level, codec).render(snapshot)


async def _page(pieces: Sequence[_Piece]) -> Page:
    """The pieces as one page."""
    checksum = 0
    for index, piece in enumerate(pieces):
        checksum = crc.join(checksum, piece.crc, piece.ahead)
        if not index % _JOINS:
            await asyncio.sleep(0)
    return Page(
        tuple([piece.deflated for piece in pieces if piece.size]), checksum, sum([piece.size for piece in pieces])
    )


def _parts(snapshot: Snapshot) -> Iterator[tuple[_Run, Block | None]]:
    """
    What is compressed apart, in the page's order: runs of heads and small families, and large families' blocks.

    Small families are squeezed well only together (a quarter of the bytes and of the work), so a run is made again
    where one of them is new; a block of a large one, which comes with its family, only where it is new itself.
    """
    run: list[tuple[Family, tuple[Block, ...]]] = []
    values = 0
    for family, blocks in snapshot.families:
        count = sum([len(block.values) for block in blocks])
        if count <= _FEW:
            run.append((family, blocks))
            values += count
        else:
            yield (*run, (family, ())), None
            for block in blocks:
                yield ((family, ()),), block
            run, values = [], 0
        if values >= _SLICE or len(run) >= _HEADS:
            yield tuple(run), None
            run, values = [], 0
    if run:
        yield tuple(run), None


def _run(run: _Run) -> list[_Piece]:
    """One piece a format."""
    lines = [b"".join([sample_lines(family, block) for block in blocks]) for family, blocks in run]
    heads = [[head(family, format_) for family, _ in run] for format_ in FORMATS]
    return [_Piece(b"".join([part for pair in zip(each, lines, strict=True) for part in pair])) for each in heads]


def _lines(family: Family, block: Block) -> Iterator[_Piece]:
    """The samples of a block, in slices of about one size."""
    count = len(block.values)
    slices = max(1, -(-count // _SLICE))
    for start, stop in pairwise([count * index // slices for index in range(slices + 1)]):
        yield _Piece(sample_lines(family, block, start, stop))


def _infinity(value: float) -> bytes:
    return b"+Inf" if value > 0 else b"-Inf"


def _offered(kind: str, version: str) -> Format | None:
    if kind == "application/openmetrics-text" and version in {"", "0.0.1", "1.0.0"}:
        return "openmetrics"
    if (kind == "text/plain" and version in {"", "0.0.4"}) or kind in {"text/*", "*/*"}:
        return "text"
    return None
