"""Estates made to size for the simulated AWS: as many volumes, file systems, buckets and caches as a test says."""

from __future__ import annotations

from dataclasses import replace

from exporter.demo.buckets import Bucket, MetricsConfiguration, RequestLoad
from exporter.demo.cache_rows import group
from exporter.demo.estate import Estate, attachment
from exporter.demo.file_rows import file_systems
from exporter.demo.nouns import GENESIS, GIB, Instance, Load, Volume, identifier
from exporter.demo.tables import DAY, INSTANCE_TYPES, REGION, zone

COMPONENTS = ("mimir", "mimir-alertmanager", "mimir-ruler", "loki-chunks", "loki-ruler", "tempo")


def platform(*, volumes: int = 300, nodes: int = 40, systems: int = 2, buckets: int = 60, pairs: int = 6) -> Estate:
    """
    A platform that is all of one kind: gp3 volumes, spread over Nitro nodes; bursting General Purpose file systems;
    buckets with standard storage, the first of them the observability stack's, with request metrics; *pairs* of a
    Valkey primary and its replica.
    """
    estate = Estate()
    hosts = [_instance(number) for number in range(nodes)]
    estate.instances = {host.instance_id: host for host in hosts}
    made = [_volume(number, hosts[number % nodes]) for number in range(volumes)]
    estate.volumes = {volume.volume_id: volume for volume in made}
    pattern = file_systems(1)[0]
    for number in range(systems):
        name = identifier("fs", 1, f"sized-{number}")
        estate.file_systems[name] = replace(
            pattern, file_system_id=name, name=f"sized-{number}", replication=None, access_points=(), mount_targets=()
        )
    estate.buckets = {bucket.name: bucket for bucket in map(_bucket, range(buckets))}
    estate.caches = {
        f"cache-{number}": group(f"cache-{number}", "cache.r7g.large", replicas=1) for number in range(pairs)
    }
    return estate


def _instance(number: int) -> Instance:
    kind = INSTANCE_TYPES["m6i.4xlarge"]
    name = f"sized-{number}"
    address = f"10.20.{number}.11"
    return Instance(identifier("i", 1, name), name, kind, *zone("abc"[number % 3]), address, GENESIS)


def _volume(number: int, host: Instance) -> Volume:
    return Volume(
        identifier("vol", 1, f"sized-{number}"),
        f"sized-{number}",
        "gp3",
        100,
        3000,
        125,
        host.zone,
        host.zone_id,
        GENESIS + DAY,
        (attachment(host, number, GENESIS + DAY + 60),),
        load=Load(4, 14, 16, 24),
    )


def _bucket(number: int) -> Bucket:
    named = f"officeless-{COMPONENTS[number]}-production" if number < len(COMPONENTS) else f"application-{number}"
    observed = (MetricsConfiguration(),) if number < len(COMPONENTS) else ()
    return Bucket(
        named,
        REGION,
        GENESIS,
        metrics=observed,
        storage={"StandardStorage": GIB},
        objects=10,
        load=RequestLoad(1.0, 1.0),
    )
