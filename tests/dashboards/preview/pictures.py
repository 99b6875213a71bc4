"""Pictures of pages, taken by a headless Chromium where there is one."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE = 60.0
"""Seconds for a picture."""
ATTEMPTS = 2
"""Now and then Chromium hangs, or ends without a picture: once more then."""


class PictureError(Exception):
    """No picture came of it, with Chromium's own last words."""


def chromium() -> Path | None:
    """The browser on PATH."""
    return next((Path(found) for name in NAMES if (found := shutil.which(name))), None)


def take(browser: Path, page: Path, picture: Path, width: int, height: int) -> None:
    """
    Photograph a page.

    Args:
        browser: Chromium.

        page: HTML.

        picture: where the PNG goes.

        width, height: of the window, pixels.

    Raises:
        PictureError: there is no picture afterwards.
    """
    picture.unlink(missing_ok=True)
    for _ in range(ATTEMPTS):
        said = _try(browser, page, picture, width, height)
        if picture.exists():
            return
    raise PictureError(f"{page.name}: {browser} left no picture; it said: {said}")


def _try(browser: Path, page: Path, picture: Path, width: int, height: int) -> str:
    """Chromium's last words."""
    with tempfile.TemporaryDirectory() as profile:
        words = [
            str(browser),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--no-first-run",
            "--hide-scrollbars",
            # Else a busy machine's picture may be taken before all of the page is painted.
            "--run-all-compositor-stages-before-draw",
            f"--window-size={width},{height}",
            f"--user-data-dir={profile}",
            f"--screenshot={picture.resolve()}",
            page.resolve().as_uri(),
        ]
        try:
            done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            return f"nothing within {PATIENCE:.0f} s"
    return done.stderr.strip()[-300:]
