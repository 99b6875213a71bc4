"""What the alerts about the exporter itself must do."""

from __future__ import annotations

from rules.build.cases.exporter_delivery import DELIVERY
from rules.build.cases.exporter_freshness import FRESHNESS
from rules.build.cases.exporter_reading import MONEY, READING
from rules.build.cases.exporter_reasons import REASON_READINGS
from rules.build.cases.exporter_replicas import ALIVE

CASES = [*ALIVE, *FRESHNESS, *READING, *DELIVERY, *MONEY]
READINGS = REASON_READINGS
