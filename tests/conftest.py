"""What holds for every test: nothing of the machine leaks in, nothing leaves it, and in CI chance is repeatable."""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Generator, Iterator

import hypothesis
import pytest

from tests.guard import Guard
from tests.order import ordered

# Beside AWS_*: what botocore, aiohttp, a kubeconfig reader or rich would take from whoever runs the tests.
LEAKS = frozenset(
    {
        *("ALL_PROXY", "FTP_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "BOTO_CONFIG"),
        *("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"),
        *("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE", "TTY_INTERACTIVE"),
        *("COLUMNS", "LINES"),
    }
)

_CI = os.environ.get("CI") == "true"
_guard = Guard()
_guard.install()

# `pytest --hypothesis-profile=thorough` looks further; the usual run is short, and in CI the same every time.
hypothesis.settings.register_profile("usual", deadline=None, max_examples=50, derandomize=_CI, print_blob=True)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=2000, print_blob=True)
hypothesis.settings.load_profile("usual")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where several workers share the tests, the longest begin."""
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    if workers > 1:
        items[:] = [items[index] for index in ordered([item.nodeid for item in items], workers)]


def pytest_collection_finish() -> None:
    """
    Take what is there before the first test out of the search for garbage: six thousand tests are some million objects,
    and looking through them again and again takes a sixth of the CPU; so is looking as often as a small program does.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, object, object]:
    """Spell out lone surrogates of what a test logged or raised: what a worker reports is sent as UTF-8."""
    return _sendable((yield))


def _sendable(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_sendable(key): _sendable(each) for key, each in value.items()}
    return type(value)(map(_sendable, value)) if isinstance(value, list | tuple) else value


@pytest.fixture(scope="session", autouse=True)
def _clean_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Take AWS, proxy, cluster and terminal settings out of the environment, before another fixture starts a server."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith("AWS_") or name.upper() in LEAKS:
                patch.delenv(name)
        patch.setenv("HOME", str(home))
        patch.setenv("AWS_CONFIG_FILE", str(home / "no-aws-config"))
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(home / "no-aws-credentials"))
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield


@pytest.fixture(autouse=True)
def _log_handlers() -> Iterator[None]:
    """Take the program's log handler and levels away again where a test set them: the next starts as a process does."""
    yield
    root = logging.getLogger()
    for handler in [each for each in root.handlers if type(each).__module__ == "exporter.logs"]:
        root.removeHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("exporter").setLevel(logging.NOTSET)
    logging.captureWarnings(capture=False)


@pytest.fixture(autouse=True)
def network_guard() -> Iterator[Guard]:
    """Fail a test during which anything but loopback was asked for, also when the code under test outlived that."""
    yield _guard
    refused = _guard.take()
    if refused:
        pytest.fail("\n".join(refused))
