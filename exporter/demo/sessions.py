"""
Sessions of roles, and what STS knows of identities: who may have which, for how long.

A granted session is put into the ring of keys the server verifies with, so it works and ends like a real one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from exporter.demo.sigv4 import Key
from exporter.demo.wire import WireError, iso

ROLE = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):role/(.+)")
LONGEST = 43_200
CHAINED = 3600
"""The longest session of a role that another role's session assumes, seconds (STS API Reference, AssumeRole)."""


@dataclass(slots=True)
class Identities:
    """
    What STS and a Pod Identity agent go by; a test changes it as it needs.

    `web_tokens`: role ARN to the web identity token that proves it; `expired_tokens`: tokens whose time is over.
    `no_tag_session`: roles whose trust policy lacks sts:TagSession, so that a session with transitive tags (of EKS Pod
    Identity, or chained from one) may not assume them. `session_seconds`: how long sessions of AssumeRole and
    AssumeRoleWithWebIdentity live in truth, whatever is asked (900 for 15-minute sessions); None: as asked.
    `maximum`: role ARN to its MaxSessionDuration, where it is not 12 hours.
    """

    web_tokens: dict[str, str] = field(default_factory=dict)
    expired_tokens: set[str] = field(default_factory=set)
    no_tag_session: set[str] = field(default_factory=set)
    session_seconds: float | None = None
    maximum: dict[str, int] = field(default_factory=dict)


def asked_seconds(given: str | None, arn: str, identities: Identities, *, chained: bool) -> int:
    """
    The life a request asks for, an hour when it asks for none.

    Raises:
        WireError: `ValidationError`, when AWS would not grant it.
    """
    text = given or "3600"
    if not text.isdigit() or not 900 <= int(text) <= LONGEST:
        raise WireError("ValidationError", f"1 validation error detected: Value '{text}' at 'durationSeconds'")
    seconds = int(text)
    if chained and seconds > CHAINED:
        message = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
        raise WireError("ValidationError", message)
    if seconds > identities.maximum.get(arn, LONGEST):
        message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        raise WireError("ValidationError", message)
    return seconds


def role_id(account: str, name: str) -> str:
    """The unique id of a role, such as ``AROA…``, always the same."""
    return "AROA" + hashlib.sha256(f"{account}|{name}".encode()).hexdigest()[:16].upper()


def make_key(
    arn: str, session: str, keys: MutableMapping[str, Key], wall: Callable[[], float], seconds: float, *, tagged: bool
) -> Key:
    """
    A new session of a role, known from now on.

    Args:
        arn: of the role.

        seconds: how long it lives.

        tagged: whether it has transitive session tags.
    """
    match = ROLE.fullmatch(arn)
    if match is None:
        msg = f"{arn} is no ARN of a role"
        raise ValueError(msg)
    expires = wall() + seconds
    number = hashlib.sha256(f"{arn}|{session}|{expires}|{len(keys)}".encode()).hexdigest()
    assumed = f"arn:aws:sts::{match[1]}:assumed-role/{match[2].rsplit('/', 1)[-1]}/{session}"
    key = Key(f"ASIA{number[:16].upper()}", number[:40], match[1], assumed, f"token-{number}", expires, tagged)
    keys[key.access_key_id] = key
    return key


def as_tree(key: Key) -> dict[str, Any]:
    """The members Credentials and AssumedRoleUser of an answer."""
    _, name, session = key.arn.rsplit("/", 2)
    return {
        "Credentials": {
            "AccessKeyId": key.access_key_id,
            "SecretAccessKey": key.secret_access_key,
            "SessionToken": key.session_token,
            "Expiration": iso(key.expires or 0.0),
        },
        "AssumedRoleUser": {"AssumedRoleId": f"{role_id(key.account_id, name)}:{session}", "Arn": key.arn},
        "PackedPolicySize": 74 if key.tagged else 6,
    }


def user_id(account: str, arn: str) -> str:
    """The UserId GetCallerIdentity gives for a user or an assumed role."""
    if ":assumed-role/" in arn:
        _, name, session = arn.rsplit("/", 2)
        return f"{role_id(account, name)}:{session}"
    return "AIDA" + hashlib.sha256(arn.encode()).hexdigest()[:16].upper()
