"""
Where rules go, and what of them is other than we ship it: overrides as data. Part of the tree; see `tree`. Pure.

Names of alerts, files and thresholds are looked up by `ruler.overrides`, which has the rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, create_model

from exporter.config.delivery import Auth, HeaderName, TenantName, Tls, header_faults
from exporter.config.leaves import Flag, Hidden, LabelName, Leaf, Text, choice, duration, number, text, url
from exporter.config.node import Distinct, Map, Node, Wrong, mapping_in, repeats
from exporter.config.values import Expanded, show

DAY = 86_400
SEVERITIES = ("critical", "warning", "info", "none")

_HELD = {
    "alertname": "is the alert's name",
    "project": "tells the routes of Alertmanager whose alert it is",
    "component": "is set by each rule; Alertmanager routes and inhibits by it",
    "reason": "is set by the rule",
    "severity": "is set by alerts.<name>.severity",
}
"""Labels of our alerts that no override may set, beside identities, and why."""

_IDENTITY = frozenset(
    {
        *("cluster", "account_id", "region", "availability_zone"),
        *("volume_id", "instance_id", "file_system_id", "bucket", "key_id"),
        *("replication_group_id", "cache_cluster_id", "cache_node_id", "serverless_cache"),
        *("namespace", "persistentvolumeclaim", "workload", "node", "storageclass"),
        *("bucket_component", "file_system_name"),
    }
)
_PATH = r"/[A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*/?"
_MOST = 1e18

RulerAddress = Annotated[str, url("rules.mimir.auth or rules.loki.auth", "http://mimir-ruler:8080")]
PageAddress = Annotated[str, url("nowhere: whoever reads an alert signs in", "https://grafana.example.com")]
ApiPath = Annotated[str, text("a path that begins with / (such as /prometheus/config/v1/rules)", _PATH)]
RulesNamespace = Annotated[
    str,
    text(
        "a namespace of rules (letters, digits, ., _ and -, at most 128)",
        r"[A-Za-z0-9._-]*[A-Za-z0-9_-][A-Za-z0-9._-]*|\.{3,}",
        most=128,
    ),
]
AlertLabel = Annotated[str, text("a label's value without {{ (nothing is templated)", r"(\{?[^\x00-\x1f\x7f{])+\{?|\{")]
Severity = Annotated[Literal["critical", "warning", "info", "none"], choice(*SEVERITIES)]


def _threshold() -> Leaf:
    """A finite number; says how to write what people write instead."""
    inner = number(-_MOST, _MOST)

    def read(value: Any) -> float:
        if isinstance(value, str) and not isinstance(value, Expanded):
            said = value.strip()
            try:
                spelled = float(said.rstrip("%")) / (100 if said.endswith("%") else 1)
            except ValueError:
                spelled = None
            if spelled is not None and -_MOST <= spelled <= _MOST:
                plain = f"{spelled:.17g}" if float(f"{spelled:.15g}") != spelled else f"{spelled:.15g}"
                hint = f"; write {plain}, without quotes" if "e" not in plain else ""
                raise ValueError(f"{show(value)} is not a number as YAML writes it{hint}")
        got: float = inner.read(value)
        return got

    return Leaf(read, inner.schema)


Threshold = Annotated[float, _threshold()]


class Ruler(Node):
    """A ruler's HTTP API, and who we are to it."""

    url: RulerAddress = Field(description="The ruler's address, such as http://mimir-ruler:8080.")
    tenant: TenantName | None = Field(default=None, description="Tenant, sent as X-Scope-OrgID.")
    auth: Auth | None = Field(default=None, description="Who we are to the ruler.")
    headers: Map[HeaderName, Hidden] = Field(
        default_factory=dict, description="More request headers; values are treated as secrets."
    )
    tls: Tls = Field(default_factory=Tls, description="TLS towards the ruler.")
    timeout: Annotated[int, duration(1, 600)] = Field(default=30, description="Seconds one request may take.")

    @classmethod
    def across(cls, section: Mapping[str, Any]) -> Iterator[Wrong]:
        """A header is said once."""
        yield from header_faults(section)


class MimirRuler(Ruler):
    """The ruler of Mimir, or of Cortex."""

    prefix: ApiPath = Field(
        default="/prometheus/config/v1/rules", description="Path of its API; /api/v1/rules for Cortex."
    )


class LokiRuler(Ruler):
    """The ruler of Loki."""

    prefix: ApiPath = Field(default="/loki/api/v1/rules", description="Path of its API.")


# Python takes no such name in a class.
_FOR: Mapping[str, Any] = {
    "for": (
        Annotated[int, duration(0, 30 * DAY)] | None,
        Field(default=None, description="Seconds the condition holds before it fires."),
    )
}
_Lasting = create_model("_Lasting", __base__=Node, **_FOR)


class Alert(_Lasting):  # type: ignore[misc, valid-type]
    """What is other about one alert."""

    severity: Severity | None = Field(
        default=None, description="critical pages, warning makes a ticket, info is listed, none is not shown."
    )
    keep_firing_for: Annotated[int, duration(0, 30 * DAY)] | None = Field(
        default=None, description="Seconds it goes on firing after the condition has ended."
    )
    thresholds: Map[Text, Threshold] = Field(
        default_factory=dict, description="Numbers by the names that rules/thresholds.yaml gives them."
    )
    labels: Map[LabelName, AlertLabel] = Field(default_factory=dict, description="More labels on this alert.")

    @property
    def lasting(self) -> int | None:
        """The value of `for`."""
        found: int | None = getattr(self, "for")
        return found

    @classmethod
    def across(cls, section: Mapping[str, Any]) -> Iterator[Wrong]:
        """Labels of the rules are not overwritten."""
        yield from _label_faults(section)


class Rules(Node):
    """Alerting and recording rules: where `storage-exporter rules` takes them, and what is other than we ship it."""

    mimir: MimirRuler | None = Field(default=None, description="The ruler of Mimir or Cortex.")
    loki: LokiRuler | None = Field(default=None, description="The ruler of Loki.")
    namespace: RulesNamespace = Field(
        default="storage-exporter",
        description="Where in the rulers the rules stand. Only this one is touched, and it is ours alone.",
    )
    runbook_url: PageAddress | None = Field(
        default=None, description="Where the runbooks are, in place of the page on GitHub; #<alert> is added."
    )
    grafana_url: PageAddress | None = Field(
        default=None, description="Grafana's address, put before the paths of dashboards."
    )
    disable: Distinct[Text] = Field(default=(), description="Alerts that are left out.")
    files: Map[Text, Flag] = Field(
        default_factory=dict,
        description="Whole files that are left out (false): a name such as s3 for both mimir/s3 and loki/s3, or one.",
    )
    alerts: Map[Text, Alert] = Field(default_factory=dict, description="What is other, by the alert's name.")
    labels: Map[LabelName, AlertLabel] = Field(default_factory=dict, description="More labels on every alert.")

    @classmethod
    def across(cls, section: Mapping[str, Any]) -> Iterator[Wrong]:
        """Nothing twice; labels of the rules are not overwritten; addresses end where ours begin."""
        yield from repeats(section, "disable")
        yield from _label_faults(section)
        for key in ("runbook_url", "grafana_url"):
            value = section.get(key)
            if isinstance(value, str) and any(sign in value for sign in "#?"):
                yield (key,), "holds # or ?, where ours begins; give the address up to there"


def _label_faults(section: Mapping[str, Any]) -> Iterator[Wrong]:
    for name in mapping_in(section, "labels"):
        if name in _HELD:
            yield ("labels", name), f"{_HELD[name]}; choose another label"
        elif name in _IDENTITY:
            yield ("labels", name), "is the identity of what an alert is about and would be lost; choose another label"
