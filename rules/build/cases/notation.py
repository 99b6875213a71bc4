"""How promtool's tests write values: equal ones in a row once, with how often they come again."""

from __future__ import annotations

from collections.abc import Iterable

from rules.build.model import number

STALE = float("inf")
"""Stands for a staleness marker among values (no series of ours is infinite)."""


def notation(values: Iterable[float | None]) -> str:
    """Values, one for each step, in promtool's notation; None is none."""
    words: list[str] = []
    last, times = "", 0
    for value in values:
        word = "_" if value is None else "stale" if value == STALE else number(value)
        if word == last:
            times += 1
            continue
        words += _run(last, times)
        last, times = word, 1
    return " ".join([*words, *_run(last, times)])


def _run(word: str, times: int) -> list[str]:
    if not times:
        return []
    if word in {"_", "stale"} or times == 1:
        return [f"_x{times}"] if word == "_" and times > 1 else [word] * times
    return [f"{word}x{times - 1}"]
