"""What a running Alertmanager with the shipped routes and templates sends to PagerDuty, Slack, webhooks and by mail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.rules import alertmanager
from tests.rules.alertmanager import Alertmanager, alert

pytestmark = pytest.mark.binary

RUNBOOK = "https://github.com/officeless/storage-exporter/blob/main/rules/README.md#awsebsvolumestalledio"
CLAIM = "databases/data-postgres-0"
STALLED = {
    "alertname": "AwsEbsVolumeStalledIO",
    "severity": "critical",
    "component": "ebs",
    "account_id": "111122223333",
    "region": "eu-central-1",
    "availability_zone": "eu-central-1a",
    "volume_id": "vol-0a",
    "namespace": "databases",
    "persistentvolumeclaim": "data-postgres-0",
    "workload": "StatefulSet/postgres",
}
TEXTS = {
    "summary": f"Claim {CLAIM}: no I/O for 4 minutes",
    "description": "Reads & writes of vol-0a take > 5 s. Run `kubectl -n databases get pods`.",
    "runbook_url": RUNBOOK,
    "dashboard_url": "/d/storage-exporter-ebs-volume?var-cluster=prod&var-volume_id=vol-0a",
    "console_url": "https://eu-central-1.console.aws.amazon.com/ec2/home#VolumeDetails:volumeId=vol-0a",
}


def volumes(cluster: str, count: int, severity: str) -> list[dict[str, Any]]:
    """Alerts of so many volumes of a zone, each with a claim of its own."""
    return [
        alert(
            {
                **STALLED,
                "cluster": cluster,
                "severity": severity,
                "volume_id": f"vol-{number:03}",
                "namespace": "shop",
                "persistentvolumeclaim": f"data-{number:03}",
            },
            {**TEXTS, "summary": f"Claim shop/data-{number:03}: no I/O"},
        )
        for number in range(count)
    ]


def scenes() -> dict[str, list[dict[str, Any]]]:
    """What fires, by cluster: each test has one of its own, by which it finds what it caused."""
    lost = {"alertname": "StorageZoneLost", "severity": "critical", "component": "claims", "region": "eu-central-1"}
    note = {**STALLED, "severity": "info", "cluster": "c-mailing"}
    switch = {"alertname": "StorageExporterWatchdog", "severity": "none", "component": "exporter"}
    down = {"alertname": "StorageExporterDown", "severity": "critical", "component": "exporter"}
    return {
        "c-lossy": [
            alert(
                {**lost, "cluster": "c-lossy", "availability_zone": "eu-central-1a"},
                {"summary": "Zone eu-central-1a: lost"},
            ),
            *volumes("c-lossy", 100, "critical"),
        ],
        "c-elsewhere": volumes("c-elsewhere", 100, "critical"),
        "c-many": volumes("c-many", 103, "warning"),
        "c-paging": [alert({**STALLED, "cluster": "c-paging"}, TEXTS)],
        "c-ending": [alert({**STALLED, "namespace": "shop", "severity": "warning", "cluster": "c-ending"}, TEXTS)],
        "c-ticketing": [alert({**STALLED, "severity": "warning", "cluster": "c-ticketing"}, TEXTS)],
        "c-mailing": [
            alert({**note, "alertname": name}, {**TEXTS, "summary": f"Volume vol-0a: {name}"})
            for name in ("One", "Two")
        ],
        "c-bare": [alert({**STALLED, "cluster": "c-bare"})],
        "c-dead": [alert({**switch, "cluster": "c-dead"})],
        "c-own": [alert({**down, "cluster": "c-own"}, TEXTS)],
    }


@pytest.fixture(scope="module")
def am(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alertmanager]:
    """One Alertmanager for all tests here, where everything fires at once."""
    # Long enough for a loaded machine to take all alerts before the first group is due.
    config = alertmanager.compressed(alertmanager.shipped(), {"group_wait": "2s", "group_interval": "1s"})
    with alertmanager.running(tmp_path_factory.mktemp("alertmanager"), config) as server:
        server.post(each for alerts in scenes().values() for each in alerts)
        yield server


def about(am: Alertmanager, cluster: str, receiver: str, kind: str) -> list[Any]:
    """Bodies of what one way of a receiver got about a cluster."""
    return [each.body for each in am.got(receiver, kind) if cluster in each.text]


def first(am: Alertmanager, cluster: str, receiver: str, kind: str) -> Any:
    """The first body that one way of a receiver gets about a cluster; waits for it."""
    am.until(f"{receiver} by {kind}", lambda: about(am, cluster, receiver, kind))
    return about(am, cluster, receiver, kind)[0]


def test_zone_loss_is_one_page(am: Alertmanager) -> None:
    """A hundred volumes of a zone that is lost are no page beside the zone's."""
    page = first(am, "c-lossy", "storage-page", "pagerduty")
    assert page["payload"]["summary"] == "CRITICAL: Zone eu-central-1a: lost"
    # The volumes' group was due before those of the clusters that were posted later.
    first(am, "c-elsewhere", "storage-page", "pagerduty")
    first(am, "c-own", "observability-page", "pagerduty")
    for kind in ("pagerduty", "slack"):
        assert len(about(am, "c-lossy", "storage-page", kind)) == 1
    assert len(am.alerts('cluster="c-lossy"', 'alertname="AwsEbsVolumeStalledIO"')) == 100


def test_a_hundred_volumes_are_one_page(am: Alertmanager) -> None:
    """A hundred volumes with one trouble are one page that names five, counts the rest and lists their claims."""
    other = first(am, "c-elsewhere", "storage-page", "pagerduty")
    assert len(about(am, "c-elsewhere", "storage-page", "pagerduty")) == 1
    assert other["payload"]["summary"] == "CRITICAL: Claim shop/data-000: no I/O (+99 more)"
    details = other["payload"]["custom_details"]
    assert details["firing"] == "100"
    assert details["alerts"].count("Claim shop/data-") == 5
    assert "and 95 more" in details["alerts"]
    assert details["claims"].startswith("shop/data-000, shop/data-001, ")
    assert details["claims"].endswith("shop/data-019 and more")


def test_page_at_pagerduty_and_slack(am: Alertmanager) -> None:
    """A page names claim, number and first action, leads to runbook, dashboard and console; the team reads along."""
    event = first(am, "c-paging", "storage-page", "pagerduty")
    assert event["routing_key"] == alertmanager.SECRET
    assert event["event_action"] == "trigger"
    payload = event["payload"]
    assert payload["summary"] == f"CRITICAL: Claim {CLAIM}: no I/O for 4 minutes"
    assert (payload["severity"], payload["component"], payload["class"]) == ("critical", "ebs", STALLED["alertname"])
    details = payload["custom_details"]
    assert details["claims"] == CLAIM
    for text in (TEXTS["summary"], TEXTS["description"], "StatefulSet/postgres", "zone eu-central-1a", RUNBOOK):
        assert text in details["alerts"]
    dashboard = f"https://grafana.example{TEXTS['dashboard_url']}"
    assert [link["href"] for link in event["links"]] == [RUNBOOK, dashboard]
    assert event["client_url"] == dashboard
    for receiver in ("storage-page", "team-databases"):
        (message,) = first(am, "c-paging", receiver, "slack")["attachments"]
        assert message["title"] == payload["summary"]
        assert message["title_link"] == dashboard
        assert message["color"] == "danger"
        assert (message["fallback"], message["mrkdwn_in"]) == (message["title"], ["text"])
        assert message["text"].rstrip() == (
            "Reads &amp; writes of vol-0a take &gt; 5 s. Run `kubectl -n databases get pods`.\n"
            "StatefulSet/postgres · zone eu-central-1a · cluster c-paging\n"
            f"<{RUNBOOK}|Runbook> · <{dashboard}|Dashboard> · <{TEXTS['console_url']}|AWS console>"
        )
    am.resolve(scenes()["c-paging"])
    am.until("the end", lambda: len(about(am, "c-paging", "storage-page", "pagerduty")) > 1)
    end = about(am, "c-paging", "storage-page", "pagerduty")[1]
    assert (end["event_action"], end["dedup_key"]) == ("resolve", event["dedup_key"])


def test_slack_says_that_it_is_over(am: Alertmanager) -> None:
    """The end of an alert is a green message whose title says so."""
    am.until("the ticket", lambda: about(am, "c-ending", "storage-ticket", "slack"))
    am.resolve(scenes()["c-ending"])
    am.until("the end", lambda: over(am))
    (message,) = over(am)
    assert message["color"] == "good"
    assert message["title"] == f"Resolved: Claim {CLAIM}: no I/O for 4 minutes"


def over(am: Alertmanager) -> list[Mapping[str, Any]]:
    """Slack's messages in the tickets' channel about something that ended."""
    bodies = [each.body["attachments"][0] for each in am.got("storage-ticket", "slack")]
    return [each for each in bodies if each["title"].startswith("Resolved")]


def test_ticket_webhook_gets_alertmanagers_json(am: Alertmanager) -> None:
    """A ticket system gets the default JSON with every label and annotation, and the token as Bearer."""
    ticket = first(am, "c-ticketing", "storage-ticket", "webhook")
    assert ticket["version"] == "4"
    assert ticket["groupLabels"] == {
        "alertname": STALLED["alertname"],
        "cluster": "c-ticketing",
        "account_id": "111122223333",
        "region": "eu-central-1",
    }
    (one,) = ticket["alerts"]
    assert one["annotations"] == TEXTS
    assert one["labels"]["persistentvolumeclaim"] == "data-postgres-0"
    assert {each.authorization for each in am.got("storage-ticket", "webhook")} == {f"Bearer {alertmanager.SECRET}"}
    assert about(am, "c-ticketing", "storage-page", "pagerduty") == []


def test_a_ticket_has_a_hundred_alerts_at_most(am: Alertmanager) -> None:
    """The ticket system gets the first hundred, and the number of those that are left out."""
    ticket = first(am, "c-many", "storage-ticket", "webhook")
    assert (len(ticket["alerts"]), ticket["truncatedAlerts"]) == (100, 3)


def test_notes_are_one_mail(am: Alertmanager) -> None:
    """Notes of a region come as one mail with a text and a page, and as nothing else."""
    mail = first(am, "c-mailing", "storage-list", "email")
    assert mail["subject"] == "Info: Volume vol-0a: One (+1 more)"
    for name in ("One", "Two"):
        assert f"Volume vol-0a: {name}\n" in mail["text"].replace("\r\n", "\n")
        assert f"<b>Volume vol-0a: {name}</b>" in mail["html"]
    assert f'<a href="{RUNBOOK}">Runbook</a>' in mail["html"]
    assert (
        'href="https://grafana.example/d/storage-exporter-ebs-volume?var-cluster=prod&amp;var-volume_id=vol-0a"'
        in mail["html"]
    )
    assert "take &gt; 5 s" in mail["html"]
    assert [each.receiver for each in am.received if "c-mailing" in each.text] == ["storage-list"]


def test_page_without_any_annotation(am: Alertmanager) -> None:
    """An alert that brings no text is a page all the same: it says its name and thing, and its links are whole."""
    event = first(am, "c-bare", "storage-page", "pagerduty")
    assert first(am, "c-bare", "storage-page", "slack")["attachments"][0]["title"] == event["payload"]["summary"]
    assert event["payload"]["summary"] == f"CRITICAL: AwsEbsVolumeStalledIO, claim {CLAIM}"
    assert [link["href"] for link in event["links"]] == [am.url, am.url]


def test_watchdog_goes_to_its_webhook_only(am: Alertmanager) -> None:
    """The dead man's switch reaches the webhook with its token, and no person."""
    first(am, "c-dead", "storage-watchdog", "webhook")
    heard = {(each.receiver, each.authorization) for each in am.received if "c-dead" in each.text}
    assert heard == {("storage-watchdog", f"Bearer {alertmanager.SECRET}")}


def test_the_exporters_own_pages_have_another_pager(am: Alertmanager) -> None:
    """What concerns the exporter and the observability stack reaches those who run them."""
    first(am, "c-own", "observability-page", "pagerduty")
    assert about(am, "c-own", "storage-page", "pagerduty") == []
