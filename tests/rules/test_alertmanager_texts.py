"""The templates over written-out notifications, rendered by amtool: what stands on the phone, word by word."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.rules.alertmanager import FOLDER
from tests.tools import binary

pytestmark = pytest.mark.binary

OUTSIDE = "https://alertmanager.example"
VOLUME = {
    "alertname": "AwsEbsVolumeStalledIO",
    "severity": "critical",
    "component": "ebs",
    "cluster": "prod",
    "namespace": "databases",
    "persistentvolumeclaim": "data-postgres-0",
    "workload": "StatefulSet/postgres",
    "node": "ip-10-0-1-2",
    "availability_zone": "eu-central-1a",
    "volume_id": "vol-0a",
}
TEXTS = {
    "summary": "Claim databases/data-postgres-0: no I/O",
    "description": "vol-0a in eu-central-1a on node ip-10-0-1-2. Look at the pod.",
    "runbook_url": "https://github.com/officeless/storage-exporter/blob/main/rules/README.md#x",
    "dashboard_url": "/d/storage-exporter-ebs-volume?var-volume_id=vol-0a",
    "console_url": "https://console.example/vol-0a",
}


def alert(labels: dict[str, str], texts: dict[str, str], status: str = "firing") -> dict[str, Any]:
    """One alert as templates see it."""
    return {"status": status, "labels": labels, "annotations": texts}


def render(folder: Path, alerts: list[dict[str, Any]], *names: str, html: bool = False) -> list[str]:
    """What the templates of these names make of a notification of these alerts."""
    firing = any(each["status"] == "firing" for each in alerts)
    common = dict(set.intersection(*(set(each["labels"].items()) for each in alerts)))
    data = {
        "receiver": "storage-page",
        "status": "firing" if firing else "resolved",
        "externalURL": OUTSIDE,
        "commonLabels": common,
        "alerts": alerts,
    }
    file = folder / "data.json"
    file.write_text(json.dumps(data), encoding="utf-8")
    words = [f"--template.glob={FOLDER}/templates/*.tmpl", f"--template.data={file}"]
    text = "\x1e".join(f'{{{{ template "{name}" . }}}}' for name in names)
    words += [f"--template.text={text}", f"--template.type={'html' if html else 'text'}"]
    done = subprocess.run(
        [str(binary("amtool")), "template", "render", *words], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\x1e")


def test_one_alert(tmp_path: Path) -> None:
    """Title, text and links of one page; what the description says already is not said again."""
    title, text, slack = render(tmp_path, [alert(VOLUME, TEXTS)], "storage.title", "storage.text", "storage.slack.text")
    assert title == "CRITICAL: Claim databases/data-postgres-0: no I/O"
    assert text == (
        "Claim databases/data-postgres-0: no I/O\n"
        "vol-0a in eu-central-1a on node ip-10-0-1-2. Look at the pod.\n"
        "StatefulSet/postgres · cluster prod\n"
        f"Runbook: {TEXTS['runbook_url']}\n"
        "Dashboard: https://grafana.example/d/storage-exporter-ebs-volume?var-volume_id=vol-0a\n"
        "AWS console: https://console.example/vol-0a\n"
    )
    assert slack == (
        "vol-0a in eu-central-1a on node ip-10-0-1-2. Look at the pod.\n"
        "StatefulSet/postgres · cluster prod\n"
        f"<{TEXTS['runbook_url']}|Runbook>"
        " · <https://grafana.example/d/storage-exporter-ebs-volume?var-volume_id=vol-0a|Dashboard>"
        " · <https://console.example/vol-0a|AWS console>\n"
    )


def test_many_alerts(tmp_path: Path) -> None:
    """Five in full, the number of the rest, every claim by name once, and what is over since."""
    alerts = [
        alert({**VOLUME, "persistentvolumeclaim": f"data-{number // 2}"}, {"summary": f"Volume {number}: slow"})
        for number in range(7)
    ]
    alerts.append(alert({**VOLUME, "persistentvolumeclaim": "data-9"}, {"summary": "Volume 9: slow"}, "resolved"))
    title, text, slack = render(tmp_path, alerts, "storage.title", "storage.text", "storage.slack.text")
    assert title == "CRITICAL: Volume 0: slow (+6 more)"
    claims = "Claims: databases/data-0, databases/data-1, databases/data-2, databases/data-3, databases/data-9\n"
    facts = "StatefulSet/postgres · node ip-10-0-1-2 · zone eu-central-1a · cluster prod\n"
    assert text.startswith(f"Volume 0: slow\nclaim databases/data-0 · {facts}\nVolume 1: slow\n")
    assert text.endswith(
        f"Volume 4: slow\nclaim databases/data-2 · {facts}\nand 2 more: {OUTSIDE}\n{claims}\nResolved: Volume 9: slow\n"
    )
    assert slack.startswith(f"*Volume 0: slow*\nclaim databases/data-0 · {facts}\n*Volume 1: slow*\n")
    assert slack.endswith(f"<{OUTSIDE}|and 2 more>\n{claims}Resolved: Volume 9: slow\n")
    assert "Volume 5" not in text + slack


def test_one_that_is_over(tmp_path: Path) -> None:
    """The end of one alert stands in Slack's title, and not a second time below it."""
    title, text, slack = render(
        tmp_path, [alert(VOLUME, TEXTS, "resolved")], "storage.title", "storage.text", "storage.slack.text"
    )
    assert title == "Resolved: Claim databases/data-postgres-0: no I/O"
    assert (text, slack) == (f"{title}\n", "")


def test_many_that_are_over(tmp_path: Path) -> None:
    """The end of many says how many, and is a resolved title."""
    alerts = [alert(VOLUME, {"summary": f"Volume {number}: slow"}, "resolved") for number in range(8)]
    title, text, slack, color = render(
        tmp_path, alerts, "storage.title", "storage.text", "storage.slack.text", "storage.slack.color"
    )
    assert title == "Resolved: Volume 0: slow (+7 more)"
    lines = "".join(f"Resolved: Volume {number}: slow\n" for number in range(5)) + "and 3 more resolved\n"
    assert (text, slack) == (lines, lines)
    assert color == "good"


def test_exactly_five(tmp_path: Path) -> None:
    """Five alerts are all there are: no rest is spoken of."""
    alerts = [alert(VOLUME, {"summary": f"Volume {number}: slow"}) for number in range(5)]
    text, slack = render(tmp_path, alerts, "storage.text", "storage.slack.text")
    assert "more" not in text + slack
    assert "Volume 4: slow" in text
    assert "*Volume 4: slow*" in slack


@pytest.mark.parametrize(
    ("labels", "thing"),
    [
        ({"namespace": "shop", "persistentvolumeclaim": "data", "volume_id": "vol-1"}, ", claim shop/data"),
        ({"volume_id": "vol-1"}, ", volume vol-1"),
        ({"file_system_id": "fs-1"}, ", file system fs-1"),
        ({"bucket": "logs"}, ", bucket logs"),
        ({"replication_group_id": "s", "cache_cluster_id": "s-1"}, ", cache node s-1"),
        ({"replication_group_id": "s"}, ", replication group s"),
        ({"serverless_cache": "carts"}, ", serverless cache carts"),
        ({"key_id": "1234"}, ", key 1234"),
        ({"node": "ip-1"}, ", node ip-1"),
        ({"namespace": "mimir"}, ", namespace mimir"),
        ({"cluster": "prod"}, ", cluster prod"),
        ({}, ""),
    ],
)
def test_an_alert_without_texts_names_its_thing(tmp_path: Path, labels: dict[str, str], thing: str) -> None:
    """Without a summary the title is the alert's name and what it is about; every link is a whole address."""
    names = ["storage.title", "storage.url.runbook", "storage.url.dashboard", "storage.text", "storage.slack.text"]
    only = alert({"alertname": "X", "severity": "warning", **labels}, {})
    title, runbook, dashboard, text, slack = render(tmp_path, [only], *names)
    assert title == f"Warning: X{thing}"
    assert (runbook, dashboard) == (OUTSIDE, OUTSIDE)
    assert text.startswith(f"X{thing}\n")
    assert "<" not in slack


@pytest.mark.parametrize(
    ("severity", "word", "pagerduty", "color"),
    [
        ("critical", "CRITICAL", "critical", "danger"),
        ("warning", "Warning", "warning", "warning"),
        ("info", "Info", "info", "#439fe0"),
        ("novel", "Alert", "error", "#439fe0"),
    ],
)
def test_severities(tmp_path: Path, severity: str, word: str, pagerduty: str, color: str) -> None:
    """Each severity has its word, its colour, and one that PagerDuty knows."""
    names = ["storage.title", "storage.pagerduty.severity", "storage.slack.color"]
    only = alert({**VOLUME, "severity": severity}, {"summary": "S"})
    assert render(tmp_path, [only], *names) == [f"{word}: S", pagerduty, color]


def test_links_that_are_no_addresses_are_left_out(tmp_path: Path) -> None:
    """A runbook or console that is no address is no link; a dashboard with an address of its own keeps it."""
    texts = {
        "summary": "S",
        "runbook_url": "see the wiki",
        "console_url": "javascript:alert(1)",
        "dashboard_url": "https://other.example/d/x",
    }
    text, slack, runbook, dashboard = render(
        tmp_path,
        [alert(VOLUME, texts)],
        "storage.text",
        "storage.slack.text",
        "storage.url.runbook",
        "storage.url.dashboard",
    )
    assert (runbook, dashboard) == (OUTSIDE, "https://other.example/d/x")
    assert text.endswith("cluster prod\nDashboard: https://other.example/d/x\n")
    assert slack.endswith("cluster prod\n<https://other.example/d/x|Dashboard>\n")


def test_marks_in_texts_stay_text(tmp_path: Path) -> None:
    """Line breaks leave the title, Slack's marks and HTML's are escaped, and odd names break no template."""
    odd = {**VOLUME, "workload": "Job/a(b[c*", "node": "+", "persistentvolumeclaim": "d.(a"}
    both = [alert(odd, {"summary": "A:\n  x < 1 & <b>", "description": "<!channel> & so"})] * 2
    title, slack, claims = render(tmp_path, both, "storage.title", "storage.slack.text", "storage.claims")
    assert title == "CRITICAL: A: x < 1 & <b> (+1 more)"
    assert "*A: x &lt; 1 &amp; &lt;b&gt;*\n&lt;!channel&gt; &amp; so\nclaim databases/d.(a · Job/a(b[c* · " in slack
    assert claims == "databases/d.(a"
    (page,) = render(tmp_path, both, "storage.mail.html", html=True)
    assert "A: x &lt; 1 &amp; &lt;b&gt;</b>" in page
    assert "<!channel>" not in page


def test_mail(tmp_path: Path) -> None:
    """The mail's page has a width for phones, each alert with its links, and the rest by number."""
    own = {**TEXTS, "dashboard_url": "https://other.example/d/x"}
    alerts = [alert(VOLUME, TEXTS), *[alert(VOLUME, own)] * 5, alert(VOLUME, TEXTS, "resolved")]
    (page,) = render(tmp_path, alerts, "storage.mail.html", html=True)
    assert 'name="viewport"' in page
    assert page.count("<b>Claim databases/data-postgres-0: no I/O</b>") == 5
    assert page.count(f'<a href="{TEXTS["runbook_url"]}">Runbook</a>') == 5
    grafana = "https://grafana.example/d/storage-exporter-ebs-volume?var-volume_id=vol-0a"
    assert page.count(f'<a href="{grafana}">Dashboard</a>') == 1
    assert page.count('<a href="https://other.example/d/x">Dashboard</a>') == 4
    assert page.count('<a href="https://console.example/vol-0a">AWS console</a>') == 5
    assert f'<a href="{OUTSIDE}">and 1 more</a>' in page
    assert "<p>Resolved: Claim databases/data-postgres-0: no I/O</p>" in page
