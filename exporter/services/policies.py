"""
What a resource policy (JSON, of a bucket or a file system) says about encryption in transit. Pure.

Only the plain way is recognised: a statement that denies everybody everything where the request came without TLS. It is
the one AWS's consoles write and its documentation asks for (EFS User Guide, "Using IAM to control file system data
access"; S3 User Guide, "Security best practices"). A policy that reaches the same in a roundabout way counts as one
that does not require it: a false alarm rather than a false comfort.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

_EVERYTHING = frozenset({"*", "s3:*", "elasticfilesystem:*"})


def requires_tls(policy: str) -> bool:
    """Whether *policy* refuses every request that comes without TLS; False where it cannot be read."""
    try:
        document = orjson.loads(policy)
    except orjson.JSONDecodeError:
        return False
    statements = document.get("Statement") if isinstance(document, Mapping) else None
    return any(_refuses_plain(each) for each in _listed(statements) if isinstance(each, Mapping))


def _refuses_plain(statement: Mapping[str, Any]) -> bool:
    return (
        statement.get("Effect") == "Deny"
        and _is_everybody(statement.get("Principal"))
        and any(action in _EVERYTHING for action in _listed(statement.get("Action")) if isinstance(action, str))
        and _only_without_tls(statement.get("Condition"))
    )


def _is_everybody(principal: object) -> bool:
    if isinstance(principal, Mapping):
        return "*" in _listed(principal.get("AWS"))
    return principal == "*"


def _only_without_tls(condition: object) -> bool:
    """The condition is that there is no TLS, and nothing beside it narrows the refusal."""
    if not isinstance(condition, Mapping) or set(condition) != {"Bool"}:
        return False
    given = condition["Bool"]
    if not isinstance(given, Mapping) or len(given) != 1:
        return False
    ((key, wanted),) = given.items()
    return str(key).lower() == "aws:securetransport" and [str(each).lower() for each in _listed(wanted)] == ["false"]


def _listed(value: object) -> Iterator[Any]:
    """IAM takes one thing or a list of them everywhere."""
    if isinstance(value, list):
        yield from value
    elif value is not None:
        yield value
