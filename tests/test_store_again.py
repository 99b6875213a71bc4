"""What the store remembers from one snapshot to the next: the same in, the same out, and nothing kept too long."""

from __future__ import annotations

import asyncio
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.model import Block
from tests.test_store import NAN, block, family, shown, store, things


def test_the_same_blocks_again_change_nothing() -> None:
    """No new version, so nothing is rendered; another block, one less, or another order is a change."""
    kept, _ = store()
    first, second = block("a", [1]), block("b", [2])
    kept.put("j", [first, second])
    kept.put("j", [first, second])
    assert kept.version == 1
    kept.put("j", [first, block("b", [2])])
    kept.put("j", [first])
    assert kept.version == 3
    kept.put("other", [])
    assert kept.version == 3


def test_what_is_said_again_lives_on() -> None:
    """The same block, put with a later instant, outlives its own; nothing is new, and it goes when nobody says it."""
    kept, _ = store()
    fact = block("ab", [1, 2], 1000)
    kept.put("j", [fact], 1000)
    assert kept.next_expiry(1000) == 1101
    kept.put("j", [fact], 1060)
    assert (kept.version, kept.next_expiry(1000)) == (1, 1161)
    (((_, (out,)),)) = kept.snapshot(1150).families
    assert out is fact
    assert kept.snapshot(1161).series == 0
    kept.put("j", [fact])
    assert kept.snapshot(1101).series == 0
    assert kept.snapshot(1100).series == 2


def test_an_instant_of_the_pass_is_not_for_values_that_have_their_own() -> None:
    """A datapoint is as old as its period, whenever it is put."""
    kept, _ = store()
    kept.put("j", [block("ab", [1, 2], [1000, 1050])], 2000)
    assert shown(kept.snapshot(1101)) == things(b=2)


def test_what_comes_back_is_a_change() -> None:
    """The same block, outlived in the last snapshot and said again: who waits must be told."""
    kept, _ = store()
    fact = block("a", [1], 1000)
    kept.put("j", [fact], 1000)
    assert kept.snapshot(1200).series == 0
    kept.put("j", [fact], 1190)
    assert kept.version == 2
    assert kept.snapshot(1200).series == 1
    kept.put("j", [fact], 1195)
    assert kept.version == 2


@pytest.mark.parametrize("limit", [1000, 3], ids=["all", "cut"])
def test_what_was_made_of_blocks_stays_the_same_object(limit: int) -> None:
    """Outlived, twice there, cut at the limit: made once, counted at each snapshot, made anew when it differs."""
    kept, drops = store(limit)
    kept.put("a", [block("vw", [1, 2], [1000, 1050])])
    kept.put("b", [block("wxyz", [3, 4, 5, 6])])

    def blocks(now: float) -> tuple[Block, ...]:
        (((_, found),)) = kept.snapshot(now).families
        return found

    first, again = blocks(1000), blocks(1001)
    assert all(map(lambda one, other: one is other, first, again))
    assert len(drops) % 2 == 0
    assert drops[: len(drops) // 2] == drops[len(drops) // 2 :]
    kept.put("b", [block("wxyz", [3, 4, 5, 6], 2000)])
    masked, still = blocks(1101), blocks(1110)
    assert masked[0] is not first[0]
    assert all(map(lambda one, other: one is other, masked, still))
    expected = {"w": 2.0, "x": 4.0, "y": 5.0, "z": 6.0}
    assert shown(kept.snapshot(1110)) == things(**dict(list(expected.items())[:limit]))
    assert shown(kept.snapshot(1160)) == things(**dict(zip("wxyz"[:limit], [3.0, 4.0, 5.0, 6.0], strict=False)))


BLOCKS = st.lists(
    st.tuples(
        st.sampled_from(["aws_a_bytes", "aws_b_bytes"]),
        st.lists(st.sampled_from("uvwxyz"), max_size=5),
        st.booleans(),
        st.integers(0, 60),
    ),
    max_size=5,
)


@given(st.lists(st.tuples(st.sampled_from("jk"), BLOCKS, st.integers(0, 60)), max_size=5), st.integers(1, 12))
def test_a_store_with_a_past_shows_what_a_fresh_one_shows(
    puts: list[tuple[str, list[tuple[str, list[str], bool, int]], int]], limit: int
) -> None:
    """Whatever was put and shown before, in whatever order of time: what is remembered changes no answer."""
    old, old_drops = store(limit)
    last: dict[str, list[Block]] = {}
    for job, descriptions, now in puts:
        kept_ones = last.get(job, [])[::2]  # some of a job's blocks stay, the very objects
        last[job] = kept_ones + [
            block(
                ids,
                [NAN if i == 1 else i for i in range(len(ids))],
                [end + i for i in range(len(ids))] if own else end,
                span=20,
                of=family(name),
            )
            for name, ids, own, end in descriptions
        ]
        old.put(job, last[job])
        old.snapshot(now)
        for at in (now, now + 15, now - 15):
            fresh, fresh_drops = store(limit)
            for name, blocks in last.items():
                fresh.put(name, blocks)
            old_drops.clear()
            assert shown(old.snapshot(at)) == shown(fresh.snapshot(at))
            assert old_drops == fresh_drops
            assert old.next_expiry(at) == fresh.next_expiry(at)


def test_blocks_are_let_go() -> None:
    """What no job has any more is free once the next snapshot is made."""
    kept, _ = store(3)
    columns = []
    for number in range(3):
        blocks = [block("vwx", [1, 2, number], [1000, 900, 1000]), block("xyz", [number, 5, 6])]
        columns.append([weakref.ref(each.values) for each in blocks])
        kept.put("j", blocks)
        kept.snapshot(1020)
    del blocks
    kept.remove("j")
    assert kept.snapshot(1020).series == 0
    assert [[ref() for ref in refs] for refs in columns] == [[None, None]] * 3


async def test_a_snapshot_in_stretches_is_the_same_and_lets_others_work() -> None:
    """It is of the moment it was asked for, whatever is put meanwhile."""
    kept, _ = store(10**6)
    ids = [str(number) for number in range(200_000)]
    values = [float(number) for number in range(len(ids))]
    kept.put("j", [block(ids, values, [1000] * len(ids)), block(ids, values, of=family("aws_b_bytes"))])
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    await asyncio.sleep(0)
    taking = asyncio.create_task(kept.take(1000))
    await asyncio.sleep(0)
    kept.put("j", [])
    taken = await taking
    task.cancel()
    assert taken.series == 2 * len(ids)
    assert turns > 5
    assert (await kept.take(1000)).series == 0
