"""
The parts of the exporter's work that a profile tells apart: which part a stack belongs to. Pure.

The first part of the list that a frame of the stack belongs to has it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.bench.sampler import Stack

Parts = Sequence[tuple[str, tuple[str, ...]]]
"""Name → what a frame of it begins with, as ``file:function`` with the file below its root; in order."""

_ROOTS = ("/site-packages/", "/python3", "/exporter/", "/tests/")

WORK: Parts = (
    ("the benchmark's own commands", ("tests/bench/lines.py", "tests/bench/exporter_side.py:_quiet")),
    ("scrapes: the exporter's own metrics", ("exporter/web.py:_write",)),
    ("scrapes: the rest", ("exporter/web.py", "aiohttp/web_protocol")),
    ("publishing: the snapshot", ("exporter/publishing.py:take",)),
    ("publishing: rendering and compressing", ("exporter/exposition.py", "exporter/publishing.py")),
    ("botocore: service models read", ("exporter/aws/models.py",)),
    ("botocore: clients made", ("exporter/aws/clients.py:_make",)),
    ("botocore: answers parsed", ("botocore/parsers.py",)),
    ("botocore: requests written and signed", ("botocore/serialize.py", "botocore/validate.py", "botocore/auth.py")),
    ("answers checked, what is kept of them", ("exporter/services/items.py", "exporter/aws/transport.py:_check")),
    ("threads: handing over and waiting", ("exporter/aws/workers.py:wait", "asyncio/base_events.py:call_soon_t")),
    ("botocore: the rest of its calls", ("exporter/aws/clients.py",)),
    ("GetMetricData: asked, read, taken", ("exporter/cloudwatch/fetch.py", "exporter/cloudwatch/taking.py")),
    ("HTTP to AWS", ("exporter/aws/transport.py", "aiohttp/")),
    ("discovery: said as facts and resources", ("exporter/services/",)),
    ("planning and the bill", ("exporter/cloudwatch/",)),
    ("values kept", ("exporter/collect.py:_keep", "exporter/columns.py")),
    ("passes, the rest", ("exporter/collect.py", "exporter/scheduler.py", "exporter/aws/")),
    ("garbage looked for", ("exporter/garbage.py",)),
    ("threads: beginning, waking", ("concurrent/futures", "threading.py")),
    ("the event loop itself", ("asyncio/", "selectors.py")),
)
"""Of a process that serves."""


def by_part(stacks: Mapping[Stack, float], parts: Parts = WORK) -> dict[str, float]:
    """
    Seconds by part.

    What runs while a module is imported counts for ``import of`` its package, whoever imports it.
    """
    found: dict[str, float] = {}
    for stack, seconds in stacks.items():
        frames = [f"{_below_root(file)}:{function}" for file, function in stack]
        package = _imported(frames)
        if package is not None:
            part = f"import of {package}"
        else:
            part = next((name for name, begins in parts if _any(frames, begins)), "the rest")
        found[part] = found.get(part, 0.0) + seconds
    return found


def _any(frames: Sequence[str], begins: tuple[str, ...]) -> bool:
    return any(frame.startswith(begins) for frame in frames)


def _imported(frames: Sequence[str]) -> str | None:
    """The package of the module that is being imported, None where none is."""
    importing = False
    package = None
    for frame in frames:
        if frame.startswith("<frozen importlib"):
            importing = True
            package = package or "Python's own modules"
        elif importing and frame.endswith(":<module>"):
            package = frame.partition("/")[0] if "/" in frame else "Python's own modules"
    return package if package not in {"asyncio", "email", "http", "json", "logging", "re"} else "Python's own modules"


def _below_root(file: str) -> str:
    """``aiohttp/web.py`` of a file of a library, ``asyncio/events.py`` of Python's, ``exporter/app.py`` of ours."""
    for root in _ROOTS:
        _, found, below = file.rpartition(root)
        if found:
            if root == "/python3":
                return below.partition("/")[2]
            return below if root == "/site-packages/" else f"{root.strip('/')}/{below}"
    return file
