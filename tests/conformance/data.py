"""Where the conformance data is: private, beside the project, never part of it."""

from pathlib import Path

import pytest

DATA = Path(__file__).parents[3] / "shared" / "conformance"

needs_data = pytest.mark.skipif(
    not DATA.exists(), reason=f"no conformance data at {DATA}: it is not part of the project"
)
