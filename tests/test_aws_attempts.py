"""Each way AWS can fail, on the wire and on both planes: what is repeated, how often, and as what it ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from exporter.demo.server import DemoServer
from exporter.demo.sigv4 import Key
from exporter.errors import (
    AwsError,
    CredentialsError,
    DeadlineError,
    DeniedError,
    RequestError,
    ThrottledError,
    TransientError,
)
from tests.aws_wire import (
    OPERATION,
    PLANES,
    REGION,
    SkippingClock,
    both_planes,
    running,
    simulated_aws,
    told,
)


@pytest.fixture
async def demo(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DemoServer]:
    """The simulated AWS, with the environment that leads to it."""
    async with simulated_aws(monkeypatch) as server:
        yield server


FAULTS = [
    ("throttle-400", ThrottledError),
    ("throttle-503", ThrottledError),
    ("error-500", TransientError),
    ("cut", TransientError),
    ("truncated", TransientError),
    ("malformed", TransientError),
    ("hang", DeadlineError),
]


@both_planes
@pytest.mark.parametrize("kind", [kind for kind, _ in FAULTS])
async def test_a_fault_that_passes_costs_one_more_attempt(demo: DemoServer, plane: str, kind: str) -> None:
    """Both planes: the second attempt is the answer; one error and one retry are counted."""
    demo.faults.add(kind, service=plane, count=1)
    telling = told()
    async with running(telling, deadline=1.5 if kind == "hang" else 30.0) as runtime:
        assert await PLANES[plane](runtime.open(REGION))
    labels = {"region": REGION, "aws_service": "ebs", "operation": OPERATION[plane]}
    counted = [telling.value(f"aws_{what}_total", **labels) for what in ("requests", "retries", "errors")]
    assert counted == [2, 1, 1]


@both_planes
@pytest.mark.parametrize(("kind", "error"), FAULTS)
async def test_a_fault_that_stays_is_given_up_as_what_it_is(
    demo: DemoServer, plane: str, kind: str, error: type[AwsError]
) -> None:
    """The last failure's own class; throttling is tried until the deadline, what is broken four times."""
    demo.faults.add(kind, service=plane)
    telling, clock = told(), SkippingClock()
    async with running(telling, clock=clock, deadline=0.9 if kind == "hang" else 30.0) as runtime:
        with pytest.raises(error) as raised:
            await PLANES[plane](runtime.open(REGION))
    assert type(raised.value) is error
    assert raised.value.operation == OPERATION[plane]
    requests = telling.value("aws_requests_total", operation=OPERATION[plane])
    errors = telling.value("aws_errors_total", operation=OPERATION[plane], code=raised.value.code)
    assert requests == errors
    if kind.startswith("throttle"):
        assert requests > 4
        assert clock.skipped < 30
    elif kind == "hang":
        assert 1 <= requests <= 3
    else:
        assert requests == 4


@both_planes
async def test_a_throttled_call_slows_down_all_that_come_after(demo: DemoServer, plane: str) -> None:
    """What was saved up is gone and the pace is halved: the next calls to that API wait for their turn."""
    demo.faults.add("throttle-400", service=plane, count=1)
    clock = SkippingClock(stands=True)
    async with running(clock=clock, describe_per_second=10.0, get_metric_data_per_second=10.0) as runtime:
        access = runtime.open(REGION)
        await PLANES[plane](access)
        paused = clock.skipped
        for _ in range(5):
            await PLANES[plane](access)
    assert clock.skipped - paused > 0.4


@both_planes
async def test_a_denied_call_is_never_repeated_and_says_who_asked(demo: DemoServer, plane: str) -> None:
    """One request; the identity is in the message."""
    demo.faults.add("denied", service=plane)
    telling = told()
    async with running(telling) as runtime:
        access = runtime.open(REGION)
        await access.identify()
        with pytest.raises(DeniedError, match=f"arn:aws:iam::{demo.world.account_id}:user/demo"):
            await PLANES[plane](access)
    assert telling.value("aws_requests_total", operation=OPERATION[plane]) == 1


@pytest.mark.parametrize(
    ("operation", "params", "code"),
    [
        ("DescribeVolumes", {"VolumeIds": ["vol-00000000000000000"]}, "InvalidVolume.NotFound"),
        ("DescribeVolumes", {"VolumeIds": 3}, "ParamValidation"),
        ("DescribeNothing", {}, "UnknownOperation"),
    ],
)
async def test_a_wrong_request_is_never_repeated(
    demo: DemoServer, operation: str, params: dict[str, Any], code: str
) -> None:
    """Neither what AWS calls wrong nor what botocore does not know."""
    telling = told()
    async with running(telling) as runtime:
        with pytest.raises(RequestError) as raised:
            await runtime.open(REGION).call("ec2", operation, params, aws_service="ebs")
    assert raised.value.code == code
    assert telling.value("aws_errors_total", operation=operation, code=code) == 1


@both_planes
async def test_expired_credentials_are_looked_for_and_the_call_is_made_again(
    demo: DemoServer, plane: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Keys rotated in a shared file: the running clients sign with the new ones, without a restart."""
    file = tmp_path / "credentials"
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    clock, telling = SkippingClock(), told()
    async with running(telling, clock=clock) as runtime:
        access = runtime.open(REGION)
        _write(file, demo.access_key_id, demo.secret_access_key)
        await access.identify()
        assert await PLANES[plane](access)
        arn = f"arn:aws:iam::{demo.world.account_id}:user/rotated"
        demo.add_key(Key("AKIAROTATED0000000000", "a-new-secret", demo.world.account_id, arn))
        _write(file, "AKIAROTATED0000000000", "a-new-secret")
        demo.faults.add("expired", service=plane, count=1)
        clock.skipped += 3600
        assert await PLANES[plane](access)
    assert [call.access_key_id for call in demo.calls][-2:] == [demo.access_key_id, "AKIAROTATED0000000000"]
    assert telling.value("aws_retries_total", operation=OPERATION[plane]) == 1


@both_planes
async def test_credentials_that_stay_refused_are_a_credentials_error_with_a_next_step(
    demo: DemoServer, plane: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two attempts, then it is said what to look at; the secret is not."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-the-secret-of-this-key")
    telling = told()
    async with running(telling) as runtime:
        with pytest.raises(CredentialsError, match=r"AWS refuses the credentials.*clock") as raised:
            await PLANES[plane](runtime.open(REGION))
    assert "not-the-secret" not in str(raised.value)
    assert telling.value("aws_requests_total", operation=OPERATION[plane]) == 2


def _write(file: Path, key: str, secret: str) -> None:
    file.write_text(f"[default]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n")
