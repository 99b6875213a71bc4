"""
Pushing to the simulated Mimir, which remembers whatever Mimir would refuse: everything there is of three scopes, and
two exporters of which one leads.
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from exporter.demo import (
    KubernetesServer,
    MimirServer,
    is_stale,
    mission_worlds,
    run_in_thread,
    run_kubernetes_in_thread,
    run_mimir_in_thread,
)
from exporter.demo.kubernetes_objects import cluster_of
from exporter.demo.regions import EXTERNAL_ID, SECOND_ACCOUNT, SECOND_REGION, SECOND_ROLE
from exporter.demo.sigv4 import Key
from exporter.demo.tables import REGION
from tests.calls import remember
from tests.harness import T
from tests.independent.place import Scope, Wanted
from tests.processes import Process, until
from tests.push_process import SharedTime
from tests.pushing import EVERYWHERE, MINUTE, Points, Stage, differences, dropped, key_of, kill, stage

Samples = list[tuple[int, float]]
Stored = dict[frozenset[tuple[str, str]], Samples]

OWN = "storage_exporter_"
EVERYTHING = ("ebs", "efs", "s3", "elasticache", "protection")


@contextlib.contextmanager
def mission(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """All regions and accounts of the mission, read by one exporter; the time stands."""
    clock = SharedTime(folder / "time")
    clock.set(T, 0)
    world, *others = mission_worlds(1, clock)
    world.scenario("volume-stalled")
    with run_in_thread(world, worlds=others) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        scopes = (Scope(REGION), Scope(SECOND_REGION), Scope(SECOND_REGION, ((SECOND_ROLE, EXTERNAL_ID),)))
        made = Stage(server, clock, Wanted(services=EVERYTHING, scopes=scopes), folder)
        made.more["scopes"] = [
            {"regions": [REGION, SECOND_REGION]},
            {"regions": [SECOND_REGION], "roles": [{"arn": SECOND_ROLE, "external_id": EXTERNAL_ID}]},
        ]
        yield made
        remember(server.calls)


def seconds(samples: Samples) -> list[int]:
    return [at // 1000 for at, _ in samples]


def name_of(labels: frozenset[tuple[str, str]]) -> str:
    return dict(labels)["__name__"]


def facts_of(stored: Stored) -> dict[Any, Points]:
    """What is said of AWS: series to samples, without the markers of those that ended."""
    return {
        key_of(dict(labels)): {at // 1000: value for at, value in samples if not is_stale(value)}
        for labels, samples in stored.items()
        if name_of(labels).startswith("aws_")
    }


def test_nothing_is_refused_of_all_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Every service in three scopes and two tenants, a scenario, a volume that is deleted: each series ascends, ends with
    a marker, carries what it must; what is held is said again each minute, and the exporter's own with its replica.
    """
    with mission(tmp_path, monkeypatch) as it, run_mimir_in_thread(now=it.time) as mimir:
        tenants = {SECOND_ACCOUNT: "office"}
        with it.exporter(mimir.push_url, "pod-0", tenant="main", tenants=tenants) as exporter:
            until("a pass is through", lambda: exporter.get("/-/ready") == "ready\n")
            # Minute by minute, each when the last one is over: on a slow machine, too, each is written. Later in longer
            # steps, so that what is listed each quarter of an hour is listed again.
            for minute in (1, 2, 3, 4, 8, 12, 16, 20):
                it.time.set(T + minute * MINUTE, 0)
                until("the minute is written", lambda at=T + minute * MINUTE: _held_at(mimir, at))  # type: ignore[misc]
                it.rest(exporter)
                if minute == 2:
                    gone = it.aws.world.volume("data-postgres-0").volume_id
                    it.aws.world.delete_volume(gone)
            assert dropped(exporter) == {}
        assert not mimir.refusals
        assert {each.status for each in mimir.requests} == {200}
        assert set(mimir.tenants) == {"main", "office"}
        main, office = mimir.series("main"), mimir.series("office")
        _look_at_each(main, office)
        _look_at_held(main)
        _look_at_own(main)
        _look_at_the_end(main, gone)
        described = mimir.metadata("main")
        assert {name for name in map(name_of, main) if name.startswith("aws_")} <= described.keys()
        assert described["aws_ebs_volume_read_bytes_per_second"].kind == "gauge"
        assert described["aws_ebs_volume_info"].kind in ("gauge", "info")
        assert described["storage_exporter_aws_requests_total"].kind == "counter"
        assert all(each.help for each in described.values())


def _held_at(mimir: MimirServer, at: int) -> bool:
    """Whether each tenant has what is held of that instant."""
    time.sleep(0.2)  # to look is work
    return all(
        any(name_of(labels) == "aws_ebs_volume_size_bytes" and seconds(samples)[-1] >= at for labels, samples in found)
        for found in (mimir.series(tenant).items() for tenant in ("main", "office"))
    )


def _look_at_each(main: Stored, office: Stored) -> None:
    """Order, labels, whose is what."""
    assert len(main) > 3000
    assert len(office) > 300
    for tenant, stored in (("main", main), ("office", office)):
        for labels, samples in stored.items():
            stamps = [at for at, _ in samples]
            assert all(before < after for before, after in pairwise(stamps)), labels
            assert EVERYWHERE.items() <= dict(labels).items()
            if name_of(labels).startswith("aws_"):
                assert (dict(labels)["account_id"] == SECOND_ACCOUNT) is (tenant == "office")
    places = {(dict(labels).get("account_id"), dict(labels).get("region")) for labels in main}
    assert {("123456789012", REGION), ("123456789012", SECOND_REGION)} <= places


def _look_at_held(main: Stored) -> None:
    """What has no stamps of its own, sizes and what S3 is told of once a day, is there at each minute."""
    for name in ("aws_ebs_volume_size_bytes", "aws_ebs_volume_info", "aws_s3_bucket_size_bytes"):
        found = [samples for labels, samples in main.items() if name_of(labels) == name]
        assert len(found) > 5
        assert max(len(samples) for samples in found) == 8
        for samples in found:
            steady = [at // 1000 for at, value in samples if at <= (T + 4 * MINUTE) * 1000 and not is_stale(value)]
            assert steady == list(range(steady[0], steady[-1] + 1, MINUTE))
            assert steady[0] == T + MINUTE


def _look_at_own(main: Stored) -> None:
    """What the exporter says of itself goes to the first tenant, and says which replica."""
    own = [dict(labels) for labels in main if not name_of(labels).startswith("aws_")]
    assert {labels["replica"] for labels in own} == {"pod-0"}
    assert {f"{OWN}remote_write_samples_total", f"{OWN}build_info", f"{OWN}job_success"} <= {
        labels["__name__"] for labels in own
    }
    assert not any("replica" in dict(labels) for labels in main if name_of(labels).startswith("aws_"))


def _look_at_the_end(main: Stored, gone: str) -> None:
    """Each series of the volume that is no more has ended, by a marker behind its last sample; no other of EBS has."""
    markers: dict[bool, set[bool]] = defaultdict(set)
    for labels, samples in main.items():
        if name_of(labels) in ("aws_ebs_volume_read_bytes_per_second", "aws_ebs_volume_size_bytes"):
            markers[dict(labels)["volume_id"] == gone].add(is_stale(samples[-1][1]))
            assert sum(is_stale(value) for _, value in samples) <= 1
    assert markers == {True: {True}, False: {False}}
    of_it = [samples for labels, samples in main.items() if ("volume_id", gone) in labels]
    assert len(of_it) > 10
    assert all(is_stale(samples[-1][1]) for samples in of_it)


# ---- two of them ----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def two(it: Stage, mimir: MimirServer, kubernetes: KubernetesServer) -> Iterator[Callable[[str], Any]]:
    """How one of several exporters is started: by its name, which is also that of its access key."""

    def started(name: str) -> contextlib.AbstractContextManager[Process]:
        lease = {"namespace": "monitoring", "identity": name}
        lease |= {"duration": "3s", "renew_deadline": "2s", "retry_period": "1s"}
        token = it.folder / "token"
        token.write_text(kubernetes.token)
        it.more["kubernetes"] = {
            "url": kubernetes.url,
            "token_file": str(token),
            "leader_election": True,
            "lease": lease,
        }
        it.keys = {"AWS_ACCESS_KEY_ID": f"AKIA{name.upper()}", "AWS_SECRET_ACCESS_KEY": f"secret of {name}"}
        return it.exporter(mimir.push_url, name, tenant="one", lookback="15m")

    yield started


def keys(account: str, *names: str) -> list[Key]:
    made = [(f"AKIA{name.upper()}", f"secret of {name}", f"arn:aws:iam::{account}:user/{name}") for name in names]
    return [Key(key, secret, account, arn) for key, secret, arn in made]


def test_a_new_leader_leaves_no_hole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The leader leaves politely, then the next one is killed: what the receiver has in the end has every period once, for
    each new one looks back. Who follows sends what it says of itself, and nothing else.
    """
    services = ("ebs", "efs")
    with (
        stage(
            tmp_path, monkeypatch, services, tiers=("essential", "standard"), keys=keys(SECOND_ACCOUNT, "anna", "bert")
        ) as it,
        run_kubernetes_in_thread(cluster_of(it.aws.world)) as kubernetes,
        run_mimir_in_thread(now=it.time) as mimir,
        two(it, mimir, kubernetes) as started,
    ):
        it.time.set(T, 20)
        with started("anna") as anna:
            until("it leads", anna.leads)
            until("a pass is through", lambda: anna.get("/-/ready") == "ready\n")
            with started("bert") as bert:
                until("the other follows", lambda: bert.follows(anna))
                until("it says so", lambda: _leads(mimir, "bert") == [0.0])
                it.pass_by(2 * MINUTE, anna, bert)
                assert _calls(it, "bert") == 0
                anna.signal(signal.SIGTERM)
                assert anna.process.wait(30) == 0
                until("the other leads", bert.leads)
                until("a pass is through", lambda: bert.get("/-/ready") == "ready\n")
                it.pass_by(MINUTE, bert)
                assert mimir.refusals == []  # what the last leader had sent stood on the Lease: it is not sent again
                with started("anna") as again:
                    until("the first follows", lambda: again.follows(bert))
                    kill(bert)
                    until("it leads again", again.leads)
                    until("a pass is through", lambda: again.get("/-/ready") == "ready\n")
                    it.pass_by(2 * MINUTE, again)
                    up_to = it.time()
                    it.time.advance(18 * MINUTE)
                    truth = it.truth(T - 5 * MINUTE, up_to)
                    lines: list[str] = []

                    def whole() -> bool:
                        found = facts_of(mimir.series("one"))
                        lines[:] = differences(
                            truth, {key: found[key] for key in truth if key in found}, T - 5 * MINUTE, up_to
                        )
                        return not lines

                    try:
                        until("no hole is left", whole)
                    except AssertionError:
                        raise AssertionError("\n".join(lines[:40])) from None
                    assert dropped(again) == {}
        assert {each.reason for each in mimir.refusals} <= {"err-mimir-sample-out-of-order"}
        assert {1.0} <= set(_leads(mimir, "bert"))
        assert it.aws.overlaps() == []


def _calls(it: Stage, name: str) -> int:
    totals = it.aws.identities.totals().get(f"AKIA{name.upper()}")
    return totals.calls if totals else 0


def _leads(mimir: MimirServer, replica: str) -> list[float]:
    """What a replica has said of whether it leads, each answer once, in order."""
    found: Mapping[frozenset[tuple[str, str]], Samples] = mimir.series("one")
    said = [
        value
        for labels, samples in found.items()
        if name_of(labels) == f"{OWN}leader" and ("replica", replica) in labels
        for _, value in samples
    ]
    return [value for value, before in zip(said, [-1.0, *said], strict=False) if value != before]
