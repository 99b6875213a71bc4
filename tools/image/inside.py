"""
Run by the environment's own Python, isolated (``-I``), so that what is found here is what the image has.

``apis`` prints the services that the exporter's operations name. ``check SERVICE...`` imports every module of the
exporter and makes every client; it says what is missing and ends with 1. ``standard FOLDER`` compiles the
files of Python's own library that are loaded by then, as they would stand below that folder, and prints their names.
"""

from __future__ import annotations

import importlib.util
import pkgutil
import py_compile
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path

import exporter
from exporter.aws.clients import Botocore
from exporter.services.registry import SERVICES

_REGION = "eu-central-1"


def apis() -> list[str]:
    """The services of AWS that the operations of the exporter's services name."""
    return sorted({operation.api for service in SERVICES.values() for operation in service.operations})


def faults(services: Sequence[str]) -> Iterator[str]:
    """What does not work: modules that cannot be imported, clients that cannot be made."""
    for module in pkgutil.walk_packages(exporter.__path__, "exporter."):
        if module.name != "exporter.__main__":
            try:
                importlib.import_module(module.name)
            except ImportError as error:
                yield f"{module.name} cannot be imported: {error}"
    session = Botocore("image").session(_REGION)
    for service in services:
        try:
            session.create_client(service, _REGION, aws_access_key_id="none", aws_secret_access_key="none")  # noqa: S106
            if service != "sts":
                session.get_paginator_model(service)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is said, and the build ends
            yield f"no client of {service} can be made: {error}"


def standard(services: Sequence[str], out: Path) -> Iterator[str]:
    """Compile the modules of Python's own library that are loaded once everything is imported and every client made."""
    list(faults(services))
    library = sysconfig.get_path("stdlib")
    files = {getattr(module, "__file__", None) or "" for module in sys.modules.values()}
    for file in sorted(files):
        if file.startswith(f"{library}/") and file.endswith(".py") and "site-packages" not in file:
            compiled = out / importlib.util.cache_from_source(file).lstrip("/")
            compiled.parent.mkdir(parents=True, exist_ok=True)
            mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
            py_compile.compile(file, cfile=str(compiled), doraise=True, invalidation_mode=mode)
            yield file


def main(arguments: Sequence[str]) -> int:
    """Do what the first argument names."""
    if list(arguments) == ["apis"]:
        sys.stdout.write(" ".join(apis()))
        return 0
    if arguments[0] == "standard":
        sys.stdout.write("\n".join(standard(apis(), Path(arguments[1]))))
        return 0
    found = list(faults(arguments[1:]))
    sys.stderr.write("".join(f"{each}\n" for each in found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
