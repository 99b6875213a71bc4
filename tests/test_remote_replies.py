"""What a receiver's answers mean, by the words of Prometheus, Mimir, Cortex and Thanos."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.remote.replies import (
    LONGEST_WAIT,
    ORDER,
    Reply,
    advice,
    beyond_reach,
    brief,
    meaning,
    of_one_sample,
    reason_of,
    seconds_of,
    stores_the_rest,
)

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, "taken"),
        (202, "taken"),
        (204, "taken"),
        (299, "taken"),
        *[(status, "wait") for status in (408, 425, 429, 500, 501, 502, 503, 504, 507, 529)],
        *[(status, "split") for status in (400, 409, 413, 422)],
        *[
            (status, "rejected")
            for status in (199, 300, 301, 302, 307, 308, 401, 402, 403, 404, 405, 406, 410, 415, 451)
        ],
    ],
)
def test_what_a_status_means(status: int, expected: str) -> None:
    """Success, later, in parts, or never: as the specification says."""
    assert meaning(Reply(status, "whatever it says")) == expected


@pytest.mark.parametrize(
    "text", ["too old sample\n", "out of bounds: timestamp is too far in the future", "out of order sample"]
)
def test_older_prometheuses_call_a_sample_an_error_of_their_own(text: str) -> None:
    """500 for one sample, which would be sent again for ever; the same words from another fault wait."""
    assert meaning(Reply(500, text)) == "split"
    assert reason_of(500, text) != "rejected_500"
    assert meaning(Reply(503, f"the ingester is overloaded, maybe by an {text}")) == "wait"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("out of order sample\n", "out_of_order"),
        ("duplicate sample for timestamp\n", "duplicate"),
        ("duplicate sample for timestamp 1700; overrides not allowed: existing 1, new value 2", "duplicate"),
        ("out of bounds\n", "too_old"),
        ("too old sample\n", "too_old"),
        ("out of bounds: timestamp is too far in the future", "invalid"),
        ("user=t: a more recent sample is there already, its value is not too old (err-mimir-sample-out-of-order)",
         "out_of_order"),
        ("another sample with the same timestamp, but a different value (err-mimir-sample-duplicate-timestamp)",
         "duplicate"),
        ("rejected because its timestamp is too old (err-mimir-sample-timestamp-too-old)", "too_old"),
        ("beyond the out-of-order time window of 30m (err-mimir-sample-timestamp-too-old)", "too_old"),
        ("received a sample whose timestamp is too far in the past (err-mimir-too-far-in-past)", "too_old"),
        ("received a sample whose timestamp is too far in the future (err-mimir-too-far-in-future)", "invalid"),
        ("per-user series limit of 150000 exceeded (err-mimir-max-series-per-user)", "limits"),
        ("per-metric series limit of 20000 exceeded (err-mimir-max-series-per-metric)", "limits"),
        ("series has 33 label names, limit 30 (err-mimir-max-label-names-per-series)", "limits"),
        ("a label value that is longer than the limit (err-mimir-label-value-too-long)", "limits"),
        ("a label name that is longer than the limit (err-mimir-label-name-too-long)", "limits"),
        ("received a series with an invalid label: 'too old' (err-mimir-label-invalid)", "invalid"),
        ("received series has no metric name (err-mimir-missing-metric-name)", "invalid"),
        ("labels are not sorted (err-mimir-labels-not-sorted)", "invalid"),
        ("duplicate label name (err-mimir-duplicate-label-names)", "invalid"),
        ("user=x: err: out of order sample. timestamp=2026-11-25T00:00:00Z, series={a=\"b\"}", "out_of_order"),
        ("user=x: err: duplicate sample for timestamp. timestamp=2026-11-25T00:00:00Z", "duplicate"),
        ("per-user series limit of 5 exceeded", "limits"),
        ("label value too long for metric", "limits"),
        ("snappy: corrupt input", "invalid"),
        ("", "invalid"),
    ],
)  # fmt: skip
def test_why_a_sample_was_refused(text: str, expected: str) -> None:
    """By Mimir's id where there is one, whatever else the text holds; else by the words."""
    assert reason_of(400, text) == expected
    assert reason_of(400, text.upper() if "err-mimir" not in text and "future" not in text else text) == expected


def test_other_reasons() -> None:
    """A size is a limit, Thanos's conflict is about order, and what is about no sample says its status."""
    assert reason_of(413, "request body too large") == "limits"
    assert reason_of(409, "store locally for endpoint: conflict") == "out_of_order"
    assert reason_of(401, "no org id") == "rejected_401"
    assert reason_of(404, "out of order sample") == "rejected_404"


def test_what_a_refusal_says_beyond_its_sample() -> None:
    """A duplicate or a sample of the future says nothing of older ones; Mimir and Thanos have stored the rest."""
    assert of_one_sample("duplicate", "")
    assert of_one_sample("invalid", "(err-mimir-too-far-in-future)")
    assert not of_one_sample("invalid", "(err-mimir-label-invalid)")
    assert not any(of_one_sample(reason, "") for reason in ORDER - {"duplicate"})
    assert beyond_reach("too_old", "out of bounds")
    assert beyond_reach("too_old", "its timestamp is too old (err-mimir-sample-timestamp-too-old)")
    assert not beyond_reach("too_old", "too old sample")
    assert not beyond_reach(
        "too_old", "beyond the out-of-order time window of 30m (err-mimir-sample-timestamp-too-old)"
    )
    assert not beyond_reach("out_of_order", "out of order sample")
    assert stores_the_rest(400, "(err-mimir-sample-out-of-order)")
    assert stores_the_rest(409, "conflict")
    assert not stores_the_rest(400, "out of order sample")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        ("0", 0.0),
        (" 7 ", 7.0),
        ("3600", 3600.0),
        ("86400", LONGEST_WAIT),
        ("9" * 400, LONGEST_WAIT),
        (format_datetime(datetime.fromtimestamp(NOW, UTC) + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(datetime.fromtimestamp(NOW, UTC) - timedelta(seconds=90), usegmt=True), 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_WAIT),
    ],
)
def test_how_long_to_wait(header: str, expected: float | None) -> None:
    """Seconds or a date, within an hour; what cannot be read is as good as nothing."""
    assert seconds_of(header, NOW) == expected


@given(st.text(), st.integers(0, 999))
def test_no_answer_breaks_it(text: str, status: int) -> None:
    """Whatever a proxy in between may say."""
    reply = Reply(status, text)
    assert meaning(reply) in {"taken", "wait", "split", "rejected"}
    assert reason_of(status, text)
    assert str(status) in advice(reply)
    assert len(brief(text)) <= 301
    seconds = seconds_of(text, NOW)
    assert seconds is None or 0 <= seconds <= LONGEST_WAIT


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(301), "delivery.push.url"),
        (Reply(404, "404 page not found"), "/api/v1/push"),
        (Reply(405), "--web.enable-remote-write-receiver"),
        (Reply(401, "no org id"), "delivery.push.tenant"),
        (Reply(400, "No org id"), "delivery.push.tenant"),
        (Reply(401, "invalid token"), "delivery.push.auth"),
        (Reply(403), "delivery.push.tenant"),
        (Reply(413), "too large"),
        (Reply(429), "again later"),
        (Reply(503), "again later"),
        (Reply(418), "remote-write receiver"),
    ],
)
def test_a_rejection_names_the_next_step(reply: Reply, words: str) -> None:
    """For the log line and for `check --connect`."""
    assert words in advice(reply)


def test_a_page_of_html_is_not_repeated() -> None:
    """What a gateway says in HTML helps nobody in a log line."""
    assert advice(Reply(502, "<html>Bad gateway</html>")).endswith("it is asked again later")
    assert "it says: teapot" in advice(Reply(418, "teapot\nstack trace"))
    assert "stack" not in advice(Reply(418, "teapot\nstack trace"))
