"""
Whether this process is a pod, and where a pod finds what it is given.

Apart from `server`, because it is asked also where nothing of Kubernetes is read, and nothing more is imported then.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds its token, the cluster's authority and its namespace."""


def in_cluster(environ: Mapping[str, str]) -> bool:
    """Whether a kubelet started us: every container is told where the API is."""
    return bool(environ.get("KUBERNETES_SERVICE_HOST") and environ.get("KUBERNETES_SERVICE_PORT"))
