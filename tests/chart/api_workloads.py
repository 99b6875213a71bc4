"""The little that controllers do in the stand-in API server: workloads are ready at once, Jobs and pods end."""

from __future__ import annotations

import copy
import json
import zlib
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from tests.chart.api_kinds import Kind
from tests.chart.api_objects import Object, Objects, RefusedError


def ended(kind: Kind, *, succeeded: bool) -> Object:
    """The status of a Job or pod that has ended."""
    if kind.kind == "Pod":
        return {"phase": "Succeeded" if succeeded else "Failed"}
    if succeeded:
        return {"succeeded": 1, "conditions": [{"type": "Complete", "status": "True"}]}
    why = {"reason": "BackoffLimitExceeded", "message": "Job has reached the specified backoff limit"}
    return {"failed": 1, "conditions": [{"type": "Failed", "status": "True", **why}]}


def ready(objects: Objects, kinds: Sequence[Kind], kind: Kind, namespace: str, item: Object) -> None:
    """Give a Deployment (with its ReplicaSet) or StatefulSet the status of one whose pods are all ready."""
    if kind.kind not in {"Deployment", "StatefulSet"}:
        return
    metadata, count = item["metadata"], item["spec"].get("replicas", 1)
    status = dict.fromkeys(("replicas", "readyReplicas", "updatedReplicas", "availableReplicas"), count)
    status |= {"observedGeneration": metadata["generation"]}
    if kind.kind == "StatefulSet":
        status |= dict.fromkeys(("currentRevision", "updateRevision"), f"{metadata['name']}-{_hash(item)}")
    else:
        sets = next(each for each in kinds if each.kind == "ReplicaSet")
        with suppress(RefusedError):  # one of an earlier revision is there again
            objects.create(sets, namespace, _replica_set(item, count))
    if item.get("status") != status:
        objects.update(kind, namespace, metadata["name"], {**item, "status": status})


def _replica_set(item: Object, count: int) -> Object:
    metadata, template = item["metadata"], copy.deepcopy(item["spec"]["template"])
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "controller": True}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{metadata['name']}-{_hash(item)}",
            "labels": template["metadata"]["labels"],
            "ownerReferences": [{**owner, "name": metadata["name"], "uid": metadata["uid"]}],
        },
        "spec": {"replicas": count, "selector": item["spec"]["selector"], "template": template},
        "status": {"replicas": count, "readyReplicas": count, "observedGeneration": 1},
    }


def _hash(item: Any) -> str:
    return f"{zlib.crc32(json.dumps(item['spec']['template'], sort_keys=True).encode()):08x}"
