"""
A snapshot as bytes: text format 0.0.4 and OpenMetrics 1.0, rendered and compressed once, served many times.

The two formats differ in the lines above the samples only, so the samples are written and compressed once for both
(performance.md 3.1, method F: whole columns through orjson, label sets as they are). What is kept is compressed; the
plain text for the rare client without gzip is made from it on demand. A page is one gzip member, since curl and
browsers stop after the first: it is put together from deflate blocks that end on byte boundaries, and stays open for
a tail, the exporter's own metrics. Pure but for the worker thread that `render` compresses in.
"""

from __future__ import annotations

import asyncio
import math
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Literal, Protocol

import orjson

from exporter.model import Block, Family, Snapshot
from exporter.naming import escape, escape_help, info_base

try:
    from isal import isal_zlib as _isal
except ImportError:  # no wheel for this platform
    _isal = None  # type: ignore[assignment]

Format = Literal["text", "openmetrics"]
FORMATS: tuple[Format, Format] = ("text", "openmetrics")

_CONTENT_TYPES: Mapping[Format, str] = {
    "text": "text/plain; version=0.0.4; charset=utf-8",
    "openmetrics": "application/openmetrics-text; version=1.0.0; charset=utf-8",
}

_SLICE = 4096
"""Values rendered in one go: less than 1 ms on the event loop, and little enough to stay in memory already mapped."""

_SHARED = 16384
"""Bytes of samples from which on they are compressed once for both formats, apart from their heads."""

_BATCH = 1 << 19
"""Bytes handed to the worker thread at once: about 1 ms of it."""

_STORED = 0xFFFF
"""Bytes in one stored deflate block (RFC 1951, 3.2.4)."""

_GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff"
"""Deflate, no name, no time, fastest, unknown system (RFC 1952, 2.3)."""


class _Squeeze(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self, mode: int = ..., /) -> bytes: ...


class Codec(Protocol):
    """What is used of `zlib` and of `isal_zlib`, which does the same several times faster."""

    DEFLATED: int
    Z_FULL_FLUSH: int

    def compressobj(self, level: int, method: int, wbits: int, /) -> _Squeeze:
        """A fresh compressor; negative *wbits* for bare deflate."""
        ...

    def crc32(self, data: bytes, value: int, /) -> int:
        """The checksum of *data* after bytes whose checksum is *value*."""
        ...


FASTEST: Codec = _isal or zlib
"""`isal_zlib` where it is installed, else `zlib`."""


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
        page = self.page(format)
        squeeze = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
        end = squeeze.compress(tail) + squeeze.flush()
        size = (page.size + len(tail)) & 0xFFFFFFFF
        return [_GZIP_HEAD, *page.blocks, end + struct.pack("<II", zlib.crc32(tail, page.crc), size)]

    def plain(self, format: Format) -> Iterator[bytes]:  # noqa: A002
        """The page uncompressed, at most about a megabyte at a time: some ms of work each."""
        for block in self.page(format).blocks:
            text = zlib.decompressobj(-zlib.MAX_WBITS).decompress(block)
            if text:
                yield text


class _Writer:
    """Collects one format's page: small families together, large ones' samples as they were compressed for both."""

    def __init__(self, codec: Codec, level: int) -> None:
        self._codec = codec
        self._level = level
        self._blocks: list[bytes] = []
        self._waiting: list[bytes] = []
        self._waiting_size = 0
        self._crc = 0
        self._size = 0

    def add(self, text: bytes) -> None:
        """Text that is compressed with its neighbours."""
        self._count(text)
        self._waiting.append(text)
        self._waiting_size += len(text)
        if self._waiting_size >= _BATCH:
            self._flush()

    def add_compressed(self, text: bytes, block: bytes) -> None:
        """Text whose deflate block is there already."""
        self._flush()
        self._count(text)
        self._blocks.append(block)

    def finish(self) -> Page:
        """The page."""
        self._flush()
        return Page(tuple(self._blocks), self._crc, self._size)

    def _count(self, text: bytes) -> None:
        self._crc = self._codec.crc32(text, self._crc)
        self._size += len(text)

    def _flush(self) -> None:
        if self._waiting:
            self._blocks.append(deflate(b"".join(self._waiting), self._codec, self._level))
            self._waiting = []
            self._waiting_size = 0


def deflate(text: bytes, codec: Codec = FASTEST, level: int = 1) -> bytes:
    """Deflate blocks of *text* that end on a byte boundary and need nothing before them (RFC 1951)."""
    squeeze = codec.compressobj(level, codec.DEFLATED, -zlib.MAX_WBITS)
    return squeeze.compress(text) + squeeze.flush(codec.Z_FULL_FLUSH)


async def render(snapshot: Snapshot, level: int = 1, codec: Codec = FASTEST) -> Rendered:
    """
    All formats of a snapshot.

    Lines are written on the event loop, a few milliseconds at a time, and compressed in a worker thread (which holds
    no lock meanwhile), so that a scrape in between waits for neither.

    Args:
        snapshot: what to render.

        level: of compression; 0 to 3 of isal, 1 to 9 of zlib.

        codec: `isal_zlib` where there is one, else `zlib`.
    """
    writers = {format_: _Writer(codec, level) for format_ in FORMATS}
    batch: list[tuple[dict[Format, bytes], bytes]] = []
    size = 0
    for family, blocks in snapshot.families:
        heads = {format_: head(family, format_) for format_ in FORMATS}
        for block in blocks:
            for start in range(0, len(block.values), _SLICE):
                lines = sample_lines(family, block, start, start + _SLICE)
                batch.append((heads, lines))
                heads = {}
                size += len(lines)
                if size >= _BATCH:
                    await asyncio.to_thread(_write, writers, batch, codec, level)
                    batch, size = [], 0
    await asyncio.to_thread(_write, writers, batch, codec, level)
    text, openmetrics = await asyncio.to_thread(lambda: [writers[format_].finish() for format_ in FORMATS])
    return Rendered(text, openmetrics)


def _write(
    writers: Mapping[Format, _Writer], batch: Sequence[tuple[Mapping[Format, bytes], bytes]], codec: Codec, level: int
) -> None:
    for heads, lines in batch:
        shared = deflate(lines, codec, level) if len(lines) >= _SHARED else None
        for format_, writer in writers.items():
            if format_ in heads:
                writer.add(heads[format_])
            if shared is None:
                writer.add(lines)
            else:
                writer.add_compressed(lines, shared)


def _infinity(value: float) -> bytes:
    return b"+Inf" if value > 0 else b"-Inf"


def _offered(kind: str, version: str) -> Format | None:
    if kind == "application/openmetrics-text" and version in {"", "0.0.1", "1.0.0"}:
        return "openmetrics"
    if (kind == "text/plain" and version in {"", "0.0.4"}) or kind in {"text/*", "*/*"}:
        return "text"
    return None
