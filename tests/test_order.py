"""The order of the tests: none is lost, and the longest begin."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.order import LONG, ordered
from tests.tools import ROOT

NAMES = st.lists(st.sampled_from([*LONG, "tests/test_a.py::test_a", f"{LONG[1]}[a-1]", "tests/test_b.py::test_b[x]"]))


@given(NAMES, st.integers(1, 9))
def test_every_test_has_its_place(names: list[str], workers: int) -> None:
    """Once each, whatever was chosen and whoever runs it."""
    assert sorted(ordered(names, workers)) == list(range(len(names)))


def test_each_worker_begins_with_a_long_one() -> None:
    """Of equal parts, as they are handed out; the rest stays in its order."""
    names = [*(f"tests/test_x.py::test_{number}" for number in range(100)), *LONG]
    found = ordered(names, 4)
    for worker in range(4):
        part = [names[index] for index in found[27 * worker : 27 * worker + 27]]
        assert part[:2] == [LONG[worker], LONG[worker + 4]]
        assert part[2:] == sorted(part[2:], key=names.index)


@pytest.mark.parametrize("name", LONG)
def test_long_tests_are_there(name: str) -> None:
    """A test that was renamed is named here."""
    path, _, function = name.partition("::")
    assert re.search(rf"^(async )?def {function}\(", (ROOT / path).read_text(), re.MULTILINE)
