"""
What an ElastiCache event is about: classes of messages, and the newest instant of each. Pure.

AWS gives an event a text and no code. The texts are those of the ElastiCache User Guide ("Event Notifications and
Amazon SNS", "Metrics and events for Valkey and Redis OSS serverless caches") and of the API Reference (TestFailover,
DescribeEvents), all quoted in the tests; some events are documented by their SNS name only (``ElastiCache:…``), which
is understood too. Engines of before 2024 say master where newer texts say primary.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from exporter.services.base import seconds_of, text_of
from exporter.services.items import Item

OTHER = "other"
FAILURE = "failure"
"""A text that speaks of a failure and that none of the other classes knows."""

KEPT = 14 * 86400
"""Seconds for which AWS keeps events (DescribeEvents), and we with it."""

_CLASSES: tuple[tuple[str, str], ...] = (
    # (class, what its texts look like); the first that fits counts
    ("failover-complete", r"failover (from|to) .*completed|failovercomplete"),
    ("failover-started", r"test failover api called|failover .*(started|initiated|in progress)"),
    ("node-recovery-complete", r"finished recovery for cache node|cachenodereplacecomplete"),
    ("node-recovery-started", r"recovering cache node|cachenodereplacestarted"),
    ("node-restarted", r"cache nodes? .*(restarted|shutdown)|cachenodesrebooted"),
    ("maintenance-canceled", r"replacement for cache cluster.*canceled|nodereplacementcanceled"),
    ("maintenance-rescheduled", r"replacement in maintenance window.*re-?scheduled|nodereplacementrescheduled"),
    ("maintenance-scheduled", r"scheduled for replacement|nodereplacementscheduled"),
    ("service-update", r"service update is available|serviceupdateavailable"),
    ("slot-limit", r"slot \S+ is using more than"),
    ("creation-failed", r"failed to create (the )?cache|provisioningfailed"),
    ("snapshot-failed", r"snapshot failed|snapshotfailed|failed to (create|export|copy) snapshot"),
    ("snapshot-complete", r"snapshot succeeded|snapshotcomplete|snapshot \S+ created for cache"),
    ("node-addition-failed", r"failed to modify number of nodes|addcachenodefailed"),
    (
        "scaling-failed",
        r"failed applying modification to cache node type|(cachecluster|replicationgroup)scalingfailed",
    ),
    (
        "scaling-complete",
        (
            r"succeeded applying modification to cache node type|(cachecluster|replicationgroup)scalingcomplete"
            r"|finished modifying number of nodes|increasereplicacountfinished"
        ),
    ),
    ("scaling-started", r"applying modification to cache node type|increasereplicacountstarted"),
    ("node-added", r"added cache node|addcachenodecomplete"),
    ("node-removed", r"removed cache node|removecachenodecomplete"),
    ("modification-failed", r"(limit )?update to the cache .*failed"),
    (
        "created",
        (
            r"(cache cluster|replication group|cache \S+) created|is created and|provisioningcomplete"
            r"|createreplicationgroupcomplete"
        ),
    ),
    ("deleted", r"(cache cluster|replication group|cache \S+) (was )?deleted|deletecacheclustercomplete"),
    (
        "modified",
        (
            r"updated parameter|updated to use a cacheparametergroup|applied change to security group"
            r"|updated for the cache|cacheclusterparameterschanged|cacheclustersecuritygroupmodified"
        ),
    ),
    ("certificate-renewed", r"certificaterenewalcomplete"),
    (FAILURE, r"\bfailed\b|\berror\b"),
)
_PATTERNS = tuple((name, re.compile(pattern, re.IGNORECASE | re.DOTALL)) for name, pattern in _CLASSES)

CLASSES: tuple[str, ...] = (*(name for name, _ in _CLASSES), OTHER)
"""Every value the label `event` can have."""

_OF_CACHE = re.compile(r"\bfor cache ([A-Za-z0-9-]+)")

Key = tuple[str, str, str]
"""Source type, source and class."""


def class_of(message: str) -> str:
    """The class of an event's text; `OTHER` where none fits."""
    return next((name for name, pattern in _PATTERNS if pattern.search(message)), OTHER)


def source_of(item: Item) -> str:
    """
    What the event happened to. For a serverless cache's snapshot it is the cache that the text names, so that a daily
    snapshot does not make a series a day.
    """
    if item.get("SourceType") == "serverless-cache-snapshot":
        named = _OF_CACHE.search(text_of(item.get("Message")))
        if named:
            return named.group(1)
    return text_of(item.get("SourceIdentifier"))


def remember(known: Mapping[Key, int], items: Iterable[Item], now: int) -> dict[Key, int]:
    """
    The newest instant (unix seconds) of each class of event of each source: what was *known* and what *items* of
    DescribeEvents add, without what is older than AWS would keep it at *now*. An event without a date says nothing.
    """
    newest = dict(known)
    for item in items:
        at = seconds_of(item.get("Date"))
        if at is not None:
            key = (text_of(item.get("SourceType")), source_of(item), class_of(text_of(item.get("Message"))))
            newest[key] = max(at, newest.get(key, at))
    return {key: at for key, at in newest.items() if at >= now - KEPT}
