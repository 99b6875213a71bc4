"""The pod of the chart, run as its manifest says, from its first probe to its last line."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from tests.image.sandbox import refused
from tests.image.scene import scene
from tests.image.smoke import places, smoke
from tests.tools import unavailable

QUICK = {"describe_per_second": 1000}
"""A first pass that does not pace itself: the simulated AWS throttles nobody."""


@pytest.fixture(autouse=True)
def _namespaces() -> None:
    if why := refused():
        unavailable(why)


@pytest.mark.parametrize("pushes", [False, True], ids=["scraped", "pushing"])
async def test_the_rendered_pod_starts_delivers_and_ends(tmp_path: Path, pushes: bool) -> None:
    """
    Without a right, on a read-only root, with nothing but what chart, image and EKS give: it becomes ready, delivers
    every service, holds and frees the Lease, and ends with 0. `smoke` says what is looked at.
    """
    seen = [line async for line in smoke(tmp_path, pushes=pushes, limits=QUICK)]
    assert len(seen) == 11


async def test_what_the_pod_may_write_is_the_manifests_to_say(tmp_path: Path) -> None:
    """The look at the pod sees a root that is not read-only: it is the manifest that is tested, not the sandbox."""
    loose = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": False}
    async with scene(tmp_path, more={"securityContext": loose}) as pod:
        await pod.probe("startupProbe")
        with pytest.raises(AssertionError, match="the root is mounted"):
            await asyncio.to_thread(places, pod)
    with pytest.raises(ProcessLookupError):  # it does not go on without a sandbox
        os.kill(pod.sandbox.pid, 0)
