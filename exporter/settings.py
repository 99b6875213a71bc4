"""
From a configuration to what each service is asked: rows in force, pins, selection, intervals. Pure.

Here meets what the file says and what the services' tables know, so here are also the faults that only both together
show: names of rows and operations that do not exist, intervals that would let values go stale.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from exporter.cloudwatch.convert import SETTLED
from exporter.cloudwatch.plan import LOOKBACK, SCRAPED, Back
from exporter.cloudwatch.rows import RowWish, choose, faults_of, reasons
from exporter.collect import Settings
from exporter.config import Config, Push, Regex, Select, did_you_mean
from exporter.config import Pins as PinsConfig
from exporter.config import Service as ServiceConfig
from exporter.errors import Fault
from exporter.model import Asset, Claim, Resource, Scope
from exporter.services.base import Service, Wishes
from exporter.services.claims import PINNED
from exporter.services.registry import SERVICES

MOST_LABELS = 30
"""Labels of a series that Mimir takes by default, the metric's name among them."""

HEAD = 3600
"""Seconds behind the newest sample that the head of Prometheus and Mimir reaches back (design.md 6.5)."""

ON_ITS_WAY = 120
"""Seconds that a datapoint may take from CloudWatch to the receiver, whose head moves on meanwhile."""


def sections(config: Config) -> dict[str, ServiceConfig]:
    """The configuration of each service this version knows and reads, by its name."""
    known = {name: getattr(config.services, name) for name in SERVICES}
    return {name: section for name, section in known.items() if section.enabled}


def constant_of(config: Config) -> tuple[tuple[str, str], ...]:
    """The labels that every series carries."""
    return (("cluster", config.cluster),) if config.cluster else ()


def settings_of(service: type[Service], section: ServiceConfig, config: Config) -> Settings:
    """What the configuration wants of *service*."""
    wanted = (service.rows, section.tiers, _wishes(section), config.covered)
    return Settings(
        choose(*wanted),
        pinned_by(config.pins),
        dict(section.discovery),
        constant_of(config),
        max(1, config.limits.aws_concurrency * 3 // 4),  # what hangs leaves others room
        reasons(*wanted),
        back_of(config),
    )


def pushes(config: Config) -> bool:
    """Whether datapoints are pushed."""
    return config.delivery.mode == "push"


def back_of(config: Config) -> Back:
    """How far the windows of queries may look back."""
    push = config.delivery.push
    if push is None or not pushes(config):
        return SCRAPED
    again = SETTLED if push.out_of_order else 0
    # Not `lookback` where that is short: what has a cursor, and is asked each quarter of an hour, goes on from there.
    taken = max(push.lookback, HEAD)
    if taken == HEAD and not push.out_of_order:
        taken -= ON_ITS_WAY
    return Back(max(LOOKBACK, push.lookback), push.lookback, again, taken)


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
        pinned=claims_pinned_by(config.pins),
    )


def pinned_by(pins: PinsConfig) -> Callable[[Resource], bool]:
    """
    Whether a resource is pinned: by a tag of its own, or by a claim, of which its discovery says so (`Wishes.pinned`).

    What the EBS CSI driver writes on a volume pins it without Kubernetes (aws-facts 6.4:
    ``kubernetes.io/created-for/pvc/namespace``, ``…/name``, a class's ``tagSpecification_<n>``).
    """
    return lambda resource: resource.facts.get(PINNED) is True or _any_matches(pins.tags, resource.tags)


def claims_pinned_by(pins: PinsConfig) -> Callable[[Claim], bool]:
    """Whether a claim pins what belongs to it: by an annotation of its own, or by its StorageClass."""
    classes = frozenset(pins.storage_classes)
    return lambda claim: claim.storageclass in classes or _any_matches(pins.annotations, claim.annotations)


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
    if config.delivery.push is not None and pushes(config):
        faults += _label_faults(config, config.delivery.push)
    if config.services.jobs:
        faults.append(Fault("services.jobs", "other CloudWatch namespaces are not in this version; remove the jobs"))
    return faults


def _label_faults(config: Config, push: Push) -> Iterator[Fault]:
    """Series with more labels than a receiver takes would be refused, each of them, at each write."""
    most = max(
        (family for service in SERVICES.values() for family in service.families), key=lambda one: len(one.labels)
    )
    named = 1 + len(constant_of(config)) + len(most.labels)
    count = named + len(config.tags) + len(push.external_labels)
    if count > MOST_LABELS:
        yield Fault(
            "delivery.push.external_labels",
            f"make {count} labels of {most.name} with its own {named} and {len(config.tags)} tags; receivers such as "
            f"Mimir take {MOST_LABELS}, so remove {count - MOST_LABELS} of them or of tags",
        )


def fixed_faults(old: Config, new: Config) -> list[Fault]:
    """Everything that changes from *old* to *new* and that only a restart can change."""
    fixed = (
        ("web.listen", old.web.listen, new.web.listen),
        ("web.config_file", old.web.config_file, new.web.config_file),
        ("cluster", old.cluster, new.cluster),
        ("limits.max_series", old.limits.max_series, new.limits.max_series),
        ("kubernetes", old.kubernetes, new.kubernetes),
        ("shards", old.shards, new.shards),
        ("delivery", old.delivery, new.delivery),
    )
    changed = [(path, before, after) for path, before, after in fixed if before != after]
    short = {path: all(each is None or isinstance(each, str | int) for each in pair) for path, *pair in changed}
    return [
        Fault(path, f"changes{f' from {before!r} to {after!r}' if short[path] else ''}, which needs a restart")
        for path, before, after in changed
    ]


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
    push = config.delivery.push
    if push is not None and not pushes(config):
        found.append("delivery.push has no effect while delivery.mode is scrape")
    elif push is not None and push.lookback > HEAD and not push.out_of_order:
        found.append(
            f"delivery.push.lookback is {push.lookback} s: a receiver that takes nothing out of order refuses what is "
            "more than an hour behind its newest; with an out-of-order window there, set delivery.push.out_of_order"
        )
    return found


def _wishes(section: ServiceConfig) -> dict[str, RowWish]:
    return {name: RowWish(settings.every, settings.enabled) for name, settings in section.rows.items()}


def _any_matches(wanted: Mapping[str, Regex], has: Mapping[str, str]) -> bool:
    return any(key in has and pattern.matches(has[key]) for key, pattern in wanted.items())
