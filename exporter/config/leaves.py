"""
How the single values of a configuration are read: texts, durations, sizes, regexes, choices, secrets.

Each kind has one reader that either returns the typed value or says in plain words what was wrong, what is
allowed and what to write instead. pydantic's own readers are not used for leaves, because their messages speak of
Python. Each has a JSON schema beside it, which takes what the reader takes; what a pattern cannot say (the range of a
duration in words, whether a regular expression is one) it lets pass. Its patterns are those that ECMA 262, RE2 and
Python read alike: no looking around, no count above 1000. Where a value stands, and in which file, is left to
`reading`. Pure.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from exporter.config.values import HIDDEN, Expanded, Regex, Secret, did_you_mean, show

_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_SIZES = {"": 1, "B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_DURATION = re.compile(r"(?=.)(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?", re.ASCII)
_SIZE = re.compile(r"(\d{1,15}) ?([KMGT]iB|B|)", re.ASCII)
_VARIABLE = r"\$\{"  # in a schema: a text with a variable may become anything
OR_VARIABLE = f"|{_VARIABLE}"
"""What the pattern of a text ends with; a key has no variables."""

_PORT = r"(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[0-5]?[0-9]{1,4})"
_COUNT = "[0-9]{1,9}"
_DURATIONS = (  # as `_DURATION` reads it: every beginning, since nothing at all is none
    f"{_COUNT}d({_COUNT}h)?({_COUNT}m)?({_COUNT}s)?|{_COUNT}h({_COUNT}m)?({_COUNT}s)?|{_COUNT}m({_COUNT}s)?|{_COUNT}s?"
)
_LISTEN = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_.-]*):(\d{1,5})", re.ASCII)


@dataclass(frozen=True, slots=True, eq=False)
class Leaf:
    """How one kind of value is read (raising `ValueError` in plain words) and its JSON schema."""

    read: Callable[[Any], Any]
    schema: Mapping[str, Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Tell pydantic to read with `read` and nothing else."""
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """The schema as declared."""
        return dict(self.schema)


def _not(value: object, what: str, hint: str = "") -> ValueError:
    """The error for a *value* that is not *what*."""
    if value is None:
        return ValueError(f"has no value; give {what}, or remove the key")
    return ValueError(f"{show(value)} is not {what}{hint}")


def _text_of(value: object, what: str) -> str:
    if isinstance(value, str):
        return value
    scalar = isinstance(value, int | float)
    raise _not(value, what, "; put it in quotes to make it text" if scalar else "")


def _spelled(value: object, kind: Callable[[str], float]) -> object:
    """A variable's text as the number it spells, where it spells one; anything else as it is."""
    if isinstance(value, Expanded):
        try:
            return kind(value)
        except ValueError:
            return value
    return value


def _switch(value: Any) -> object:
    """A variable's text as the switch it spells, where it spells one; anything else as it is."""
    return {"true": True, "false": False}.get(value, value) if isinstance(value, Expanded) else value


def _switch_hint(value: object) -> str:
    """What to write instead of a text that means a switch to people, or to other readers of YAML."""
    means = {"yes": "true", "on": "true", "true": "true", "no": "false", "off": "false", "false": "false"}
    if isinstance(value, str) and not isinstance(value, Expanded) and (word := means.get(value.lower())):
        return f"; write {word}, without quotes"
    return ""


def _or_variable(*schemas: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of what one of *schemas* takes, or of a text with a variable in it."""
    return {"anyOf": [*map(dict, schemas), {"type": "string", "pattern": _VARIABLE}]}


def _matching(form: str) -> dict[str, Any]:
    """The schema of a text that wholly matches *form*, or has a variable in it."""
    return {"type": "string", "pattern": f"^({form})${OR_VARIABLE}"}


# --- text


def text(what: str, form: str = r"[^\x00-\x1f\x7f]+", *, most: int = 1024) -> Leaf:
    """
    A text that wholly matches *form*, of at most *most* characters; *what* names it in messages.

    The schema counts characters before variables are filled in.
    """
    wanted = re.compile(form, re.ASCII)

    def read(value: Any) -> str:
        got = _text_of(value, what)
        if not wanted.fullmatch(got):
            raise _not(value, what)
        if len(got) > most:
            raise ValueError(f"is {len(got)} characters long; {what} has {most} at most")
        return str(got)

    least = {} if wanted.fullmatch("") else {"minLength": 1}
    return Leaf(read, {**_matching(form), **least, "maxLength": most})


def choice(*words: str) -> Leaf:
    """One of *words*, spelled exactly so; gives the very object of *words*, which may be members of a `StrEnum`."""

    def read(value: Any) -> str:
        if isinstance(value, str) and value in words:
            return words[words.index(value)]
        if len(words) == 1 and value is not None:
            raise ValueError(f"{show(value)} is not known here; the one value there is: {words[0]}")
        allowed = f"one of {', '.join(words)}"
        near = did_you_mean(value, words) if isinstance(value, str) and not isinstance(value, Expanded) else ""
        raise _not(value, allowed, near)

    return Leaf(read, _or_variable({"type": "string", "enum": [str(word) for word in words]}))


def secret() -> Leaf:
    """A `Secret`; no message ever repeats what was given."""

    def read(value: Any) -> Secret:
        if isinstance(value, Secret):
            return value
        if not isinstance(value, str):
            raise ValueError(  # noqa: TRY004 - what pydantic collects
                "a secret has to be text (its value is not shown here); put it in quotes, or use ${VARIABLE}"
            )
        if value == HIDDEN:
            raise ValueError(
                f"{HIDDEN} is what `check` prints in the place of a secret; give the secret, or use ${{VARIABLE}}"
            )
        if not value or not value.isprintable():
            state = "holds a line break or another character that cannot be sent" if value else "is empty"
            raise ValueError(
                f"the secret {state} (its value is not shown here); give it as ${{VARIABLE}} or by a *_file key"
            )
        return Secret(str(value))

    return Leaf(read, {**_matching(r"[^\x00-\x1f\x7f]+"), "minLength": 1, "not": {"enum": [HIDDEN]}})


def check_pattern(pattern: str) -> None:
    """Raise `ValueError` in plain words when *pattern* is not a regular expression."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            re.compile(pattern)
    except (re.error, Warning) as error:
        raise ValueError(
            f"{show(pattern)} is not a regular expression: {error}; escape special characters with \\"
        ) from None
    except (OverflowError, RecursionError, ValueError):
        raise ValueError(f"{show(pattern)} is too large a regular expression; make it simpler") from None


REGEX_SCHEMA: Mapping[str, Any] = {"type": "string"}
"""No ``format: regex``: whoever checks that means the regular expressions of another language than Python."""


def regex() -> Leaf:
    """A `Regex`, which has to match the whole value."""

    def read(value: Any) -> Regex:
        if isinstance(value, Regex):
            return value
        pattern = _text_of(value, "a regular expression")
        if isinstance(pattern, Expanded):
            try:
                check_pattern(str(pattern))
            except ValueError:
                raise _not(value, "a regular expression once its variables are filled in") from None
        else:
            check_pattern(pattern)
        return Regex(str(pattern))

    return Leaf(read, REGEX_SCHEMA)


def url(
    credentials: str = "delivery.push.auth", example: str = "http://mimir-distributor.monitoring:8080/api/v1/push"
) -> Leaf:
    """An http or https address without user and password in it; kept as text. *credentials*: where those belong."""
    what = "an http:// or https:// address"

    def read(value: Any) -> str:
        got = _text_of(value, what)
        try:
            parts = urlsplit(got)
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise ValueError(f"is not {what}: its host or port cannot be read (the value is not shown here)") from None
        if "@" in got:
            raise ValueError(f"holds a user or password (the value is not shown here); move them to {credentials}")
        if parts.scheme not in ("http", "https") or not host or not got.isprintable() or " " in got:
            raise _not(value, what, f", such as {example}")
        return str(got)

    return Leaf(read, _matching(r"[hH][tT][tT][pP][sS]?://[^@/?#\x00-\x20\x7f]+[^@\x00-\x20\x7f]*"))


def listen() -> Leaf:
    """``host:port``, ``:port`` (every address) or ``[v6]:port``; kept as text."""

    def read(value: Any) -> str:
        hint = ", such as ':9116' or '127.0.0.1:9116'"
        got = _LISTEN.fullmatch(_text_of(value, "a listen address" + hint))
        if not got:
            raise _not(value, "a listen address", hint)
        if int(got[2]) > 65_535:
            raise ValueError(f"port {got[2]} does not exist; ports go to 65535")
        return str(value)

    return Leaf(read, _matching(rf"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_.-]*):{_PORT}"))


# --- switches and numbers

_AUTO: Mapping[str, Any] = {"type": "string", "enum": ["auto"]}


def flag() -> Leaf:
    """True or false."""

    def read(value: Any) -> bool:
        got = _switch(value)
        if isinstance(got, bool):
            return got
        raise _not(value, "true or false", _switch_hint(value))

    return Leaf(read, _or_variable({"type": "boolean"}))


def flag_or_auto() -> Leaf:
    """true, false or the word ``auto``."""

    def read(value: Any) -> bool | str:
        got = _switch(value)
        if isinstance(got, bool):
            return got
        if isinstance(got, str) and got == "auto":
            return "auto"
        raise _not(value, "auto, true or false", _switch_hint(value))

    return Leaf(read, _or_variable({"type": "boolean"}, _AUTO))


def whole(low: int, high: int) -> Leaf:
    """A whole number from *low* to *high*."""

    def read(value: Any) -> int:
        got = _spelled(value, int)
        if isinstance(got, bool) or not isinstance(got, int):
            quoted = isinstance(value, str) and not isinstance(value, Expanded) and value.isdigit()
            raise _not(value, f"a whole number from {low} to {high}", "; write it without quotes" if quoted else "")
        if not low <= got <= high:
            raise ValueError(f"{show(value)} is out of range; give a whole number from {low} to {high}")
        return got

    return Leaf(read, _or_variable({"type": "integer", "minimum": low, "maximum": high}))


def whole_or_auto(low: int, high: int) -> Leaf:
    """A whole number from *low* to *high*, or the word ``auto``."""
    inner = whole(low, high)

    def read(value: Any) -> int | str:
        if isinstance(value, str) and value == "auto":
            return "auto"
        if not isinstance(_spelled(value, int), int):
            raise _not(value, f"auto or a whole number from {low} to {high}")
        got: int = inner.read(value)
        return got

    return Leaf(read, _or_variable({"type": "integer", "minimum": low, "maximum": high}, _AUTO))


def number(low: float, high: float) -> Leaf:
    """A number from *low* to *high*, as a float."""

    def read(value: Any) -> float:
        got = _spelled(value, float)
        if isinstance(got, bool) or not isinstance(got, int | float):
            raise _not(value, f"a number from {low:.15g} to {high:.15g}")
        if not low <= got <= high:  # also false for not-a-number
            raise ValueError(f"{show(value)} is out of range; give a number from {low:.15g} to {high:.15g}")
        return float(got)

    return Leaf(read, _or_variable({"type": "number", "minimum": low, "maximum": high}))


def seconds_of(value: object) -> int | None:
    """The seconds that ``30s``, ``5m``, ``1h30m``, ``1d`` or a plain number stands for; None when it is none."""
    if isinstance(value, str):
        if value.isascii() and value.isdigit() and len(value) < 10:
            return int(value)
        got = _DURATION.fullmatch(value)
        return (
            sum(int(count or 0) * size for count, size in zip(got.groups(), _UNITS.values(), strict=True))
            if got
            else None
        )
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if isinstance(value, int) or value.is_integer() else None


def spell_seconds(seconds: int) -> str:
    """*seconds* in the largest unit that divides it, such as ``5m``."""
    unit = next((unit for unit, size in _UNITS.items() if seconds and seconds % size == 0), "s")
    return f"{seconds // _UNITS[unit]}{unit}"


def duration(low: int, high: int) -> Leaf:
    """Whole seconds from *low* to *high*, written as ``30s``, ``5m``, ``1h``, ``1d`` or a number of seconds."""
    limits = f"from {spell_seconds(low)} to {spell_seconds(high)}"

    def read(value: Any) -> int:
        got = seconds_of(value)
        if got is None:
            raise _not(value, f"a duration {limits}", ", written like 30s, 5m, 1h, 1d or as a whole number of seconds")
        if not low <= got <= high:
            raise ValueError(f"{show(value)} is out of range; give a duration {limits}")
        return got

    return Leaf(read, {"anyOf": [{"type": "integer", "minimum": low, "maximum": high}, _matching(_DURATIONS)]})


def size(low: int, high: int) -> Leaf:
    """Bytes from *low* to *high*, written as a number or with KiB, MiB, GiB or TiB."""

    def read(value: Any) -> int:
        got: object = value
        if isinstance(value, str) and (parts := _SIZE.fullmatch(value)):
            got = int(parts[1]) * _SIZES[parts[2]]
        if isinstance(got, bool) or not isinstance(got, int):
            raise _not(value, "a number of bytes", ", written like 512MiB, 2GiB or as a whole number")
        if not low <= got <= high:
            raise ValueError(f"{show(value)} is out of range; give {low} to {high} bytes, such as 1GiB")
        return got

    texts = _matching("[0-9]{1,15} ?([KMGT]iB|B)?")
    return Leaf(read, {"anyOf": [{"type": "integer", "minimum": low, "maximum": high}, texts]})


# --- the names that stand in the tree

Flag = Annotated[bool, flag()]
Text = Annotated[str, text("text of at least one character")]
AnyText = Annotated[str, text("text", r"[^\x00]*")]
FilePath = Annotated[str, text("a file's path", most=4096)]
Pattern = Annotated[Regex, regex()]
Hidden = Annotated[Secret, secret()]
LabelName = Annotated[
    str,
    text("a label name (letters, digits and _, not starting with a digit or __)", r"[A-Za-z]\w*|_([A-Za-z0-9]\w*)?"),
]
