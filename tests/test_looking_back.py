"""How far the windows of queries look back where datapoints are pushed: never so short that a row has holes."""

from __future__ import annotations

import pytest

from exporter.cloudwatch.plan import LOOKBACK, SCRAPED, window_of
from exporter.config import Config
from exporter.services.registry import SERVICES
from exporter.settings import HEAD, back_of
from tests.harness import T, config_of


def pushed(lookback: int, *, any_order: bool = False) -> Config:
    push = {"url": "http://127.0.0.1:9/api/v1/push", "lookback": f"{lookback}s", "out_of_order": any_order}
    return config_of(cluster="one", delivery={"mode": "push", "push": push})


@pytest.mark.parametrize("any_order", [False, True])
@pytest.mark.parametrize("lookback", [60, 600, 3540, 3600, 7200])
def test_every_row_goes_on_from_its_cursor(lookback: int, any_order: bool) -> None:
    """However short `lookback` is: a row that is asked now and then has every period since it was asked last."""
    back = back_of(pushed(lookback, any_order=any_order))
    rows = [row for service in SERVICES.values() for row in service.rows if not row.held]
    assert max(row.every for row in rows) == 900
    for row in rows:
        for late in range(0, 300, 20):  # it is asked at its turn, or somewhat later
            now = T + row.every + row.delay + row.period + late
            cursor = (T // row.period) * row.period
            window = window_of(row, row.every, cursor, now, back)
            assert window is not None
            assert window.start <= cursor
            assert any_order or window.start == cursor


@pytest.mark.parametrize(
    ("lookback", "any_order", "oldest"),
    [(600, False, HEAD - 120), (3600, False, HEAD - 120), (3600, True, HEAD), (7200, False, 7200), (7200, True, 7200)],
)
def test_nothing_is_asked_that_the_receiver_does_not_take(lookback: int, any_order: bool, oldest: int) -> None:
    """After a long absence the window begins where the receiver's does, somewhat later where its head moves on."""
    back = back_of(pushed(lookback, any_order=any_order))
    row = next(row for row in SERVICES["ebs"].rows if row.period == 60)
    window = window_of(row, row.every, T - 10 * HEAD, T, back)
    assert window is not None
    assert window.start == max(T - oldest, window.end - max(LOOKBACK, lookback))


def test_where_nothing_is_pushed_only_the_newest_counts() -> None:
    """A configuration that says how to push and does not has no say in it."""
    delivery = {"mode": "scrape", "push": {"url": "http://127.0.0.1:9/api/v1/push", "lookback": "2h"}}
    assert back_of(config_of(delivery=delivery)) == SCRAPED
