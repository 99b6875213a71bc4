"""
Two exporters, one AWS: whatever happens to the leader, the simulated AWS never sees both at one time, and the one that
follows costs nothing. They are real processes with credentials of their own, stopped, continued, killed and asked to
end in the middle of a pass.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from exporter.demo import DemoServer, KubernetesServer, World, run_in_thread, run_kubernetes_in_thread
from exporter.demo.kubernetes_objects import cluster_of
from exporter.demo.sigv4 import Key
from tests.calls import remember
from tests.processes import Process, until


@contextlib.contextmanager
def exporter(
    name: str, folder: Path, aws: DemoServer, kubernetes: KubernetesServer, text: str = "", *, alone: bool = False
) -> Iterator[Process]:
    """
    An exporter that is called *name* in the Lease and whose access key is ``AKIA`` and that name.

    Args:
        text: more of its configuration.

        alone: without an election.
    """
    file, log = folder / f"{name}.yaml", folder / f"{name}.log"
    token = folder / "token"
    token.write_text(kubernetes.token)
    lease = f"{{namespace: monitoring, identity: {name}, duration: 3s, renew_deadline: 2s, retry_period: 1s}}"
    election = f"leader_election: {str(not alone).lower()}, lease: {lease}"
    file.write_text(
        "web: {listen: '127.0.0.1:0'}\n"
        "limits: {deadline: 10s, describe_per_second: 1000}\n"
        f"kubernetes: {{url: '{kubernetes.url}', token_file: {token}, {election}}}\n"
        f"{text}"
    )
    environment = {
        **os.environ,
        **aws.environment(),
        "AWS_ACCESS_KEY_ID": f"AKIA{name.upper()}",
        "AWS_SECRET_ACCESS_KEY": f"secret of {name}",
    }
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "exporter", "run", "--config", file], env=environment, stderr=stream
        )
    try:
        yield Process(name, process, log)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
        process.wait(30)


def keys(*names: str) -> list[Key]:
    account = World().account_id
    return [
        Key(f"AKIA{name.upper()}", f"secret of {name}", account, f"arn:aws:iam::{account}:user/{name}")
        for name in names
    ]


def billed(aws: DemoServer, process: Process) -> tuple[int, int]:
    """Calls and billed metrics of an exporter so far."""
    totals = aws.identities.totals().get(f"AKIA{process.name.upper()}")
    return (totals.calls, totals.billed) if totals else (0, 0)


def test_two_exporters_never_ask_aws_at_one_time(tmp_path: Path) -> None:
    """Stopped and continued, killed, asked to end: never an overlap, a follower pays nothing, the page moves along."""
    world = World()
    with (
        run_in_thread(world, keys=keys("anna", "bert")) as aws,
        run_kubernetes_in_thread(cluster_of(world)) as kubernetes,
    ):
        aws.faults.add("slow", seconds=0.2)  # so that passes take long enough to be in the middle of one
        with exporter("anna", tmp_path, aws, kubernetes) as anna, exporter("bert", tmp_path, aws, kubernetes) as bert:
            until("one leads", lambda: anna.leads() or bert.leads())
            first, second = (anna, bert) if anna.leads() else (bert, anna)
            until("the other follows", lambda: second.follows(first))
            until("a pass is under way", lambda: billed(aws, first)[1] > 50)
            assert billed(aws, second) == (0, 0)
            assert not second.shows_aws()

            # The leader is stopped in the middle of a pass. It does not know; the other takes over; then it wakes up.
            first.signal(signal.SIGSTOP)
            until("the other leads", second.leads)
            until("a pass is under way", lambda: billed(aws, second)[1] > 50)
            before = billed(aws, first)
            first.signal(signal.SIGCONT)
            until("the first one follows", lambda: first.follows(second))
            until("the page has moved", lambda: second.shows_aws() and not first.shows_aws())
            assert not first.leads()
            assert billed(aws, first) == before

            # The leader is killed: whoever is left waits for the Lease to run out.
            second.signal(signal.SIGKILL)
            second.process.wait(30)
            until("the first one leads again", first.leads)
            after = billed(aws, second)
            until("it asks again", lambda: billed(aws, first)[0] > before[0] + 20)
            assert billed(aws, second) == after

            # Asked to end in the middle of it, it lets go of the Lease.
            first.signal(signal.SIGTERM)
            assert first.process.wait(30) == 0
            lease = kubernetes.cluster.get("leases", "monitoring/storage-exporter")
            assert lease["spec"]["holderIdentity"] == ""
        assert aws.overlaps() == []
        runs = [run.identity for run in aws.handovers()]
        assert runs == [f"AKIA{each.name.upper()}" for each in (first, second, first)]
        remember(aws.calls)


def test_a_leader_that_leaves_politely_is_followed_at_once(tmp_path: Path) -> None:
    """After SIGTERM the Lease is let go, so that the other takes it at its next look instead of waiting for its end."""
    world = World()
    with (
        run_in_thread(world, keys=keys("anna", "bert")) as aws,
        run_kubernetes_in_thread(cluster_of(world)) as kubernetes,
        exporter("anna", tmp_path, aws, kubernetes) as anna,
    ):
        until("it leads", anna.leads)
        with exporter("bert", tmp_path, aws, kubernetes) as bert:
            until("the other follows", lambda: bert.follows(anna))
            anna.signal(signal.SIGTERM)
            assert anna.process.wait(30) == 0
            until("the other leads", bert.leads)
            until("it shows what there is", bert.shows_aws)
        leases = [event.object for event in kubernetes.cluster.events() if event.kind == "leases"]
        holders = [lease["spec"]["holderIdentity"] for lease in leases]
        changes = [name for name, before in zip(holders, ["", *holders], strict=False) if name != before]
        assert changes == ["anna", "", "bert"]
        assert aws.overlaps() == []
        remember(aws.calls)


def test_two_exporters_cost_what_one_costs(tmp_path: Path) -> None:
    """While one leads the other adds nothing; and each new leader asks once what one that starts anew asks."""
    # What is asked every fifteen minutes is asked once in this test, however many passes there are.
    quarter = "services: {s3: {enabled: false}, elasticache: {enabled: false}, protection: {enabled: false}, "
    text = f"{quarter} efs: {{enabled: false}}, ebs: {{tiers: [standard]}}}}\n"
    world = World()
    with (
        run_in_thread(world, keys=keys("carl", "anna", "bert")) as aws,
        run_kubernetes_in_thread(cluster_of(world)) as kubernetes,
    ):
        with exporter("carl", tmp_path, aws, kubernetes, text, alone=True) as carl:
            until("it is ready", lambda: carl.get("/-/ready") == "ready\n")
        one = billed(aws, carl)[1]
        assert one > 50
        with (
            exporter("anna", tmp_path, aws, kubernetes, text) as anna,
            exporter("bert", tmp_path, aws, kubernetes, text) as bert,
        ):
            until("one leads", lambda: anna.leads() or bert.leads())
            first, second = (anna, bert) if anna.leads() else (bert, anna)
            until("the other follows", lambda: second.follows(first))
            until("a pass is through", lambda: first.get("/-/ready") == "ready\n")
            assert (billed(aws, first)[1], billed(aws, second)) == (one, (0, 0))
            first.signal(signal.SIGTERM)
            assert first.process.wait(30) == 0
            until("the other leads", second.leads)
            until("a pass is through", lambda: second.get("/-/ready") == "ready\n" and billed(aws, second)[1] >= one)
            assert (billed(aws, first)[1], billed(aws, second)[1]) == (one, one)
        assert aws.overlaps() == []
        remember(aws.calls)
