"""The election without HTTP: what is read and written, who may take the Lease, and that never two lead."""

from __future__ import annotations

import asyncio
import json
import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from exporter.demo.kubernetes_leases import admitted
from exporter.kubernetes.lease import Timing
from exporter.kubernetes.lease_record import (
    LONGEST,
    RUN,
    Candidate,
    Record,
    Sight,
    UnreadableError,
    creating,
    free_at,
    held,
    instant_of,
    look,
    may_take,
    read,
    released,
    replacing,
    text_of,
)
from tests.lease_model import FAIR, KEY, KIND, NAME, NAMESPACE, Model, SkewedClock, Weather
from tests.virtual_loop import run_virtually

TIMING = Timing()
ME = Candidate("pod-a", "run-1")
NOW = 1_800_000_000.25


def lease(spec: Any = None, *, version: Any = "7", run: str = "", **metadata: Any) -> dict[str, Any]:
    """A Lease as the API gives it."""
    annotations = {RUN: run} if run else {}
    named = {"name": NAME, "namespace": NAMESPACE, "resourceVersion": version, "annotations": annotations}
    return {"kind": "Lease", "apiVersion": KIND.api_version, "metadata": {**named, **metadata}, "spec": spec}


def of(holder: Any, run: str = "other", **spec: Any) -> Record:
    return read(lease({"holderIdentity": holder, **spec}, run=run))


@pytest.mark.parametrize(
    ("record", "waits"),
    [
        pytest.param(of("pod-b", leaseDurationSeconds=15), 15, id="another's"),
        pytest.param(of("pod-b"), 15, id="no duration"),
        pytest.param(of("pod-b", leaseDurationSeconds=1), 15, id="a shorter one than ours"),
        pytest.param(of("pod-b", leaseDurationSeconds=40), 40, id="a longer one than ours"),
        pytest.param(of("pod-b", leaseDurationSeconds=10**9), 150, id="years"),
        pytest.param(of("pod-b", leaseDurationSeconds=10**400), 150, id="more than a float holds"),
        pytest.param(of("pod-b", leaseDurationSeconds=math.inf), 150, id="for ever"),
        pytest.param(of("pod-b", leaseDurationSeconds=math.nan), 15, id="no number"),
        pytest.param(of("pod-b", leaseDurationSeconds=-3), 15, id="negative"),
        pytest.param(of("pod-b", leaseDurationSeconds="40"), 15, id="text"),
        pytest.param(of("pod-b", leaseDurationSeconds=True), 15, id="a boolean"),
        pytest.param(of("pod-a", run="run-0", leaseDurationSeconds=15), 15, id="our name, an earlier run"),
        pytest.param(of("pod-a", run="", leaseDurationSeconds=15), 15, id="our name, written by a person"),
        pytest.param(
            of("pod-b", run="run-1", leaseDurationSeconds=15), 15, id="our run, the holder changed by a person"
        ),
        pytest.param(of("pod-a", run="run-1", leaseDurationSeconds=15), None, id="our own"),
        pytest.param(of("", leaseDurationSeconds=1), None, id="released"),
        pytest.param(of(None), None, id="no holder"),
        pytest.param(read(lease(None)), None, id="no spec"),
        pytest.param(read(lease({})), None, id="an empty spec"),
        pytest.param(of(17), 15, id="a holder that is no text"),
        pytest.param(read(lease("spec")), 15, id="a spec that is text"),
        pytest.param(read(lease([])), 15, id="a spec that is a list"),
    ],
)
def test_who_may_take_the_lease_and_when(record: Record, waits: float | None) -> None:
    """Another's is waited for from our first sight of it on, by the longer duration of both; ours and nobody's not."""
    sight = look(None, record, 100.0)
    if waits is None:
        assert may_take(sight, ME, TIMING, 100.0)
        return
    assert not may_take(sight, ME, TIMING, math.nextafter(100.0 + waits, 0))
    assert may_take(sight, ME, TIMING, 100.0 + waits)


def test_nothing_seen_may_be_created_but_what_was_deleted_keeps_its_time() -> None:
    """Without a Lease the first one creates it; where it was deleted, its holder works on until it comes to know."""
    assert look(None, None, 5.0) is None
    assert may_take(None, ME, TIMING, 5.0)
    gone = look(look(None, of("pod-b"), 100.0), None, 109.0)
    assert gone is not None
    assert not gone.present
    assert not may_take(gone, ME, TIMING, 114.9)
    assert may_take(gone, ME, TIMING, 115.0)
    assert may_take(look(look(None, of("pod-a", run="run-1"), 100.0), None, 101.0), ME, TIMING, 101.0)


@pytest.mark.parametrize(
    ("changed", "begins"),
    [
        pytest.param(lease({"holderIdentity": "pod-b", "renewTime": "x"}), False, id="nothing"),
        pytest.param(lease({"renewTime": "x", "holderIdentity": "pod-b"}), False, id="the order of its fields"),
        pytest.param(lease({"holderIdentity": "pod-b", "renewTime": "x"}, version="8"), True, id="its version"),
        pytest.param(lease({"holderIdentity": "pod-b", "renewTime": "y"}), True, id="a time"),
        pytest.param(lease({"holderIdentity": "pod-c", "renewTime": "x"}), True, id="its holder"),
        pytest.param(
            lease({"holderIdentity": "pod-b", "renewTime": "x", "more": [1]}), True, id="a field unknown to us"
        ),
        pytest.param(lease(None), True, id="its spec is gone"),
    ],
)
def test_time_begins_anew_where_anything_of_the_record_changed(changed: dict[str, Any], begins: bool) -> None:
    """The whole spec and the version count; what is the same is still waited for since its first sight."""
    first = look(None, read(lease({"holderIdentity": "pod-b", "renewTime": "x"})), 100.0)
    again = look(first, read(changed), 107.0)
    assert again is not None
    assert again.since == (107.0 if begins else 100.0)


def test_a_number_that_is_none_is_no_change() -> None:
    """NaN differs from itself; a Lease that holds one can still run out."""
    body = '{"kind": "Lease", "metadata": {"resourceVersion": "7"}, "spec": {"leaseTransitions": %s}}'
    first = look(None, read(json.loads(body % "NaN")), 1.0)
    again = look(first, read(json.loads(body % "NaN")), 2.0)
    assert again is not None
    assert again.since == 1.0


@pytest.mark.parametrize(
    "body",
    [
        *(None, [], "", "<html>", 3, {}, {"kind": "Status", "metadata": {"resourceVersion": "1"}}, {"metadata": None}),
        *({"metadata": {}}, {"metadata": {"resourceVersion": ""}}, {"metadata": {"resourceVersion": 7}}),
    ],
)
def test_what_is_no_lease_is_refused(body: Any) -> None:
    """Not a Lease, or one that cannot be written to: an attempt that failed, by a code of its own."""
    with pytest.raises(UnreadableError) as told:
        read(body)
    assert told.value.code == "malformed"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["pod-a", "pod-b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
fields = ["holderIdentity", "leaseDurationSeconds", "acquireTime", "renewTime", "leaseTransitions"]
absurd_specs = st.none() | json_values | st.fixed_dictionaries({}, optional=dict.fromkeys(fields, json_values))


@given(absurd_specs, st.sampled_from(["", "run-1", "run-2"]), st.floats(-1e15, 1e15), st.booleans())
def test_whatever_a_lease_holds_what_is_written_is_accepted(spec: Any, run: str, now: float, leading: bool) -> None:
    """Absurd fields, absurd clocks: the API takes what we make of it, and reads it as ours, or as nobody's."""
    record = read(lease(spec, run=run))
    mine = replacing(record, held(record, ME, TIMING, now, leading=leading), ME)
    assert read(admitted(KIND, orjson.dumps(mine), NAMESPACE, NAME)).of(ME)
    assert mine["spec"]["leaseTransitions"] == min(record.transitions + (record.holder != ME.identity), 2**31 - 1)
    free = replacing(record, released(record, now), ME)
    freed = read(admitted(KIND, orjson.dumps(free), NAMESPACE, NAME))
    assert (freed.holder, freed.duration, freed.transitions) == ("", 1, record.transitions)
    new = creating(NAME, NAMESPACE, held(None, ME, TIMING, now, leading=False), ME)
    assert admitted(KIND, orjson.dumps(new), NAMESPACE)["spec"]["leaseTransitions"] == 0


@given(absurd_specs, st.floats(0, 1e6), st.floats(0, 1e4))
def test_a_lease_is_never_waited_for_for_ever_nor_too_short(spec: Any, since: float, later: float) -> None:
    """Between the own duration and ten times that, unless nobody or we ourselves hold it."""
    record = read(lease(spec))
    at = free_at(Sight(record, since), ME, TIMING)
    assert at == -math.inf if record.holder == "" else TIMING.duration <= at - since + 1e-6 <= LONGEST * 15 + 2e-6
    assert may_take(Sight(record, since), ME, TIMING, since + later) == (since + later >= at)


def test_what_others_put_into_the_lease_is_kept() -> None:
    """Labels, annotations, owners and fields of the spec that are not the elector's stay as they were."""
    body = lease({"preferredHolder": "pod-z"}, labels={"app": "x"}, annotations={"note": "y"}, ownerReferences=[1])
    written = replacing(read(body), held(read(body), ME, TIMING, NOW, leading=False), ME)
    assert written["spec"]["preferredHolder"] == "pod-z"
    assert written["metadata"] == {**body["metadata"], "annotations": {"note": "y", RUN: "run-1"}}
    assert body["metadata"]["annotations"] == {"note": "y"}


def test_a_renewal_keeps_when_it_was_acquired_and_a_new_holder_counts() -> None:
    """One time is of the term, the other of the write; transitions count changes of the holder only."""
    taken = held(of("pod-b", leaseTransitions=4), ME, TIMING, NOW, leading=False)
    assert taken == {
        "holderIdentity": "pod-a",
        "leaseDurationSeconds": 15,
        "acquireTime": "2027-01-15T08:00:00.250000Z",
        "renewTime": "2027-01-15T08:00:00.250000Z",
        "leaseTransitions": 5,
    }
    renewed = held(read(lease(taken, run="run-1")), ME, TIMING, NOW + 2, leading=True)
    assert renewed == {**taken, "renewTime": "2027-01-15T08:00:02.250000Z"}
    again = held(read(lease(renewed, run="run-1")), ME, TIMING, NOW + 30, leading=False)
    assert again == {**taken, "acquireTime": again["renewTime"], "renewTime": "2027-01-15T08:00:30.250000Z"}
    assert held(of(""), ME, Timing(1.5, 1.0, 0.3), NOW, leading=False)["leaseDurationSeconds"] == 2


@given(st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2200, 1, 1)))  # noqa: DTZ001
def test_times_have_six_digits_and_come_back(moment: datetime) -> None:
    """What is written is read as the same microsecond."""
    at = moment.replace(tzinfo=UTC)
    text = text_of(at.timestamp())
    assert text == at.strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")
    assert text_of(instant_of(text) or 0.0) == text


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2027-01-15T08:00:00Z", 1_800_000_000.0),
        ("2027-01-15T08:00:00.000000Z", 1_800_000_000.0),
        ("2027-01-15T08:00:00.5Z", 1_800_000_000.5),
        ("2027-01-15T08:00:00.123456789Z", 1_800_000_000.123456),
        ("2027-01-15T09:00:00.25+01:00", 1_800_000_000.25),
        *((text, None) for text in ("", "now", "2027-01-15", "2027-01-15T08:00:00", "2027-13-15T08:00:00Z", None, 3)),
        ("0001-01-01T00:00:00+14:00", -62_135_647_200.0),
        ("9999-12-31T23:59:59-14:00", 253_402_351_199.0),
    ],
)
def test_times_are_read_in_every_form_the_api_has(text: Any, instant: float | None) -> None:
    """With and without microseconds, in any zone; whatever else is none."""
    assert instant_of(text) == instant


def test_the_wall_clock_at_its_edges_is_still_a_time() -> None:
    """Before 1970 and after 9999 a clock is wrong; what is written is still a time."""
    assert text_of(-1e18) == "1970-01-01T00:00:00.000000Z"
    assert text_of(1e18) == "9999-12-31T23:59:59.000000Z"
    assert text_of(datetime(2027, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))).timestamp()).startswith("2027-01-01T00")


@pytest.mark.parametrize("times", [(10, 10, 2), (15, 16, 2), (15, 10, 9), (15, 10, 0), (math.inf, 10, 2), (15, 10, -1)])
def test_times_that_allow_two_leaders_or_no_attempt_are_refused(times: tuple[float, float, float]) -> None:
    """The duration must be longer than the deadline, and that than a retry period with its jitter."""
    with pytest.raises(ValueError, match="must be longer"):
        Timing(*times)


@pytest.mark.parametrize(("identity", "run"), [("", "run"), ("?", "run"), ("pod", "")])
def test_who_has_no_name_cannot_stand(identity: str, run: str) -> None:
    """An empty holder means that there is none."""
    with pytest.raises(ValueError, match="cannot hold a Lease"):
        Candidate(identity, run)


# The election in virtual time -----------------------------------------------------------------------------------------

rates = st.floats(0.9, 1.1)
clocks = st.builds(SkewedClock, st.floats(0, 1e6), rates, st.floats(-1e9, 1e9), st.booleans())
timings = st.sampled_from([Timing(), Timing(), Timing(3, 2, 1), Timing(30, 20, 3)])
weathers = st.builds(
    Weather,
    delay=st.sampled_from([0.0, 0.5, 3.0, 20.0]),
    lost=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    errors=st.sampled_from([0.0, 0.2, 0.8]),
    garbage=st.sampled_from([0.0, 0.2]),
)
identities = st.sampled_from(["pod-a", "pod-b", "pod-c"])  # three for up to five: some have one and the same
happenings = st.lists(
    st.tuples(
        st.floats(0.1, 25),
        st.integers(0, 4),
        st.sampled_from(["weather", "weather", "weather", "cut", "leave", "fail", "touch", "join"]),
        weathers,
    ),
    max_size=14,
)


class Story(Model):
    """What happens to the candidates; and meanwhile nobody works who may not."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.zombies: list[str] = []

    async def watch(self) -> None:
        """Work that runs on after its leadership is over, by more than the loop's timers differ from a skewed clock."""
        since: dict[int, float] = {}
        while True:
            now = asyncio.get_running_loop().time()
            idle = {n for n, each in enumerate(self.workers) if each.running and not each.elector.valid()}
            since = {n: since.get(n, now) for n in idle}
            self.zombies += [f"{n} at {now:.2f}" for n, begun in since.items() if now - begun > 2.5]
            self.witness.look()
            await asyncio.sleep(0.5)

    async def happen(self, number: int, what: str, weather: Weather) -> None:
        network, worker = self.networks[number], self.workers[number]
        if what == "weather":
            network.weather = weather
        elif what == "cut":
            network.cut = not network.cut
        elif what == "leave":
            await self.leave(number)
        elif what == "fail":
            worker.ends_after = None if worker.ends_after is not None else 1.0
        elif what == "touch" and self.cluster.get(KIND.name, KEY) is not None:
            self.cluster.patch(KIND.name, KEY, {"metadata": {"annotations": {"touched": str(self.chance.random())}}})
        elif what == "join":
            self.add("pod-a", clock=SkewedClock(offset=self.chance.uniform(0, 1e5)))


# A story that fails is not made shorter: that takes minutes, and says no more.
@settings(suppress_health_check=[HealthCheck.too_slow], phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(
    st.integers(0, 2**32),
    st.lists(st.tuples(identities, clocks, timings, weathers), min_size=2, max_size=5),
    happenings,
)
def test_never_two_leaders_whatever_the_network_and_the_clocks_do(
    seed: int, candidates: list[tuple[str, SkewedClock, Timing, Weather]], story: list[tuple[float, int, str, Weather]]
) -> None:
    """
    Clocks that are wrong, jump and run 10 % apart; messages late, lost, answered by errors or garbage, also after they
    were heeded; two pods of one name; timings of an old and a new release: no two valid at once, no two acts at once,
    no work that outlives its leadership. And when all is fair again, somebody leads.
    """

    async def main() -> None:
        model = Story(seed)
        for identity, clock, timing, weather in candidates:
            model.networks[model.add(identity, timing=timing, clock=clock)].weather = weather
        watching = asyncio.create_task(model.watch())
        for seconds, number, what, weather in story:
            await asyncio.sleep(seconds)
            await model.happen(number % len(model.workers), what, weather)
        for network, worker in zip(model.networks, model.workers, strict=True):
            network.weather, network.cut, worker.ends_after = FAIR, False, None
        left = sum(not task.done() for task in model.tasks)
        async with asyncio.timeout(240):
            while len(model.leaders) != min(left, 1):
                await asyncio.sleep(1)
        await asyncio.sleep(20)
        watching.cancel()
        await model.close()
        assert (model.witness.doubles, model.overlaps(), model.zombies) == ([], [], [])
        assert not left or model.spec["holderIdentity"] == ""

    run_virtually(main())
