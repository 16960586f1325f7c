"""One installation for all tests of a module: starting one costs seconds."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.client import Product, running


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    data: Path = tmp_path_factory.mktemp("penstock") / "data"
    with running(data) as started:
        yield started
