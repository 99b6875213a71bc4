"""
The configuration: one strict YAML file, typed, with every mistake of it reported at once.

`values` and `leaves` are single values, `node` is what a section is, `tree`, `services`, `kubernetes`, `delivery` and
`rules` are the sections, `document` reads YAML, `reading` brings them together, `schema` describes the file to others.
Import from here. What needs the services' tables (row names, spans) is checked by the application, with `Fault` and
`did_you_mean`.
"""

from __future__ import annotations

from exporter.config.delivery import Auth, Basic, Delivery, Outbox, Push, Tls
from exporter.config.kubernetes import Kubernetes, Lease, Shards
from exporter.config.leaves import spell_seconds
from exporter.config.reading import dump, load, parse
from exporter.config.rules import Alert, LokiRuler, MimirRuler, Ruler, Rules
from exporter.config.schema import json_schema
from exporter.config.services import S3, Exclude, Job, JobMetric, RowSettings, Select, Service, Services
from exporter.config.tree import Budget, Config, Limits, Log, Pins, Role, Scope, Web
from exporter.config.values import HIDDEN, Regex, Secret, did_you_mean, show

__all__ = [
    "HIDDEN",
    "S3",
    "Alert",
    "Auth",
    "Basic",
    "Budget",
    "Config",
    "Delivery",
    "Exclude",
    "Job",
    "JobMetric",
    "Kubernetes",
    "Lease",
    "Limits",
    "Log",
    "LokiRuler",
    "MimirRuler",
    "Outbox",
    "Pins",
    "Push",
    "Regex",
    "Role",
    "RowSettings",
    "Ruler",
    "Rules",
    "Scope",
    "Secret",
    "Select",
    "Service",
    "Services",
    "Shards",
    "Tls",
    "Web",
    "did_you_mean",
    "dump",
    "json_schema",
    "load",
    "parse",
    "show",
    "spell_seconds",
]
