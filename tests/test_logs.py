"""Log lines: their fields, their two formats, and what must never be in one."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter import logs
from exporter.errors import DeniedError
from exporter.model import Scope

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"  # AWS's own example
TOKEN = "IQoJb3JpZ2luX2VjE" + "A1b2C3d4" * 20


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Put the process's logging back as it was."""
    root, ours = logging.getLogger(), logging.getLogger(logs.ROOT)
    handlers, levels = root.handlers[:], (root.level, ours.level)
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])
    logging.captureWarnings(capture=False)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def one(**fields: Any) -> dict[str, Any]:
    """The one JSON line that these fields make."""
    stream = io.StringIO()
    logs.configure("json", "debug", stream)
    logs.log(logs.logger("test"), "info", "tried", "a message", **fields)
    (line,) = lines(stream)
    return line


def test_a_line_has_time_level_event_message_and_context() -> None:
    """Fields come in a fixed order; the time is UTC with milliseconds."""
    line = one(region="r", aws_service="ebs", n=3, job="ebs", operation="DescribeVolumes", nothing=None)
    assert list(line) == ["ts", "level", "event", "msg", "job", "aws_service", "operation", "region", "n"]
    assert (line["level"], line["event"], line["msg"], line["n"]) == ("info", "tried", "a message", 3)
    assert line["ts"].endswith("Z")
    assert len(line["ts"]) == len("2026-01-01T00:00:00.000Z")
    assert datetime.fromisoformat(line["ts"]).tzinfo is not None


def test_a_scope_and_an_error_become_their_fields() -> None:
    """account_id, region and error_code need not be spelled by callers; the traceback is there at debug."""
    error = DeniedError("ec2", "DescribeVolumes", "UnauthorizedOperation", "no")
    line = one(scope=Scope("1", "eu-west-1"), error=error)
    assert (line["account_id"], line["region"], line["error_code"]) == ("1", "eu-west-1", "UnauthorizedOperation")
    assert line["error"] == "DeniedError: ec2:DescribeVolumes: UnauthorizedOperation: no"
    assert line["traceback"].splitlines()[-1].endswith("UnauthorizedOperation: no")


def test_above_debug_there_is_no_traceback() -> None:
    """A fault is one line; where it happened is for debugging."""
    stream = io.StringIO()
    logs.configure("json", "info", stream)
    logs.log(logs.logger("test"), "error", "broke", "it broke", error=ValueError("why"))
    logs.log(logs.logger("test"), "debug", "unheard", "not at this level")
    (line,) = lines(stream)
    assert line["error"] == "ValueError: why"
    assert "traceback" not in line


def test_fields_cannot_take_the_place_of_the_fixed_ones() -> None:
    """A field called ts would otherwise move the line in time."""
    assert one(ts="1970").get("ts") != "1970"


@pytest.mark.parametrize(
    ("said", "secret"),
    [
        (f"SecretAccessKey={SECRET}", SECRET),
        (f"aws_secret_access_key: {SECRET}", SECRET),
        (f'{{"SecretAccessKey": "{SECRET}", "Expiration": "x"}}', SECRET),
        (f"{{'aws_secret_access_key': '{SECRET}'}}", SECRET),
        (f"<SecretAccessKey>{SECRET}</SecretAccessKey>", SECRET),
        (f"got {SECRET} from there", SECRET),
        (f"aws_session_token={TOKEN}", TOKEN),
        (f"token {TOKEN}", TOKEN),
        (f"X-Amz-Security-Token: {TOKEN}", TOKEN),
        (f"https://sts.invalid/?X-Amz-Security-Token={TOKEN}&Action=x", TOKEN),
        ("Authorization: AWS4-HMAC-SHA256 Credential=AKIA/x, SignedHeaders=host, Signature=0123abcd", "0123abcd"),
        ("{'Authorization': 'Basic dXNlcjpodW50ZXIy'}", "dXNlcjpodW50ZXIy"),
        ("header was Bearer abcdefghijklmnop", "abcdefghijklmnop"),
        ("https://user:hunter2@mimir.invalid/push", "hunter2"),
        ("token eyJhbGciOiJSUzI1NiIs.eyJpc3MiOiJrdWJl.c2lnbmF0dXJl", "c2lnbmF0dXJl"),
        ("password=hunter2", "hunter2"),
    ],
)
@pytest.mark.parametrize("where", ["msg", "field", "list", "error", "library"])
def test_no_secret_reaches_a_line(said: str, secret: str, where: str) -> None:
    """Whatever looks like a secret is hidden in messages, fields, exceptions and what libraries log."""
    for form in ("json", "logfmt"):
        stream = io.StringIO()
        logs.configure(form, "debug", stream)
        test = logs.logger("test")
        match where:
            case "msg":
                logs.log(test, "info", "said", said)
            case "field":
                logs.log(test, "info", "said", "a message", detail=said)
            case "list":
                logs.log(test, "info", "said", "a message", detail=[said])
            case "error":
                logs.log(test, "info", "said", "a message", error=ValueError(said))
            case "library":
                logging.getLogger("botocore").warning("it said %s", said)
        assert stream.getvalue().count("\n") == 1
        assert secret not in stream.getvalue()
        assert "hidden" in stream.getvalue()


@pytest.mark.parametrize("name", ["password", "secret_key", "session_token", "authorization"])
def test_a_field_with_a_secret_name_is_hidden(name: str) -> None:
    """Whatever its value looks like."""
    assert one(**{name: "plain"})[name] == logs.HIDDEN


@pytest.mark.parametrize(
    "said",
    [
        "arn:aws:sts::111122223333:assumed-role/storage-exporter/session",
        "vol-0123456789abcdef0 in ap-southeast-3a",
        "a94a8fe5ccb19ba61c4c0873d391e987982fbbd3",
        "role may not call elasticfilesystem:DescribeFileSystems; see `policy`",
        "http://127.0.0.1:9116/metrics",
    ],
)
def test_what_is_no_secret_stays(said: str) -> None:
    """ARNs, ids, hashes and addresses are what a reader needs."""
    assert logs.redact(said) == said


@given(st.text(st.characters(), max_size=80), st.text(st.characters(), max_size=80))
def test_no_text_breaks_a_line(msg: str, field: str) -> None:
    """One event is one line in both formats, whatever control characters or lone surrogates it has."""
    for form in ("json", "logfmt"):
        stream = io.StringIO()
        logs.configure(form, "info", stream)
        logs.log(logs.logger("test"), "info", "tried", msg, field=field)
        written = stream.getvalue()
        assert len(written.splitlines()) == 1
        written.encode("utf-8")
        if form == "json":
            line = json.loads(written)
            assert line["msg"] == logs.redact(msg)
            assert line["field"] == logs.redact(field)


def test_logfmt_quotes_what_needs_it() -> None:
    """Bare words stay bare; blanks, quotes and breaks are quoted."""
    stream = io.StringIO()
    logs.configure("logfmt", "info", stream)
    logs.log(logs.logger("test"), "warning", "tried", 'say "hi"\nthere', n=3, ok=True, empty="", names=["a", "b c"])
    _, rest = stream.getvalue().split(" ", 1)
    assert rest == 'level=warning event=tried msg="say \\"hi\\"\\nthere" n=3 ok=true empty="" names="a,b c"\n'


def test_libraries_are_heard_from_warnings_on() -> None:
    """What botocore informs of is noise and its debug lines hold headers; a warning comes through, with its logger."""
    stream = io.StringIO()
    logs.configure("json", "info", stream)
    botocore = logging.getLogger("botocore.credentials")
    botocore.info("Found credentials")
    botocore.warning("expires in %d s", 5)
    (line,) = lines(stream)
    assert (line["event"], line["logger"], line["msg"]) == ("library", "botocore.credentials", "expires in 5 s")


def test_a_library_that_formats_wrongly_costs_nothing() -> None:
    """The message stands as it was meant before its arguments."""
    record = logging.LogRecord("library", logging.WARNING, "file", 1, "wrong %d", ("text",), None)
    assert json.loads(logs.JsonFormatter(tracebacks=False).format(record))["msg"] == "wrong %d"


def test_python_warnings_are_lines_too() -> None:
    """Nothing is printed beside the log."""
    stream = io.StringIO()
    logs.configure("json", "info", stream)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("old thing", UserWarning, stacklevel=1)
    assert [line["logger"] for line in lines(stream)] == ["py.warnings"]


def test_configuring_again_replaces_and_leaves_others_alone() -> None:
    """After a reload every line is written once, in the new format; other handlers stay."""
    first, second = io.StringIO(), io.StringIO()
    others = logging.getLogger().handlers[:]
    logs.configure("json", "info", first)
    logs.configure("logfmt", "warning", second)
    logs.log(logs.logger("test"), "info", "quiet", "not heard")
    logs.log(logs.logger("test"), "warning", "loud", "heard")
    assert first.getvalue() == ""
    assert second.getvalue().count("event=loud") == 1
    assert "quiet" not in second.getvalue()
    assert set(others) <= set(logging.getLogger().handlers)


def test_loggers_are_below_one_name() -> None:
    """Modules of the package keep their name; others are put below it."""
    assert logs.logger("exporter.web").name == "exporter.web"
    assert logs.logger("tests").name == "exporter.tests"


def test_once_says_a_lasting_fault_once_in_a_while_and_counts_the_rest() -> None:
    """Another key is another fault; a forgotten one is said at once."""
    stream = io.StringIO()
    logs.configure("json", "info", stream)
    now = 0.0
    once = logs.Once(logs.logger("test"), 60, lambda: now)
    assert once.log("a", "warning", "broken", "still broken")
    assert not once.log("a", "warning", "broken", "still broken")
    assert once.log("b", "warning", "broken", "another")
    now = 59.0
    assert not once.log("a", "warning", "broken", "still broken")
    now = 60.0
    assert once.log("a", "warning", "broken", "still broken")
    once.forget("a")
    assert once.log("a", "warning", "broken", "again")
    assert [line.get("suppressed") for line in lines(stream)] == [None, None, 2, None]


def test_once_does_not_grow_for_ever() -> None:
    """Keys that are over make room."""
    now = 0.0
    once = logs.Once(logs.logger("silent"), 1, lambda: now)
    for number in range(5000):
        now += 1
        once.log(str(number), "debug", "seen", "seen")
    assert len(once._seen) <= 1024
