"""The shipped configuration as it stands: loads, holds no secret, and leads every alert where its severity says."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.rules import alertmanager
from tests.rules.alert_names import WATCHDOG, Named, promised, written
from tests.tools import binary

CONFIG = alertmanager.FOLDER / "alertmanager.yaml"
EXAMPLES = re.compile(r"(?:\.|^)example$")
# Keys of Alertmanager's and of its HTTP client's configuration that hold a secret, or an address that is one.
SECRETS = frozenset(
    {
        *("routing_key", "service_key", "api_url", "slack_api_url", "api_key", "opsgenie_api_key", "victorops_api_key"),
        *("smtp_auth_password", "smtp_auth_secret", "auth_password", "auth_secret", "password", "credentials"),
        *("bearer_token", "token", "bot_token", "user_key", "client_secret", "secret_key", "access_key", "webhook_url"),
        *("wechat_api_secret", "api_secret", "key", "sigv4"),
    }
)


def receivers_of(alert: Named, namespace: str = "") -> list[str]:
    """Who must hear of an alert, by hand."""
    if alert == WATCHDOG:
        return ["storage-watchdog"]
    team = ["team-databases"] if namespace == "databases" and alert.severity != "info" else []
    who = "observability" if alert.component in {"exporter", "observability"} else "storage"
    how = {"critical": f"{who}-page", "warning": f"{who}-ticket", "info": "storage-list"}
    return [*team, how[alert.severity]]


def labels_of(alert: Named, namespace: str = "") -> dict[str, str]:
    """What the router looks at."""
    labels = {"alertname": alert.name, "severity": alert.severity, "component": alert.component}
    return {**labels, "namespace": namespace} if namespace else labels


def walk(node: Any, path: str = "") -> Iterator[tuple[str, str, Any]]:
    """Every key of a parsed YAML with where it stands and its value."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield path, str(key), value
            yield from walk(value, f"{path}/{key}")
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from walk(value, f"{path}/{number}")


def test_no_secret_stands_in_the_configuration() -> None:
    """Every secret is a file's name below one folder, and there is one for each way out that needs one."""
    config = alertmanager.shipped()
    inline = [f"{path}/{key}" for path, key, _ in walk(config) if key in SECRETS]
    assert inline == []
    files = {value for _, key, value in walk(config) if key.endswith("_file")}
    assert all(re.fullmatch(r"/etc/alertmanager/secrets/[a-z-]+", file) for file in files)
    # The comment at the top lists them all, and no other.
    top = CONFIG.read_text(encoding="utf-8").partition("\nglobal:")[0]
    listed = set(re.findall(r"\b(?:pagerduty|slack)-[a-z]+|\b[a-z]+-token|smtp-password", top))
    assert {Path(file).name for file in files} == listed


def test_addresses_are_examples() -> None:
    """No host of anybody stands in what is to be filled in."""
    texts = [file.read_text(encoding="utf-8") for file in (CONFIG, *alertmanager.FOLDER.glob("templates/*.tmpl"))]
    hosts = {host for text in texts for host in re.findall(r"(?:https?://|@)([a-z0-9.-]+)", text)}
    assert hosts
    assert {host for host in hosts if not EXAMPLES.search(host)} == set()


@pytest.mark.binary
def test_amtool_takes_it() -> None:
    """Debian's Alertmanager 0.25 reads the configuration with its templates."""
    done = subprocess.run(
        [str(binary("amtool")), "check-config", str(CONFIG)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " - 1 templates" in done.stdout


def test_every_receiver_and_interval_is_used() -> None:
    """Nothing stands there that no route leads to, and every receiver has a way out and a title of ours."""
    config = alertmanager.shipped()
    routes = list(alertmanager.routes(config["route"]))
    assert {each["name"] for each in config["receivers"]} == {each["receiver"] for each in routes}
    intervals = {name for each in routes for name in each.get("active_time_intervals", [])}
    assert {each["name"] for each in config["time_intervals"]} == intervals
    for receiver in config["receivers"]:
        assert [key for key in receiver if key.endswith("_configs")], receiver["name"]


def test_groups_are_never_resources() -> None:
    """A route groups by alert, cluster, account, region and a team's namespace, or by fewer."""
    config = alertmanager.shipped()
    for route in alertmanager.routes(config["route"]):
        grouped = set(route.get("group_by", []))
        assert grouped <= {"alertname", "cluster", "account_id", "region", "namespace"}, route


def test_waits() -> None:
    """Pages repeat every 4 h, tickets once a day; groups wait 30 s; notes only in office hours."""
    (ours,) = alertmanager.shipped()["route"]["routes"]
    by = {route["matchers"][0]: route for route in ours["routes"]}
    assert (ours["group_wait"], ours["group_interval"]) == ("30s", "5m")
    assert ours["group_by"] == ["alertname", "cluster", "account_id", "region"]
    assert by['severity="critical"']["repeat_interval"] == "4h"
    assert by['severity="warning"']["repeat_interval"] == "24h"
    assert by['severity="info"']["active_time_intervals"] == ["office-hours"]
    assert "group_wait" not in by['severity="critical"']


def test_dead_mans_switch_is_sent_every_minute() -> None:
    """A repeat that is as long as the interval, or longer, would be left out every second time."""
    (ours,) = alertmanager.shipped()["route"]["routes"]
    first = ours["routes"][0]
    assert first["matchers"] == [f'alertname="{WATCHDOG.name}"']
    assert not first.get("continue")
    assert alertmanager.seconds(first["repeat_interval"]) < alertmanager.seconds(first["group_interval"]) <= 60


def test_dead_mans_switch_never_says_that_it_is_over() -> None:
    """The end of the alert is no sign of life: its webhook hears nothing then."""
    (switch,) = [each for each in alertmanager.shipped()["receivers"] if each["name"] == "storage-watchdog"]
    assert [each["send_resolved"] for each in switch["webhook_configs"]] == [False]
    assert set(switch) == {"name", "webhook_configs"}


def test_repeats_are_remembered() -> None:
    """Alertmanager forgets after 120 h what it sent: a longer repeat would come sooner than it says."""
    for route in alertmanager.routes(alertmanager.shipped()["route"]):
        if "repeat_interval" in route:
            assert alertmanager.seconds(route["repeat_interval"]) <= 72 * 3600


def test_compressed_keeps_what_decides() -> None:
    """The hurried configuration of the tests differs in waits and office hours only, and leaves its argument alone."""
    config = alertmanager.shipped()
    short = alertmanager.compressed(config)
    assert config == alertmanager.shipped()
    assert short["inhibit_rules"] == config["inhibit_rules"]
    waits = {"group_wait", "group_interval", "repeat_interval", "routes"}
    pairs = zip(alertmanager.routes(short["route"]), alertmanager.routes(config["route"]), strict=True)
    for one, other in pairs:
        assert {key: one[key] for key in one if key not in waits} == {
            key: other[key] for key in other if key not in waits
        }
        assert set(one) == set(other)
    assert alertmanager.seconds(short["route"]["group_wait"]) <= 1


# One of each kind of answer, for amtool: labels to receivers, by hand.
ROUTES = [
    ("alertname=A severity=critical component=efs", "storage-page"),
    ("alertname=A severity=critical component=nodes", "storage-page"),
    ("alertname=A severity=critical component=exporter", "observability-page"),
    ("alertname=A severity=critical component=observability", "observability-page"),
    ("alertname=A severity=warning component=s3", "storage-ticket"),
    ("alertname=A severity=warning component=exporter", "observability-ticket"),
    ("alertname=A severity=info component=ebs", "storage-list"),
    ("alertname=A severity=info component=ebs namespace=databases", "storage-list"),
    ("alertname=A severity=critical component=ebs namespace=databases", "team-databases,storage-page"),
    ("alertname=A severity=warning component=claims namespace=databases", "team-databases,storage-ticket"),
    ("alertname=A severity=warning component=claims namespace=mydatabases", "storage-ticket"),
    ("alertname=A severity=novel component=ebs", "storage-ticket"),
    ("alertname=A", "storage-ticket"),
    ("alertname=StorageExporterWatchdog severity=none component=exporter namespace=databases", "storage-watchdog"),
]


@pytest.mark.binary
def test_amtool_agrees_on_routes() -> None:
    """`amtool config routes test` finds the receivers of each kind of alert, and of a stranger's."""
    amtool = str(binary("amtool"))

    def verified(labels: str, receivers: str) -> str:
        words = [amtool, "config", "routes", "test", f"--config.file={CONFIG}", f"--verify.receivers={receivers}"]
        done = subprocess.run([*words, *labels.split()], capture_output=True, text=True, timeout=60, check=False)
        return "" if done.returncode == 0 else f"{labels}: {done.stdout.strip()} {done.stderr.strip()}"

    table = [(f"project=storage-exporter {labels}", receivers) for labels, receivers in ROUTES]
    table.append(("project=other alertname=A severity=critical component=efs", "everything-else"))
    table.append(("alertname=StorageExporterWatchdog", "everything-else"))
    with ThreadPoolExecutor(4) as pool:
        wrong = [each for each in pool.map(verified, *zip(*table, strict=True)) if each]
    assert wrong == []


@pytest.mark.binary
def test_every_alert_goes_where_its_severity_says(tmp_path: Path) -> None:
    """A running Alertmanager has the promised receivers for every promised and every written alert."""
    known = {each.name: each for each in [*promised(), *written()]} | {WATCHDOG.name: WATCHDOG}
    assert len(known) > 150
    # What a rule file says of an alert wins over the promise: the receiver follows the severity in either case.
    wanted = {
        (name, namespace): receivers_of(alert, namespace)
        for name, alert in known.items()
        for namespace in ("", "databases", "payments")
    }
    patient = alertmanager.compressed(alertmanager.shipped(), {"group_wait": "1h"})
    with alertmanager.running(tmp_path, patient) as am:
        am.post(alertmanager.alert(labels_of(known[name], namespace)) for name, namespace in wanted)
        am.until("all alerts", lambda: len(am.alerts()) == len(wanted))
        got = {
            (each["labels"]["alertname"], each["labels"].get("namespace", "")): [
                receiver["name"] for receiver in each["receivers"]
            ]
            for each in am.alerts()
        }
    assert {key: names for key, names in got.items() if names != wanted[key]} == {}


def test_rules_keep_the_promise() -> None:
    """Alerts that are both promised and written have the promised severity and component."""
    table = {each.name: each for each in promised()}
    differing = [each for each in written() if each.name in table and each != table[each.name]]
    assert differing == []
