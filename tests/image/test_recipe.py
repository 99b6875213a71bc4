"""The parts of the image's recipe that need no environment: locks, what is left out, what a kubelet makes of a pod."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from tests.image.dockerfile import final
from tests.image.kubelet import Kubelet, Node, amount
from tests.tools import ROOT
from tools.image.environment import BuildError, run, size
from tools.image.locks import blocks, main, part
from tools.image.pruning import called, prune_descriptions, prune_packages

LOCK = """\
# a comment
alpha==1.0 \\
    --hash=sha256:00
    # via
    #   beta
    #   gamma
Beta_Two[extra]==2.0 ; sys_platform == 'linux' \\
    --hash=sha256:01
    # via alpha
gamma==3.0 \\
    --hash=sha256:02
    # via storage-exporter (pyproject.toml)
"""


# --- locks ------------------------------------------------------------------------------------------------------------


def test_a_lock_is_its_packages() -> None:
    """By their normal names, each with its marker and hashes."""
    found = blocks(LOCK)
    assert sorted(found) == ["alpha", "beta-two", "gamma"]
    assert found["beta-two"].startswith("Beta_Two[extra]==2.0 ; sys_platform == 'linux' \\\n    --hash=sha256:01\n")


def test_a_part_of_a_lock_has_all_that_it_needs() -> None:
    """What is needed by what is needed too, and nothing else."""
    assert sorted(blocks(part(LOCK, ["gamma"]))) == ["alpha", "beta-two", "gamma"]
    assert sorted(blocks(part(LOCK, ["beta.two"]))) == ["beta-two"]


def test_a_part_that_is_not_there_is_named() -> None:
    with pytest.raises(LookupError, match="delta: not in the lock; run `make lock`"):
        part(LOCK, ["delta", "alpha"])


def test_the_backend_is_in_the_development_lock() -> None:
    """hatchling, by hash, with what it needs: the wheel is built without a download that nobody checked."""
    text = part((ROOT / "requirements-dev.lock").read_text(), ["hatchling"])
    assert {"hatchling", "packaging", "pathspec", "pluggy", "trove-classifiers"} <= set(blocks(text))
    assert all("--hash=sha256:" in each for each in blocks(text).values())


# --- what is left out -------------------------------------------------------------------------------------------------


def put(folder: Path, *names: str) -> None:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x")


def left(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


def test_packages_lose_what_no_program_reads(tmp_path: Path) -> None:
    """A folder `tests` of a package, but no module of that name; licences whatever their ending."""
    stays = {"a/__init__.py", "a/sub/tests/x.py", "a/tests.py", "a-1.dist-info/licenses/AUTHORS.rst", "a/LICENSE.rst"}
    put(tmp_path, *stays, "a/x.pyi", "a/x.pyx", "a/x.c", "a/tests/test_x.py", "a/README.rst", "a-1.dist-info/REQUESTED")
    prune_packages(tmp_path)
    assert left(tmp_path) == stays


def test_the_newest_description_stays(tmp_path: Path) -> None:
    """Of what is called, with its pages, endpoints and additions; the files of all services stay as well."""
    kinds = ("service-2.json.gz", "paginators-1.json", "paginators-1.sdk-extras.json", "endpoint-rule-set-1.json.gz")
    stays = {"endpoints.json", *(f"ec2/2016-11-15/{kind}" for kind in kinds)}
    put(tmp_path, *stays, "ec2/2016-11-15/waiters-2.json", "ec2/2016-11-15/examples-1.json", "ec2/2015-10-01/x.json")
    put(tmp_path, "iam/2010-05-08/service-2.json.gz")
    prune_descriptions(tmp_path, {"ec2"})
    assert left(tmp_path) == stays
    with pytest.raises(LookupError, match="botocore describes no iam"):
        prune_descriptions(tmp_path, {"ec2", "iam"})


def test_what_is_called_is_read_from_the_code(tmp_path: Path) -> None:
    """What operations name, and each service's name that stands in the modules that speak to AWS."""
    (tmp_path / "api.py").write_text(
        'def ask(call):\n    """iam is not called"""\n    call("sts", "GetCallerIdentity")\n'
    )
    assert called(["ec2"], tmp_path, {"ec2", "sts", "iam", "efs"}) == {"ec2", "sts"}


def test_a_step_that_fails_says_all(tmp_path: Path) -> None:
    """Command, code and what was said on both streams."""
    with pytest.raises(BuildError, match=r"^sh -c .*: ended with 3\nout\nerr\n$"):
        run("sh", "-c", "echo out; echo err >&2; exit 3")
    put(tmp_path, "a", "b/c")
    (tmp_path / "link").symlink_to("a")
    assert size(tmp_path) == 2


# --- what a kubelet makes of a pod ------------------------------------------------------------------------------------

CONTEXT = {
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "runAsGroup": 65532,
    "fsGroup": 65532,
    "seccompProfile": {"type": "RuntimeDefault"},
}
OWN = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
PROBE = {"httpGet": {"path": "/-/ready", "port": "metrics"}}
OBJECTS: list[dict[str, Any]] = [
    {"kind": "Service", "metadata": {"name": "x", "namespace": "monitoring"}},
    {"kind": "ConfigMap", "metadata": {"name": "words"}, "data": {"a": "1", "b": "2"}},
    {"kind": "Secret", "metadata": {"name": "keys"}, "data": {"key": base64.b64encode(b"secret").decode()}},
]


def kubelet(container: dict[str, Any], **spec: Any) -> Kubelet:
    usual = {
        "name": "storage-exporter",
        "securityContext": OWN,
        "ports": [{"name": "metrics", "containerPort": 9116}],
        "resources": {"limits": {"memory": "512Mi"}},
        "volumeMounts": [],
        **{f"{kind}Probe": PROBE for kind in ("startup", "liveness", "readiness")},
    }
    pod = {
        "serviceAccountName": "storage-exporter",
        "securityContext": CONTEXT,
        "terminationGracePeriodSeconds": 45,
        "containers": [{"name": "another"}, {**usual, **container}],
        "volumes": [],
        "automountServiceAccountToken": False,
        **spec,
    }
    node = Node("token", "ca", ("10.0.0.1", "443"), injected={"AWS_REGION": "from-eks", "AWS_ROLE_ARN": "arn"})
    return Kubelet({"spec": pod}, OBJECTS, final(), node, "pod-0")


def test_the_environment_is_put_together_in_order() -> None:
    """Image, cluster, envFrom, env with references, and EKS where the pod does not say otherwise."""
    env = [
        {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "key"}}},
        {"name": "BOTH", "value": "$(POD)-$(a)-$(NOBODY)-$$(POD)"},
        {"name": "HOME", "value": "/tmp"},
        {"name": "AWS_REGION", "value": "from-the-pod"},
        {"name": "EMPTY"},
    ]
    found = kubelet({"env": env, "envFrom": [{"configMapRef": {"name": "words"}}]}).container().environment
    assert found["BOTH"] == "pod-0-1-$(NOBODY)-$(POD)"
    assert (found["KEY"], found["EMPTY"], found["b"], found["HOME"]) == ("secret", "", "2", "/tmp")
    assert (found["AWS_REGION"], found["AWS_ROLE_ARN"]) == ("from-the-pod", "arn")
    assert (found["KUBERNETES_SERVICE_HOST"], found["HOSTNAME"]) == ("10.0.0.1", "pod-0")
    assert found["PYTHONSAFEPATH"] == "1"


def test_volumes_are_files_or_folders_of_a_size() -> None:
    """Items are renamed, Secrets decoded, the service account's files mounted where the pod wants its token."""
    volumes = [
        {"name": "a", "configMap": {"name": "words", "items": [{"key": "a", "path": "config.yaml"}]}},
        {"name": "b", "secret": {"secretName": "keys", "defaultMode": 0o440}},
        {"name": "c", "emptyDir": {"sizeLimit": "64Mi"}},
    ]
    mounts = [{"name": name, "mountPath": f"/{name}"} for name in "abc"]
    found = kubelet({"volumeMounts": mounts}, volumes=volumes, automountServiceAccountToken=True).container().mounts
    assert [(each.path, each.read_only, each.files, each.size) for each in found] == [
        ("/a", True, {"config.yaml": "1"}, 0),
        ("/b", True, {"key": "secret"}, 0),
        ("/c", False, None, 64 * 2**20),
        (
            "/var/run/secrets/kubernetes.io/serviceaccount",
            True,
            {"token": "token", "ca.crt": "ca", "namespace": "monitoring"},
            0,
        ),
    ]


def test_command_and_arguments_are_the_pods_or_the_images() -> None:
    """`command` stands for ENTRYPOINT, `args` for CMD; references are put in."""
    entry = ["/opt/storage-exporter/bin/python", "-m", "exporter"]
    assert kubelet({}).container().command == [*entry, "run"]
    assert kubelet({"args": ["run", "--on", "$(HOSTNAME)"]}).container().command == [*entry, "run", "--on", "pod-0"]
    assert kubelet({"command": ["sh"], "args": ["-c"]}).container().command == ["sh", "-c"]


def test_identity_probes_and_limits() -> None:
    """The container's security context wins over the pod's; a port is found by its name."""
    found = kubelet({}).container()
    assert (found.user, found.group, found.volumes_group, found.grace) == (65532, 65532, 65532, 45.0)
    assert (found.read_only_root, found.no_new_privileges, found.no_capabilities) == (True, True, True)
    assert found.probes["readinessProbe"] == ("/-/ready", 9116)
    assert found.memory == 512 * 2**20
    other = kubelet({"securityContext": {**OWN, "runAsUser": 7, "capabilities": {"drop": ["NET_RAW"]}}}).container()
    assert (other.user, other.no_capabilities) == (7, False)


@pytest.mark.parametrize(
    ("container", "spec"),
    [
        ({"volumeMounts": [{"name": "a", "mountPath": "/a", "subPath": "x"}]}, {"volumes": [{"name": "a"}]}),
        ({"env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory"}}}]}, {}),
        ({"volumeMounts": [{"name": "a", "mountPath": "/a"}]}, {"volumes": [{"name": "a", "hostPath": {"path": "/"}}]}),
        ({"securityContext": {**OWN, "runAsNonRoot": False}}, {}),
    ],
    ids=["subPath", "resourceFieldRef", "hostPath", "root"],
)
def test_what_it_does_not_know_it_does_not_pass_over(container: dict[str, Any], spec: dict[str, Any]) -> None:
    """A field that were silently left out would be a pod that is not the manifest's."""
    with pytest.raises((AssertionError, KeyError)):
        kubelet(container, **spec).container()


@pytest.mark.parametrize(("text", "size_"), [("2Gi", 2 * 2**30), ("64Mi", 64 * 2**20), ("1M", 10**6), ("7", 7)])
def test_amounts(text: str, size_: int) -> None:
    """As Kubernetes writes them."""
    assert amount(text) == size_


def test_a_part_of_a_lock_can_be_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """As `make venv` does: uv alone, with its hashes, and nothing that it does not need."""
    assert main([str(ROOT / "requirements-dev.lock"), "uv"]) == 0
    printed = capsys.readouterr().out
    assert list(blocks(printed)) == ["uv"]
    assert printed.count("--hash=sha256:") > 10
