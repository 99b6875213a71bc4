"""What is written is what was meant: read back by prometheus_client's parsers, by gzip, by promtool."""

from __future__ import annotations

import asyncio
import gc
import gzip
import math
import subprocess
import tracemalloc
import weakref
import zlib
from array import array
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as strict_parse
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter import crc, exposition
from exporter.deflate import FASTEST, Codec
from exporter.exposition import FORMATS, Format, Rendered, Renderer, content_type, negotiate, plain, render
from exporter.model import Block, Family, Snapshot
from exporter.naming import label_set
from tests.tools import binary

SIZE = Family("aws_thing_size_bytes", 'Size, "as told" by\\AWS.\nTwo lines.', ("id", "tag_x"), "gauge", "bytes")
INFO = Family("aws_thing_info", "What it is.", ("id",), "info")
COUNT = Family("aws_things", "How many.", ())

Values = dict[tuple[str, frozenset[tuple[str, str]]], float]


def block(family: Family, rows: Sequence[tuple[tuple[str, ...], float]]) -> Block:
    labels = [label_set(family.labels, values) for values, _ in rows]
    return Block(family, labels, array("d", [value for _, value in rows]), 1000, 100)


def snapshot(*families: tuple[Family, Sequence[Block]]) -> Snapshot:
    series = sum(len(each.values) for _, blocks in families for each in blocks)
    return Snapshot(1000.0, tuple((family, tuple(blocks)) for family, blocks in families), series)


SMALL = snapshot(
    (INFO, [block(INFO, [(("a",), 1.0)])]),
    (SIZE, [block(SIZE, [(("a", "1"), 1.5), (("b", ""), math.nan)]), block(SIZE, [(("c", "x"), 1e22)])]),
    (COUNT, [block(COUNT, [((), 3.0)])]),
)


def parse(text: bytes, form: Format) -> list[Metric]:
    if form == "text":
        return list(parse_text(text.decode()))
    return list(strict_parse(text.decode() + "# EOF\n"))  # type: ignore[no-untyped-call]


def read_back(text: bytes, form: Format) -> Values:
    samples = [sample for family in parse(text, form) for sample in family.samples]
    out = {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}
    assert len(out) == len(samples)
    return out


def large(count: int = 10_000) -> Snapshot:
    """Families of every size: a few lines, more than one slice, and both beside each other."""
    labels = [label_set(("id", "tag_x"), (f"vol-{number:017x}", "production")) for number in range(count)]
    families = []
    for number in range(6):
        family = Family(f"aws_thing_{number}_bytes", "Help.", ("id", "tag_x"), "gauge", "bytes")
        n = count if number % 2 else 5
        values = array("d", [math.nan if i % 7 == number else i * 1.25 for i in range(n)])
        families.append((family, [Block(family, labels[:n], values, 1000, 100)]))
    return snapshot(*families)


def test_the_text_format_to_the_letter() -> None:
    """Heads, samples, escapes; what is NaN has no line."""
    assert plain(SMALL).decode() == (
        "# HELP aws_thing_info What it is.\n"
        "# TYPE aws_thing_info gauge\n"
        'aws_thing_info{id="a"} 1.0\n'
        '# HELP aws_thing_size_bytes Size, "as told" by\\\\AWS.\\nTwo lines.\n'
        "# TYPE aws_thing_size_bytes gauge\n"
        'aws_thing_size_bytes{id="a",tag_x="1"} 1.5\n'
        'aws_thing_size_bytes{id="c",tag_x="x"} 1e+22\n'
        "# HELP aws_things How many.\n"
        "# TYPE aws_things gauge\n"
        "aws_things 3.0\n"
    )


def test_openmetrics_to_the_letter() -> None:
    """Info is a type of its own, units are named, quotes in help are escaped; the end is left open."""
    assert plain(SMALL, "openmetrics").decode() == (
        "# HELP aws_thing What it is.\n"
        "# TYPE aws_thing info\n"
        'aws_thing_info{id="a"} 1.0\n'
        '# HELP aws_thing_size_bytes Size, \\"as told\\" by\\\\AWS.\\nTwo lines.\n'
        "# TYPE aws_thing_size_bytes gauge\n"
        "# UNIT aws_thing_size_bytes bytes\n"
        'aws_thing_size_bytes{id="a",tag_x="1"} 1.5\n'
        'aws_thing_size_bytes{id="c",tag_x="x"} 1e+22\n'
        "# HELP aws_things How many.\n"
        "# TYPE aws_things gauge\n"
        "aws_things 3.0\n"
    )


ODD = st.text(st.one_of(st.sampled_from('"\\\n\r{}=, \t#\udc80é漢𝄞\x00\u2028'), st.characters()), max_size=12)
NUMBERS = st.one_of(
    st.floats(),
    st.integers(-(2**63), 2**63).map(float),
    st.sampled_from([1e22, 1e-7, 5e-324, 1.7976931348623157e308, -0.0, 0.1 + 0.2, math.inf, -math.inf, math.nan]),
)


@pytest.mark.parametrize("form", FORMATS)
@given(
    rows=st.dictionaries(st.tuples(ODD, ODD).map(lambda pair: (f"{pair[0]}", pair[1])), NUMBERS, max_size=20),
    help_text=ODD,
)
def test_what_is_written_reads_back_the_same(form: Format, rows: dict[tuple[str, ...], float], help_text: str) -> None:
    """For all label values and numbers, both parsers give back the same samples; a lone surrogate becomes '?'."""
    family = Family("aws_thing_size_bytes", help_text, ("id", "tag_x"), "gauge", "bytes")
    meant: Values = {}
    kept: dict[tuple[str, ...], float] = {}
    for values, value in rows.items():
        clean = tuple(each.encode("utf-8", "replace").decode() for each in values)
        key = ("aws_thing_size_bytes", frozenset(zip(family.labels, clean, strict=True)))
        if key not in meant:  # two odd values may become one
            kept[values] = value
            meant[key] = value
    meant = {key: value for key, value in meant.items() if not math.isnan(value)}
    text = plain(snapshot((family, [block(family, list(kept.items()))])), form)
    assert read_back(text, form) == meant


@given(st.lists(NUMBERS, min_size=1, max_size=30), st.integers(0, 30), st.integers(0, 30))
def test_a_part_of_a_block_is_that_part(values: list[float], start: int, stop: int) -> None:
    """Slices put together are the whole, wherever they are cut."""
    whole = block(COUNT, [((), value) for value in values])
    first, second = sorted((start, stop))
    parts = [exposition.sample_lines(COUNT, whole, *cut) for cut in ((0, first), (first, second), (second, None))]
    assert b"".join(parts) == exposition.sample_lines(COUNT, whole)


@pytest.mark.parametrize("codec", [FASTEST, zlib], ids=["fastest", "zlib"])
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("data", [SMALL, large(), snapshot()], ids=["small", "large", "empty"])
async def test_compressed_is_plain_compressed(data: Snapshot, form: Format, codec: Codec) -> None:
    """One valid gzip member holds the page and the tail; the plain text made of it is the same; sizes are right."""
    rendered = await render(data, codec=codec)
    whole = plain(data, form)
    tail = b"own_metric 1\n# EOF\n"
    stream = b"".join(rendered.gzip(form, tail))
    unzip = zlib.decompressobj(16 + zlib.MAX_WBITS)
    assert unzip.decompress(stream) == whole + tail
    assert (unzip.eof, unzip.unused_data) == (True, b"")  # a second member would be lost on curl and browsers
    assert gzip.decompress(b"".join(rendered.gzip(form))) == whole
    assert b"".join(rendered.plain(form)) == whole
    assert rendered.page(form).size == len(whole)


async def test_samples_are_compressed_once_for_both_formats() -> None:
    """The large blocks of both pages are the same objects: one compression, one copy in memory."""
    rendered = await render(large())
    shared = {id(each) for each in rendered.text.blocks} & {id(each) for each in rendered.openmetrics.blocks}
    bytes_shared = sum(len(each) for each in rendered.text.blocks if id(each) in shared)
    assert bytes_shared > 0.9 * sum(map(len, rendered.text.blocks))


async def test_plain_comes_in_portions() -> None:
    """No portion of a page is so large that making it holds up the event loop."""
    rendered = await render(large(50_000))
    portions = list(rendered.plain("text"))
    assert len(portions) > 10
    assert max(map(len, portions)) <= 1 << 18


# ---- from one snapshot to the next -----------------------------------------------------------------------------------


@given(st.lists(st.binary(max_size=50), max_size=6), st.integers(0, 1 << 20))
def test_checksums_of_parts_make_that_of_the_whole(parts: list[bytes], zeros: int) -> None:
    """However bytes are split, and however long the parts, as zlib has it."""
    checksum, whole = 0, b""
    for part in [*parts, bytes(zeros), b"end"]:
        checksum = crc.join(checksum, zlib.crc32(part), crc.shift(len(part)))
        whole += part
    assert checksum == zlib.crc32(whole)


def unpacked(rendered: Rendered) -> list[bytes]:
    return [gzip.decompress(b"".join(rendered.gzip(form))) for form in FORMATS]


def of(blocks: Sequence[Block]) -> Snapshot:
    """A snapshot of blocks whose families come together."""
    families: dict[Family, list[Block]] = {}
    for each in blocks:
        families.setdefault(each.family, []).append(each)
    return snapshot(*families.items())


class Counting:
    """A codec that counts what it compresses."""

    DEFLATED = zlib.DEFLATED
    Z_FULL_FLUSH = zlib.Z_FULL_FLUSH

    def __init__(self) -> None:
        self.bytes = 0

    def compressobj(self, level: int, method: int, wbits: int, /) -> Counting:
        self.squeeze = zlib.compressobj(level, method, wbits)
        return self

    def compress(self, data: bytes, /) -> bytes:
        self.bytes += len(data)
        return self.squeeze.compress(data)

    def flush(self, mode: int = zlib.Z_FINISH, /) -> bytes:
        return self.squeeze.flush(mode)

    def decompressobj(self, wbits: int, /) -> zlib._Decompress:
        return zlib.decompressobj(wbits)

    def crc32(self, data: bytes, value: int, /) -> int:
        return zlib.crc32(data, value)


async def test_what_did_not_change_is_not_compressed_again() -> None:
    """The same snapshot costs nothing, one new block costs that block, and the bytes that stay are the same objects."""
    codec = Counting()
    renderer = Renderer(codec=codec)
    data = large()
    first = await renderer.render(data)
    assert codec.bytes >= first.text.size
    codec.bytes = 0
    assert await renderer.render(data) == first
    assert codec.bytes == 0
    for index in (1, 2):  # a large family and a small one: its lines alone, or those of the run it is squeezed with
        families = list(data.families)
        family, (old,) = families[index]
        new = Block(family, old.labels, array("d", [1.0] * len(old.values)), 1000, 100)
        families[index] = family, (new,)
        after = snapshot(*families)
        second = await renderer.render(after)
        lines = exposition.sample_lines(family, new)
        assert codec.bytes == len(lines) if index == 1 else codec.bytes < 3000
        assert unpacked(second) == [plain(after, form) for form in FORMATS]
        stay = {id(each) for each in first.text.blocks} & {id(each) for each in second.text.blocks}
        assert len(stay) > len(second.text.blocks) / 2
        codec.bytes, data = 0, after


CHANGES = st.lists(st.lists(st.integers(0, 7), max_size=8, unique=True).map(sorted), min_size=1, max_size=5)


@given(changes=CHANGES, sizes=st.lists(st.sampled_from([0, 1, 40, 70, 2100]), min_size=8, max_size=8))
def test_every_snapshot_of_a_row_is_rendered_right(changes: list[list[int]], sizes: list[int]) -> None:
    """Blocks come, go and come back, alone and beside others of their family: always the page of this snapshot."""
    families = [Family(f"aws_{n}_bytes", "Help.", ("id",), "gauge", "bytes") for n in range(3)]
    blocks = [
        block(families[n // 3], [((f"{n}-{i}",), math.nan if i == 3 else i / 7) for i in range(size)])
        for n, size in enumerate(sizes)
    ]

    async def row() -> None:
        renderer = Renderer()
        for chosen in changes:
            data = of([blocks[n] for n in chosen])
            rendered = await renderer.render(data)
            assert unpacked(rendered) == [plain(data, form) for form in FORMATS]
            assert [rendered.page(form).crc for form in FORMATS] == [zlib.crc32(plain(data, form)) for form in FORMATS]

    asyncio.run(row())


async def test_nothing_is_kept_of_what_went() -> None:
    """Blocks and their compressed lines are free once a snapshot without them is rendered and served."""
    renderer = Renderer()
    data: Snapshot | None = large()
    assert data is not None
    columns = [weakref.ref(each.values) for _, blocks in data.families for each in blocks]
    tracemalloc.start()
    try:
        rendered: Rendered | None = await renderer.render(data)
        assert rendered is not None
        held = tracemalloc.get_traced_memory()[0]
        compressed = sum(map(len, rendered.text.blocks))
        assert held < compressed * 1.5 + 200_000  # once for both formats, and no plain text
        rendered = data = None
        await renderer.render(SMALL)
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] < held / 4
    finally:
        tracemalloc.stop()
    assert [ref() for ref in columns] == [None] * len(columns)


def test_before_any_snapshot_there_is_the_tail() -> None:
    """An empty page is a valid stream of what comes after it."""
    assert gzip.decompress(b"".join(Rendered().gzip("text", b"x 1\n"))) == b"x 1\n"
    assert list(Rendered().plain("text")) == []


PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
    "text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (PROMETHEUS, "openmetrics"),
        ("", "text"),
        ("*/*", "text"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text"),
        ("text/plain;version=0.0.4;q=1,*/*;q=0.1", "text"),
        ("application/openmetrics-text", "openmetrics"),
        ("APPLICATION/OpenMetrics-Text; Version=1.0.0", "openmetrics"),
        ('application/openmetrics-text; version="1.0.0"', "openmetrics"),
        ("application/openmetrics-text;version=2.0.0,text/plain;q=0.1", "text"),
        ("application/openmetrics-text;q=0", "text"),
        ("application/openmetrics-text;q=0.5,text/plain;q=0.6", "text"),
        ("application/openmetrics-text;q=0.6,text/plain;q=0.5", "openmetrics"),
        ("application/openmetrics-text;q=many", "openmetrics"),
        ("application/openmetrics-text;q=nan", "openmetrics"),
        ("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited", "text"),
        ("application/vnd.google.protobuf;q=0.6,application/openmetrics-text;version=1.0.0;q=0.5", "openmetrics"),
        (";;;,,=;q", "text"),
    ],
)
def test_the_client_chooses(accept: str, expected: Format) -> None:
    """OpenMetrics for who asks for a version we write and weighs it most; text for everybody else."""
    assert negotiate(accept) == expected


@given(st.text(max_size=60))
def test_no_accept_header_is_an_error(accept: str) -> None:
    """Whatever a client sends, there is a format for it."""
    assert content_type(negotiate(accept)).endswith("charset=utf-8")


@pytest.mark.binary
def test_promtool_finds_nothing_to_say() -> None:
    """`promtool check metrics` accepts a page with every shape in it."""
    checked = subprocess.run(
        [binary("promtool"), "check", "metrics"], input=plain(SMALL), capture_output=True, check=False
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")
