"""
The web configuration file of Prometheus's exporters (exporter-toolkit, docs/web-configuration.md): TLS, headers, users.

The same file serves every exporter of a cluster, so its keys and defaults are theirs. What this server cannot do is
refused by name and never ignored: a file that asks for more protection than it gets must not start. Serving by it is
left to `web`. Not pure: reads the file and those it names.
"""

from __future__ import annotations

import hashlib
import re
import ssl
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from exporter.config import did_you_mean, show
from exporter.config.document import TooLargeError, problem, read, spell
from exporter.errors import ConfigError, Fault

_TLS = "tls_server_config"
_HTTP = "http_server_config"
_USERS = "basic_auth_users"

_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_CLIENTS = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
_UNVERIFIED = frozenset({"RequestClientCert", "RequireAnyClientCert"})
_HEADERS: Mapping[str, tuple[str, ...]] = {
    "Content-Security-Policy": (),
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
}

_KNOWN: Mapping[str, Sequence[str]] = {
    "": (_TLS, _HTTP, _USERS),
    _TLS: ("cert_file", "key_file", "client_auth_type", "client_ca_file", "min_version", "max_version"),
    _HTTP: ("http2", "headers"),
}
_ELSEWHERE: Mapping[str, frozenset[str]] = {
    "": frozenset({"rate_limit"}),
    _TLS: frozenset(
        {
            *("cert", "key", "client_ca", "client_allowed_sans"),
            *("cipher_suites", "prefer_server_cipher_suites", "curve_preferences"),
        }
    ),
    _HTTP: frozenset(),
}
"""Keys that other exporters know and this one does not."""

_BCRYPT = re.compile(r"\$2[abxy]\$(?:0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{53}\Z")

_Tell = Callable[[tuple[str, ...], str], None]


@dataclass(frozen=True, slots=True)
class WebConfig:
    """
    How to serve.

    Args:
        tls: made from the certificate and key; None for plain HTTP.

        users: bcrypt hashes by name; empty where everyone may read. Not shown when printed.

        headers: set on every response.

        files: what it was read from, the web configuration file first.

        digest: of the files, taken before they were read: what changes meanwhile is seen at the next look.
    """

    tls: ssl.SSLContext | None = None
    users: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    digest: bytes = b""


def digest(files: Iterable[Path]) -> bytes:
    """
    The checksums of the files' contents one after another, a file that cannot be read counting as such.

    Contents and not times: mounted ConfigMaps and Secrets change by swapping a link.
    """
    return b"".join(map(_checksum, files))


def load(path: Path) -> WebConfig:
    """
    The web configuration in *path*; the paths in it are relative to its folder.

    Raises:
        `ConfigError`: with every fault. No message repeats a hash.
    """
    faults: list[Fault] = []

    def tell(where: tuple[str, ...], message: str) -> None:
        faults.append(Fault(spell(where), message))

    before = digest([path])
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise ConfigError(str(path), [Fault("", f"cannot be read: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        raise ConfigError(str(path), [Fault("", "is not UTF-8 text; save it as such")]) from error
    try:
        document = read(text)
    except yaml.YAMLError as error:
        raise ConfigError(str(path), [problem(error, text)]) from None
    except (TooLargeError, RecursionError):
        raise ConfigError(str(path), [Fault("", "is nested too deeply")]) from None
    faults.extend(Fault(spell(where), message) for where, message in document.faults)
    top = _section(document.data, (), tell)
    folder = path.parent
    tls, files, seen = _tls(_section(top.get(_TLS), (_TLS,), tell), folder, tell)
    headers = _http(_section(top.get(_HTTP), (_HTTP,), tell), tell)
    users = _users(top.get(_USERS), tell)
    if faults:
        raise ConfigError(str(path), faults)
    return WebConfig(tls, users, headers, (path, *files), before + seen)


def _checksum(path: Path) -> bytes:
    try:
        return hashlib.sha256(path.read_bytes()).digest()
    except OSError as error:
        return hashlib.sha256(type(error).__name__.encode()).digest()


def _section(value: Any, where: tuple[str, ...], tell: _Tell) -> Mapping[str, Any]:
    """*value* as a mapping without unknown keys; an empty section is a missing one."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        tell(where, f"has to be a mapping (keys with values), not {show(value)}")
        return {}
    known, elsewhere = _KNOWN[".".join(where)], _ELSEWHERE[".".join(where)]
    for key in value:
        if key in elsewhere:
            tell((*where, key), "is not supported by this exporter; remove it, or serve through a proxy that does it")
        elif key not in known:
            tell((*where, key), f"is not a key of this section{did_you_mean(key, known)}")
    return value


def _text(section: Mapping[str, Any], where: tuple[str, ...], tell: _Tell) -> str:
    """The text of the section's key; ``""`` where it is missing or wrong."""
    value = section.get(where[-1])
    if value is None or isinstance(value, str):
        return value or ""
    tell(where, f"has to be text, not {show(value)}")
    return ""


def _choice(section: Mapping[str, Any], where: tuple[str, ...], choices: Mapping[str, Any], tell: _Tell) -> str:
    """One of *choices*; ``""`` where it is missing or wrong."""
    value = _text(section, where, tell)
    if not value or value in choices:
        return value
    if value in _UNVERIFIED:
        tell(where, f"{value} accepts certificates that nobody signed and protects nothing; use one that verifies")
    else:
        tell(where, f"has to be one of {', '.join(choices)}, not {show(value)}{did_you_mean(value, choices)}")
    return ""


def _tls(
    section: Mapping[str, Any], folder: Path, tell: _Tell
) -> tuple[ssl.SSLContext | None, tuple[Path, ...], bytes]:
    if not section:
        return None, (), b""
    sound = True

    def told(where: tuple[str, ...], message: str) -> None:
        nonlocal sound
        sound = False
        tell(where, message)

    cert = _file(section, (_TLS, "cert_file"), folder, told, needed=True)
    key = _file(section, (_TLS, "key_file"), folder, told, needed=True)
    authority = _file(section, (_TLS, "client_ca_file"), folder, told)
    policy = _choice(section, (_TLS, "client_auth_type"), _CLIENTS, told) or "NoClientCert"
    least = _VERSIONS[_choice(section, (_TLS, "min_version"), _VERSIONS, told) or "TLS12"]
    most = _VERSIONS[_choice(section, (_TLS, "max_version"), _VERSIONS, told) or "TLS13"]
    if least > most:
        told((_TLS, "min_version"), "is later than max_version")
    if _CLIENTS[policy] is not ssl.CERT_NONE and not section.get("client_ca_file"):
        told((_TLS, "client_ca_file"), f"is needed: client_auth_type is {policy}")
    if policy == "NoClientCert" and section.get("client_ca_file") and "client_auth_type" not in section:
        told((_TLS, "client_auth_type"), "is needed: client_ca_file alone would verify nobody")
    files = tuple(path for path in (cert, key, authority) if path is not None)
    seen = digest(files)
    if not sound or cert is None or key is None:
        return None, files, seen
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = least
    context.maximum_version = most
    context.verify_mode = _CLIENTS[policy]
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(cert, key, password=_no_password)
    except _EncryptedError:
        told((_TLS, "key_file"), "is encrypted; give a key without a password")
    except (ssl.SSLError, OSError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__
        told((_TLS, "cert_file"), f"is no PEM certificate chain, or does not belong to key_file ({reason})")
    if authority is not None:
        try:
            context.load_verify_locations(authority)
        except (ssl.SSLError, OSError) as error:
            told((_TLS, "client_ca_file"), f"holds no PEM certificate ({getattr(error, 'reason', None) or error})")
    return context if sound else None, files, seen


def _file(
    section: Mapping[str, Any], where: tuple[str, ...], folder: Path, tell: _Tell, *, needed: bool = False
) -> Path | None:
    """The file a key names, if it can be read."""
    value = section.get(where[-1])
    if value is None or value == "":
        if needed:
            tell(where, "is needed for TLS; give the path of a PEM file")
        return None
    if not _text(section, where, tell):
        return None
    path = folder / str(value)
    try:
        with path.open("rb"):
            return path
    except (OSError, ValueError) as error:
        tell(where, f"{show(value)} cannot be read: {getattr(error, 'strerror', None) or error}")
        return None


class _EncryptedError(Exception):
    """OpenSSL asked for a password, which it would otherwise do on the terminal."""


def _no_password() -> bytes:
    raise _EncryptedError


def _http(section: Mapping[str, Any], tell: _Tell) -> dict[str, str]:
    if not isinstance(section.get("http2", True), bool):
        # Its value makes no difference: this server speaks HTTP/1.1, which every client agrees to.
        tell((_HTTP, "http2"), f"has to be true or false, not {show(section['http2'])}")
    given = section.get("headers")
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        tell((_HTTP, "headers"), f"has to be a mapping of names to values, not {show(given)}")
        return {}
    headers = {}
    for name, value in given.items():
        where = (_HTTP, "headers", name)
        if name not in _HEADERS:
            tell(where, f"may not be set{did_you_mean(name, _HEADERS)}; those that may: {', '.join(_HEADERS)}")
        elif value is not None and (not isinstance(value, str) or not value.isprintable()):
            tell(where, "has to be text in one line")
        elif value and _HEADERS[name] and value.lower() not in _HEADERS[name]:
            tell(where, f"has to be {' or '.join(_HEADERS[name])}, not {show(value)}")
        elif value:
            headers[name] = value
    return headers


def _users(value: Any, tell: _Tell) -> dict[str, bytes]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        tell((_USERS,), f"has to be a mapping of names to bcrypt hashes, not {show(value)}")
        return {}
    users = {}
    for name, hashed in value.items():
        if not name or ":" in name:
            tell((_USERS, name), "is no user name: it has to have a character, and no ':'")
        elif not isinstance(hashed, str) or not _BCRYPT.match(hashed):
            tell((_USERS, name), "is no bcrypt hash; make one with: htpasswd -nBC 10 '' | tr -d ':\\n'")
        else:
            users[name] = hashed.encode()
    return users
