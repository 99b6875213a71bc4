"""
Log lines: one JSON object or logfmt line an event, on top of the standard library's logging.

Every line has ``ts``, ``level``, ``event`` (a short stable word to search and count by) and ``msg`` (for people), then
what it is about: ``job``, ``aws_service``, ``operation``, ``account_id``, ``region``, ``error_code`` and whatever else
was given. Whatever looks like a secret is replaced before a line is written, also in what libraries log. When to log
what is left to the callers; a fault is logged once, where it is handled.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

from exporter.errors import AwsError
from exporter.model import Scope

ROOT = "exporter"
"""The name above all loggers of the program."""

CONTEXT = ("job", "aws_service", "operation", "account_id", "region", "error_code")
"""Fields that come first, in this order, where a line has them."""

HIDDEN = "<hidden>"

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_BARE = re.compile(r"[^\s\"=\\\x00-\x1f\x7f-\x9f]+")
_LINE_BREAKS = str.maketrans({"\u0085": "\\u0085", "\u2028": "\\u2028", "\u2029": "\\u2029"})
_SECRET_FIELD = re.compile(
    r"secret|passw|authorization|(?:^|_)token$|session_?token|security_?token|(?:access|api|private)_?key$",
    re.IGNORECASE,
)

_REDACTIONS = (
    # Whole header values: SigV4 spreads its parts over spaces and commas. A quote ends them (a printed dict).
    (re.compile(r"(authorization['\"]?\s*[:=]\s*b?['\"]?)[^'\"\r\n]+", re.IGNORECASE), rf"\1{HIDDEN}"),
    (
        re.compile(
            r"((?:x-amz-security-token|x-aws-ec2-metadata-token|(?:aws_?)?(?:session|security)_?token"
            r"|(?:aws_?)?secret_?(?:access_?)?key|x-amz-signature|signature|password|web_?identity_?token)"
            r"(?:['\"]?\s*[:=]\s*b?['\"]?|>))[^\s'\"&,<>}]+",
            re.IGNORECASE,
        ),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"\b((?:bearer|basic)\s+)[A-Za-z0-9+/=._~-]{8,}", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(r"(://[^/\s:@]*:)[^/\s@]+@"), rf"\1{HIDDEN}@"),
    # Session tokens by how STS begins them; JWTs by their header.
    (re.compile(r"\b(?:FwoG|IQoJ|AQoD|FQoG)[A-Za-z0-9+/=_%-]{60,}"), HIDDEN),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"), HIDDEN),
    # A bare secret access key: 40 characters of base64 with capitals, small letters and digits (a SHA-1 has no
    # capitals, a path rarely that length).
    (
        re.compile(
            r"(?<![A-Za-z0-9/+=])(?=[a-z0-9/+]*[A-Z])(?=[A-Z0-9/+]*[a-z])(?=[A-Za-z/+]*[0-9])"
            r"[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])"
        ),
        HIDDEN,
    ),
)


def redact(text: str) -> str:
    """*text* with everything that looks like an AWS secret, a session token, a password or a header of them hidden."""
    for pattern, replacement in _REDACTIONS:
        text = pattern.sub(replacement, text)
    return text


def describe(error: BaseException) -> str:
    """An exception in one line: its class and its message, redacted; the class alone where it has no message."""
    text = str(error)
    return redact(f"{type(error).__name__}: {text}" if text else type(error).__name__)


def logger(name: str) -> logging.Logger:
    """The logger of a module, by its ``__name__``; names outside the package are put below it."""
    return logging.getLogger(name if name == ROOT or name.startswith(f"{ROOT}.") else f"{ROOT}.{name}")


def log(
    to: logging.Logger,
    level: int | str,
    event: str,
    msg: str,
    *,
    scope: Scope | None = None,
    error: BaseException | None = None,
    **fields: Any,
) -> None:
    """
    Write one line.

    Args:
        to: from `logger`.

        level: ``debug``, ``info``, ``warning``, ``error``, or the standard library's number.

        event: snake_case, stable: dashboards and Loki rules count by it.

        msg: a sentence for people; names the thing, what was wrong, the next step.

        scope: becomes account_id and region.

        error: becomes ``error`` (class and message) and, of an `AwsError`, error_code; its traceback only where the
            level is debug.

        fields: anything else; None is left out.
    """
    number = _LEVELS[level] if isinstance(level, str) else level
    if not to.isEnabledFor(number):
        return
    if scope is not None:
        fields = {"account_id": scope.account_id, "region": scope.region, **fields}
    if isinstance(error, AwsError):
        fields.setdefault("error_code", error.code)
    exc_info = None if error is None else (type(error), error, error.__traceback__)
    to.log(number, "%s", msg, exc_info=exc_info, extra={"event": event, "fields": fields})


class Once:
    """
    Logs the same thing at most once in a while, so that a fault that lasts does not fill the log store.

    Args:
        to: from `logger`.

        seconds: between two lines of one key.

        monotonic: seconds that never jump.
    """

    _KEPT = 1024

    def __init__(self, to: logging.Logger, seconds: float, monotonic: Callable[[], float]) -> None:
        self._to = to
        self._seconds = seconds
        self._monotonic = monotonic
        self._seen: dict[str, tuple[float, int]] = {}

    def log(self, key: str, level: int | str, event: str, msg: str, **fields: Any) -> bool:
        """
        Write the line unless *key* was written less than `seconds` ago.

        Returns:
            Whether it was written. The line that is carries ``suppressed``, how many were not since the last one.
        """
        now = self._monotonic()
        last, suppressed = self._seen.get(key, (float("-inf"), 0))
        if now - last < self._seconds:
            self._seen[key] = (last, suppressed + 1)
            return False
        if len(self._seen) >= self._KEPT:
            self._seen = {k: seen for k, seen in self._seen.items() if now - seen[0] < self._seconds}
        self._seen[key] = (now, 0)
        log(self._to, level, event, msg, suppressed=suppressed or None, **fields)
        return True

    def forget(self, key: str) -> None:
        """The fault is over: the next one of that key is written at once."""
        self._seen.pop(key, None)


class _Handler(logging.StreamHandler[TextIO]):
    """Ours, so that a second `configure` replaces the first and nobody else's."""


class _Formatter(logging.Formatter):
    def __init__(self, *, tracebacks: bool) -> None:
        super().__init__()
        self._tracebacks = tracebacks

    def members(self, record: logging.LogRecord) -> dict[str, Any]:
        """What the line says, in order, redacted."""
        said: Mapping[str, Any] = getattr(record, "fields", None) or {}
        moment = datetime.fromtimestamp(record.created, UTC)
        members: dict[str, Any] = {
            "ts": moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z",
            "level": record.levelname.lower(),
            "event": getattr(record, "event", "library"),
            "msg": redact(_message(record)),
        }
        for name in (*CONTEXT, *said):
            value = said.get(name)
            if value is not None and name not in members:
                members[name] = HIDDEN if _SECRET_FIELD.search(name) else _plain(value)
        if record.exc_info and record.exc_info[1] is not None:
            members["error"] = describe(record.exc_info[1])
            if self._tracebacks:
                members["traceback"] = redact("".join(traceback.format_exception(record.exc_info[1])))
        if not hasattr(record, "event"):
            members["logger"] = record.name
        return members


class JsonFormatter(_Formatter):
    """One JSON object a line, in ASCII, so that no terminal or locale can break it."""

    def format(self, record: logging.LogRecord) -> str:
        """The line without its newline."""
        return json.dumps(self.members(record), separators=(",", ":"))


class LogfmtFormatter(_Formatter):
    """``key=value`` pairs; values with blanks, quotes or control characters are quoted as JSON quotes them."""

    def format(self, record: logging.LogRecord) -> str:
        """The line without its newline."""
        return " ".join(f"{name}={_logfmt(value)}" for name, value in self.members(record).items())


def configure(
    format: Literal["json", "logfmt"] = "json",  # noqa: A002 - the configuration's own word
    level: str = "info",
    stream: TextIO | None = None,
) -> None:
    """
    Send all log lines of the process to *stream* in one format. May be called again.

    Libraries are heard from warnings on (information where the level is debug): botocore's debug lines hold headers.

    Args:
        format: ``json`` or ``logfmt``.

        level: ``debug``, ``info``, ``warning`` or ``error``.

        stream: standard error where None.
    """
    number = _LEVELS[level]
    tracebacks = number <= logging.DEBUG
    handler = _Handler(sys.stderr if stream is None else stream)
    formatter = JsonFormatter if format == "json" else LogfmtFormatter
    handler.setFormatter(formatter(tracebacks=tracebacks))
    root = logging.getLogger()
    for old in [each for each in root.handlers if isinstance(each, _Handler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(max(number, logging.INFO if tracebacks else logging.WARNING))
    logging.getLogger(ROOT).setLevel(number)
    logging.captureWarnings(capture=True)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError):  # a library's wrong format string must not cost the line
        return str(record.msg)


def _plain(value: object) -> object:
    """A field's value as JSON can hold it: numbers, booleans and lists stay, all else is redacted text."""
    if isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else str(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return redact(str(value))


def _logfmt(value: object) -> str:
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    text = ",".join(str(item) for item in value) if isinstance(value, list) else str(value)
    text = text.encode("utf-8", "backslashreplace").decode()
    if _BARE.fullmatch(text):
        return text.translate(_LINE_BREAKS)
    return json.dumps(text, ensure_ascii=False).translate(_LINE_BREAKS)
