"""Annotations as the tests render them are what Prometheus renders: its own promtool is asked."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from tests.rules.templates import TemplateError, element, render
from tests.tools import binary

LABELS = {"name": "data-0", "size": "1500000000"}
VALUE = 8100.5
TEXTS = (
    "plain {{ $labels.name }} and {{ $labels.nothing }}.",
    "{{ $value }} {{ $value | humanize }} {{ $value | humanize1024 }} {{ $value | humanizeDuration }}",
    '{{ $value | humanizePercentage }} {{ printf "%.0f" $value }} {{ $value | printf "%.2f%%" }}',
    '{{ with query "up" | sortByLabel "job" }}{{ . | first | value | humanizeDuration }}{{ else }}none{{ end }}',
    '{{ with query "nothing" }}there{{ else }}none{{ end }}',
    '{{ range query "up" | sortByLabel "job" }}[{{ .Labels.job }}={{ .Value | humanize1024 }}]{{ end }}',
    '{{ range $each := query "up" | sortByLabel "job" }}{{ $each.Labels.job }} {{ end }}',
    '{{ range $place, $each := query "up" | sortByLabel "job" }}{{ if $place }}, {{ end }}{{ $each.Value }}{{ end }}',
    '{{ with printf "up{job=%q}" "b" | query }}{{ . | first | label "job" }}{{ end }}',
    "{{ if $labels.nothing }}yes{{ else if $labels.name }}second{{ else }}no{{ end }}",
    "{{ if and $labels.name (gt $value 100.0) }}large{{ end }}{{ if or $labels.nothing false }}never{{ end }}",
    "{{ $half := $labels.size | humanize1024 }}<{{ $half }}> {{- $labels.name -}} !",
    '{{ reReplaceAll "^data-(.*)$" "disk $1" $labels.name }} {{ toUpper $labels.name }}',
    '{{ (query "up" | sortByLabel "job" | first).Value }} {{ len (query "up") }}',
    "{{ if eq $labels.name `data-0` }}it{{ end }}{{ if not $labels.nothing }} none{{ end }}",
    "{{ .Labels.name }} {{ .Value }} {{ humanizeTimestamp 1790000040 }}",
)
AMOUNTS = (
    0.0,
    0.000042,
    0.00042,
    0.5,
    1.0,
    59.0,
    61.5,
    999.0,
    1000.0,
    1023.0,
    1024.0,
    86_399.0,
    90_061.0,
    123_456.0,
    1_234_567.0,
    1e10,
    1e17,
    123456789.125,
    -7200.0,
)


def test_texts_are_those_of_prometheus(tmp_path: Path) -> None:
    """Every construct that is known, over labels, the value and queries."""

    def query(expression: str) -> list[object]:
        found = {"a": 7200.0, "b": 3.5e9} if expression.startswith("up") else {}
        wanted = {"b"} if "job=" in expression else {"a", "b"}
        return [element({"__name__": "up", "job": job}, value) for job, value in found.items() if job in wanted]

    ours = [render(text, LABELS, VALUE, query) for text in TEXTS]  # type: ignore[arg-type]
    amounts = " ".join(f"{{{{ {name} $value }}}}" for name in ("humanize", "humanize1024", "humanizeDuration"))
    amounts += " {{ humanizePercentage $value }} {{ $value }}"
    numbers = [render(amounts, {}, each, query) for each in AMOUNTS]  # type: ignore[arg-type]
    _promtool(tmp_path, ours, amounts, numbers)


def _promtool(folder: Path, ours: list[str], amounts: str, numbers: list[str]) -> None:
    """Let promtool compare: what it would have written is in its complaint."""
    rules = [
        {"alert": f"Text{place}", "expr": 'm{name="data-0"}', "annotations": {"text": text}}
        for place, text in enumerate(TEXTS)
    ]
    rules.append({"alert": "Amounts", "expr": "amount", "annotations": {"text": amounts}})
    (folder / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": rules}]}))
    tests = [
        {
            "eval_time": "1m",
            "alertname": f"Text{place}",
            "exp_alerts": [{"exp_labels": dict(LABELS), "exp_annotations": {"text": text}}],
        }
        for place, text in enumerate(ours)
    ]
    expected = [
        {"exp_labels": {"place": str(place)}, "exp_annotations": {"text": text}} for place, text in enumerate(numbers)
    ]
    tests.append({"eval_time": "1m", "alertname": "Amounts", "exp_alerts": expected})
    series = [
        {"series": f'm{{name="data-0",size="{LABELS["size"]}"}}', "values": f"{VALUE}x2"},
        {"series": 'up{job="a"}', "values": "7200x2"},
        {"series": 'up{job="b"}', "values": "3.5e9x2"},
        *({"series": f'amount{{place="{place}"}}', "values": f"{each!r}x2"} for place, each in enumerate(AMOUNTS)),
    ]
    case = {"interval": "1m", "input_series": series, "alert_rule_test": tests}
    text = yaml.safe_dump({"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [case]})
    (folder / "test.yaml").write_text(text)
    words = [str(binary("promtool")), "test", "rules", "test.yaml"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr + done.stdout


@pytest.mark.parametrize(
    "text",
    [
        "{{ $labels.name",
        "{{ if $labels.name }}open",
        "closed{{ end }}",
        "{{ externalURL }}",
        "{{ template `x` }}",
        "{{ $labels.name | nonsense }}",
        '{{ printf "%d" $value }}',
        '{{ query "nothing" | first | value }}',
        "{{ $labels.name $value }}",
        "{{ $value + 1 }}",
    ],
)
def test_what_is_not_known_is_refused(text: str) -> None:
    """A text that is wrong, or beyond what is known, is an error and no text."""
    with pytest.raises(TemplateError):
        render(text, LABELS, VALUE, lambda _: [])
