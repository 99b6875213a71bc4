"""Why attaching or detaching failed, as a word: messages are long, and each is another. Pure."""

from __future__ import annotations

import re

_CODE = r"([A-Z][A-Za-z0-9]{2,50}(?:\.[A-Z][A-Za-z0-9]{1,50})?)"
_SDK_2 = re.compile(rf"\bapi error {_CODE}(?=:|\s|$)")
_SDK_1 = re.compile(rf"\b{_CODE}: [^\n]*\n\s*status code: \d")
"""The text of drivers before v1.30 or so."""

_WORDS = (
    ("multi_attach", re.compile(r"multi-attach|already exclusively attached|has multiple attachments", re.IGNORECASE)),
    ("unexpected_state", re.compile(r"expected device to be \w+ but was", re.IGNORECASE)),
    ("no_device_name", re.compile(r"free device name", re.IGNORECASE)),
    ("timeout", re.compile(r"timed out|timeout|deadline ?exceeded|context canceled|code = Canceled", re.IGNORECASE)),
    ("in_flight", re.compile(r"already in progress|already exists|code = Aborted", re.IGNORECASE)),
    ("no_driver_on_node", re.compile(r"does not contain driver|no NodeID annotation", re.IGNORECASE)),
    ("limit", re.compile(r"code = ResourceExhausted", re.IGNORECASE)),
    ("not_found", re.compile(r"code = NotFound", re.IGNORECASE)),
    ("unavailable", re.compile(r"code = Unavailable|connection refused|no such host", re.IGNORECASE)),
)
_ENOUGH = 8192
"""Characters of a message that are looked into."""


def reason_of(message: str) -> str:
    """AWS's error code in *message* (``api error VolumeInUse: …``), else one of a few words, else ``other``."""
    text = message[:_ENOUGH]
    found = _SDK_2.search(text) or _SDK_1.search(text)
    if found:
        return found[1]
    return next((word for word, pattern in _WORDS if pattern.search(text)), "other")
