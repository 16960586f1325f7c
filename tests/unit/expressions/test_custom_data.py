"""`$execution.customData`: texts by which people find an execution again."""

from typing import Any

import pytest

from penstock.workflow.expressions.execution_data import KEYS_MAX, custom_data
from penstock.workflow.scope import Scope
from tests.unit.expressions.scopes import make_scope, resolve_in

SET = "={{ $execution.customData.set('order', 42) }}"


def test_what_is_set_is_read_back_and_leaves_the_execution_alone() -> None:
    scope = make_scope()
    scope.execution.custom = {"before": "yes"}

    resolve_in(scope, SET)

    assert resolve_in(scope, "={{ $execution.customData.get('order') }}") == "42"
    assert resolve_in(scope, "={{ $execution.customData.getAll() }}") == {
        "before": "yes",
        "order": "42",
    }
    assert scope.execution.custom == {"before": "yes"}
    assert scope.written is not None


def test_all_entries_of_an_object_are_set() -> None:
    scope = make_scope()

    resolve_in(scope, "={{ $execution.customData.setAll({a: 'x', b: 1}) }}")

    assert custom_data(scope) == {"a": "x", "b": "1"}


def test_entries_are_cut_off_and_one_too_many_is_dropped() -> None:
    scope = make_scope()
    resolve_in(scope, "={{ $execution.customData.set('k'.repeat(60), 'v'.repeat(600)) }}")
    for number in range(KEYS_MAX + 5):
        resolve_in(scope, f"={{{{ $execution.customData.set('n{number}', 1) }}}}")

    kept = custom_data(scope)

    assert len(kept) == KEYS_MAX
    assert kept["k" * 50] == "v" * 512


def failing(scope: Scope, text: str) -> Any:
    with pytest.raises(Exception) as failed:
        resolve_in(scope, text)
    return failed.value


@pytest.mark.parametrize(
    "arguments", ["'with space', 1", "1, 1", "'a', {}", "'a', true", "'a'", "'', null"]
)
def test_what_is_no_entry_fails_in_manual_runs_only(arguments: str) -> None:
    text = f"={{{{ $execution.customData.set({arguments}) }}}}"
    manual, production = make_scope(), make_scope()
    manual.execution.mode = "manual"

    assert "custom data" in str(failing(manual, text)).lower()
    resolve_in(production, text)
    assert custom_data(production) == {}
