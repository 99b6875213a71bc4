"""Network policies of both flavours: who gets in, and that what the exporter needs to reach is never left out."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.chart.invariants.scene import Pod, Scene, about, port_number, selects
from tests.chart.rendering import Object

AGENT = {"169.254.170.23/32", "fd00:ec2::23/128"}  # of Pod Identity, port 80
METADATA = {"169.254.169.254/32", "fd00:ec2::254/128"}  # of the instance, whose role the SDK may find, port 80
DNS = {(53, "TCP"), (53, "UDP")}

Way = tuple[str, int, str]  # peer, port, protocol


def policies(scene: Scene) -> Iterator[str]:
    """As many policies as asked, of the flavour; each takes the exporter's pods; in come only those for the port."""
    made = scene.of("NetworkPolicy", "CiliumNetworkPolicy")
    asked = scene.values["networkPolicy"]
    kind = "CiliumNetworkPolicy" if asked["flavor"] == "cilium" else "NetworkPolicy"
    if bool(made) is not asked["enabled"] or any(each["kind"] != kind for each in made):
        yield f"networkPolicy is {asked['enabled']} {asked['flavor']}, and there are {[about(each) for each in made]}"
    for each in made:
        cilium = each["kind"] != "NetworkPolicy"
        selector = each["spec"]["endpointSelector" if cilium else "podSelector"]
        bare = {**selector, "matchLabels": {_bare(k): v for k, v in (selector.get("matchLabels") or {}).items()}}
        taken = [pod for pod in scene.pods() if selects(bare, pod.labels)]
        # Hooks and tests too: a namespace that denies by default would let them reach nothing.
        yield from (f"{about(each)}: does not take {pod.about}" for pod in scene.pods() if pod not in taken)
        if not bare["matchLabels"]:
            yield f"{about(each)}: takes every pod of the namespace"
        if not cilium and sorted(each["spec"].get("policyTypes") or []) != ["Egress", "Ingress"]:
            yield f"{about(each)}: policyTypes {each['spec'].get('policyTypes')}"
        yield from (f"{about(each)}: {wrong}" for wrong in _in(each, taken))
        yield from (f"{about(each)}: {wrong}" for wrong in _out(each, scene))


def _in(policy: Object, taken: Sequence[Pod]) -> Iterator[str]:
    rules = policy["spec"].get("ingress") or []
    if not rules:
        yield "nobody gets in: neither scraper nor, on some networks, the kubelet's probes"
    for rule in rules:
        ports = list(_ports(rule))
        if not ports:
            yield "ingress on every port"
        for port, protocol in ports:
            for pod in taken:
                number = port_number(pod, int(port) if str(port).isdigit() else port)
                if pod.works and (number is None or protocol != "TCP"):
                    yield f"ingress {port}/{protocol} is no port of {pod.about}"


def _out(policy: Object, scene: Scene) -> Iterator[str]:
    rules = policy["spec"].get("egress") or []
    extra = scene.values["networkPolicy"]["egress"]["extra"]
    if not rules:
        yield "no egress: neither DNS nor AWS nor the Kubernetes API is reached"
        return
    if [rule for rule in extra if rule not in rules]:
        yield "egress.extra is left out"
    own = [rule for rule in rules if rule not in extra]
    if any(not list(_ports(rule)) for rule in own):
        yield "egress on every port"
    ways = [way for rule in own for way in _ways(rule)]
    open_to = {(int(port), protocol) for _, port, protocol in ways}
    yield from (f"egress has no DNS {port}/{protocol}" for port, protocol in sorted(DNS - open_to))
    networks = scene.values["networkPolicy"]["egress"]["https"]
    yield from (f"egress has no {net} 443/TCP" for net in networks if (str(net), 443, "TCP") not in ways)
    agent = {peer for peer, port, protocol in ways if (port, protocol) == (80, "TCP")}
    wanted = AGENT if policy["kind"] == "NetworkPolicy" else {"entity:host"}
    identity = scene.values["aws"]["identity"]
    needed = {"podIdentity": wanted, "none": wanted | METADATA}.get(identity, set())
    yield from (f"egress has no {peer} 80/TCP for identity {identity}" for peer in sorted(needed - agent))
    yield from (
        f"egress to {peer} 80/TCP without need for identity {identity}"
        for peer in sorted(agent & (wanted | METADATA) - needed)
    )
    if policy["kind"] == "CiliumNetworkPolicy" and ("entity:kube-apiserver", 443, "TCP") not in ways:
        yield "egress has no entity kube-apiserver 443/TCP"
    other = scene.values["networkPolicy"]["egress"]["kubernetesPort"]
    if other and (other, "TCP") not in open_to:
        yield f"egress has no Kubernetes API {other}/TCP"
    yield from _receivers(scene, ways, rules)


def _receivers(scene: Scene, ways: Sequence[Way], rules: Sequence[Any]) -> Iterator[str]:
    """Receivers and rulers within the cluster are reached where something is pushed or synced, and else are not."""
    synced = any(scene.values["rules"][kind]["delivery"] == "sync" for kind in ("mimir", "loki"))
    needed = scene.pushes or synced or scene.config is None  # a ConfigMap of the user's may say push
    for port in scene.values["networkPolicy"]["egress"]["receiverPorts"]:
        inside = [way for way in ways if way[1:] == (port, "TCP") and way[0].startswith("pods:")]
        if needed and not inside:
            yield f"egress has no receivers {port}/TCP"
        if not needed and inside and port != 53:
            yield f"egress to receivers {port}/TCP without need"


def _ways(rule: Mapping[str, Any]) -> Iterator[Way]:
    """Each peer with each port of a rule, of either flavour."""
    for port, protocol in _ports(rule):
        for peer in _peers(rule):
            for each in ("TCP", "UDP") if protocol == "ANY" else (protocol,):
                yield peer, int(port), each


def _peers(rule: Mapping[str, Any]) -> Iterator[str]:
    for each in rule.get("to") or []:
        if "ipBlock" in each:
            yield str(ipaddress.ip_network(each["ipBlock"]["cidr"]))
        else:
            yield f"pods:{each}"
    yield from (f"pods:{each}" for each in rule.get("toEndpoints") or [])
    yield from (f"entity:{each}" for each in rule.get("toEntities") or [])
    yield from (str(ipaddress.ip_network(each)) for each in rule.get("toCIDR") or [])
    yield from (str(ipaddress.ip_network(each["cidr"])) for each in rule.get("toCIDRSet") or [])
    yield from (f"name:{each}" for each in rule.get("toFQDNs") or [])
    if not any(key.startswith("to") and key != "toPorts" for key in rule):
        yield "everywhere"


def _ports(rule: Mapping[str, Any]) -> Iterator[tuple[str | int, str]]:
    for each in rule.get("ports") or []:
        yield each["port"], each.get("protocol", "TCP")
    for group in rule.get("toPorts") or []:
        for each in group["ports"]:
            yield each["port"], each.get("protocol", "ANY")


def _bare(key: str) -> str:
    """A label as Kubernetes has it; Cilium may name its source."""
    return key.removeprefix("k8s:").removeprefix("any:")
