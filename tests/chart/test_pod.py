"""The exporter's pod: image, environment, mounts, probes, token; and the pod of `helm test`, which sees the same."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chart.rendering import Object, Values, all_of, one
from tests.chart.rendering import bare as render

ROLE = "arn:aws:iam::123456789012:role/storage-exporter"
CONFIG = "/etc/storage-exporter/config/config.yaml"
PUSHED = {"cluster": "c", "delivery": {"mode": "push", "push": {"url": "http://mimir:8080/api/v1/push"}}}


def template(values: Values | None = None) -> Object:
    """The pod template of the Deployment, or of the first StatefulSet."""
    objects = render(values)
    found = (all_of(objects, "Deployment") + all_of(objects, "StatefulSet"))[0]["spec"]["template"]
    assert isinstance(found, dict)
    return found


def container(values: Values | None = None) -> Object:
    """The exporter's container in it."""
    found = template(values)["spec"]["containers"][0]
    assert isinstance(found, dict)
    return found


def environment(values: Values | None = None) -> dict[str, Any]:
    """Name to value, or to where it comes from; no name is given twice."""
    entries = container(values)["env"]
    names = [each["name"] for each in entries]
    assert len(names) == len(set(names)), names
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in entries}


@pytest.mark.parametrize(
    ("values", "image"),
    [
        ({}, "ghcr.io/officeless/storage-exporter:0.1.0"),
        ({"image": {"tag": "edge"}}, "ghcr.io/officeless/storage-exporter:edge"),
        (
            {"image": {"tag": "edge", "digest": "sha256:" + "a" * 64}},
            "ghcr.io/officeless/storage-exporter@sha256:" + "a" * 64,
        ),
        ({"image": {"registry": ""}}, "officeless/storage-exporter:0.1.0"),
        ({"image": {"registry": "one"}, "global": {"imageRegistry": "two"}}, "two/officeless/storage-exporter:0.1.0"),
        ({"image": {"repository": "a/b"}, "global": {"imageRegistry": "m:5000"}}, "m:5000/a/b:0.1.0"),
    ],
)
def test_one_image_for_all_pods(values: dict[str, Any], image: str) -> None:
    """The digest wins over the tag, the global registry over ours; the test's pod has the same."""
    assert container(values)["image"] == image
    assert one(render(values), "Pod")["spec"]["containers"][0]["image"] == image


def test_secrets_to_pull_with_are_those_of_both_places_once() -> None:
    """Those of the umbrella first, each once."""
    secrets = {"imagePullSecrets": ["a", "b"], "global": {"imagePullSecrets": ["b", "c"]}}
    names = [{"name": name} for name in ("b", "c", "a")]
    assert template(secrets)["spec"]["imagePullSecrets"] == names
    assert one(render(secrets), "Pod")["spec"]["imagePullSecrets"] == names
    assert "imagePullSecrets" not in template()["spec"]


@pytest.mark.parametrize(
    ("aws", "expected"),
    [
        ({}, {"AWS_EC2_METADATA_DISABLED": "true", "AWS_STS_REGIONAL_ENDPOINTS": "regional"}),
        (
            {"identity": "irsa", "roleArn": ROLE},
            {"AWS_EC2_METADATA_DISABLED": "true", "AWS_STS_REGIONAL_ENDPOINTS": "regional"},
        ),
        ({"identity": "none", "stsRegional": False}, {"AWS_EC2_METADATA_DISABLED": "false"}),
        (
            {"region": "ap-southeast-3", "fips": True, "stsRegional": False},
            {
                "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_REGION": "ap-southeast-3",
                "AWS_DEFAULT_REGION": "ap-southeast-3",
                "AWS_USE_FIPS_ENDPOINT": "true",
            },
        ),
        (
            {"identity": "secret", "existingSecret": {"name": "keys"}, "stsRegional": False},
            {
                "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_ACCESS_KEY_ID": {"secretKeyRef": {"name": "keys", "key": "aws_access_key_id"}},
                "AWS_SECRET_ACCESS_KEY": {"secretKeyRef": {"name": "keys", "key": "aws_secret_access_key"}},
            },
        ),
        (
            {
                "identity": "secret",
                "stsRegional": False,
                "existingSecret": {
                    "name": "keys",
                    "accessKeyIdKey": "id",
                    "secretAccessKeyKey": "key",
                    "sessionTokenKey": "token",
                },
            },
            {
                "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_ACCESS_KEY_ID": {"secretKeyRef": {"name": "keys", "key": "id"}},
                "AWS_SECRET_ACCESS_KEY": {"secretKeyRef": {"name": "keys", "key": "key"}},
                "AWS_SESSION_TOKEN": {"secretKeyRef": {"name": "keys", "key": "token"}},
            },
        ),
    ],
)
def test_what_the_sdk_is_told(aws: dict[str, Any], expected: dict[str, Any]) -> None:
    """Exactly these variables of AWS; the node's role is out of reach but where nothing else is wanted."""
    found = environment({"aws": aws})
    assert {name: value for name, value in found.items() if name.startswith("AWS_")} == expected


def test_the_pod_knows_its_name() -> None:
    """Name, namespace and uid come from the pod itself."""
    paths = {name: value["fieldRef"]["fieldPath"] for name, value in environment().items() if name.startswith("POD_")}
    assert paths == {"POD_NAME": "metadata.name", "POD_NAMESPACE": "metadata.namespace", "POD_UID": "metadata.uid"}


def test_environment_of_the_users_takes_the_place_of_ours() -> None:
    """Last, and the one of that name: server-side apply refuses a name that is given twice."""
    extra = [{"name": "AWS_EC2_METADATA_DISABLED", "value": "false"}, {"name": "X", "value": "$(POD_NAME)"}]
    sources = [{"secretRef": {"name": "more"}}]
    found = container({"extraEnv": extra, "extraEnvFrom": sources})
    assert environment({"extraEnv": extra, "extraEnvFrom": sources})["AWS_EC2_METADATA_DISABLED"] == "false"
    assert found["env"][-2:] == extra
    assert found["envFrom"] == sources
    assert "envFrom" not in container()


def test_the_command_reads_the_mounted_file() -> None:
    """The entry point is the image's; more arguments come last."""
    found = container({"extraArgs": ["--more"]})
    assert found["args"] == ["run", "--config", CONFIG, "--more"]
    assert "command" not in found
    assert container()["args"] == ["run", "--config", CONFIG]


def test_what_is_mounted_where() -> None:
    """The configuration as a directory, sized places to write, each Secret in its own directory, the user's last."""
    values = {
        "secretFiles": ["mimir", "web"],
        "extraVolumes": [{"name": "x", "emptyDir": {}}],
        "extraVolumeMounts": [{"name": "x", "mountPath": "/x"}],
        "dataVolume": {"sizeLimit": "3Gi"},
        "tmpVolume": {"sizeLimit": "5Mi"},
    }
    spec = template(values)["spec"]
    volumes = {each.pop("name"): each for each in spec["volumes"]}
    assert volumes["config"]["configMap"] == {
        "name": "storage-exporter-config",
        "items": [{"key": "config.yaml", "path": "config.yaml"}],
    }
    assert volumes["data"] == {"emptyDir": {"sizeLimit": "3Gi"}}
    assert volumes["tmp"] == {"emptyDir": {"sizeLimit": "5Mi"}}
    assert [volumes[name]["secret"]["secretName"] for name in ("secret-0", "secret-1")] == ["mimir", "web"]
    assert volumes["secret-0"]["secret"]["defaultMode"] == 0o440
    mounts = {each["name"]: each["mountPath"] for each in spec["containers"][0]["volumeMounts"]}
    assert mounts == {
        "config": "/etc/storage-exporter/config",
        "data": "/var/lib/storage-exporter",
        "tmp": "/tmp",
        "secret-0": "/etc/storage-exporter/secrets/mimir",
        "secret-1": "/etc/storage-exporter/secrets/web",
        "x": "/x",
    }
    assert set(volumes) == set(mounts)
    assert not [each for each in spec["containers"][0]["volumeMounts"] if "subPath" in each]


def test_a_configmap_of_the_users_is_mounted_in_our_files_place() -> None:
    """Its key becomes config.yaml; nothing rolls the pods, for the exporter reads it again by itself."""
    found = template({"existingConfigMap": {"name": "theirs", "key": "exporter.yml"}})
    volume = next(each for each in found["spec"]["volumes"] if each["name"] == "config")
    assert volume["configMap"] == {"name": "theirs", "items": [{"key": "exporter.yml", "path": "config.yaml"}]}
    assert "checksum/config" not in found["metadata"]["annotations"]


def test_pods_are_rolled_by_what_the_configuration_says() -> None:
    """Its values, also those that are derived; and nothing else."""

    def checksum(values: Values) -> str:
        return str(template(values)["metadata"]["annotations"]["checksum/config"])

    same: list[Values] = [{}, {"config": {}}, {"podLabels": {"a": "b"}}, {"resources": {"limits": {"memory": "1Gi"}}}]
    others: list[Values] = [{"config": {"cluster": "c"}}, {"config": {"cluster": "d"}}, {"port": 9117}, {"replicas": 1}]
    assert len({checksum(values) for values in same}) == 1
    assert len({checksum(values) for values in [{}, *others]}) == len(others) + 1


def test_probes_ask_for_life_and_for_readiness() -> None:
    """Starting and living are one question, being ready another."""
    found = container({"livenessProbe": {"periodSeconds": 11}})
    healthy = {"httpGet": {"path": "/-/healthy", "port": "metrics"}}
    ready = {"httpGet": {"path": "/-/ready", "port": "metrics"}}
    assert found["startupProbe"] == {**healthy, "periodSeconds": 2, "failureThreshold": 60, "timeoutSeconds": 5}
    assert found["livenessProbe"] == {**healthy, "periodSeconds": 11, "failureThreshold": 6, "timeoutSeconds": 5}
    assert found["readinessProbe"] == {**ready, "periodSeconds": 5, "failureThreshold": 3, "timeoutSeconds": 5}
    assert container({"port": 8080})["ports"] == [{"name": "metrics", "containerPort": 8080, "protocol": "TCP"}]


def test_probes_look_at_the_port_where_a_password_may_be_asked_for() -> None:
    """A web configuration file may want TLS or a user, which the kubelet does not know."""
    found = container({"config": {"web": {"config_file": "/etc/storage-exporter/secrets/web/web.yaml"}}})
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert found[probe]["tcpSocket"] == {"port": "metrics"}
        assert "httpGet" not in found[probe]


@pytest.mark.parametrize(
    ("values", "mounted"),
    [
        ({}, True),
        ({"replicas": 1}, True),
        ({"config": {"kubernetes": {"enabled": False}}}, True),
        ({"replicas": 1, "config": {"kubernetes": {"enabled": False}}}, False),
        ({"replicas": 1, "config": {"kubernetes": {"enabled": "${READ}"}}}, True),
        ({"replicas": 1, "existingConfigMap": {"name": "theirs"}}, True),
        ({"mode": "shards", "config": {"kubernetes": {"enabled": False}}}, False),
        ({"mode": "shards", "shards": {"sets": 2}, "config": {"kubernetes": {"enabled": False}}}, True),
    ],
)
def test_the_token_is_mounted_where_kubernetes_is_spoken_to(values: dict[str, Any], *, mounted: bool) -> None:
    """To read claims or to hold a Lease; the account itself gives no pod one, nor does the test's pod have one."""
    assert template(values)["spec"]["automountServiceAccountToken"] is mounted
    objects = render(values)
    assert one(objects, "ServiceAccount")["automountServiceAccountToken"] is False
    assert one(objects, "Pod")["spec"]["automountServiceAccountToken"] is False


def test_scraping_by_annotations_is_said_on_the_pods() -> None:
    """Where nothing is pushed, and not where monitors do it."""
    wanted = {"prometheus.io/scrape": "true", "prometheus.io/port": "9117", "prometheus.io/path": "/metrics"}
    by = {"scrape": {"by": "annotations"}, "port": 9117}
    assert wanted.items() <= template(by)["metadata"]["annotations"].items()
    mine = {"podAnnotations": {"prometheus.io/path": "/other"}}
    assert template({**by, **mine})["metadata"]["annotations"]["prometheus.io/path"] == "/other"
    for other in ({**by, "config": PUSHED}, {"scrape": {"by": "none"}}, {}):
        assert not [key for key in template(other)["metadata"]["annotations"] if key.startswith("prometheus.io")]


def test_labels_and_annotations_of_pods() -> None:
    """Those of the selector and the user's; none that a new chart with the same image would change."""
    values = {
        "podLabels": {"team": "storage"},
        "commonLabels": {"all": "1", "team": "other"},
        "podAnnotations": {"a": "1"},
        "commonAnnotations": {"a": "2", "b": "3"},
    }
    found = template(values)["metadata"]
    assert found["labels"] == {
        "app.kubernetes.io/name": "storage-exporter",
        "app.kubernetes.io/instance": "storage-exporter",
        "app.kubernetes.io/component": "exporter",
        "team": "storage",
        "all": "1",
    }
    assert (found["annotations"]["a"], found["annotations"]["b"]) == ("1", "3")
    assert found["annotations"]["kubectl.kubernetes.io/default-container"] == "storage-exporter"


def test_everything_about_where_it_runs_is_the_users() -> None:
    """Each key of scheduling, DNS and the rest of the pod arrives as it is; empty ones are not rendered."""
    given: dict[str, Any] = {
        "priorityClassName": "high",
        "nodeSelector": {"kubernetes.io/arch": "arm64"},
        "tolerations": [{"key": "a", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
        "dnsPolicy": "None",
        "dnsConfig": {"nameservers": ["169.254.20.10"]},
        "terminationGracePeriodSeconds": 60,
    }
    spec = template(given)["spec"]
    assert {key: spec[key] for key in given} == given
    plain = template()["spec"]
    assert not set(given) & set(plain) - {"terminationGracePeriodSeconds"}
    assert plain["terminationGracePeriodSeconds"] == 45
    assert plain["enableServiceLinks"] is False
    more = {"extraContainers": [{"name": "b", "image": "b"}], "extraInitContainers": [{"name": "c", "image": "c"}]}
    spec = template(more)["spec"]
    assert [each["name"] for each in spec["containers"]] == ["storage-exporter", "b"]
    assert spec["initContainers"] == more["extraInitContainers"]
    assert container({"image": {"pullPolicy": "Always"}})["imagePullPolicy"] == "Always"


def test_pods_are_spread_by_a_selector_of_their_own() -> None:
    """A constraint without a selector gets ours, of one revision; one with a selector is left alone."""
    ours = {
        "app.kubernetes.io/name": "storage-exporter",
        "app.kubernetes.io/instance": "storage-exporter",
        "app.kubernetes.io/component": "exporter",
    }
    shipped = template()["spec"]["topologySpreadConstraints"]
    assert [each["topologyKey"] for each in shipped] == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
    for each in shipped:
        assert each["labelSelector"] == {"matchLabels": ours}
        assert each["matchLabelKeys"] == ["pod-template-hash"]
        assert each["whenUnsatisfiable"] == "ScheduleAnyway"
    for each in template({"mode": "shards"})["spec"]["topologySpreadConstraints"]:
        assert each["labelSelector"] == {"matchLabels": ours}
        assert "matchLabelKeys" not in each
    mine = {"maxSkew": 2, "topologyKey": "k", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {}}
    assert template({"topologySpreadConstraints": [mine]})["spec"]["topologySpreadConstraints"] == [mine]
    keys = {"maxSkew": 1, "topologyKey": "k", "whenUnsatisfiable": "DoNotSchedule", "matchLabelKeys": ["revision"]}
    [zone] = template({"topologySpreadConstraints": [keys]})["spec"]["topologySpreadConstraints"]
    assert zone == {**keys, "labelSelector": {"matchLabels": ours}}
    assert "topologySpreadConstraints" not in template({"topologySpreadConstraints": []})["spec"]


def test_the_tests_pod_checks_what_the_exporter_reads() -> None:
    """The same environment, mounts and restrictions; it is no target of the Service, and its data is its own."""
    values: dict[str, Any] = {
        "priorityClassName": "high",
        "secretFiles": ["mimir"],
        "extraEnvFrom": [{"secretRef": {"name": "s"}}],
        "persistence": {"enabled": True},
    }
    values |= {"nodeSelector": {"a": "b"}, "tolerations": [{"operator": "Exists"}], "test": {"annotations": {"a": "b"}}}
    values |= {"dnsPolicy": "Default", "dnsConfig": {"options": [{"name": "ndots", "value": "2"}]}}
    objects = render(values)
    pod, main = one(objects, "Pod"), one(objects, "StatefulSet")["spec"]["template"]["spec"]
    spec = pod["spec"]
    [check], exporter = spec["containers"], main["containers"][0]
    assert check["args"] == ["check", "--config", CONFIG]
    for key in ("image", "env", "envFrom", "volumeMounts", "securityContext", "resources", "imagePullPolicy"):
        assert check[key] == exporter[key], key
    for key in ("serviceAccountName", "securityContext", "priorityClassName", "nodeSelector", "tolerations"):
        assert spec[key] == main[key], key
    for key in ("dnsPolicy", "dnsConfig", "enableServiceLinks"):
        assert spec[key] == main[key], key
    assert [each for each in spec["volumes"] if each["name"] != "data"] == main["volumes"]
    assert {"name": "data", "emptyDir": {"sizeLimit": "2Gi"}} in spec["volumes"]
    assert spec["restartPolicy"] == "Never"
    assert pod["metadata"]["name"] == "storage-exporter-test-check"
    assert pod["metadata"]["annotations"] == {
        "helm.sh/hook": "test",
        "helm.sh/hook-delete-policy": "before-hook-creation,hook-succeeded",
        "a": "b",
    }
    selector = one(objects, "Service", "storage-exporter")["spec"]["selector"]
    assert not selector.items() <= pod["metadata"]["labels"].items()
    assert not all_of(render({"test": {"enabled": False}}), "Pod")


def test_pods_of_hooks_are_marked_and_placed_as_the_exporters() -> None:
    """A mesh, a policy or a set of nodes is chosen by labels, annotations and node affinity: else hooks would hang."""
    node: dict[str, Any] = {
        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchFields": []}]}
    }
    apart: dict[str, Any] = {"preferredDuringSchedulingIgnoredDuringExecution": []}
    objects = render(
        {
            "config": {"rules": {"mimir": {"url": "http://mimir-ruler:8080"}}},
            "rules": {"mimir": {"delivery": "sync"}, "sync": {"prune": True}},
            "podLabels": {"mesh": "off"},
            "podAnnotations": {"mesh": "off", "who": "pod"},
            "commonAnnotations": {"who": "all", "owner": "x"},
            "affinity": {"nodeAffinity": node, "podAntiAffinity": apart},
        }
    )
    jobs = [each["spec"]["template"] for each in all_of(objects, "Job")]
    assert len(jobs) == 2
    for pod in (*jobs, one(objects, "Pod")):
        assert pod["metadata"]["labels"]["mesh"] == "off"
        assert {"mesh": "off", "who": "pod", "owner": "x"}.items() <= pod["metadata"]["annotations"].items()
        assert pod["spec"]["affinity"] == {"nodeAffinity": node}
    bare = render({"dashboards": {"enabled": False}})
    assert "affinity" not in one(bare, "Pod")["spec"]
