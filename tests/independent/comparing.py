"""Two sets of series against each other: what one lacks, what differs, and a checksum over everything. Pure."""

from __future__ import annotations

import hashlib

Key = tuple[str, frozenset[tuple[str, str]]]
Series = dict[Key, float]


def digits(value: float) -> str:
    """The value to twelve significant digits: as far as two ways of computing it must agree."""
    return f"{value + 0.0:.12g}"


def shown(key: Key) -> str:
    """The series as it would stand in an exposition, labels sorted."""
    return key[0] + "{" + ",".join(f"{name}={value!r}" for name, value in sorted(key[1])) + "}"


def checksum(series: Series) -> str:
    """One number over every name, label set and value."""
    lines = sorted(f"{shown(key)} {digits(value)}" for key, value in series.items())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def differences(exporter: Series, witness: Series) -> list[str]:
    """What the two do not agree about, a line each."""
    missing, extra = witness.keys() - exporter.keys(), exporter.keys() - witness.keys()
    return [
        *(f"missing  {shown(key)} {digits(witness[key])}" for key in sorted(missing, key=shown)),
        *(f"extra    {shown(key)} {digits(exporter[key])}" for key in sorted(extra, key=shown)),
        *(
            f"unequal  {shown(key)}: exporter {exporter[key]!r}, witness {witness[key]!r}"
            for key in sorted(witness.keys() & exporter.keys(), key=shown)
            if digits(exporter[key]) != digits(witness[key])
        ),
    ]
