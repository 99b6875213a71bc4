"""Which queries show nothing in the held world, and what would have to be for them to show something."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Absent(NamedTuple):
    """A dashboard's uid without its prefix; a panel's title and a query's letter, a mark's name, or a variable's."""

    uid: str
    panel: str
    ref: str


_PUSHED = "the exporter is scraped: there is no push to show"
_NO_ELECTION = "one replica without leader election: there is no Lease"
_NO_STACK = "nobody shows metrics of Loki, Mimir or Tempo here"
_NO_ROW = "CloudWatch has it, but the usual configuration does not ask for it"
_REPLICATED = "S3 says nothing of it where nothing waits to be replicated, as in this world"
_NO_DRIVER = "the CSI driver's own metrics are not scraped here"
_NO_TROUBLE = "none of the troubles of this world is of that kind"
_NOT_FILLING = "nothing fills up in this world"
_NO_CHANGE = "nothing of that kind changes while it is looked at"
_NO_BURST = "no volume that can burst spends its balance in this world"
_NO_HOURS = "it takes hours of data, of which there is less than one"
_NO_END = "no key of this world is to be deleted, none has material that ends"
_STATIC = "the credentials of this world do not end"

_NONE: Mapping[str, Mapping[tuple[str, str], str]] = {
    "capacity": {
        **{("Claims that are nearly full", ref): _NOT_FILLING for ref in "ABCD"},
        ("Claims that wait for a volume", "A"): _NO_TROUBLE,
        ("File systems without a client for 7 days", "A"): "every file system of this world has clients",
        ("File systems of EFS", "A"): "no file system has grown in the days of this world",
        ("File systems of EFS", "B"): "no file system has grown in the days of this world",
        ("Volumes that are attached to nothing", "C"): "no volume that is attached to nothing has a backup here",
    },
    "ebs-fleet": {
        ("AWS's check", "A"): _NO_TROUBLE,
        ("AWS's events", ""): _NO_TROUBLE,
        ("Attaching or detaching for long", "A"): _NO_TROUBLE,
        ("Attachments", ""): _NO_CHANGE,
        ("Burst balances under 50 %", "A"): _NO_BURST,
        ("Burst ends in", "A"): _NO_BURST,
        ("Instances", "F"): _NO_DRIVER,
        ("Modifications", ""): _NO_CHANGE,
        ("Stalled I/O", "A"): _NO_TROUBLE,
        ("Volumes that the driver made and no claim has", "A"): "every volume of the driver has its claim here",
        ("Volumes that the driver made and no claim has", "B"): "every volume of the driver has its claim here",
        ("What Kubernetes could not attach or detach", "A"): _NO_TROUBLE,
    },
    "ebs-volume": {
        ("AWS's events", ""): _NO_TROUBLE,
        ("Attachments", ""): _NO_CHANGE,
        ("Full in", "B"): _NOT_FILLING,
        ("Is the instance the limit?", "C"): _NO_DRIVER,
        ("Is the instance the limit?", "D"): _NO_ROW,
        ("Is the instance the limit?", "E"): _NO_ROW,
        ("Key that encrypts it", "B"): _NO_END,
        ("New pods on the claim", ""): _NO_CHANGE,
        ("Operations waiting", "A"): _NO_ROW,
    },
    "efs": {
        ("Burst credits", "C"): _NO_HOURS,
        ("Keys of these file systems", "B"): _NO_END,
        ("Mount targets", ""): _NO_CHANGE,
        ("Throughput mode", ""): _NO_CHANGE,
        ("Time until the credits are gone", "B"): _NO_HOURS,
    },
    "exporter": {
        ("Accounts and who asks", "B"): _STATIC,
        ("Billed metrics", "B"): "every answer of AWS came: nothing is billed without one",
        ("Changes of leader", "B"): _NO_ELECTION,
        ("Credentials end in", "A"): _STATIC,
        ("Credentials that could not be renewed", "A"): _STATIC,
        ("Duration of scrapes", "A"): "Prometheus says it of its own scrapes, and here pages are written to it",
        ("Firing now", "A"): "the exporter is well in this world",
        ("Firing now", "B"): "the exporter is well in this world",
        ("New configuration", ""): _NO_CHANGE,
        ("Requests repeated", "A"): "AWS answers the first time in this world",
        ("Rule evaluations that failed", "A"): "no ruler shows its metrics here",
        ("Rules failing", "A"): "no ruler shows its metrics here",
        ("The Lease", "A"): _NO_ELECTION,
        ("The Lease", "B"): _NO_ELECTION,
    },
    "overview": {
        ("EBS burst ends in", "A"): _NO_BURST,
        ("Errors of AWS's API", "A"): "AWS refuses nothing in this world",
        ("Exporter's configuration", ""): _NO_CHANGE,
        ("Exporter's version", ""): _NO_CHANGE,
        ("Keys that storage is encrypted with", "C"): _NO_END,
        ("Keys that storage is encrypted with", "D"): _NO_END,
        ("Rollouts of workloads with claims", ""): _NO_CHANGE,
        ("Valkey full in", "A"): _NOT_FILLING,
        ("Volume modifications", ""): _NO_CHANGE,
    },
    "s3": {
        ("Bytes that wait to be replicated", "A"): _REPLICATED,
        ("Claims of the stack: time until full", "A"): _NO_STACK,
        ("Failed requests of the stack to S3", "A"): _NO_STACK,
        ("Failed writes to the bucket", "A"): _NO_STACK,
        ("Lifecycle", ""): _NO_CHANGE,
        ("Made public", ""): _NO_CHANGE,
        ("Oldest block that is not in the bucket", "A"): _NO_STACK,
        ("Refused and slowed down", "A"): _NO_STACK,
        ("Refused and slowed down", "B"): _NO_STACK,
        ("Replica is behind by", "A"): _REPLICATED,
        ("Requests of the stack to S3", "A"): _NO_STACK,
        ("Versioning off", ""): _NO_CHANGE,
        ("namespace", ""): _NO_STACK,
    },
    "valkey": {
        ("Evictions of caches", "A"): "no cache of this world may evict any key",
        ("Hit ratio", "B"): "it takes a day of data, of which there is less than an hour",
        ("Network allowance exceeded", "B"): _NO_TROUBLE,
        ("Time to full", "B"): _NOT_FILLING,
    },
}

_PUSHING = (
    ("Backlog", "A"),
    ("Backlog", "B"),
    ("Bytes sent", "A"),
    ("Failures, repeats, outbox errors", "A"),
    ("Failures, repeats, outbox errors", "B"),
    ("Failures, repeats, outbox errors", "C"),
    ("Last push", "A"),
    ("Outbox on disk", "A"),
    ("Outbox on disk", "B"),
    ("Outbox, used of its limit", "A"),
    ("Requests by answer", "A"),
    ("Samples accepted", "A"),
    ("Samples given up", "A"),
    ("Since the last accepted push", "A"),
    ("Waits on disk", "A"),
)

ABSENT: Mapping[Absent, tuple[str, str]] = {
    **{Absent(uid, *key): (why, "") for uid, given in _NONE.items() for key, why in given.items()},
    **{Absent("exporter", *key): (_PUSHED, "push") for key in _PUSHING},
}
"""Why there is nothing, and in which way of delivery there is something all the same."""

LEADING_NOWHERE: Mapping[tuple[str, str], str] = {
    ("valkey", "Nodes"): "a Memcached cluster is in no replication group and has no dashboard",
}
"""Tables of which some rows have no link that is whole, and why."""
