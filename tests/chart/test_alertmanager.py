"""Alertmanager in the chart: the example as it is, and an AlertmanagerConfig with the same routes and inhibitions."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.packed import copied, shipped
from tests.chart.rendering import CHART, HelmError, all_of, helm, one, parsed, render
from tests.tools import ROOT, binary

FOLDER = ROOT / "rules" / "alertmanager"
WITHOUT = {"rules": {"mimir": {"delivery": "none"}}, "scrape": {"by": "none"}, "dashboards": {"enabled": False}}
NAMES = ("pagerduty", "tickets", "mail", "deadman")
RECEIVERS: list[dict[str, Any]] = [
    {"name": name, "webhookConfigs": [{"urlSecret": {"name": "alertmanager", "key": name}}]} for name in NAMES
]
ROUTES = {"critical": "pagerduty", "warning": "tickets", "info": "mail", "watchdog": "deadman"}
OURS = {"storage-page": "critical", "storage-ticket": "warning", "storage-list": "info", "storage-watchdog": "watchdog"}
"""Receivers of the example to the values that name those of an AlertmanagerConfig."""

NOBODY = "storage-exporter-nobody"


def values(routes: Mapping[str, str] = ROUTES, **more: Any) -> dict[str, Any]:
    config = {"enabled": True, "receivers": RECEIVERS, "routes": dict(routes), **more}
    return {**WITHOUT, "alertmanager": {"config": config}}


def spec(routes: Mapping[str, str] = ROUTES) -> dict[str, Any]:
    found = one(render(values(routes)), "AlertmanagerConfig", "storage-exporter")["spec"]
    assert isinstance(found, dict)
    return found


def source() -> dict[str, Any]:
    found: dict[str, Any] = parsed((FOLDER / "alertmanager.yaml").read_text())[0]
    return found


def spelled(matchers: list[dict[str, str]]) -> list[str]:
    """Matchers of the operator as Alertmanager writes them."""
    for each in matchers:
        assert set(each) == {"name", "matchType", "value"}
    return [f'{each["name"]}{each["matchType"]}"{each["value"]}"' for each in matchers]


def ours(route: Mapping[str, Any]) -> dict[str, Any]:
    """A route of the example as the AlertmanagerConfig should have it, but for the operator's spelling."""
    keys = ("group_by", "group_wait", "group_interval", "repeat_interval", "continue")
    made = {key: route[key] for key in keys if key in route}
    below = [ours(each) for each in route.get("routes", []) if each["receiver"] in OURS]
    more = {"routes": below} if below else {}
    return {**made, "receiver": ROUTES[OURS[route["receiver"]]], "matchers": route["matchers"], **more}


def plain(route: Mapping[str, Any]) -> dict[str, Any]:
    """A route of the operator in Alertmanager's own words."""
    words = {
        "groupBy": "group_by",
        "groupWait": "group_wait",
        "groupInterval": "group_interval",
        "repeatInterval": "repeat_interval",
    }
    made = {words.get(key, key): value for key, value in route.items()}
    made["matchers"] = spelled(route["matchers"])
    if "routes" in route:
        made["routes"] = [plain(each) for each in route["routes"]]
    return made


def receivers(route: Mapping[str, Any]) -> Iterator[str]:
    yield route["receiver"]
    for each in route.get("routes", []):
        yield from receivers(each)


def test_routes_are_those_of_the_example() -> None:
    """The route for our alerts and those below it: matchers, grouping, times. Not the teams, which are examples."""
    (wanted,) = source()["route"]["routes"]
    found = plain(spec()["route"])
    assert found == ours(wanted)
    assert [each["matchers"] for each in found["routes"]] == [
        ['alertname="StorageExporterWatchdog"'],
        ['severity="critical"'],
        ['severity="warning"'],
        ['severity="info"'],
    ]


def test_a_route_that_others_follow_says_so(tmp_path: Path) -> None:
    """None of the example's that we take does today; one that did would swallow alerts if it were lost."""
    chart = copied(tmp_path)
    file = chart / "files" / "alertmanager" / "alertmanager.yaml"
    text = file.read_text()
    assert text.count("      repeat_interval: 50s\n") == 1
    file.write_text(text.replace("      repeat_interval: 50s\n", "      repeat_interval: 50s\n      continue: true\n"))
    (first, *others) = one(render(values(), chart=chart), "AlertmanagerConfig")["spec"]["route"]["routes"]
    assert first["continue"] is True
    assert not [each for each in others if "continue" in each]


def test_inhibitions_are_those_of_the_example() -> None:
    """All of them: what is silenced by what does not depend on how the configuration travels."""
    wanted = source()["inhibit_rules"]
    found = [
        {
            "source_matchers": spelled(each["sourceMatch"]),
            "target_matchers": spelled(each["targetMatch"]),
            "equal": each["equal"],
        }
        for each in spec()["inhibitRules"]
    ]
    assert len(found) > 30
    assert found == wanted


def test_receivers_are_the_users() -> None:
    """As given; a route without one goes to nobody, but a ticket to where pages go."""
    assert spec()["receivers"] == RECEIVERS
    alone = spec({"critical": "pagerduty"})
    assert alone["receivers"] == [*RECEIVERS, {"name": NOBODY}]
    found = [each["receiver"] for each in alone["route"]["routes"]]
    assert found == [NOBODY, "pagerduty", "pagerduty", NOBODY]
    assert alone["route"]["receiver"] == "pagerduty"


@pytest.mark.parametrize(
    ("routes", "said"),
    [
        ({}, "alertmanager.config.routes.critical: name the receiver of what pages"),
        (
            {"critical": "nobody"},
            "there is no receiver 'nobody' in alertmanager.config.receivers; there are: deadman, ",
        ),
        ({"critical": "pagerduty", "info": "male"}, "alertmanager.config.routes.info: there is no receiver 'male'"),
    ],
)
def test_receivers_that_are_not_there_are_refused(routes: dict[str, str], said: str) -> None:
    """The operator would leave out the whole object, and say so in its own log only."""
    with pytest.raises(HelmError) as refused:
        render(values(routes))
    assert said in str(refused.value)


def test_without_any_receiver_the_message_says_so() -> None:
    """Instead of a list of none."""
    with pytest.raises(HelmError, match="there are: none"):
        render(values({"critical": "x"}, receivers=[]))


def test_the_object_is_marked_for_the_operator() -> None:
    """By labels and annotations; it is off by default."""
    found = one(render(values(labels={"alertmanagerConfig": "main"}, annotations={"a": "b"})), "AlertmanagerConfig")
    assert found["apiVersion"] == "monitoring.coreos.com/v1alpha1"
    assert found["metadata"]["labels"]["alertmanagerConfig"] == "main"
    assert found["metadata"]["annotations"] == {"a": "b"}
    assert not all_of(render(WITHOUT), "AlertmanagerConfig")


def test_the_example_is_the_file() -> None:
    """To the letter, with its templates, and off by default: nothing reads it by itself."""
    objects = render({**WITHOUT, "alertmanager": {"example": True}})
    data = one(objects, "ConfigMap", "storage-exporter-alertmanager-example")["data"]
    assert set(data) == {"alertmanager.yaml", *(file.name for file in (FOLDER / "templates").iterdir())}
    for name, text in data.items():
        file = FOLDER / name if name == "alertmanager.yaml" else FOLDER / "templates" / name
        assert text.rstrip("\n") == file.read_text().rstrip("\n")
    assert "storage-exporter-alertmanager-example" not in {each["metadata"]["name"] for each in render(WITHOUT)}


def test_readers_of_yaml_1_1_take_the_matchers() -> None:
    """A bare = has a type of its own there, which Python's readers refuse: Ansible, kubernetes-validate and others."""
    text = helm("template", "x", CHART, "--values", "-", text=yaml.safe_dump(values()))
    assert [each for each in yaml.safe_load_all(text) if each and each["kind"] == "AlertmanagerConfig"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("route:\n", "route: [\n", "files/alertmanager/alertmanager.yaml: is not YAML"),
        ('project="storage-exporter"]\n    # Falls', "project=storage-exporter]\n    # Falls", "is not like name="),
    ],
)
def test_a_broken_example_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    """No half of it is rendered."""
    chart = copied(tmp_path)
    file = chart / "files" / "alertmanager" / "alertmanager.yaml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    with pytest.raises(HelmError, match=said):
        render(values(), chart=chart)


def converted(found: Mapping[str, Any]) -> dict[str, Any]:
    """What the operator makes of the object with matcher strategy None, receivers without their ways."""
    inhibitions = [
        {
            "source_matchers": spelled(each["sourceMatch"]),
            "target_matchers": spelled(each["targetMatch"]),
            "equal": each["equal"],
        }
        for each in found["inhibitRules"]
    ]
    named = [{"name": each["name"]} for each in found["receivers"]]
    top = {"receiver": "null", "routes": [{**plain(found["route"]), "continue": True}]}
    return {"route": top, "inhibit_rules": inhibitions, "receivers": [{"name": "null"}, *named]}


@pytest.mark.binary
def test_alertmanager_sends_every_alert_where_the_example_does(tmp_path: Path) -> None:
    """By amtool, for one alert of each severity and component; no operator is needed to see the routes."""
    file = tmp_path / "alertmanager.yml"
    file.write_text(yaml.safe_dump(converted(spec())))
    amtool = str(binary("amtool"))
    checked = subprocess.run([amtool, "check-config", str(file)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    kinds = {(rule.severity, rule.labels["component"]): rule.name for rule in shipped().alerts()}
    assert len(kinds) > 10
    for (severity, component), name in sorted(kinds.items()):
        labels = {"alertname": name, "severity": severity, "component": component, "project": "storage-exporter"}
        pairs = [f"{key}={value}" for key, value in labels.items()]
        command = [amtool, "config", "routes", "test", f"--config.file={file}", *pairs]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        wanted = ROUTES.get(severity, "deadman" if name == "StorageExporterWatchdog" else "tickets")
        assert done.stdout.strip() == wanted, labels
    stranger = [amtool, "config", "routes", "test", f"--config.file={file}", "alertname=Other", "severity=critical"]
    assert subprocess.run(stranger, capture_output=True, text=True, check=True).stdout.strip() == "null"
    assert set(receivers(spec()["route"])) == set(NAMES)
