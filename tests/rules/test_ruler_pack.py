"""Rule files as data: what is read, what is refused, and which conventions are looked after."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from exporter.ruler import conventions, pack
from exporter.ruler.shapes import MOST_GROUPS, MOST_RULES
from exporter.ruler.spans import milliseconds
from tests.rules.ruler_side import CREDITS, alert, files, small, written


def test_files_become_groups_and_rules(tmp_path: Path) -> None:
    """Every file, group, rule and threshold is there, in the order of the files."""
    found = small(tmp_path)
    assert [file.path for file in found.files] == ["mimir/efs.yaml", "mimir/s3.yaml", "loki/drivers.yaml"]
    assert [len(found.groups(language)) for language in ("mimir", "loki")] == [3, 1]
    group = found.files[0].groups[0]
    assert (group.name, group.interval, group.pages) == (CREDITS, "1m", True)
    assert [(rule.kind, rule.severity) for rule in group.rules] == [
        ("record", ""),
        ("alert", "critical"),
        ("alert", "warning"),
    ]
    assert (group.rules[1].lasting, group.rules[1].keep_firing_for) == ("2m", "15m")
    assert found.thresholds["AwsEfsBurstCreditsDepleted"]["balance"].value == 1e10
    assert not conventions.faults(found)


def test_a_rule_is_handed_on_without_what_is_empty(tmp_path: Path) -> None:
    """No empty field, and no whitespace around an expression, which rulers cannot give back."""
    record, depleted, _ = (rule.data() for rule in small(tmp_path).files[0].groups[0].rules)
    assert list(record) == ["record", "expr"]
    assert record["expr"].startswith("max by")
    assert record["expr"].endswith("_info")
    assert list(depleted) == ["alert", "expr", "for", "keep_firing_for", "labels", "annotations"]


def test_thresholds_in_exponents_are_numbers(tmp_path: Path) -> None:
    """1e+10 is text to YAML 1.1, and a number to whoever writes it."""
    data = files()
    text = (written(tmp_path, data) / "thresholds.yaml").read_text().replace("10000000000.0", "1e+10")
    assert "1e+10" in text
    (tmp_path / "thresholds.yaml").write_text(text)
    found, faults = pack.read(tmp_path)
    assert not faults
    assert found.thresholds["AwsEfsBurstCreditsDepleted"]["balance"].value == 1e10


Edit = Callable[[dict[str, Any]], object]


def group(data: dict[str, Any], path: str = "mimir/efs.yaml") -> Any:
    return data[path]["groups"][0]


def rule(data: dict[str, Any], index: int = 1) -> Any:
    return group(data)["rules"][index]


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda data: data.update({"mimir/efs.yaml": "groups: [\n"}), ["mimir/efs.yaml", "is not YAML", "line"]),
        (lambda data: data.update({"mimir/efs.yaml": "groups: []\ngroups: []\n"}), ["groups is given twice (line 2)"]),
        (lambda data: data.update({"mimir/efs.yaml": "[]\n"}), ["holds no keys"]),
        (lambda data: data["mimir/efs.yaml"].update(more=1), ["something else than one key"]),
        (lambda data: group(data).pop("name"), ["groups[0] has no name"]),
        (lambda data: group(data).pop("interval"), [CREDITS, "has no interval"]),
        (lambda data: group(data).update(rules=[]), ["has no rules"]),
        (lambda data: group(data).update(query_offset="0s", limit=1), ["query_offset, limit: not a key"]),
        (lambda data: rule(data).update(record="a:b"), ["rules[1] is neither"]),
        (lambda data: rule(data).update(expr=1), ["AwsEfsBurstCreditsDepleted", "expr is not text"]),
        (lambda data: rule(data).update(annotation={}), ["annotation: not a key"]),
        (lambda data: rule(data, 0).update(annotations={"a": "b"}), ["annotations: not a key"]),
        (lambda data: rule(data)["labels"].update(severity=None), ["labels are not names with texts"]),
        (lambda data: data.pop("thresholds.yaml"), ["thresholds.yaml: cannot be read"]),
        (
            lambda data: data["thresholds.yaml"]["AwsEfsBurstCreditsLow"]["credits"].update(value=float("nan")),
            ["AwsEfsBurstCreditsLow: credits is not {value"],
        ),
        (lambda data: data["thresholds.yaml"].update(AwsEfsUnused=3), ["AwsEfsUnused: holds no thresholds"]),
    ],
)
def test_what_no_ruler_would_read_is_a_fault(tmp_path: Path, edit: Edit, words: list[str]) -> None:
    """Each is named with file, group and rule."""
    data = files()
    edit(data)
    _, faults = pack.read(written(tmp_path, data))
    said = "\n".join(map(str, faults))
    assert [word for word in words if word not in said] == [], said


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (
            lambda data: group(data).update(name="storage-exporter.ebs.credits"),
            ["called storage-exporter.efs.<topic>"],
        ),
        (
            lambda data: group(data).update(name="storage-exporter.efs.Xy"),
            ["called storage-exporter.efs.<topic>"],
        ),
        (
            lambda data: group(data).update(name="storage-exporter.efs.unused"),
            ["mimir: storage-exporter.efs.unused: 2 groups"],
        ),
        (lambda data: group(data).update(interval="6m"), ["'6m' is no duration up to 5m"]),
        (lambda data: group(data).update(interval="soon"), ["'soon' is no duration"]),
        (lambda data: rule(data).update(expr=" \n"), ["has no expression"]),
        (
            lambda data: group(data, "loki/drivers.yaml")["rules"][0].update(expr=' {a="b"}  > 2  # lines'),
            ["which Loki stores and cannot read back"],
        ),
        (lambda data: rule(data).update({"for": "2 m"}), ["for '2 m' is no duration"]),
        (lambda data: rule(data).update(keep_firing_for="-1m"), ["keep_firing_for '-1m'"]),
        (lambda data: rule(data)["labels"].update({"a-b": "c"}), ["a-b: not names of labels"]),
        (lambda data: rule(data, 0).update(record="aws_efs_bytes"), ["level:metric:operation"]),
        (lambda data: rule(data).update(alert="depleted"), ["is called like AwsEbsVolumeThrottled", "no such alert"]),
        (lambda data: rule(data)["labels"].update(severity="page"), ["'page'; it has to be one of critical"]),
        (lambda data: rule(data)["labels"].pop("project"), ["project has to be storage-exporter"]),
        (lambda data: rule(data)["labels"].pop("component"), ["no label component"]),
        (lambda data: rule(data)["annotations"].pop("summary"), ["no annotation summary"]),
        (lambda data: rule(data)["annotations"].update(description=" "), ["no annotation description"]),
        (lambda data: rule(data)["annotations"].pop("dashboard_url"), ["no annotation dashboard_url"]),
        (lambda data: rule(data)["annotations"].update(message="m"), ["message is not used"]),
        (lambda data: rule(data)["annotations"].update(summary="a\nb"), ["more than one line"]),
        (lambda data: rule(data)["annotations"].update(runbook_url="https://x/#y"), ["#awsefsburstcreditsdepleted"]),
        (lambda data: rule(data)["annotations"].update(dashboard_url="https://g/d/x"), ["has to be a path"]),
        (
            lambda data: rule(data).update(expr="x <= 2e+10  # balance\nand x > -1 # floor"),
            ["AwsEfsBurstCreditsDepleted: balance is 1e+10, but 2e+10"],
        ),
        (lambda data: rule(data).update(expr="x <= 1e+10  # balance"), ["floor is nowhere in the expression"]),
        (lambda data: rule(data, 2).update(expr="x < 0.25 # credits\n or x > 7 # most"), ["most is missing"]),
        (lambda data: data["thresholds.yaml"].update(AwsEfsGone={}), ["AwsEfsGone: there is no such alert"]),
    ],
)
def test_what_is_against_a_convention_is_a_fault(tmp_path: Path, edit: Edit, words: list[str]) -> None:
    """Each is named; an untouched pack has none."""
    data = files()
    edit(data)
    found, faults = pack.read(written(tmp_path, data))
    assert not faults
    said = "\n".join(map(str, conventions.faults(found)))
    assert [word for word in words if word not in said] == [], said


def test_the_watchdog_needs_no_dashboard(tmp_path: Path) -> None:
    """An alert of severity none is shown to nobody."""
    data = files()
    rule(data)["labels"]["severity"] = "none"
    del rule(data)["annotations"]["dashboard_url"]
    found, _ = pack.read(written(tmp_path, data))
    assert not conventions.faults(found)


def test_limits_of_a_ruler_are_kept(tmp_path: Path) -> None:
    """20 rules a group and 70 groups are taken, one more of either is not."""
    data = files()
    many = [alert(f"AwsEfsNumber{number}", "x > 0") for number in range(MOST_RULES)]
    data["mimir/efs.yaml"]["groups"] = [
        {"name": f"storage-exporter.efs.n{number}", "interval": "1m", "rules": many}
        for number in range(MOST_GROUPS - 1)
    ]
    data["thresholds.yaml"] = {
        name: entry for name, entry in data["thresholds.yaml"].items() if not name.startswith("AwsEfs")
    }
    found, _ = pack.read(written(tmp_path, data))
    assert not conventions.faults(found)
    data["mimir/efs.yaml"]["groups"][0]["rules"] = [*many, alert("AwsEfsMore", "x > 0")]
    data["mimir/efs.yaml"]["groups"].append({"name": "storage-exporter.efs.more", "interval": "1m", "rules": many})
    found, _ = pack.read(written(tmp_path, data))
    assert [str(fault) for fault in conventions.faults(found)] == [
        "mimir: has 71 groups; Mimir takes 70 of a tenant",
        "mimir: storage-exporter.efs.n0 has 21 rules; Mimir takes 20 in a group",
    ]


def test_an_empty_folder_is_a_fault(tmp_path: Path) -> None:
    """A wrong folder is named, not taken for a pack without rules."""
    _, faults = pack.read(tmp_path)
    assert any("holds no rule file" in str(fault) for fault in faults)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("5m", 300_000),
        ("5m0s", 300_000),
        ("1h30m", 5_400_000),
        ("1h30m0s", 5_400_000),
        ("1d", 86_400_000),
        ("1w", 604_800_000),
        ("250ms", 250),
        ("1.5h", 5_400_000),
        ("0s", 0),
        ("0", 0),
        ("", None),
        ("5", None),
        ("m", None),
        ("5m ", None),
        (5, None),
        ("-5m", None),
    ],
)
def test_durations(text: object, length: int | None) -> None:
    """As every ruler writes them; nothing else is one."""
    assert milliseconds(text) == length
