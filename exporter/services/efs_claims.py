"""
Whose each EFS access point and file system is, and which persistent volumes have lost their access point. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from exporter.model import Claim, Claims
from exporter.services.base import Findings, tags_of, text_of
from exporter.services.claims import CLIENT_TOKEN, KUBERNETES, by_client_token, could_be_listed, words
from exporter.services.efs_facts import ACCESS_POINT_CLAIM, ACCESS_POINT_MISSING, FILE_SYSTEM_CLAIM
from exporter.services.items import Item
from exporter.services.reader import Answer


class Joins:
    """
    The claims of a cluster, for one pass over file systems.

    Args:
        claims: as Kubernetes says now.
    """

    def __init__(self, claims: Claims) -> None:
        self._claims = claims
        self._by_file_system: dict[str, list[tuple[str, Claim]]] = {}
        if claims.known:
            for point_id, sharing in claims.access_points.items():
                for claim in sharing:
                    self._by_file_system.setdefault(claim.file_system_id, []).append((point_id, claim))

    def pins(self, file_system_id: str, points: Answer | None, pinned: Callable[[Claim], bool]) -> bool:
        """Whether a claim of the file system, or of one of its access points, pins it."""
        return any(map(pinned, self._all_of(file_system_id, points)))

    def say(self, found: Findings, file_system_id: str, points: Answer | None) -> None:
        """
        Say whose the file system and its access points are.

        Args:
            found: where to.

            file_system_id: of a file system of this scope.

            points: all its access points, None where they are not known.
        """
        if self._claims.known:
            for claim in self._claims.file_systems.get(file_system_id, ()):
                found.say(FILE_SYSTEM_CLAIM, (file_system_id, claim.path, *words(claim)), 1)
        for item in points.items if points is not None else ():
            point_id = _id_of(item)
            for claim in self._of_point(point_id, item):
                found.say(ACCESS_POINT_CLAIM, (file_system_id, point_id, *words(claim)), 1)
        if points is not None:
            there = set(map(_id_of, points.items))
            for point_id, claim in self._by_file_system.get(file_system_id, ()):
                if point_id not in there and could_be_listed(claim, found.scope.region, points.at):
                    found.say(ACCESS_POINT_MISSING, (file_system_id, point_id, *words(claim)), 1)

    def counts(self, found: Findings) -> dict[str, int]:
        """How many claims were said, by their source."""
        said = found.samples.number(ACCESS_POINT_CLAIM) + found.samples.number(FILE_SYSTEM_CLAIM)
        return {KUBERNETES if self._claims.known else CLIENT_TOKEN: said}

    def _of_point(self, point_id: str, item: Item) -> Iterator[Claim]:
        if self._claims.known:
            yield from self._claims.access_points.get(point_id, ())
            return
        claim = by_client_token(text_of(item.get("ClientToken")), tags_of(item))
        if claim is not None:
            yield claim

    def _all_of(self, file_system_id: str, points: Answer | None) -> Iterator[Claim]:
        if not self._claims.known:
            return
        yield from self._claims.file_systems.get(file_system_id, ())
        for item in points.items if points is not None else ():
            yield from self._claims.access_points.get(_id_of(item), ())


def _id_of(item: Item) -> str:
    return text_of(item.get("AccessPointId"))
