"""
How names and label values are spelled, and how label sets become bytes. Pure.

The text formats of Prometheus differ in their frame, not in their label sets, so a label set is rendered once per
resource and shared by every family and both formats (performance.md 3.1, method F).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

METRIC_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*\Z")
"""What we call a metric: the subset of Prometheus's grammar that has no colon (rules own those) and no capitals."""

_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
_LABEL = re.compile(r'(\w+)="([^"\\]*(?:\\.[^"\\]*)*)"')
_UNESCAPE = {"\\n": "\n", '\\"': '"', "\\\\": "\\"}
_NOT_A_LABEL = re.compile(r"[^a-zA-Z0-9_]")


def escape(value: str) -> str:
    """*value* as it stands between the quotes of a label (text format 0.0.4 and OpenMetrics 1.0 agree)."""
    if value.isalnum():
        return value
    return value.translate(_ESCAPES)


def escape_help(text: str) -> str:
    """*text* for a HELP line of the text format: one line, backslashes doubled."""
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def label_set(names: Sequence[str], values: Sequence[str]) -> bytes:
    """
    A label set as it stands in an exposition, ``{a="1",b="2"}``, or nothing where there are no labels.

    Lone surrogates (text AWS cannot hold, but a JSON answer can spell) become ``?`` so that one odd tag never costs a
    page.

    Args:
        names: label names, in the family's order.

        values: one a name, unescaped.
    """
    if len(names) != len(values):
        message = f"{len(values)} values for the {len(names)} labels {', '.join(names)}"
        raise ValueError(message)
    if not names:
        return b""
    pairs = ",".join(f'{name}="{escape(value)}"' for name, value in zip(names, values, strict=True))
    return b"{" + pairs.encode("utf-8", "replace") + b"}"


def labels_of(rendered: bytes) -> dict[str, str]:
    """The labels of a rendered label set."""
    text = rendered.decode()
    pairs: list[tuple[str, str]] = _LABEL.findall(text)
    if "\\" not in text:
        return dict(pairs)
    return {name: re.sub(r"\\.", lambda found: _UNESCAPE[found[0]], value) for name, value in pairs}


def tag_label(key: str) -> str:
    """
    The label that carries the AWS tag *key*: ``tag_`` and the key in lower case, everything else than letters, digits
    and ``_`` as ``_``. Two keys may meet in one label; the configuration refuses such a pair.
    """
    return "tag_" + _NOT_A_LABEL.sub("_", key).lower()


def info_base(name: str) -> str:
    """The OpenMetrics name of an info family: without its ``_info``, which the format adds to the sample."""
    return name.removesuffix("_info")


_UNITS = ("bytes_per_second", "ops_per_second", "seconds_per_second", "seconds", "bytes", "ratio")


def unit_of(name: str) -> str:
    """The unit a metric's name ends in, as OpenMetrics wants it named; ``""`` for counts, checks and info."""
    return next((unit for unit in _UNITS if name.endswith("_" + unit)), "")
