"""How far a leader has come, told to the next one beside the Lease."""

from __future__ import annotations

import base64
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.remote.handover import LONGEST, before, reached_of, text_of
from tests.lease_model import Witness
from tests.lease_side import Standing, simulated, until

NOW = 1_800_000_000
HERE, THERE = ("123456789012", "eu-west-1"), ("210987654321", "eu-central-1")
REACHED = {HERE: {"aws_a_bytes": NOW - 120, "aws_b_bytes": NOW - 180, "aws_c": NOW - 120}, THERE: {"aws_a_bytes": 60}}


@given(
    st.dictionaries(
        st.tuples(st.from_regex(r"\d{12}", fullmatch=True), st.sampled_from(["eu-west-1", "us-east-1", ""])),
        st.dictionaries(st.from_regex(r"[a-z_]{1,20}", fullmatch=True), st.integers(1, NOW), min_size=1, max_size=8),
        max_size=4,
    )
)
def test_what_is_told_is_read(reached: dict[tuple[str, str], dict[str, int]]) -> None:
    """All of it, as text that an annotation may be; nothing is no text."""
    text = text_of(reached)
    assert text.isascii()
    assert reached_of(text, NOW) == reached
    assert bool(text) is bool(reached)


def test_a_hundred_scopes_of_a_hundred_families_fit() -> None:
    """Scopes have the same families, so many of them are few bytes."""
    families = {f"aws_service_thing_number_{number}_bytes_per_second": NOW - 60 * (number % 3) for number in range(150)}
    text = text_of({(f"{number:012}", "eu-west-1"): families for number in range(100)})
    assert 0 < len(text) < 16_384


def test_what_is_too_much_is_not_told() -> None:
    """An object that the API refuses would cost the Lease."""
    families = {base64.b32encode(zlib.compress(str(n * n).encode())).decode(): n + 1 for n in range(10_000)}
    assert len(base64.b64encode(zlib.compress(json.dumps(families).encode()))) > LONGEST
    assert text_of({HERE: families}) == ""


def _packed(said: object) -> str:
    return base64.b64encode(zlib.compress(json.dumps(said).encode())).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not base64!",
        "AAAA",
        base64.b64encode(zlib.compress(b"no JSON")).decode(),
        _packed([]),
        _packed({}),
        _packed({"version": 2, "scopes": {"a/b": {"60": ["x"]}}}),
        _packed({"version": 1, "scopes": []}),
        _packed({"version": 1, "scopes": {"a/b": {"soon": ["x"]}}}),
        _packed({"version": 1, "scopes": {"a/b": {"60": 5}}}),
        _packed({"version": 1, "scopes": {"a/b": [60]}}),
        base64.b64encode(zlib.compress(b"[" * 2**21)).decode(),
        text_of(REACHED)[:-8],
    ],
)
def test_what_cannot_be_read_says_nothing(text: str) -> None:
    """Others may write there too; the new leader looks back then."""
    assert reached_of(text, NOW) == {}


def test_nobody_has_come_further_than_now() -> None:
    """A clock that was ahead must not make a new leader skip what it has to ask."""
    assert reached_of(text_of(REACHED), NOW - 150) == {HERE: {"aws_b_bytes": NOW - 180}, THERE: {"aws_a_bytes": 60}}


def test_what_waits_has_not_arrived() -> None:
    """Only what is older than everything that waits counts."""
    assert before(REACHED, None) == REACHED
    oldest = NOW - 150
    assert before(REACHED, oldest) == {
        HERE: {"aws_a_bytes": oldest - 1, "aws_b_bytes": NOW - 180, "aws_c": oldest - 1},
        THERE: {"aws_a_bytes": 60},
    }


async def test_a_note_goes_from_leader_to_leader() -> None:
    """The next one reads what the last one wrote; an own old note does not come in its place; other notes stay."""
    async with simulated() as server, Standing(server.url, "pod-a", Witness()) as first:
        first.elector.note(lambda: {"note": "of a"})
        await until(first.elector.valid, "the first leads")
        assert first.elector.noted("note") == ""
        await until(lambda: first.elector.noted("note") == "of a", "a renewal writes it")
        async with Standing(server.url, "pod-b", Witness()) as second:
            notes = {"note": "of b", "other": "kept"}
            second.elector.note(lambda: notes)
            server.faults.add("down", user="pod-a")
            await until(second.elector.valid, "the second leads")
            assert second.elector.noted("note") == "of a"
            await until(lambda: second.elector.noted("note") == "of b", "a renewal writes it")
            notes["note"] = "the last of b"
            server.faults.clear()
        # The second has released the Lease, with what it had to say at last.
        await until(first.elector.valid, "the first leads again")
        assert first.elector.noted("note") == "the last of b"
        await until(lambda: first.elector.noted("note") == "of a", "a renewal writes it")
        assert first.elector.noted("other") == "kept"
