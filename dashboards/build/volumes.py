"""Expressions about EBS volumes that the fleet's and the volume's dashboards share."""

from __future__ import annotations

from dashboards.build.panels import State
from dashboards.build.queries import where

ID = ("cluster", "account_id", "region", "volume_id")
"""What a volume is known by."""

WHO = ("namespace", "persistentvolumeclaim", "workload", "node", "availability_zone", "volume_type")
"""What the recording of a volume's owner adds."""

STATUS = (
    State(0, "ok", "green"),
    State(1, "not known yet", "yellow"),
    State(2, "warning", "orange"),
    State(3, "impaired", "red"),
    State(None, "not told", "gray"),
)
"""Words for `status`."""

SOMETIMES = 0.000001
"""The least share that is not nothing, for ranges of states."""


def by_id(expr: str) -> str:
    """The highest a volume."""
    return f"max by ({', '.join(ID)}) ({expr})"


def joined(*labels: str) -> str:
    """Between a vector that has one series a volume and one that names it."""
    return f"* on ({', '.join(ID)}) group_left ({', '.join(labels)})"


def owner(*variables: str, also: str = "") -> str:
    """Whose the volumes are, value 1."""
    return where("volume:aws_ebs_owner:info", *variables, also=also)


def status(*variables: str) -> str:
    """What AWS says of the volumes as a number of `STATUS`, one series a volume."""
    words = ("ok", "insufficient-data", "warning", "impaired")
    said = [where("aws_ebs_volume_status", *variables, also=f'status="{word}"') for word in words]
    return by_id(" or ".join(f"{rank} * ({each} == 1)" for rank, each in enumerate(said)))


def exceeded(*variables: str, span: str = "") -> str:
    """The share of time at a limit, the worse of operations and throughput, one series a volume."""
    return by_id(where(f"volume:aws_ebs_limit_exceeded:ratio{span}", *variables))


KEYS = (*WHO, *ID)


def rows(*labels: str) -> str:
    """
    A vector of value 1 with a series a volume: who it is and its identity, the rows of tables.

    Args:
        labels: which; all of `KEYS` unless given.
    """
    known = f"group by ({', '.join(labels or KEYS)}) ({owner()})"
    # Of a node's long name the first word is enough in a table.
    return known if labels else f'label_replace({known}, "node", "$1", "node", "([^.]+)[.].*")'


def of_row(expr: str) -> str:
    """A value by volume with the labels of `rows`."""
    return f"{rows()} {joined()} {by_id(expr)}"


def named(expr: str) -> str:
    """
    A value by volume for legends: its label ``name`` is ``namespace/claim`` where there is one claim, else the volume's
    id; ``short`` has the claim first, for where the end may be cut off.
    """
    known = f"({expr}) {joined('namespace', 'persistentvolumeclaim')} {rows('namespace', 'persistentvolumeclaim', *ID)}"
    known = f'label_join({known}, "claim", "/", "namespace", "persistentvolumeclaim")'
    known = f'label_replace({known}, "name", "$1", "volume_id", "(.+)")'
    known = f'label_replace({known}, "short", "$1", "volume_id", "(.+)")'
    known = f'label_replace({known}, "short", "$2 · $1", "claim", "(.+)/(.+)")'
    return f'max by (volume_id, name, short) (label_replace({known}, "name", "$1", "claim", "(.+/.+)"))'
