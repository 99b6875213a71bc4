"""`check --connect`: what is wrong with the way to the receiver, in words and an exit code, before anything is sent."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from exporter.cli import main
from exporter.demo import run_mimir_in_thread


def check(folder: Path, url: str, more: str = "") -> Result:
    file = folder / "config.yaml"
    file.write_text(f"cluster: production\ndelivery: {{mode: push, push: {{url: '{url}', timeout: 2s{more}}}}}\n")
    return CliRunner().invoke(main, ["check", "--config", str(file), "--connect"])


def test_a_receiver_that_takes_it_is_named(tmp_path: Path) -> None:
    """The configuration is printed as without it; an empty request of each tenant has arrived, and no sample."""
    with run_mimir_in_thread(basic={"exporter": "secret"}) as mimir:
        auth = "auth: {basic: {username: exporter, password: secret}}"
        result = check(tmp_path, mimir.push_url, f", tenant: platform, tenants: {{'123456789012': payments}}, {auth}")
        assert result.exit_code == 0, result.stderr
        assert "mode: push" in result.stdout
        assert "secret" not in result.stdout.replace("hidden", "")
        assert f"note: {mimir.push_url} takes what is sent" in result.stderr
        assert [request.tenant for request in mimir.requests] == ["platform", "payments"]
        assert not mimir.series("platform")
        assert not mimir.refusals


@pytest.mark.parametrize(
    ("path", "more", "said"),
    [
        ("/api/v1/pusch", ", tenant: platform", "correct delivery.push.url"),
        ("/api/v1/push", "", "set delivery.push.tenant"),
        ("/api/v1/push", ", tenant: stranger", "correct delivery.push.tenant or its permissions"),
        ("/api/v1/push", ", tenant: platform, auth: {bearer_token: wrong}", "correct delivery.push.auth"),
    ],
)
def test_what_is_wrong_is_said_with_the_next_step(tmp_path: Path, path: str, more: str, said: str) -> None:
    """A wrong path, no tenant, one that may not write, a wrong token: one line, exit code 1, no secret in it."""
    bearer = ["right"] if "bearer" in more else []
    with run_mimir_in_thread(bearer=bearer, allowed={"platform"}) as mimir:
        result = check(tmp_path, mimir.url + path, more)
    assert result.exit_code == 1
    (line,) = [line for line in result.stderr.splitlines() if not line.startswith("note:")]
    assert line.startswith(f"delivery.push: {mimir.url}{path}")
    assert said in line
    assert "wrong" not in line


def test_nobody_there_and_somebody_silent(tmp_path: Path) -> None:
    """A port without a listener, and a listener that never answers: both are said, the second within the timeout."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        result = check(tmp_path, f"http://127.0.0.1:{free.getsockname()[1]}/api/v1/push")
    assert result.exit_code == 1
    assert "delivery.push: http://127.0.0.1:" in result.stderr
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        result = check(tmp_path, f"http://127.0.0.1:{silent.getsockname()[1]}/api/v1/push")
    assert result.exit_code == 1
    assert "2" in result.stderr.rpartition("push: ")[2]


def test_where_nothing_is_pushed_there_is_nothing_to_connect_to(tmp_path: Path) -> None:
    """That is no fault."""
    result = CliRunner().invoke(main, ["check", "--connect"])
    assert result.exit_code == 0
    assert "delivery.mode is scrape" in result.stderr
