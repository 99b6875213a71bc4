"""The troubles of caches in the simulated AWS, as their metrics show them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.demo_caches import SPACE, of, read, values
from tests.demo_clients import NOW
from tests.demo_worlds import points, world


def test_failover_flips_roles_after_a_minute_of_readonly() -> None:
    """The primary falls silent, for a minute no node leads and errors rise, then a replica does; the old returns."""
    asked = world(NOW + 3600)
    asked.scenario("valkey-failover", NOW)
    old, new, other = (dict(read(asked, "IsMaster", of(f"sessions-00{n}"), back=7200)) for n in (1, 2, 3))
    assert old[int(NOW) - 60] == 1.0
    assert not [stamp for stamp in old if NOW <= stamp < NOW + 300]
    assert old[int(NOW) + 300] == 0.0
    assert [new[int(NOW) + step] for step in (-60, 0, 60)] == [0.0, 0.0, 1.0]
    assert set(other.values()) == {0.0}
    errors = [stamp for stamp, value in read(asked, "ErrorCount", of("sessions-002"), "Sum", 7200) if value > 0]
    assert errors == [int(NOW)]
    lags = {stamp for stamp, _ in read(asked, "ReplicationLag", of("sessions-002"), back=7200)}
    assert max(lags) == NOW
    behind = [stamp for stamp, _ in read(asked, "ReplicationLag", of("sessions-001"), back=7200)]
    assert (behind[0], len(behind) > 50) == (NOW + 300, True)
    broken = [
        stamp for stamp, value in read(asked, "MasterLinkHealthStatus", of("sessions-003"), back=7200) if not value
    ]
    assert broken == [int(NOW)]


def test_memory_fills_and_then_evicts() -> None:
    """From 50 to 100 % in half an hour; evictions begin when it is full, and on the primary."""
    asked = world(NOW + 3600)
    asked.scenario("valkey-memory", NOW)
    levels = dict(read(asked, "DatabaseMemoryUsagePercentage", of("sessions-001"), back=3600))
    assert levels[int(NOW)] == 50.0
    assert levels[int(NOW) + 900] == pytest.approx(75.0)
    assert levels[int(NOW) + 1800] == levels[max(levels)] == 100.0
    evicted = dict(read(asked, "Evictions", of("sessions-001"), "Sum", 3600))
    assert {value for stamp, value in evicted.items() if stamp < NOW + 1800} == {0.0}
    assert min(value for stamp, value in evicted.items() if stamp >= NOW + 1800) > 0
    assert max(values(asked, "DatabaseMemoryUsagePercentage", of("catalog-0001-001"), back=3600)) < 90


def test_a_silent_node_is_listed_but_publishes_nothing() -> None:
    """One replica has no datapoint from then on; its fellows go on, and AWS calls it available."""
    asked = world(NOW + 3600)
    asked.scenario("silent-node", NOW)
    for metric in ("CPUUtilization", "CurrItems", "ReplicationLag"):
        assert max(stamp for stamp, _ in read(asked, metric, of("sessions-002"), back=7200)) == NOW - 60
        assert max(stamp for stamp, _ in read(asked, metric, of("sessions-003"), back=7200)) > NOW + 3000
    assert asked.cache_node("sessions-002").state(asked.now()) == "available"
    group = points(asked, "EngineCPUUtilization", {"ReplicationGroupId": "sessions"}, "SampleCount", space=SPACE)
    assert {value for _, value in group} == {2.0}


def test_saturation_shows_everywhere() -> None:
    """Engine CPU at 100 %, traffic managed, allowances exceeded, latencies far up; none of it before."""
    asked = world(NOW + 1800)
    before = values(asked, "SuccessfulReadRequestLatency", of("sessions-001"), "p99")
    assert set(values(asked, "TrafficManagementActive", of("sessions-001"))) == {0.0}
    asked.scenario("valkey-saturated", NOW)
    assert set(values(asked, "EngineCPUUtilization", of("sessions-001"))) == {100.0}
    assert set(values(asked, "TrafficManagementActive", of("sessions-001"))) == {1.0}
    assert min(values(asked, "NetworkBandwidthOutAllowanceExceeded", of("sessions-001"), "Sum")) > 0
    assert min(values(asked, "SuccessfulReadRequestLatency", of("sessions-001"), "p99")) > 10 * max(before)
    assert max(values(asked, "EngineCPUUtilization", of("catalog-0001-001"))) < 90


@pytest.mark.parametrize(("name", "evicts"), [("profiles", True), ("legacy-queue", False)])
def test_a_full_cache_evicts_or_refuses(name: str, evicts: bool) -> None:
    """At 100 % a cache evicts; under the policy `noeviction` it refuses writes instead."""
    asked = world()
    asked.update_cache(name, load=replace(asked.cache(name).load, level=1.3))
    given = of(f"{name}-001")
    assert set(values(asked, "DatabaseMemoryUsagePercentage", given)) == {100.0}
    assert all((value > 0) is evicts for value in values(asked, "Evictions", given, "Sum"))
    assert all((value > 0) is not evicts for value in values(asked, "ErrorCount", given, "Sum"))
