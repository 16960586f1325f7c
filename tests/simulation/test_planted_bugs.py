"""The simulator finds bugs that are planted, one at a time, and says after how many seeds."""

from collections.abc import Callable

import pytest

from tests.simulation.bugs import BUGS, Bug
from tests.simulation.seeds import first_broken

SEEDS = 1_000


@pytest.mark.parametrize("bug", BUGS, ids=str)
def test_a_planted_bug_is_found(
    bug: Bug, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    monkeypatch.setattr(bug.owner, bug.name, bug.function)

    found, how = first_broken(range(0, SEEDS, bug.every))

    record_property("seeds", found)
    print(f"{bug}: found after {found} seeds\n{how}")
    assert found
