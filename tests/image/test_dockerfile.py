"""The Dockerfile: what its linter finds, and what no linter knows."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet

from exporter.config import Config
from tests.image.dockerfile import FILE, MissingError, final, stages
from tests.tools import ROOT
from tools.image.environment import HOME

DIGEST = "sha256:" + "ab" * 32
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_hadolint_has_no_word_against_it() -> None:
    """No warning and no error."""
    hadolint = Path(sys.executable).parent / "hadolint"
    done = subprocess.run(
        [hadolint, "--failure-threshold", "warning", FILE], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_every_stage_stands_on_the_one_digest() -> None:
    """No tag without a digest, no `latest`, and the same in both: the environment's interpreter is the base's."""
    bases = {stage.base for stage in stages({"BASE_DIGEST": DIGEST})}
    assert len(bases) == 1
    (base,) = bases
    assert base == f"python:3.12-slim-bookworm@{DIGEST}"


@pytest.mark.parametrize("given", [{}, {"BASE_DIGEST": ""}])
def test_without_a_digest_there_is_no_image(given: dict[str, str]) -> None:
    """The build ends at once, and says which argument it wants and who knows it."""
    with pytest.raises(MissingError, match=r"BASE_DIGEST: .*digest_of_the_base.*make_image"):
        stages(given)


def test_the_bases_python_is_one_we_support() -> None:
    """Within requires-python, and in the classifiers."""
    version = final().base.partition(":")[2].partition("-")[0]
    assert version in SpecifierSet(PROJECT["requires-python"])
    assert f"Programming Language :: Python :: {version}" in PROJECT["classifiers"]


def test_it_runs_as_a_number() -> None:
    """Kubernetes cannot tell that a name is not root; the chart has the same numbers."""
    values = yaml.safe_load((ROOT / "helm/storage-exporter/values.yaml").read_text())
    pod = values["podSecurityContext"]
    assert final().all_of("USER") == [f"{pod['runAsUser']}:{pod['runAsGroup']}"] == ["65532:65532"]


def test_it_is_process_one_itself() -> None:
    """The exec form, of the environment's own Python: SIGTERM reaches the program; arguments come from the chart."""
    assert final().last("ENTRYPOINT") == [f"{HOME}/bin/python", "-m", "exporter"]
    assert final().last("CMD") == ["run"]
    assert not final().all_of("HEALTHCHECK"), "the kubelet does not read it"
    assert not final().all_of("RUN"), "what runs in the last stage is in no cache and brings what nobody wants"


def test_its_port_is_the_charts_and_the_programs() -> None:
    """One number."""
    values = yaml.safe_load((ROOT / "helm/storage-exporter/values.yaml").read_text())
    assert final().all_of("EXPOSE") == [str(values["port"])] == [Config().web.listen.rpartition(":")[2]]


def test_its_environment() -> None:
    """Nothing is written beside the code, nothing is imported from the working directory, no node's role is taken."""
    assert final().pairs("ENV") == {
        "PATH": f"{HOME}/bin:/usr/local/bin:/usr/bin:/bin",
        "HOME": "/nonexistent",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONFAULTHANDLER": "1",
        "PYTHONSAFEPATH": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "MALLOC_ARENA_MAX": "2",
    }


def test_its_labels_say_what_it_is_and_what_it_stands_on() -> None:
    """As registries and scanners read them, from build arguments."""
    labels = final(VERSION="1.2.3", REVISION="abc", BASE_DIGEST=DIGEST, CREATED="2026-01-02T03:04:05Z").pairs("LABEL")
    short = {name.removeprefix("org.opencontainers.image."): value for name, value in labels.items()}
    assert short == {
        "title": "storage-exporter",
        "description": "Prometheus exporter for the AWS storage tier under EKS",
        "source": "https://github.com/officeless/storage-exporter",
        "version": "1.2.3",
        "revision": "abc",
        "created": "2026-01-02T03:04:05Z",
        "licenses": PROJECT["license"],
        "base.name": "python:3.12-slim-bookworm",
        "base.digest": DIGEST,
    }


def test_what_is_copied_is_there_and_is_not_ignored() -> None:
    """Each COPY from the sources; and .dockerignore lets nothing else through."""
    copied = {source for stage in stages({"BASE_DIGEST": DIGEST}) for source in _from_sources(stage.copies())}
    assert copied >= {"requirements.lock", "pyproject.toml", "exporter", "tools/image"}
    for source in copied:
        assert (ROOT / source).exists(), source
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert ignored[0] == "*"
    assert {line[1:] for line in ignored if line.startswith("!")} == copied
    left_out = [line for line in ignored[1:] if not line.startswith("!")]
    assert all(
        fnmatch(f"exporter/{each}", pattern) for each, pattern in zip(("__pycache__", "a.pyc"), left_out, strict=True)
    )


def test_the_data_folder_is_the_users() -> None:
    """Without a volume, as `docker run` has it, what waits to be pushed can still be kept."""
    (owned,) = [(paths, flags) for paths, flags in final().copies() if "chown" in flags]
    assert owned == (["/data", "/var/lib/storage-exporter"], {"from": "build", "chown": "65532:65532"})


def _from_sources(copies: list[tuple[list[str], dict[str, str]]]) -> list[str]:
    return [source.rstrip("/") for paths, flags in copies if "from" not in flags for source in paths[:-1]]
