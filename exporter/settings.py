"""
From a configuration to what each service is asked: rows in force, pins, selection, intervals. Pure.

Here meets what the file says and what the services' tables know, so here are also the faults that only both together
show: names of rows and operations that do not exist, intervals that would let values go stale.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from exporter.cloudwatch.rows import RowWish, choose, faults_of
from exporter.collect import Settings
from exporter.config import Config, Regex, Select, did_you_mean
from exporter.config import Service as ServiceConfig
from exporter.errors import Fault
from exporter.model import Asset, Resource, Scope
from exporter.services.base import Service, Wishes
from exporter.services.registry import SERVICES


def sections(config: Config) -> dict[str, ServiceConfig]:
    """The configuration of each service this version knows and reads, by its name."""
    known = {name: getattr(config.services, name) for name in SERVICES}
    return {name: section for name, section in known.items() if section.enabled}


def settings_of(service: type[Service], section: ServiceConfig, config: Config) -> Settings:
    """What the configuration wants of *service*."""
    rows = choose(service.rows, section.tiers, _wishes(section), config.covered)
    constant = (("cluster", config.cluster),) if config.cluster else ()
    return Settings(rows, _pinned(config.pins.tags), dict(section.discovery), constant, config.limits.aws_concurrency)


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
    if config.services.jobs:
        faults.append(Fault("services.jobs", "other CloudWatch namespaces are not in this version; remove the jobs"))
    return faults


def notices(config: Config) -> list[str]:
    """What the user should know of a configuration that works."""
    if any(getattr(config.services, name).enabled for name in SERVICES):
        return []
    return ["every service is disabled: nothing is read"]


def _wishes(section: ServiceConfig) -> dict[str, RowWish]:
    return {name: RowWish(settings.every, settings.enabled) for name, settings in section.rows.items()}


def _pinned(pins: Mapping[str, Regex]) -> Callable[[Resource], bool]:
    def pinned(resource: Resource) -> bool:
        return any(key in resource.tags and pins[key].matches(resource.tags[key]) for key in pins)

    return pinned
