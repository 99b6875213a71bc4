"""How the panels about EFS choose and name file systems."""

from __future__ import annotations

from dashboards.build.queries import where
from rules.build.identity import FILE_SYSTEM, listed

F = listed(FILE_SYSTEM)
LEGEND = "{{file_system_name}}"
_OWNER = "filesystem:aws_efs_owner:info"


def chosen(name: str, also: str = "") -> str:
    """A metric of the chosen file systems."""
    return where(name, "file_system_id", also=also)


def named(expr: str) -> str:
    """*expr* (one series or more a file system) with the file system's name, its id where it has none; its value stays."""
    nameless = f'label_replace({_OWNER}{{file_system_name=""}}, "file_system_name", "$1", "file_system_id", "(.*)")'
    owner = f'({_OWNER}{{file_system_name!=""}} or {nameless})'
    return f"{expr} * on ({F}) group_left (file_system_name) {owner}"
