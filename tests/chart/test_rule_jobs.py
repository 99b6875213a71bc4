"""The hook Jobs that speak the rulers' API: when they run, as whom, and what they are told."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner

from exporter.cli import main
from tests.chart.rendering import HelmError, Object, all_of, one, render

RULERS = {"mimir": {"url": "http://mimir-ruler:8080", "tenant": "a"}, "loki": {"url": "http://loki-ruler:3100"}}
SYNC, PRUNE = "storage-exporter-rules-sync", "storage-exporter-rules-prune"


def values(*targets: str, rulers: Any = RULERS, **more: Any) -> dict[str, Any]:
    delivery = {name: {"delivery": "sync" if name in targets else "none"} for name in ("mimir", "loki")}
    sync = {"prune": True, **more.pop("sync", {})}
    return {
        "dashboards": {"enabled": False},
        "scrape": {"by": "none"},
        "rules": {**delivery, "sync": sync},
        "config": {"rules": rulers},
        **more,
    }


def container(job: Object) -> dict[str, Any]:
    (only,) = job["spec"]["template"]["spec"]["containers"]
    assert isinstance(only, dict)
    return only


@pytest.mark.parametrize(
    ("targets", "only"),
    [(("mimir",), ["--only", "mimir"]), (("loki",), ["--only", "loki"]), (("mimir", "loki"), [])],
)
def test_a_job_speaks_to_the_rulers_that_are_synced(targets: tuple[str, ...], only: list[str]) -> None:
    """And to no other that the configuration has besides; pruning is the same command."""
    objects = render(values(*targets))
    begins = ["rules", "sync", "--config", "/etc/storage-exporter/config/config.yaml"]
    assert container(one(objects, "Job", SYNC))["args"] == [*begins, *only]
    assert container(one(objects, "Job", PRUNE))["args"] == [*begins, "--prune", *only]
    assert not all_of(objects, "PrometheusRule")


def test_the_command_knows_the_arguments() -> None:
    """Where an option is called otherwise one day, the Job would fail in the cluster only."""
    for name in (SYNC, PRUNE):
        words = container(one(render(values("mimir")), "Job", name))["args"]
        known = CliRunner().invoke(main, [*words, "--help"])
        assert known.exit_code == 0, known.output
        assert "rules sync [OPTIONS]" in known.output
    assert CliRunner().invoke(main, ["rules", "sync", "--nope", "--help"]).exit_code == 2


def test_when_they_run() -> None:
    """After what they need is there, and before it goes; a failed one stays, to be read, until the next."""
    objects = render(values("mimir"))
    hooks = {name: one(objects, "Job", name)["metadata"]["annotations"] for name in (SYNC, PRUNE)}
    assert hooks[SYNC]["helm.sh/hook"] == "post-install,post-upgrade"
    assert hooks[PRUNE]["helm.sh/hook"] == "pre-delete"
    for said in hooks.values():
        assert said["helm.sh/hook-delete-policy"] == "before-hook-creation,hook-succeeded"
        assert said["helm.sh/hook-weight"] == "10"


def test_argo_takes_them_for_its_own() -> None:
    """By annotations, beside Helm's or in their place; on that of the prune they would take the rules away at once."""
    argo = {"argocd.argoproj.io/hook": "PostSync", "helm.sh/hook-weight": "3"}
    objects = render(values("mimir", sync={"annotations": argo}))
    found = one(objects, "Job", SYNC)["metadata"]["annotations"]
    assert argo.items() <= found.items()
    assert found["helm.sh/hook"] == "post-install,post-upgrade"
    assert not argo.items() & one(objects, "Job", PRUNE)["metadata"]["annotations"].items()


@pytest.mark.parametrize("persistent", [False, True])
def test_they_see_what_the_exporter_sees(persistent: bool) -> None:
    """The same image, environment, secrets and configuration; no volume of its own data, and no token."""
    more = {
        "persistence": {"enabled": persistent},
        "secretFiles": ["ruler"],
        "extraEnv": [{"name": "TENANT", "value": "x"}],
        "extraEnvFrom": [{"secretRef": {"name": "env"}}],
        "imagePullSecrets": ["pull"],
        "tolerations": [{"key": "a", "operator": "Exists"}],
        "nodeSelector": {"a": "b"},
        "priorityClassName": "high",
        "dnsPolicy": "Default",
        "dnsConfig": {"options": [{"name": "ndots", "value": "2"}]},
    }
    objects = render(values("mimir", **more))
    pod = one(objects, "StatefulSet" if persistent else "Deployment")["spec"]["template"]["spec"]
    for name in (SYNC, PRUNE):
        job = one(objects, "Job", name)["spec"]["template"]["spec"]
        for key in ("securityContext", "serviceAccountName", "imagePullSecrets", "tolerations", "nodeSelector"):
            assert job[key] == pod[key], key
        for key in ("priorityClassName", "dnsPolicy", "dnsConfig", "enableServiceLinks"):
            assert job[key] == pod[key], key
        (ours,) = job["containers"]
        (theirs,) = pod["containers"]
        for key in ("image", "imagePullPolicy", "env", "envFrom", "volumeMounts", "securityContext", "resources"):
            assert ours[key] == theirs[key], key
        assert {each["name"] for each in job["volumes"]} == {each["name"] for each in ours["volumeMounts"]}
        assert not [each for each in job["volumes"] if "persistentVolumeClaim" in each]
        assert job["automountServiceAccountToken"] is False
        assert job["restartPolicy"] == "Never"


def test_attempts_and_time_are_the_values() -> None:
    """A ruler that is not there yet is tried again; helm waits no longer than it is told."""
    found = one(render(values("mimir", sync={"backoffLimit": 1, "activeDeadlineSeconds": 60})), "Job", SYNC)["spec"]
    assert (found["backoffLimit"], found["activeDeadlineSeconds"]) == (1, 60)


def test_no_service_takes_a_jobs_pod_for_the_exporter() -> None:
    """Nor the budget: it would count one pod too many. A network policy does, by name and instance."""
    objects = render(values("mimir"))
    labels = one(objects, "Job", SYNC)["spec"]["template"]["metadata"]["labels"].items()
    for service in all_of(objects, "Service"):
        assert not service["spec"]["selector"].items() <= labels
    for each in (*all_of(objects, "PodDisruptionBudget"), *all_of(objects, "Deployment")):
        assert not each["spec"]["selector"]["matchLabels"].items() <= labels
    assert {
        ("app.kubernetes.io/name", "storage-exporter"),
        ("app.kubernetes.io/instance", "storage-exporter"),
    } <= labels


def test_none_where_nothing_is_synced() -> None:
    """A pruning hook alone would delete rules that something else put there."""
    assert not all_of(render(values()), "Job")
    alone = all_of(render(values("mimir", sync={"prune": False})), "Job")
    assert [each["metadata"]["name"] for each in alone] == [SYNC]


@pytest.mark.parametrize("target", ["mimir", "loki"])
@pytest.mark.parametrize("rulers", [{}, {"mimir": {}, "loki": {}}])
def test_a_ruler_without_an_address_is_refused(target: str, rulers: dict[str, Any]) -> None:
    """The Job could only fail, after the release is installed."""
    with pytest.raises(HelmError) as refused:
        render(values(target, rulers=rulers))
    assert f"config.rules.{target}" in str(refused.value)


def test_a_configuration_that_is_not_ours_is_trusted() -> None:
    """The chart cannot read a ConfigMap of the user's; the Job says what is missing."""
    given = {"existingConfigMap": {"name": "mine", "key": "x.yaml"}, "config": {}}
    job = one(render(values("mimir", **given)), "Job", SYNC)
    (config,) = [each for each in job["spec"]["template"]["spec"]["volumes"] if each["name"] == "config"]
    assert config["configMap"]["name"] == "mine"
    assert config["configMap"]["items"] == [{"key": "x.yaml", "path": "config.yaml"}]
