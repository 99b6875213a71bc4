"""When Python looks for garbage: rarely, at what is young, and at everything only where something was replaced."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from exporter.garbage import Garbage


class Held:
    """Something in a circle, that counting references does not free."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """The collector is the process's; what a test does to it must not last."""
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


@pytest.fixture
def looked() -> Iterator[list[int]]:
    """The generations of the collections that are made."""
    made: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            made.append(info["generation"])

    gc.callbacks.append(note)
    yield made
    gc.callbacks.remove(note)


def test_a_start_looks_through_nothing(looked: list[int]) -> None:
    """What was imported stays, and nothing has been replaced yet: a full collection would be for nothing."""
    garbage = Garbage()
    garbage.begin()
    garbage.freeze()
    assert 2 not in looked
    assert gc.get_freeze_count() > 10_000


def test_what_was_replaced_is_let_go() -> None:
    """An engine of the configuration before is in circles; it was frozen while it ran."""
    garbage = Garbage()
    garbage.begin()
    engine = Held()
    garbage.freeze()
    told = weakref.ref(engine)
    del engine
    gc.collect()
    assert told() is not None  # frozen, which is what makes the next call needed
    garbage.freeze()
    assert told() is None


def test_growth_freezes_what_came_and_looks_at_the_young_only(looked: list[int]) -> None:
    """A quarter more series than before; fewer, or as many, change nothing."""
    garbage = Garbage()
    garbage.begin()
    held = [Held() for _ in range(100)]
    looked.clear()
    before = gc.get_freeze_count()
    garbage.grown(1_200)
    assert gc.get_freeze_count() == before
    garbage.grown(1_300)
    assert set(looked) == {0}
    grown = gc.get_freeze_count()
    assert grown >= before + len(held)
    later = [Held() for _ in range(100)]
    garbage.grown(1_600)
    garbage.grown(10)
    assert gc.get_freeze_count() == grown
    garbage.grown(1_700)
    assert gc.get_freeze_count() >= grown + len(later)
