"""
First recordings: how a series of the exporter becomes one that neither a restart nor a late datapoint nor a deleted
resource can bend (design.md 6.2 and 6.5).

The operation is that of the row's fold, over the row's own span: a mean is averaged, a maximum stays the maximum. What
is newest is read where it is now, and only where nothing is now over the span, for a dead replica's higher value must
not win. All of it ends with the inventory: ``and on (identity) …_info``, read bare.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from exporter.printing import catalogue
from exporter.services.registry import SERVICES
from rules.build.identity import CLUSTER, IDENTITIES, listed

_OPERATIONS = {"mean": ("avg", "avg_over_time"), "max": ("max", "max_over_time"), "min": ("min", "min_over_time")}


@cache
def families() -> dict[str, dict[str, Any]]:
    """``metrics --json`` by name."""
    return {family["name"]: family for family in catalogue(SERVICES.values())["families"]}


def family(name: str) -> dict[str, Any]:
    """
    One family.

    Raises:
        KeyError: the exporter has none of that name.
    """
    try:
        return families()[name]
    except KeyError:
        raise KeyError(f"the exporter has no family {name}") from None


def span(name: str) -> int:
    """
    Seconds for which a value of the family may be shown. Where a row is only a witness beside a free source it is asked
    less often, and one rule text holds for both.
    """
    row = family(name)
    return int(row["span"] + max((row["witness"] or 0) - row["every"], 0))


def duration(seconds: int) -> str:
    """Seconds as PromQL writes them."""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def labels_of(name: str) -> tuple[str, ...]:
    """The family's labels, with the cluster's before them."""
    return (CLUSTER, *family(name)["labels"])


def identity_of(name: str) -> tuple[tuple[str, ...], str]:
    """
    The identity of the resource that a family is about, and the info family that says that it lives.

    Raises:
        KeyError: no level has that prefix.
    """
    for prefix, (identity, info) in IDENTITIES.items():
        if name.startswith(prefix):
            return identity, info
    raise KeyError(f"{name}: no level of rules/build/identity.py has such a prefix")


def first(name: str, by: Sequence[str] = (), matchers: str = "") -> str:
    """
    The expression of a first recording.

    Args:
        name: of a CloudWatch family.

        by: labels kept; the family's own unless given.

        matchers: without braces, such as ``storage_class!="Total"``.
    """
    row = family(name)
    kept = listed(by or labels_of(name))
    identity, info = identity_of(name)
    selector = f"{name}{{{matchers}}}" if matchers else name
    window = f"{selector}[{duration(span(name))}]"
    if row["fold"] == "newest":
        value = f"(\n  max by ({kept}) ({selector})\n  or\n  max by ({kept}) (last_over_time({window}))\n)"
    else:
        across, over = _OPERATIONS[row["fold"]]
        value = f"{across} by ({kept}) ({over}({window}))"
    return f"{value}\nand on ({listed(identity)}) {info}"


def counted(name: str, window: int = 20, by: Sequence[str] = ()) -> str:
    """
    The share of bad minutes (0 to 1) of a 0/1 check in the last *window* minutes, for alerts that count and do not
    wait. The same for datapoints that come every minute and in bursts of 5 and 15 minutes: what is seen must be at
    least 15 values, or a burst's last two minutes would stand for all (so scrapes may be 80 s apart). Summed over the
    pods that said them, so a restart does not begin anew.
    """
    kept = listed(by or labels_of(name))
    identity, info = identity_of(name)
    read = f"{name}[{window}m]"
    return (
        f"(\n  sum by ({kept}) (sum_over_time({read}))\n  /\n  (sum by ({kept}) (count_over_time({read})) >= 15)\n)\n"
        f"and on ({listed(identity)}) {info}"
    )
