"""Reading documents: what is messy is read, what is wrong is told with its place."""

from typing import Any

import pytest

from penstock.workflow.document import InvalidDocumentError, content_hash, decode
from penstock.workflow.validate import check

SET = {"name": "a", "type": "n8n-nodes-base.set"}


def problems(**document: Any) -> list[str]:
    document.setdefault("nodes", [SET])
    return [str(problem) for problem in check(document)[1]]


def test_every_problem_is_found_at_once_with_the_path_to_it() -> None:
    found = problems(
        nodes=[
            {"name": "a", "type": "x", "position": "here"},
            {"name": "a", "type": "y"},
            {"type": "z"},
            {"name": "b", "type": "x", "parameters": [1], "onError": "panic"},
        ],
        connections={"a": {"main": [[{"node": "ghost", "type": "main", "index": 0}]]}, "no": {}},
        settings={"executionOrder": "v9"},
    )

    assert found == [
        "nodes[0].position: must be [x, y]",
        "nodes[1].name: the name 'a' is also that of nodes[0]",
        "nodes[2].name: a node needs a name",
        "nodes[3].parameters: must be an object, not a list",
        "nodes[3].onError: unknown: 'panic'",
        "connections['a'].main[0][0].node: there is no node named 'ghost'",
        "connections['no']: there is no node named 'no'",
        "settings.executionOrder: unknown: 'v9'",
    ]


@pytest.mark.parametrize(
    "mess",
    [
        {"typeVersion": None},
        {"typeVersion": "2"},
        {"parameters": None},
        {"parameters": []},
        {"credentials": {"httpBasicAuth": "mine"}},
        {"credentials": {"httpBasicAuth": None}},
        {"credentials": None},
        {"position": {"x": 1, "y": 2}},
        {"webhookId": None, "notes": 7, "color": "#fff", "nobodyKnows": {"this": []}},
        {"continueOnFail": True},
    ],
)
def test_the_mess_of_real_exports_is_read_without_complaint(mess: dict[str, Any]) -> None:
    assert problems(nodes=[{**SET, **mess}]) == []


def test_what_is_messy_gets_its_one_sensible_meaning() -> None:
    node = {**SET, "typeVersion": "3.4", "continueOnFail": True, "credentials": {"k": "mine"}}

    document, _ = check({"nodes": [node], "connections": None, "pinData": {"a": [{"x": 1}]}})

    read = document.nodes[0]
    assert (read.version, read.on_error) == (3.4, "continueRegularOutput")
    assert read.credentials == {"k": {"name": "mine"}}
    assert document.pinned == {"a": [{"json": {"x": 1}}]}


@pytest.mark.parametrize("raw", [None, 7, [], "text", {}, {"nodes": {}}, {"nodes": [3, None]}])
def test_no_json_value_makes_the_check_crash(raw: Any) -> None:
    assert check(raw)[1]


def test_a_document_that_is_nested_without_end_is_refused() -> None:
    deep: Any = {}
    for _ in range(200):
        deep = {"x": deep}

    assert problems(nodes=[{**SET, "parameters": deep}]) == [": nested deeper than 100 levels"[2:]]
    with pytest.raises(InvalidDocumentError):
        decode("[" * 100_000)


def test_empty_outputs_and_other_kinds_of_connections_are_read() -> None:
    nodes = [{**SET, "name": name} for name in ("agent", "model", "after")]
    wire = {"node": "after", "type": "main", "index": 0}
    model = {"node": "agent", "type": "ai_languageModel", "index": 0}

    document, found = check(
        {
            "nodes": nodes,
            "connections": {
                "agent": {"main": [None, [wire]]},
                "model": {"ai_languageModel": [[model]]},
            },
        }
    )

    assert found == []
    assert document.connections["agent"] == [[], [("after", 0)]]
    assert document.sub_nodes == {"model"}


def test_the_hash_tells_documents_apart_by_content() -> None:
    one = {"nodes": [], "name": "x"}

    assert content_hash(one) == content_hash(decode('{"nodes": [], "name": "x"}'))
    assert content_hash(one) != content_hash({"nodes": [], "name": "y"})


@pytest.mark.parametrize("text", ["", "{", "[]", "7", b"\xff"])
def test_what_is_no_document_is_refused_with_a_remedy(text: str | bytes) -> None:
    with pytest.raises(InvalidDocumentError) as refused:
        decode(text)

    assert refused.value.remedy
