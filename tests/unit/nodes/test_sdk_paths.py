"""Paths: where `a.b[0]` leads, and that nobody else's data changes on the way."""

from typing import Any

import pytest

from penstock.sdk.paths import get_path, keys_of, set_path, unset_path
from penstock.workflow.expressions.values import UNDEFINED


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("a", ("a",)),
        ("a b", ("a b",)),
        ("a.b[0].c", ("a", "b", "0", "c")),
        ("a['x.y'].z", ("a", "x.y", "z")),
        ('["k"]', ("k",)),
        ("a..b", ("a", "", "b")),
    ],
)
def test_a_path_is_its_keys(path: str, keys: tuple[str, ...]) -> None:
    assert keys_of(path) == keys


@pytest.mark.parametrize(
    ("data", "path", "expected"),
    [
        ({"a": {"b": [1, {"c": 2}]}}, "a.b[1].c", 2),
        ({"a.b": 1, "a": {"b": 2}}, "a.b", 1),
        ({"a": [1, 2]}, "a.length", 2),
        ({"a": "xyz"}, "a[1]", "y"),
        ({"a": None}, "a.b", UNDEFINED),
        ({"a": None}, "a", None),
        ({}, "__class__.x", UNDEFINED),
    ],
)
def test_get_finds_what_is_there(data: Any, path: str, expected: Any) -> None:
    assert get_path(data, path) is expected or get_path(data, path) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("x", {"a": {"b": [1]}, "x": 9}),
        ("a.b[0]", {"a": {"b": [9]}}),
        ("a.b[2]", {"a": {"b": [1, None, 9]}}),
        ("a.c.d", {"a": {"b": [1], "c": {"d": 9}}}),
        ("n[0].m", {"a": {"b": [1]}, "n": [{"m": 9}]}),
        ("a.b[9999999999]", {"a": {"b": [1]}}),
        ("a.__proto__.x", {"a": {"b": [1]}}),
    ],
)
def test_set_makes_what_is_missing_and_copies_what_it_changes(path: str, expected: Any) -> None:
    shared = {"a": {"b": [1]}}
    own: dict[str, Any] = dict(shared)

    set_path(own, path, 9)

    assert own == expected
    assert shared == {"a": {"b": [1]}}


def test_unset_removes_only_what_is_there() -> None:
    shared = {"a": {"b": 1, "c": 2}, "d.e": 3}
    own: dict[str, Any] = dict(shared)

    for path in ("a.b", "d.e", "x.y", "a.b.c"):
        unset_path(own, path)

    assert own == {"a": {"c": 2}}
    assert shared == {"a": {"b": 1, "c": 2}, "d.e": 3}
