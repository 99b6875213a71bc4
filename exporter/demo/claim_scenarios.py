"""
The troubles of claims and of CSI drivers, for the table of `scenarios`. Pure.

What they do to the account is done here; what they do to the cluster `kubernetes_objects` reads from the names below.
"""

from __future__ import annotations

from dataclasses import replace

from exporter.demo.estate import Estate
from exporter.demo.nouns import Volume, leave

SCENARIOS: dict[str, str] = {
    "claim-terminating": "the claim of data-mysql-0 is deleted; it waits for its pod, then its data goes",
    "csi-driver-missing": "the EBS CSI driver of node-b1 crashes: the node can attach no volume any more",
    "volume-gone": "somebody deletes the volume of data-keydb-1 in AWS; Kubernetes still believes in it",
    "volume-orphaned": "the PersistentVolume of data-tempo-ingester-0 is deleted; its volume stays, detached",
}
"""Name and one line for people, by name."""

TERMINATING = "data-mysql-0"
BARE_NODE = "node-b1"
GONE = "data-keydb-1"
ORPHANED = "data-tempo-ingester-0"


def apply(name: str, start: float, estate: Estate) -> None:
    """Change *estate* in place as the scenario does that began at *start*, unix seconds."""
    touched = {"volume-gone": GONE, "volume-orphaned": ORPHANED}.get(name)
    for volume in [item for item in estate.volumes.values() if item.name == touched]:
        left: Volume = leave(volume, start, 0.0)
        estate.volumes[volume.volume_id] = replace(left, deleted=min(left.deleted, start)) if touched == GONE else left
