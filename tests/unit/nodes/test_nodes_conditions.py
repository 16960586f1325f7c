"""If, Filter and Switch: what conditions mean, strictly and loosely, in every generation."""

from typing import Any

import pytest

from penstock.nodes.if_filter import Filter, If
from penstock.nodes.if_filter_v1 import FilterV1, IfV1
from penstock.nodes.switch import Switch
from penstock.nodes.switch_v1 import SwitchV1
from penstock.sdk.testkit import jsons, run


def conditions(*entries: tuple[Any, str, Any], combinator: str = "and", **options: Any) -> Any:
    base = {"caseSensitive": True, "typeValidation": "strict", "version": 2}
    return {
        "options": {**base, **options},
        "combinator": combinator,
        "conditions": [condition(*entry) for entry in entries],
    }


def condition(left: Any, operator: str, right: Any) -> dict[str, Any]:
    kind, _, operation = operator.partition(":")
    made: dict[str, Any] = {"type": kind, "operation": operation}
    if kind == "array" and operation.startswith("length"):
        made["rightType"] = "number"
    if kind == "array" and operation in ("contains", "notContains"):
        made["rightType"] = "any"
    return {"leftValue": left, "operator": made, "rightValue": right}


def passes(filter_value: Any, item: dict[str, Any] | None = None) -> bool:
    outcome = run(If, {"conditions": filter_value}, [item or {}])
    assert outcome.error is None, outcome.error
    return bool(jsons(outcome)[0])


@pytest.mark.parametrize(
    ("left", "operator", "right"),
    [
        ("ab", "string:contains", "b"),
        ("ab", "string:notEquals", "AB"),
        (None, "string:empty", ""),
        (None, "string:equals", ""),
        ("ab", "string:startsWith", "a"),
        ("ab", "string:notEndsWith", "a"),
        ("x1", "string:regex", r"\d$"),
        ("X1", "string:regex", "/x/i"),
        ("x", "string:notRegex", "^y"),
        (2, "number:gt", 1),
        (2, "number:lte", 2.0),
        (None, "number:empty", None),
        (None, "number:gte", 0),
        (True, "boolean:true", None),
        (False, "boolean:false", None),
        (False, "boolean:notEquals", True),
        ([1, "a"], "array:contains", "a"),
        ([1], "array:notContains", "1"),
        ([1, 2], "array:lengthGte", 2),
        ([], "array:empty", None),
        ({}, "object:empty", None),
        ({"a": 1}, "object:notEmpty", None),
        (0, "number:exists", None),
        (None, "string:notExists", None),
        ("2025-01-02", "dateTime:after", "2025-01-01T12:00:00Z"),
        ("2025-01-01T00:00:00+01:00", "dateTime:equals", "2024-12-31T23:00:00Z"),
        ("Wed, 01 Jan 2025 00:00:00 GMT", "dateTime:beforeOrEquals", "2025-01-01T00:00:00Z"),
    ],
)
def test_a_condition_holds(left: Any, operator: str, right: Any) -> None:
    assert passes(conditions((left, operator, right)))


@pytest.mark.parametrize(
    ("left", "operator", "right"),
    [
        ("ab", "string:equals", "AB"),
        (1, "number:notEquals", 1.0),
        (None, "number:gt", 0),
        (None, "boolean:true", None),
        (None, "dateTime:after", "2025-01-01"),
        ("a", "string:unheardOf", "a"),
        (None, "object:notEmpty", None),
    ],
)
def test_a_condition_does_not_hold(left: Any, operator: str, right: Any) -> None:
    assert not passes(conditions((left, operator, right)))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            (7, "string:equals", "7"),
            "Wrong type: '7' is a number but was expecting a string [condition 0, item 0]",
        ),
        (
            ("x", "number:gt", 1),
            "Wrong type: 'x' is a string but was expecting a number [condition 0, item 0]",
        ),
        (
            (["a", "b"], "number:gt", 1),
            "Wrong type: 'a,b' is an object but was expecting a number [condition 0, item 0]",
        ),
        (("soon", "dateTime:after", "2025-01-01"), "'soon' is a string but was expecting a dateTi"),
        ((1, "string:equals", 2), "Comparison type expects a string but both fields are a number"),
        (
            ("a", "string:equals", 2),
            "Wrong type: '2' is a number but was expecting a string [condition 0, item 0]",
        ),
    ],
)
def test_strict_types_are_an_error_that_tells_where(entry: Any, message: str) -> None:
    outcome = run(If, {"conditions": conditions(entry)})

    assert outcome.error is not None and message in outcome.error.message


@pytest.mark.parametrize(
    ("left", "operator", "right"),
    [
        (7, "string:equals", "7"),
        ("7", "number:equals", 7),
        ("", "number:equals", 0),
        ("true", "boolean:true", None),
        ("no", "boolean:true", None),
        ("[1, 2]", "array:lengthEquals", "2"),
        ({"a": 1}, "string:contains", '"a"'),
    ],
)
def test_loose_types_are_converted(left: Any, operator: str, right: Any) -> None:
    assert passes(conditions((left, operator, right), typeValidation="loose"))


def test_what_cannot_be_converted_is_an_error_even_loosely() -> None:
    loose = conditions(("3.75abc", "number:gt", 1), typeValidation="loose")

    outcome = run(If, {"conditions": loose})

    assert outcome.error is not None
    assert outcome.error.message == (
        "Conversion error: the string '3.75abc' can't be converted to a number "
        "[condition 0, item 0]"
    )


def test_case_is_ignored_when_asked_but_never_in_a_pattern() -> None:
    assert passes(conditions(("AB", "string:equals", "ab"), caseSensitive=False))
    assert passes(conditions((["Ab"], "array:contains", "aB"), caseSensitive=False))
    assert passes(conditions(("a b", "string:regex", r"\S \S"), caseSensitive=False))


def test_conditions_are_joined_by_and_or_or() -> None:
    one, other = (1, "number:gt", 0), (1, "number:gt", 5)

    assert not passes(conditions(one, other))
    assert passes(conditions(one, other, combinator="or"))


def test_what_is_no_filter_lets_everything_pass() -> None:
    assert passes({"conditions": [condition(1, "number:gt", 5)]})
    assert passes({})


def test_a_pattern_that_would_run_forever_is_stopped() -> None:
    hostile = conditions(("a" * 40 + "!", "string:regex", "^(a+)+$"))

    outcome = run(If, {"conditions": hostile})

    assert outcome.error is None or "takes too long" in outcome.error.message


def test_a_value_that_looks_like_an_expression_is_only_text() -> None:
    filter_value = conditions(("={{ $json.v }}", "string:equals", "={{ '={{ 1 }' + '}' }}"))

    assert passes(filter_value, {"v": "={{ 1 }}"})


def test_an_item_that_fails_goes_to_false_when_the_flow_goes_on() -> None:
    filter_value = conditions(("={{ $json.v }}", "string:equals", "a"))
    items: list[dict[str, Any]] = [{"v": "a"}, {"v": 1}]

    outcome = run(If, {"conditions": filter_value}, items, onError="continueRegularOutput")

    assert jsons(outcome) == [[{"v": "a"}], [{"v": 1}]]


def test_filter_keeps_items_that_pass() -> None:
    filter_value = conditions(("={{ $json.v }}", "number:gt", 1))

    outcome = run(Filter, {"conditions": filter_value}, [{"v": 1}, {"v": 2}])

    assert jsons(outcome) == [[{"v": 2}], [{"v": 1}]]


@pytest.mark.parametrize(
    ("kind", "entry", "expected"),
    [
        ("string", {"value1": "a", "value2": "a"}, True),
        ("string", {"value1": 5, "operation": "contains", "value2": "5"}, True),
        ("string", {"value1": "a", "operation": "isNotEmpty"}, True),
        ("string", {"value1": "Ab", "operation": "regex", "value2": "/ab/i"}, True),
        ("number", {"value1": "10", "operation": "larger", "value2": 9}, True),
        ("number", {"value1": None, "operation": "smallerEqual"}, True),
        ("number", {"value1": 0}, False),
        ("boolean", {"value1": "={{ 1 }}", "value2": True}, False),
        ("boolean", {}, True),
        ("dateTime", {"value1": "2025-01-02", "value2": "2025-01-01"}, True),
        ("dateTime", {"value1": 1, "operation": "before", "value2": "1970-01-02"}, True),
    ],
)
def test_first_generation_conditions(kind: str, entry: Any, expected: bool) -> None:
    outcome = run(IfV1, {"conditions": {kind: [entry]}})

    assert bool(jsons(outcome)[0]) is expected


def test_first_generation_dates_must_be_dates() -> None:
    outcome = run(IfV1, {"conditions": {"dateTime": [{"value1": "soon", "value2": "2025-01-01"}]}})

    assert outcome.error is not None
    assert outcome.error.message == 'The value "soon" is not a valid DateTime.'


def test_first_filter_joins_with_or() -> None:
    entries = [{"value1": "={{ $json.v }}", "value2": word} for word in ("a", "b")]
    parameters = {"conditions": {"string": entries}, "combineConditions": "OR"}

    outcome = run(FilterV1, parameters, [{"v": "a"}, {"v": "c"}, {"v": "b"}])

    assert jsons(outcome)[0] == [{"v": "a"}, {"v": "b"}]


def rules(*words: str) -> dict[str, Any]:
    tests = [conditions(("={{ $json.v }}", "string:contains", word)) for word in words]
    return {"rules": {"values": [{"conditions": test} for test in tests]}}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [["ab"], ["b"]]),
        ({"fallbackOutput": "extra"}, [["ab"], ["b"], ["c"]]),
        ({"fallbackOutput": 0}, [["ab", "c"], ["b"]]),
        ({"allMatchingOutputs": True}, [["ab"], ["ab", "b"]]),
    ],
)
def test_switch_sends_each_item_where_its_rule_says(options: Any, expected: Any) -> None:
    items = [{"v": "ab"}, {"v": "b"}, {"v": "c"}]

    outcome = run(Switch, {**rules("a", "b"), "options": options}, items)

    assert [[item["v"] for item in one] for one in jsons(outcome)] == expected


def test_switch_by_expression_needs_an_output_that_exists() -> None:
    parameters = {"mode": "expression", "numberOutputs": 2, "output": "={{ $json.o }}"}

    assert jsons(run(Switch, parameters, [{"o": 1}])) == [[], [{"o": 1}]]
    outcome = run(Switch, parameters, [{"o": 2}])
    assert outcome.error is not None and "ouput 2 is not allowed" in outcome.error.message


def test_first_switch_names_the_output_and_the_second_counts_rules() -> None:
    entries = [{"value2": 1, "operation": "equal", "output": 3, "outputKey": "x"}]
    parameters = {"value1": "={{ $json.v }}", "rules": {"rules": entries}, "fallbackOutput": 0}

    assert jsons(run(SwitchV1, parameters, [{"v": 1}, {"v": 2}], version=1)) == [
        [{"v": 2}],
        [],
        [],
        [{"v": 1}],
    ]
    assert jsons(run(SwitchV1, parameters, [{"v": 1}], version=2)) == [[{"v": 1}]]
