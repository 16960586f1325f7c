"""Whatever is sent, the answer says what is wrong, where, and what to do; never a 5xx."""

import json
from typing import Any

import pytest

from tests.acceptance.client import Answer, Product, http
from tests.acceptance.documents import assign, chain, node, webhook


def problem(answer: Answer) -> Any:
    assert answer.headers["content-type"].startswith("application/problem+json"), answer
    assert answer.json["title"]
    assert answer.json["status"] == answer.status
    return answer.json


def listed(product: Product) -> set[str]:
    return {w["id"] for w in product.api("GET", "/workflows?limit=200").json["workflows"]}


@pytest.mark.parametrize(
    "document",
    [
        [],
        "text",
        7,
        None,
        {"nodes": 3},
        {"name": "x", "nodes": [{"name": 1}], "connections": {}},
        {"name": "x", "nodes": [{}], "connections": []},
    ],
    ids=lambda value: json.dumps(value)[:30],
)
def test_a_malformed_document_is_refused_and_leaves_nothing(
    product: Product, document: Any
) -> None:
    before = listed(product)

    answer = product.api("POST", "/workflows", document)

    assert 400 <= answer.status < 500, answer
    problem(answer)
    assert listed(product) == before


def test_all_problems_of_a_document_are_told_at_once_with_their_paths(product: Product) -> None:
    document = chain("bad", webhook("bad"), assign("Set", a="={{ $json. }}"))
    document["connections"]["Set"] = {
        "main": [[{"node": "Nobody", "type": "main", "index": 0}]],
    }

    found = problem(product.api("POST", "/workflows", document))["problems"]

    paths = " ".join(entry["path"] for entry in found)
    assert "connections" in paths
    assert "nodes[1]" in paths
    assert all(entry["message"] for entry in found)


def test_unknown_node_types_import_marked_and_activation_names_them(product: Product) -> None:
    document = chain("unknown", webhook("unknown-type"), node("Mystery", "doesNotExist"))

    created = product.api("POST", "/workflows", document)
    activated = product.api("POST", f"/workflows/{created.json['id']}/activate")

    assert created.status == 201
    assert any("doesNotExist" in problem for problem in created.json["problems"])
    assert activated.status in {409, 422}
    assert "doesNotExist" in json.dumps(problem(activated))
    assert product.webhook("unknown-type", {}).status == 404


@pytest.mark.parametrize("token", ["", "wrong", "a" * 5000, "ünïcode"])
def test_a_wrong_token_opens_nothing(product: Product, token: str) -> None:
    answer = http(
        "GET",
        f"{product.url}/api/v1/workflows",
        Authorization=f"Bearer {token}".encode().decode("latin-1"),
    )

    assert answer.status == 401
    problem(answer)


def test_two_workflows_cannot_own_one_path(product: Product) -> None:
    product.create(chain("first", webhook("mine"), assign("Set", a="first")))
    second = product.create(
        chain("second", webhook("mine"), assign("Set", a="second")), activate=False
    )

    answer = product.api("POST", f"/workflows/{second}/activate")

    assert answer.status == 409
    assert "mine" in json.dumps(problem(answer))
    assert product.webhook("mine", {}).json == {"a": "first"}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/workflows/nope", None),
        ("GET", "/workflows?limit=-1", None),
        ("GET", "/workflows?cursor=%00%ff", None),
        ("GET", "/executions?cursor=garbage", None),
        ("GET", "/executions?status=nonsense", None),
        ("GET", "/executions/..%2f..", None),
        ("GET", "/executions/UPPER", None),
        ("POST", "/executions", {}),
        ("POST", "/executions", {"workflow": "nope"}),
        ("POST", "/executions/nope/cancel", None),
        ("POST", "/executions/nope/retry", None),
        ("PUT", "/workflows/nope", {}),
        ("DELETE", "/workflows/nope", None),
        ("PATCH", "/workflows", None),
        ("GET", "/nowhere", None),
    ],
)
def test_odd_requests_get_a_client_error(
    product: Product, method: str, path: str, body: Any
) -> None:
    answer = product.api(method, path, body)

    assert 400 <= answer.status < 500, answer
    problem(answer)


def test_wrong_content_types_and_broken_json_are_named(product: Product) -> None:
    url = f"{product.url}/api/v1/workflows"
    owner = {"Authorization": f"Bearer {product.token}"}

    wrong_type = http("POST", url, b"a=1", Content_Type="text/csv", **owner)
    broken = http("POST", url, b'{"name": ', Content_Type="application/json", **owner)
    huge = http("POST", url, b"[" + b" " * (40 << 20), Content_Type="application/json", **owner)

    assert wrong_type.status in {400, 415}
    assert broken.status == 400
    assert huge.status == 413
    for answer in (wrong_type, broken, huge):
        problem(answer)
