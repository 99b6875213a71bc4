"""Debian's Alertmanager on loopback with the shipped configuration, and what it notified.

    from tests.rules import alertmanager

    config = alertmanager.compressed(alertmanager.shipped())
    with alertmanager.running(tmp_path, config) as am:
        am.post([alertmanager.alert({"alertname": "AwsEfsBurstCreditsDepleted", "severity": "critical", ...},
                                    {"summary": "..."})])
        am.until("the page", lambda: am.got("storage-page", "pagerduty"))
        am.received          # every notification so far: list of catcher.Received (receiver, kind, body)
        am.alerts()          # GET /api/v2/alerts: labels, receivers, status.state, status.inhibitedBy
        am.url               # for Prometheus: alerting.alertmanagers[].static_configs[].targets: [am.address]

Routes, matchers, grouping, inhibition and templates stay as they are shipped. `compressed` makes the waits short and
opens office hours; `running` sends every receiver to the catcher and puts secrets where the configuration reads them.
Mark tests with `@pytest.mark.binary`.
"""

from __future__ import annotations

import contextlib
import copy
import json
import re
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from tests.prometheus import free_port
from tests.rules.catcher import Catcher, Received, catching
from tests.tools import ROOT, binary

FOLDER = ROOT / "rules" / "alertmanager"
"""What is shipped."""

PATIENCE = 60.0
"""Seconds anything may take on a machine that has other things to do."""

SECRET = "a-secret-of-the-tests"
"""What every secret's file holds."""

Config = dict[str, Any]
"""A parsed alertmanager.yaml."""

_HOME = b"/usr/share/prometheus/alertmanager"
_WAITS = {"group_wait": "500ms", "group_interval": "1s"}
_DURATION = re.compile(r"(\d+)(ms|[smhdwy])")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0}


def shipped() -> Config:
    """The configuration as it is in the repository."""
    config: Config = yaml.safe_load((FOLDER / "alertmanager.yaml").read_text(encoding="utf-8"))
    return config


def compressed(config: Config, waits: Mapping[str, str] | None = None) -> Config:
    """
    The same configuration in a hurry: groups wait half a second, and office hours never end.

    Args:
        config: left as it is.
        waits: durations by key (group_wait, group_interval, repeat_interval) for every route that sets the key;
            `repeat_interval` stays as shipped unless it is given.
    """
    short = copy.deepcopy(config)
    for route in routes(short["route"]):
        route.update({key: wait for key, wait in (waits or _WAITS).items() if key in route})
    for interval in short.get("time_intervals", []):
        interval["time_intervals"] = [{"times": [{"start_time": "00:00", "end_time": "24:00"}]}]
    return short


def redirected(config: Config, catcher: Catcher, secret: Path) -> Config:
    """
    The same configuration with every receiver at the catcher.

    Args:
        config: left as it is.
        catcher: where notifications go: `/<receiver>/<kind>` over HTTP, `<receiver>@…` by mail.
        secret: the file every `*_file` key is pointed at. An address of Slack that stands in a file becomes a plain
            one, since each receiver needs its own.
    """
    # Through JSON, which knows no anchors: receivers that share a part in YAML must not share it here.
    turned: Config = json.loads(json.dumps(config))
    for receiver in turned["receivers"]:
        name = receiver["name"]
        for each in receiver.get("pagerduty_configs", []):
            each["url"] = f"{catcher.web}/{name}/pagerduty"
        for each in receiver.get("slack_configs", []):
            each.pop("api_url_file", None)
            each["api_url"] = f"{catcher.web}/{name}/slack"
        for each in receiver.get("webhook_configs", []):
            each["url"] = f"{catcher.web}/{name}/webhook"
        for each in receiver.get("email_configs", []):
            each.update(to=f"{name}@catcher.example", smarthost=catcher.mail, require_tls=False)
    _point(turned, secret)
    turned["templates"] = [str(FOLDER / each) for each in turned.get("templates", [])]
    return turned


def routes(route: Config) -> Iterator[Config]:
    """A route and all below it, in the order of the tree."""
    yield route
    for each in route.get("routes", []):
        yield from routes(each)


def seconds(duration: str) -> float:
    """How long a duration such as 4h or 1m30s is."""
    return sum(int(number) * _SECONDS[unit] for number, unit in _DURATION.findall(duration))


def alert(labels: Mapping[str, str], annotations: Mapping[str, str] | None = None, *, ends: str = "") -> Config:
    """An alert as Prometheus posts it; the label of the project is added. `ends` (RFC 3339) in the past resolves it."""
    named = {"project": "storage-exporter", **labels}
    # An empty label is none, and Alertmanager's API refuses it.
    kept = {key: value for key, value in named.items() if value}
    body: Config = {"labels": kept, "annotations": dict(annotations or {})}
    return {**body, "endsAt": ends} if ends else body


class Alertmanager:
    """A running server at `url`, and what it notified."""

    def __init__(self, url: str, catcher: Catcher) -> None:
        self.url = url
        self.address = url.removeprefix("http://")
        self._catcher = catcher

    @property
    def received(self) -> list[Received]:
        """Every notification so far, oldest first."""
        return list(self._catcher.received)

    def got(self, receiver: str, kind: str = "") -> list[Received]:
        """What one receiver got, by one of its ways or by any."""
        return [each for each in self.received if each.receiver == receiver and kind in {"", each.kind}]

    def post(self, alerts: Iterable[Mapping[str, Any]]) -> None:
        """Post alerts, as Prometheus does; see `alert`."""
        body = json.dumps(list(alerts)).encode()
        request = urllib.request.Request(
            f"{self.url}/api/v2/alerts", data=body, headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            assert answer.status == 200

    def resolve(self, alerts: Iterable[Mapping[str, Any]]) -> None:
        """Post the same alerts as ended now."""
        now = datetime.now(UTC).isoformat()
        self.post({**each, "endsAt": now} for each in alerts)

    def alerts(self, *matchers: str) -> list[Config]:
        """What it holds, with `receivers` and `status` (state, inhibitedBy), narrowed by matchers such as a="b"."""
        query = urllib.parse.urlencode([("filter", each) for each in matchers])
        with urllib.request.urlopen(f"{self.url}/api/v2/alerts?{query}", timeout=PATIENCE) as answer:
            held: list[Config] = json.load(answer)
            return held

    def until(self, what: str, holds: Callable[[], object]) -> None:
        """Return as soon as it holds; fail with what was received so far when it never does."""
        end = time.monotonic() + PATIENCE
        while not holds():
            got = [(each.receiver, each.kind) for each in self.received]
            assert time.monotonic() < end, f"{what}: not within {PATIENCE:g} s; received {got}"
            time.sleep(0.05)


@contextlib.contextmanager
def running(folder: Path, config: Config, flags: Sequence[str] = ()) -> Iterator[Alertmanager]:
    """
    An Alertmanager of its own with a catcher behind every receiver.

    Args:
        folder: an empty one, for its files and its log.
        config: a parsed configuration, usually `compressed(shipped())`.
        flags: more of its command line.
    """
    folder = folder.resolve()
    secret, file, log = folder / "secret", folder / "alertmanager.yaml", folder / "alertmanager.log"
    secret.write_text(SECRET, encoding="utf-8")
    with catching() as catcher, log.open("w", encoding="utf-8") as stream:
        file.write_text(yaml.safe_dump(redirected(config, catcher, secret), sort_keys=False), encoding="utf-8")
        address = f"127.0.0.1:{free_port()}"
        words = [f"--config.file={file}", f"--storage.path={folder / 'data'}", "--cluster.listen-address="]
        program, home = _program(binary("alertmanager"), folder)
        reach = [f"--web.listen-address={address}", f"--web.external-url=http://{address}"]
        words = [str(program), *words, *reach, *flags]
        process = subprocess.Popen(words, cwd=home, stdout=stream, stderr=stream)
        try:
            server = Alertmanager(f"http://{address}", catcher)
            end = time.monotonic() + PATIENCE
            while not _ready(server.url):
                assert process.poll() is None, log.read_text(encoding="utf-8")
                assert time.monotonic() < end, log.read_text(encoding="utf-8")
                time.sleep(0.02)
            _drop(program, folder)
            yield server
        finally:
            process.terminate()
            process.wait(PATIENCE)


def _program(program: Path, folder: Path) -> tuple[Path, Path | None]:
    """
    A program that finds its own templates, and the folder to run it in.

    Debian's reads them below /usr/share and does not start without them; in `.tools` they stand beside it. So a copy
    looks below its working directory instead: a path of the same length, since Go counts its strings.
    """
    home = program.parent.parent / "share" / "prometheus" / "alertmanager"
    if Path(_HOME.decode()).is_dir() or not home.is_dir():
        return program, None
    copied = folder / "alertmanager"
    copied.write_bytes(program.read_bytes().replace(_HOME, b"./" * (len(_HOME) // 2)))
    copied.chmod(0o755)
    return copied, home


def _drop(program: Path, folder: Path) -> None:
    """Delete a copy, which runs on without its file: they are large, and pytest keeps folders."""
    if program.parent == folder:
        program.unlink()


def _point(node: object, secret: Path) -> None:
    """Every key that names a secret's file names this one."""
    if isinstance(node, dict):
        for key, value in node.items():
            if isinstance(key, str) and key.endswith("_file") and isinstance(value, str):
                node[key] = str(secret)
            else:
                _point(value, secret)
    elif isinstance(node, list):
        for each in node:
            _point(each, secret)


def _ready(url: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/-/ready", timeout=5):
        return True
    return False
