"""The rules about EFS file systems, put together."""

from __future__ import annotations

from rules.build import efs_access, efs_credits
from rules.build.model import Group, RuleFile
from rules.build.owners import file_system_owners

FILE = RuleFile(
    name="efs",
    about="EFS file systems: burst credits, throughput, operations, mount targets, clients, replication, growth.",
    groups=[
        Group(topic="owners", rules=file_system_owners()),
        efs_credits.GROUP,
        efs_access.IO,
        efs_access.CLIENT,
        efs_access.UPKEEP,
    ],
)
