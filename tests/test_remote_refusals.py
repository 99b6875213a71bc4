"""How what is good of a refused request arrives: at receivers of whole requests, and at those that store the rest."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.remote.refusals import MOST, MOST_STORED, Placed, Refused, place, refused_by
from exporter.remote.replies import Reply
from exporter.remote.wire import Row, Sample
from tests.receivers import Points, Receiver

Model = Mapping[bytes, Points]


def rows_of(model: Model) -> list[Row]:
    return [Row(key, tuple(Sample(at, value) for at, value in points)) for key, points in model.items()]


def posting(receiver: Receiver) -> Callable[[Sequence[Row]], Awaitable[Refused | None]]:
    """What `place` sends with, straight to *receiver*."""

    async def post(rows: Sequence[Row]) -> Refused | None:
        assert rows
        assert all(row.samples for row in rows)
        reason = receiver.take({row.labels: [(each.at, each.value) for each in row.samples] for row in rows})
        if not reason:
            return None
        return refused_by(Reply(400, receiver.words(reason)))

    return post


def placed(receiver: Receiver, model: Model, most: int = MOST) -> Placed:
    """Send *model* as one request, and place it where that is refused."""

    async def both() -> Placed:
        post = posting(receiver)
        rows = rows_of(model)
        assert await post(rows) is not None
        receiver.requests = 0
        return await place(rows, post, most)

    return asyncio.run(both())


def good(receiver: Receiver, model: Model) -> dict[bytes, Points]:
    """What of *model* a receiver can take in order, sample by sample."""
    ideal = Receiver(False, oldest=receiver.oldest, latest=receiver.latest, bad=dict(receiver.bad))
    ideal.has = {key: list(points) for key, points in receiver.has.items()}
    ideal.take(model)
    return ideal.has


def size(model: Model) -> int:
    return sum(map(len, model.values()))


def body(series: int, samples: int, start: int = 0) -> dict[bytes, Points]:
    """Many series of one window."""
    return {
        f"series {index:04}".encode(): [(start + 60_000 * each, float(index + each)) for each in range(samples)]
        for index in range(series)
    }


# ---- whatever is wrong ---------------------------------------------------------------------------------------------

STAMPS = st.integers(0, 8)


@st.composite
def scenes(draw: st.DrawFn) -> tuple[Receiver, dict[bytes, Points]]:
    """A receiver that has something already, and a request of a few series."""
    receiver = Receiver(draw(st.booleans()), draw(st.booleans()))
    receiver.named = receiver.named and not receiver.whole  # Prometheus never speaks like Mimir
    receiver.oldest = draw(st.sampled_from([-1, -1, 2, 5, 99]))
    receiver.latest = draw(st.sampled_from([99, 99, 99, 6]))
    model: dict[bytes, Points] = {}
    for index in range(draw(st.integers(1, 12))):
        key = f"series {index}".encode()
        ats = sorted(draw(st.sets(STAMPS, min_size=1, max_size=6)))
        model[key] = [(at, float(at)) for at in ats]
        if draw(st.booleans()):
            newest = draw(STAMPS)
            receiver.has[key] = [(newest, draw(st.sampled_from([float(newest), -1.0])))]
        if draw(st.integers(0, 5)) == 0:
            receiver.bad[key] = draw(st.sampled_from(["invalid", "limits"]))
    return receiver, model


@given(scenes())
@settings(max_examples=300, deadline=None)
def test_every_good_sample_arrives_and_all_are_accounted_for(scene: tuple[Receiver, dict[bytes, Points]]) -> None:
    """In order, at either kind of receiver; what did not is counted, and never more than is bad."""
    receiver, model = scene
    expected = good(receiver, model)
    if not Receiver(
        True, oldest=receiver.oldest, latest=receiver.latest, bad=receiver.bad, has=dict(receiver.has)
    ).take(model):
        return  # it would not have been refused
    result = placed(receiver, model)
    assert receiver.has == expected
    assert all(points == sorted(points) for points in receiver.has.values())
    assert result.sent + result.there + sum(result.dropped.values()) == size(model)
    assert min(result.sent, result.there, *result.dropped.values(), 0) == 0
    assert set(result.examples) >= set(result.dropped)
    assert not result.whole
    assert result.requests == receiver.requests


@given(scenes())
@settings(max_examples=200, deadline=None)
def test_a_receiver_of_whole_requests_gets_exact_counts(scene: tuple[Receiver, dict[bytes, Points]]) -> None:
    """Sent is what it took or had with the same value; the others are dropped, or there in another shape."""
    receiver, model = scene
    receiver.whole, receiver.named = True, False
    reasons: list[str] = []
    for key, points in model.items():
        had = list(receiver.has.get(key, ()))
        for at, value in points:
            reason = receiver.wrong(key, at, value, had)
            if reason:
                reasons.append(reason)
            elif not had or at > had[-1][0]:
                had.append((at, value))
    if not reasons:
        return
    result = placed(receiver, model)
    assert result.there + sum(result.dropped.values()) == len(reasons)
    for reason in ("too_old", "limits"):
        assert result.dropped.get(reason, 0) == reasons.count(reason)
    assert result.dropped.get("invalid", 0) == reasons.count("invalid") + reasons.count("future")


# ---- one among many ------------------------------------------------------------------------------------------------

KINDS = pytest.mark.parametrize(
    ("whole", "named"), [(True, False), (False, True), (False, False)], ids=["Prometheus", "Mimir", "Cortex"]
)


@KINDS
@pytest.mark.parametrize("samples", [1, 5])
@pytest.mark.parametrize("reason", ["limits", "invalid"])
def test_one_bad_series_among_two_thousand(reason: str, samples: int, *, whole: bool, named: bool) -> None:
    """It is dropped with all its samples, the others arrive, for some dozens of requests."""
    model = body(2000, samples)
    bad = b"series 1234"
    receiver = Receiver(whole, named, bad={bad: reason})
    result = placed(receiver, model)
    assert receiver.has == {key: points for key, points in model.items() if key != bad}
    assert result.dropped == {reason: samples}
    assert result.there == (0 if whole or samples == 1 else (2000 - 1) * (samples - 1))
    assert result.requests < 120
    assert result.examples[reason].labels == bad


@KINDS
def test_one_series_that_the_receiver_has_further(*, whole: bool, named: bool) -> None:
    """Only what is older than the receiver's newest is not taken."""
    model = body(2000, 5)
    ahead = b"series 0777"
    receiver = Receiver(whole, named, has={ahead: [(150_000, 1.0)]})
    result = placed(receiver, model)
    assert receiver.has.pop(ahead) == [(150_000, 1.0), *model[ahead][3:]]
    assert receiver.has == {key: points for key, points in model.items() if key != ahead}
    if whole:
        assert (result.dropped, result.there, result.sent) == ({}, 3, 9997) or result.dropped == {"out_of_order": 3}
    else:
        assert result.dropped == {}
    assert result.requests < 120


# ---- the many ------------------------------------------------------------------------------------------------------


@KINDS
@pytest.mark.parametrize("samples", [1, 2, 5, 60])
def test_a_request_that_is_there_already(samples: int, *, whole: bool, named: bool) -> None:
    """Sent twice, it costs dozens of requests (a dozen where the receiver is Mimir), and nothing is counted as lost."""
    series = 2000 if samples < 60 else 200
    model = body(series, samples)
    receiver = Receiver(whole, named, has={key: list(points) for key, points in model.items()})
    if samples == 1:
        assert receiver.take(model) == ""  # nothing to place
        return
    result = placed(receiver, model)
    assert receiver.has == model
    assert result.dropped == {}
    assert result.there == series * (samples - 1)
    assert result.requests <= (10 if named else 8 * samples + 2)


@KINDS
@pytest.mark.parametrize("reason", ["too_old", "out_of_order", "limits", "invalid", "future"])
@pytest.mark.parametrize("samples", [1, 5])
def test_a_request_of_which_nothing_is_taken(reason: str, samples: int, *, whole: bool, named: bool) -> None:
    """All is dropped and counted by the reason, for a few dozen requests."""
    model = body(2000, samples, start=1_000_000)
    receiver = Receiver(whole, named)
    if reason == "too_old":
        receiver.oldest = 9_000_000
    elif reason == "future":
        receiver.latest = 0
    elif reason == "out_of_order":
        receiver.has = {key: [(9_000_000, 0.0)] for key in model}
    else:
        receiver.bad = dict.fromkeys(model, reason)
    before = dict(receiver.has)
    result = placed(receiver, model)
    assert receiver.has == before
    assert result.dropped == {"invalid" if reason == "future" else reason: 2000 * samples}
    assert (result.sent, result.there, result.whole) == (0, 0, 0)
    assert result.requests <= 8 * samples + 10


@KINDS
@pytest.mark.parametrize("boundary", [2, 3, 4])
def test_a_request_that_overlaps_with_what_another_leader_sent(boundary: int, *, whole: bool, named: bool) -> None:
    """Each series goes on where the receiver has it, also where one batch of them was sent further than the others."""
    model = body(2000, 6)
    receiver = Receiver(whole, named)
    for index, (key, points) in enumerate(model.items()):
        known = boundary if index < 1200 else boundary - 1
        if known:
            receiver.has[key] = points[:known]
    result = placed(receiver, model)
    assert receiver.has == model
    assert result.dropped.get("out_of_order", 0) < 1200 * boundary
    assert result.requests < 250


@KINDS
def test_series_of_one_sample_beside_longer_ones(*, whole: bool, named: bool) -> None:
    """Sent twice: that the one sample is taken again says nothing about the others, which are not counted as lost."""
    model = {key: points if int(key[-1:]) % 2 else points[:1] for key, points in body(2000, 5).items()}
    receiver = Receiver(whole, named, has={key: list(points) for key, points in model.items()})
    result = placed(receiver, model)
    assert receiver.has == model
    assert (result.dropped, result.there) == ({}, 4000)
    assert result.requests < 60


@KINDS
def test_series_that_are_refused_for_different_reasons(*, whole: bool, named: bool) -> None:
    """Half of them for what they are, half for their time: what some are told is not taken for an answer to all."""
    model = body(200, 5)
    bad = sorted(model)[:120]
    receiver = Receiver(whole, named, bad=dict.fromkeys(bad, "invalid"))
    receiver.has = {key: points[:3] for key, points in model.items() if key not in bad}
    result = placed(receiver, model)
    assert receiver.has == {key: points for key, points in model.items() if key not in bad}
    assert result.dropped == {"invalid": 600}
    assert result.requests < 400


@pytest.mark.parametrize("index", range(16))
def test_of_few_series_each_is_asked_for_itself(index: int) -> None:
    """One is behind all others, at any place."""
    model = body(16, 5)
    behind = sorted(model)[index]
    receiver = Receiver(whole=True, has={key: points[: 2 if key == behind else 4] for key, points in model.items()})
    result = placed(receiver, model)
    assert receiver.has == model
    assert (result.dropped, result.there) == ({}, 15 * 3 + 1)


def test_others_are_asked_at_each_instant() -> None:
    """Of many series a few speak for all; a batch that was sent less far is found although it is small."""
    model = body(400, 6)
    receiver = Receiver(whole=True)
    receiver.has = {key: points[: 1 if 20 <= index < 45 else 5] for index, (key, points) in enumerate(model.items())}
    result = placed(receiver, model)
    assert receiver.has == model
    assert result.requests < 300


@KINDS
def test_a_request_of_which_the_older_half_is_too_old(*, whole: bool, named: bool) -> None:
    """After an hour's outage: the newer samples arrive, the others are counted."""
    model = body(2000, 6)
    receiver = Receiver(whole, named, oldest=180_000)
    result = placed(receiver, model)
    assert receiver.has == {key: points[3:] for key, points in model.items()}
    if whole:
        assert result.dropped == {"too_old": 6000}
    assert result.requests < 60


@KINDS
def test_a_request_of_series_that_are_bad_here_and_there(*, whole: bool, named: bool) -> None:
    """A hundred among two thousand: within the bound all others arrive."""
    model = body(2000, 5)
    chance = random.Random(7)
    ahead = chance.sample(sorted(model), 100)
    receiver = Receiver(whole, named, has={key: [(9_000_000, 0.0)] for key in ahead})
    result = placed(receiver, model)
    assert {key: receiver.has[key] for key in model if key not in ahead} == {
        key: points for key, points in model.items() if key not in ahead
    }
    if named:
        assert 100 < result.dropped["out_of_order"] <= 500  # it has the rest, and is not asked for more than to count
        assert result.requests <= MOST_STORED + 30
    else:
        assert result.dropped == {"out_of_order": 500}
    assert result.whole == 0


@pytest.mark.parametrize("most", [0, 1, 10, 100])
def test_the_bound_ends_it(most: int) -> None:
    """Every other series is bad: what is still refused is dropped whole, counted and told."""
    model = body(500, 2)
    receiver = Receiver(whole=True, bad=dict.fromkeys(list(model)[::2], "invalid"))
    result = placed(receiver, model, most)
    assert result.requests <= most + 40
    assert result.whole > 0
    assert result.sent <= size(receiver.has) <= result.sent + 8
    assert result.sent + sum(result.dropped.values()) == size(model)


async def test_what_post_raises_goes_through() -> None:
    """A fence or an outage ends it; placed again later, it comes to the same."""
    model = body(40, 3)
    receiver = Receiver(whole=True, bad={b"series 0020": "invalid"})
    post = posting(receiver)
    left = 7

    async def cut(rows: Sequence[Row]) -> Refused | None:
        nonlocal left
        left -= 1
        if left < 0:
            raise ConnectionError
        return await post(rows)

    with pytest.raises(ConnectionError):
        await place(rows_of(model), cut)
    assert receiver.has
    result = await place(rows_of(model), post)
    assert receiver.has == {key: points for key, points in model.items() if key != b"series 0020"}
    assert result.dropped == {"invalid": 3}


async def test_nothing_to_place() -> None:
    """A request without samples asks nothing."""
    receiver = Receiver(whole=True)
    assert await place([Row(b"x", ())], posting(receiver)) == Placed(0, 0, {}, {}, 0, 0)
    assert receiver.requests == 0
