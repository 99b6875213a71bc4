"""
The least-privilege IAM policy, generated from what each service module declares. Pure.

Only reading actions appear in it, and only those of services and rows that the configuration has on. Actions without
resource level take every resource (aws-facts 3.7); `sts:GetCallerIdentity` needs no permission.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from exporter.config import Config
from exporter.services.base import Service, actions_of
from exporter.services.reader import Operation
from exporter.services.registry import SERVICES
from exporter.settings import sections, settings_of

GET_METRIC_DATA = "cloudwatch:GetMetricData"


def policy(config: Config, partition: str = "aws") -> dict[str, Any]:
    """
    The policy document of the exporter's own role, where every chain of *config* begins.

    Args:
        partition: of the ARNs in it: ``aws``, ``aws-cn``, ``aws-us-gov``.
    """
    chains = [("", *chain) for chain in _chains(config)] or [("",)]
    return _of(config, "", chains, partition)


def policy_of(config: Config, arn: str, partition: str = "aws") -> dict[str, Any]:
    """
    The policy document of the role *arn* of a chain.

    Args:
        partition: of the ARNs in it.
    """
    return _of(config, arn, _chains(config), partition)


def _chains(config: Config) -> list[tuple[str, ...]]:
    return [tuple(role.arn for role in scope.roles) for scope in config.scopes]


def _of(config: Config, arn: str, chains: Sequence[Sequence[str]], partition: str) -> dict[str, Any]:
    """A role reads where one of *chains* ends with it, and assumes what comes next in them."""
    after = sorted({following for chain in chains for role, following in itertools.pairwise(chain) if role == arn})
    reads = any(chain[-1] == arn for chain in chains if chain)
    statements = _reading(config, partition) if reads else []
    return document(*statements, *([_chain(after)] if after else []))


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    """A policy document of *statements*."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _reading(config: Config, partition: str) -> list[dict[str, Any]]:
    statements = []
    on = {name: settings_of(SERVICES[name], section, config) for name, section in sections(config).items()}
    if any(settings.rows for settings in on.values()):
        statements.append(_statement("Metrics", (GET_METRIC_DATA,), ("*",)))
    for name, settings in on.items():
        kinds = frozenset(one.row.kind.name for one in settings.rows)
        by_resource: dict[tuple[str, ...], list[Operation]] = {}
        for operation in operations_of(SERVICES[name], kinds):
            by_resource.setdefault(operation.on or SERVICES[name].arns, []).append(operation)
        for arns, operations in by_resource.items():
            resources = tuple(arn.replace("{partition}", partition) for arn in arns)
            sid = name.capitalize() + _part(arns, SERVICES[name].arns)
            statements.append(_statement(sid, actions_of(operations), resources))
    return statements


def _chain(roles: Sequence[str]) -> dict[str, Any]:
    # Pod Identity's session tags are transitive, so every hop needs TagSession too (chart.md 3.7).
    return _statement("Chain", ("sts:AssumeRole", "sts:TagSession"), roles)


def _part(arns: Sequence[str], usual: Sequence[str]) -> str:
    """What tells a service's statement on *arns* from its *usual* one: ``Listing`` for everything, else whose ARNs."""
    if arns == usual:
        return ""
    return "Listing" if tuple(arns) == ("*",) else arns[0].split(":")[2].capitalize()


def operations_of(service: type[Service], kinds: frozenset[str]) -> list[Operation]:
    """The operations discovery makes where rows of these *kinds* are on."""
    return [each for each in service.operations if not each.needed_by or each.needed_by in kinds]


def _statement(sid: str, actions: Sequence[str], resources: Sequence[str]) -> dict[str, Any]:
    resource = resources[0] if len(resources) == 1 else list(resources)
    return {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": resource}
