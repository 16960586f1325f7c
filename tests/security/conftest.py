"""One pool for all attempts to get out of a worker; each must leave it in working order."""

from collections.abc import Iterator

import pytest

from tests.security.attacked_pool import Sandbox
from tests.security.sandbox_steps import first_json


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    """The pool itself; tests take `sandbox`. Gone with its module, since other tests count what
    pools leave behind."""
    made = Sandbox()
    yield made
    made.close()


@pytest.fixture
def sandbox(shared: Sandbox) -> Iterator[Sandbox]:
    """The shared pool; after each attempt another workflow's step must still succeed."""
    yield shared
    after = shared.javascript("return {fine: 1 + 1}", tenant="neighbour")
    assert first_json(after) == {"fine": 2}
