"""One account in one region as a person with boto3 sees it: clients, what was found there, and what is said of it."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import boto3
import botocore.session
from botocore.exceptions import ClientError
from botocore.loaders import Loader
from botocore.utils import parse_timestamp

from tests.independent.comparing import Series
from tests.independent.points import Subject
from tests.independent.tables import INVENTORY

Item = Mapping[str, Any]

GIB, MIB, MEGABYTE, GIGABYTE = 2**30, 2**20, 10**6, 10**9


@dataclass(frozen=True)
class Scope:
    """Where to look: a region ("" for the session's own), and roles to assume, each with an external id or None."""

    region: str = ""
    roles: tuple[tuple[str, str | None], ...] = ()


@dataclass(frozen=True)
class Wanted:
    """
    What the configuration wants.

    Args:
        pins: tag key → value of what is asked every minute.

        components: pattern of a bucket's whole name → its component; None for the exporter's own, which are part of its
            interface.

        services: what is read.
    """

    tiers: tuple[str, ...] = ("essential", "standard")
    cluster: str = ""
    tags: tuple[str, ...] = ()
    pins: Mapping[str, str] = field(default_factory=dict)
    components: Mapping[str, str] | None = None
    scopes: tuple[Scope, ...] = (Scope(),)
    services: tuple[str, ...] = ("ebs", "efs", "s3", "elasticache", "protection")


@dataclass(frozen=True)
class Holding:
    """Something that holds data: its level and labels, the key it is encrypted with ("" for none) and its ARN."""

    level: str
    labels: tuple[str, ...]
    key: str
    arn: str


@functools.cache
def _models() -> Loader:
    """Botocore's descriptions of services, read once for all places: they are some tens of megabytes."""
    return Loader()


def _instant(value: float | str) -> datetime:
    """As botocore reads it, but quickly where it is written as datapoints have it; there are 400,000 of them."""
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            return parse_timestamp(value)
    return datetime.fromtimestamp(value, UTC)


def _session(
    region: str | None, key: str | None = None, secret: str | None = None, token: str | None = None
) -> boto3.session.Session:
    made = botocore.session.get_session()
    made.register_component("data_loader", _models())
    made.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_instant)
    return boto3.session.Session(key, secret, token, region, made)


class Place:
    """
    Args:
        scope: where.

        now: the instant both sides read at, unix seconds.

        wanted: what is configured.

        series: what is said is put here.
    """

    def __init__(self, scope: Scope, now: float, wanted: Wanted, series: Series) -> None:
        self.now = now
        self.wanted = wanted
        self.subjects: list[Subject] = []
        self.holdings: list[Holding] = []
        self._series = series
        self._clients: dict[tuple[str, str], Any] = {}
        self._session = _session(scope.region or None)
        self.region = self._session.region_name or ""
        for role, external_id in scope.roles:
            more = {} if external_id is None else {"ExternalId": external_id}
            granted = self.client("sts").assume_role(RoleArn=role, RoleSessionName="witness", **more)["Credentials"]
            self.close()
            self._session = _session(
                self.region, granted["AccessKeyId"], granted["SecretAccessKey"], granted["SessionToken"]
            )
        self.account = self.client("sts").get_caller_identity()["Account"]

    def close(self) -> None:
        for client in self._clients.values():
            client.close()
        self._clients = {}

    def client(self, service: str, region: str = "") -> Any:
        """The boto3 client, one a service and region."""
        where = service, region or self.region
        if where not in self._clients:
            self._clients[where] = self._session.client(where[0], region_name=where[1])  # type: ignore[call-overload]
        return self._clients[where]

    def all(self, service: str, operation: str, key: str, **parameters: Any) -> Iterator[Item]:
        """Every item of every page."""
        for page in self.client(service).get_paginator(operation).paginate(**parameters):
            yield from page[key]

    def pinned(self, tags: Mapping[str, str]) -> bool:
        return any(tags.get(key) == value for key, value in self.wanted.pins.items())

    def say(self, name: str, values: Sequence[str], value: float, tags: Mapping[str, str] | None = None) -> None:
        """A series of the inventory; with *tags* where the thing carries some."""
        labels = dict(zip(INVENTORY[name], values, strict=True))
        if tags is not None:
            labels |= {"tag_" + re.sub(r"[^a-z0-9_]", "_", key.lower()): tags.get(key, "") for key in self.wanted.tags}
        self.put(name, labels, value)

    def put(self, name: str, labels: Mapping[str, str], value: float) -> None:
        """A series with its *labels* after those of the place."""
        everywhere = {"account_id": self.account, "region": self.region}
        if self.wanted.cluster:
            everywhere["cluster"] = self.wanted.cluster
        key = name, frozenset({**everywhere, **labels}.items())
        if key in self._series:
            raise AssertionError(f"{key} was read twice")
        self._series[key] = float(value)


def asked(call: Any, *absent: str, **parameters: Any) -> Item | None:
    """The answer of one call, None where AWS answers with one of the codes *absent*."""
    try:
        found: Item = call(**parameters)
    except ClientError as error:
        if error.response["Error"]["Code"] not in absent:
            raise
        return None
    return found


def requires_tls(policy: str, service: str) -> bool:
    """Whether a statement of the resource policy denies everybody every action of *service* without TLS."""
    statements = json.loads(policy)["Statement"]
    for statement in statements if isinstance(statements, list) else [statements]:
        actions, condition = statement.get("Action"), statement.get("Condition", {})
        everybody = statement.get("Principal") in ("*", {"AWS": "*"}, {"AWS": ["*"]})
        everything = {"*", f"{service}:*"} & set([actions] if isinstance(actions, str) else actions or ())
        plain = str(condition.get("Bool", {}).get("aws:SecureTransport")).lower() == "false"
        if statement["Effect"] == "Deny" and everybody and everything and plain and len(condition) == 1:
            return True
    return False


def tags_of(item: Item, key: str = "Tags") -> dict[str, str]:
    """The tags that *item* carries under *key*, a list of ``{Key, Value}``."""
    return {tag["Key"]: tag["Value"] for tag in item.get(key, ())}


def yes_no(value: bool) -> str:
    return "true" if value else "false"


def unix(instant: datetime) -> int:
    return int(instant.timestamp())
