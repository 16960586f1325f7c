"""One Postgres for all tests of the projector in a run, since starting it takes seconds."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.projector_world import World
from tests.servers import PostgresServer, postgres_server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A running Postgres, in which a test makes databases and ends nothing."""
    with postgres_server() as server:
        yield server


@pytest.fixture
def world(postgres: PostgresServer, tmp_path: Path) -> World:
    """A projector's surroundings, with an empty database of its own."""
    return World(postgres, tmp_path)
