"""What a waiting webhook request is answered, and when."""

from typing import Any

import pytest

from penstock.actors.execution import core
from penstock.actors.execution.effects import Answer
from penstock.subjects.messages import Respond
from tests.unit.engine.workflows import begun, node, plan_of


def answered(*nodes: dict[str, Any], items: list[dict[str, Any]], **webhook: Any) -> Respond:
    plan = plan_of(
        [node("w", "webhook", **webhook), *nodes],
        *(f"{one} > {other['name']}" for one, other in zip(_names(nodes), nodes, strict=False)),
    )
    _, turn = begun(plan, *items, mode="webhook", reply=True)
    answers = [effect for effect in turn.effects if isinstance(effect, Answer)]
    assert len(answers) == 1
    return answers[0].response


def _names(nodes: tuple[dict[str, Any], ...]) -> list[str]:
    return ["w", *(node["name"] for node in nodes)]


def test_without_a_mode_the_request_is_answered_at_once() -> None:
    response = answered(items=[{"x": 1}])

    assert (response.status, response.body) == (200, b'{"message":"Workflow was started"}')


@pytest.mark.parametrize(
    ("settings", "body"),
    [
        ({}, b'{"a":{"b":[1]}}'),
        ({"responseData": "allEntries"}, b'[{"a":{"b":[1]}},{"c":2}]'),
        ({"responseData": "noData"}, b""),
        ({"options": {"responsePropertyName": "a.b"}}, b"[1]"),
    ],
)
def test_the_last_nodes_items_are_the_answer(settings: dict[str, Any], body: bytes) -> None:
    items: list[dict[str, Any]] = [{"a": {"b": [1]}}, {"c": 2}]

    response = answered(node("a"), items=items, responseMode="lastNode", **settings)

    assert (response.status, response.body) == (200, body)


def test_response_code_and_headers_come_from_the_webhooks_options() -> None:
    options = {
        "responseCode": {"values": {"responseCode": 202}},
        "responseHeaders": {"entries": [{"name": "X-Mine", "value": "yes"}]},
    }

    response = answered(items=[{}], responseMode="lastNode", options=options)

    assert response.status == 202
    assert response.headers["x-mine"] == "yes"


def test_a_respond_node_answers_once_and_the_workflow_goes_on() -> None:
    response = answered(
        node("r", "responder"), node("after"), items=[{}], responseMode="responseNode"
    )

    assert (response.status, response.body) == (201, b"mine")


def test_a_failure_is_told_without_its_reason() -> None:
    response = answered(node("f", "fails", message="secret"), items=[{}], responseMode="lastNode")

    assert (response.status, response.body) == (500, b'{"message":"Error in workflow"}')


def test_nobody_is_answered_when_nobody_waits() -> None:
    plan = plan_of([node("w", "webhook", responseMode="lastNode")])

    state, turn = begun(plan, mode="webhook")

    assert turn.effects == []
    assert core.outstanding(state, 0) == []


@pytest.mark.parametrize("mode", ["onReceived", "lastNode", "responseNode"])
def test_settings_that_cannot_be_evaluated_are_the_failure_of_their_node(mode: str) -> None:
    plan = plan_of(
        [
            node("w", "webhook", responseMode=mode, options="={{ $('a').first().json.x }}"),
            node("a"),
        ],
        "w > a",
    )

    state, turn = begun(plan, {}, mode="webhook", reply=True)

    answers = [effect for effect in turn.effects if isinstance(effect, Answer)]
    assert [answer.response.status for answer in answers] == [500]
    assert state.status == "error"
    assert state.error is not None
    assert state.error.node == "w"


@pytest.mark.parametrize("value", ["={{ 5 }}", "={{ [1] }}", "={{ 'text' }}", "={{ null }}"])
def test_expressions_in_the_place_of_groups_of_settings_count_as_unset(value: str) -> None:
    options = {"responseCode": value, "responseHeaders": value}

    for each in (options, {"responseHeaders": {"entries": value}}, value):
        response = answered(items=[{}], responseMode="lastNode", options=each)

        assert response.status == 200
