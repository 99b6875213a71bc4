"""What a configuration that pushes comes to: how far windows look back, what contradicts, what needs a restart."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.cloudwatch.plan import LOOKBACK, SCRAPED, Back, window_of
from exporter.config import Config
from exporter.settings import MOST_LABELS, back_of, faults_between, fixed_faults, notices
from tests.test_properties import START, row


def config_of(**push: Any) -> Config:
    return Config.model_validate(
        {"cluster": "production", "delivery": {"mode": "push", "push": {"url": "http://mimir/api/v1/push", **push}}}
    )


def test_an_hour_is_what_a_plain_receiver_takes() -> None:
    """By default windows look back an hour, less what a datapoint needs to get there; in any order as far as wanted."""
    assert back_of(config_of()) == Back(3600, 3600, 0, 3480)
    assert back_of(config_of(lookback="10m")) == Back(LOOKBACK, 600, 0, 3480)
    assert back_of(config_of(lookback="2h")) == Back(7200, 7200, 0, 7200)
    assert back_of(config_of(lookback="1d", out_of_order=True)) == Back(86_400, 86_400, 3, 86_400)
    assert back_of(Config()) == SCRAPED


def test_a_first_window_begins_where_the_lookback_does() -> None:
    """Whole periods, none of which is older than the receiver takes; what is held keeps its own reach."""
    now = START // 60 * 60 + 17.0
    back = back_of(config_of())
    window = window_of(row(), 60, 0, now, back)
    assert window is not None
    assert now - 3480 - 60 < window.start <= now - 3480
    slow = window_of(row(period=900, every=900), 900, 0, now, back)
    assert slow is not None
    assert slow.start % 900 == 0
    assert now - 3480 - 900 < slow.start
    daily = row(period=86_400, every=21_600, delay=0)
    assert window_of(daily, 21_600, 0, now, back) == window_of(daily, 21_600, 0, now)


def test_a_window_goes_on_from_its_cursor() -> None:
    """After an outage it is as long as that, up to what the receiver takes."""
    now = START // 60 * 60 + 17.0
    ready = int(now - 120) // 60 * 60
    for behind, expected in ((60, 60), (1800, 1800), (3300, 3300), (90_000, ready - int(now - 3480) // 60 * 60)):
        window = window_of(row(), 60, ready - behind, now, back_of(config_of()))
        assert window is not None
        assert (window.end, window.end - window.start) == (ready, expected)
    assert window_of(row(), 60, ready, now, back_of(config_of())) is None


def test_in_any_order_the_last_periods_are_asked_again() -> None:
    """What came late in them can still be sent."""
    now = START // 60 * 60 + 17.0
    ready = int(now - 120) // 60 * 60
    window = window_of(row(), 60, ready - 60, now, back_of(config_of(out_of_order=True)))
    assert window is not None
    assert window.start == ready - 4 * 60
    assert window_of(row(), 60, ready, now, back_of(config_of(out_of_order=True))) is None


def test_a_long_lookback_goes_day_by_day() -> None:
    """The oldest day first; the next one follows in the next pass."""
    now = START // 60 * 60 + 17.0
    back = back_of(config_of(lookback="3d", out_of_order=True))
    window = window_of(row(), 60, 0, now, back)
    assert window is not None
    assert window.points == 1440
    after = window_of(row(), 60, window.end, now + 60, back)
    assert after is not None
    assert (after.start, after.points) == (window.end - 180, 1440)


def test_labels_that_a_receiver_refuses_are_a_fault() -> None:
    """All of a series count: its own, the tags and the external ones; the last that fits is fine."""

    def faults(count: int) -> list[str]:
        config = config_of(external_labels={f"label_{number}": "x" for number in range(count)})
        return [str(fault) for fault in faults_between(config)]

    most = next(count for count in range(MOST_LABELS) if faults(count)) - 1
    assert 5 < most < MOST_LABELS
    (fault,) = faults(most + 2)
    assert fault.startswith("delivery.push.external_labels: make 32 labels of aws_")
    assert "remove 2 of them or of tags" in fault


@pytest.mark.parametrize(
    ("push", "said"),
    [
        ({}, ""),
        ({"lookback": "2h"}, "delivery.push.lookback is 7200 s"),
        ({"lookback": "2h", "out_of_order": True}, ""),
    ],
)
def test_check_tells_of_a_lookback_that_is_refused(push: dict[str, Any], said: str) -> None:
    """Only a receiver with an out-of-order window takes what is older than an hour."""
    found = notices(config_of(**push))
    assert [said in notice for notice in found] == ([True] if said else [])


def test_a_push_section_without_its_mode_does_nothing() -> None:
    """And is told of."""
    config = Config.model_validate({"delivery": {"push": {"url": "http://mimir/"}}})
    assert any("no effect while delivery.mode is scrape" in notice for notice in notices(config))


def test_delivery_needs_a_restart() -> None:
    """The outbox and the connections are the process's; secrets and certificates are read again by themselves."""
    (fault,) = fixed_faults(config_of(), config_of(lookback="10m"))
    assert str(fault) == "delivery: changes, which needs a restart"
