"""What has no stamps of its own as bodies, read by protobuf's classes and another snappy: tests/write_request.py."""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.model import Block, Family, Snapshot
from exporter.naming import label_set, labels_of
from exporter.remote.endings import LOOK_BACK, Piece
from exporter.remote.held import Held
from exporter.remote.runs import STAMPS
from exporter.remote.wire import STALE, Encoder
from tests.write_request import bits, decode, samples_of

AT = 1_700_000_040
MARKER = bits(STALE)
Key = tuple[str, bytes]


def family(name: str) -> Family:
    return Family(name, "", ("id",))


def label_sets(numbers: Iterable[int]) -> tuple[bytes, ...]:
    names = ("account_id", "region", "volume_id", "empty")
    return tuple(label_set(names, ("111111111111", f"r-{n % 2}", f"vol-{n}", "")) for n in numbers)


def block(name: str, labels: Sequence[bytes], values: Iterable[float]) -> Block:
    return Block(family(name), labels, array("d", values), AT, 900)


def snapshot(*blocks: Block) -> Snapshot:
    names = sorted({each.family.name for each in blocks})
    families = tuple((family(name), tuple(each for each in blocks if each.family.name == name)) for name in names)
    return Snapshot(AT, families, sum(len(each.values) for each in blocks))


def pieces(held: Held, shown: Snapshot, at: int, skip: Collection[str] = ()) -> list[Piece]:
    return [piece for piece in held.write(shown, at, skip) if piece is not None]


def written(found: Iterable[Piece], at: int) -> dict[str, dict[frozenset[tuple[str, str]], int]]:
    """By tenant: label sets and the bits of their one value, all stamped *at*; no series twice."""
    by_tenant: dict[str, dict[frozenset[tuple[str, str]], int]] = {}
    for piece in found:
        series = by_tenant.setdefault(piece.tenant, {})
        points = samples_of(piece.body.data)
        count = sum(map(len, points.values()))
        assert (piece.body.series, piece.body.samples, piece.body.oldest, piece.body.newest) == (count, count, at, at)
        for labels, samples in points.items():
            assert labels not in series
            ((stamp, value),) = samples
            assert stamp == 1000 * at
            series[labels] = bits(value)
    return by_tenant


def named(name: str, labels: bytes, **more: str) -> frozenset[tuple[str, str]]:
    shown = {label: value for label, value in {**more, **labels_of(labels)}.items() if value}
    return frozenset({"__name__": name, **shown}.items())


def one_tenant(found: Iterable[Piece], at: int) -> dict[frozenset[tuple[str, str]], int]:
    return written(found, at).get("", {})


def held_of_one(**external: str) -> Held:
    return Held(Encoder(external), lambda _: "")


def test_every_series_is_there_once_with_the_stamp_of_the_write() -> None:
    """Values with every bit of them, external labels beside the own ones, nothing for what has no value."""
    labels = label_sets(range(3))
    shown = snapshot(
        block("aws_a", labels, (1.5, math.nan, -0.0)),
        block("aws_b", labels, (math.inf, -math.inf, math.nan)),
        block("aws_c", (b"",), (5e-324,)),
    )
    assert one_tenant(pieces(held_of_one(env="e", region="not this"), shown, AT), AT) == {
        named("aws_a", labels[0], env="e"): bits(1.5),
        named("aws_a", labels[2], env="e"): bits(-0.0),
        named("aws_b", labels[0], env="e"): bits(math.inf),
        named("aws_b", labels[1], env="e"): bits(-math.inf),
        named("aws_c", b"", env="e", region="not this"): bits(5e-324),
    }


@pytest.mark.parametrize("external", [{}, {"Zone": "z"}, {"Zone": "z", "a": "b" * 300}, {"region": ""}])
def test_labels_are_sorted_with_the_name_among_them(external: dict[str, str]) -> None:
    """An upper-case label stands before the name, empty ones are not there, long ones need longer lengths."""
    labels = (*label_sets(range(3)), label_set(("B", "a"), ("x" * 200, "")))
    shown = snapshot(block("aws_a", labels, range(4)), block("aws_b" * 50, labels, range(4)))
    (piece,) = pieces(held_of_one(**external), shown, AT)
    for series in decode(piece.body.data).timeseries:
        names = [label.name for label in series.labels]
        assert names == sorted(names)
        assert all(label.value for label in series.labels)
        assert "__name__" in names
        assert ("Zone" in names) == ("Zone" in external)


@pytest.mark.parametrize("at", [STAMPS.start - 1, 0, -1, STAMPS.stop])
def test_a_stamp_that_is_none_is_refused(at: int) -> None:
    """Only instants that the runs can hold, instead of bytes that nobody can read; the first and last can be read."""
    shown = snapshot(block("aws_a", (b"",), (1.0,)))
    with pytest.raises(ValueError, match="1971"):
        list(held_of_one().write(shown, at))
    for good in (STAMPS.start, STAMPS.stop - 1):
        assert len(one_tenant(pieces(held_of_one(), shown, good), good)) == 1


def test_many_series_are_split_and_stand_resource_by_resource() -> None:
    """No body has more than 2,000 series, few have less, and the families of a resource are neighbours."""
    labels = label_sets(range(3000))
    shown = snapshot(*(block(f"aws_{n}", labels, range(n, 3000 + n)) for n in range(4)))
    found = pieces(held_of_one(), shown, AT)
    assert len(one_tenant(found, AT)) == 12_000
    assert len(found) == 6
    assert all(piece.body.series <= 2000 for piece in found)
    for piece in found:
        ids = [labels["volume_id"] for labels in map(by_name, decode(piece.body.data).timeseries)]
        assert sum(one != other for one, other in pairwise(ids)) == len(set(ids)) - 1


def by_name(series: object) -> dict[str, str]:
    return {label.name: label.value for label in series.labels}  # type: ignore[attr-defined]


def test_small_families_share_a_body() -> None:
    """Many families of few series are not as many requests."""
    shown = snapshot(*(block(f"aws_{n:03}", label_sets(range(n, n + 3)), (1, 2, 3)) for n in range(300)))
    found = pieces(held_of_one(), shown, AT)
    assert [piece.body.series for piece in found] == [900]


def test_each_tenant_gets_its_own() -> None:
    """Also where they take turns within a list of label sets; and nothing more goes to one that is skipped."""
    labels = label_sets(range(5))
    shown = snapshot(block("aws_a", labels, range(5)), block("aws_b", labels, (math.nan, 1, 2, math.nan, 4)))
    held = Held(Encoder(), lambda rendered: labels_of(rendered)["region"])
    assert written(pieces(held, shown, AT), AT) == {
        "r-0": {
            **{named("aws_a", labels[n]): bits(n) for n in (0, 2, 4)},
            **{named("aws_b", labels[n]): bits(n) for n in (2, 4)},
        },
        "r-1": {
            named("aws_a", labels[1]): bits(1),
            named("aws_a", labels[3]): bits(3),
            named("aws_b", labels[1]): bits(1),
        },
    }
    assert set(written(pieces(held, shown, AT + 60, skip={"r-0"}), AT + 60)) == {"r-1"}
    skip: set[str] = set()
    tenants = []
    for piece in held.write(snapshot(block("aws_a", labels, range(5))), AT + 120, skip):
        if piece is not None:
            tenants.append(piece.tenant)
            skip.add(piece.tenant)  # the first body, of markers, cannot be delivered
    assert sorted(tenants) == ["r-0", "r-1"]


# ---- what ends -----------------------------------------------------------------------------------------------------


def test_what_ends_gets_one_marker() -> None:
    """A label set that is gone, a value that is NaN now and a family that is gone end once; the rest goes on."""
    held = held_of_one()
    labels = label_sets(range(3))
    before = [block("aws_a", labels, (1, 2, 3)), block("aws_b", labels, (1, 2, 3)), block("aws_c", labels, (1, 2, 3))]
    pieces(held, snapshot(*before), AT)
    after = snapshot(block("aws_a", labels[1:], (2, 3)), replace(before[1], values=array("d", (1, math.nan, 3))))
    found = pieces(held, after, AT + 60)
    markers = [labels for labels, value in one_tenant(found, AT + 60).items() if value == MARKER]
    assert set(markers) == {
        named("aws_a", labels[0]),
        named("aws_b", labels[1]),
        *(named("aws_c", each) for each in labels),
    }
    for piece in found:
        held.taken(piece)
    assert MARKER not in one_tenant(pieces(held, after, AT + 120), AT + 120).values()


def test_a_marker_is_not_lost_with_its_request() -> None:
    """What was not delivered is sent again, with the stamp of then, for as long as a query still sees the series."""
    held = held_of_one()
    pieces(held, snapshot(block("aws_a", (b"",), (1.0,)), block("aws_b", (b"",), (1.0,))), AT)
    rest = snapshot(block("aws_b", (b"",), (1.0,)))
    for after in range(60, LOOK_BACK + 1, 60):
        assert one_tenant(pieces(held, rest, AT + after), AT + after)[named("aws_a", b"")] == MARKER
    assert set(one_tenant(pieces(held, rest, AT + LOOK_BACK + 60), AT + LOOK_BACK + 60)) == {named("aws_b", b"")}


def test_what_comes_back_gets_no_marker() -> None:
    """A series that ended and is there again before its marker was delivered goes on."""
    held = held_of_one()
    there = block("aws_a", label_sets(range(2)), (1.0, 2.0))
    pieces(held, snapshot(there), AT)
    pieces(held, snapshot(replace(there, values=array("d", (1.0, math.nan)))), AT + 60)
    back = one_tenant(pieces(held, snapshot(there), AT + 120), AT + 120)
    assert back == {named("aws_a", there.labels[0]): bits(1.0), named("aws_a", there.labels[1]): bits(2.0)}


def test_each_body_of_markers_is_taken_by_itself() -> None:
    """Where one of several is not delivered, its markers are sent again, and not those of the others."""
    held = Held(Encoder(series=2), lambda _: "")
    labels = label_sets(range(5))
    pieces(held, snapshot(block("aws_a", labels, range(5))), AT)
    first, *rest = pieces(held, snapshot(), AT + 60)
    assert [piece.body.series for piece in (first, *rest)] == [2, 2, 1]
    for piece in rest:
        held.taken(piece)
    again = one_tenant(pieces(held, snapshot(), AT + 120), AT + 120)
    assert set(again) == set(one_tenant([first], AT + 60))


def test_a_series_that_moves_to_another_block_goes_on() -> None:
    """Which job tells of a series is nobody's business: it ends where no block has it."""
    held = held_of_one()
    one, two = label_sets(range(3)), label_sets(range(3, 6))
    kept = block("aws_a", two, (4, 5, 6))
    pieces(held, snapshot(block("aws_a", one, (1, 2, 3)), kept), AT)
    found = pieces(held, snapshot(kept, block("aws_a", one[1:], (2, 3)), block("aws_a", one[:1], (1,))), AT + 60)
    assert MARKER not in one_tenant(found, AT + 60).values()


def test_another_term_ends_nothing_of_this_one() -> None:
    """Once forgotten, what was written before gets no marker, not even one that waited."""
    held = held_of_one()
    pieces(held, snapshot(block("aws_a", (b"",), (1.0,)), block("aws_b", (b"",), (1.0,))), AT)
    pieces(held, snapshot(block("aws_a", (b"",), (1.0,))), AT + 60)
    held.forget()
    assert pieces(held, snapshot(), AT + 120) == []


def test_what_changed_is_written_wherever_it_stands() -> None:
    """Of many series over the same label sets, in any block and any place, a zero's sign too."""
    held = held_of_one()
    labels = label_sets(range(1500))
    blocks = [block(f"aws_{n}", labels, [0.0] * 1500) for n in range(3)]
    pieces(held, snapshot(*blocks), AT)
    for turn, changes in enumerate(({0: 3}, {1: 1499}, {2: 700}, {0: 0, 1: 1499}, {0: 800, 2: 2}), 1):
        # Those that stay the same are other objects, too.
        blocks = [replace(each, values=each.values[:]) for each in blocks]
        for which, place in changes.items():
            blocks[which].values[place] = -0.0 if turn < 4 else float(turn)
        got = one_tenant(pieces(held, snapshot(*blocks), AT + 60 * turn), AT + 60 * turn)
        there = {key: value for each in blocks for key, value in live(each).items()}
        assert got == {named(name, each): bits(value) for (name, each), value in there.items()}


VALUES = st.sampled_from((math.nan, 0.0, -0.0, 1.0, math.inf, -math.inf)) | st.floats()
LISTS = (label_sets(range(4)), label_sets(range(4)), label_sets(range(2, 6)), label_sets(range(10, 10)), (b"",))


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[Snapshot, bool]]:
    """Snapshots after each other, each series once, and whether what is made of them is delivered."""
    history: list[tuple[Snapshot, bool]] = []
    last: list[Block] = []
    for _ in range(draw(st.integers(1, 6))):
        blocks = [each for each in last if draw(st.booleans())]
        for name in draw(st.lists(st.sampled_from(("aws_a", "aws_b", "aws_c")), max_size=5)):
            labels = draw(st.sampled_from(LISTS))
            values = draw(st.lists(VALUES, min_size=len(labels), max_size=len(labels)))
            taken = {key for each in blocks for key in live(each)}
            fresh = [math.nan if (name, label) in taken else value for label, value in zip(labels, values, strict=True)]
            blocks.append(block(name, labels, fresh))
        last = blocks
        history.append((snapshot(*draw(st.permutations(blocks))), draw(st.booleans())))
    return history


def live(of: Block) -> dict[Key, float]:
    pairs = zip(of.labels, of.values, strict=True)
    return {(of.family.name, labels): value for labels, value in pairs if not math.isnan(value)}


def tenant_of(labels: bytes) -> str:
    return "odd" if b"r-1" in labels else ""


@given(histories(), st.sampled_from((60, 150)))
def test_whatever_comes_the_receiver_has_what_is_there_and_what_has_ended(
    history: list[tuple[Snapshot, bool]], every: int
) -> None:
    """Over any history of blocks that stay, change, share label sets and fail to be delivered: as told one by one."""
    held = Held(Encoder({"Zone": "z"}), tenant_of)
    last: dict[Key, float] = {}
    waiting: dict[Key, int] = {}
    for turn, (shown, delivered) in enumerate(history):
        at = AT + every * turn
        now = {key: value for _, blocks in shown.families for each in blocks for key, value in live(each).items()}
        waiting.update(dict.fromkeys(last.keys() - now.keys(), at - every))
        waiting = {key: since for key, since in waiting.items() if key not in now and at - since <= LOOK_BACK}
        expected: dict[str, dict[frozenset[tuple[str, str]], int]] = {}
        for (name, labels), value in {**now, **dict.fromkeys(waiting, STALE)}.items():
            expected.setdefault(tenant_of(labels), {})[named(name, labels, Zone="z")] = bits(value)
        found = pieces(held, shown, at)
        assert written(found, at) == expected
        for piece in found if delivered else ():
            held.taken(piece)
        last, waiting = now, {} if delivered else waiting


@given(histories(), st.integers(0, 40))
def test_a_write_that_is_given_up_half_way_does_no_harm_to_the_next(
    history: list[tuple[Snapshot, bool]], steps: int
) -> None:
    """A term may end at any step of a write: the next write has everything that is there all the same."""
    held = Held(Encoder(), tenant_of)
    for turn, (shown, whole) in enumerate(history):
        at = AT + 60 * turn
        if not whole:
            for _ in zip(range(steps), held.write(shown, at), strict=False):
                pass
            continue
        now = {key: value for _, blocks in shown.families for each in blocks for key, value in live(each).items()}
        got = {
            labels: value
            for series in written(pieces(held, shown, at), at).values()
            for labels, value in series.items()
        }
        assert {labels: value for labels, value in got.items() if value != MARKER} == {
            named(name, labels): bits(value) for (name, labels), value in now.items()
        }


# ---- what it costs -------------------------------------------------------------------------------------------------


class Counting(Encoder):
    """Counts how many label sets it is asked for."""

    asked = 0

    def halves(self, rendered: bytes) -> tuple[bytes, bytes]:
        self.asked += 1
        return super().halves(rendered)


def test_label_sets_are_encoded_once() -> None:
    """Neither the same snapshot nor one with other values over the same label sets asks for any of them again."""
    encoder = Counting()
    held = Held(encoder, lambda _: "")
    labels = label_sets(range(600))
    blocks = [block(f"aws_{n}", labels, range(600)) for n in range(5)]
    pieces(held, snapshot(*blocks), AT)
    assert encoder.asked == 600
    other = block("aws_2", labels, range(7, 607))
    for turn, now in enumerate((blocks, [*blocks[:2], other, *blocks[3:]], blocks[:3], blocks), 1):
        got = one_tenant(pieces(held, snapshot(*now), AT + 60 * turn), AT + 60 * turn)
        there = {key: value for each in now for key, value in live(each).items()}
        assert {series: value for series, value in got.items() if value != MARKER} == {
            named(name, each): bits(value) for (name, each), value in there.items()
        }
    # The markers of the two families that had ended for a while.
    assert encoder.asked == 600 + 2 * 600


def test_others_have_their_turn_while_much_is_new() -> None:
    """Label sets that were never seen, values that changed and markers are each written a few at a time."""
    held = held_of_one()
    labels = label_sets(range(20_000))
    before = [block(f"aws_{n}", labels, range(20_000)) for n in range(2)]
    after = [block(f"aws_{n}", labels, range(1, 20_001)) for n in range(2)]
    assert sum(piece is None for piece in held.write(snapshot(*before), AT)) >= 20_000 / 16 + 40
    assert sum(piece is None for piece in held.write(snapshot(*after), AT + 60)) >= 40
    assert sum(piece is None for piece in held.write(snapshot(), AT + 120)) >= 2 * 20_000 / 16


def test_values_that_are_all_different_are_not_all_remembered() -> None:
    """Equal values are kept once, which must not keep those that nothing shows any more."""
    held = held_of_one()
    labels = label_sets(range(10_000))
    for turn in range(4):
        pieces(held, snapshot(block("aws_a", labels, range(10_000 * turn, 10_000 * turn + 10_000))), AT + 60 * turn)
        assert len(held._values) < 20_000


def test_blocks_that_go_are_let_go() -> None:
    """Only the last write's blocks and label sets are held, and none once it is forgotten."""
    held = held_of_one()
    labels, others = label_sets(range(50)), label_sets(range(50, 99))
    one, other = block("aws_a", labels, range(50)), block("aws_b", others, range(49))
    things = (one, labels, one.values)
    free = references(things)
    pieces(held, snapshot(one, other), AT)
    now = references(things)
    assert now[0] > free[0]
    assert now[1] > free[1]
    pieces(held, snapshot(other), AT + 60)
    assert references(things) == free
    pieces(held, snapshot(one), AT + 120)
    held.forget()
    assert references(things) == free


def references(things: Sequence[object]) -> list[int]:
    return [sys.getrefcount(each) for each in things]
