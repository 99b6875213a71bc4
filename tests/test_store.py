"""What the store shows: what is alive, once, within the limit; and when it changes."""

from __future__ import annotations

import asyncio
import math
from array import array
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.model import Block, Family, Snapshot
from exporter.naming import label_set
from exporter.store import Store

NAN = math.nan
Drops = list[tuple[str, int, str]]


def family(name: str = "aws_thing_bytes", labels: tuple[str, ...] = ("id",), unit: str = "bytes") -> Family:
    return Family(name, "Help.", labels, "gauge", unit)


def block(
    ids: Sequence[str],
    values: Sequence[float],
    ends: Sequence[int] | int = 1000,
    *,
    span: int = 100,
    of: Family | None = None,
) -> Block:
    of = family() if of is None else of
    columns = ends if isinstance(ends, int) else array("q", ends)
    return Block(of, [label_set(("id",), (each,)) for each in ids], array("d", values), columns, span)


def store(limit: int = 1000) -> tuple[Store, Drops]:
    drops: Drops = []
    return Store(limit, lambda reason, n, example: drops.append((reason, n, example))), drops


def shown(snapshot: Snapshot) -> dict[str, dict[str, float]]:
    """Family → label set → value, of what is there; a series that is there twice is an error."""
    out: dict[str, dict[str, float]] = {}
    for each, blocks in snapshot.families:
        for one in blocks:
            for label, value in zip(one.labels, one.values, strict=True):
                if not math.isnan(value):
                    assert label.decode() not in out.setdefault(each.name, {})
                    out[each.name][label.decode()] = value
    return out


def things(**values: float) -> dict[str, dict[str, float]]:
    return {"aws_thing_bytes": {f'{{id="{name}"}}': value for name, value in values.items()}}


@pytest.mark.parametrize(
    ("ends", "now", "alive"),
    [
        (1000, 1000, "ab"),
        (1000, 1100, "ab"),
        (1000, 1100.5, ""),
        (1000, 1101, ""),
        ([1000, 1050], 1100, "ab"),
        ([1000, 1050], 1101, "b"),
        ([1000, 1050], 1150, "b"),
        ([1000, 1050], 1151, ""),
        ([0, 1050], 1100, "b"),
    ],
)
def test_a_value_is_shown_for_its_span_and_no_longer(ends: list[int] | int, now: float, alive: str) -> None:
    """The last second of the span still shows it, the next does not, and no family is shown without a value."""
    kept, drops = store()
    kept.put("ebs", [block("ab", [1, 2], ends)])
    snapshot = kept.snapshot(now)
    assert shown(snapshot) == (things(**{name: 1 + "ab".index(name) for name in alive}) if alive else {})
    assert snapshot.series == len(alive)
    assert snapshot.at == now
    assert drops == []


def test_nothing_outlived_costs_no_copy() -> None:
    """The very columns that were put come out."""
    kept, _ = store()
    put = block("abc", [1, NAN, 3], [1000, 0, 1001])
    kept.put("ebs", [put])
    (((_, (out,)),)) = kept.snapshot(1050).families
    assert out is put


def test_masking_leaves_the_columns_alone() -> None:
    """A clock that goes back finds everything again."""
    kept, _ = store()
    kept.put("ebs", [block("ab", [1, 2], [1000, 1050])])
    assert shown(kept.snapshot(1120)) == things(b=2)
    assert shown(kept.snapshot(1050)) == things(a=1, b=2)


@pytest.mark.parametrize(
    ("ends", "values", "now", "expected"),
    [
        (1000, [1, 2], 1000, 1101),
        (1000, [1, 2], 1100, 1101),
        (1000, [1, 2], 1101, None),
        ([1000, 1050], [1, 2], 1000, 1101),
        ([1000, 1050], [1, 2], 1101, 1151),
        ([1000, 1050], [1, 2], 1151, None),
        ([1000, 1050], [NAN, 2], 1000, 1151),
        ([0, 1050], [NAN, 2], 1120, 1151),
        (1000, [NAN, NAN], 1000, None),
    ],
)
def test_next_expiry(ends: list[int] | int, values: list[float], now: float, expected: float | None) -> None:
    """The first whole second at which something shown now is gone."""
    kept, _ = store()
    kept.put("ebs", [block("ab", values, ends)])
    assert kept.next_expiry(now) == expected


@given(
    st.lists(st.tuples(st.integers(0, 50), st.one_of(st.just(NAN), st.floats(0, 9))), max_size=8),
    st.integers(0, 20),
    st.integers(0, 80),
)
def test_between_now_and_the_next_expiry_nothing_changes(points: list[tuple[int, float]], span: int, now: int) -> None:
    """At whole seconds, looking again earlier is useless, and looking at that one shows less."""
    kept, _ = store()
    kept.put(
        "ebs", [block([str(i) for i in range(len(points))], [v for _, v in points], [e for e, _ in points], span=span)]
    )
    here = shown(kept.snapshot(now))
    at = kept.next_expiry(now)
    if at is None:
        assert here == {}
    else:
        assert at > now
        assert shown(kept.snapshot(at - 1)) == here
        assert kept.snapshot(at).series < kept.snapshot(now).series


def test_a_job_replaces_its_own_and_only_its_own() -> None:
    """The other job's values stay; removing takes the job's away."""
    kept, drops = store()
    kept.put("ebs", [block("a", [1])])
    kept.put("efs", [block("b", [2])])
    kept.put("ebs", [block("c", [3])])
    assert shown(kept.snapshot(1000)) == things(b=2, c=3)
    kept.remove("ebs")
    kept.remove("ebs")
    assert shown(kept.snapshot(1000)) == things(b=2)
    assert drops == []


def test_a_snapshot_stays_as_it_was() -> None:
    """What is being rendered does not change with the next put."""
    kept, _ = store()
    kept.put("ebs", [block("a", [1])])
    before = kept.snapshot(1000)
    kept.put("ebs", [block("a", [2])])
    assert shown(before) == things(a=1)


def test_families_come_by_name_and_jobs_by_name_within() -> None:
    """The order of a page does not depend on which pass ended first."""
    kept, _ = store()
    kept.put("z", [block("a", [1]), block("a", [1], of=family("aws_b_bytes"))])
    kept.put("a", [block("b", [2]), block("b", [2], of=family("aws_c_bytes"))])
    snapshot = kept.snapshot(1000)
    assert [each.name for each, _ in snapshot.families] == ["aws_b_bytes", "aws_c_bytes", "aws_thing_bytes"]
    assert [one.values[0] for one in snapshot.families[-1][1]] == [2, 1]


def test_a_series_of_two_jobs_is_shown_once() -> None:
    """The job that sorts first wins, the other is counted and named, at each snapshot."""
    kept, drops = store()
    kept.put("b", [block("xy", [20, 30])])
    kept.put("a", [block("x", [10])])
    assert shown(kept.snapshot(1000)) == things(x=10, y=30)
    assert drops == [("duplicate", 1, 'aws_thing_bytes{id="x"}')]


def test_a_series_twice_in_one_block_is_shown_once() -> None:
    """One page with a series twice would be refused whole by a scraper."""
    kept, drops = store()
    kept.put("a", [block("xyx", [1, 2, 3])])
    assert shown(kept.snapshot(1000)) == things(x=1, y=2)
    assert drops == [("duplicate", 1, 'aws_thing_bytes{id="x"}')]


def test_a_value_that_is_not_there_stands_in_nobodys_way() -> None:
    """A job that lost a resource does not hide the same series of the job that has it."""
    kept, drops = store()
    kept.put("a", [block("x", [NAN]), block("y", [1], 500)])
    kept.put("b", [block("xy", [2, 3])])
    assert shown(kept.snapshot(1000)) == things(x=2, y=3)
    assert drops == []


def test_one_answer_about_shared_labels_serves_other_families_rightly() -> None:
    """Families over the same label lists agree; one over other lists is looked at by itself."""
    kept, drops = store()
    first, second = block("xy", [1, 2]), block("z", [3])
    other = family("aws_other_bytes")
    shared = [Block(other, each.labels, array("d", [9.0] * len(each.labels)), 1000, 100) for each in (first, second)]
    kept.put("a", [first, shared[0]])
    kept.put("b", [second, shared[1], block("x", [5], of=other)])
    out = shown(kept.snapshot(1000))
    assert out["aws_thing_bytes"] == things(x=1, y=2, z=3)["aws_thing_bytes"]
    assert out["aws_other_bytes"] == things(x=9, y=9, z=9)["aws_thing_bytes"]
    assert drops == [("duplicate", 1, 'aws_other_bytes{id="x"}')]


@pytest.mark.parametrize(
    "other",
    [
        Family("aws_thing_bytes", "Help.", ("other",), "gauge", "bytes"),
        Family("aws_thing_bytes", "Help.", ("id",), "info", "bytes"),
        Family("aws_thing_bytes", "Help.", ("id",), "gauge", ""),
    ],
    ids=["labels", "type", "unit"],
)
def test_a_family_means_one_thing(other: Family) -> None:
    """The later block of another meaning is refused and named; the first stands."""
    kept, drops = store()
    kept.put("a", [block("x", [1])])
    kept.put("b", [Block(other, [b'{other="y"}', b'{other="z"}'], array("d", [NAN, 2]), 1000, 100)])
    assert shown(kept.snapshot(1000)) == things(x=1)
    assert drops == [("conflict", 1, 'aws_thing_bytes{other="z"}')]


def test_another_help_is_no_conflict() -> None:
    """Words may differ between versions of a job; the first one's are shown."""
    kept, drops = store()
    kept.put("a", [block("x", [1])])
    kept.put("b", [block("y", [2], of=Family("aws_thing_bytes", "Other.", ("id",), "gauge", "bytes"))])
    snapshot = kept.snapshot(1000)
    assert shown(snapshot) == things(x=1, y=2)
    assert snapshot.families[0][0].help == "Help."
    assert drops == []


@pytest.mark.parametrize(
    ("limit", "expected", "dropped"),
    [
        (5, {"a": "wx", "b": "xyz"}, None),
        (4, {"a": "wx", "b": "xy"}, (1, 'aws_b{id="z"}')),
        (2, {"a": "wx"}, (3, 'aws_b{id="x"}')),
        (1, {"a": "w"}, (4, 'aws_a{id="x"}')),
        (0, {}, (5, 'aws_a{id="w"}')),
    ],
)
def test_the_limit_cuts_what_sorts_last(limit: int, expected: dict[str, str], dropped: tuple[int, str] | None) -> None:
    """Exactly the limit is shown, the rest is counted and one of it named; absent values count for nothing."""
    kept, drops = store(limit)
    kept.put(
        "j",
        [
            block("wvx", [1, NAN, 1], of=family("aws_a", unit="")),
            block("vxyz", [NAN, 1, 1, 1], of=family("aws_b", unit="")),
        ],
    )
    snapshot = kept.snapshot(1000)
    assert shown(snapshot) == {
        f"aws_{name}": {f'{{id="{each}"}}': 1.0 for each in ids} for name, ids in expected.items()
    }
    assert snapshot.series == min(limit, 5)
    assert drops == ([] if dropped is None else [("limit", *dropped)])


@pytest.mark.parametrize(
    ("labels", "values", "ends"),
    [(1, 2, 1000), (2, 1, 1000), (2, 2, [1000]), (2, 2, [1000] * 3)],
)
def test_columns_of_unequal_length_are_refused_at_once(labels: int, values: int, ends: list[int] | int) -> None:
    """Nothing is replaced, and the family is named."""
    kept, _ = store()
    kept.put("j", [block("a", [1])])
    with pytest.raises(ValueError, match="aws_thing_bytes"):
        kept.put("j", [block("abc"[:labels], [1] * values, ends)])
    assert (kept.version, shown(kept.snapshot(1000))) == (1, things(a=1))


def test_infinities_are_values() -> None:
    """Only NaN is absent."""
    kept, _ = store()
    kept.put("j", [block("ab", [math.inf, -math.inf])])
    assert kept.snapshot(1000).series == 2


async def test_who_waits_is_woken_by_the_next_change() -> None:
    """Every waiter sees the new version; who is behind already does not wait."""
    kept, _ = store()
    waiting = [asyncio.create_task(kept.wait_changed(0)) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    kept.put("j", [block("a", [1])])
    assert await asyncio.gather(*waiting) == [1, 1, 1]
    kept.remove("j")
    assert await kept.wait_changed(1) == 2
    kept.remove("j")
    assert kept.version == 2
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(kept.wait_changed(2), 0.01)


# ---- what did not change ---------------------------------------------------------------------------------------------
