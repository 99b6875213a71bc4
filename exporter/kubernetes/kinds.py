"""What a kind of object is to those who read it. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


class Skipped(Exception):  # noqa: N818 - no error of ours: an object that is left out
    """An object that is left out; *reason* is one short word, a label's value."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Kind:
    """
    One kind of object that is listed and watched in the whole cluster.

    Args:
        name: plural, as in the API's path, such as ``persistentvolumes``.

        path: of the collection, such as ``/api/v1/persistentvolumes``.

        keep: from one object's JSON to what is kept of it. Raises `Skipped`, and nothing else.
    """

    name: str
    path: str
    keep: Callable[[bytes], object]
