"""`penstock import`: which workflow a document belongs to, and how refusals read."""

from typing import Any

import pytest

from penstock.cli.api import Api, ApiError
from penstock.cli.document_files import Found
from penstock.cli.import_workflows import Importing, belongs_to

THERE = [
    {"id": "w1", "name": "My workflow", "document_id": "a"},
    {"id": "w2", "name": "My workflow", "document_id": "b"},
    {"id": "w3", "name": "Orders", "document_id": "c"},
    {"id": "w4", "name": "Bare", "document_id": ""},
]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"id": "b", "name": "renamed since"}, "w2"),
        ({"id": "w4", "name": "taken from here"}, "w4"),
        ({"name": "Orders"}, "w3"),
        ({"id": "z", "name": "Bare"}, "w4"),
        ({"id": "z", "name": "Orders"}, None),
        ({"id": "z", "name": "My workflow"}, None),
        ({"name": "New"}, None),
        ({}, None),
    ],
)
def test_a_document_belongs_to_what_has_its_id_or_where_ids_do_not_tell_its_name(
    document: dict[str, Any], expected: str | None
) -> None:
    match = belongs_to(document, THERE)

    assert (match.workflow and match.workflow["id"], match.problem) == (expected, "")


def test_a_name_that_several_have_is_not_guessed_at() -> None:
    match = belongs_to({"name": "My workflow"}, THERE)

    assert match.workflow is None
    assert "2 workflows are named 'My workflow' (w1, w2)" in match.problem
    assert "--new" in match.problem


def test_a_refusal_tells_every_problem_once() -> None:
    problem = {
        "title": "Unprocessable Entity",
        "detail": "the workflow cannot be activated: nodes[1].type: is unknown; name: is empty",
        "problems": [
            {"path": "nodes[1].type", "message": "is unknown", "remedy": "install it"},
            {"path": "name", "message": "is empty"},
        ],
    }

    assert ApiError(422, problem).lines() == [
        "Unprocessable Entity: the workflow cannot be activated",
        "nodes[1].type: is unknown (install it)",
        "name: is empty",
    ]


def test_a_refusal_without_problems_says_what_to_do() -> None:
    problem = {"title": "Conflict", "detail": "the path is taken", "remedy": "choose another"}

    assert ApiError(409, problem).lines() == ["Conflict: the path is taken", "choose another"]


class Server(Api):
    """Stores one workflow, and activates it."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:1", "t")

    def post(self, path: str, body: Any = None) -> Any:
        hook = {"method": "POST", "url": "http://h/webhook/orders", "node": "Webhook"}
        is_active = path.endswith("/activate")
        return {"id": "w1", "name": "Orders", "version": 1, "active": is_active, "webhooks": [hook]}


def test_what_was_activated_is_told_with_its_address(capsys: pytest.CaptureFixture[str]) -> None:
    kind = Importing(Server(), [], is_activated=True).take(Found("a.json", {"name": "Orders"}))

    assert kind == "new"
    assert capsys.readouterr().out.splitlines() == [
        "a.json: w1 Orders (new)",
        "  active: POST http://h/webhook/orders",
    ]
