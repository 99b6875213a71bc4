"""The hand-made tables of all services as one. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from tests.independent import elasticache_table, protection_table, s3_table, table

DIMENSIONS: Mapping[str, tuple[str, ...]] = {
    **table.DIMENSIONS,
    **elasticache_table.DIMENSIONS,
    **s3_table.DIMENSIONS,
}
"""The exact dimension set of a subject's metrics."""

LABELS: Mapping[str, tuple[str, ...]] = {**table.LABELS, **elasticache_table.LABELS, **s3_table.LABELS}
"""The labels of a subject's families after account_id and region (design.md 6.1)."""

METRICS = table.METRICS + elasticache_table.METRICS + s3_table.METRICS

INVENTORY: Mapping[str, tuple[str, ...]] = {
    **table.INVENTORY,
    **elasticache_table.INVENTORY,
    **s3_table.INVENTORY,
    **protection_table.INVENTORY,
}
"""Families that are not one CloudWatch metric: name → labels after account_id and region."""

OF_KUBERNETES = table.OF_KUBERNETES
"""The same of families that AWS alone can say nothing of."""
