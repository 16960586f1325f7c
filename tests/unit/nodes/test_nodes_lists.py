"""Split Out, Aggregate, Limit and the loop: nodes that change how many items there are."""

from typing import Any

import msgspec
import pytest

from penstock.nodes.aggregate import Aggregate
from penstock.nodes.limit import Limit
from penstock.nodes.split_in_batches import SplitInBatches
from penstock.nodes.split_out import SplitOut
from penstock.sdk.testkit import jsons, run
from penstock.subjects.messages import Outcome

NUMBERS = [{"n": 1}, {"n": 2}, {"n": 3}]


@pytest.mark.parametrize(
    ("field", "more", "expected"),
    [
        ("tags", {}, [{"tags": "a"}, {"tags": "b"}]),
        ("$json.tags", {}, [{"tags": "a"}, {"tags": "b"}]),
        ("rows", {}, [{"x": 1, "y": 2}, {"x": 3}]),
        (
            "rows",
            {"options": {"destinationFieldName": "r"}},
            [{"r": {"x": 1, "y": 2}}, {"r": {"x": 3}}],
        ),
        ("rows[0]", {}, [{"rows[0]": 1}, {"rows[0]": 2}]),
        ("id", {}, [{"id": 7}]),
        ("nothing", {}, []),
        ("none", {}, [{"none": None}]),
        (
            "tags, rows",
            {},
            [{"tags": "a", "rows": {"x": 1, "y": 2}}, {"tags": "b", "rows": {"x": 3}}],
        ),
        (
            "tags",
            {"include": "selectedOtherFields", "fieldsToInclude": "id, deep.er"},
            [{"tags": "a", "id": 7, "deep.er": 1}, {"tags": "b", "id": 7, "deep.er": 1}],
        ),
    ],
)
def test_each_element_becomes_an_item(field: str, more: dict[str, Any], expected: Any) -> None:
    item = {
        "tags": ["a", "b"],
        "rows": [{"x": 1, "y": 2}, {"x": 3}],
        "id": 7,
        "none": None,
        "deep": {"er": 1},
    }

    outcome = run(SplitOut, {"fieldToSplitOut": field, **more}, [item])

    assert jsons(outcome) == [expected]


def test_other_fields_go_with_each_element_and_the_input_is_left_alone() -> None:
    item = {"a": {"list": [1, 2], "b": 1}}

    outcome = run(SplitOut, {"fieldToSplitOut": "a.list", "include": "allOtherFields"}, [item])

    assert jsons(outcome) == [
        [{"a": {"b": 1}, "a.list": 1}, {"a": {"b": 1}, "a.list": 2}],
    ]
    assert item == {"a": {"list": [1, 2], "b": 1}}


def test_destinations_must_be_as_many_as_fields() -> None:
    parameters = {"fieldToSplitOut": "a,b", "options": {"destinationFieldName": "x"}}

    outcome = run(SplitOut, parameters)

    assert outcome.error is not None and "same number of destination" in outcome.error.message


def test_binaries_can_be_split_out() -> None:
    binary = {"one": {"id": "1"}, "two": {"id": "2"}}

    outcome = run(SplitOut, {"fieldToSplitOut": "$binary"}, [{"json": {}, "binary": binary}])

    assert outcome.outputs and outcome.outputs[0]
    assert [item["binary"] for item in outcome.outputs[0]] == [
        {"one": {"id": "1"}},
        {"two": {"id": "2"}},
    ]


def fields(*entries: dict[str, Any], **options: Any) -> dict[str, Any]:
    return {"fieldsToAggregate": {"fieldToAggregate": list(entries)}, "options": options}


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        (fields({"fieldToAggregate": "a.b"}), {"b": [1, [2]]}),
        (fields({"fieldToAggregate": "a.b"}, mergeLists=True), {"b": [1, 2]}),
        (fields({"fieldToAggregate": "a.b"}, keepMissing=True), {"b": [1, [2, None], None]}),
        (
            fields({"fieldToAggregate": "a.b", "renameField": True, "outputFieldName": "x.y"}),
            {"x": {"y": [1, [2]]}},
        ),
        ({"aggregate": "aggregateAllItemData"}, None),
        (
            {
                "aggregate": "aggregateAllItemData",
                "include": "specifiedFields",
                "fieldsToInclude": "c",
                "destinationFieldName": "out",
            },
            {"out": [{"c": 1}]},
        ),
    ],
)
def test_all_items_become_one(parameters: dict[str, Any], expected: Any) -> None:
    items: list[dict[str, Any]] = [{"a": {"b": 1}, "c": 1}, {"a": {"b": [2, None]}}, {"a": None}]

    outcome = run(Aggregate, parameters, items)

    assert jsons(outcome) == [[expected or {"data": items}]]


def test_the_aggregate_descends_from_the_items_that_are_in_it() -> None:
    parameters = {
        "aggregate": "aggregateAllItemData",
        "include": "allFieldsExcept",
        "fieldsToExclude": "n",
    }

    outcome = run(Aggregate, parameters, [{"n": 1}, {"n": 2, "m": 3}])

    assert outcome.outputs == [[{"json": {"data": [{"m": 3}]}, "pairedItem": [{"item": 1}]}]]


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([], "No fields specified"),
        ([{"fieldToAggregate": "a"}] * 2, "The 'a' output field is used more than once"),
    ],
)
def test_aggregating_needs_fields_that_differ(entries: Any, message: str) -> None:
    outcome = run(Aggregate, fields(*entries))

    assert outcome.error is not None and outcome.error.message == message


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, NUMBERS[:1]),
        ({"maxItems": 2}, NUMBERS[:2]),
        ({"maxItems": 2, "keep": "lastItems"}, NUMBERS[1:]),
        ({"maxItems": 9, "keep": "lastItems"}, NUMBERS),
        ({"maxItems": "={{ $input.all().length - 1 }}"}, NUMBERS[:2]),
    ],
)
def test_limit_keeps_the_first_or_last(parameters: dict[str, Any], expected: Any) -> None:
    assert jsons(run(Limit, parameters, NUMBERS)) == [expected]


class Loop:
    """A loop node and what it was given so far."""

    def __init__(self, **parameters: Any) -> None:
        self.parameters = parameters
        self.outcomes: list[Outcome] = []
        self.history: list[list[dict[str, Any]]] = []

    def step(self, items: list[dict[str, Any]], version: float = 3) -> Outcome:
        context = {"context": self.outcomes[-1].context} if self.outcomes else {}
        outcome = run(
            SplitInBatches,
            self.parameters,
            items,
            version=version,
            history=self.history,
            **context,
        )
        self.history.append(items)
        self.outcomes.append(outcome)
        return outcome


def test_a_loop_hands_out_batches_then_all_that_came_back() -> None:
    loop = Loop(batchSize=2)

    steps = [loop.step(items) for items in (NUMBERS, [{"r": 1}], [{"r": 2}])]

    assert [jsons(step) for step in steps] == [
        [[], NUMBERS[:2]],
        [[], NUMBERS[2:]],
        [[{"r": 1}, {"r": 2}], []],
    ]
    contexts = [step.context or {} for step in steps]
    assert [context["done"] for context in contexts] == [False, False, True]
    assert [context["noItemsLeft"] for context in contexts] == [False, True, True]
    assert contexts[0]["maxRunIndex"] == 2


def test_items_that_come_out_of_a_loop_later_tell_how_they_came_in() -> None:
    loop = Loop()
    loop.step(NUMBERS)

    second = loop.step([{"r": 1}])

    assert second.outputs and second.outputs[1]
    assert second.outputs[1][0]["pairedItem"] == {
        "item": 1,
        "sourceOverwrite": {"previousNode": "Source"},
    }


def test_a_loop_remembers_where_its_items_are_and_not_the_items() -> None:
    loop = Loop()
    loop.step([{"text": "x" * 10_000}] * 100)

    for _ in range(50):
        loop.step([{"text": "y" * 10_000}])

    assert len(msgspec.json.encode(loop.outcomes[-1].context)) < 500


def test_a_loop_whose_source_is_not_remembered_keeps_its_items() -> None:
    first = run(SplitInBatches, {}, inputs=[NUMBERS], context={})
    assert first.context is not None
    forgotten = {**first.context, "place": {"items": [{"json": number} for number in NUMBERS]}}

    second = run(SplitInBatches, {}, [{"r": 1}], context=forgotten)

    assert jsons(second) == [[], [{"n": 2}]]


def test_a_reset_loop_begins_again() -> None:
    first = run(SplitInBatches, {}, NUMBERS)

    again = run(SplitInBatches, {"options": {"reset": True}}, [{"m": 1}], context=first.context)

    assert jsons(again) == [[], [{"m": 1}]]


def test_older_loops_have_other_outputs() -> None:
    second, first = Loop(), Loop()

    assert jsons(second.step(NUMBERS, version=2)) == [NUMBERS, []]
    assert jsons(second.step([{"r": 1}], version=2)) == [[], [{"r": 1}]]
    assert jsons(first.step(NUMBERS, version=1)) == [NUMBERS]
    assert first.step([{"r": 1}], version=1).outputs is None
