"""Phrases of annotations that several alerts share (Go templates), and where a page leads to."""

from __future__ import annotations

VOLUME = (
    "{{ if $labels.persistentvolumeclaim }}Claim {{ $labels.namespace }}/{{ $labels.persistentvolumeclaim }}"
    "{{ else }}Volume {{ $labels.volume_id }}{{ end }}"
)
"""Who a volume is, for the beginning of a summary."""

VOLUME_USER = (
    "{{ $labels.volume_id }}{{ if $labels.availability_zone }} in {{ $labels.availability_zone }}{{ end }}"
    "{{ if $labels.node }} on node {{ $labels.node }}{{ end }}"
    "{{ if $labels.workload }}, used by {{ $labels.workload }}{{ end }}"
)
"""A volume's id, zone, node and user, for a description."""

CLAIM = "Claim {{ $labels.namespace }}/{{ $labels.persistentvolumeclaim }}"
FILE_SYSTEM = "File system {{ if $labels.file_system_name }}{{ $labels.file_system_name }}{{ else }}{{ $labels.file_system_id }}{{ end }}"
BUCKET = "Bucket {{ $labels.bucket }}"
CACHE_NODE = "Cache node {{ $labels.cache_cluster_id }}"
CACHE_GROUP = "Replication group {{ $labels.replication_group_id }}"
SERVERLESS = "Serverless cache {{ $labels.serverless_cache }}"


def claims_of(selector: str) -> str:
    """
    A phrase naming at most five claims.

    Args:
        selector: a vector that has the labels namespace and persistentvolumeclaim, as text for a template's ``printf``
            with its arguments, such as ``printf "x{file_system_id='%s'}" $labels.file_system_id``.
    """
    return (
        "{{ with query (" + selector + ') }}Claims: {{ range . | sortByLabel "persistentvolumeclaim" }}'
        "{{ .Labels.namespace }}/{{ .Labels.persistentvolumeclaim }} {{ end }}{{ end }}"
    )


FILE_SYSTEM_CLAIMS = claims_of(
    "printf \"topk(5, filesystem:aws_efs_claim:info{cluster='%s',account_id='%s',region='%s',file_system_id='%s'})\" "
    "$labels.cluster $labels.account_id $labels.region $labels.file_system_id"
)
"""Which claims are on the file system, from the recording of rules/build/efs.py."""


def dashboard(uid: str, *labels: str) -> str:
    """A path to a dashboard with the variables set from the alert's labels."""
    words = "&".join(f"var-{label}={{{{ $labels.{label} }}}}" for label in labels)
    return f"/d/storage-exporter-{uid}?{words}" if words else f"/d/storage-exporter-{uid}"


VOLUME_DASHBOARD = dashboard("ebs-volume", "cluster", "account_id", "region", "volume_id")
FILE_SYSTEM_DASHBOARD = dashboard("efs", "cluster", "account_id", "region", "file_system_id")
BUCKET_DASHBOARD = dashboard("s3", "cluster", "account_id", "region", "bucket")
CACHE_DASHBOARD = dashboard("valkey", "cluster", "account_id", "region", "replication_group_id")
SERVERLESS_DASHBOARD = dashboard("valkey", "cluster", "account_id", "region", "serverless_cache")
ANY_CACHE_DASHBOARD = (
    dashboard("valkey", "cluster", "account_id", "region")
    + "&{{ if $labels.serverless_cache }}var-serverless_cache={{ $labels.serverless_cache }}"
    "{{ else }}var-replication_group_id={{ $labels.replication_group_id }}{{ end }}"
)
EXPORTER_DASHBOARD = dashboard("exporter", "cluster")
OVERVIEW_DASHBOARD = dashboard("overview", "cluster")
CLAIM_DASHBOARD = dashboard("ebs-volume", "cluster", "namespace", "persistentvolumeclaim")

_CONSOLE = "https://{{ $labels.region }}.console.aws.amazon.com"
VOLUME_CONSOLE = (
    f"{_CONSOLE}/ec2/home?region={{{{ $labels.region }}}}#VolumeDetails:volumeId={{{{ $labels.volume_id }}}}"
)
INSTANCE_CONSOLE = (
    f"{_CONSOLE}/ec2/home?region={{{{ $labels.region }}}}#InstanceDetails:instanceId={{{{ $labels.instance_id }}}}"
)
FILE_SYSTEM_CONSOLE = (
    f"{_CONSOLE}/efs/home?region={{{{ $labels.region }}}}#/file-systems/{{{{ $labels.file_system_id }}}}"
)
BUCKET_CONSOLE = "https://s3.console.aws.amazon.com/s3/buckets/{{ $labels.bucket }}?region={{ $labels.region }}"
CACHE_GROUP_CONSOLE = (
    f"{_CONSOLE}/elasticache/home?region={{{{ $labels.region }}}}#/valkey/{{{{ $labels.replication_group_id }}}}"
)
KEY_CONSOLE = f"{_CONSOLE}/kms/home?region={{{{ $labels.region }}}}#/kms/keys/{{{{ $labels.key_id }}}}"
