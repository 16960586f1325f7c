"""A fresh installation is closed."""

from tests.chaos.figures import broken
from tests.chaos.fresh import fresh_drill


def test_a_fresh_installation_has_no_default_account_and_listens_on_loopback_only() -> None:
    assert broken(fresh_drill(2, 0)) == []
