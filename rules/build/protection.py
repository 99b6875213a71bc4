"""The rules about what protects data: the keys it is encrypted with, and its backups. AWS recommends no alarm for these."""

from __future__ import annotations

from rules.build.backups import BACKUPS
from rules.build.keys import KEYS
from rules.build.model import RuleFile

FILE = RuleFile(
    name="protection",
    about="Keys that cannot be used or will be deleted, backups that are too old or fail, claims without any backup.",
    groups=[KEYS, BACKUPS],
)
