"""What is hidden is not found, for as long as it is hidden and no longer."""

import sys
from importlib import import_module

import pytest

from penstock.subjects.hidden import hidden


def test_a_hidden_module_is_found_missing_inside_and_is_there_afterwards() -> None:
    sys.modules.pop("colorsys", None)

    with hidden("colorsys"), pytest.raises(ImportError):
        import_module("colorsys")

    assert import_module("colorsys").rgb_to_hsv(0, 0, 0) == (0, 0, 0)


def test_what_is_loaded_already_stays_as_it_is() -> None:
    with hidden("sys"):
        assert import_module("sys") is sys

    assert sys.modules["sys"] is sys


def test_nothing_stays_hidden_when_the_block_fails() -> None:
    sys.modules.pop("colorsys", None)

    with pytest.raises(ZeroDivisionError), hidden("colorsys"):
        raise ZeroDivisionError

    assert "colorsys" not in sys.modules
