"""The configuration's file, watched: what is new in it is put in force, whatever way it came there."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from exporter.app import read_config
from exporter.config import Config, parse
from exporter.config_file import ConfigFile, watch
from exporter.demo import DemoServer, World, WorldClock
from exporter.errors import ConfigError
from tests.calls import remember
from tests.harness import T
from tests.processes import Process, until
from tests.running import running
from tests.tools import ROOT

FAILED = "\nstorage_exporter_config_last_reload_successful 0.0\n"
WELL = "\nstorage_exporter_config_last_reload_successful 1.0\n"


class Steps:
    """A clock that sleeps until the test lets it go on."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self._sleeps = asyncio.Semaphore(0)
        self._tickets = asyncio.Semaphore(0)

    def time(self) -> float:
        return T

    def monotonic(self) -> float:
        return sum(self.asked)

    async def sleep(self, seconds: float) -> None:
        self.asked.append(seconds)
        self._sleeps.release()
        await self._tickets.acquire()

    async def on(self) -> float:
        """Let it go on until it sleeps again: for how long."""
        self._tickets.release()
        async with asyncio.timeout(60):
            await self._sleeps.acquire()
        return self.asked[-1]


class Scene:
    """A file that is watched; ``seen`` is what each reload found."""

    def __init__(self, path: Path, clock: Steps) -> None:
        self.path = path
        self.clock = clock
        self.seen: list[str] = []
        self.file = ConfigFile(str(path), lambda: parse(path.read_text(encoding="utf-8"), {}, "file"))

    async def reload(self) -> None:
        try:
            self.seen.append(self.file.read().cluster)
        except ConfigError:
            self.seen.append("refused")

    async def looks(self, count: int = 1) -> None:
        """So many looks from now, with all that follows from them."""
        while count:
            count -= await self.clock.on() == 15.0


@asynccontextmanager
async def scene(tmp_path: Path, text: str = "cluster: a") -> AsyncIterator[Scene]:
    """A file with *text* that was read, and is watched."""
    path, clock = tmp_path / "config.yaml", Steps()
    path.write_text(text, encoding="utf-8")
    over = Scene(path, clock)
    over.file.read()
    watching = asyncio.create_task(watch(over.file, over.reload, clock))
    async with asyncio.timeout(60):
        await clock._sleeps.acquire()
    try:
        yield over
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def test_only_what_is_new_is_read(tmp_path: Path) -> None:
    """Nothing at looks that find the same, whatever the file's times say; each new content once, after it has stood."""
    async with scene(tmp_path) as over:
        await over.looks(3)
        os.utime(over.path, (1, 1))
        over.path.write_text("cluster: a", encoding="utf-8")
        await over.looks(2)
        assert over.seen == []
        assert over.clock.asked == [15.0] * 6
        over.path.write_text("cluster: b", encoding="utf-8")
        await over.looks(3)
        assert over.seen == ["b"]
        assert over.clock.asked[6:] == [1.0, 15.0, 15.0, 15.0]


async def test_what_is_still_being_written_is_let_stand(tmp_path: Path) -> None:
    """An editor empties a file and then fills it: the empty one, which is a good configuration, is not taken."""
    async with scene(tmp_path) as over:
        over.path.write_text("", encoding="utf-8")
        assert await over.clock.on() == 1.0
        over.path.write_text("cluster: b", encoding="utf-8")
        await over.looks()
        assert over.seen == []
        await over.looks()
        assert over.seen == ["b"]


async def test_a_broken_file_is_refused_once_and_mended_by_the_old_text(tmp_path: Path) -> None:
    """A refused content is not tried at each look; going back to what was in force is a change."""
    async with scene(tmp_path) as over:
        over.path.write_text("clutser: b", encoding="utf-8")
        await over.looks(4)
        assert over.seen == ["refused"]
        over.path.write_text("cluster: a", encoding="utf-8")
        await over.looks(2)
        assert over.seen == ["refused", "a"]


async def test_a_file_that_is_gone_is_no_change(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Neither its going nor its coming back as it was; that it stays away is said once."""
    async with scene(tmp_path) as over:
        for _ in range(3):
            over.path.unlink()
            await over.looks(2)
            over.path.write_text("cluster: a", encoding="utf-8")
            await over.looks()
        over.path.unlink()
        await over.looks(2)
        assert "cannot be read" not in caplog.text
        await over.looks(4)
        assert caplog.text.count("cannot be read; the configuration in force stays") == 1
        over.path.write_text("cluster: a", encoding="utf-8")
        await over.looks()
        assert over.seen == []
        over.path.unlink()
        over.path.mkdir()
        await over.looks()
        over.path.rmdir()
        over.path.write_text("cluster: c", encoding="utf-8")
        await over.looks()
        assert over.seen == ["c"]


async def test_asked_to_read_a_file_that_is_gone_it_reads_it_when_it_is_back(tmp_path: Path) -> None:
    """So that a metric which says that reading failed does not say so for good."""
    async with scene(tmp_path) as over:
        over.path.unlink()
        with pytest.raises(FileNotFoundError):
            over.file.read()
        over.path.write_text("cluster: a", encoding="utf-8")
        await over.looks()
        assert over.seen == ["a"]


async def test_what_another_way_has_read_is_not_read_again(tmp_path: Path) -> None:
    """After SIGHUP or POST /-/reload the watch has nothing to do."""
    async with scene(tmp_path) as over:
        over.path.write_text("cluster: b", encoding="utf-8")
        over.file.read()
        await over.looks(2)
        assert over.seen == []


async def test_nothing_a_reload_raises_ends_the_watch(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, without its words, and the next content is read."""
    path, clock, seen = tmp_path / "config.yaml", Steps(), []
    path.write_text("cluster: a", encoding="utf-8")
    file = ConfigFile(str(path), lambda: parse(path.read_text(encoding="utf-8"), {}, "file"))

    async def reload() -> None:
        seen.append(file.read().cluster)
        raise RuntimeError("hunter2")

    watching = asyncio.create_task(watch(file, reload, clock, every=0.5))
    for _ in range(6):
        await clock.on()
    assert seen == ["a"]
    path.write_text("cluster: b", encoding="utf-8")
    for _ in range(6):
        await clock.on()
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    assert seen == ["a", "b"]
    assert set(clock.asked) == {0.5}
    assert caplog.text.count("could not be put in force: RuntimeError") == 2
    assert "hunter2" not in caplog.text


def test_a_pipe_is_never_looked_at(tmp_path: Path) -> None:
    """What can be read once is read by whoever loads it."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (str(pipe), "/dev/null", str(tmp_path), "\0", str(tmp_path / "none")):
        assert ConfigFile(path, Config).content() is None


def _swap(folder: Path, name: str, text: str) -> None:
    """As kubelet updates a volume: a new directory, and one link that is swapped; the old directory goes."""
    before = (folder / "..data").readlink() if (folder / "..data").is_symlink() else None
    (folder / name).mkdir()
    (folder / name / "config.yaml").write_text(text, encoding="utf-8")
    (folder / "..data_tmp").symlink_to(name)
    (folder / "..data_tmp").rename(folder / "..data")
    if before is not None:
        (folder / before / "config.yaml").unlink()
        (folder / before).rmdir()


async def test_the_program_follows_a_volume_as_kubelet_swaps_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The configuration in force changes with the volume, a broken one changes nothing, and metrics tell of both."""
    async with running(monkeypatch, tmp_path, "budget: {dollars_per_month: 1}\n", every=0.05) as over:

        async def dollars(wanted: float) -> None:
            async with asyncio.timeout(60):
                while over.app.config.budget.dollars_per_month != wanted:
                    await asyncio.sleep(0.02)

        await over.until(lambda state: state == "ready\n", "/-/ready")
        base = over.file.read_text(encoding="utf-8")
        _swap(tmp_path, "..1", base)
        (tmp_path / "link").symlink_to("..data/config.yaml")
        (tmp_path / "link").rename(over.file)  # no other content, and from here on a link through a link
        _swap(tmp_path, "..2", base.replace("month: 1", "month: 2"))
        await dollars(2)
        assert WELL in (await over.get("/metrics"))[1]
        _swap(tmp_path, "..3", base.replace("month: 1", "month: x"))
        await over.until(lambda page: FAILED in page)
        assert over.app.config.budget.dollars_per_month == 2
        _swap(tmp_path, "..4", base.replace("month: 1", "month: 4"))
        await dollars(4)
        await over.until(lambda page: WELL in page)
        # What holds from the start on only is refused too, and once mended it is well again.
        _swap(tmp_path, "..5", base.replace("127.0.0.1:0", "127.0.0.1:1").replace("month: 1", "month: 5"))
        await over.until(lambda page: FAILED in page)
        _swap(tmp_path, "..6", base.replace("month: 1", "month: 4"))
        await over.until(lambda page: WELL in page)


async def test_without_a_watch_only_who_asks_has_it_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No task looks where no file is to be watched."""
    async with running(monkeypatch, tmp_path) as over:
        over.file.write_text("clutser: b", encoding="utf-8")
        assert "watch" not in {getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()}
        assert (await over.reload())[0] == 500


@pytest.mark.parametrize(
    ("options", "event"), [(("--watch-config", "0.2"), '"reloaded"'), (("--watch-config", "0"), "")]
)
async def test_run_watches_the_file_it_was_given(tmp_path: Path, options: tuple[str, ...], event: str) -> None:
    """The command's option, in a process of its own; with 0 only a signal has it read."""
    path, log = tmp_path / "config.yaml", tmp_path / "log"
    path.write_text("web: {listen: '127.0.0.1:0'}\ncluster: a\n", encoding="utf-8")

    def lines(word: str) -> Callable[[], bool]:
        return lambda: word in log.read_text(encoding="utf-8")

    async with DemoServer(World(1, WorldClock(at=T))) as server:
        environ = {**os.environ, "PYTHONPATH": str(ROOT), **server.environment()}
        with log.open("wb") as out:
            command = [sys.executable, "-m", "exporter", "run", "--config", str(path), *options]
            process = subprocess.Popen(command, stdout=out, stderr=out, env=environ)  # noqa: ASYNC220 - it starts at once
        try:
            one = Process("one", process, log)
            await asyncio.to_thread(until, "leading", lines('"leading"'))
            path.write_text("web: {listen: '127.0.0.1:0'}\ncluster: a\nlog: {level: info}\n", encoding="utf-8")
            if event:
                await asyncio.to_thread(until, "reloaded", lines(event))
            else:
                one.signal(signal.SIGHUP)
                await asyncio.to_thread(until, "reloaded", lines('"reloaded"'))
            text = log.read_text(encoding="utf-8")
            assert text.count('"reloaded"') == 1
        finally:
            process.terminate()
            await asyncio.to_thread(process.wait, 60)
        remember(server.calls)
    assert process.returncode == 0
    assert read_config(str(path), {}).log.level == "info"
