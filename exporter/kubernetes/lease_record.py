"""
A Lease as candidates read and write it, and what each may do about it. Pure.

Who leads is decided by two rules that need no two clocks to agree:

* A holder counts its time from *before* it sent the write that succeeded, and stops after the renew deadline.
* Everybody else counts from *after* it first saw that write, and waits for the lease duration, which is longer.

What is written into the Lease as a time is for people to read: nothing here decides by it. Requests, timers and the
work itself stand in `lease`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

RUN = "storage-exporter/run"
"""Annotation that holds `Candidate.run`."""

LONGEST = 10
"""
A recorded duration counts as at most this many of one's own. Candidates of one Lease are configured alike but for the
minutes of a roll-out; a duration of years comes from a slip of the hand, and would keep everybody from ever leading.
"""

JITTER = 1.2
"""A pause between two attempts is at most this many retry periods."""

UNREADABLE = "?"
"""The holder of a Lease that does not say in a readable way whether it has one: not a name a pod can have."""

_MOST = 2**31 - 1
"""The largest number the API takes."""

_LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59Z


class UnreadableError(ValueError):
    """An answer that is no Lease."""

    code = "malformed"


@dataclass(frozen=True, slots=True)
class Timing:
    """
    The three times of an election, seconds; the defaults are those of Kubernetes' own controllers.

    Args:
        duration: how long a Lease that is not renewed keeps others waiting.

        renew_deadline: how long after its last successful renewal a holder may still work.

        retry_period: between two attempts.

    Raises:
        ValueError: where two holders could come of it, or a holder could not even try once.
    """

    duration: float = 15.0
    renew_deadline: float = 10.0
    retry_period: float = 2.0

    def __post_init__(self) -> None:
        if not 0 < self.retry_period * JITTER < self.renew_deadline < self.duration < math.inf:
            raise ValueError(
                f"duration ({self.duration:g} s) must be longer than renew_deadline ({self.renew_deadline:g} s), and "
                f"that longer than {JITTER} times retry_period ({self.retry_period:g} s), which must be above 0"
            )


@dataclass(frozen=True, slots=True)
class Candidate:
    """
    Who stands for election.

    Args:
        identity: unique to the pod, such as its name with its UID; written as the holder.

        run: unique to this start of the program. A container that starts again in its pod has the identity of the one
            before, whose work may not have ended (it may be stopped, or be cut off on a node that is given up): what
            that one wrote is another's. So is what a pod wrote that was given the same identity by mistake.

    Raises:
        ValueError: where one of them is no name, since an empty holder means that there is none.
    """

    identity: str
    run: str

    def __post_init__(self) -> None:
        if self.identity in ("", UNREADABLE) or not self.run:
            raise ValueError(f"identity {self.identity!r} cannot hold a Lease: give the pod's name with its UID")


@dataclass(frozen=True, slots=True)
class Record:
    """
    One state of the Lease.

    Args:
        body: the object as read; what is written is this with some fields changed.

        mark: differs where anything in its spec or its resourceVersion does.

        holder: ``""`` where nobody holds it; `UNREADABLE`.

        run: of the candidate that wrote it, ``""`` where another program did.

        duration: seconds as recorded; 0 where there are none that make sense.

        transitions: how often the holder changed.

        acquired: when the holder got it, as the API takes it: it gives times in other forms than it accepts. ``""``
            where it is not readable.

        renewed: unix seconds by the holder's clock, for people; None where it is not readable.
    """

    body: Mapping[str, Any] = field(repr=False, compare=False)
    mark: str
    holder: str
    run: str
    duration: float
    transitions: int
    acquired: str
    renewed: float | None

    def of(self, candidate: Candidate) -> bool:
        """Whether *candidate* itself, in this run, holds the Lease."""
        return self.holder == candidate.identity and self.run == candidate.run


@dataclass(frozen=True, slots=True)
class Sight:
    """
    What a candidate knows of the Lease.

    Args:
        record: as last seen.

        since: the monotonic instant of its first sight.

        present: False once the Lease was deleted. Its holder does not know yet, so it keeps its time.
    """

    record: Record
    since: float
    present: bool = True


def read(body: object) -> Record:
    """
    The Lease an API answered with. A spec that is missing or absurd is no error: it is still the Lease that counts.

    Raises:
        UnreadableError: where it is no Lease, or cannot be written to because it has no version.
    """
    if not isinstance(body, Mapping) or body.get("kind", "Lease") != "Lease":
        raise UnreadableError("the answer is no Lease")
    metadata = body.get("metadata")
    version = metadata.get("resourceVersion") if isinstance(metadata, Mapping) else None
    if not isinstance(metadata, Mapping) or not isinstance(version, str) or not version:
        raise UnreadableError("the answer is a Lease without a resourceVersion")
    said = body.get("spec")
    spec: Mapping[str, Any] = said if isinstance(said, Mapping) else {}
    holder = spec.get("holderIdentity")
    if holder is None and (said is None or isinstance(said, Mapping)):
        holder = ""
    annotations = metadata.get("annotations")
    run = annotations.get(RUN) if isinstance(annotations, Mapping) else None
    acquired = instant_of(spec.get("acquireTime"))
    return Record(
        body=body,
        mark=f"{version} {json.dumps(said, sort_keys=True, default=str)}",
        holder=holder if isinstance(holder, str) else UNREADABLE,
        run=run if isinstance(run, str) else "",
        duration=_number(spec.get("leaseDurationSeconds")),
        transitions=int(_number(spec.get("leaseTransitions"))),
        acquired=text_of(acquired) if acquired is not None else "",
        renewed=instant_of(spec.get("renewTime")),
    )


def look(before: Sight | None, record: Record | None, now: float) -> Sight | None:
    """
    What is known after another look.

    Args:
        before: what was known until now; None before the first look.

        record: None where there is no Lease.

        now: monotonic, read after the answer came.
    """
    if record is None:
        return None if before is None else Sight(before.record, before.since, present=False)
    if before is not None and before.record.mark == record.mark:
        return Sight(record, before.since)
    return Sight(record, now)


def may_take(sight: Sight | None, candidate: Candidate, timing: Timing, now: float) -> bool:
    """
    Whether *candidate*, which does not lead, may write itself into the Lease now.

    Its own record it may: it wrote that in this run, and nobody else can have led since. The write itself succeeds only
    if the Lease still is as it was seen.
    """
    return sight is None or now >= free_at(sight, candidate, timing)


def free_at(sight: Sight, candidate: Candidate, timing: Timing) -> float:
    """The monotonic instant from which `may_take` holds if the record does not change."""
    if sight.record.holder == "" or sight.record.of(candidate):
        return -math.inf
    return sight.since + max(timing.duration, min(sight.record.duration, LONGEST * timing.duration))


def held(record: Record | None, candidate: Candidate, timing: Timing, now: float, *, leading: bool) -> dict[str, Any]:
    """
    The spec to write to become the holder, or to stay it.

    Args:
        record: what was there last.

        now: unix seconds.

        leading: it is a renewal, which keeps the time of acquisition.
    """
    stamp = text_of(now)
    changed = record is not None and record.holder != candidate.identity
    return {
        **_spec(record),
        "holderIdentity": candidate.identity,
        "leaseDurationSeconds": math.ceil(timing.duration),
        "acquireTime": (record.acquired if leading and record is not None else "") or stamp,
        "renewTime": stamp,
        "leaseTransitions": min((0 if record is None else record.transitions) + changed, _MOST),
    }


def released(record: Record, now: float) -> dict[str, Any]:
    """The spec to write to let go of the Lease, so that the next one need not wait; *now* in unix seconds."""
    stamp = text_of(now)
    return {
        **_spec(record),
        "holderIdentity": "",
        "leaseDurationSeconds": 1,
        "acquireTime": record.acquired or stamp,
        "renewTime": stamp,
        "leaseTransitions": record.transitions,
    }


def replacing(
    record: Record, spec: Mapping[str, Any], candidate: Candidate, notes: Mapping[str, str] = {}
) -> dict[str, Any]:
    """
    The whole object to put in the place of *record*, which fails if that is not the newest one any more.

    Args:
        notes: more annotations, for the next holder; those that are there stay.
    """
    metadata = dict(record.body["metadata"])
    metadata["annotations"] = {**_annotations(record), **notes, RUN: candidate.run}
    return {**record.body, "metadata": metadata, "spec": dict(spec)}


def note_in(record: Record, name: str) -> str:
    """What a holder noted under *name*, ``""`` for nothing."""
    noted = _annotations(record).get(name)
    return noted if isinstance(noted, str) else ""


def _annotations(record: Record) -> Mapping[str, Any]:
    found = record.body["metadata"].get("annotations")
    return found if isinstance(found, Mapping) else {}


def creating(name: str, namespace: str, spec: Mapping[str, Any], candidate: Candidate) -> dict[str, Any]:
    """The whole object to create."""
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name, "namespace": namespace, "annotations": {RUN: candidate.run}},
        "spec": dict(spec),
    }


def text_of(instant: float) -> str:
    """Unix seconds as the API wants a time with microseconds; a clock that is far off gives a time at the edge."""
    moment = datetime.fromtimestamp(min(max(instant, 0.0), _LAST_SECOND), UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond:06d}Z"


def instant_of(text: object) -> float | None:
    """Unix seconds of a time of the API, with or without a fraction; None where it is none."""
    if not isinstance(text, str) or "T" not in text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.timestamp() if moment.tzinfo is not None else None


def _spec(record: Record | None) -> Mapping[str, Any]:
    said = record.body.get("spec") if record is not None else None
    return said if isinstance(said, Mapping) else {}


def _number(value: object) -> float:
    """*value*, at most `_MOST`; 0 where it is no number above that."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        return 0
    return min(value, _MOST)
