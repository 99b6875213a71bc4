"""What the chart derives of the configuration: the ConfigMap's text, read by the program (`exporter.config`)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.config import Config, parse
from exporter.replica import elects
from tests.chart.rendering import CHART, KUBERNETES, RELEASE, Values, all_of, helm, one, parsed
from tests.chart.rendering import bare as render

ROLE = "arn:aws:iam::123456789012:role/storage-exporter"
MIMIR = {"url": "http://mimir:8080/api/v1/push"}
PUSH = {"cluster": "c", "delivery": {"mode": "push", "push": MIMIR}}


def text(values: Values | None = None, **options: Any) -> str:
    """The text of the rendered ConfigMap."""
    objects = render(values, **options)
    name = one(all_of(objects, "ServiceAccount"), "ServiceAccount")["metadata"]["name"]
    data = one(objects, "ConfigMap", f"{name}-config")["data"]
    assert list(data) == ["config.yaml"]
    return str(data["config.yaml"])


def read(values: Values | None = None, environ: Mapping[str, str] | None = None, **options: Any) -> Config:
    """The rendered configuration as the program reads it."""
    return parse(text(values, **options), environ or {}, "rendered")


def test_an_empty_config_has_what_the_defaults_say() -> None:
    """Two replicas elect, by a Lease of the full name, with Pod Identity; the rest is the program's."""
    found = read()
    assert found.web.listen == ":9116"
    assert found.identity.provider == "pod-identity"
    assert found.identity.role is None
    assert found.kubernetes.leader_election is True
    assert found.kubernetes.lease.name == "storage-exporter"
    assert found.kubernetes.enabled == "auto"
    assert yaml.safe_load(text()) == {
        "identity": {"provider": "pod-identity"},
        "kubernetes": {"leader_election": True, "lease": {"name": "storage-exporter"}},
        "web": {"listen": ":9116"},
    }


@pytest.mark.parametrize(
    ("aws", "provider"),
    [
        ({"identity": "podIdentity"}, "pod-identity"),
        ({"identity": "irsa", "roleArn": ROLE}, "irsa"),
        ({"identity": "secret", "existingSecret": {"name": "keys"}}, "static"),
        ({"identity": "none"}, "auto"),
    ],
)
def test_each_identity_is_the_programs_provider(aws: dict[str, Any], provider: str) -> None:
    """Each way of the chart is a provider the program knows."""
    assert read({"aws": aws}).identity.provider == provider


@pytest.mark.parametrize("identity", ["podIdentity", "irsa", "none"])
def test_the_role_is_the_one_the_exporter_insists_on(identity: str) -> None:
    """aws.roleArn becomes identity.role whatever the way."""
    assert read({"aws": {"identity": identity, "roleArn": ROLE}}).identity.role == ROLE


@pytest.mark.parametrize(
    ("values", "elected"),
    [
        ({"replicas": 0}, False),
        ({"replicas": 1}, False),
        ({"replicas": 2}, True),
        ({"replicas": 3}, True),
        ({"mode": "shards", "shards": {"total": 3, "sets": 1}}, False),
        ({"mode": "shards", "shards": {"total": 3, "sets": 2}}, True),
        ({"mode": "shards", "shards": {"total": 1, "sets": 2}}, True),
        ({"mode": "shards", "replicas": 1, "shards": {"sets": 2}}, True),
        ({"config": {"kubernetes": {"enabled": False}}}, True),
        ({"replicas": 1, "config": {"kubernetes": {"enabled": False}}}, False),
        ({"config": {"kubernetes": {"enabled": True}}}, True),
    ],
)
def test_there_is_an_election_where_an_ordinal_has_a_second_replica(values: dict[str, Any], *, elected: bool) -> None:
    """Said outright, so that the program's `auto` is never asked: it is off where claims are not read."""
    found = read(values).kubernetes
    assert found.leader_election is elected
    assert elects(found, in_pod=True) is elected


@pytest.mark.parametrize(("total", "mode"), [(1, "leader"), (2, "shards"), (7, "shards")])
def test_shards_are_as_many_as_there_are_ordinals(total: int, mode: str) -> None:
    """shards.total is written in mode shards only; each pod finds its ordinal in its name."""
    found = read({"mode": mode, "shards": {"total": total}})
    assert found.shards.total == total
    assert found.shards.ordinal == "auto"
    assert ("shards:" in text({"mode": mode, "shards": {"total": total}})) is (mode == "shards")


def test_the_port_and_the_lease_follow_the_values() -> None:
    """The port is listened on; the Lease has the full name, cut as objects' names are."""
    found = read({"port": 8080, "fullnameOverride": "n" * 60})
    assert found.web.listen == ":8080"
    assert found.web.address() == ("", 8080)
    assert found.kubernetes.lease.name == "n" * 50


@pytest.mark.parametrize(
    ("given", "nvme", "covered"),
    [
        ({}, False, ()),
        ({}, True, ("ebs-nvme",)),
        ({"covered": ["ebs-nvme"]}, False, ("ebs-nvme",)),
        ({"covered": ["ebs-nvme"]}, True, ("ebs-nvme",)),
        ({"covered": []}, True, ("ebs-nvme",)),
        ({"covered": None}, True, ("ebs-nvme",)),
    ],
)
def test_the_drivers_metrics_are_covered_once(given: dict[str, Any], covered: tuple[str, ...], *, nvme: bool) -> None:
    """Whoever says it, and twice is once."""
    assert read({"config": given, "sources": {"ebsCsiNvme": nvme}}).covered == covered


def test_what_the_user_gives_stays_beside_what_is_derived() -> None:
    """Keys of sections that the chart writes into, false and 0 among them, lists, and durations keep their values."""
    given = {
        "cluster": "production",
        "scopes": [{"regions": ["ap-southeast-3"], "roles": [{"arn": ROLE, "external_id": "0123456789"}]}],
        "web": {"config_file": "/etc/storage-exporter/secrets/web/web.yaml"},
        "kubernetes": {"pods": False, "csi_drivers": True, "lease": {"duration": "30s", "retry_period": 3}},
        "budget": {"dollars_per_month": 0},
        "limits": {"max_series": 2_000_000, "get_metric_data_per_second": 0.5},
        "services": {"s3": {"enabled": False}},
        "delivery": {"mode": "push", "push": {**MIMIR, "outbox": {"max_bytes": 107374182400}}},
        "tags": ["team", "0123", "true"],
    }
    found = read({"config": given})
    assert (found.cluster, found.tags) == ("production", ("team", "0123", "true"))
    assert found.scopes[0].roles[0].external_id == "0123456789"
    assert found.web.config_file == "/etc/storage-exporter/secrets/web/web.yaml"
    assert (found.kubernetes.pods, found.kubernetes.csi_drivers) == (False, True)
    assert (found.kubernetes.lease.duration, found.kubernetes.lease.retry_period) == (30, 3)
    assert found.kubernetes.lease.name == "storage-exporter"
    assert found.budget.dollars_per_month == 0
    assert (found.limits.max_series, found.limits.get_metric_data_per_second) == (2_000_000, 0.5)
    assert found.services.s3.enabled is False
    assert found.delivery.push is not None
    assert found.delivery.push.outbox.max_bytes == 107_374_182_400


@pytest.mark.parametrize("empty", [None, {}])
def test_a_section_without_keys_is_as_if_it_were_not_there(empty: object) -> None:
    """What is left of an older values file does not stop the chart."""
    sections = ("web", "identity", "shards", "kubernetes", "delivery", "services")
    assert read({"config": dict.fromkeys(sections, empty)}) == read()


def test_keys_without_values_are_as_if_they_were_not_there() -> None:
    """Also those that the chart writes: nothing is said twice by saying nothing (the schema is stricter)."""
    given = {
        "web": {"listen": None, "config_file": None},
        "identity": {"provider": None, "role": None},
        "kubernetes": {"leader_election": None, "lease": None, "url": None},
        "delivery": {"push": None},
    }
    options = ("--kube-version", KUBERNETES, "--skip-schema-validation", "--values", "-")
    objects = parsed(helm("template", RELEASE, CHART, *options, text=json.dumps({"config": given})))
    found = one(objects, "ConfigMap", "storage-exporter-config")["data"]["config.yaml"]
    assert parse(found, {}, "rendered") == read()


def test_variables_are_left_to_the_program() -> None:
    """`${VAR}`, `$${` and a group of a pattern reach the file as they are, and helm's braces are text."""
    given = {
        **PUSH,
        "cluster": "${CLUSTER:-none}",
        "services": {"s3": {"components": {"officeless-(?P<component>[a-z-]+)-x": "${component}"}}},
    }
    rendered = yaml.safe_load(text({"config": given}))
    assert rendered["cluster"] == "${CLUSTER:-none}"
    assert rendered["services"] == given["services"]
    assert read({"config": given}, {"CLUSTER": "production"}).cluster == "production"
    assert read({"config": {"cluster": "{{ .Release.Name }}"}}).cluster == "{{ .Release.Name }}"


_TRICKY = [
    "yes",
    "on",
    "null",
    "~",
    "0123",
    "0o17",
    "1e3",
    "1_000",
    "12:30:45",
    "2024-01-01",
    "- x",
    "a: b",
    "#x",
    "x #y",
]
_TRICKY += ["", " ", "'", '"', "\\", "&a", "*a", "!t", "%", "@", "`", "{", "[", "?", "=", "<<", ".inf", "0x1F", "é€"]
_WORDS = st.sampled_from(_TRICKY) | st.text(
    st.characters(max_codepoint=0xD7FF, exclude_categories=("C", "Z"), exclude_characters="$"), max_size=20
)


@settings(max_examples=10, deadline=None)
@given(st.lists(_WORDS, min_size=20, max_size=60), st.lists(st.integers(2**20, 2**50), min_size=1, max_size=1))
def test_texts_and_numbers_arrive_as_they_were_given(words: list[str], sizes: list[int]) -> None:
    """YAML of helm, read by the program: a text is that text whatever it looks like, numbers are exact."""
    labels = {f"label_{index}": word for index, word in enumerate(words)}
    push = {"url": "http://mimir", "external_labels": labels, "outbox": {"max_bytes": sizes[0]}}
    found = read({"config": {"cluster": words[0] or "c", "delivery": {"mode": "push", "push": push}}})
    assert found.delivery.push is not None
    assert dict(found.delivery.push.external_labels) == labels
    assert found.delivery.push.outbox.max_bytes == sizes[0]


def test_texts_that_look_like_something_else_stay_texts() -> None:
    """Each text that YAML takes for a number, a date, a flag or nothing."""
    labels = {f"label_{index}": word for index, word in enumerate(_TRICKY)}
    found = read(
        {
            "config": {
                "cluster": "0123",
                "delivery": {"mode": "push", "push": {"url": "http://mimir", "external_labels": labels}},
            }
        }
    )
    assert found.cluster == "0123"
    assert found.delivery.push is not None
    assert dict(found.delivery.push.external_labels) == labels
