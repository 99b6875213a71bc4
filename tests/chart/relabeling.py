"""What Prometheus makes of labels by relabelings as the operator's objects have them: action replace only."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

_REFERENCE = re.compile(r"\$\{?(\d+)\}?")


def relabeled(labels: Mapping[str, str], relabelings: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """
    The labels of a sample afterwards, its name among them as ``__name__``. A label set to nothing is gone.

    Raises:
        AssertionError: an action that is not known here.
    """
    found = dict(labels)
    for each in relabelings:
        assert each.get("action", "replace") == "replace", each
        source = each.get("separator", ";").join(found.get(name, "") for name in each.get("sourceLabels", []))
        matched = re.fullmatch(each.get("regex", "(.*)"), source, re.DOTALL)
        if matched is None:
            continue
        groups = [matched[0], *(group or "" for group in matched.groups())]
        pieces = _REFERENCE.split(each.get("replacement", "$1"))
        # Texts stand between references to groups.
        found[each["targetLabel"]] = "".join(
            groups[int(piece)] if place % 2 else piece for place, piece in enumerate(pieces)
        )
        found = {name: value for name, value in found.items() if value}
    return found
