"""
What must hold of every render, whatever the values: pure functions from a Scene to lines that say what is wrong.

Each has a test that an object broken on purpose is told (tests/chart/test_invariants.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from tests.chart.invariants import access, forms, links, monitoring, network, pods
from tests.chart.invariants.scene import Scene, about

__all__ = ["ALL", "Scene", "wrong"]

Invariant = Callable[[Scene], Iterator[str]]

ALL: tuple[Invariant, ...] = (
    forms.nothing_empty,
    forms.names,
    forms.namespaces,
    forms.labelled,
    forms.enums,
    forms.hooked,
    forms.no_secret,
    forms.sizes,
    forms.readable,
    pods.restricted,
    pods.hardened,
    pods.resources,
    pods.probes,
    pods.mounts,
    pods.places,
    pods.images,
    pods.environment,
    pods.rolled,
    pods.spread,
    pods.elected,
    pods.jobs,
    links.references,
    links.selectors,
    links.services,
    links.scraped,
    links.drained,
    access.within_the_list,
    access.leases,
    access.as_configured,
    access.bindings,
    access.accounts,
    network.policies,
    monitoring.honored,
    monitoring.pinned,
)


def wrong(scene: Scene, checks: Sequence[Invariant] = ALL) -> list[str]:
    """Every line of every invariant, each with its invariant's name; an object that cannot be read is a line too."""
    shapeless = [
        f"{about(each)}: no apiVersion, kind or metadata.name"
        for each in scene.objects
        if not (each.get("apiVersion") and each.get("kind") and (each.get("metadata") or {}).get("name"))
    ]
    return shapeless or [f"{check.__name__}: {line}" for check in checks for line in _lines(check, scene)]


def _lines(check: Invariant, scene: Scene) -> list[str]:
    lines: list[str] = []
    try:
        lines.extend(check(scene))  # what was said before it breaks off stays
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        lines.append(f"an object is not of the shape that it must have: {error!r}")
    return lines
