"""Overrides are data: what they change, what they leave alone, and everything that is wrong with them at once."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config import Alert, load
from exporter.errors import ConfigError
from exporter.ruler import overrides, thresholds
from exporter.ruler.render import AT_ONCE, groups_for
from exporter.ruler.shapes import Pack, Rule
from tests.rules.ruler_side import ATTACH, CREDITS, GROWTH, PAGE, UNUSED, small, with_overrides


def alert_in(pack: Pack, name: str) -> Rule:
    return next(rule for rule in pack.alerts() if rule.name == name)


def names(pack: Pack) -> list[str]:
    return [group.name for language in ("mimir", "loki") for group in pack.groups(language)]


def test_without_overrides_nothing_is_other(tmp_path: Path) -> None:
    """The defaults of the configuration are the rules as shipped."""
    assert with_overrides(tmp_path, "{}") == small(tmp_path)


def test_a_disabled_alert_leaves_its_recordings(tmp_path: Path) -> None:
    """Others may read them; a group of nothing but disabled alerts is gone, and a file of such groups."""
    found = with_overrides(
        tmp_path,
        "{disable: [AwsEfsBurstCreditsDepleted, AwsEfsBurstCreditsLow, AwsEfsUnused, AwsS3BucketGrowthAnomaly]}",
    )
    assert names(found) == [CREDITS, ATTACH]
    assert [rule.kind for rule in found.files[0].groups[0].rules] == ["record"]


@pytest.mark.parametrize(
    ("files", "left"),
    [
        ("{s3: false}", [CREDITS, UNUSED, ATTACH]),
        ("{mimir/efs: false, s3: true}", [GROWTH, ATTACH]),
        ("{loki/drivers: false}", [CREDITS, UNUSED, GROWTH]),
        ("{efs: false, mimir/efs: true}", [CREDITS, UNUSED, GROWTH, ATTACH]),
    ],
)
def test_files_are_left_out(tmp_path: Path, files: str, left: list[str]) -> None:
    """By the name, or by the one of a language, which counts more."""
    assert names(with_overrides(tmp_path, f"{{files: {files}}}")) == left


def test_an_alert_is_changed_where_it_is_said_and_nowhere_else(tmp_path: Path) -> None:
    """Severity, durations, numbers and labels; the expression is otherwise the very same text."""
    found = with_overrides(
        tmp_path,
        "{labels: {team: platform, tier: one}, alerts: {AwsEfsBurstCreditsDepleted: {severity: warning, for: 90s,"
        " keep_firing_for: 1h, thresholds: {balance: 2.5}, labels: {team: data}}}}",
    )
    shipped = small(tmp_path)
    before, after = (alert_in(pack, "AwsEfsBurstCreditsDepleted") for pack in (shipped, found))
    assert after.expr == before.expr.replace("1e+10  # balance", "2.5  # balance")
    assert (after.lasting, after.keep_firing_for) == ("90s", "1h")
    assert after.labels == {**before.labels, "severity": "warning", "team": "data", "tier": "one"}
    assert after.annotations == before.annotations
    low = alert_in(found, "AwsEfsBurstCreditsLow")
    assert low.labels == {**alert_in(shipped, "AwsEfsBurstCreditsLow").labels, "team": "platform", "tier": "one"}
    assert low.expr == alert_in(shipped, "AwsEfsBurstCreditsLow").expr
    assert found.files[0].groups[0].rules[0] == shipped.files[0].groups[0].rules[0]


def test_a_duration_of_zero_takes_it_away(tmp_path: Path) -> None:
    """`for: 0` is an alert that fires at once."""
    found = with_overrides(tmp_path, "{alerts: {AwsEfsBurstCreditsDepleted: {for: 0s, keep_firing_for: 0}}}")
    assert not {"for", "keep_firing_for"} & set(alert_in(found, "AwsEfsBurstCreditsDepleted").data())


def test_severity_decides_anew_what_pages(tmp_path: Path) -> None:
    """A group whose last critical alert is none any more waits as others do, and the other way round."""
    found = with_overrides(
        tmp_path, "{alerts: {AwsEfsBurstCreditsDepleted: {severity: info}, AwsEfsUnused: {severity: critical}}}"
    )
    offsets = {group.name: group.query_offset for group in groups_for("mimir", found.groups("mimir"))}
    assert offsets == {CREDITS: "", UNUSED: AT_ONCE, GROWTH: ""}


def test_addresses_are_put_in_front(tmp_path: Path) -> None:
    """Runbooks elsewhere, dashboards of a Grafana; a slash more or less makes no other address."""
    found = with_overrides(tmp_path, "{runbook_url: 'https://wiki/x', grafana_url: 'https://grafana.example.com/'}")
    annotations = alert_in(found, "AwsEfsUnused").annotations
    assert annotations["runbook_url"] == "https://wiki/x#awsefsunused"
    assert annotations["dashboard_url"].startswith("https://grafana.example.com/d/storage-exporter-s3?")
    shipped = alert_in(small(tmp_path), "AwsEfsUnused").annotations
    assert shipped["runbook_url"] == f"{PAGE}#awsefsunused"
    assert {key: text for key, text in annotations.items() if not key.endswith("_url")} == {
        key: text for key, text in shipped.items() if not key.endswith("_url")
    }


def test_every_mistake_is_said_at_once(tmp_path: Path) -> None:
    """Of form and of names together, in the order of the file, with a path and what was meant."""
    file = tmp_path / "c.yaml"
    file.write_text(
        """
rules:
  mimir: {url: "mimir:8080", prefix: no-slash, headers: {X-Scope-OrgID: a}, tenant: b}
  loki: {}
  namespace: "a/b"
  runbook_url: "https://wiki/x#top"
  grafana_url: "https://admin:secret@grafana/"
  disable: [AwsEfsUnusd, AwsEfsUnused, AwsEfsUnused]
  files: {drivrs: false, efs: "no"}
  alerts:
    AwsEfsBurstCreditLow: {for: 1m}
    AwsEfsBurstCreditsLow:
      severity: page
      for: 5 minutes
      thresholds: {credits: "25%", credit: 1}
      labels: {team: "{{ $value }}", severity: critical, 0x: y}
    AwsEfsBurstCreditsDepleted: {thresholds: {balance: -5, floor: -2}, summary: x}
    AwsS3BucketGrowthAnomaly: {thresholds: {growth: .nan}}
    EbsCsiAttachFailing: {thresholds: {lines: 1e3, more: .inf}}
  labels: {cluster: x, alertname: y}
"""
    )
    found = small(tmp_path / "pack")
    with pytest.raises(ConfigError) as caught:
        load(str(file), {}, lambda data: overrides.wrong(found, data))
    said = [str(fault) for fault in caught.value.faults]
    expected = [
        ("rules.mimir.url", "http://mimir-ruler:8080"),
        ("rules.mimir.prefix", "begins with /"),
        ("rules.mimir.headers.X-Scope-OrgID", "is what tenant sets"),
        ("rules.loki.url", "is missing"),
        ("rules.namespace", "'a/b' is not a namespace of rules"),
        ("rules.runbook_url", "holds # or ?"),
        ("rules.grafana_url", "user or password"),
        ("rules.disable[0]", "there is no alert 'AwsEfsUnusd' (did you mean 'AwsEfsUnused'?)"),
        ("rules.disable[2]", "given twice"),
        ("rules.files.drivrs", "there is no file 'drivrs' (did you mean 'drivers'?)"),
        ("rules.files.efs", "write false, without quotes"),
        ("rules.alerts.AwsEfsBurstCreditLow", "did you mean 'AwsEfsBurstCreditsLow'?"),
        ("rules.alerts.AwsEfsBurstCreditsLow.severity", "one of critical, warning, info, none"),
        ("rules.alerts.AwsEfsBurstCreditsLow.for", "written like 30s"),
        ("rules.alerts.AwsEfsBurstCreditsLow.thresholds.credits", "write 0.25, without quotes"),
        ("rules.alerts.AwsEfsBurstCreditsLow.thresholds.credit", "did you mean 'credits'?"),
        ("rules.alerts.AwsEfsBurstCreditsLow.labels.team", "nothing is templated"),
        ("rules.alerts.AwsEfsBurstCreditsLow.labels.severity", "is set by alerts.<name>.severity"),
        ("rules.alerts.AwsEfsBurstCreditsLow.labels.0x", "is not a label name"),
        ("rules.alerts.AwsEfsBurstCreditsDepleted.thresholds.balance", "is below 0"),
        ("rules.alerts.AwsEfsBurstCreditsDepleted.summary", "unknown key"),
        ("rules.alerts.AwsS3BucketGrowthAnomaly.thresholds.growth", "'.nan' is not a number"),
        ("rules.alerts.EbsCsiAttachFailing.thresholds.lines", "write 1000, without quotes"),
        ("rules.alerts.EbsCsiAttachFailing.thresholds.more", "'.inf' is not a number"),
        ("rules.labels.cluster", "is the identity"),
        ("rules.labels.alertname", "is the alert's name"),
    ]
    assert [path for path, _ in expected] == [fault.path for fault in caught.value.faults]
    assert [(path, words) for (path, words), text in zip(expected, said, strict=True) if words not in text] == [], said
    assert "secret@" not in str(caught.value)


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ("{alerts: {AwsEfsBurstCreditsLow: {thresholds: {credits: 90}}}}", "over 1, and it is a ratio"),
        ("{alerts: {AwsEfsUnused: {thresholds: {days: 1}}}}", "it has none"),
        ("{files: {efs: false, s3: false, drivers: false}}", "leaves no rule at all"),
        ("{alerts: {AwsEfsBurstCreditsLow: {thresholds: {credits: '${N}'}}}}", "is a ratio"),
    ],
)
def test_what_the_rules_themselves_know(tmp_path: Path, rules: str, words: str) -> None:
    """Numbers of the wrong size, and a configuration that leaves nothing."""
    file = tmp_path / "c.yaml"
    file.write_text(f"rules: {rules}\n")
    found = small(tmp_path / "pack")
    with pytest.raises(ConfigError, match=words):
        load(str(file), {"N": "25"}, lambda data: overrides.wrong(found, data))


@pytest.mark.parametrize(
    "rules",
    [
        "{alerts: {AwsS3BucketGrowthAnomaly: {thresholds: {growth: 3}}}}",
        "{alerts: {AwsEfsBurstCreditsLow: {thresholds: {credits: '${N}'}}}}",
        "{alerts: {AwsEfsBurstCreditsDepleted: {thresholds: {floor: -7, balance: 0}}}}",
        "{files: {efs: false, s3: false}}",
    ],
)
def test_what_may_be_asked(tmp_path: Path, rules: str) -> None:
    """A ratio that was over 1 as shipped, numbers of variables, all files of one language."""
    file = tmp_path / "c.yaml"
    file.write_text(f"rules: {rules}\n")
    found = small(tmp_path / "pack")
    load(str(file), {"N": "0.5"}, lambda data: overrides.wrong(found, data))


def test_anything_in_the_section_is_read_or_refused(tmp_path: Path) -> None:
    """No shape of a section breaks the search for wrong names."""
    found = small(tmp_path)
    values: list[Any] = [
        None,
        1,
        "x",
        [],
        [1, None, {}],
        {},
        {"a": None},
        {"AwsEfsUnused": 3, "AwsEfsBurstCreditsLow": []},
    ]
    for value in values:
        for key in ("disable", "files", "alerts", "labels"):
            list(overrides.wrong(found, {"rules": {key: value}}))
        list(overrides.wrong(found, {"rules": value}))
        list(overrides.wrong(found, {"rules": {"alerts": {"AwsEfsBurstCreditsLow": {"thresholds": value}}}}))
        odd = {"AwsEfsBurstCreditsLow": {"thresholds": {"credits": value}}}
        list(overrides.wrong(found, {"rules": {"alerts": odd}}))


def test_an_alert_without_anything_changes_nothing() -> None:
    """What `AlertName: {}` means."""
    assert Alert().lasting is None


# --- the comments


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e18, max_value=1e18))
def test_any_number_goes_in_and_comes_out(value: float) -> None:
    """As it was, to the last bit, and next to text that is not touched."""
    expr = 'm{a="5 # x"} > 0.5 # x\nand n > -3  # y\n'
    other = thresholds.replaced(expr, {"x": value})
    assert thresholds.named(other) == [("x", value), ("y", -3.0)]
    assert other == expr.replace("0.5", thresholds.spelled(value))


@pytest.mark.parametrize(
    ("value", "text"), [(5.0, "5"), (1e10, "10000000000"), (0.9, "0.9"), (-3.0, "-3"), (1e17, "1e+17"), (2e-7, "2e-07")]
)
def test_numbers_are_written_as_people_write_them(value: float, text: str) -> None:
    """Whole ones without a point."""
    assert thresholds.spelled(value) == text


@pytest.mark.parametrize(
    ("expr", "found"),
    [
        ("x > 1  # a", [("a", 1.0)]),
        ("x > 1  # a\n and y > 2 # a", [("a", 1.0), ("a", 2.0)]),
        ("x > -1.5e+3 # a", [("a", -1500.0)]),
        ("x-5 # a", [("a", 5.0)]),
        ("m_95  # a", []),
        ("x[5m]  # a", []),
        ("x > 1 # a and more", []),
        ("x > 1 # A", []),
        ("x > 1.2.3 # a", []),
        ("x > 1", []),
        ('x{l="1 # a"}', []),
    ],
)
def test_only_a_number_before_a_name_is_a_threshold(expr: str, found: list[tuple[str, float]]) -> None:
    """Not part of a name, not a duration, not before a comment of several words."""
    assert thresholds.named(expr) == found
    if not found:
        assert thresholds.replaced(expr, {"a": math.pi}) == expr
