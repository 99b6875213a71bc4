"""``python -m tests.image``: the rendered pod, run without a container engine, and what was seen of it."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from tests.image.sandbox import refused
from tests.image.smoke import smoke


async def _run() -> None:
    for pushes in (False, True):
        sys.stdout.write(f"The pod, {'pushing to Mimir' if pushes else 'scraped'}:\n")
        with tempfile.TemporaryDirectory(prefix="storage-exporter-pod-") as folder:
            async for line in smoke(Path(folder), pushes=pushes):
                sys.stdout.write(f"  {line}\n")
                sys.stdout.flush()


def main() -> int:
    """Run both ways of delivery."""
    if why := refused():
        sys.stderr.write(f"The pod cannot be run: {why}\n")
        return 1
    asyncio.run(_run())
    return 0


if __name__ == "__main__":
    sys.exit(main())
