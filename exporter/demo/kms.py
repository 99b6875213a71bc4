"""KMS in its JSON 1.1 dialect: DescribeKey (KMS API Reference, DescribeKey, KeyMetadata)."""

from __future__ import annotations

import math
from typing import Any

import orjson

from exporter.demo.keys import DELETION_WAIT, Key
from exporter.demo.wire import KMS, Reply, Request, Tweaks, WireError, cut_page, refusal
from exporter.demo.world import World


def handle(world: World, request: Request, operation: str, tweaks: Tweaks) -> Reply:
    """
    The answer to one KMS call.

    Raises:
        WireError: as AWS would answer.
    """
    given = _body(request)
    if operation == "DescribeKey":
        return _reply({"KeyMetadata": _metadata(world, _key(world, str(given.get("KeyId") or "")))})
    if operation == "ListAliases":
        named = [{"AliasName": key.alias, "TargetKeyId": key.key_id} for key in world.kms_keys() if key.alias]
        shown, marker = cut_page(named, given.get("Marker"), given.get("Limit"), tweaks, code="InvalidMarkerException")
        return _reply({"Aliases": shown, "Truncated": marker is not None, **({"NextMarker": marker} if marker else {})})
    raise refusal(KMS, "unknown-operation", operation=operation)


def _body(request: Request) -> dict[str, Any]:
    try:
        given = orjson.loads(request.body)
    except orjson.JSONDecodeError:
        given = None
    if not isinstance(given, dict):
        raise WireError("SerializationException", "The body is no JSON object.")
    return given


def _reply(body: dict[str, Any]) -> Reply:
    return Reply(200, "application/x-amz-json-1.1", orjson.dumps(body))


def _key(world: World, name: str) -> Key:
    """The key of an id, an alias or the ARN of either; of another account or region it is none."""
    if not name:
        raise WireError("ValidationException", "1 validation error detected: Value null at 'keyId'")
    resource = name
    if name.startswith("arn:"):
        prefix = f"arn:aws:kms:{world.region}:{world.account_id}:"
        resource = name.removeprefix(prefix) if name.startswith(prefix) else ""
        resource = resource.removeprefix("key/")
    for key in world.kms_keys():
        if resource and resource in {key.key_id, key.alias}:
            return key
    kind = "Alias" if "alias/" in name else "Key"
    raise WireError("NotFoundException", f"{kind} '{_arn(world, name)}' does not exist")


def _arn(world: World, name: str) -> str:
    if name.startswith("arn:"):
        return name
    resource = name if name.startswith("alias/") else f"key/{name}"
    return f"arn:aws:kms:{world.region}:{world.account_id}:{resource}"


def _metadata(world: World, key: Key) -> dict[str, Any]:
    now = world.now()
    state = key.state(now)
    body: dict[str, Any] = {
        "AWSAccountId": world.account_id,
        "KeyId": key.key_id,
        "Arn": _arn(world, key.key_id),
        "CreationDate": key.created,
        "Enabled": state == "Enabled",
        "Description": f"{key.alias} of the simulated account",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeyState": state,
        "Origin": key.origin,
        "KeyManager": key.manager,
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "MultiRegion": key.multi_region,
    }
    if state == "PendingDeletion":
        body["DeletionDate"] = key.doomed + DELETION_WAIT
    if math.isfinite(key.expires):
        body |= {"ValidTo": key.expires, "ExpirationModel": "KEY_MATERIAL_EXPIRES"}
    return body
