"""The configuration: what is good, what is refused and in which words, and that no secret is ever printed."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter import config
from exporter.config import Config, Regex, Secret
from exporter.config.document import Document
from exporter.config.leaves import duration, seconds_of, size, spell_seconds
from exporter.config.reading import build
from exporter.errors import ConfigError, Fault
from exporter.model import Tier

HERE = Path(__file__).parent / "config"
GOOD = sorted((HERE / "good").glob("*.yaml"))
BAD = sorted((HERE / "bad").glob("*.yaml"))
PASSWORD = "hunter2"
ENVIRON = {
    "PASSWORD": PASSWORD,
    "MIMIR_PASSWORD": PASSWORD,
    "CLUSTER": "production",
    "STAGE": "dev",
    "TEMPLATE": "${b}",
}


def named(path: Path) -> str:
    return path.stem


def faults_of(text: str, environ: Mapping[str, str] = ENVIRON) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        config.parse(text, environ, "test.yaml")
    return [str(fault) for fault in caught.value.faults]


def good(name: str) -> Config:
    return config.load(str(HERE / "good" / f"{name}.yaml"), ENVIRON)


# --- good


@pytest.mark.parametrize("path", GOOD, ids=named)
def test_good_file_loads_and_survives_a_round_trip(path: Path) -> None:
    """Every good file loads; its dump, with the secrets put back, loads to an equal configuration."""
    first = config.load(str(path), ENVIRON)
    dumped = config.dump(first).replace(config.HIDDEN, PASSWORD).replace(f"X-Team: {PASSWORD}", "X-Team: platform")
    assert first == config.parse(dumped, {}, "dump")


@pytest.mark.parametrize("name", ["empty", "comment", "sections-without-values"])
def test_a_file_that_says_nothing_gives_the_defaults(name: str) -> None:
    """None at all, an empty file and keys without values mean the same: every default."""
    assert config.load(None, {}) == Config() == good(name)


def test_design_example_means_what_it_says() -> None:
    """The example of design.md gives the values that its lines name."""
    got = good("design")
    assert got.cluster == "production"
    assert got.scopes[0].regions == ("ap-southeast-3",)
    assert got.scopes[0].roles == ()
    assert got.services.ebs.tiers == (Tier.ESSENTIAL, Tier.STANDARD)
    assert got.services.ebs.select.tags == {"team": Regex(".*")}
    assert got.services.elasticache.rows["CacheHits"].every == 300
    assert got.services.elasticache.rows["CacheHits"].enabled is None
    assert got.tags == ("team", "data-classification", "rpo")
    assert got.pins.tags["monitoring"].matches("pinned")
    assert got.budget.dollars_per_month == 200
    assert (got.limits.deadline, got.limits.get_metric_data_per_second, got.limits.max_series) == (30, 25, 1_000_000)
    assert (got.kubernetes.enabled, got.kubernetes.pods) == ("auto", False)
    assert (got.delivery.mode, got.web.address(), got.log.level) == ("scrape", ("", 9116), "info")
    assert got.services.s3.component("officeless-mimir-production") == "mimir-blocks"
    assert got.services.s3.component("officeless-loki-production") == "loki"
    assert got.services.s3.component("prefix-officeless-loki-production") == ""


def test_everything_can_be_set() -> None:
    """Values of every kind arrive typed: durations in seconds, tiers as Tier, texts that look like numbers as text."""
    got = good("everything")
    assert got.scopes[0].roles[0].arn == "arn:aws:iam::012345678901:role/hop"
    assert got.scopes[0].roles[1].external_id == "012345"
    assert got.services.ebs.tiers[2] is Tier.ON_REQUEST
    assert got.services.ebs.discovery == {"DescribeVolumes": 600, "DescribeVolumeStatus": 60}
    assert (got.services.ebs.enabled, got.services.efs.enabled) == (False, True)
    assert got.services.ebs.rows == got.services.efs.rows
    assert got.services.s3.component("loki-chunks-x") == "loki-chunks-dev"
    assert got.services.s3.component("plain") == "chunks"
    metrics = got.services.jobs[0].metrics
    assert (metrics[0].period, metrics[0].every, metrics[0].delay) == (60, 900, 180)
    assert metrics[1].statistic == "p99.9"
    assert got.tags[2] == "1"
    assert (got.limits.aws_concurrency, got.limits.describe_per_second, got.limits.pass_deadline) == (4, 0.5, 2700)
    assert (got.kubernetes.enabled, got.kubernetes.pods, got.kubernetes.leader_election) == (True, True, False)
    assert (got.kubernetes.url, got.kubernetes.token_file, got.kubernetes.named) == (
        "https://[::1]:6443",
        "/run/token",
        True,
    )
    lease = got.kubernetes.lease
    assert (lease.name, lease.duration, lease.renew_deadline, lease.retry_period) == (
        "storage-exporter.blue",
        30,
        20,
        4,
    )
    assert (got.shards.total, got.shards.ordinal) == (3, 2)
    assert got.web.address() == ("::1", 9116)


def test_push_is_read_with_its_variables() -> None:
    """Variables, defaults and the escape are filled in; a secret is there for the sender."""
    push = good("push").delivery.push
    assert push is not None
    assert push.url == "http://mimir-distributor.monitoring:8080/api/v1/push"
    assert push.external_labels == {"environment": "production", "price": "${literal}"}
    assert (push.lookback, push.outbox.max_bytes, push.outbox.max_age) == (7200, 512 * 2**20, 43_200)
    assert push.auth is not None
    assert push.auth.basic is not None
    assert push.auth.basic.password == Secret(PASSWORD)
    assert push.headers["X-Team"].reveal() == "platform"


# --- bad


def test_every_bad_file_has_its_message() -> None:
    """No bad file without a text beside it, no text without a file, and enough of them."""
    assert {path.stem for path in BAD} == {path.stem for path in (HERE / "bad").glob("*.txt")}
    assert len(BAD) >= 25


@pytest.mark.parametrize("path", BAD, ids=named)
def test_bad_file_is_refused_with_its_message(path: Path) -> None:
    """A bad file gives exactly the faults written beside it, in that order."""
    with pytest.raises(ConfigError) as caught:
        config.load(str(path), ENVIRON)
    expected = path.with_suffix(".txt").read_text(encoding="utf-8").splitlines()
    assert expected == [str(fault) for fault in caught.value.faults]
    assert str(path) == caught.value.source


def test_no_message_speaks_of_python_or_holds_a_secret() -> None:
    """Messages are for people: no word of pydantic or Python, no secret of any bad file."""
    for path in BAD:
        said = path.with_suffix(".txt").read_text(encoding="utf-8")
        assert not re.search(r"(?i)input|pydantic|NoneType|\bdict\b|\bstr\b|\bint\b|instance of|Traceback", said), path
        assert PASSWORD not in said
        assert "31337" not in said


@pytest.mark.parametrize(
    ("path", "words"),
    [("missing.yaml", "No such file"), (".", "Is a directory"), ("with\0nul", "not one of a file")],
)
def test_unreadable_file_is_said_plainly(tmp_path: Path, path: str, words: str) -> None:
    """A file that cannot be read is one fault that says why."""
    with pytest.raises(ConfigError) as caught:
        config.load(str(tmp_path / path), {})
    assert len(caught.value.faults) == 1
    assert words in str(caught.value)


def test_endless_text_is_refused() -> None:
    """Nesting without end and aliases that multiply are one plain fault, and take no time."""
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )
    for text in ("[" * 5000, "a: " + "{a: " * 100 + "}" * 100, bomb, "a: &a {<<: *a}", "a: &a {<<: [*a, *a]}"):
        assert any(
            "nested too deeply" in fault or "not valid YAML" in fault or "<<" in fault for fault in faults_of(text)
        )


# --- secrets


def test_secret_is_printed_nowhere() -> None:
    """Neither the type, nor a configuration that holds it, nor its dump shows the text of a secret."""
    secret = Secret(PASSWORD)
    got = good("push")
    for shown in (str(secret), repr(secret), f"{secret}", f"{[secret]}", str(got), repr(got), config.dump(got)):
        assert PASSWORD not in shown
        assert config.HIDDEN in shown
    assert PASSWORD not in json.dumps(got.effective())
    assert not hasattr(secret, "__dict__")
    assert secret != PASSWORD
    assert hash(secret) == hash(Secret(PASSWORD))


@pytest.mark.parametrize(
    "text",
    [
        "delivery: {push: {auth: {bearer_token: [hunter2]}}}",
        "delivery: {push: {auth: {basic: hunter2}}}",
        "delivery: {push: {auth: {basic: {username: u, password: {hunter2: 1}}}}}",
        "delivery: {push: {headers: hunter2}}",
        "delivery: {push: {headers: {Authorization: 'hunter2\\\n\n  x'}}}",
        "delivery: {push: 'https://u:hunter2@mimir'}",
        "delivery: {push: {url: 'https://u:hunter2@[mimir'}}",
        "delivery: hunter2",
        "hunter2",
        "delivery: {push: {auth: {bearer_token: &hunter2 a, basic: &hunter2 b}}}",
        "delivery: {push: {auth: {bearer_token: !hunter2}}}",
        "delivery: {push: {auth: {bearer_token: !!float hunter2}}}",
        "limits: {max_series: '${PASSWORD}', deadline: '${PASSWORD}', describe_per_second: '${PASSWORD}'}",
        "log: {level: '${PASSWORD}'}\nkubernetes: {enabled: '${PASSWORD}', pods: 'x${PASSWORD}'}",
        "tags: ['a', '${PASSWORD}', '${PASSWORD}']",
        "delivery: {push: {auth: {bearer_token: '${PASSWORD}\n'}}}",
        "pins: {tags: {a: '${PASSWORD}('}}",
        "delivery: {push: {url: '${PASSWORD}', tls: '${PASSWORD}', outbox: {max_bytes: '${PASSWORD}'}}}",
        "services: {ebs: {tiers: ['${PASSWORD}', '${PASSWORD}']}}",
        "scopes: [{regions: ['${PASSWORD}', '${PASSWORD}']}, {regions: ['${PASSWORD}']}]",
        "services: {jobs: [{namespace: 'a', dimensions: {A: '${PASSWORD}', B: '${PASSWORD}'}, metrics: []}]}",
    ],
)
def test_secret_in_a_wrong_place_is_not_repeated(text: str) -> None:
    """A secret where none belongs, written out or through a variable, makes a fault that does not hold it."""
    with pytest.raises(ConfigError) as caught:
        config.parse(text, ENVIRON, "test.yaml")
    assert PASSWORD not in f"{caught.value!s}{caught.value!r}{caught.value.faults!r}"
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


# --- values


NO_DURATIONS: list[object] = ["", "s", "5 m", "1.5h", "5M", "-1s", "30m1h", "\uff11s", 1.5, True, None, [], math.nan]
DURATIONS: list[tuple[object, int | None]] = [
    ("30s", 30),
    ("5m", 300),
    ("1h", 3600),
    ("1d", 86_400),
    ("1h30m", 5400),
    (90, 90),
    (90.0, 90),
    ("90", 90),
    *((wrong, None) for wrong in NO_DURATIONS),
]


@pytest.mark.parametrize(("value", "seconds"), DURATIONS)
def test_durations(value: object, seconds: int | None) -> None:
    """A duration is whole seconds, written with units from large to small, or a plain number."""
    assert seconds == seconds_of(value)


@given(st.integers(1, 10**8))
def test_spelled_seconds_read_back(seconds: int) -> None:
    """A duration as messages spell it is the duration."""
    assert seconds == seconds_of(spell_seconds(seconds)) == duration(1, 10**8).read(spell_seconds(seconds))


@pytest.mark.parametrize(("value", "count"), [("1KiB", 1024), ("2 GiB", 2**31), ("10", 10), (10, 10), ("1B", 1)])
def test_sizes(value: object, count: int) -> None:
    """A size is bytes, in binary units or none."""
    assert count == size(1, 2**40).read(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${A}", "a"),
        ("x${A}${B:-b}", "xab"),
        ("${EMPTY:-d}", "d"),
        ("${EMPTY}", ""),
        ("$${A}", "${A}"),
        ("$$${A}", "$${A}"),
        ("$A $", "$A $"),
        ("${B:-}", ""),
        ("${B:-x:-y}", "x:-y"),
        ("${NESTED}", "${A}"),
    ],
)
def test_variables(text: str, value: str) -> None:
    """${NAME} and ${NAME:-default} are filled in once, $${ is a plain ${, and a lone $ is a lone $."""
    got = config.parse(f"cluster: '{text}'", {"A": "a", "EMPTY": "", "NESTED": "${A}"}, "test.yaml")
    assert value == got.cluster


@pytest.mark.parametrize("value", ["yes", "off", "012", "1:30", "2026-01-01", "0x1f", "1_000", "1e3", ".inf", "NO"])
def test_text_that_other_readers_take_for_something_else_is_text(value: str) -> None:
    """YAML's surprising switches, octals, base-60 numbers and dates stay the text they look like."""
    assert value == config.parse(f"cluster: {value}", {}, "test.yaml").cluster


@pytest.mark.parametrize(
    ("word", "hint"),
    [("tires", " (did you mean 'tiers'?)"), ("Standart", " (did you mean 'standard'?)"), ("zzz", ""), ("", "")],
)
def test_did_you_mean(word: str, hint: str) -> None:
    """The nearest choice is suggested, whatever the case of letters; none where none is near."""
    assert hint == config.did_you_mean(word, ["tiers", "standard", "essential"])


def test_configuration_is_frozen() -> None:
    """Nothing that reads it can change it."""
    got = Config()
    with pytest.raises(ValueError, match="frozen"):
        got.cluster = "other"


def test_typed_values_may_be_given_by_programs() -> None:
    """A configuration can be made in Python, of the typed values themselves."""
    push = {"url": "http://mimir/", "auth": {"bearer_token": Secret("t")}}
    got = Config.model_validate({"pins": {"tags": {"a": Regex("b")}}, "delivery": {"push": push}})
    assert got.pins.tags == {"a": Regex("b")}
    assert got.delivery.push is not None
    assert got.delivery.push.auth is not None
    assert got.delivery.push.auth.bearer_token == Secret("t")


# --- the schema


def test_schema_describes_every_key() -> None:
    """The JSON schema refuses unknown keys, and every key has a description; it is plain JSON."""
    schema = json.loads(json.dumps(config.json_schema()))
    sections = [schema, *schema["$defs"].values()]
    for section in sections:
        assert section["additionalProperties"] is False
        for key, told in section["properties"].items():
            inner = schema["$defs"].get(told.get("$ref", "").rpartition("/")[2], {})  # left out where both say the same
            assert told.get("description") or inner.get("description"), f"{section['title']}.{key}"
    assert schema["$defs"]["Limits"]["properties"]["deadline"]["default"] == 30


# --- for all

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["${X}", "1h", "a"])
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
EXAMPLE: dict[str, Any] = yaml.safe_load((HERE / "good" / "everything.yaml").read_text(encoding="utf-8")) | {
    "delivery": yaml.safe_load((HERE / "good" / "push.yaml").read_text(encoding="utf-8"))["delivery"]
}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in inner:
        yield from places(entry, (*path, key))


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    if isinstance(value, dict):
        return {key: replaced(entry, path[1:], new) if key == path[0] else entry for key, entry in value.items()}
    return [replaced(entry, path[1:], new) if index == path[0] else entry for index, entry in enumerate(value)]


def loads_or_is_refused(attempt: Callable[[], Config]) -> None:
    """Run *attempt*; any exception but a ConfigError with faults that say something fails the test."""
    faults: tuple[Fault, ...] = ()
    try:
        outcome: object = attempt()
    except ConfigError as error:
        outcome, faults = error, error.faults
    assert isinstance(outcome, Config) or faults
    assert all(fault.message for fault in faults)


@given(ANYTHING)
def test_any_data_is_read_or_refused(data: Any) -> None:
    """Whatever a file holds, the answer is a configuration or a ConfigError."""
    loads_or_is_refused(lambda: build(Document(data), {}, "test.yaml"))
    loads_or_is_refused(lambda: config.parse(yaml.safe_dump(data), {}, "test.yaml"))


@settings(max_examples=300)
@given(st.sampled_from(list(places(EXAMPLE))), ANYTHING, st.text(max_size=6))
def test_any_value_anywhere_is_read_or_refused(path: tuple[Any, ...], value: Any, key: str) -> None:
    """Any value in the place of any other of a full configuration, or under a new key, is read or refused."""
    for new in (value, {key: value}):
        data = replaced(EXAMPLE, path, new)
        loads_or_is_refused(lambda data=data: build(Document(data), {}, "test.yaml"))  # type: ignore[misc]


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    """Whatever text a file holds, YAML or not, the answer is a configuration or a ConfigError."""
    loads_or_is_refused(lambda: config.parse(text, {}, "test.yaml"))


TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
KEYS = st.text("abcXYZ019-./ :é", min_size=1, max_size=12)


@given(
    cluster=TEXTS,
    tags=st.lists(st.text("abcdefgh", min_size=1, max_size=4), max_size=5, unique=True),
    labels=st.dictionaries(st.from_regex(r"[a-z]{2,5}x", fullmatch=True), TEXTS, max_size=3),
    selected=st.dictionaries(KEYS, TEXTS.map(re.escape), max_size=3),
    every=st.integers(60, 604_800),
    dollars=st.none() | st.floats(0, 1e7),
    enabled=st.sampled_from(["auto", True, False]),
)
def test_dump_reads_back(
    cluster: str,
    tags: list[str],
    labels: dict[str, str],
    selected: dict[str, str],
    every: int,
    dollars: float | None,
    enabled: bool | str,
) -> None:
    """The dump of any configuration, whatever its texts look like, reads back as an equal one."""
    first = Config.model_validate(
        {
            "cluster": cluster,
            "tags": tags,
            "services": {"ebs": {"rows": {"A": {"every": every}}, "select": {"tags": selected}}},
            "budget": {"dollars_per_month": dollars},
            "kubernetes": {"enabled": enabled},
            "delivery": {"push": {"url": "http://mimir/", "external_labels": labels}},
        }
    )
    assert first == config.parse(config.dump(first), {}, "dump")
