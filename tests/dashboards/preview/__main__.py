"""``python -m tests.dashboards.preview`` (``make dashboards-preview``): a page and pictures of every dashboard."""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.dashboards.held import SCRAPED, held
from tests.dashboards.preview import page, pictures
from tests.dashboards.preview.asking import Desk, Server, Window
from tests.dashboards.preview.model import Board, read
from tests.prometheus import Prometheus
from tests.tools import ROOT

FIRST = 900
"""Pixels that a laptop shows at first."""
DAY = 86400.0
RECENT = 3600.0
"""Seconds shown where a dashboard shows less than a day: what the scenes live through minute by minute."""
_LENGTHS = {"m": 60.0, "h": 3600.0, "d": DAY, "w": 7 * DAY, "M": 30 * DAY, "y": 365 * DAY}
AGE = "max(service:storage_exporter_data_age:seconds)"


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    """What is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.dashboards.preview", description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "dashboards-preview", help="folder of the pages")
    parser.add_argument("--dashboards", type=Path, default=ROOT / "dashboards", help="folder of the JSON")
    parser.add_argument("--only", action="append", default=[], help="name of a dashboard's file without .json")
    parser.add_argument("--width", type=int, default=1440, help="pixels")
    parser.add_argument("--no-pictures", action="store_true", help="pages only, even where there is a Chromium")
    parser.add_argument("--url", help="a running Prometheus; without it a scene of its own is held")
    parser.add_argument("--at", type=float, help="the instant, unix seconds; now without it")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a variable's value")
    return parser.parse_args(words)


def seconds(since: str) -> float:
    """The length of a range such as ``now-6h``."""
    found = re.fullmatch(r"now-(\d+)([mhdwMy])", since)
    if not found:
        raise ValueError(f"not a range that is known here: {since}")
    return int(found[1]) * _LENGTHS[found[2]]


def window(server: Server, length: float, at: float) -> Window:
    """What is shown of the last *length* seconds."""
    if length <= DAY:
        return Window(at - min(length, RECENT), at, 60.0)
    # Days pass by leaps in our scenes: a step as long as Prometheus looks back finds every point.
    return Window(server.oldest(AGE, at - length, at), at, 300.0, 1.1 * DAY)


def words(board: Board, span: Window) -> str:
    """What is said of a dashboard's time."""
    whole, shown = board.since.removeprefix("now-"), span.end - span.start
    if shown >= seconds(board.since) - 600:
        return f"Last {whole}"
    return f"Last {shown / DAY:.0f} days of its {whole}" if shown > DAY else f"Last {shown / 60:.0f} min of its {whole}"


def drawn(server: Server, given: argparse.Namespace, at: float) -> Iterator[tuple[Board, Path, page.Drawn]]:
    """The pages that are asked for, written."""
    given.out.mkdir(parents=True, exist_ok=True)
    for path in sorted(given.dashboards.glob("*.json")):
        if given.only and path.stem not in given.only:
            continue
        board = read(path)
        wanted = dict(each.split("=", 1) for each in given.set)
        desk = Desk(server, board, lambda since: window(server, seconds(since), at), wanted)
        found = page.draw(desk, given.width, words(board, desk.window))
        file = given.out / f"{path.stem}.html"
        file.write_text(found.html, encoding="utf-8")
        yield board, file, found


def preview(server: Server, given: argparse.Namespace, at: float) -> None:
    """Write pages and pictures; what is odd goes to the output."""
    browser = None if given.no_pictures else pictures.chromium()
    if browser is None and not given.no_pictures:
        sys.stdout.write("no chromium on PATH: pages without pictures\n")
    for board, file, found in drawn(server, given, at):
        sys.stdout.write(f"{file}: {len(board.panels)} panels\n")
        sys.stdout.writelines(f"  {line}\n" for line in page.remarks(board, found))
        if browser is not None:
            tall = board.height * (page.CELL + page.GAP) + 130
            pictures.take(browser, file, file.with_suffix(".png"), given.width, tall)
            pictures.take(browser, file, file.with_name(f"{file.stem}-first.png"), given.width, FIRST)


def main(words: list[str] | None = None) -> None:
    """Draw from a running Prometheus, or from a scene of its own."""
    given = arguments(words)
    if given.url:
        preview(Server(Prometheus(given.url)), given, time.time() if given.at is None else given.at)
        return
    sys.stdout.write(f"a scene of {SCRAPED.days} days and {SCRAPED.minutes} minutes, with every service in trouble\n")
    sys.stdout.flush()
    with tempfile.TemporaryDirectory() as folder, held(Path(folder), SCRAPED) as it:
        preview(Server(it.prometheus), given, it.now)


if __name__ == "__main__":
    main()
