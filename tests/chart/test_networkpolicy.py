"""Network policies: what the pods may reach by them, asked of both flavors as a packet would ask."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from tests.chart.partial import partial
from tests.chart.rendering import Object, all_of, bare, one, render

FLAVORS = {"kubernetes": "NetworkPolicy", "cilium": "CiliumNetworkPolicy"}
PUSH = {
    "cluster": "production",
    "delivery": {"mode": "push", "push": {"url": "http://mimir.mimir:8080/api/v1/push"}},
}
SYNC = {"rules": {"loki": {"url": "http://loki.loki:3100"}}}
ROLE = "arn:aws:iam::123456789012:role/storage-exporter"

AGENT, AGENT_6, INSTANCE = "169.254.170.23", "fd00:ec2::23", "169.254.169.254"
AWS = "52.95.110.1"
MIMIR = {"kubernetes.io/metadata.name": "mimir"}


Policy = Callable[..., Object]


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Policy:
    """The one policy that a flavor and values render; `network` are the values of networkPolicy."""
    chart = partial(tmp_path_factory.mktemp("policies") / "chart", ["networkpolicy.yaml"])

    def rendered(flavor: str, **values: Any) -> Object:
        network = {"enabled": True, "flavor": flavor, **values.pop("network", {})}
        (found,) = render({**values, "networkPolicy": network}, chart=chart)
        assert found["kind"] == FLAVORS[flavor]
        return found

    return rendered


def reaches(
    found: Object, address: str, port: int, protocol: str = "TCP", pod: Mapping[str, str] | None = None
) -> bool:
    """
    Whether a packet leaves.

    Args:
        found: the policy.

        address: where it goes.

        port: of the target.

        protocol: TCP or UDP.

        pod: labels of the namespace, where the target is a pod of the cluster.
    """
    rules: Sequence[Any] = found["spec"]["egress"]
    if found["kind"] == "NetworkPolicy":
        return any(_open(rule.get("ports"), port, protocol) and _peer(rule.get("to"), address, pod) for rule in rules)
    return any(
        any(_open(opened["ports"], port, protocol) for opened in rule["toPorts"]) and _endpoint(rule, address, pod)
        for rule in rules
    )


def _open(ports: Sequence[Any] | None, port: int, protocol: str) -> bool:
    return ports is None or any(int(each["port"]) == port and each["protocol"] in (protocol, "ANY") for each in ports)


def _within(address: str, network: str) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(network)


def _selected(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    for each in selector.get("matchExpressions", ()):
        assert each["operator"] == "Exists"
        if each["key"] not in labels:
            return False
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())


def _peer(peers: Sequence[Any] | None, address: str, pod: Mapping[str, str] | None) -> bool:
    if not peers:
        return True
    return any(
        _within(address, peer["ipBlock"]["cidr"])
        if "ipBlock" in peer
        else pod is not None and _selected(peer["namespaceSelector"], pod)
        for peer in peers
    )


def _entities(address: str, pod: Mapping[str, str] | None) -> set[str]:
    """What Cilium calls a target: the node's own addresses are `host`, and never a network."""
    if address in (AGENT, AGENT_6):
        return {"host", "cluster"}
    if address.startswith("10.100.0.1"):
        return {"kube-apiserver"}
    return {"cluster"} if pod is not None else {"world"}


def _endpoint(rule: Mapping[str, Any], address: str, pod: Mapping[str, str] | None) -> bool:
    entities = _entities(address, pod)
    if set(rule.get("toEntities", ())) & entities:
        return True
    if "world" in entities and any(_within(address, each) for each in rule.get("toCIDR", ())):
        return True
    if pod is None:
        return False
    labels = {"k8s:io.kubernetes.pod.namespace": pod.get("kubernetes.io/metadata.name", "")}
    labels |= {f"k8s:io.cilium.k8s.namespace.labels.{key}": value for key, value in pod.items()}
    return any(_selected(selector, labels) for selector in rule.get("toEndpoints", ()))


def identity(kind: str) -> dict[str, Any]:
    more: dict[str, dict[str, Any]] = {"irsa": {"roleArn": ROLE}, "secret": {"existingSecret": {"name": "keys"}}}
    return {"identity": kind, **more.get(kind, {})}


@pytest.mark.parametrize("flavor", FLAVORS)
@pytest.mark.parametrize("kind", ["podIdentity", "irsa", "secret", "none"])
def test_each_identity_reaches_what_it_needs(policy: Policy, flavor: str, kind: str) -> None:
    """DNS wherever it is, AWS, the Kubernetes API; the agent and the instance's metadata only for whom they are."""
    found = policy(flavor, aws=identity(kind))
    for protocol in ("UDP", "TCP"):
        assert reaches(found, "10.0.0.10", 53, protocol, {"kubernetes.io/metadata.name": "kube-system"})
        assert reaches(found, "10.0.0.2", 53, protocol)
    assert reaches(found, AWS, 443)
    assert reaches(found, "10.100.0.1", 443)
    for address in (AGENT, AGENT_6):
        assert reaches(found, address, 80) == (kind in ("podIdentity", "none"))
    assert reaches(found, INSTANCE, 80) == (kind == "none")
    assert not reaches(found, AWS, 80)
    assert not reaches(found, AWS, 22)
    assert not reaches(found, AWS, 443, "UDP")
    assert not reaches(found, "10.0.1.1", 8080, pod=MIMIR)


@pytest.mark.parametrize("flavor", FLAVORS)
def test_node_local_dns_is_reached(policy: Policy, flavor: str) -> None:
    """169.254.20.10 is an address of the node: a network to one flavor, an entity to the other."""
    found = policy(flavor)
    (first, *_) = found["spec"]["egress"]
    assert _open(first["toPorts"][0]["ports"] if flavor == "cilium" else first["ports"], 53, "UDP")
    if flavor == "cilium":
        assert set(first["toEntities"]) == {"cluster", "world"}  # the node's own is part of `cluster`
    else:
        assert "to" not in first


@pytest.mark.parametrize("flavor", FLAVORS)
@pytest.mark.parametrize(
    ("values", "sends"),
    [
        ({}, False),
        ({"config": PUSH}, True),
        ({"config": {"delivery": {"mode": "scrape", "push": {"url": "http://mimir:8080"}}}}, False),
        ({"config": SYNC, "rules": {"mimir": {"delivery": "none"}, "loki": {"delivery": "sync"}}}, True),
        ({"existingConfigMap": {"name": "mine"}}, True),
    ],
)
def test_receivers_are_reached_only_where_something_is_sent(
    policy: Policy, flavor: str, values: dict[str, Any], sends: bool
) -> None:
    """By push, by a Job that brings rules, or by a ConfigMap that may say so; in every namespace, or in those named."""
    everywhere = policy(flavor, **values)
    assert reaches(everywhere, "10.0.1.1", 8080, pod=MIMIR) == sends
    assert reaches(everywhere, "10.0.1.1", 3100, pod={"kubernetes.io/metadata.name": "loki"}) == sends
    assert not reaches(everywhere, "10.0.1.1", 9009, pod=MIMIR)
    narrow = policy(flavor, **values, network={"egress": {"receivers": MIMIR, "receiverPorts": [9009]}})
    assert reaches(narrow, "10.0.1.1", 9009, pod=MIMIR) == sends
    assert not reaches(narrow, "10.0.1.1", 8080, pod=MIMIR)
    assert not reaches(narrow, "10.0.1.1", 9009, pod={"kubernetes.io/metadata.name": "loki"})
    assert not reaches(narrow, AWS, 9009)


@pytest.mark.parametrize("flavor", FLAVORS)
def test_networks_and_the_port_of_the_api_are_the_users(policy: Policy, flavor: str) -> None:
    """Endpoints inside of the VPC alone, an API server on 6443, and more rules as they stand."""
    extra = {
        "kubernetes": {"ports": [{"port": 9093, "protocol": "TCP"}]},
        "cilium": {"toEntities": ["world"], "toPorts": [{"ports": [{"port": "9093", "protocol": "TCP"}]}]},
    }
    egress = {"https": ["10.0.0.0/16", "2001:db8::/32"], "kubernetesPort": 6443, "extra": [extra[flavor]]}
    found = policy(flavor, network={"egress": egress})
    assert reaches(found, "10.0.3.4", 443)
    assert reaches(found, "2001:db8::1", 443)
    assert not reaches(found, AWS, 443)
    assert reaches(found, AWS, 9093)
    wide = policy(flavor, network={"egress": {"kubernetesPort": 6443}})
    assert reaches(wide, "10.100.0.1", 443)
    assert reaches(wide, "10.100.0.1", 6443)
    assert not reaches(policy(flavor), "10.100.0.1", 6443)


def test_cilium_needs_an_entity_for_the_agent(policy: Policy) -> None:
    """A network does not match an address of the node there: the very fault of a policy made for Kubernetes."""
    cilium = policy("cilium")
    (host,) = [rule for rule in cilium["spec"]["egress"] if rule.get("toEntities") == ["host"]]
    assert host["toPorts"] == [{"ports": [{"port": "80", "protocol": "TCP"}]}]
    assert not any(AGENT in network for rule in cilium["spec"]["egress"] for network in rule.get("toCIDR", ()))


@pytest.mark.parametrize("mode", ["leader", "shards"])
@pytest.mark.parametrize("flavor", FLAVORS)
def test_every_pod_of_the_release_is_selected(flavor: str, mode: str) -> None:
    """The exporter's, the test's and the Jobs'; egress is always declared, and never empty."""
    values = {"config": SYNC, "mode": mode, "rules": {"loki": {"delivery": "sync"}}}
    objects = bare({**values, "networkPolicy": {"enabled": True, "flavor": flavor}})
    spec = one(objects, FLAVORS[flavor])["spec"]
    selector = spec["podSelector" if flavor == "kubernetes" else "endpointSelector"]["matchLabels"]
    pods = [pod["metadata"]["labels"] for pod in all_of(objects, "Pod")]
    for kind in ("Deployment", "StatefulSet", "Job"):
        pods += [each["spec"]["template"]["metadata"]["labels"] for each in all_of(objects, kind)]
    assert len(pods) == 3
    for labels in pods:
        assert selector.items() <= labels.items()
    assert selector == {"app.kubernetes.io/name": "storage-exporter", "app.kubernetes.io/instance": "storage-exporter"}
    if flavor == "kubernetes":
        assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert len(spec["egress"]) >= 3
    assert len(spec["ingress"]) == 1


def test_ingress_is_the_port_from_whom_the_user_names(policy: Policy) -> None:
    """Nothing but /metrics' port; every pod when nobody is named."""
    peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    ports = [{"port": 9200, "protocol": "TCP"}]
    assert policy("kubernetes", port=9200)["spec"]["ingress"] == [{"ports": ports}]
    assert policy("kubernetes", port=9200, network={"ingress": {"from": [peer]}})["spec"]["ingress"] == [
        {"ports": ports, "from": [peer]}
    ]
    endpoint = {"matchLabels": {"k8s:io.kubernetes.pod.namespace": "monitoring"}}
    texts = [{"ports": [{"port": "9200", "protocol": "TCP"}]}]
    every = {"matchExpressions": [{"key": "k8s:io.kubernetes.pod.namespace", "operator": "Exists"}]}
    assert policy("cilium", port=9200)["spec"]["ingress"] == [{"fromEndpoints": [every], "toPorts": texts}]
    assert policy("cilium", port=9200, network={"ingress": {"from": [endpoint]}})["spec"]["ingress"] == [
        {"fromEndpoints": [endpoint], "toPorts": texts}
    ]


def test_there_is_none_unless_asked_for() -> None:
    """And one at a time."""
    assert not {each["kind"] for each in bare()} & set(FLAVORS.values())
    for flavor, kind in FLAVORS.items():
        objects = bare({"networkPolicy": {"enabled": True, "flavor": flavor}})
        assert {each["kind"] for each in objects} & set(FLAVORS.values()) == {kind}
