"""
botocore's descriptions of AWS's APIs, read at a fraction of what its own loader takes.

They are most of a start's work at AWS: megabytes of JSON, which botocore reads with a parser that keeps the order of
keys by a hook (a dict keeps it anyway), and four hundred folders, each of which it looks into three times to find out
which services it knows. What is read is the same, from the same places (tests/test_aws_models.py).
"""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import orjson
from botocore.loaders import JSONFileLoader, Loader


class _Files(JSONFileLoader):
    """Reads one file of a description."""

    def load_file(self, file_path: str) -> Any:
        """
        What stands in a file, None where there is none.

        Args:
            file_path: without its ending, which is .json or .json.gz.
        """
        for ending, opened in ((".json", open), (".json.gz", gzip.open)):
            try:
                with opened(file_path + ending, "rb") as file:
                    return orjson.loads(file.read())
            except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
                continue
        return None


class Models(Loader):
    """
    A loader that keeps what it has read.

    Args:
        data_path: folders with descriptions of the user's own (AWS_DATA_PATH), looked at first; None for none.
    """

    def __init__(self, data_path: str | None) -> None:
        folders = data_path.split(os.pathsep) if data_path else []
        own = [str(Path(os.path.expandvars(folder)).expanduser()) for folder in folders]
        super().__init__(extra_search_paths=own, file_loader=_Files())
        self._services: list[str] = []

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 - botocore's signature
        """
        The names of all services.

        Whether a service has a description of that type is seen when it is read, which fails in the same way.
        """
        if not self._services:
            folders = [folder for folder in map(Path, self.search_paths) if folder.is_dir()]
            self._services = sorted({each.name for folder in folders for each in folder.iterdir()})
        return self._services
