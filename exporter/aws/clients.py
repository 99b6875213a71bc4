"""
botocore's sessions and clients: few, lazy, and made where they cost nobody anything.

A first EC2 client costs a fifth of a second and 24 MB, most of it the service's model; so the process has one loader
of models, each scope one client a service, and all of it is made in worker threads (performance.md 8). botocore's own
retries are off, because there must be one place that counts and waits; its HTTP is ours, because its timeouts do not
bound an answer that trickles. What a call means, and whether to repeat it, is for `api`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from typing import Any

from botocore import xform_name
from botocore.client import BaseClient
from botocore.config import Config
from botocore.session import Session
from botocore.utils import parse_timestamp

from exporter.aws.models import Models
from exporter.aws.session import Following, Keeper
from exporter.aws.transport import Transport
from exporter.aws.workers import Attempt
from exporter.errors import RequestError

_OWN_CALLS = Config(
    connect_timeout=5, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 2}, max_pool_connections=1
)
"""For the calls credential providers make themselves (AssumeRoleWithWebIdentity, SSO)."""

_CALLS = Config(retries={"mode": "standard", "total_max_attempts": 1}, max_pool_connections=1)


@dataclass(frozen=True, slots=True)
class Paging:
    """How an operation's pages are asked for, from botocore's model; there may be several tokens."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    limit: str
    more: str

    def next_tokens(self, page: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters that ask for the page after *page*; empty where it was the last."""
        if self.more and not member(page, self.more):
            return {}
        found = (member(page, output) for output in self.outputs)
        return {name: token for name, token in zip(self.inputs, found, strict=True) if token}


_UNLISTED = {
    ("s3", "ListBucketMetricsConfigurations"): Paging(
        ("ContinuationToken",), ("NextContinuationToken",), limit="", more="IsTruncated"
    ),
}
"""Operations with pages that botocore's model has no paginator for (aws-facts 3.4)."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where GetMetricData is sent and what for it is signed."""

    url: str
    region: str
    signing_name: str


@lru_cache(maxsize=1)
def _models(data_path: str | None) -> Models:
    """The process's one loader: it keeps what it has read, also over a reload of the configuration."""
    return Models(data_path)


def instant(value: Any) -> datetime:
    """
    A timestamp of an answer as botocore reads it (aware of its zone), at a tenth of the cost for the spelling of AWS's
    XML, ``2026-01-02T03:04:05.000Z``; a page of volumes has hundreds (performance.md 8).
    """
    if isinstance(value, str) and value[4:5] == "-" and value[10:11] == "T":
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            return parse_timestamp(value)
        if found.tzinfo is not None:
            return found
    return parse_timestamp(value)


class Botocore:
    """
    What all sessions share. Making a session or a client is for worker threads.

    Args:
        user_agent: appended to botocore's own.
    """

    def __init__(self, user_agent: str) -> None:
        self.lock = threading.RLock()
        self._user_agent = user_agent

    def session(self, region: str | None) -> Session:
        """A fresh session on the environment and the files as they are now, with a provider chain of its own."""
        session = Session()
        with self.lock:
            session.register_component("data_loader", _models(session.get_config_variable("data_path")))
            session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=instant)
        session.user_agent_extra = self._user_agent
        session.set_default_client_config(_OWN_CALLS)
        if region:
            # botocore reads AWS_DEFAULT_REGION only; STS for web identities is asked in this region.
            session.set_config_variable("region", region)
        return session

    def default_region(self, environ: Mapping[str, str]) -> str | None:
        """The region of AWS_REGION, AWS_DEFAULT_REGION or the profile, in this order; None where none names one."""
        named = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
        return named or self.session(None).get_config_variable("region") or None

    def verify(self) -> str | None:
        """The certificate bundle that AWS_CA_BUNDLE, the profile or REQUESTS_CA_BUNDLE names."""
        bundle = self.session(None).get_config_variable("ca_bundle")
        return bundle or os.environ.get("REQUESTS_CA_BUNDLE") or None


class _Resolver:
    """The credential chain of a scope's session: there is but one answer."""

    def __init__(self, credentials: Following) -> None:
        self._credentials = credentials

    def load_credentials(self) -> Following:
        return self._credentials


class Clients:
    """
    The clients of one region and identity, each made at its first use; for worker threads.

    Args:
        shared: with all others of the process.

        region: theirs.

        keeper: of the credentials they sign with.

        transport: sends for them.
    """

    def __init__(self, shared: Botocore, region: str, keeper: Keeper, transport: Transport) -> None:
        self._shared = shared
        self._region = region
        self._keeper = keeper
        self._transport = transport
        self._session: Session | None = None
        self._clients: dict[str, BaseClient] = {}
        self._paging: dict[tuple[str, str], Paging | None] = {}

    def invoke(self, service: str, operation: str, params: Mapping[str, Any], attempt: Attempt) -> dict[str, Any]:
        """
        One botocore call, one attempt.

        Args:
            service: botocore's name, such as ``ec2``.

            operation: as AWS spells it.

            params: as botocore takes them.

            attempt: how long it may take.

        Returns:
            The answer without its ``ResponseMetadata``.
        """
        client = self._client(service)
        if operation not in client.meta.service_model.operation_names:
            raise RequestError(service, operation, "UnknownOperation", "this botocore does not know it: upgrade it")
        self._transport.lend(attempt)
        answer: dict[str, Any] = getattr(client, xform_name(operation))(**params)
        answer.pop("ResponseMetadata", None)
        return answer

    def knows_paging(self, service: str, operation: str) -> bool:
        """Whether `paging` has been asked of *operation* before, and answers at once."""
        return (service, operation) in self._paging

    def paging(self, service: str, operation: str) -> Paging | None:
        """How *operation* is paged, or None where it is not (or is not known: its call will say so)."""
        key = (service, operation)
        if key not in self._paging:  # two threads may both look it up; neither may see it half known
            self._paging[key] = self._find_paging(service, operation)
        return self._paging[key]

    def _find_paging(self, service: str, operation: str) -> Paging | None:
        client = self._client(service)
        known = operation in client.meta.service_model.operation_names
        if not known or not client.can_paginate(xform_name(operation)):
            return _UNLISTED.get((service, operation))
        with self._shared.lock:
            model = self._own_session().get_paginator_model(service).get_paginator(operation)
        return Paging(
            inputs=_texts(model["input_token"]),
            outputs=_texts(model["output_token"]),
            limit=model.get("limit_key", ""),
            more=model.get("more_results", ""),
        )

    def endpoint(self, service: str) -> Endpoint:
        """Where *service* is: AWS_ENDPOINT_URL and its forms, profiles, FIPS and partitions are botocore's to know."""
        meta = self._client(service).meta
        return Endpoint(meta.endpoint_url.rstrip("/") + "/", meta.region_name, meta.service_model.signing_name)

    def _client(self, service: str) -> BaseClient:
        client = self._clients.get(service)
        if client is None:
            with self._shared.lock:
                client = self._clients.get(service) or self._make(service)
                self._clients[service] = client
        return client

    def _make(self, service: str) -> BaseClient:
        client: BaseClient = self._own_session().create_client(service, self._region, config=_CALLS)
        client.meta.events.register_first(
            "before-send", partial(self._send, client.meta.service_model), unique_id="storage-exporter"
        )
        return client

    def _send(self, model: Any, request: Any, event_name: str, **_: Any) -> Any:
        return self._transport.answer_for(model, request, event_name)

    def _own_session(self) -> Session:
        if self._session is None:
            self._session = self._shared.session(self._region)
            self._session.register_component("credential_provider", _Resolver(Following(self._keeper)))
        return self._session


def member(answer: Mapping[str, Any], path: str) -> Any:
    """What stands at a dotted *path* of names in an answer, or None."""
    found: Any = answer
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _texts(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)
