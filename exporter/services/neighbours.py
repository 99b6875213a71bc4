"""
What the services of a scope found, for the one that looks after all of it: keys and backups name things by ARN.

Each collector notes what its last discovery found; nobody is asked for anything here. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from exporter.model import Asset, Scope


class Neighbours:
    """Assets by scope and service; the newest word of each service counts."""

    def __init__(self) -> None:
        self._found: dict[Scope, dict[str, tuple[Asset, ...]]] = {}

    def note(self, scope: Scope, service: str, assets: Sequence[Asset]) -> None:
        """*service* now has these in *scope*."""
        self._found.setdefault(scope, {})[service] = tuple(assets)

    def forget(self, scope: Scope, service: str) -> None:
        """*service* is read no more in *scope*."""
        self._found.get(scope, {}).pop(service, None)

    def of(self, scope: Scope) -> Sequence[Asset]:
        """Everything in *scope*, service by service."""
        return [asset for assets in self._found.get(scope, {}).values() for asset in assets]
