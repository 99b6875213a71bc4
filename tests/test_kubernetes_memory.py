"""What watching a large cluster costs in memory: measured on the process itself, beside one that watches nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from exporter.demo import Cluster, DemoServer, KubernetesServer, World, run_in_thread, run_kubernetes_in_thread
from exporter.demo.kubernetes_many import many
from exporter.services.registry import SERVICES
from tests.harness import parsed
from tests.processes import Process, until

COUNT = 5_000
MIB = 2**20


def resident(folder: Path, aws: DemoServer, kubernetes: KubernetesServer | None) -> tuple[float, str]:
    """Resident bytes of an exporter that has listed everything and shown it, and its page."""
    name = "without" if kubernetes is None else "with"
    file, log, token = folder / f"{name}.yaml", folder / f"{name}.log", folder / "token"
    section = "{enabled: false}"
    if kubernetes is not None:
        token.write_text(kubernetes.token)
        section = f"{{url: '{kubernetes.url}', token_file: {token}}}"
    services = ", ".join(f"{each}: {{enabled: false}}" for each in SERVICES if each != "kms")
    file.write_text(f"web: {{listen: '127.0.0.1:0'}}\nkubernetes: {section}\nservices: {{{services}}}\n")
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "exporter", "run", "--config", file],
            env={**os.environ, **aws.environment(), "COVERAGE_PROCESS_CONFIG": ""},
            stderr=stream,
        )
    it = Process(name, process, log)
    try:
        until("it is ready", lambda: it.get("/-/ready") == "ready\n")
        if kubernetes is not None:
            wanted = f'storage_exporter_kubernetes_objects{{kind="persistentvolumeclaims"}} {COUNT:.1f}\n'
            until("everything is listed", lambda: wanted in it.get("/metrics"))
            until(
                "everything is shown",
                lambda: it.get("/metrics").count("\nkubernetes_persistentvolumeclaim_info{") == COUNT,
            )
        text = it.get("/metrics")
        return parsed(text)["process_resident_memory_bytes", frozenset()], text
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def test_five_thousand_volumes_and_claims_fit(tmp_path: Path) -> None:
    """With 5,000 volumes and claims listed, watched and shown, the process is at most 30 MiB larger than without."""
    cluster = Cluster()
    cluster.fill(many(COUNT))
    with run_in_thread(World()) as aws, run_kubernetes_in_thread(cluster) as kubernetes:
        alone, _ = resident(tmp_path, aws, None)
        watching, text = resident(tmp_path, aws, kubernetes)
    assert text.count("\nkubernetes_") >= 10 * COUNT
    assert (watching - alone) / MIB < 30
