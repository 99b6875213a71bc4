"""
A directory for one process alone.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from exporter.remote.disk import ANY, FULL, Disk

_LOCK = "lock"
_PROBE = "probe.tmp"


def claim(path: Path, disk: Disk) -> int:
    """
    Make *path* where it is missing, and keep all other processes out of it until the handle returned is closed.

    Raises:
        BlockingIOError: another process has it.

        OSError: it is no directory, or cannot be written to. A full disk is no reason: room is made when it is needed.
    """
    disk.make_directory(path)
    lock = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            disk.write(path / _PROBE, 0, [b"\n"], ANY, sync=True)
        except OSError as error:
            if error.errno not in FULL:
                raise
        disk.remove(path / _PROBE)
    except OSError:
        os.close(lock)
        raise
    return lock
