"""
Whose a series is at the receiver, and which way it goes there.

A tenant is the receiver's name for one of those that share it (Mimir's ``X-Scope-OrgID``); a lane is one of the ways to
a tenant, on which requests go one after the other. What decides is the series' label set alone, so a series keeps its
way from one start to the next. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from zlib import crc32

from exporter.naming import labels_of

_SCOPE_FIRST = re.compile(rb'\{(?:cluster="[^"\\]*",)?account_id="([^"\\]*)",region="([^"\\]*)"')
"""How nearly all label sets begin; those that do not are read label by label."""


class Tenants:
    """
    Tenants by scope, and the lanes to them.

    Args:
        default: the tenant of whatever has none of its own; None or ``""`` where the receiver has no tenants.

        by_scope: tenants by account id, or by ``account id/region``, which counts before the account's.

        concurrency: how many lanes lead to each tenant.
    """

    def __init__(self, default: str | None, by_scope: Mapping[str, str], concurrency: int = 1) -> None:
        self._default = default or ""
        self._by_scope = dict(by_scope)
        self._concurrency = concurrency
        # Made once: they are asked for with each label set.
        self._lanes = {
            tenant: [f"{tenant}:{index}/{concurrency}" for index in range(concurrency)] for tenant in self.names()
        }

    def of(self, account_id: str, region: str) -> str:
        """The tenant of an account and region; ``""`` for none."""
        found = self._by_scope.get(f"{account_id}/{region}")
        return self._by_scope.get(account_id, self._default) if found is None else found

    def of_labels(self, rendered: bytes) -> str:
        """The tenant of a series by its rendered label set, which may name an account and a region, or not."""
        if not self._by_scope:
            return self._default
        scope = _SCOPE_FIRST.match(rendered)
        if scope is not None:
            return self.of(scope[1].decode(), scope[2].decode())
        labels = labels_of(rendered)
        return self.of(labels.get("account_id", ""), labels.get("region", ""))

    def names(self) -> list[str]:
        """Every tenant there may be, each once: the default one first, then the others by name."""
        return [self._default, *sorted(set(self._by_scope.values()) - {self._default})]

    def lanes(self) -> list[str]:
        """The names of all lanes, tenant by tenant."""
        return [lane for lanes in self._lanes.values() for lane in lanes]

    def lane(self, tenant: str, labels: bytes) -> str:
        """
        The lane of a series.

        Args:
            tenant: whose it is, one of `names`.

            labels: its rendered label set. All families of one resource go the same way.
        """
        lanes = self._lanes[tenant]
        return lanes[crc32(labels) % self._concurrency] if self._concurrency > 1 else lanes[0]

    @staticmethod
    def tenant_of_lane(lane: str) -> str:
        """The tenant that a lane leads to, also of a lane that an earlier configuration made."""
        return lane.rpartition(":")[0]
