"""The demo in push mode: where it writes, and that it never writes anywhere else."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.config import Auth, Basic, Delivery, Outbox, Push, Secret, Tls
from exporter.demonstration import _delivery
from tests.demo_mimir import ask, get
from tests.processes import until

PUSHING = """\
cluster: mine
delivery:
  mode: MODE
  push: {url: "http://127.0.0.1:9/api/v1/push", tenant: platform, outbox: {path: FOLDER}}
"""


@contextlib.contextmanager
def demo(*words: str) -> Iterator[str]:
    """The text with which a demo greets; it works when this is there, and ends well on SIGTERM."""
    command = [sys.executable, "-m", "exporter", "demo", "--port", "0", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            welcome = ""
            for text in process.stdout:
                welcome += text
                if "Ctrl-C" in text:
                    break
            found = re.search(r"landing page +(http://\S+)/", welcome)
            assert found
            until("at work", lambda: get(found[1], "/-/ready").text.startswith(("waiting", "ready")))
            yield welcome
            process.send_signal(signal.SIGTERM)
            assert process.wait(40) == 0
        finally:
            process.kill()


@pytest.mark.parametrize(("flag", "mode"), [(True, ""), (True, "scrape"), (False, "push")])
def test_the_demo_pushes_to_a_receiver_of_its_own(tmp_path: Path, flag: bool, mode: str) -> None:
    """
    By the flag or by a configuration that names another: the welcome names the demo's, which has samples and has
    refused nothing; the user's outbox is not touched.
    """
    words, tenant = ["--push"] * flag, "demo"
    if mode:
        file, tenant = tmp_path / "exporter.yaml", "platform"
        text = PUSHING.replace("FOLDER", str(tmp_path / "outbox")).replace("MODE", mode)
        file.write_text(text, encoding="utf-8")
        words += ["--config", str(file)]
    with demo(*words) as welcome:
        found = re.search(r"remote write +(http://\S+)/_demo/", welcome)
        assert found
        assert f"X-Scope-OrgID: {tenant}' '{found[1]}/prometheus/api/v1/query?query=aws_" in welcome
        assert get(found[1], "/_demo/").status == 200
        query = "/prometheus/api/v1/query?query=aws_ebs_volume_read_bytes_per_second"
        until("datapoints arrive", lambda: '"volume_id"' in get(found[1], query, tenant=tenant).text)
        assert ask(found[1], "/_demo/refusals") == []
    assert not (tmp_path / "outbox").exists()


def test_without_push_there_is_no_receiver() -> None:
    """Scraped, the demo names none, and shows where its series are."""
    with demo() as welcome:
        assert "remote write" not in welcome
        assert re.search(r"curl -s http://\S+/metrics \| grep aws_", welcome)


def test_what_the_user_wants_of_pushing_stays_but_for_where_it_goes() -> None:
    """Address and outbox are the demo's; credentials, headers and TLS, which belong to another receiver, are gone."""
    wanted = Push(
        url="https://mimir.example/api/v1/push",
        auth=Auth(basic=Basic(username="me", password=Secret("hidden"))),
        headers={"X-Key": Secret("hidden")},
        tls=Tls(insecure_skip_verify=True),
        external_labels={"team": "storage"},
        tenants={"123456789012": "other"},
        held_every=30,
        outbox=Outbox(path="/var/lib/outbox", max_bytes=2**21),
    )
    made = _delivery(wanted, "http://127.0.0.1:1/api/v1/push", Path("/tmp/demo/outbox"))
    assert made == Delivery(
        mode="push",
        push=Push(
            url="http://127.0.0.1:1/api/v1/push",
            tenant="demo",
            external_labels={"team": "storage"},
            tenants={"123456789012": "other"},
            held_every=30,
            outbox=Outbox(path="/tmp/demo/outbox", max_bytes=2**21),
        ),
    )
    plain = _delivery(None, "http://127.0.0.1:1/api/v1/push", Path("/tmp/demo/outbox"))
    assert plain.push == Push(
        url="http://127.0.0.1:1/api/v1/push", tenant="demo", outbox=Outbox(path="/tmp/demo/outbox")
    )
