"""What the alerts about claims must do; the cases are in modules like the rules."""

from __future__ import annotations

from rules.build.cases import claims_attach, claims_drivers, claims_life, claims_lost, claims_space, claims_zones
from rules.build.cases.claims_world import beside
from rules.build.cases.shapes import Case, Reading

CASES: list[Case] = [
    *(beside(case) for case in (*claims_space.CASES, *claims_life.CASES)),
    *claims_attach.CASES,
    *claims_drivers.CASES,
    *claims_lost.CASES,
    *claims_zones.CASES,
]
READINGS: list[Reading] = [
    *claims_space.READINGS,
    *claims_attach.READINGS,
    *claims_drivers.READINGS,
    *claims_lost.READINGS,
    *claims_zones.READINGS,
]
