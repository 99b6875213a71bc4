"""
What is read of the cluster the exporter runs in, which of its replicas reads AWS, and how scopes are spread over
several exporters. Part of the tree; see `tree`. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from exporter.config.leaves import (
    AnyText,
    FilePath,
    Flag,
    Text,
    duration,
    flag_or_auto,
    seconds_of,
    text,
    url,
    whole,
    whole_or_auto,
)
from exporter.config.node import Node, Wrong

Switch = Annotated[Literal["auto"] | bool, flag_or_auto()]
Address = Annotated[str, url()]
ObjectName = Annotated[
    str,
    text(
        "an object's name (lower-case letters, digits, - and ., at most 253)",
        r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?",
    ),
]
Namespace = Annotated[
    str, text("a namespace (lower-case letters, digits and -, at most 63)", r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
]

_LeaseDuration = Annotated[int, duration(2, 600)]
_RenewDeadline = Annotated[int, duration(1, 600)]
_RetryPeriod = Annotated[int, duration(1, 300)]

JITTER = 1.2
"""The longest wait between two attempts to renew is the retry period times this."""


class Lease(Node):
    """The Lease that says which replica reads AWS."""

    name: ObjectName = Field(default="storage-exporter", description="Its name; replicas of one exporter share it.")
    namespace: Namespace | None = Field(
        default=None, description="Where it stands; empty means the pod's own namespace."
    )
    identity: AnyText = Field(
        default="",
        description="Who we are in it, distinct for each replica; empty means POD_NAME or the host, and POD_UID.",
    )
    duration: _LeaseDuration = Field(
        default=15, description="Seconds after which a Lease that is not renewed may be taken."
    )
    renew_deadline: _RenewDeadline = Field(
        default=10, description="Seconds without a renewal after which the leader stops."
    )
    retry_period: _RetryPeriod = Field(default=2, description="Seconds between two attempts to take or to renew it.")

    @classmethod
    def across(cls, section: Mapping[str, Any]) -> Iterator[Wrong]:
        """A leader stops before another may start, and has more than one attempt to renew."""
        keys = (("duration", 15), ("renew_deadline", 10), ("retry_period", 2))
        lasts, deadline, retry = (seconds_of(section.get(key, default)) for key, default in keys)
        if lasts is not None and deadline is not None and lasts <= deadline:
            still = f"{lasts} s are not more than renew_deadline ({deadline} s): the old leader would still work when"
            yield ("duration",), f"{still} another starts; raise it"
        if deadline is not None and retry is not None and deadline <= retry * JITTER:
            least = f"it must be more than {JITTER} times retry_period ({retry} s)"
            yield ("renew_deadline",), f"{deadline} s leave no second attempt to renew: {least}"


class Kubernetes(Node):
    """What is read of the cluster the exporter runs in."""

    enabled: Switch = Field(
        default="auto", description="Join volumes to claims; auto: in a cluster, or where an API is named below."
    )
    url: Address | None = Field(
        default=None, description="Address of the API; empty means the cluster's own, or what the kubeconfig says."
    )
    token_file: FilePath | None = Field(default=None, description="A file with a bearer token for `url`.")
    ca_file: FilePath | None = Field(default=None, description="Certificates (PEM) to trust at `url`.")
    kubeconfig: FilePath | None = Field(
        default=None, description="A kubeconfig, outside of a cluster; empty means KUBECONFIG or ~/.kube/config."
    )
    context: Text | None = Field(default=None, description="The kubeconfig's context; empty means its current one.")
    pods: Flag = Field(
        default=False, description="Also watch pods: which uses a claim, and the CSI drivers' versions and readiness."
    )
    csi_drivers: Flag = Field(default=False, description="Also watch CSIDriver objects.")
    leader_election: Switch = Field(
        default="auto",
        description="Let one of several replicas read AWS; auto: when running in a cluster, unless enabled is false.",
    )
    lease: Lease = Field(default_factory=Lease, description="The Lease that says which.")

    @classmethod
    def across(cls, section: Mapping[str, Any]) -> Iterator[Wrong]:
        """Nothing of claims where they are not read, and one way to the API."""
        if section.get("enabled") is False:
            for key in ("pods", "csi_drivers"):
                if section.get(key) is True:
                    yield (key,), "needs kubernetes.enabled, which is false; change one of the two"
        named = section.get("url") is not None
        for key in ("token_file", "ca_file"):
            if section.get(key) is not None and not named:
                yield (key,), "goes with kubernetes.url, which is not given; give it, or remove this key"
        for key in ("kubeconfig", "context"):
            if section.get(key) is not None and named:
                yield (key,), "and kubernetes.url are two ways to the API; keep one"

    @property
    def named(self) -> bool:
        """Whether the file names an API, rather than leaving it to where the exporter runs."""
        return self.url is not None or self.kubeconfig is not None or self.context is not None


class Shards(Node):
    """Several exporters of one configuration, each with some of the scopes (account and region)."""

    total: Annotated[int, whole(1, 1000)] = Field(default=1, description="How many exporters share the scopes.")
    ordinal: Annotated[Literal["auto"] | int, whole_or_auto(0, 999)] = Field(
        default="auto", description="Which of them this is, from 0; auto: the number at the end of the pod's name."
    )

    @classmethod
    def across(cls, section: Mapping[str, Any]) -> Iterator[Wrong]:
        """Ordinals begin at 0 and end before the total."""
        total, ordinal = section.get("total", 1), section.get("ordinal")
        if isinstance(total, int) and isinstance(ordinal, int) and ordinal >= total > 0:
            yield ("ordinal",), f"{ordinal} is not one of {total} ordinals, which go from 0 to {total - 1}"
