"""
YAML as people read it and every ruler takes it: long texts as blocks, keys in our order, the same each time. Pure.
"""

from __future__ import annotations

from typing import Any

import yaml

_Base: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # the one in C, where PyYAML has it: ten times as fast


class _Dumper(_Base):  # type: ignore[misc]
    """Texts of several lines as blocks; no aliases."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - nothing is named here
        return True

    def represent_text(self, text: str) -> yaml.ScalarNode:
        # A block cannot hold lines that end with spaces, nor begin with one as every reader wants it.
        block = "\n" in text and not text[0].isspace() and not any(line != line.rstrip() for line in text.split("\n"))
        node: yaml.ScalarNode = self.represent_scalar("tag:yaml.org,2002:str", text, style="|" if block else None)
        return node


_Dumper.add_representer(str, _Dumper.represent_text)


def dumped(data: Any) -> str:
    """*data*, plain mappings, lists and texts, as one YAML document."""
    text: str = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return text
