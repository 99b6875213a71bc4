"""Values that pass the schema and do not go together: one line that names the key, the fault and what to write."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from tests.chart.rendering import CHART, KUBERNETES, RELEASE, HelmError, bare, helm
from tests.tools import ROOT

ROLE = "arn:aws:iam::123456789012:role/storage-exporter"
PUSHED = {"cluster": "c", "delivery": {"mode": "push", "push": {"url": "http://mimir:8080/api/v1/push"}}}

CASES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "tests" / "chart" / "conflicts.yaml").read_text("utf-8"))


@pytest.mark.parametrize("case", CASES)
def test_one_line_says_what_to_change(case: str) -> None:
    """
    The message is one line, and shows no secret that stands in the wrong place.

    The schema, which refuses some of them in its own words, is left out: templates hold without it.
    """
    values, message = CASES[case]["values"], CASES[case]["says"]
    options = ("--kube-version", KUBERNETES, "--skip-schema-validation", "--values", "-")
    with pytest.raises(HelmError) as caught:
        helm("template", RELEASE, CHART, *options, text=json.dumps(values))
    said = [line for line in str(caught.value).splitlines() if message in line]
    assert len(said) == 1, str(caught.value)
    assert len(said[0]) < 400
    assert ";" in said[0], "no word of what to write instead"
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "values",
    [
        {"service": {"enabled": False}, "config": PUSHED},
        {"service": {"enabled": False}, "scrape": {"by": "podMonitor"}},
        {"mode": "shards", "shards": {"total": 3, "sets": 2}, "persistence": {"enabled": True}},
        {"mode": "shards", "shards": {"total": 1, "sets": 2}},
        {"mode": "shards", "updateStrategy": {"type": "OnDelete"}},
        {"persistence": {"enabled": True}, "updateStrategy": {"rollingUpdate": {"partition": 1}}},
        {"serviceAccount": {"create": False, "name": "monitoring-sa"}, "aws": {"identity": "irsa", "roleArn": ROLE}},
        {"rbac": {"existingClusterRole": "view"}},
        {"config": {"kubernetes": {"enabled": False, "pods": False}}},
        {"existingConfigMap": {"name": "theirs"}, "config": {}},
        {"global": {"imageRegistry": "mirror.example", "other": {"chart": True}}},
    ],
)
def test_what_does_go_together_is_rendered(values: dict[str, Any]) -> None:
    """Neighbours of the refusals are fine."""
    assert bare(values)
