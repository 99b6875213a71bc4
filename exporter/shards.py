"""
Which of several exporters reads a scope (account and region): whole scopes, as quotas are. Pure.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

_MASK = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Shard:
    """One of *total* exporters of the same configuration, the *ordinal*-th from 0."""

    ordinal: int = 0
    total: int = 1

    def owns(self, account_id: str, region: str) -> bool:
        """Whether it reads that account (``""`` for the credentials' own) in that region (``""`` for their own)."""
        return self.total == 1 or shard_of(f"{account_id}/{region}", self.total) == self.ordinal


ALONE = Shard()
"""The one exporter there is."""


def shard_of(key: str, total: int) -> int:
    """The ordinal, from 0, of the one of *total* exporters that owns *key*: the same in every process."""
    return jump(int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big"), total)


def jump(state: int, total: int) -> int:
    """
    Jump consistent hash (Lamping and Veach, 2014): of n keys only about n / total move when one bucket more shares
    them, each of them to the new one.

    Args:
        state: the key, 64 bits.

        total: how many buckets there are.
    """
    owner, following = 0, 0
    while following < total:
        owner = following
        state = (state * 2862933555777941757 + 1) & _MASK
        following = int((owner + 1) * (2**31 / ((state >> 33) + 1)))
    return owner


def own_ordinal(name: str) -> int | None:
    """The number at the end of a pod's name, as a StatefulSet gives it; None for none."""
    found = re.search(r"-(\d{1,9})$", name)
    return int(found[1]) if found else None
