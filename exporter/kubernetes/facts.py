"""
What Kubernetes says of storage, as facts in columns. Pure; which families there are is in `families`.

A part is said anew only when a kind it is made of has changed, and what comes out as before is the same objects.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field

from exporter.facts import Constant, Facts
from exporter.kubernetes import families
from exporter.kubernetes.claims import agree
from exporter.kubernetes.records import CsiNode, Failure, PersistentVolume, PersistentVolumeClaim
from exporter.kubernetes.state import Cluster, State, cluster_of, each_of, unhurried
from exporter.kubernetes.volumes import EBS_IN_TREE, Unnamed, Volume, served_by
from exporter.model import Family

_OTHER_DRIVER = Unnamed.OTHER_DRIVER.value
_UNKNOWN_CLASS = "unknown_class"
"""Why a claim is left out: it waits, and nobody knows for which driver."""

_NO_VOLUME = Volume("ebs")


Say = Callable[[Cluster, Facts], Awaitable[Mapping[str, int]]]
"""Says a part; answers how many objects of its first kind are left out, by reason."""


Basis = tuple[Constant, tuple[int, ...], tuple[object, ...]]
"""What a part is made of: constant labels, what counts the changes of its kinds, and their mappings."""


@dataclass(slots=True)
class Part:
    """A part of what is said, the kinds it is made of (the first is what it is about), and how it was said last."""

    kinds: tuple[str, ...]
    say: Say
    basis: Basis = ((), (), ())
    said: Facts | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)

    def made_of(self, state: State, versions: Mapping[str, int], constant: Constant) -> Basis:
        """What it would be made of now."""
        return constant, tuple(versions.get(kind, 0) for kind in self.kinds), tuple(map(state.get, self.kinds))

    def stale(self, basis: Basis) -> bool:
        """Whether it must be said anew, being made of *basis*."""
        return (
            self.said is None
            or self.basis[:2] != basis[:2]
            or any(one is not other for one, other in zip(self.basis[2], basis[2], strict=True))
        )


class Said:
    """What was said last. One instance speaks for one cluster, one call at a time."""

    def __init__(self) -> None:
        self._parts = [Part(kinds, say) for kinds, say in _PARTS]
        self._whole: Facts | None = None

    @property
    def left_out(self) -> Mapping[str, Mapping[str, int]]:
        """Kind → reason → objects that nothing is said of, for kinds of which there are such objects."""
        return {part.kinds[0]: part.left_out for part in self._parts if part.left_out}

    async def facts(self, state: State, versions: Mapping[str, int], constant: Constant) -> Facts:
        """
        All facts, settled. The same object as before where nothing has changed.

        Args:
            state: what is known now. It may change while this waits: everything is of the instant of the call.

            versions: kind → a number that grows whenever anything in its mapping changes.

            constant: labels before all others.
        """
        made_of = [(part, part.made_of(state, versions, constant)) for part in self._parts]
        stale = [(part, basis) for part, basis in made_of if part.stale(basis)]
        if self._whole is not None and not stale:
            return self._whole
        cluster = cluster_of(state)
        for part, basis in stale:
            facts = Facts(constant)
            left_out = await part.say(cluster, facts)
            await facts.settle(part.said)
            part.basis, part.said, part.left_out = basis, facts, left_out
        self._whole = Facts.joined([part.said for part in self._parts if part.said is not None])
        return self._whole


# ---- persistent volumes and claims


async def _volumes(cluster: Cluster, facts: Facts) -> Mapping[str, int]:
    async for volume in unhurried(each_of(cluster.volumes)):
        named = volume.named if isinstance(volume.named, Volume) else _NO_VOLUME
        identity = (volume.name,)
        facts.say(
            families.VOLUME_INFO,
            (
                volume.name,
                volume.driver,
                named.volume_id,
                named.file_system_id,
                named.access_point_id,
                named.bucket,
                volume.storageclass,
                volume.reclaim_policy,
                volume.fstype,
                volume.zone,
                volume.volume_attributes_class,
            ),
            1,
        )
        if volume.phase:
            facts.say(families.VOLUME_PHASE, (volume.name, volume.phase), 1)
            _say(facts, families.VOLUME_SINCE, (volume.name, volume.phase), volume.phase_since)
        _say(facts, families.VOLUME_CAPACITY, identity, volume.capacity)
        _say(facts, families.VOLUME_CREATED, identity, volume.created)
        _say(facts, families.VOLUME_DELETION, identity, volume.deleted)
        if volume.phase in {"Released", "Failed"} and volume.claim_name:
            facts.say(families.VOLUME_RELEASED, (volume.name, volume.claim_namespace, volume.claim_name), 1)
    return {}


async def _claims(cluster: Cluster, facts: Facts) -> Mapping[str, int]:
    left_out: Counter[str] = Counter()
    async for claim in unhurried(each_of(cluster.claims)):
        driver, reason = _driver_of(claim, cluster)
        if reason:
            left_out[reason] += 1
            continue
        identity = (claim.namespace, claim.name)
        facts.say(
            families.CLAIM_INFO,
            (
                *identity,
                claim.volume,
                driver,
                claim.storageclass,
                _reclaim_policy(claim, cluster.volumes),
                claim.access_mode,
                claim.volume_mode,
                claim.volume_attributes_class,
            ),
            1,
        )
        _say(facts, families.CLAIM_REQUESTED, identity, claim.requested)
        _say(facts, families.CLAIM_CAPACITY, identity, claim.capacity)
        _say(facts, families.CLAIM_CREATED, identity, claim.created)
        _say(facts, families.CLAIM_DELETION, identity, claim.deleted)
        if claim.phase:
            facts.say(families.CLAIM_PHASE, (*identity, claim.phase), 1)
        for condition, since in claim.conditions:
            facts.say(families.CLAIM_CONDITION, (*identity, condition), 1)
            _say(facts, families.CLAIM_CONDITION_SINCE, (*identity, condition), since)
        if claim.resize_status:
            facts.say(families.CLAIM_RESIZE, (*identity, claim.resize_status), 1)
    return left_out


def _driver_of(claim: PersistentVolumeClaim, cluster: Cluster) -> tuple[str, str]:
    """
    The AWS driver of a claim, by its volume, else by who was asked to make that, else by its class; or why it has none.

    Returns:
        driver and reason, one of them ``""``; both where nothing says that it is another's.
    """
    volume = cluster.volumes.get(claim.volume) if cluster.volumes is not None else None
    if volume is not None:
        return volume.driver, ""
    known = cluster.classes.get(claim.storageclass) if cluster.classes is not None else None
    provisioner = claim.provisioner or (known.provisioner if known is not None else "")
    if provisioner:
        driver = served_by(provisioner)
        return driver, "" if driver else _OTHER_DRIVER
    if claim.volume and cluster.volumes is not None:  # a volume that is not kept: another driver's
        return "", _OTHER_DRIVER
    if cluster.classes is None:
        return "", ""
    return "", _UNKNOWN_CLASS if claim.storageclass and not claim.volume else _OTHER_DRIVER


def _reclaim_policy(claim: PersistentVolumeClaim, volumes: Mapping[str, PersistentVolume] | None) -> str:
    volume = volumes.get(claim.volume) if volumes is not None else None
    if volume is None or (volume.claim_namespace, volume.claim_name) != (claim.namespace, claim.name):
        return ""
    return volume.reclaim_policy if agree(volume, claim) else ""


# ---- classes, attachments


async def _classes(cluster: Cluster, facts: Facts) -> Mapping[str, int]:
    left_out: Counter[str] = Counter()
    async for each in unhurried(each_of(cluster.classes)):
        if not served_by(each.provisioner):
            left_out[_OTHER_DRIVER] += 1
            continue
        facts.say(
            families.CLASS_INFO,
            (
                each.name,
                each.provisioner,
                each.volume_type,
                each.fstype,
                each.provisioning_mode,
                each.file_system_id,
                each.encrypted,
                each.reclaim_policy,
                each.volume_binding_mode,
                _flag(each.allow_expansion),
                _flag(each.default),
            ),
            1,
        )
        _say(facts, families.CLASS_IOPS, (each.name,), each.iops)
        _say(facts, families.CLASS_THROUGHPUT, (each.name,), each.throughput)
    return left_out


async def _attachments(cluster: Cluster, facts: Facts) -> Mapping[str, int]:
    volumes = cluster.volumes or {}
    async for each in unhurried(each_of(cluster.attachments)):
        volume = volumes.get(each.volume)
        named = volume.named if volume is not None and isinstance(volume.named, Volume) else _NO_VOLUME
        identity = (each.name, each.node, each.volume, each.volume_id or named.volume_id)
        facts.say(families.ATTACHMENT_INFO, (*identity, each.driver, _flag(each.attached)), 1)
        if each.deleted is not None:
            facts.say(families.ATTACHMENT_UNFINISHED, (*identity, "detach"), each.deleted)
        elif not each.attached:
            _say(facts, families.ATTACHMENT_UNFINISHED, (*identity, "attach"), each.created)
        _failed(facts, (*identity, "attach"), each.attach_error)
        _failed(facts, (*identity, "detach"), each.detach_error)
    return {}


def _failed(facts: Facts, values: tuple[str, ...], failure: Failure | None) -> None:
    if failure is not None:
        facts.say(families.ATTACHMENT_ERROR, (*values, failure.reason), failure.at or 0)


# ---- nodes, drivers, pods


async def _nodes(cluster: Cluster, facts: Facts) -> Mapping[str, int]:
    nodes = each_of(cluster.nodes)
    used = sorted(_used(cluster, nodes))
    async for node in unhurried(nodes):
        for driver in node.drivers:
            facts.say(families.NODE_DRIVER_INFO, (node.name, driver.name, driver.instance_id), 1)
            _say(facts, families.NODE_LIMIT, (node.name, driver.name), driver.limit)
        registered = {driver.name for driver in node.drivers}
        for name in used:
            facts.say(families.NODE_REGISTERED, (node.name, name), float(name in registered))
    return {}


def _used(cluster: Cluster, nodes: Iterable[CsiNode]) -> set[str]:
    """
    The AWS drivers that the cluster uses: some volume, class or node has them.

    The class alone of a provisioner from before CSI says nothing: EKS put one into every cluster.
    """
    used = {volume.driver for volume in (cluster.volumes or {}).values()}
    used |= {driver.name for node in nodes for driver in node.drivers}
    used |= {
        served_by(each.provisioner) for each in (cluster.classes or {}).values() if each.provisioner != EBS_IN_TREE
    }
    return used - {""}


async def _drivers(cluster: Cluster, facts: Facts) -> Mapping[str, int]:
    for each in each_of(cluster.drivers):
        flags = (_flag(each.attach_required), _flag(each.storage_capacity))
        facts.say(families.DRIVER_INFO, (each.name, *flags, each.fs_group_policy), 1)
    return {}


async def _pods(cluster: Cluster, facts: Facts) -> Mapping[str, int]:
    left_out: Counter[str] = Counter()
    parts: Counter[tuple[str, ...]] = Counter()
    ready: Counter[tuple[str, ...]] = Counter()
    async for pod in unhurried(each_of(cluster.pods)):
        ours = [name for name in pod.claims if _ours(f"{pod.namespace}/{name}", cluster)]
        for name in ours:
            made_by = (pod.owner_kind, pod.owner_name)
            facts.say(families.POD_CLAIM, (pod.namespace, name, pod.name, pod.node, *made_by, pod.phase), 1)
        if not pod.driver:
            left_out[_OTHER_DRIVER] += not ours
        elif pod.phase not in {"Succeeded", "Failed"}:
            part = (pod.driver, pod.component, pod.version)
            parts[part] += 1
            ready[part] += pod.ready
    for each in sorted(parts):
        facts.say(families.DRIVER_PODS, each, parts[each])
        facts.say(families.DRIVER_READY, each, ready[each])
    return +left_out


def _ours(key: str, cluster: Cluster) -> bool:
    """Whether anything is said of the claim of that key."""
    if cluster.claims is None:
        return True
    claim = cluster.claims.get(key)
    return claim is not None and not _driver_of(claim, cluster)[1]


def _say(facts: Facts, family: Family, values: tuple[str, ...], value: float | None) -> None:
    if value is not None:
        facts.say(family, values, value)


def _flag(value: bool) -> str:  # noqa: FBT001 - what it is called with is the point
    return "true" if value else "false"


_PARTS: tuple[tuple[tuple[str, ...], Say], ...] = (
    (("persistentvolumes",), _volumes),
    (("persistentvolumeclaims", "persistentvolumes", "storageclasses"), _claims),
    (("storageclasses",), _classes),
    (("volumeattachments", "persistentvolumes"), _attachments),
    (("csinodes", "persistentvolumes", "storageclasses"), _nodes),
    (("csidrivers",), _drivers),
    (("pods", "persistentvolumeclaims", "persistentvolumes", "storageclasses"), _pods),
)
