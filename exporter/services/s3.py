"""
S3: the buckets of a region, how each is set up, and what CloudWatch may be asked about them (aws-facts 1.4 and 3.4).

ListBuckets gives the whole account; a scope keeps what lies in its own region, the rest is counted and tells where
replicas are. Everything else is a call a bucket and operation, so the buckets of the observability stack come first
and the rest is spread over passes. Objects are never read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from exporter.model import Asset, Claims, Fact, Family, Inventory, MetricRow, Resource, Scope
from exporter.services.base import (
    Findings,
    Found,
    Made,
    Member,
    Part,
    Wishes,
    partition_of,
    text_of,
    together,
    unhurried,
    with_tags,
)
from exporter.services.claims import KUBERNETES, pin, words
from exporter.services.items import Item
from exporter.services.reader import Answer, Operation, Reader
from exporter.services.s3_facts import (
    BUCKET_INFO,
    BUCKETS,
    CLAIM_INFO,
    COMPONENT_EVERY,
    ENCRYPTION,
    FAMILIES,
    LIFECYCLE,
    LOCATION,
    LOGGING,
    METRICS,
    OPERATIONS,
    POLICY,
    POLICY_STATUS,
    PUBLIC_ACCESS,
    REPLICATION_RULES,
    STORAGE_TYPES,
    TAGGING,
    VERSIONING,
)
from exporter.services.s3_reading import (
    About,
    default_key,
    filter_ids,
    region_of,
    replication_rules,
    say,
    storage_types,
    tags_in,
)
from exporter.services.s3_rows import (
    ALL_STORAGE_TYPES,
    BUCKET,
    COMPONENT_FILTER,
    FILTER,
    NEWEST_DAILY,
    NEWEST_REQUEST,
    REPLICATION,
    REPLICATION_SOURCE,
    ROWS,
    STANDARD_STORAGE,
    STORAGE,
)

_SETTINGS = (
    LIFECYCLE,
    VERSIONING,
    ENCRYPTION,
    PUBLIC_ACCESS,
    POLICY_STATUS,
    REPLICATION_RULES,
    METRICS,
    POLICY,
    LOGGING,
)

_BUCKETS_TOGETHER = 10
"""Buckets whose facts are said before the event loop has its turn; each has dozens."""

_ALONGSIDE = 8
"""Buckets that are read at one time."""


class S3:
    """S3 in one scope."""

    name = "s3"
    rows: tuple[MetricRow, ...] = ROWS
    operations: tuple[Operation, ...] = OPERATIONS
    families: tuple[Family, ...] = FAMILIES
    members: tuple[Member, ...] = (
        Member(NEWEST_DAILY, frozenset({BUCKET.name})),
        Member(NEWEST_REQUEST, frozenset({FILTER.name, COMPONENT_FILTER.name})),
    )

    arns: tuple[str, ...] = ("arn:{partition}:s3:::*",)
    follows = False

    def __init__(self, wishes: Wishes) -> None:
        self._wishes = wishes
        self._info = with_tags(BUCKET_INFO, wishes.tags)
        self._part = Part()
        self._claims = Part()
        self._pinned: Made[frozenset[str]] = Made()
        self._whole: Made[Found] = Made()
        self._types: dict[str, list[str]] = {}
        self._listed: Sequence[Item] | None = None  # what the types were read from
        self._served: dict[str, int] = {}  # bucket → the last pass in which nothing of it had to wait

    async def discover(self, reader: Reader, scope: Scope) -> Inventory:
        """Buckets with their storage types, filters and replications as resources, everything else as samples."""
        listed, published = await asyncio.gather(reader.read(BUCKETS), self._published(reader))
        items = {text_of(item.get("Name")): item for item in (listed.items if listed else ())}
        regions = await _regions(reader, items)
        here = [name for name in items if regions.get(name) == scope.region]
        about = await self._read_all(reader, {name: items[name] for name in here})
        chosen = [about[name] for name in here if name in about]
        claims = self._wishes.claims()
        pinned = self._pinned.of((claims,), lambda: self._pinned_by(claims))

        async def say_all(said: Findings) -> None:
            async for each in unhurried(chosen, _BUCKETS_TOGETHER):
                pins = pin(pinned=each.name in pinned)
                self._say(said, each, regions)
                self._measured(said, each, pins, published=published)
                _replicated(said, each, pins, regions)

        async def say_claims(said: Findings) -> None:
            async for each in unhurried(chosen):
                for claim in claims.buckets.get(each.name, ()) if claims.known else ():
                    said.say(CLAIM_INFO, (each.name, *words(claim)), 1)

        basis = (published, self._types, pinned, *(text for name in items for text in (name, regions.get(name, ""))))
        rest = (one for each in chosen for one in each.basis())
        parts = [
            await self._part.said((*basis, *rest), say_all, Findings(scope, self._wishes.constant)),
            await self._claims.said(
                (claims, *(each.name for each in chosen)), say_claims, Findings(scope, self._wishes.constant)
            ),
        ]
        found = self._whole.of(parts, lambda: together(parts))
        counts = (
            {
                "bucket": len(chosen),
                "bucket-of-another-region": sum(regions.get(name, scope.region) != scope.region for name in items),
            }
            if listed is not None
            else {}
        )
        return Inventory(
            found.resources,
            found.samples,
            counts,
            dict(reader.failures),
            found.assets,
            waiting=reader.waiting,
            claims={KUBERNETES: found.samples.number(CLAIM_INFO)} if claims.known and listed is not None else {},
        )

    # ---- reading ----

    async def _published(self, reader: Reader) -> bool:
        """
        Learn which storage types CloudWatch has of which bucket; whether that is known now.

        What was learned is kept: a storage type does not cease to be published because it cannot be listed.
        """
        if STORAGE.name not in self._wishes.kinds:
            return False
        wanted = {"Namespace": STORAGE.namespace, "MetricName": "BucketSizeBytes"}
        answer = await reader.read(STORAGE_TYPES, wanted)
        if answer is not None and answer.items is not self._listed:
            self._types, self._listed = storage_types(answer), answer.items
        return answer is not None

    async def _read_all(self, reader: Reader, items: Mapping[str, Item]) -> dict[str, About]:
        """
        What is known of each bucket that is selected.

        Calls are made in the order of asking and a pass has room for so many: the stack's own buckets come first, then
        those that have waited for longest, so that however many there are each has its turn.
        """
        served = self._served = {name: self._served.get(name, 0) for name in items}
        order = sorted(items, key=lambda name: (not self._wishes.component(name), served[name]))
        turns = asyncio.Semaphore(_ALONGSIDE)

        async def one(name: str) -> About | None:
            async with turns:  # bucket after bucket, so that those whose turn it is are read whole
                return await self._about(reader, name, items[name])

        about: list[About | None] = []
        asked: list[str] = []
        async for name in unhurried(order, _BUCKETS_TOGETHER):
            # In most passes nothing is due of most buckets, and what is known needs no task to be told.
            if _is_due(reader, (TAGGING, *_SETTINGS), name, self._wishes.component(name)):
                asked.append(name)
            else:
                about.append(await self._about(reader, name, items[name]))
        about += await asyncio.gather(*map(one, asked))
        return {each.name: each for each in about if each is not None}

    async def _about(self, reader: Reader, name: str, item: Item) -> About | None:
        """What is known of the bucket, None where it is not selected. Tags come first, for they select."""
        component, waiting = self._wishes.component(name), reader.waiting
        tagging = await _of_bucket(reader, TAGGING, name, component)
        tags, answers = tags_in(tagging), dict.fromkeys(_SETTINGS)
        selected = self._wishes.pick(name, tags)
        if selected:
            answers = await _settings(reader, name, component)
        if reader.waiting == waiting:
            self._served[name] = reader.now
        return About(name, item, component, tags, answers) if selected else None

    # ---- saying ----

    def _say(self, found: Findings, about: About, regions: Mapping[str, str]) -> None:
        say(found, about, self._info, {key: about.tags.get(key, "") for key in self._wishes.tags}, regions)
        arn = f"arn:{partition_of(found.scope.region)}:s3:::{about.name}"
        found.assets.append(Asset(arn, "s3_bucket", ("bucket",), (about.name,), default_key(about)))

    def _pinned_by(self, claims: Claims) -> frozenset[str]:
        """The buckets that a claim pins, wherever they are."""
        buckets = claims.buckets if claims.known else {}
        return frozenset(name for name, mounting in buckets.items() if any(map(self._wishes.pinned, mounting)))

    def _measured(self, found: Findings, about: About, pins: Mapping[str, Fact], *, published: bool) -> None:
        """What CloudWatch has of the bucket itself. One it does not list has no values yet: asking is billed."""
        types = self._types.get(about.name, [] if published else [STANDARD_STORAGE])
        for storage_type in types:
            found.resources.append(Resource(STORAGE, found.scope, (about.name, storage_type), pins, about.tags))
        if types:
            found.resources.append(Resource(BUCKET, found.scope, (about.name, ALL_STORAGE_TYPES), pins, about.tags))
        kind = COMPONENT_FILTER if about.component else FILTER
        for filter_id in filter_ids(about):
            found.resources.append(Resource(kind, found.scope, (about.name, filter_id), pins, about.tags))


def _replicated(found: Findings, about: About, pins: Mapping[str, Fact], regions: Mapping[str, str]) -> None:
    """
    The rules CloudWatch is told of. How far they are it is told in the region of the destination, which of a bucket of
    another account is not known; what failed, in that of the source.
    """
    for rule in replication_rules(about):
        if not (rule.enabled and rule.metrics and rule.rule_id and rule.destination):
            continue
        identity = (about.name, rule.destination, rule.rule_id)
        found.resources.append(Resource(REPLICATION_SOURCE, found.scope, identity, pins, about.tags))
        region = regions.get(rule.destination, "")
        if region:
            where = "" if region == found.scope.region else region
            found.resources.append(Resource(REPLICATION, found.scope, identity, pins, about.tags, where))


async def _regions(reader: Reader, items: Mapping[str, Item]) -> dict[str, str]:
    """
    Bucket → region, as far as known. AWS says it in the listing; where it is missing there, each bucket is asked.

    Returns:
        Nothing of buckets whose region could not be learned.
    """
    regions = {name: text_of(item["BucketRegion"]) for name, item in items.items() if item.get("BucketRegion")}
    unknown = [name for name in items if name not in regions]
    answers = await asyncio.gather(
        *(reader.read(LOCATION, {"Bucket": name}, key=name, may_wait=True) for name in unknown)
    )
    for name, answer in zip(unknown, answers, strict=True):
        if answer is not None and answer.items:
            regions[name] = region_of(answer.items[0].get("LocationConstraint"))
    return regions


async def _settings(reader: Reader, name: str, component: str) -> dict[Operation, Answer | None]:
    """What AWS says of one bucket, by operation; what is due is asked side by side."""
    asked = (_of_bucket(reader, each, name, component) for each in _SETTINGS)
    if _is_due(reader, _SETTINGS, name, component):
        read = await asyncio.gather(*asked)
    else:
        read = [await each for each in asked]
    return dict(zip(_SETTINGS, read, strict=True))


async def _of_bucket(reader: Reader, operation: Operation, name: str, component: str) -> Answer | None:
    """One operation's word on one bucket."""
    every = _every(reader, operation, component)
    return await reader.read(operation, {"Bucket": name}, key=name, every=every, may_wait=True)


def _is_due(reader: Reader, operations: Iterable[Operation], name: str, component: str) -> bool:
    return any(reader.is_due(each, key=name, every=_every(reader, each, component)) for each in operations)


def _every(reader: Reader, operation: Operation, component: str) -> int | None:
    """Seconds between two askings, where not the operation's own: fewer for a part of the observability stack."""
    return min(COMPONENT_EVERY, reader.interval(operation)) if component else None
