"""
Where a process spends its CPU: `python -m tests.bench.sampler FILE MODULE [ARGUMENT ...]` runs MODULE, and looks every
millisecond of CPU time where each thread stands.

Each thread's CPU time since the look before (its own clock) is counted for the stack it stands in. SIGUSR1 begins anew,
SIGUSR2 writes FILE: pickled, the seconds by stack and the process's. What the looks themselves take is in it. The main
thread does the looking, so it must not wait for ever; an event loop is woken by a signal.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import runpy
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType

Stack = tuple[tuple[str, str], ...]
"""From the outermost frame in: file and function."""

_LOOK_EVERY = 0.001
_NOTHING = 1e-5


class _Sampler:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._stacks: dict[Stack, float] = {}
        self._spent: dict[int, float] = {}
        self._begun = 0.0

    def begin(self, *_: object) -> None:
        """Count from now on."""
        self._stacks.clear()
        self._spent = {thread.ident: _cpu(thread.ident) for thread in threading.enumerate() if thread.ident}
        self._begun = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, _LOOK_EVERY, _LOOK_EVERY)

    def look(self, _: int, frame: FrameType | None) -> None:
        """Count what each thread has spent; *frame* is the main thread's."""
        frames = sys._current_frames()
        main = threading.main_thread().ident
        for ident in [thread.ident for thread in threading.enumerate() if thread.ident]:
            now = _cpu(ident)
            spent = now - self._spent.get(ident, 0.0)
            self._spent[ident] = now
            if spent > _NOTHING:
                stack = _stack(frame if ident == main else frames.get(ident))
                self._stacks[stack] = self._stacks.get(stack, 0.0) + spent

    def write(self, *_: object) -> None:
        """Stop counting, and write what was counted."""
        signal.setitimer(signal.ITIMER_PROF, 0)
        fresh = self._path.with_suffix(".new")
        fresh.write_bytes(pickle.dumps((self._stacks, time.process_time() - self._begun)))
        fresh.rename(self._path)


def _cpu(ident: int) -> float:
    """CPU seconds of a thread; 0 where it has just ended."""
    with contextlib.suppress(OSError):
        return time.clock_gettime(time.pthread_getcpuclockid(ident))
    return 0.0


def _stack(frame: FrameType | None) -> Stack:
    found: list[tuple[str, str]] = []
    while frame is not None:
        found.append((frame.f_code.co_filename, frame.f_code.co_name))
        frame = frame.f_back
    return tuple(reversed(found))


def command(path: Path, module: str, *arguments: str) -> list[str]:
    """The arguments of the interpreter that run *module* and sample it into *path*."""
    return ["-m", "tests.bench.sampler", os.fspath(path), module, *arguments]


def _main() -> None:
    path, module, *arguments = sys.argv[1:]
    sampler = _Sampler(Path(path))
    signal.signal(signal.SIGPROF, sampler.look)
    signal.signal(signal.SIGUSR1, sampler.begin)
    signal.signal(signal.SIGUSR2, sampler.write)
    sampler.begin()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _main()
