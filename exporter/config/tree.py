"""
The configuration as a tree of types: every key with its unit, its default and what it is for.

The descriptions become the JSON schema and, for a missing key, the message. Rules between keys stand in `across` of
the smallest section that holds them, and work on what the file gives, so that they speak even when another key of the
section is wrong. What is read is in `services`, what pushes to Mimir in `delivery`, what rules are in `rules`; files
are left to `reading`. Row names and spans are checked by the application, which knows the services. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from exporter.config.delivery import Delivery
from exporter.config.kubernetes import Kubernetes, Shards
from exporter.config.leaves import (
    AnyText,
    FilePath,
    Pattern,
    Text,
    choice,
    duration,
    listen,
    number,
    seconds_of,
    text,
    whole,
)
from exporter.config.node import Distinct, Many, Map, Node, Wrong, list_in, mapping_in, repeats
from exporter.config.rules import Rules
from exporter.config.services import Region, Services, TagKey
from exporter.config.values import show
from exporter.naming import tag_label

DAY = 86_400
MOST_TAGS = 30

Annotation = Annotated[str, text("an annotation's key (such as storage-exporter.io/pin)", r"[\w./-]{1,317}")]
RoleArn = Annotated[
    str,
    text(
        "a role's ARN (such as arn:aws:iam::123456789012:role/storage-exporter)", r"arn:aws[a-z-]*:iam::\d{12}:role/\S+"
    ),
]
SessionName = Annotated[str, text("a session name (2 to 64 letters, digits and _+=,.@-)", r"[\w+=,.@-]{2,64}")]
ExternalId = Annotated[
    str, text("an external id (2 to 1224 letters, digits and _+=,.@:/-)", r"[\w+=,.@:/-]{2,}", most=1224)
]


class Role(Node):
    """One role to assume; the roles of a scope are assumed one after another."""

    arn: RoleArn = Field(description="The role's ARN.")
    external_id: ExternalId | None = Field(
        default=None, description="The external id that the role's trust policy asks for."
    )
    session_name: SessionName = Field(
        default="storage-exporter", description="Name of the session, as CloudTrail shows it."
    )


class Scope(Node):
    """One account, reached through `roles`, in one or more regions."""

    regions: Distinct[Region] = Field(
        default=(), description="Regions to read; empty means the credentials' own region."
    )
    roles: Many[Role] = Field(
        default=(), description="Roles to assume, first to last; empty means the credentials' own account."
    )

    @classmethod
    def across(cls, section: Mapping[str, Any]) -> Iterator[Wrong]:
        """No region twice."""
        yield from repeats(section, "regions")


class Identity(Node):
    """Who the exporter must be at AWS. Roles of scopes are assumed from there."""

    provider: Annotated[
        Literal["auto", "pod-identity", "irsa", "static", "profile"],
        choice("auto", "pod-identity", "irsa", "static", "profile"),
    ] = Field(
        default="auto",
        description="Which provider of credentials must answer; auto: the first that does. Others are refused.",
    )
    role: RoleArn | None = Field(
        default=None, description="ARN of the role the credentials must be of; with any other nothing is read."
    )


class Pins(Node):
    """Resources whose rows are asked every 60 s, whatever their tier."""

    tags: Map[TagKey, Pattern] = Field(
        default_factory=dict,
        description="Tag key to regex: a resource that has one of these tags, value wholly matching, is pinned.",
    )
    annotations: Map[Annotation, Pattern] = Field(
        default_factory=dict,
        description="The same of the annotations of the claim a volume belongs to. Needs Kubernetes.",
    )
    storage_classes: Distinct[Text] = Field(
        default=(), description="Names of StorageClasses: the volumes of their claims are pinned. Needs Kubernetes."
    )

    @classmethod
    def across(cls, section: Mapping[str, Any]) -> Iterator[Wrong]:
        """No class twice."""
        yield from repeats(section, "storage_classes")


class Budget(Node):
    """What CloudWatch may cost."""

    dollars_per_month: Annotated[float, number(0, 10_000_000)] | None = Field(
        default=None,
        description="US dollars a month, as a projected rate; to stay below it lower tiers are deferred.",
    )
    essential: Annotated[Literal["keep", "defer"], choice("keep", "defer")] = Field(
        default="keep",
        description="Whether what is essential is deferred too where it alone is over the budget; that blinds alerts.",
    )


class Limits(Node):
    """How hard AWS is asked, per account, region and API, and how much is kept."""

    aws_concurrency: Annotated[int, whole(1, 1000)] = Field(default=25, description="Calls in flight at one time.")
    describe_per_second: Annotated[float, number(0.1, 1000)] = Field(
        default=10.0, description="Describe calls a second."
    )
    get_metric_data_per_second: Annotated[float, number(0.1, 1000)] = Field(
        default=25.0, description="GetMetricData calls a second."
    )
    deadline: Annotated[int, duration(1, 600)] = Field(
        default=30, description="Seconds one call may take, its repetitions included."
    )
    pass_deadline: Annotated[int, duration(1, 3600)] = Field(
        default=120, description="Seconds one pass of a service in a scope may take."
    )
    max_series: Annotated[int, whole(1, 100_000_000)] = Field(
        default=1_000_000, description="Series kept at most; more are dropped and counted."
    )

    @classmethod
    def across(cls, section: Mapping[str, Any]) -> Iterator[Wrong]:
        """A pass holds at least one call."""
        call, whole_pass = (
            seconds_of(section.get(key, default)) for key, default in (("deadline", 30), ("pass_deadline", 120))
        )
        if call is not None and whole_pass is not None and call > whole_pass:
            where = "pass_deadline" if "pass_deadline" in section else "deadline"
            what = f"a call may take {call} s, but a whole pass only {whole_pass} s"
            yield (where,), f"{what}; lower deadline or raise pass_deadline"


Listen = Annotated[str, listen()]


class Web(Node):
    """The HTTP server."""

    listen: Listen = Field(
        default=":9116", description="Address and port to listen on; without an address, on every one."
    )
    config_file: FilePath | None = Field(
        default=None, description="A Prometheus web configuration file (TLS, users with bcrypt hashes)."
    )

    def address(self) -> tuple[str, int]:
        """Host (``""`` for every one; a v6 address without brackets) and port of `listen`."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)


class Log(Node):
    """Log lines, on stderr."""

    format: Annotated[Literal["json", "logfmt"], choice("json", "logfmt")] = Field(
        default="json", description="How a line is written."
    )
    level: Annotated[Literal["debug", "info", "warning", "error"], choice("debug", "info", "warning", "error")] = Field(
        default="info", description="The least severe lines that are written."
    )


class Config(Node):
    """Configuration of storage-exporter. No file at all is a good one: every key has a default."""

    cluster: AnyText = Field(
        default="", description="Label `cluster` on every series; empty means none. Required in push mode."
    )
    scopes: Many[Scope] = Field(
        default=(), description="Accounts and regions to read; empty means the credentials' own."
    )
    identity: Identity = Field(default_factory=Identity, description="Who the exporter must be at AWS.")
    services: Services = Field(default_factory=Services, description="What is read.")
    tags: Distinct[TagKey] = Field(
        default=(),
        description="AWS tag keys that become labels tag_… on info families; 30 at most.",
        json_schema_extra={"maxItems": MOST_TAGS},
    )
    pins: Pins = Field(default_factory=Pins, description="Resources that are asked more often.")
    covered: Distinct[Annotated[Literal["ebs-nvme"], choice("ebs-nvme")]] = Field(
        default=(),
        description="Free sources scraped elsewhere, so CloudWatch is not asked; ebs-nvme: the EBS CSI driver's.",
    )
    budget: Budget = Field(default_factory=Budget, description="What CloudWatch may cost.")
    limits: Limits = Field(default_factory=Limits, description="How hard AWS is asked, and how much is kept.")
    kubernetes: Kubernetes = Field(default_factory=Kubernetes, description="What is read of the cluster.")
    shards: Shards = Field(default_factory=Shards, description="Several exporters that share the scopes.")
    delivery: Delivery = Field(default_factory=Delivery, description="How series reach Mimir.")
    rules: Rules = Field(default_factory=Rules, description="Alerting and recording rules.")
    web: Web = Field(default_factory=Web, description="The HTTP server.")
    log: Log = Field(default_factory=Log, description="Log lines.")

    @classmethod
    def across(cls, section: Mapping[str, Any]) -> Iterator[Wrong]:
        """Labels of tags are distinct and few; scopes are distinct; push needs a cluster."""
        yield from _scope_faults(list_in(section, "scopes"))
        yield from repeats(section, "covered")
        yield from _tag_faults(list_in(section, "tags"))
        delivery = mapping_in(section, "delivery")
        if delivery.get("mode") == "push" and section.get("cluster", "") == "":
            yield (
                ("cluster",),
                "is required in push mode, to tell clusters apart in Mimir; give the cluster's name",
            )

    def effective(self) -> dict[str, Any]:
        """The whole tree as plain data, defaults included, secrets as ``<hidden>``, durations in seconds."""
        data: dict[str, Any] = self.plain()
        return data


def _scope_faults(scopes: list[Any]) -> Iterator[Wrong]:
    """The same account and region twice would make every series twice; accounts are told apart by their roles."""
    seen: dict[tuple[tuple[str, ...], str], int] = {}
    for index, scope in enumerate(scopes):
        if not isinstance(scope, Mapping):
            continue
        roles = tuple(str(role.get("arn")) for role in list_in(scope, "roles") if isinstance(role, Mapping))
        regions = [region for region in list_in(scope, "regions") if isinstance(region, str)]
        for region in dict.fromkeys(regions or [""]):
            if (first := seen.setdefault((roles, region), index)) != index:
                what = f"region {show(region)}" if region else "the credentials' own region"
                yield ("scopes", index), f"{what} with the same roles is already read by scopes[{first}]; remove one"


def _tag_faults(keys: list[Any]) -> Iterator[Wrong]:
    labels: dict[str, str] = {}
    for index, key in enumerate(keys):
        if not isinstance(key, str):
            continue
        label = tag_label(key)
        if label in labels:
            same = "is given twice" if key == labels[label] else f"makes the same label as {show(labels[label])} does"
            yield ("tags", index), f"{show(key)} {same}; keep one of the two"
        labels.setdefault(label, key)
    if len(keys) > MOST_TAGS:
        over = len(keys) - MOST_TAGS
        yield ("tags",), f"has {len(keys)} keys; at most {MOST_TAGS} may become labels, so remove {over}"
