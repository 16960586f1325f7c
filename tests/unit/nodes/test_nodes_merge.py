"""Merge: what comes of two or more inputs, and from which items it descends."""

from typing import Any

import pytest

from penstock.nodes.merge import Merge
from penstock.nodes.merge_v1 import MergeV1
from penstock.sdk.testkit import jsons, run

PEOPLE: list[dict[str, Any]] = [{"id": 1, "n": "Ann"}, {"id": 2, "n": "Bob"}]
AGES: list[dict[str, Any]] = [{"id": 2, "age": 30, "n": "Robert"}, {"id": 3, "age": 40}]


def merged(parameters: dict[str, Any], *inputs: Any, version: float = 3.2) -> Any:
    outcome = run(Merge, parameters, inputs=list(inputs), version=version)
    assert outcome.error is None, outcome.error
    return jsons(outcome)[0] if outcome.outputs else None


def by_id(**more: Any) -> dict[str, Any]:
    return {"mode": "combine", "fieldsToMatchString": "id", **more}


def test_append_puts_inputs_one_after_another() -> None:
    outcome = run(Merge, {"numberInputs": 3}, inputs=[[{"a": 1}], None, [{"a": 2}]])

    assert jsons(outcome) == [[{"a": 1}, {"a": 2}]]
    assert outcome.outputs and outcome.outputs[0]
    assert outcome.outputs[0][1]["pairedItem"] == {"item": 0, "input": 2}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, [{"id": 2, "n": "Robert", "age": 30}]),
        ({"outputDataFrom": "input1"}, [PEOPLE[1]]),
        ({"outputDataFrom": "input2"}, [AGES[0]]),
        ({"joinMode": "keepNonMatches", "outputDataFrom": "input1"}, [PEOPLE[0]]),
        (
            {"joinMode": "keepNonMatches"},
            [{**PEOPLE[0], "_source": "input1"}, {**AGES[1], "_source": "input2"}],
        ),
        ({"joinMode": "enrichInput1"}, [{"id": 2, "n": "Robert", "age": 30}, PEOPLE[0]]),
        ({"joinMode": "enrichInput2"}, [{"id": 2, "age": 30, "n": "Bob"}, AGES[1]]),
        (
            {"joinMode": "keepEverything"},
            [{"id": 2, "n": "Robert", "age": 30}, PEOPLE[0], AGES[1]],
        ),
    ],
)
def test_items_with_equal_fields_are_joined(more: dict[str, Any], expected: Any) -> None:
    assert merged(by_id(**more), PEOPLE, AGES) == expected


@pytest.mark.parametrize(
    ("clash", "expected"),
    [
        ({}, {"id": 1, "a": {"x": 2, "y": 1, "z": 3}, "b": ""}),
        ({"mergeMode": "shallowMerge"}, {"id": 1, "a": {"x": 2, "z": 3}, "b": ""}),
        ({"overrideEmpty": True}, {"id": 1, "a": {"x": 2, "y": 1, "z": 3}, "b": "kept"}),
        ({"resolveClash": "preferInput1"}, {"id": 1, "a": {"x": 1, "y": 1, "z": 3}, "b": "kept"}),
        (
            {"resolveClash": "addSuffix"},
            {
                "id_1": 1,
                "a_1": {"x": 1, "y": 1},
                "b_1": "kept",
                "id_2": 1,
                "a_2": {"x": 2, "z": 3},
                "b_2": "",
            },
        ),
    ],
)
def test_clashes_are_handled_as_told(clash: dict[str, Any], expected: Any) -> None:
    first = [{"id": 1, "a": {"x": 1, "y": 1}, "b": "kept"}]
    second = [{"id": 1, "a": {"x": 2, "z": 3}, "b": ""}]

    parameters = by_id(options={"clashHandling": {"values": clash}})

    assert merged(parameters, first, second) == [expected]


def test_comparison_is_strict_unless_it_is_fuzzy() -> None:
    assert merged(by_id(), [{"id": 1}], [{"id": "1"}]) == []
    assert merged(by_id(options={"fuzzyCompare": True}), [{"id": 1}], [{"id": "1"}]) == [
        {"id": "1"}
    ]


def test_the_first_match_may_be_enough() -> None:
    twice = [{"id": 1, "k": "a"}, {"id": 1, "k": "b"}]

    assert merged(by_id(), [{"id": 1}], twice) == twice
    assert merged(by_id(options={"multipleMatches": "first"}), [{"id": 1}], twice) == twice[:1]


@pytest.mark.parametrize(
    ("version", "join", "expected"),
    [
        (3.2, "keepMatches", None),
        (2.1, "keepMatches", []),
        (2, "keepMatches", PEOPLE),
        (3.2, "enrichInput1", PEOPLE),
        (3.2, "enrichInput2", None),
        (3.2, "keepNonMatches", PEOPLE),
        (3.2, "keepEverything", PEOPLE),
    ],
)
def test_with_an_empty_second_input(version: float, join: str, expected: Any) -> None:
    fields = {"mergeByFields": {"values": [{"field1": "id", "field2": "id"}]}}

    assert merged(by_id(joinMode=join, **fields), PEOPLE, [], version=version) == expected


def test_fields_to_match_on_are_required() -> None:
    outcome = run(Merge, {"mode": "combine"}, inputs=[PEOPLE, AGES])

    assert outcome.error is not None
    assert outcome.error.message == (
        'You need to define at least one pair of fields in "Fields to Match" to match on'
    )


def test_by_position_stops_at_the_shortest_unless_unpaired_ones_count() -> None:
    by_position = {"mode": "combine", "combineBy": "combineByPosition"}
    unpaired = {**by_position, "options": {"includeUnpaired": True}}

    assert merged(by_position, [{"a": 1}, {"a": 2}], [{"b": 3}]) == [{"a": 1, "b": 3}]
    assert merged(unpaired, [{"a": 1}, {"a": 2}], [{"b": 3}]) == [{"a": 1, "b": 3}, {"a": 2}]


def test_every_item_with_every_other_descends_from_both() -> None:
    parameters = {"mode": "combine", "combineBy": "combineAll"}

    outcome = run(Merge, parameters, inputs=[[{"a": 1}], [{"b": 1}, {"b": 2}]])

    assert jsons(outcome) == [[{"a": 1, "b": 1}, {"a": 1, "b": 2}]]
    assert outcome.outputs and outcome.outputs[0]
    assert outcome.outputs[0][1]["pairedItem"] == [{"item": 0}, {"item": 1, "input": 1}]


@pytest.mark.parametrize(
    ("more", "expected"),
    [({}, [{"a": 1}]), ({"useDataOfInput": 2}, [{"b": 2}]), ({"output": "empty"}, [{}])],
)
def test_a_branch_is_chosen(more: dict[str, Any], expected: Any) -> None:
    assert merged({"mode": "chooseBranch", **more}, [{"a": 1}], [{"b": 2}]) == expected


def test_only_a_chosen_branch_needs_both_inputs() -> None:
    assert Merge().required({"mode": "chooseBranch"}, 3) == [0, 1]
    assert Merge().required({}, 3) == 1


def test_a_query_joins_inputs_and_objects_survive_it() -> None:
    query = "SELECT input1.n, input2.tags FROM input1 JOIN input2 ON input1.id = input2.id"
    second = [{"id": 2, "tags": [{"x": True}]}]

    assert merged({"mode": "combineBySql", "query": query}, PEOPLE, second) == [
        {"n": "Bob", "tags": [{"x": True}]}
    ]


@pytest.mark.parametrize(
    "query",
    [
        "ATTACH DATABASE '/tmp/x.db' AS x",
        "PRAGMA user_version",
        "DROP TABLE input1",
        "SELECT load_extension('x')",
        "SELECT 1; SELECT 2",
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT max(n) FROM t",
    ],
)
def test_a_query_can_only_read_and_not_forever(query: str) -> None:
    outcome = run(Merge, {"mode": "combineBySql", "query": query}, inputs=[PEOPLE, AGES])

    assert outcome.error is not None


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"mode": "mergeByIndex", "join": "inner"}, [{"id": 2, "n": "Robert", "age": 30}]),
        (
            {"mode": "mergeByKey", "propertyName1": "id", "propertyName2": "id"},
            [PEOPLE[0], {"id": 2, "n": "Robert", "age": 30}],
        ),
        ({"mode": "keepKeyMatches", "propertyName1": "id", "propertyName2": "id"}, [PEOPLE[1]]),
        ({"mode": "removeKeyMatches", "propertyName1": "id", "propertyName2": "id"}, [PEOPLE[0]]),
        ({"mode": "passThrough", "output": "input2"}, AGES[:1]),
        ({"mode": "wait"}, [{}]),
    ],
)
def test_first_generation_modes(parameters: dict[str, Any], expected: Any) -> None:
    outcome = run(MergeV1, parameters, inputs=[PEOPLE, AGES[:1]])

    assert jsons(outcome)[0] == expected
