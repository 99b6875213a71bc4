"""The buckets of a world: which there are, and how tests and scenarios change them. A part of `World`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from exporter.demo.buckets import Bucket
from exporter.demo.estate import Estate


class BucketWorld(ABC):
    """
    What a `World` knows of S3.

    `account_buckets` gives every bucket of the account, in whatever region, with its whole life; worlds of one account
    share one. Unless set, it gives this world's own.
    """

    estate: Estate
    region: str
    _base: Estate
    account_buckets: Callable[[], list[Bucket]]

    @abstractmethod
    def _at(self, at: float | None) -> float:
        """The instant *at*, or now."""

    @abstractmethod
    def _rebuild(self) -> None:
        """Make anew what is made of the estate."""

    def own_buckets(self) -> list[Bucket]:
        """The buckets there are, were and will be in this region, by name."""
        return sorted(self.estate.buckets.values(), key=lambda item: item.name)

    def _of_account(self) -> list[Bucket]:
        return self.account_buckets()

    def buckets(self, at: float | None = None) -> list[Bucket]:
        """The buckets of this region at *at* (now), by name."""
        instant = self._at(at)
        return [item for item in self.own_buckets() if item.exists(instant)]

    def bucket(self, name: str) -> Bucket:
        """One bucket of this region, whatever its state. KeyError if none."""
        return self.estate.buckets[name]

    def add_bucket(self, bucket: Bucket | str, *, at: float | None = None, **fields: Any) -> Bucket:
        """
        Put a bucket into this region; given a name only, a new one made at *at* (now).

        Args:
            fields: of `Bucket` that shall differ.
        """
        if isinstance(bucket, str):
            bucket = Bucket(bucket, self.region, self._at(at))
        return self._keep_bucket(replace(bucket, **fields))

    def update_bucket(self, name: str, **fields: Any) -> Bucket:
        """Change fields of a bucket as if they had always been so. KeyError if there is none."""
        return self._keep_bucket(replace(self._base.buckets[name], **fields))

    def delete_bucket(self, name: str, at: float | None = None) -> None:
        """Delete a bucket at *at* (now); its metrics stay. KeyError if there is none."""
        self.update_bucket(name, deleted=self._at(at))

    def _keep_bucket(self, bucket: Bucket) -> Bucket:
        self._base.buckets[bucket.name] = bucket
        self._rebuild()
        return self.estate.buckets[bucket.name]
