"""The keys and backups of a world: reading them at an instant, and changing them by hand. A part of `world.World`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from exporter.demo.keys import BackupJob, Key, jobs_of

if TYPE_CHECKING:
    from exporter.demo.estate import Estate


class KeyWorld:
    """What `World` knows of KMS and AWS Backup; `estate`, `seed` and `_base` are the world's own."""

    if TYPE_CHECKING:
        estate: Estate
        seed: int
        _base: Estate

        def _at(self, at: float | None) -> float: ...

        def _rebuild(self) -> None: ...

    def kms_keys(self, at: float | None = None) -> list[Key]:
        """The keys DescribeKey knows, by id."""
        instant = self._at(at)
        return sorted((key for key in self.estate.keys.values() if key.exists(instant)), key=lambda key: key.key_id)

    def kms_key(self, name: str) -> Key:
        """One key by id or alias (``alias/officeless-efs``). KeyError if none."""
        found = self.estate.keys.get(name) or next(
            (item for item in self.estate.keys.values() if item.alias == name), None
        )
        if found is None:
            raise KeyError(name)
        return found

    def backup_jobs(self, at: float | None = None) -> list[BackupJob]:
        """AWS Backup's jobs of the last thirty days, newest first."""
        instant = self._at(at)
        found = [job for plan in self.estate.backups.values() for job in jobs_of(plan, self.seed, instant)]
        return sorted(found, key=lambda job: (-job.started, job.job_id))

    def update_kms_key(self, name: str, **fields: Any) -> Key:
        """Change fields of a key (id or alias) as if they had always been so."""
        changed = replace(self._base.keys[self.kms_key(name).key_id], **fields)
        self._base.keys[changed.key_id] = changed
        self._rebuild()
        return changed
