"""The rules about the exporter itself: whether it lives, reads, delivers, and what it costs."""

from __future__ import annotations

from rules.build.exporter_delivery import DELIVERY
from rules.build.exporter_freshness import FRESHNESS
from rules.build.exporter_money import MONEY
from rules.build.exporter_reading import READING
from rules.build.exporter_replicas import ALIVE
from rules.build.model import RuleFile

FILE = RuleFile(
    name="exporter",
    about="""
        The exporter itself. While it is down or its data is old, everything else here is blind: these come first.
        StorageExporterWatchdog always fires: whoever does not hear it any more knows that the chain is broken.
    """,
    groups=[ALIVE, FRESHNESS, READING, DELIVERY, MONEY],
)
