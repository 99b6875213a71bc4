"""Every service the exporter knows, one line each, in the order in which documents list them."""

from __future__ import annotations

from exporter.services.base import Service
from exporter.services.ebs import Ebs
from exporter.services.efs import Efs
from exporter.services.elasticache import ElastiCache
from exporter.services.protection import Protection
from exporter.services.s3 import S3

SERVICES: dict[str, type[Service]] = {service.name: service for service in (Ebs, Efs, S3, ElastiCache, Protection)}
