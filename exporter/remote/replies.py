"""
What a receiver's answer to a remote write means: taken, wait, split the request, or give it up; and why.

The specification of remote write 1.0 says: 2xx is success, 5xx and 429 are worth another attempt, other 4xx are not. A
400 is mostly about one sample among thousands, so such a request is taken apart (`refusals`). Receivers say in words
what was wrong with a sample: Prometheus in its own, Mimir by the ids of its errors, Cortex and Thanos in theirs. Those
words decide by which reason a sample is counted and what is tried next, never whether one is given up. Pure.
"""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from typing import Literal, NamedTuple

LONGEST_WAIT = 3600.0
"""Seconds of a receiver's Retry-After that are heeded."""

OUT_OF_ORDER, DUPLICATE, TOO_OLD, LIMITS, INVALID = "out_of_order", "duplicate", "too_old", "limits", "invalid"

ORDER = frozenset({OUT_OF_ORDER, DUPLICATE, TOO_OLD})
"""Reasons that are about the time of a sample and what the receiver has already, not about its series."""

Meaning = Literal["taken", "wait", "split", "rejected"]


class Reply(NamedTuple):
    """
    A receiver's answer.

    Args:
        status: of HTTP.

        text: its first 2 KiB.

        retry_after: seconds the receiver asks to wait, None where it does not say.
    """

    status: int
    text: str = ""
    retry_after: float | None = None


_SPLIT = frozenset({400, 409, 413, 422})
"""What may be about one sample, or the size. Thanos answers 409 for order and duplicates."""

_SAID_BY_PROMETHEUS = ("out of order sample", "out of bounds", "duplicate sample for timestamp", "too old sample")
_MIMIR = re.compile(r"\berr-mimir-([a-z-]+)")
_FUTURE = ("too-far-in-future", "too far in the future")

_IDS = {
    "sample-out-of-order": OUT_OF_ORDER,
    "sample-duplicate-timestamp": DUPLICATE,
    "sample-timestamp-too-old": TOO_OLD,
    "too-far-in-past": TOO_OLD,
    "label-name-too-long": LIMITS,
    "label-value-too-long": LIMITS,
    "metric-name-too-long": LIMITS,
    "unit-too-long": LIMITS,
}
_WORDS = (
    ("out of order", OUT_OF_ORDER),
    ("out-of-order", OUT_OF_ORDER),
    ("duplicate sample", DUPLICATE),
    ("out of bounds", TOO_OLD),
    ("too old", TOO_OLD),
    ("limit", LIMITS),
    ("too long", LIMITS),
    ("too many", LIMITS),
    ("too large", LIMITS),
)


def meaning(reply: Reply) -> Meaning:
    """
    What to do about the request that was answered so.

    Returns:
        ``taken``; ``wait`` and send it again; ``split`` it, for a part of it may be good; ``rejected``, give it up.
    """
    status = reply.status
    if 200 <= status < 300:
        return "taken"
    if status >= 500 and reply.text.strip().startswith(_SAID_BY_PROMETHEUS):
        # Prometheus 2.42 answers 500 for a sample that is too old for its out-of-order window.
        return "split"
    if status >= 500 or status in {408, 425, 429}:
        return "wait"
    return "split" if status in _SPLIT else "rejected"


def reason_of(status: int, text: str) -> str:
    """Why a sample was refused: one of the reasons above, or ``rejected_<status>`` for what is about no sample."""
    if status == 413:
        return LIMITS
    if meaning(Reply(status, text)) != "split":
        return f"rejected_{status}"
    if any(word in text for word in _FUTURE):
        return INVALID
    if found := _MIMIR.search(text):
        return _IDS.get(found[1]) or (LIMITS if "max-" in found[1] else INVALID)
    lower = text.lower()
    return next((reason for word, reason in _WORDS if word in lower), OUT_OF_ORDER if status == 409 else INVALID)


def beyond_reach(reason: str, text: str) -> bool:
    """
    Whether a sample is too old for the receiver whatever it has of the series.

    With an out-of-order window, a sample that is there already is "too old" as well as soon as it is beyond it.
    """
    return reason == TOO_OLD and not ("too old sample" in text.lower() or "out-of-order time window" in text)


def of_one_sample(reason: str, text: str) -> bool:
    """Whether a refusal of the newest sample of a series says nothing about its older ones."""
    return reason == DUPLICATE or any(word in text for word in _FUTURE)


def stores_the_rest(status: int, text: str) -> bool:
    """Whether the answer is one of a receiver that stores the good samples of a request with bad ones."""
    return status == 409 or bool(_MIMIR.search(text))


def seconds_of(header: str, now: float) -> float | None:
    """
    Of ``Retry-After``, a number of seconds or a date; at most an hour.

    Args:
        header: its value, ``""`` where there is none.

        now: unix seconds.

    Returns:
        None where it says nothing that can be read.
    """
    header = header.strip()
    if header.isascii() and header.isdigit():
        return min(float(header[:12]), LONGEST_WAIT)
    try:
        at = parsedate_to_datetime(header).timestamp()
    except (ValueError, OverflowError):
        return None
    return min(max(at - now, 0.0), LONGEST_WAIT)


def advice(reply: Reply) -> str:
    """What was wrong with a request that was not about samples, and the next step, for people."""
    status, text = reply.status, brief(reply.text)
    said = f"; it says: {text}" if text else ""
    if 300 <= status < 400:
        return f"the receiver redirects ({status}), which is not followed; correct delivery.push.url{said}"
    if status in {404, 405}:
        return (
            f"there is nothing to write to at this url ({status}); Mimir takes /api/v1/push, Prometheus /api/v1/write "
            f"(with --web.enable-remote-write-receiver): correct delivery.push.url{said}"
        )
    if "no org id" in text.lower():
        return f"the receiver wants a tenant ({status}); set delivery.push.tenant{said}"
    if status == 401:
        return f"the receiver does not accept who we are (401); correct delivery.push.auth, or the tenant{said}"
    if status == 403:
        return f"the receiver does not let us write (403); correct delivery.push.tenant or its permissions{said}"
    if status == 429:
        return f"the receiver wants fewer requests (429); it is asked again later{said}"
    if status >= 500:
        return f"the receiver failed ({status}); it is asked again later{said}"
    if status == 413:
        return f"the receiver finds the request too large (413); allow larger ones there{said}"
    return f"the receiver rejects the request ({status}); is delivery.push.url that of a remote-write receiver?{said}"


def brief(text: str) -> str:
    """The first line of a receiver's words, cut; ``""`` for a page of HTML."""
    line = text.strip().partition("\n")[0].strip()
    if line.startswith("<"):
        return ""
    return line if len(line) <= 300 else f"{line[:300]}…"
