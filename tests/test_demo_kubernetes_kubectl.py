"""The simulated Kubernetes API: what it says of itself, to the official client and to kubectl."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

import orjson
import pytest

from exporter.demo import World, WorldClock, run_kubernetes_in_thread
from exporter.demo.kubernetes_kinds import RESOURCES
from exporter.demo.kubernetes_objects import cluster_of
from tests.demo_kubernetes import Official, kubernetes, official
from tests.demo_worlds import NOW
from tests.serving import Authority
from tests.tools import find


def test_discovery() -> None:
    """The official client finds version, groups, and every kind with its verbs."""
    with run_kubernetes_in_thread() as server, official(server) as apis:
        _discover(apis)


def _discover(apis: Official) -> None:
    client = kubernetes.client
    assert client.VersionApi(apis.api).get_code().major == "1"
    assert client.CoreApi(apis.api).get_api_versions().versions == ["v1"]
    groups = client.ApisApi(apis.api).get_api_versions().groups
    assert [item.preferred_version.group_version for item in groups] == ["storage.k8s.io/v1", "coordination.k8s.io/v1"]
    assert client.StorageApi(apis.api).get_api_group().name == "storage.k8s.io"
    listed = [
        item for api in (apis.core, apis.storage, apis.coordination) for item in api.get_api_resources().resources
    ]
    assert {item.name for item in listed} == RESOURCES.keys()
    writable = {item.name for item in listed if "update" in item.verbs}
    assert writable == {"leases"}


def test_kubectl(tmp_path: Path) -> None:
    """kubectl, over TLS with a kubeconfig: tables, single objects, watches that end, and refusals."""
    program = find("kubectl", [], "/usr/local/bin:/usr/bin:/bin")
    if program is None:
        # Not refused under CI=true: nothing brings it to a fresh machine, and the official client is a witness too.
        pytest.skip("kubectl is not installed here")
    authority = Authority(tmp_path)
    authority.issue("server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    world = World(1, WorldClock(NOW))
    with run_kubernetes_in_thread(cluster_of(world), ssl=context) as server:
        path = tmp_path / "kubeconfig"
        path.write_bytes(orjson.dumps(server.kubeconfig(str(authority.path))))

        def run(*words: str) -> tuple[str, str]:
            command = [str(program), f"--kubeconfig={path}", f"--cache-dir={tmp_path}", "--request-timeout=30s", *words]
            done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
            return done.stdout, done.stderr

        shown, errors = run("get", "pv,pvc,sc,volumeattachments,csinodes,csidrivers,pods", "-A")
        assert errors == ""
        assert "persistentvolumeclaim/data-postgres-0" in shown
        assert "storageclass.storage.k8s.io/gp3-sc" in shown
        line = next(line for line in shown.splitlines() if "persistentvolume/old-reporting" in line)
        assert line.split()[1:5] == ["300Gi", "ReadWriteOnce", "Retain", "Released"]
        volume_id = world.volume("data-postgres-0").volume_id
        text, errors = run("get", "pv", "-o", "jsonpath={.items[*].spec.csi.volumeHandle}")
        assert volume_id in text.split()
        text, errors = run("get", "pvc", "data-postgres-0", "-n", "databases", "-o", "json")
        assert orjson.loads(text)["spec"]["resources"]["requests"]["storage"] == "200Gi"
        assert "NotFound" in run("get", "pv", "none")[1]
        server.deny("csinodes")
        assert "Forbidden" in run("get", "csinodes")[1]
