"""SECURITY.md says what the code does: its facts are compared with their sources."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Mapping
from typing import Any

import yaml

from exporter.config import Config
from exporter.policy import policy
from tests.chart.kinds import VERSIONS
from tests.chart.rendering import HELM, all_of, render
from tests.image.dockerfile import final
from tests.tools import ROOT

TEXT = (ROOT / "SECURITY.md").read_text()
FLAT = " ".join(TEXT.split())
CHART = yaml.safe_load((ROOT / "helm/storage-exporter/Chart.yaml").read_text())


def row(name: str) -> str:
    """What the table of supported versions says of something."""
    (found,) = re.findall(rf"^\| {re.escape(name)} \| (.*) \|$", TEXT, re.MULTILINE)
    return str(found)


def test_supported_versions_are_those_that_are_tested() -> None:
    """Of Kubernetes the chart's oldest and its tests' schemas; of Python the classifiers; the image's platforms."""
    oldest, *_ = VERSIONS
    assert CHART["kubeVersion"] == f">={oldest}.0-0"
    assert row("Kubernetes, EKS").startswith(f"{oldest} and later;")
    assert row("Kubernetes, EKS").endswith(f"{', '.join(VERSIONS[:-1])} and {VERSIONS[-1]}")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pythons = [each.rpartition(" ")[2] for each in project["classifiers"] if re.search(r":: 3\.\d+$", each)]
    assert row("Python, outside the image") == ", ".join(pythons)
    helm = subprocess.run([HELM, "version", "--short"], capture_output=True, text=True, check=True).stdout
    assert row("Helm") == f"3.14 or later; tests run {'.'.join(helm.removeprefix('v').split('.')[:2])}"
    assert row("Platforms of the image").split(", ") == ["linux/amd64", "linux/arm64"]
    assert "linux/amd64,linux/arm64" in (ROOT / "tools/image/build.sh").read_text()


def test_what_it_may_do_in_aws_is_reading() -> None:
    """Describe, List and Get; and the roles that a configuration names, with their tags."""
    scopes = [{}, {"regions": ["eu-central-1"], "roles": [{"arn": "arn:aws:iam::123456789012:role/x"}]}]
    document = policy(Config.model_validate({"scopes": scopes}))
    actions = {action for statement in document["Statement"] for action in _actions(statement)}
    others = {each for each in actions if not each.partition(":")[2].startswith(("Describe", "List", "Get"))}
    assert len(actions) > 20
    assert others == {"sts:AssumeRole", "sts:TagSession"}
    assert "only `Describe`, `List` and `Get` actions, and `sts:AssumeRole` with `sts:TagSession`" in FLAT
    assert not actions & {"s3:GetObject", "kms:GetPublicKey"}


def _actions(statement: Mapping[str, Any]) -> list[str]:
    found = statement["Action"]
    return [found] if isinstance(found, str) else list(found)


def test_what_it_may_do_in_the_cluster_is_what_the_chart_grants() -> None:
    """Everything that can be switched on: lists and watches of seven kinds, and one Lease."""
    objects = render({"config": {"kubernetes": {"pods": True, "csi_drivers": True}}})
    granted = {
        (resource, verb)
        for role in all_of(objects, "ClusterRole")
        for rule in role["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    named = {
        "PersistentVolumes": "persistentvolumes",
        "claims": "persistentvolumeclaims",
        "StorageClasses": "storageclasses",
        "VolumeAttachments": "volumeattachments",
        "CSINodes": "csinodes",
        "pods": "pods",
        "CSIDrivers": "csidrivers",
    }
    said = FLAT.partition("**In the cluster it reads**")[2].partition("**In its pod")[0]
    assert granted == {(resource, verb) for resource in named.values() for verb in ("list", "watch")}
    assert all(name in said for name in named)
    written = {resource for role in all_of(objects, "Role") for rule in role["rules"] for resource in rule["resources"]}
    assert written == {"leases"}


def test_what_it_is_in_its_pod() -> None:
    """The numbers, the port and the folders of the chart and the image."""
    image = final()
    assert image.all_of("USER") == ["65532:65532"]
    assert "user and group 65532" in FLAT
    assert f"**It listens on one port**, {image.all_of('EXPOSE')[0]}," in FLAT
    assert image.base.partition("@")[0] in FLAT
    assert image.pairs("ENV")["AWS_EC2_METADATA_DISABLED"] == "true"


def test_what_is_verified_is_what_is_signed() -> None:
    """Image and chart have the names that the programs of a release push and sign."""
    build, release = ((ROOT / "tools/image" / name).read_text() for name in ("build.sh", "release.sh"))
    (image,) = re.findall(r"^image=(\S+)$", TEXT, re.MULTILINE)
    assert f"image=${{IMAGE:-{image}}}" in build
    assert f"image=${{IMAGE:-{image}}}" in release
    (charts,) = re.findall(r"^charts=\$\{CHARTS:-oci://(\S+)\}$", release, re.MULTILINE)
    assert f"oci://{charts}/storage-exporter " in TEXT
    assert f"cosign verify $who {charts}/storage-exporter@" in TEXT
    values = yaml.safe_load((ROOT / "helm/storage-exporter/values.yaml").read_text())
    assert f"{values['image']['registry']}/{values['image']['repository']}" == image
    assert "--type cyclonedx" in release


def test_the_three_versions_are_one() -> None:
    """As `make release` asks for them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {CHART["version"], CHART["appVersion"]} == {project["version"]}
