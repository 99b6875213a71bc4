"""
The nouns of the program: what is said between its floors. Values only; frozen, slotted, no behaviour that needs
anything but themselves. Pure.

Instants are whole unix seconds and name the *end* of a period, durations are seconds, values are base units (bytes,
seconds, ratios from 0 to 1) from `cloudwatch.convert` on.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

Fact = str | int | float | bool
"""What discovery knows of a resource and rows select on."""

Labels = tuple[str, ...]

SCOPE_LABELS: Labels = ("account_id", "region")
"""Every AWS series starts with these two."""


@dataclass(frozen=True, slots=True)
class Family:
    """One metric name with its help, type, unit (the name's ending, or ``""``) and label names."""

    name: str
    help: str
    labels: Labels
    type: Literal["gauge", "info"] = "gauge"
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one series. *labels* in the family's order; *at* in unix seconds, or None for "now"."""

    family: Family
    labels: Labels
    value: float
    at: int | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose AWS: the unit of credentials, quota and cost. *role_arn* is the last role of a chain, ``""`` for none."""

    account_id: str
    region: str
    role_arn: str = ""


class Fold(StrEnum):
    """How the points of one pass become the one value that `/metrics` shows (design.md 6.2)."""

    MEAN = "mean"
    MAX = "max"
    MIN = "min"
    NEWEST = "newest"


class Absent(StrEnum):
    """What a period without a datapoint means: nothing is known, or zero while the resource lives."""

    NOTHING = "nothing"
    ZERO = "zero"


class Tier(StrEnum):
    """How much a row matters; a budget defers the last of these first, and the first never (design.md 6.3)."""

    ESSENTIAL = "essential"
    STANDARD = "standard"
    ON_REQUEST = "on-request"


@dataclass(frozen=True, slots=True)
class ResourceKind:
    """
    What CloudWatch publishes metrics for.

    Args:
        name: such as ``ebs-volume``.

        service: the service module that discovers it, such as ``ebs``.

        namespace: CloudWatch's, such as ``AWS/EBS``.

        dimensions: (CloudWatch dimension, our label) in order; the exact set of the metric's identity. A label of
            ``""`` is asked for and not shown: several resources may then make one series, the worst of them.

        labels: the identity labels after account_id and region, in order; those that are no dimension are facts.
    """

    name: str
    service: str
    namespace: str
    dimensions: tuple[tuple[str, str], ...]
    labels: Labels


@dataclass(frozen=True, slots=True)
class Resource:
    """
    One thing CloudWatch publishes for.

    Args:
        kind: what it is.

        scope: whose it is; its region is a label of its series.

        id: the values of the kind's dimensions.

        facts: what rows select on.

        tags: AWS's, for selections and pins.

        published_in: the region whose CloudWatch has its metrics, ``""`` for the scope's own.
    """

    kind: ResourceKind
    scope: Scope
    id: Labels
    facts: Mapping[str, Fact] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    published_in: str = ""

    def label_values(self) -> Labels:
        """The values of account_id, region and the kind's labels, in that order."""
        shown = {label: value for (_, label), value in zip(self.kind.dimensions, self.id, strict=True) if label}
        rest = (shown[name] if name in shown else str(self.facts.get(name, "")) for name in self.kind.labels)
        return (self.scope.account_id, self.scope.region, *rest)


def always(_: Resource) -> bool:
    """A row that exists for every resource of its kind."""
    return True


HELD_PERIOD = 3600
"""Seconds; what is published no oftener than this has no use for its own stamps where it is pushed."""


@dataclass(frozen=True, slots=True)
class MetricRow:
    """
    One CloudWatch metric and statistic, and the family it becomes.

    Args:
        kind: which resources have it.

        source: CloudWatch's metric name.

        statistic: Sum, Average, Minimum, Maximum, SampleCount or a percentile such as ``p99``.

        family: what it is called here; its labels are account_id, region and the kind's labels.

        scale: factor from CloudWatch's unit to ours.

        per_second: divide by the period's seconds.

        fold: how one pass becomes one value at `/metrics`.

        period: seconds; how finely AWS publishes.

        delay: seconds after a period's end until CloudWatch can be believed to have it.

        every: seconds between two questions.

        absent: what a missing datapoint means.

        applies: whether a resource can have it at all; where not, it is never asked.

        covered_by: a free source that makes asking needless where the configuration says that it is scraped.

        witness: seconds between two questions where that source is scraped, so that it does not stand alone; 0 does
            not ask at all.

        tier: how much it matters when money is short.

        retry: seconds between two questions while the newest finished period has not arrived; 0 waits for the next
            turn. For what is published once a day at an hour nobody knows.

        sparse: published only when something happened, so its silence says nothing of CloudWatch's health.
    """

    kind: ResourceKind
    source: str
    statistic: str
    family: Family
    tier: Tier
    every: int
    fold: Fold
    scale: float = 1.0
    per_second: bool = False
    period: int = 60
    delay: int = 120
    absent: Absent = Absent.NOTHING
    applies: Callable[[Resource], bool] = always
    covered_by: str = ""
    witness: int = 0
    retry: int = 0
    sparse: bool = False

    @property
    def held(self) -> bool:
        """Whether its values are said again until the next one comes, for what looks at them looks back minutes."""
        return self.period >= HELD_PERIOD

    @property
    def span(self) -> int:
        """Seconds for which a value may be shown after its period's end: every + delay + 2 periods (design.md 6.2)."""
        return self.every + self.delay + 2 * self.period


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """A stretch of time asked of CloudWatch: start inclusive, end exclusive, both multiples of the period."""

    start: int
    end: int
    period: int

    @property
    def points(self) -> int:
        """How many datapoints a query may have in it."""
        return (self.end - self.start) // self.period


@dataclass(frozen=True, slots=True)
class Asset:
    """
    Something that holds data, as those see it who protect data: keys and backups name it by ARN.

    Args:
        arn: as AWS spells it.

        level: the level of its families: ``ebs_volume``, ``efs_file_system``, ``s3_bucket``,
            ``elasticache_replication_group``, …; they are named ``aws_<level>_…``.

        labels: names of its identity labels after account_id and region.

        identity: their values.

        kms_key: the key it is encrypted with, as AWS names it there (ARN, id or alias), ``""`` where none is known.
    """

    arn: str
    level: str
    labels: Labels
    identity: Labels
    kms_key: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """
    An address others may probe: *address* is ``host:port``, *labels* go along with it (http_sd).

    Names that start with ``__meta_`` are for relabelling only and never become labels of a series by themselves.
    """

    address: str
    labels: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Claim:
    """
    Whose a volume is: the persistent volume that names it, and the claim bound to that.

    Args:
        persistentvolume: its name, ``""`` where it is not known.

        persistentvolumeclaim: of the claim bound to it, ``""`` where none is.

        namespace: the claim's.

        storageclass: of the persistent volume.

        zone: the availability zone the persistent volume is confined to, ``""`` where it is to none or to several.

        path: below the file system's root, for handles that name one.

        annotations: of the claim, those that somebody looks at.

        created: when the persistent volume was made, unix seconds; 0 where it is not known.

        file_system_id: of EFS, that its handle names; ``""`` for the others.
    """

    persistentvolume: str
    persistentvolumeclaim: str = ""
    namespace: str = ""
    storageclass: str = ""
    zone: str = ""
    path: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)
    created: int = 0
    file_system_id: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Claims:
    """
    What Kubernetes says of whose each volume is. The same object while nothing has changed.

    Args:
        volumes: by EBS volume id; of several persistent volumes with one handle, the one that is bound.

        access_points: by EFS access point id; several persistent volumes may share one.

        file_systems: by EFS file system id, of handles that name no access point.

        buckets: by bucket name.

        known: whether the persistent volumes are listed: only then does a volume that is not here belong to nobody.
    """

    volumes: Mapping[str, Claim] = field(default_factory=dict)
    access_points: Mapping[str, Sequence[Claim]] = field(default_factory=dict)
    file_systems: Mapping[str, Sequence[Claim]] = field(default_factory=dict)
    buckets: Mapping[str, Sequence[Claim]] = field(default_factory=dict)
    known: bool = False


NO_CLAIMS = Claims()
"""Where there is no Kubernetes to ask."""


@dataclass(frozen=True, slots=True)
class Inventory:
    """
    What discovery knows now.

    Args:
        resources: everything CloudWatch may be asked about.

        samples: facts that are series themselves, in columns where there are many (`services.facts.Facts`).

        counts: how many resources there are, by what they are called (``volume``, ``file-system``).

        failures: operations that could not be read this time, with the reason; what they told before is still used
            up to its age limit.

        assets: what holds data, for the service that looks after keys and backups.

        targets: addresses for probes of others; None where they are not known (which is not the same as none).

        waiting: calls put off to the next passes, because one pass must not make them all.

        claims: how many claims were joined, by the source that told of them: ``kubernetes``, ``tags`` (the EBS CSI
            driver's) or ``client_token`` (of EFS access points). A source that had nothing to tell has a 0; nothing
            where nobody was asked.
    """

    resources: tuple[Resource, ...]
    samples: Sequence[Sample]
    counts: Mapping[str, int] = field(default_factory=dict)
    failures: Mapping[str, Exception] = field(default_factory=dict)
    assets: tuple[Asset, ...] = ()
    targets: tuple[Target, ...] | None = None
    waiting: int = 0
    claims: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """
    One family's values from one job, in columns.

    Args:
        family: of all of them.

        labels: rendered label sets, one a value; unique within the block.

        values: NaN where there is none.

        ends: unix seconds, the end of the newest period in each value; or one instant for all.

        span: seconds after its end for which a value may be shown.
    """

    family: Family
    labels: Sequence[bytes]
    values: array[float]
    ends: array[int] | int
    span: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """
    What exposition reads: blocks by family, in the order of the families' names, nothing in it outlived.

    Args:
        at: unix seconds at which it was taken.

        families: every family with at least one value.

        series: how many values there are.
    """

    at: float
    families: tuple[tuple[Family, tuple[Block, ...]], ...]
    series: int
