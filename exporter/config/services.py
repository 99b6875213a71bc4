"""
What is read: the services' sections, the generic jobs, and how resources are selected. Part of the tree; see `tree`.

The generic jobs are read by a later module; their shape is fixed here, so that a file written today stays good. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field

from exporter.config.leaves import (
    REGEX_SCHEMA,
    AnyText,
    Flag,
    LabelName,
    Leaf,
    Pattern,
    Text,
    check_pattern,
    choice,
    duration,
    seconds_of,
    text,
)
from exporter.config.node import Distinct, Many, Map, Node, Wrong, list_in, mapping_in, repeats
from exporter.config.values import Expanded, show
from exporter.model import Tier

DAY = 86_400

TierName = Annotated[Tier, choice(*Tier)]
Region = Annotated[
    str,
    text("an AWS region (such as ap-southeast-3, without the letter of a zone)", r"[a-z]{2,4}(-[a-z]+){1,3}-\d{1,2}"),
]
TagKey = Annotated[str, text("an AWS tag key (1 to 128 characters)", most=128)]
Operation = Annotated[str, text("an API operation (such as DescribeVolumes)", r"[A-Z][A-Za-z0-9]+")]
Namespace = Annotated[str, text("a CloudWatch namespace (such as AWS/RDS)", r"[\w.\-/#:]{1,255}")]
FamilyName = Annotated[str, text("a metric family's name (lower-case letters, digits and _)", r"[a-z][a-z0-9_]*")]
Statistic = Annotated[
    str,
    text(
        "a CloudWatch statistic (Average, Sum, Minimum, Maximum, SampleCount, IQM, or one such as p99, tm90)",
        r"Average|Sum|Minimum|Maximum|SampleCount|IQM|(p|tm|wm|tc|ts)(100|\d{1,2}(\.\d{1,10})?)",
    ),
]
Every = Annotated[int, duration(60, 7 * DAY)]
DiscoveryEvery = Annotated[int, duration(10, 7 * DAY)]


def _period() -> Leaf:
    inner = duration(60, DAY)

    def read(value: Any) -> int:
        got: int = inner.read(value)
        if got % 60:
            raise ValueError(
                f"{show(value)} is not a whole number of minutes; CloudWatch keeps periods of 1m, 5m, 1h and so on"
            )
        return got

    whole_minutes = [{**one, "multipleOf": 60} if one["type"] == "integer" else one for one in inner.schema["anyOf"]]
    return Leaf(read, {"anyOf": whole_minutes})


class Exclude(Node):
    """What is left out, whatever `select` says elsewhere."""

    ids: Distinct[Text] = Field(
        default=(), description="Resource ids (vol-…, fs-…, bucket names, cache names) to leave out."
    )
    tags: Map[TagKey, Pattern] = Field(
        default_factory=dict,
        description="Tag key to regex: leave out what has one of these tags with a wholly matching value.",
    )

    @classmethod
    def across(cls, section: Mapping[str, Any]) -> Iterator[Wrong]:
        """No id twice."""
        yield from repeats(section, "ids")


class Select(Node):
    """Which resources are read. All of them by default."""

    ids: Distinct[Text] = Field(default=(), description="Only these resource ids; empty means every one.")
    tags: Map[TagKey, Pattern] = Field(
        default_factory=dict,
        description="Tag key to regex: only what has all of these tags, each value wholly matching.",
    )
    exclude: Exclude = Field(default_factory=Exclude, description="What is left out; wins over the two above.")

    @classmethod
    def across(cls, section: Mapping[str, Any]) -> Iterator[Wrong]:
        """No id twice."""
        yield from repeats(section, "ids")


class RowSettings(Node):
    """How one row (one CloudWatch metric and statistic) differs from the built-in table."""

    every: Every | None = Field(
        default=None, description="Seconds between two questions; default: the table's. At most the row's span."
    )
    enabled: Flag | None = Field(
        default=None, description="true: ask even if its tier is not chosen; false: never ask. Default: by tier."
    )


class Service(Node):
    """One AWS service."""

    enabled: Flag = Field(default=True, description="Whether the service is read at all.")
    tiers: Distinct[TierName] = Field(
        default=(Tier.ESSENTIAL, Tier.STANDARD), description="Which tiers of rows are asked of CloudWatch."
    )
    rows: Map[Text, RowSettings] = Field(
        default_factory=dict, description="Settings of single rows, by CloudWatch metric name or by family name."
    )
    select: Select = Field(default_factory=Select, description="Which resources are read.")
    discovery: Map[Operation, DiscoveryEvery] = Field(
        default_factory=dict,
        description="API operation to seconds between two calls of it; default: the service's own.",
    )

    @classmethod
    def across(cls, section: Mapping[str, Any]) -> Iterator[Wrong]:
        """No tier twice."""
        yield from repeats(section, "tiers")


def _bucket_pattern(value: Any) -> str:
    check_pattern(value)
    return str(value)


BucketPattern = Annotated[str, Leaf(_bucket_pattern, REGEX_SCHEMA)]


COMPONENTS: Mapping[str, str] = {
    r"(.+[.-])?mimir-alertmanager([.-].+)?": "mimir-alertmanager",
    r"(.+[.-])?mimir-ruler([.-].+)?": "mimir-ruler",
    r"(.+[.-])?mimir([.-].+)?": "mimir-blocks",
    r"(.+[.-])?loki-ruler([.-].+)?": "loki-ruler",
    r"(.+[.-])?loki([.-].+)?": "loki-chunks",
    r"(.+[.-])?tempo([.-].+)?": "tempo",
}
"""What the buckets of an observability stack are usually called, to the component whose they are."""


class S3(Service):
    """S3 buckets, and which of them are components of the observability stack."""

    components: Map[BucketPattern, AnyText] = Field(
        default_factory=lambda: dict(COMPONENTS),
        description="Regex that wholly matches a bucket's name, to the component it is; the first match wins. "
        "${name} in lower case is the pattern's group of that name; ${NAME} is an environment variable, as everywhere.",
    )

    @classmethod
    def across(cls, section: Mapping[str, Any]) -> Iterator[Wrong]:
        """Every ${group} exists in its pattern."""
        yield from super().across(section)
        components = mapping_in(section, "components")
        for pattern, template in components.items():
            if isinstance(template, str):
                yield from ((("components", pattern), message) for message in _template_faults(pattern, template))

    def component(self, bucket: str) -> str:
        """The component that the bucket's name says it is, ``""`` for a bucket of no component."""
        for pattern, template in self.components.items():
            if found := re.fullmatch(pattern, bucket):
                return _GROUP.sub(lambda group, found=found: found[group[1]] or "", template)  # type: ignore[misc]
        return ""


_GROUP = re.compile(r"\$\{([^}]*)\}")


def _template_faults(pattern: str, template: str) -> Iterator[str]:
    try:
        check_pattern(pattern)
    except ValueError:
        return  # said at the key itself
    groups = sorted(re.compile(pattern).groupindex)
    for name in (name for name in groups if name != name.lower()):
        yield f"the group name {show(name)} has capitals, which are for environment variables; write it in lower case"
    for name in _GROUP.findall(template):
        if name not in groups and isinstance(template, Expanded):
            yield f"{show(template)} holds ${{…}} once its variables are filled in; change the variable"
        elif name not in groups:
            known = (
                f"its groups are {', '.join(groups)}"
                if groups
                else f"it has none; name one with (?P<{name or 'name'}>…)"
            )
            yield f"${{{name}}} is not a group of the pattern; {known}"


class JobMetric(Node):
    """One metric and statistic of a generic job."""

    name: Text = Field(description="The metric's name in CloudWatch.")
    statistic: Statistic = Field(description="The CloudWatch statistic, such as Average, Sum or p99.")
    period: Annotated[int, _period()] = Field(default=60, description="Seconds of one datapoint; whole minutes.")
    every: Every = Field(default=300, description="Seconds between two questions; not less than the period.")
    delay: Annotated[int, duration(0, 3 * DAY)] = Field(
        default=120, description="Seconds after a period's end until CloudWatch has it whole."
    )
    family: FamilyName | None = Field(
        default=None, description="Name of the metric family; default: made of namespace, name and statistic."
    )

    @classmethod
    def across(cls, section: Mapping[str, Any]) -> Iterator[Wrong]:
        """Asking more often than there are datapoints only costs money."""
        every, period = (seconds_of(section.get(key, default)) for key, default in (("every", 300), ("period", 60)))
        if every is not None and period is not None and every < period:
            yield (
                ("every",),
                f"{every} s is less than the period of {period} s, so most questions would find nothing new; raise it",
            )


class Job(Node):
    """Another CloudWatch namespace, read without a service module of its own."""

    namespace: Namespace = Field(description="The CloudWatch namespace, such as AWS/RDS.")
    regions: Distinct[Region] = Field(
        default=(), description="Only these of the scopes' regions; empty means all of them."
    )
    dimensions: Map[Text, LabelName] = Field(
        default_factory=dict,
        description="CloudWatch dimension to label: the exact set of dimensions the metrics are published under.",
    )
    select: Map[Text, Pattern] = Field(
        default_factory=dict,
        description="CloudWatch dimension to regex: only what wholly matches; default: everything.",
    )
    discovery: DiscoveryEvery = Field(default=3600, description="Seconds between two ListMetrics of the namespace.")
    metrics: Many[JobMetric] = Field(description="The metrics to read.", json_schema_extra={"minItems": 1})

    @classmethod
    def across(cls, section: Mapping[str, Any]) -> Iterator[Wrong]:
        """Labels that are ours, or given twice; regexes for dimensions that are not there; metrics twice, or none."""
        yield from repeats(section, "regions")
        dimensions = mapping_in(section, "dimensions")
        seen: dict[str, str] = {}
        for dimension, label in dimensions.items():
            if not isinstance(label, str):
                continue
            if label in RESERVED_LABELS:
                yield (
                    ("dimensions", dimension),
                    f"the label {show(label)} is set by the exporter or the scraper; choose another",
                )
            elif label in seen:
                yield (
                    ("dimensions", dimension),
                    f"the label {show(label)} is already that of {show(seen[label])}; choose another",
                )
            seen.setdefault(label, dimension)
        for dimension in mapping_in(section, "select"):
            if dimension not in dimensions:
                yield ("select", dimension), "is not one of the job's dimensions; add it there, or remove it here"
        metrics = list_in(section, "metrics")
        if not metrics and isinstance(section.get("metrics"), list | None):
            yield ("metrics",), "is empty; name at least one metric, or remove the job"
        names: dict[str, int] = {}
        for index, metric in enumerate(metrics):
            name = _metric_name(metric)
            if name in names:
                yield (
                    ("metrics", index),
                    f"makes the same series as metrics[{names[name]}]; remove one, or give it another family",
                )
            elif name:
                names[name] = index


RESERVED_LABELS = frozenset({"account_id", "region", "cluster", "job", "instance", "pod"})


def _metric_name(metric: object) -> str:
    """What tells the series of one metric of a job from another's, ``""`` where that cannot be said yet."""
    if not isinstance(metric, Mapping):
        return ""
    if isinstance(metric.get("family"), str):
        return f"family {metric['family']}"
    name, statistic = metric.get("name"), metric.get("statistic")
    return f"{name} {statistic}" if isinstance(name, str) and isinstance(statistic, str) else ""


class Services(Node):
    """What is read."""

    ebs: Service = Field(
        default_factory=Service, description="EBS volumes, snapshots, and the EBS limits of instances."
    )
    efs: Service = Field(default_factory=Service, description="EFS file systems, mount targets and access points.")
    s3: S3 = Field(default_factory=S3, description="S3 buckets: sizes, requests, settings; never the objects inside.")
    elasticache: Service = Field(default_factory=Service, description="ElastiCache for Valkey and Redis OSS.")
    protection: Service = Field(
        default_factory=Service, description="The KMS keys of what is read, and the backups AWS Backup makes of it."
    )
    jobs: Many[Job] = Field(default=(), description="Other CloudWatch namespaces.")
