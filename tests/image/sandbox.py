"""
A container without an engine: namespaces of its own for mounts and processes, an identity without any right, and a
look at it from outside. How the root is made is in namespaces.sh.

What it has not: seccomp, cgroups, a network of its own.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.image.kubelet import Container
from tests.processes import until

_SCRIPT = Path(__file__).with_name("namespaces.sh")
_UNSHARE = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private")


def refused() -> str:
    """Why containers cannot be made here, ``""`` where they can."""
    try:
        done = subprocess.run(
            [*_UNSHARE, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return "there is no unshare here (util-linux)"
    return f"no namespaces here, run it as root: {done.stderr.strip()}" if done.returncode else ""


@dataclass
class Sandbox:
    """A container that runs. *pid* is its first process as the host sees it, *log* all that it writes."""

    container: Container
    process: subprocess.Popen[bytes]
    pid: int
    log: Path

    def status(self) -> dict[str, str]:
        """The fields of its ``/proc/PID/status``."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}

    def environment(self) -> dict[str, str]:
        """What its process was given."""
        given = Path(f"/proc/{self.pid}/environ").read_bytes().decode().split("\0")
        return dict(each.split("=", 1) for each in given if each)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """What `kubectl exec` does: a command in the container, with the same rights and the same environment."""
        entered = ["nsenter", "--target", str(self.pid), "--mount", "--pid"]
        words = [*entered, *_become(self.container), *command]
        return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)

    def said(self) -> str:
        """Its log."""
        return self.log.read_text()

    def end(self) -> int:
        """SIGTERM as a kubelet sends it, and the exit code; -9 where the pod's time is over before it ends."""
        os.kill(self.pid, signal.SIGTERM)
        try:
            return self.process.wait(self.container.grace)
        except subprocess.TimeoutExpired:
            _kill(self.process)
            return -9


@contextlib.contextmanager
def started(container: Container, environment: Path, folder: Path) -> Iterator[Sandbox]:
    """
    The container, from its start to its end.

    Args:
        environment: the folder to stand at /opt/storage-exporter.

        folder: an empty one, for the volumes and the log.
    """
    python = (environment / "bin" / "python").resolve()
    root, plan, log = folder / "root", folder / "plan", folder / "log"
    root.mkdir(parents=True)
    plan.write_text("".join(_volumes(container, folder)))
    read_only = "1" if container.read_only_root else "0"
    making = [root, environment, python.parents[1], read_only, container.volumes_group, plan]
    command = [*_UNSHARE, "sh", str(_SCRIPT), *map(str, making), *_become(container), *container.command]
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    try:
        found: list[int] = []

        def runs() -> bool:
            found.extend(_ours(process, container, log))
            return bool(found)

        until("the container runs", runs)
        yield Sandbox(container, process, found[0], log)
    finally:
        _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """
    End what *process* (unshare) has begun, and it.

    What became another user is no longer killed with its parent (prctl(2), PR_SET_PDEATHSIG), so --kill-child does not
    do it; with process 1 of the namespace everything in there ends.
    """
    with contextlib.suppress(OSError):
        for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
            os.kill(int(child), signal.SIGKILL)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _become(container: Container) -> list[str]:
    """The words that take every right away and give the pod's environment."""
    group = str(container.group)
    words = ["setpriv", "--reuid", str(container.user), "--regid", group, "--groups", str(container.volumes_group)]
    if container.no_new_privileges:
        words.append("--no-new-privs")
    if container.no_capabilities:
        words += ["--bounding-set=-all", "--inh-caps=-all"]
    return [*words, "env", "-i", *(f"{name}={value}" for name, value in container.environment.items())]


def _volumes(container: Container, folder: Path) -> Iterator[str]:
    """The mounts as the script reads them; those with files are written, readable by the pod's group alone."""
    for number, mount in enumerate(container.mounts):
        if mount.files is None:
            yield f"empty {mount.size} {mount.path}\n"
            continue
        volume = folder / f"volume-{number}"
        volume.mkdir()
        for name, text in mount.files.items():
            file = volume / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            os.chown(file, 0, container.volumes_group)
            file.chmod(0o440)
        yield f"ro {volume} {mount.path}\n"


def _ours(process: subprocess.Popen[bytes], container: Container, log: Path) -> list[int]:
    """The container's first process, once it is what it shall become."""
    assert process.poll() is None, f"the container ended with {process.returncode}; it said {log.read_text()}"
    with contextlib.suppress(OSError, ValueError):
        (pid,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
        return [int(pid)] if words[: len(container.command)] == container.command else []
    return []
