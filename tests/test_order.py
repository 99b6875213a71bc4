"""The order of the tests: none is lost, and the longest begin."""

from __future__ import annotations

import itertools
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
    """Of equal parts, as they are handed out; the rest of a file stays together and in its order."""
    files = [f"tests/test_{letter}.py" for letter in "abcdefghijk"]
    names = [*(f"{file}::test_{number}" for file in files for number in range(9)), *LONG]
    found = ordered(names, 3)
    for worker in range(3):
        part = [names[index] for index in found[36 * worker : 36 * worker + 36]]
        assert part[:3] == [LONG[worker], LONG[worker + 3], LONG[worker + 6]]
    rest = [name for name in (names[index] for index in found) if name not in LONG]
    assert [name for name, _ in itertools.groupby(rest, lambda name: name.partition("::")[0])] != files
    for file in files:
        first = rest.index(f"{file}::test_0")
        assert rest[first : first + 9] == [f"{file}::test_{number}" for number in range(9)]


@pytest.mark.parametrize("name", LONG)
def test_long_tests_are_there(name: str) -> None:
    """A test that was renamed is named here."""
    path, _, function = name.partition("::")
    assert re.search(rf"^(async )?def {function}\(", (ROOT / path).read_text(), re.MULTILINE)
