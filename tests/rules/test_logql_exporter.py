"""The alerts on the exporter's own log, over lines that the exporter has just written itself."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

from exporter import logs
from exporter.errors import AwsError, CredentialsError, DeniedError, ThrottledError
from exporter.model import Scope
from exporter.report import Report, Teller
from exporter.services.base import Wishes
from exporter.services.ebs import Ebs
from tests.rules.logql_run import Line, evaluate
from tests.rules.loki_rules import Rule, rules
from tests.sending import answering, scene, window
from tests.serving import logged

STREAM = {"container": "storage-exporter", "cluster": "prod-eu", "namespace": "monitoring"}
SCOPE = Scope("111122223333", "eu-central-1")
BY_NAME = {rule.alert: rule for rule in rules()}


def fired(rule: Rule, text: str, minutes: float = 1.0) -> list[dict[str, str]]:
    """The labels of the alert, but those of the stream, where each line was written so many minutes ago."""
    lines = [Line(STREAM, each, -60.0 * minutes) for each in text.splitlines()]
    return [{k: v for k, v in labels if k not in STREAM} for labels in evaluate(rule.expr, lines)]


class Said:
    """A `Teller` and what it writes."""

    def __init__(self) -> None:
        self.now = 0.0
        once = logs.Once(logs.logger("exporter.test"), 3600.0, lambda: self.now)
        self._teller = Teller("ebs/111122223333/eu-central-1", Ebs(Wishes()), SCOPE, once)

    def tell(self, **failures: Exception) -> None:
        self._teller.tell(Report(failures=dict(failures)))


def refusal(kind: type[AwsError], code: str) -> AwsError:
    return kind("ec2", "DescribeVolumes", code, "You are not authorized to perform this operation")


def test_a_refused_operation_fires_until_it_answers_again() -> None:
    """What a pass says of a missing permission, with what is missing and where; quiet as soon as it is granted."""
    rule = BY_NAME["StorageExporterAccessDeniedLogged"]
    with logged() as log:
        said = Said()
        said.tell(DescribeVolumes=refusal(DeniedError, "UnauthorizedOperation"))
        wants = {"account_id": "111122223333", "region": "eu-central-1", "operation": "DescribeVolumes"}
        assert fired(rule, log.getvalue()) == [wants | {"error_code": "UnauthorizedOperation"}]
        said.tell()
        assert '"operation_recovered"' in log.getvalue()
        assert fired(rule, log.getvalue()) == []


def test_a_refusal_that_lasts_is_seen_between_two_lines() -> None:
    """It is said once an hour: the range is longer than that, whenever one looks."""
    rule = BY_NAME["StorageExporterAccessDeniedLogged"]
    with logged() as log:
        said, minutes = Said(), []
        for minute in range(0, 200, 5):
            said.now = minute * 60.0
            before = log.tell()
            said.tell(DescribeVolumes=refusal(DeniedError, "AccessDenied"))
            minutes += [minute] * (log.tell() - before > 0)
        text = log.getvalue().splitlines()
    assert minutes == [0, 60, 120, 180]
    for now in range(1, 200):
        lines = [Line(STREAM, each, 60.0 * minute) for minute, each in zip(minutes, text, strict=True) if minute <= now]
        assert evaluate(rule.expr, lines, 60.0 * now)


def test_credentials_that_fail_fire_and_throttling_does_not() -> None:
    """Only what a person must put right."""
    rule = BY_NAME["StorageExporterAccessDeniedLogged"]
    with logged() as log:
        Said().tell(DescribeVolumes=CredentialsError("no provider gave credentials"))
        assert [each["operation"] for each in fired(rule, log.getvalue())] == ["DescribeVolumes"]
    with logged() as log:
        Said().tell(DescribeVolumes=refusal(ThrottledError, "RequestLimitExceeded"))
        assert log.getvalue()
        assert fired(rule, log.getvalue()) == []


async def test_rejected_requests_fire(tmp_path: Path) -> None:
    """A receiver on loopback that refuses the token: the reason is in the alert."""
    answers: Iterator[web.Response | None] = iter([web.Response(status=401, text="no")])
    with logged() as log:
        async with scene(tmp_path, prepare=answering(answers)) as it:
            await it.put(window(1_000_000)[0])
            await it.empty()
    assert fired(BY_NAME["StorageExporterPushRejectedLogged"], log.getvalue()) == [{"reason": "rejected_401"}]
    assert fired(BY_NAME["StorageExporterErrorsLogged"], log.getvalue() * 3) == []
    assert fired(BY_NAME["StorageExporterPushWaitingLogged"], log.getvalue(), 20) == []


async def test_waiting_fires_until_the_receiver_answers_again(tmp_path: Path) -> None:
    """A receiver on loopback that is busy, and then is not."""
    rule = BY_NAME["StorageExporterPushWaitingLogged"]
    answers: Iterator[web.Response | None] = iter([web.Response(status=503, text="busy")])
    with logged() as log:
        async with scene(tmp_path, prepare=answering(answers)) as it:
            await it.put(window(1_000_000)[0])
            await it.empty()
    waits, *_, well = log.getvalue().splitlines()
    assert fired(rule, waits, 20) == [{"code": "503"}]
    assert fired(rule, f"{waits}\n{well}", 20) == []


@pytest.mark.parametrize(
    ("program", "says"),
    [
        ("raise RuntimeError('a fault')", "Traceback"),
        ("raise ExceptionGroup('several', [RuntimeError('a fault')])", "Exception Group Traceback"),
        ("from exporter.cli import main; main()", "config.yaml: "),
    ],
)
def test_a_process_that_dies_fires(tmp_path: Path, program: str, says: str) -> None:
    """What Python and the program itself write on their way out, each process once."""
    config = tmp_path / "config.yaml"
    config.write_text("nonsense: 1\n", encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-c", program, "run", "--config", str(config)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode != 0
    assert says in run.stderr
    assert fired(BY_NAME["StorageExporterCrashed"], run.stderr) == [{}]
