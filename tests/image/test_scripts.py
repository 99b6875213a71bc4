"""The programs that make and release the image, between engines and tools that only write down what they were told."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.tools import ROOT

BASE = "sha256:" + "ba" * 32
BUILT = "sha256:" + "b1" * 32
CHART = "sha256:" + "c4" * 32
REVISION = "0123456789abcdef0123456789abcdef01234567"
GIT = f"""
case "$1" in
    rev-parse) echo {REVISION} ;;
    log) echo 1767323045 ;;
    status) cat "$CALLS.dirty" 2>/dev/null || true ;;
esac
"""
DOCKER = f"""
case "$1 $2" in
    "buildx imagetools") echo {BASE} ;;
    "buildx build")
        while [ "$#" -gt 0 ]; do [ "$1" != --metadata-file ] || file=$2; shift; done
        echo '{{"buildx.build.ref": "a/b", "containerimage.digest": "{BUILT}", "image.name": "x"}}' > "$file" ;;
esac
"""
PODMAN = f"""
case "$1 $2" in
    "manifest push") while [ "$#" -gt 0 ]; do [ "$1" != --digestfile ] || echo {BUILT} > "$2"; shift; done ;;
    "manifest rm") exit 1 ;;
esac
"""
UV = """
while [ "$#" -gt 0 ]; do [ "$1" != --output-file ] || echo '{}' > "$2"; shift; done
"""
HELM = f"""
[ "$1" != push ] || {{ echo "Pushed: ghcr.io/officeless/charts/storage-exporter:0.1.0"; echo "Digest: {CHART}"; }} >&2
"""


class Project:
    """A copy of what the scripts read, and a PATH with nothing on it but what a test puts there."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.programs, self.calls = folder / "project", folder / "programs", folder / "calls"
        self.programs.mkdir()
        for name in ("tools/image", "helm/storage-exporter"):
            (self.folder / name).mkdir(parents=True)
        for name in ("Dockerfile", "pyproject.toml", "requirements.lock", "helm/storage-exporter/Chart.yaml"):
            shutil.copy(ROOT / name, self.folder / name)
        for script in (ROOT / "tools" / "image").glob("*.sh"):
            shutil.copy(script, self.folder / "tools" / "image")
        for needed in ("sh", "sed", "date", "mkdir", "rm", "cat", "dirname", "mktemp", "tr", "grep", "tee"):
            found = shutil.which(needed)
            assert found
            (self.programs / needed).symlink_to(found)
        self.put("git", GIT)
        self.put("uv", UV)
        self.put("python", "")

    def put(self, name: str, does: str) -> None:
        """A program that notes its words and then does something."""
        program = self.programs / name
        program.write_text(f'#!/bin/sh\nset -eu\necho "{name} $*" >> "$CALLS"\n{does}\n')
        program.chmod(0o755)

    def run(self, script: str, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        known: Mapping[str, str] = {
            "PATH": str(self.programs),
            "CALLS": str(self.calls),
            "UV": str(self.programs / "uv"),
            "PYTHON": str(self.programs / "python"),
            "HOME": os.devnull,
        }
        return subprocess.run(
            [self.folder / "tools" / "image" / script, *words],
            env={**known, **environ},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def told(self, *words: str) -> list[str]:
        """The calls that begin with these words."""
        lines = self.calls.read_text().splitlines() if self.calls.exists() else []
        return [line for line in lines if line.startswith(" ".join(words))]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_without_an_engine_it_says_what_there_is_instead(project: Project) -> None:
    """As on this machine: a client of docker without buildx is no engine."""
    project.put("docker", "exit 1")
    done = project.run("build.sh")
    assert done.returncode == 1
    assert "no docker with buildx, no podman and no buildah" in done.stderr
    assert "make pod-smoke" in done.stderr


def test_docker_builds_both_platforms_with_attestations(project: Project) -> None:
    """On the base's digest of today, labelled, reproducibly, and its digest is written down."""
    project.put("docker", DOCKER)
    done = project.run("build.sh")
    assert done.returncode == 0, done.stderr
    (built,) = project.told("docker", "buildx", "build")
    for words in (
        "--platform linux/amd64,linux/arm64",
        "--sbom=true --provenance=mode=max",
        "--tag ghcr.io/officeless/storage-exporter:0.1.0 ",
        f"--build-arg BASE_DIGEST={BASE} ",
        "--build-arg VERSION=0.1.0 ",
        f"--build-arg REVISION={REVISION} ",
        "--build-arg CREATED=2026-01-02T03:04:05Z ",
        "--build-arg SOURCE_DATE_EPOCH=1767323045 ",
        "--output type=oci,dest=build/image/storage-exporter.tar,rewrite-timestamp=true .",
    ):
        assert words in built, built
    assert "latest" not in built
    assert (project.folder / "build/image/digest").read_text() == f"{BUILT}\n"
    assert f"ghcr.io/officeless/storage-exporter:0.1.0@{BUILT}" in done.stdout
    looked = project.told("uv", "pip", "install")
    assert [machine for line in looked for machine in ("x86_64", "aarch64") if machine in line] == ["x86_64", "aarch64"]
    assert all("--require-hashes" in line and "--only-binary :all:" in line for line in looked)


def test_a_digest_that_is_given_is_not_looked_up(project: Project) -> None:
    project.put("docker", DOCKER)
    given = "sha256:" + "12" * 32
    assert project.run("build.sh", BASE_DIGEST=given, PUSH="1", IMAGE="registry/x").returncode == 0
    assert not project.told("docker", "buildx", "imagetools")
    (built,) = project.told("docker", "buildx", "build")
    assert f"BASE_DIGEST={given} " in built
    assert "--tag registry/x:0.1.0 " in built
    assert "--output type=image,push=true,rewrite-timestamp=true ." in built


def test_podman_builds_a_manifest_and_says_that_it_attests_nothing(project: Project) -> None:
    """It pushes the whole list and writes its digest down."""
    project.put("podman", PODMAN)
    done = project.run("build.sh", BASE_DIGEST=BASE, PUSH="1")
    assert done.returncode == 0, done.stderr
    (built,) = project.told("podman", "build")
    assert "--timestamp 1767323045 --manifest ghcr.io/officeless/storage-exporter:0.1.0 ." in built
    (pushed,) = project.told("podman", "manifest", "push")
    assert "--all --digestfile build/image/digest" in pushed
    assert "writes no attestations" in done.stdout
    assert BUILT in done.stdout


def test_a_digest_of_before_is_no_digest(project: Project) -> None:
    """What an earlier build wrote is not taken for this one's."""
    old = project.folder / "build" / "image" / "digest"
    old.parent.mkdir(parents=True)
    old.write_text(f"{CHART}\n")
    project.put("podman", "")
    assert project.run("build.sh", BASE_DIGEST=BASE).stdout.endswith("storage-exporter:0.1.0, not pushed\n")
    old.write_text(f"{CHART}\n")
    done = project.run("build.sh", BASE_DIGEST=BASE, PUSH="1")
    assert done.returncode == 1
    assert "podman did not say under which digest" in done.stderr


def test_a_base_without_a_digest_is_no_base(project: Project) -> None:
    """A lookup that fails, or finds something else, ends it before anything is built."""
    project.put("docker", 'case "$2" in imagetools) exit 1 ;; esac')
    done = project.run("build.sh")
    assert done.returncode == 1
    assert "give BASE_DIGEST=sha256:..." in done.stderr
    assert not project.told("docker", "buildx", "build")


def test_what_is_not_committed_is_not_pushed(project: Project) -> None:
    """The label names a revision; but it can be built."""
    project.put("docker", DOCKER)
    Path(f"{project.calls}.dirty").write_text(" M exporter/app.py\n")
    done = project.run("build.sh", PUSH="1")
    assert done.returncode == 1
    assert "not committed" in done.stderr
    assert not project.told("docker", "buildx", "build")
    assert project.run("build.sh").returncode == 0


def test_a_platform_without_a_wheel_ends_it(project: Project) -> None:
    """And is named; so is one that the image is not for."""
    project.put("docker", DOCKER)
    project.put("uv", 'case "$*" in *aarch64*) echo "no wheel of cramjam" >&2; exit 1 ;; esac')
    done = project.run("build.sh")
    assert done.returncode == 1
    assert "no wheel of cramjam" in done.stderr
    assert "linux/arm64" in done.stderr
    assert not project.told("docker", "buildx", "build")
    assert project.run("wheels.sh", "linux/s390x").returncode == 2


def release(project: Project) -> subprocess.CompletedProcess[str]:
    project.put("docker", DOCKER)
    project.put("helm", HELM)
    project.put("cosign", "")
    return project.run("release.sh")


def test_a_release_is_audited_pushed_attested_and_signed_by_digest(project: Project) -> None:
    """In this order, and nothing is signed by a tag."""
    done = release(project)
    assert done.returncode == 0, done.stderr
    image, chart = f"ghcr.io/officeless/storage-exporter@{BUILT}", f"ghcr.io/officeless/charts/storage-exporter@{CHART}"
    order = [
        "uv tool run --quiet --from pip-audit",
        "python -m tools.image.environment dependencies",
        "uv tool run --quiet --from cyclonedx-bom",
        "docker buildx build",
        f"cosign sign --yes {image}",
        f"cosign attest --yes --type cyclonedx --predicate build/sbom.cdx.json {image}",
        "helm package helm/storage-exporter --destination build",
        "helm push build/storage-exporter-0.1.0.tgz oci://ghcr.io/officeless/charts",
        f"cosign sign --yes {chart}",
    ]
    lines = project.calls.read_text().splitlines()
    places = [next(n for n, line in enumerate(lines) if line.startswith(words)) for words in order]
    assert places == sorted(places)
    assert len(project.told("cosign")) == 3
    assert "push=true" in project.told("docker", "buildx", "build")[0]
    assert image in done.stdout
    assert chart in done.stdout


@pytest.mark.parametrize("broken", ["uv", "docker", "cosign", "helm"])
def test_a_step_that_fails_ends_a_release(project: Project, broken: str) -> None:
    """Nothing is signed after it."""
    for name, does in (("docker", DOCKER), ("helm", HELM), ("cosign", ""), ("uv", UV)):
        project.put(name, f'[ "$1" = buildx ] && [ "$2" = version ] || exit 7\n{does}' if name == broken else does)
    assert project.run("release.sh").returncode != 0
    assert len(project.told("cosign", "sign")) == {"uv": 0, "docker": 0, "cosign": 1, "helm": 1}[broken]


@pytest.mark.parametrize("key", ["version", "appVersion"])
def test_a_chart_of_another_version_is_not_released(project: Project, key: str) -> None:
    """Before anything else is done."""
    chart = project.folder / "helm/storage-exporter/Chart.yaml"
    text = chart.read_text()
    chart.write_text(
        "".join(f'{key}: "0.0.9"\n' if line.startswith(f"{key}:") else f"{line}\n" for line in text.splitlines())
    )
    done = release(project)
    assert done.returncode == 1
    assert "has not the version of pyproject.toml, 0.1.0" in done.stderr
    assert not project.told("uv")


def test_a_chart_without_a_digest_is_not_signed(project: Project) -> None:
    """Helm that says none has changed its words: somebody must look."""
    project.put("docker", DOCKER)
    project.put("cosign", "")
    project.put("helm", "echo Pushed >&2")
    done = project.run("release.sh")
    assert done.returncode == 1
    assert "helm did not say under which digest" in done.stderr


def test_the_sbom_is_made_of_the_lock(project: Project) -> None:
    """The program's words; what it writes is real only where the network is, so `make sbom` is tried by hand."""
    done = project.run("sbom.sh")
    assert done.returncode == 0, done.stderr
    assert project.told("python", "-m", "tools.image.environment", "dependencies")
    (written,) = project.told("uv", "tool", "run")
    assert "--output-reproducible --output-format JSON --spec-version 1.6 --output-file build/sbom.cdx.json" in written
    assert (project.folder / "build/sbom.cdx.json").exists()
    assert not (project.folder / "build/sbom-environment").exists()
