"""
How series reach Mimir: scraped, or pushed by remote write. Part of the tree; see `tree`. Pure.

Secrets come as ``${VARIABLE}`` or by a ``*_file`` key. Such files are read by whoever sends, at each use, since they
are rotated; this module only keeps the path.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from exporter.config.leaves import (
    AnyText,
    FilePath,
    Flag,
    Hidden,
    LabelName,
    Text,
    choice,
    duration,
    size,
    text,
    url,
    whole,
)
from exporter.config.node import Map, Node, Wrong, mapping_in

DAY = 86_400
Address = Annotated[str, url()]
HeaderName = Annotated[str, text("a header's name (letters, digits and -)", r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")]
ScopeName = Annotated[
    str, text("an account id, or an account id and a region with a / between", r"\d{12}(/[a-z0-9-]+)?")
]
TenantName = Annotated[
    str,
    text(
        "a tenant (letters, digits and !-_.*'(), at most 150)",
        r"[A-Za-z0-9!\-_.*'()|]*[A-Za-z0-9!\-_*'()|][A-Za-z0-9!\-_.*'()|]*|\.{3,}",
        most=150,
    ),
]

_OURS = frozenset(
    {"content-encoding", "content-type", "content-length", "host", "user-agent", "x-prometheus-remote-write-version"}
)


class Basic(Node):
    """User and password."""

    username: Text = Field(description="The user's name.")
    password: Hidden | None = Field(default=None, description="The password, as ${VARIABLE}.")
    password_file: FilePath | None = Field(default=None, description="A file that holds the password.")

    @classmethod
    def across(cls, section: Mapping[str, Any]) -> Iterator[Wrong]:
        """One source of the password."""
        yield from _one_of(section, "password", "password_file")


class Auth(Node):
    """Who we are to the receiver: one of the three."""

    basic: Basic | None = Field(default=None, description="User and password.")
    bearer_token: Hidden | None = Field(default=None, description="A bearer token, as ${VARIABLE}.")
    bearer_token_file: FilePath | None = Field(default=None, description="A file that holds a bearer token.")

    @classmethod
    def across(cls, section: Mapping[str, Any]) -> Iterator[Wrong]:
        """Exactly one."""
        yield from _one_of(section, "basic", "bearer_token", "bearer_token_file")


def _one_of(section: Mapping[str, Any], *keys: str) -> Iterator[Wrong]:
    present = [key for key in keys if section.get(key) is not None]
    if not present:
        yield (), f"needs one of {', '.join(keys)}; add it, or remove the section"
    elif len(present) > 1:
        yield (), f"{' and '.join(present)} are given together; keep one"


class Tls(Node):
    """TLS towards the receiver."""

    ca_file: FilePath | None = Field(default=None, description="Certificates (PEM) to trust in place of the system's.")
    cert_file: FilePath | None = Field(default=None, description="Our own certificate (PEM).")
    key_file: FilePath | None = Field(default=None, description="The key (PEM) of our own certificate.")
    insecure_skip_verify: Flag = Field(default=False, description="Trust whoever answers. Only for a test.")

    @classmethod
    def across(cls, section: Mapping[str, Any]) -> Iterator[Wrong]:
        """A certificate has its key, and trust is one thing or the other."""
        for one, other in (("cert_file", "key_file"), ("key_file", "cert_file")):
            if section.get(one) is not None and section.get(other) is None:
                yield (other,), f"is missing, while {one} is given; a certificate and its key go together"
        if section.get("insecure_skip_verify") is True and section.get("ca_file") is not None:
            yield ("insecure_skip_verify",), "makes ca_file useless; remove one of the two"


def header_faults(section: Mapping[str, Any]) -> Iterator[Wrong]:
    """A header of *section* that is given twice, that the exporter sets itself, or that another key of it sets."""
    seen: dict[str, str] = {}
    for name in mapping_in(section, "headers"):
        lower = name.lower()
        if lower in seen:
            yield ("headers", name), f"is the same header as {seen[lower]}; keep one"
        elif lower in _OURS:
            yield ("headers", name), "is set by the exporter itself; remove it"
        elif lower == "x-scope-orgid" and (section.get("tenant") is not None or section.get("tenants")):
            yield ("headers", name), "is what tenant sets; keep one"
        elif lower == "authorization" and section.get("auth") is not None:
            yield ("headers", name), "is what auth sets; keep one"
        seen.setdefault(lower, name)


class Outbox(Node):
    """Finished requests on disk, until the receiver has taken them."""

    path: FilePath = Field(
        default="/var/lib/storage-exporter/outbox", description="A directory that survives a restart."
    )
    max_bytes: Annotated[int, size(2**20, 2**50)] = Field(
        default=2**30, description="Bytes kept at most; then the oldest are dropped."
    )
    max_age: Annotated[int, duration(60, 90 * DAY)] = Field(
        default=DAY, description="Seconds a request is kept at most."
    )


class Push(Node):
    """Remote write to Mimir or another receiver."""

    url: Address = Field(description="The receiver's address, such as http://mimir-distributor:8080/api/v1/push.")
    tenant: TenantName | None = Field(default=None, description="Mimir tenant, sent as X-Scope-OrgID.")
    tenants: Map[ScopeName, TenantName] = Field(
        default_factory=dict,
        description="Tenants of some scopes: account id, or account id/region, to tenant. The rest goes to `tenant`.",
    )
    auth: Auth | None = Field(default=None, description="Who we are to the receiver.")
    headers: Map[HeaderName, Hidden] = Field(
        default_factory=dict, description="More request headers; values are treated as secrets."
    )
    tls: Tls = Field(default_factory=Tls, description="TLS towards the receiver.")
    external_labels: Map[LabelName, AnyText] = Field(default_factory=dict, description="Labels put on every series.")
    lookback: Annotated[int, duration(60, 14 * DAY)] = Field(
        default=3600,
        description="Seconds of the past that a new leader or a restarted exporter asks for and sends again.",
    )
    out_of_order: Flag = Field(default=False, description="Whether the receiver takes samples older than its newest.")
    held_every: Annotated[int, duration(15, 240)] = Field(
        default=60,
        description="Seconds between two writes of what has no stamps of its own: inventory, daily values, the "
        "exporter's metrics. More than 240 would leave gaps, for a query looks back 5 minutes.",
    )
    timeout: Annotated[int, duration(1, 600)] = Field(default=30, description="Seconds one request may take.")
    concurrency: Annotated[int, whole(1, 64)] = Field(
        default=1, description="Requests under way at one time, to each tenant; a series always goes the same way."
    )
    outbox: Outbox = Field(default_factory=Outbox, description="Finished requests on disk.")

    @classmethod
    def across(cls, section: Mapping[str, Any]) -> Iterator[Wrong]:
        """A header is said once; labels of ours are not overwritten; what has no scope has a tenant too."""
        if section.get("tenants") and section.get("tenant") is None:
            yield (("tenant",), "is needed beside tenants, for series that belong to no scope of theirs; give a tenant")
        yield from header_faults(section)
        for name in mapping_in(section, "external_labels"):
            if name == "cluster":
                yield ("external_labels", name), "is set by the top-level key `cluster`; give it there"
            elif name in ("account_id", "region"):
                yield (
                    ("external_labels", name),
                    "is the identity of what is measured and would be lost; choose another label",
                )


class Delivery(Node):
    """How series reach Mimir."""

    mode: Annotated[Literal["scrape", "push"], choice("scrape", "push")] = Field(
        default="scrape", description="scrape: /metrics; push: remote write."
    )
    push: Push | None = Field(default=None, description="Where to push; required in push mode, unused in scrape mode.")

    @classmethod
    def across(cls, section: Mapping[str, Any]) -> Iterator[Wrong]:
        """Push needs an address."""
        if section.get("mode") == "push" and section.get("push") is None:
            yield (
                ("push", "url"),
                "is required in push mode; give the receiver's address, such as http://mimir-distributor:8080/api/v1/push",
            )
