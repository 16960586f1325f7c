"""Edit Fields (Set): which fields come out, and in which type."""

from typing import Any

import pytest

from penstock.nodes.set_fields import Set
from penstock.nodes.set_values import SetValues
from penstock.sdk.testkit import jsons, run


def assignments(*fields: tuple[str, str, Any]) -> dict[str, Any]:
    entries = [{"name": name, "type": kind, "value": value} for name, kind, value in fields]
    return {"assignments": {"assignments": entries}}


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("string", 7, "7"),
        ("string", True, "true"),
        ("string", {"a": [1]}, '{"a":[1]}'),
        ("string", "={{ $now }}", "2025-03-15T14:30:45.123Z"),
        ("number", " 3.50 ", 3.5),
        ("number", "", 0),
        ("number", True, 1),
        ("boolean", "TRUE", True),
        ("boolean", "0", False),
        ("boolean", 1, True),
        ("array", "['a', 'b']", ["a", "b"]),
        ("object", "{a: 1, 'b': [2,]}", {"a": 1, "b": [2]}),
        ("number", None, None),
        ("string", "={{ undefined }}", None),
    ],
)
def test_values_become_the_type_of_their_field(kind: str, value: Any, expected: Any) -> None:
    outcome = run(Set, assignments(("x", kind, value)))

    assert jsons(outcome) == [[{"x": expected}]]


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        ("number", "abc", "'x' expects a number but we got 'abc' [item 0]"),
        ("boolean", "yes", "'x' expects a boolean but we got 'yes' [item 0]"),
        ("boolean", " ", "'x' expects a boolean but we got ' ' [item 0]"),
        ("array", {"a": 1}, "'x' expects a array but we got object [item 0]"),
        ("object", [1], "'x' expects a object but we got array [item 0]"),
        ("object", "{a: f()}", "'x' expects a object but we got '{a: f()}' [item 0]"),
    ],
)
def test_a_value_that_does_not_fit_is_an_error_that_names_the_field(
    kind: str, value: Any, message: str
) -> None:
    outcome = run(Set, assignments(("x", kind, value)))

    assert outcome.error is not None and outcome.error.message == message


def test_ignored_conversion_errors_keep_the_value() -> None:
    parameters = assignments(("x", "number", "abc"))

    outcome = run(Set, {**parameters, "options": {"ignoreConversionErrors": True}})

    assert jsons(outcome) == [[{"x": "abc"}]]


def test_a_failing_expression_goes_before_a_wrong_type() -> None:
    fields = assignments(("a", "number", "abc"), ("b", "string", "={{ $('Nobody').item.json.x }}"))

    outcome = run(Set, fields)

    assert outcome.error is not None and "expects a number" not in outcome.error.message


def test_dots_build_nested_objects_and_leave_the_input_alone() -> None:
    item = {"a": {"b": [1, 2]}, "c": 0}
    fields = assignments(("a.b[1]", "number", 9), ("d.e", "string", "x"))

    outcome = run(Set, {**fields, "includeOtherFields": True}, [item])

    assert jsons(outcome) == [[{"a": {"b": [1, 9]}, "c": 0, "d": {"e": "x"}}]]
    assert item == {"a": {"b": [1, 2]}, "c": 0}


def test_without_dot_notation_a_dot_is_part_of_the_name() -> None:
    fields = assignments(("a.b", "string", "x"))

    outcome = run(Set, {**fields, "options": {"dotNotation": False}})

    assert jsons(outcome) == [[{"a.b": "x"}]]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, {"new": "x"}),
        ({"includeOtherFields": True}, {"a": 1, "b": {"c": 2, "d": 3}, "new": "x"}),
        (
            {"includeOtherFields": True, "include": "selected", "includeFields": "b.c, zz"},
            {"b": {"c": 2}, "new": "x"},
        ),
        (
            {"includeOtherFields": True, "include": "except", "excludeFields": "a,b.c"},
            {"b": {"d": 3}, "new": "x"},
        ),
        ({"includeOtherFields": "={{ $json.a === 1 }}", "include": "except"}, None),
    ],
)
def test_the_choice_of_other_fields(parameters: dict[str, Any], expected: Any) -> None:
    item = {"a": 1, "b": {"c": 2, "d": 3}}

    outcome = run(Set, {**assignments(("new", "string", "x")), **parameters}, [item])

    assert jsons(outcome) == [[expected or {**item, "new": "x"}]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1}', {"a": 1}),
        ("={ a: '{{ $json.name }}', \"l\": {{ $json.list }}, }", {"a": "Ann", "l": [1, {"b": 2}]}),
        ("={{ {a: $json.list.length} }}", {"a": 2}),
    ],
)
def test_json_mode_puts_values_into_the_text_and_mends_it(text: str, expected: Any) -> None:
    item = {"name": "Ann", "list": [1, {"b": 2}]}

    outcome = run(Set, {"mode": "raw", "jsonOutput": text}, [item])

    assert jsons(outcome) == [[expected]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("={{ $json.no }}", "The 'JSON Output' in item 0 contains invalid JSON"),
        ("[1]", "The 'JSON Output' in item 0 does not contain a valid JSON object"),
        ("null", "Cannot convert undefined or null to object"),
    ],
)
def test_json_mode_refuses_what_is_no_object(text: str, message: str) -> None:
    outcome = run(Set, {"mode": "raw", "jsonOutput": text})

    assert outcome.error is not None and outcome.error.message == message


def test_text_that_an_expression_gives_is_never_an_expression_itself() -> None:
    fields = assignments(("={{ $json.name }}", "string", "={{ $json.evil }}"))

    outcome = run(Set, fields, [{"name": "x", "evil": "={{ 1 + 1 }}"}])

    assert jsons(outcome) == [[{"x": "={{ 1 + 1 }}"}]]


@pytest.mark.parametrize(
    ("version", "parameters", "is_kept"),
    [
        (3.4, {"includeOtherFields": True}, True),
        (3.4, {}, False),
        (3.4, {"includeOtherFields": True, "options": {"stripBinary": True}}, False),
        (3.3, {"includeOtherFields": True}, False),
        (3.2, {"include": "none", "options": {"includeBinary": True}}, True),
    ],
)
def test_binaries_are_kept_as_version_and_options_say(
    version: float, parameters: dict[str, Any], is_kept: bool
) -> None:
    item = {"json": {}, "binary": {"data": {"id": "b1", "mimeType": "text/plain"}}}

    outcome = run(Set, parameters, [item], version=version)

    assert outcome.outputs is not None and outcome.outputs[0] is not None
    assert ("binary" in outcome.outputs[0][0]) is is_kept


def test_an_error_becomes_an_item_when_the_flow_goes_on() -> None:
    fields = assignments(("x", "number", "={{ $json.v }}"))

    outcome = run(Set, fields, [{"v": "1"}, {"v": "no"}], onError="continueRegularOutput")

    message = "'x' expects a number but we got 'no' [item 1]"
    assert jsons(outcome) == [[{"x": 1}, {"error": message, "pairedItem": {"item": 1}}]]


def test_older_fields_hold_their_value_under_the_name_of_the_type() -> None:
    values = [
        {"name": "s", "stringValue": "={{ $json.a }}"},
        {"name": "n", "type": "numberValue", "numberValue": "4"},
        {"name": "o", "type": "objectValue", "objectValue": '={"x": {{ $json.a }}}'},
    ]

    outcome = run(Set, {"fields": {"values": values}, "include": "none"}, [{"a": 1}], version=3.2)

    assert jsons(outcome) == [[{"s": "1", "n": 4, "o": {"x": 1}}]]


def test_the_first_set_keeps_values_as_they_are() -> None:
    values = {
        "string": [{"name": "s", "value": "={{ $json.a }}"}],
        "number": [{"name": "n.m", "value": "5"}],
        "boolean": [{"name": "b"}],
    }

    outcome = run(SetValues, {"values": values, "keepOnlySet": True}, [{"a": [1]}], version=1)

    assert jsons(outcome) == [[{"b": False, "n": {"m": "5"}, "s": [1]}]]


def test_an_older_field_never_evaluates_what_an_expression_gave() -> None:
    field = {"name": "={{ $json.n }}", "type": "objectValue", "objectValue": "={{ $json.evil }}"}
    item = {"n": "o", "evil": '={"x": {{ 1 + 1 }} }'}

    outcome = run(Set, {"fields": {"values": [field]}, "include": "none"}, [item], version=3.2)

    assert outcome.error is not None and "invalid JSON" in outcome.error.message


def test_not_a_number_is_no_number() -> None:
    outcome = run(Set, assignments(("x", "number", "={{ NaN }}")))

    assert outcome.error is not None
    assert outcome.error.message == "'x' expects a number but we got 'NaN' [item 0]"
