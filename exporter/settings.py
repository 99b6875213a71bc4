"""
From a configuration to what each service is asked: rows in force, pins, selection, intervals. Pure.

Here meets what the file says and what the services' tables know, so here are also the faults that only both together
show: names of rows and operations that do not exist, intervals that would let values go stale.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from exporter.cloudwatch.rows import RowWish, choose, faults_of, reasons
from exporter.collect import Settings
from exporter.config import Config, Regex, Select, did_you_mean
from exporter.config import Pins as PinsConfig
from exporter.config import Service as ServiceConfig
from exporter.errors import Fault
from exporter.model import Asset, Scope
from exporter.services.base import Service, Wishes
from exporter.services.registry import SERVICES


def sections(config: Config) -> dict[str, ServiceConfig]:
    """The configuration of each service this version knows and reads, by its name."""
    known = {name: getattr(config.services, name) for name in SERVICES}
    return {name: section for name, section in known.items() if section.enabled}


def settings_of(service: type[Service], section: ServiceConfig, config: Config) -> Settings:
    """What the configuration wants of *service*."""
    wanted = (service.rows, section.tiers, _wishes(section), config.covered)
    constant = (("cluster", config.cluster),) if config.cluster else ()
    pinned = pinned_by(config.pins)
    return Settings(
        choose(*wanted),
        lambda resource: pinned(resource.tags, None),
        dict(section.discovery),
        constant,
        max(1, config.limits.aws_concurrency * 3 // 4),  # what hangs leaves others room
        reasons(*wanted),
    )


def wishes_of(
    settings: Settings,
    section: ServiceConfig,
    config: Config,
    neighbours: Callable[[Scope], Sequence[Asset]] = lambda _: (),
) -> Wishes:
    """What the service's discovery has to know of the configuration, and of what the others find."""
    kinds = frozenset(one.row.kind.name for one in settings.rows)
    return Wishes(
        tuple(config.tags),
        picker(section.select),
        kinds,
        config.services.s3.component,
        neighbours,
        settings.constant,
    )


@dataclass(frozen=True, slots=True)
class Claimed:
    """What pins look at of the claim a volume belongs to."""

    annotations: Mapping[str, str] = field(default_factory=dict)
    storage_class: str = ""


def pinned_by(pins: PinsConfig) -> Callable[[Mapping[str, str], Claimed | None], bool]:
    """
    Whether a resource is pinned: by a tag of its own, or by an annotation or the StorageClass of its claim.

    A claim that is not known (None) pins nothing; what the EBS CSI driver writes on the volume does without it
    (aws-facts 6.4: ``kubernetes.io/created-for/pvc/namespace``, ``…/name``, a class's ``tagSpecification_<n>``).
    """

    def pinned(tags: Mapping[str, str], claim: Claimed | None) -> bool:
        if _any_matches(pins.tags, tags):
            return True
        if claim is None:
            return False
        return claim.storage_class in pins.storage_classes or _any_matches(pins.annotations, claim.annotations)

    return pinned


def picker(select: Select) -> Callable[[str, Mapping[str, str]], bool]:
    """Whether a resource is selected: by id, by all of the tags, and not excluded by id or by any tag."""
    ids, excluded = frozenset(select.ids), frozenset(select.exclude.ids)
    wanted, unwanted = select.tags, select.exclude.tags

    def pick(resource_id: str, tags: Mapping[str, str]) -> bool:
        if resource_id in excluded or (ids and resource_id not in ids):
            return False
        if any(key in tags and pattern.matches(tags[key]) for key, pattern in unwanted.items()):
            return False
        return all(key in tags and pattern.matches(tags[key]) for key, pattern in wanted.items())

    return pick


def faults_between(config: Config) -> list[Fault]:
    """Everything in *config* that contradicts the services' tables or asks for what this version cannot do."""
    faults: list[Fault] = []
    for name, service in SERVICES.items():
        section: ServiceConfig = getattr(config.services, name)
        known = {row.source for row in service.rows} | {row.family.name for row in service.rows}
        path = f"services.{name}"
        faults += [
            Fault(
                f"{path}.rows.{row}",
                f"no such metric or family{did_you_mean(row, known)}; see `storage-exporter metrics`",
            )
            for row in section.rows
            if row not in known
        ]
        faults += faults_of(service.rows, _wishes(section), f"{path}.rows")
        operations = {operation.name for operation in service.operations}
        listed = ", ".join(sorted(operations))
        faults += [
            Fault(
                f"{path}.discovery.{operation}",
                f"{name} has no such operation{did_you_mean(operation, operations)}; it has {listed}",
            )
            for operation in section.discovery
            if operation not in operations
        ]
    if config.delivery.mode == "push":
        faults.append(Fault("delivery.mode", "push is not in this version; use scrape, and let a scraper remote-write"))
    if config.kubernetes.enabled is True:
        faults.append(Fault("kubernetes.enabled", "reading Kubernetes is not in this version; use auto or false"))
    if config.kubernetes.leader_election is True:
        faults.append(
            Fault("kubernetes.leader_election", "the Lease is not in this version; run one replica with auto or false")
        )
    for key in ("annotations", "storage_classes"):
        if getattr(config.pins, key):
            faults.append(Fault(f"pins.{key}", f"reading Kubernetes is not in this version; {_BY_TAGS}"))
    if config.services.jobs:
        faults.append(Fault("services.jobs", "other CloudWatch namespaces are not in this version; remove the jobs"))
    return faults


def notices(config: Config) -> list[str]:
    """What the user should know of a configuration that works."""
    found = []
    if not any(getattr(config.services, name).enabled for name in SERVICES):
        found.append("every service is disabled: nothing is read")
    budget = config.budget
    if budget.dollars_per_month == 0:
        found.append("a budget of 0 dollars defers the tiers standard and on-request, whatever there is")
    if budget.dollars_per_month is not None and budget.essential == "defer":
        found.append("budget.essential: defer leaves out what alerts read where it alone is over the budget")
    return found


def _wishes(section: ServiceConfig) -> dict[str, RowWish]:
    return {name: RowWish(settings.every, settings.enabled) for name, settings in section.rows.items()}


def _any_matches(wanted: Mapping[str, Regex], has: Mapping[str, str]) -> bool:
    return any(key in has and pattern.matches(has[key]) for key, pattern in wanted.items())


_BY_TAGS = (
    "pin by pins.tags, with what the EBS CSI driver writes on its volumes: kubernetes.io/created-for/pvc/namespace, "
    "kubernetes.io/created-for/pvc/name, or a tag that the StorageClass sets (parameter tagSpecification_1)"
)
