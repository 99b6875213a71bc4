"""
What must hold of a pod from its start to its end; each check says what it saw.

The same checks are the test (test_pod_smoke.py) and ``make pod-smoke`` (`python -m tests.image`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from exporter import __version__
from tests.harness import Series, parsed
from tests.image.scene import NAME, PASSWORD, Scene, scene

SERVICES = ("ebs", "efs", "s3", "elasticache", "protection")
_PATIENCE = 60.0
_NOT_SEARCHED = ("/proc", "/dev", "/usr", "/root", "/etc/ssl")
"""The kernel's, and folders of the machine that stand for the base image: there `_CLOSED` tries to write."""

_CLOSED = "/ /dev /etc /etc/storage-exporter/config /opt/storage-exporter /root /run /usr/local/lib"
_PRUNED = " -o ".join(f"-path {each} -prune" for each in _NOT_SEARCHED)
_LOOK = rf"""
find / \( {_PRUNED} \) -o \( -type d -o -type f \) -writable -print 2>/dev/null
for place in {_CLOSED}; do
    if touch "$place/probe" 2>/dev/null; then echo "$place"; fi
done
"""
"""Prints every place that can be written."""


async def smoke(folder: Path, *, pushes: bool = False, limits: Mapping[str, Any] | None = None) -> AsyncIterator[str]:
    """
    Run the pod and look at it.

    Args:
        folder: an empty one.

        pushes: whether it pushes in place of being scraped.

        limits: the configuration's section of that name.

    Yields:
        What was seen, a line for each check.
    """
    async with scene(folder, pushes=pushes, limits=limits) as pod:
        begun = time.monotonic()
        for name in ("startupProbe", "livenessProbe", "readinessProbe"):
            await pod.probe(name)
            yield f"{name}: content after {time.monotonic() - begun:.1f} s"
        yield _identity(pod)
        yield _environment(pod)
        yield await asyncio.to_thread(places, pod)
        yield await _delivered(pod) if pushes else await _scraped(pod)
        yield _asked(pod)
        yield await asyncio.to_thread(_command, pod)
        yield _memory(pod)
        yield await asyncio.to_thread(_end, pod)


def _identity(pod: Scene) -> str:
    """User, group, rights and process number are what Restricted Pod Security makes them."""
    status = pod.sandbox.status()
    container = pod.container
    seen = {name: status[name].split() for name in ("Uid", "Gid", "Groups")}
    assert seen == {"Uid": ["65532"] * 4, "Gid": ["65532"] * 4, "Groups": ["65532"]}, seen
    assert container.user == container.group == container.volumes_group == 65532
    rights = {name: int(status[name], 16) for name in ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb")}
    assert not any(rights.values()), rights
    assert status["NoNewPrivs"] == "1", "privileges can be gained"
    assert status["NSpid"].split()[-1] == "1", status["NSpid"]
    return "process 1, user and group 65532, no capability, no new privileges"


def _environment(pod: Scene) -> str:
    """The process has the environment of image, pod, cluster and EKS, and nothing of this machine's."""
    seen = pod.sandbox.environment()
    assert seen == pod.container.environment
    assert seen["POD_NAME"] == NAME
    assert seen["HOME"] == "/nonexistent"
    assert seen["AWS_EC2_METADATA_DISABLED"] == "true"
    return f"{len(seen)} variables, as the image, the pod, the cluster and EKS give them"


def places(pod: Scene) -> str:
    """Only the empty volumes can be written, and they are no larger than the pod says."""
    done = pod.sandbox.run("sh", "-c", _LOOK)
    written = set(done.stdout.split())
    volumes = {mount.path: mount.size for mount in pod.container.mounts if mount.files is None}
    allowed = {place for place in written if any(place == path or place.startswith(f"{path}/") for path in volumes)}
    assert set(volumes) == {"/tmp", "/var/lib/storage-exporter"}
    assert written - allowed == set(), f"can be written: {sorted(written - allowed)}"
    assert set(volumes) <= written, f"cannot be written: {sorted(set(volumes) - written)}; {done.stderr}"
    mounts = [line.split() for line in Path(f"/proc/{pod.sandbox.pid}/mounts").read_text().splitlines()]
    (root,) = [options.split(",") for _, path, _, options, *_ in mounts if path == "/"]
    assert "ro" in root, f"the root is mounted {root}"
    sizes = {path: options for _, path, _, options, *_ in mounts if path in volumes}
    for path, size in volumes.items():
        assert f"size={size // 1024}k" in sizes[path].split(","), sizes[path]
    return f"of all folders only {' and '.join(sorted(volumes))} can be written; the root is read-only"


async def _scraped(pod: Scene) -> str:
    """The page has every service, claims of the cluster, and no failure."""
    page = await _until(pod, lambda series: _complete(pod, series))
    shown = sum(1 for name, _ in page if name.startswith("aws_"))
    claims = {dict(labels).get("persistentvolumeclaim", "") for name, labels in page if name.startswith("aws_ebs_")}
    assert len(claims - {""}) > 1, "no volume has its claim"
    return f"/metrics: {len(page)} series, {shown} of AWS, of {len(SERVICES)} services, with their claims"


async def _delivered(pod: Scene) -> str:
    """What is pushed arrives with the password of the Secret, is taken whole, and /metrics has none of it."""
    assert pod.mimir is not None
    mimir = pod.mimir
    page = await _until(pod, lambda series: _complete(pod, series) and len(mimir.series()) > 1000)
    assert not [name for name, _ in page if name.startswith("aws_")], "what is pushed is shown as well"
    assert not mimir.refusals, mimir.refusals[:3]
    assert {request.status for request in mimir.requests} <= {200, 204}
    kept = await asyncio.to_thread(pod.sandbox.run, "find", "/var/lib/storage-exporter", "-mindepth", "1")
    assert kept.stdout, "the outbox is not on the volume"
    return f"remote write: {len(mimir.series())} series in {len(mimir.requests)} requests, none refused"


def _complete(pod: Scene, series: Series) -> bool:
    """Every job of every service has read all it had to, and the pod leads."""
    jobs: dict[str, list[float]] = {}
    for (name, labels), value in series.items():
        if name == "storage_exporter_aws_errors_total" and value:
            assert _is_none(dict(labels)["code"]), f"{dict(labels)}; {pod.sandbox.said()}"
        if name == "storage_exporter_job_success":
            jobs.setdefault(dict(labels)["aws_service"], []).append(value)
    leads = [value for (name, _), value in series.items() if name == "storage_exporter_leader"]
    return leads == [1.0] and all(jobs.get(service) and all(jobs[service]) for service in SERVICES)


def _is_none(code: str) -> bool:
    """Whether AWS says no more than that a bucket or a file system has no such thing."""
    return "NotFound" in code or code.startswith("NoSuch")


async def _until(pod: Scene, holds: Any) -> Series:
    end = time.monotonic() + _PATIENCE
    while True:
        status, text = await pod.get("/metrics")
        assert status == 200, text
        if holds(found := parsed(text)):
            return found
        assert time.monotonic() < end, f"not within {_PATIENCE:g} s: {_states(found)}; it said {pod.sandbox.said()}"
        await asyncio.sleep(0.2)


def _states(series: Series) -> list[str]:
    names = ("storage_exporter_job_success", "storage_exporter_leader", "storage_exporter_remote_write_requests_total")
    return [f"{name} {dict(labels)} {value:g}" for (name, labels), value in series.items() if name in names]


def _asked(pod: Scene) -> str:
    """AWS was asked with what the node's agent gave, the cluster as the pod's service account; nobody else was."""
    granted = {key.access_key_id for key in pod.agent.granted}
    calls = pod.aws.calls
    assert granted, "the agent was not asked"
    assert {call.access_key_id for call in calls} <= granted, "credentials of another source"
    assert not (wrong := [call for call in calls if call.status != 200 and not _is_none(call.error)]), wrong[:3]
    users = {call.user for call in pod.kubernetes.calls}
    assert users == {"system:serviceaccount:monitoring:storage-exporter"}, users
    assert NAME in _holder(pod), _holder(pod)
    asked = f"{len(calls)} requests to AWS as Pod Identity's role, {len(pod.kubernetes.calls)} to the cluster"
    return f"{asked}; it holds the Lease"


def _command(pod: Scene) -> str:
    """The image's command works for `kubectl exec`, in the pod's environment, with the pod's configuration."""
    version = pod.sandbox.run("storage-exporter", "--version")
    assert version.stdout == f"storage-exporter, version {__version__}\n", version
    config = "/etc/storage-exporter/config/config.yaml"
    checked = pod.sandbox.run("storage-exporter", "check", "--config", config)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    return "storage-exporter --version and check work in it"


def _memory(pod: Scene) -> str:
    """At most half of the limit at any time: the platform's own estate is a small one."""
    peak = int(pod.sandbox.status()["VmHWM"].split()[0]) * 1024
    limit = pod.container.memory
    assert peak < limit / 2, f"{peak / 2**20:.0f} MiB of {limit / 2**20:.0f}"
    return f"memory: {peak / 2**20:.0f} MiB at most, of {limit / 2**20:.0f}"


def _end(pod: Scene) -> str:
    """SIGTERM ends it with code 0 within its grace; the Lease is free; nothing went wrong and no secret was said."""
    begun = time.monotonic()
    code = pod.sandbox.end()
    took = time.monotonic() - begun
    said = pod.sandbox.said()
    assert code == 0, f"ended with {code} after {took:.1f} s; it said {said}"
    assert not _holder(pod), _holder(pod)
    lines = [orjson.loads(line) for line in said.splitlines()]
    wrong = [line for line in lines if line["level"] in {"warning", "error", "critical"}]
    assert not wrong, wrong
    keys = {key.secret_access_key for key in pod.agent.granted}
    secrets = {PASSWORD, pod.kubernetes.token, *pod.agent.tokens, *keys}
    assert not [each for each in secrets if each in said], "a secret is in the log"
    return f"SIGTERM: code 0 after {took:.1f} s of {pod.container.grace:g}; the Lease is free; no warning in the log"


def _holder(pod: Scene) -> str:
    lease = pod.kubernetes.cluster.get("leases", "monitoring/storage-exporter")
    assert lease, "there is no Lease"
    return str(lease["spec"].get("holderIdentity") or "")
