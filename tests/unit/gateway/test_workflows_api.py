"""Workflows through the REST API: saved whole or not at all, one owner for each path."""

import asyncio
from typing import Any

import pytest

from penstock.gateway.claims import Claims
from penstock.gateway.triggers import claim_of
from penstock.subjects.workflows import ROUTES, WebhookRoute
from tests.unit.gateway.harness import Gateway, chain, no_op, webhook


def scheduled(rule: Any) -> dict[str, Any]:
    """A schedule trigger with this rule."""
    node: dict[str, Any] = no_op("At times", "n8n-nodes-base.scheduleTrigger")
    return node | {"typeVersion": 1.2, "parameters": {"rule": rule}}


async def test_a_workflow_is_created_read_listed_and_deleted(gw: Gateway) -> None:
    document = chain("first", webhook("one"), no_op("End"))

    created = await gw.api("POST", "/workflows", document)

    workflow = created.json["id"]
    assert created.headers["location"] == f"/api/v1/workflows/{workflow}"
    read = await gw.api("GET", f"/workflows/{workflow}")
    assert read.json["document"] == document
    assert (read.json["name"], read.json["active"], read.json["version"]) == ("first", False, 1)
    assert [w["id"] for w in (await gw.api("GET", "/workflows")).json["workflows"]] == [workflow]
    assert (await gw.api("DELETE", f"/workflows/{workflow}")).status == 204
    assert (await gw.api("GET", f"/workflows/{workflow}")).status == 404
    assert (await gw.api("GET", "/workflows")).json["workflows"] == []


async def test_activation_opens_the_webhook_and_deactivation_closes_it(gw: Gateway) -> None:
    workflow = await gw.create(chain("w", webhook("path")), activate=False)
    assert (await gw.call("POST", "/webhook/path", {})).status == 404

    activated = await gw.api("POST", f"/workflows/{workflow}/activate")

    assert activated.json["webhooks"] == [
        {"method": "POST", "url": "http://penstock.example/webhook/path", "node": "Webhook"}
    ]
    assert (await gw.call("POST", "/webhook/path", {})).status == 200
    await gw.api("POST", f"/workflows/{workflow}/deactivate")
    assert (await gw.call("POST", "/webhook/path", {})).status == 404


async def test_saving_makes_versions_and_publishes_while_active(gw: Gateway) -> None:
    workflow = await gw.create(chain("w", webhook("old")))

    saved = await gw.api("PUT", f"/workflows/{workflow}", chain("w2", webhook("new")))

    assert (saved.json["version"], saved.json["active_version"]) == (2, 2)
    assert (await gw.call("POST", "/webhook/old", {})).status == 404
    assert (await gw.call("POST", "/webhook/new", {})).status == 200
    kept = await gw.api(
        "PUT", f"/workflows/{workflow}?publish=false", chain("w3", webhook("newest"))
    )
    assert (kept.json["version"], kept.json["active_version"]) == (3, 2)
    assert (await gw.call("POST", "/webhook/newest", {})).status == 404
    versions = (await gw.api("GET", f"/workflows/{workflow}/versions")).json["versions"]
    assert [(v["number"], v["active"]) for v in versions] == [(3, False), (2, True), (1, False)]
    first = await gw.api("GET", f"/workflows/{workflow}/versions/1")
    assert first.json["document"] == chain("w", webhook("old"))
    back = await gw.api("POST", f"/workflows/{workflow}/activate?version=1")
    assert back.json["active_version"] == 1
    assert (await gw.call("POST", "/webhook/old", {})).status == 200


async def test_saving_the_same_document_again_makes_no_version(gw: Gateway) -> None:
    document = chain("w", webhook("same"))
    workflow = await gw.create(document)

    assert (await gw.api("PUT", f"/workflows/{workflow}", document)).json["version"] == 1


async def test_a_save_that_expects_another_revision_is_refused(gw: Gateway) -> None:
    workflow = await gw.create(chain("w", webhook("a")), activate=False)
    tag = (await gw.api("GET", f"/workflows/{workflow}")).headers["etag"]
    changed = chain("w", webhook("b"))

    first = await gw.api("PUT", f"/workflows/{workflow}", changed, If_Match=tag)
    second = await gw.api("PUT", f"/workflows/{workflow}", changed, If_Match=tag)
    odd = await gw.api("PUT", f"/workflows/{workflow}", changed, If_Match="nonsense")

    assert (first.status, second.status, odd.status) == (200, 412, 412)


async def test_two_workflows_cannot_own_one_path(gw: Gateway) -> None:
    first = await gw.create(chain("first", webhook("mine")))
    second = await gw.create(chain("second", webhook("/mine/")), activate=False)

    refused = await gw.api("POST", f"/workflows/{second}/activate")

    assert refused.status == 409
    assert "mine" in refused.json["detail"]
    assert first in refused.json["detail"]
    await gw.api("POST", f"/workflows/{first}/deactivate")
    assert (await gw.api("POST", f"/workflows/{second}/activate")).status == 200
    assert (await gw.api("POST", f"/workflows/{first}/activate")).status == 409


async def test_of_many_activations_at_once_exactly_one_gets_the_path(gw: Gateway) -> None:
    rivals = [
        await gw.create(chain(f"rival {n}", webhook("one")), activate=False) for n in range(6)
    ]

    answers = await asyncio.gather(
        *(gw.api("POST", f"/workflows/{rival}/activate") for rival in rivals)
    )

    listed = (await gw.api("GET", "/workflows?active=true")).json["workflows"]
    assert sorted(answer.status for answer in answers) == [200, *[409] * 5]
    assert len(listed) == 1


async def test_a_claim_that_a_crash_left_behind_keeps_nobody_out(gw: Gateway) -> None:
    crashed = await gw.create(chain("crashed", webhook("left")), activate=False)
    parts = gw.front.life.parts
    assert parts is not None
    record = (await parts.directory.get("main", crashed)).record
    await Claims(gw.bus).take(record, [WebhookRoute("POST", "left", "Webhook")])
    other = await gw.create(chain("other", webhook("left")), activate=False)

    assert (await gw.api("POST", f"/workflows/{other}/activate")).status == 200
    entries = gw.bus.bucket(ROUTES)
    keys = [entry.key async for entry in _told(entries)]
    assert len(keys) == 1


async def _told(bucket: Any) -> Any:
    async for entry in bucket.watch():
        if entry is None:
            return
        yield entry


def test_paths_with_the_same_shape_are_the_same_claim() -> None:
    one = claim_of(WebhookRoute("GET", "users/:id/x", "a"))

    assert one == claim_of(WebhookRoute("GET", "users/:name/x", "b"))
    assert one != claim_of(WebhookRoute("GET", "users/id/x", "b"))
    assert one != claim_of(WebhookRoute("PUT", "users/:id/x", "b"))


@pytest.mark.parametrize(
    ("node", "place"),
    [
        (webhook(""), "path"),
        (webhook("={{ $json.x }}"), "path"),
        (webhook("a//b"), "path"),
        (webhook("a b"), "path"),
        (webhook("a/:"), "path"),
        (webhook("x" * 501), "path"),
        (webhook("a", httpMethod="BREW"), "httpMethod"),
        (webhook("a", httpMethod=7), "httpMethod"),
        (webhook("a", authentication="basicAuth"), "authentication"),
        (webhook("a", "streaming"), "responseMode"),
        (webhook("a", options={"ipWhitelist": "10.0.0.0/8, nonsense"}), "ipWhitelist"),
        (no_op("End"), "nodes"),
        (no_op("Odd", "n8n-nodes-base.doesNotExist"), "nodes[0].type"),
        (scheduled({"interval": [{"field": "cronExpression", "expression": "soon"}]}), "nodes[0]"),
        (scheduled({"interval": [{"field": "cronExpression", "expression": "0 0 31 2 *"}]}), "no"),
        (scheduled({"interval": [{"field": "seconds", "secondsInterval": "x"}]}), "nodes[0]"),
        (scheduled({"interval": []}), "nodes[0].parameters"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_what_cannot_be_activated_says_why(
    gw: Gateway, node: dict[str, Any], place: str
) -> None:
    workflow = await gw.create(chain("w", node, no_op("Last")), activate=False)

    refused = await gw.api("POST", f"/workflows/{workflow}/activate")

    assert refused.status == 422
    assert any(place in problem["path"] for problem in refused.json["problems"])
    assert all(problem["message"] for problem in refused.json["problems"])
    assert (await gw.api("GET", f"/workflows/{workflow}")).json["active"] is False


async def test_a_time_zone_that_does_not_exist_is_a_problem_of_any_document(gw: Gateway) -> None:
    document = chain("w", no_op("Last")) | {"settings": {"timezone": "Mars/Base"}}

    refused = await gw.api("POST", "/workflows", document)

    assert refused.status == 422
    assert [problem["path"] for problem in refused.json["problems"]] == ["settings.timezone"]
    assert "Mars/Base" in refused.json["detail"]


async def test_what_is_wrong_with_a_document_comes_with_what_will_stop_its_activation(
    gw: Gateway,
) -> None:
    cron = scheduled({"interval": [{"field": "cronExpression", "expression": "nonsense"}]})
    odd = no_op("Odd", "n8n-nodes-base.doesNotExist")
    settings = {"timezone": "Mars/Base", "executionTimeout": "soon"}

    refused = await gw.api("POST", "/workflows", chain("w", cron, odd) | {"settings": settings})

    assert refused.status == 422
    assert [problem["path"] for problem in refused.json["problems"]] == [
        "settings.executionTimeout",
        "settings.timezone",
        "nodes[1].type",
        "nodes[0].parameters",
    ]
    assert "2 problems" in refused.json["detail"]
    assert "2 more would keep it from being activated" in refused.json["detail"]


async def test_an_expression_that_does_not_parse_is_told_with_its_path_and_text(
    gw: Gateway,
) -> None:
    node = no_op("Set", "n8n-nodes-base.set")
    node["parameters"] = {"a": [{"b c": "fine"}, {"b c": "={{ $json. }}"}]}

    refused = await gw.api("POST", "/workflows", chain("w", webhook("a"), node))

    assert refused.status == 422
    assert [problem["path"] for problem in refused.json["problems"]] == [
        "nodes[1].parameters.a[1]['b c']"
    ]
    assert "{{ $json. }}" in refused.json["detail"]


async def test_unknown_node_types_are_saved_marked_and_named_at_activation(gw: Gateway) -> None:
    document = chain("w", webhook("a"), no_op("Odd", "n8n-nodes-base.doesNotExist"))

    created = await gw.api("POST", "/workflows", document)
    activated = await gw.api("POST", f"/workflows/{created.json['id']}/activate")

    assert any("doesNotExist" in problem for problem in created.json["problems"])
    assert activated.status == 422
    assert "doesNotExist" in activated.json["detail"]


async def test_all_problems_of_a_document_are_told_and_nothing_is_stored(gw: Gateway) -> None:
    document = chain("bad", webhook("a"), no_op("A", x="={{ $json. }}"), no_op("B"))
    document["connections"]["B"] = {"main": [[{"node": "Nobody", "type": "main", "index": 0}]]}
    document["nodes"].append({"name": 1})

    refused = await gw.api("POST", "/workflows", document)

    assert refused.status == 422
    paths = " ".join(problem["path"] for problem in refused.json["problems"])
    assert "connections['B']" in paths
    assert "nodes[1]" in paths
    assert "nodes[3]" in paths
    assert (await gw.api("GET", "/workflows")).json["workflows"] == []


@pytest.mark.parametrize(
    "body", [[], "text", 7, None, {"nodes": 3}, {"nodes": [{}], "connections": []}, {}], ids=str
)
async def test_what_is_no_document_is_refused(gw: Gateway, body: Any) -> None:
    assert (await gw.api("POST", "/workflows", body)).status == 422
    assert (await gw.api("GET", "/workflows")).json["workflows"] == []


async def test_lists_come_in_pages_newest_first(gw: Gateway) -> None:
    made = [await gw.create(chain(f"n{n}", no_op("End")), activate=False) for n in range(5)]

    seen: list[str] = []
    cursor = ""
    while True:
        page = (await gw.api("GET", f"/workflows?limit=2&cursor={cursor}")).json
        seen += [workflow["id"] for workflow in page["workflows"]]
        cursor = page["next_cursor"]
        if not cursor:
            break

    assert sorted(seen) == sorted(made)
    assert seen == sorted(seen, reverse=True)
    assert len((await gw.api("GET", "/workflows?name=N3")).json["workflows"]) == 1


async def test_a_restarted_gateway_knows_every_route(gw: Gateway, tmp_path: Any) -> None:
    await gw.create(chain("w", webhook("kept")))
    parts = gw.front.life.parts
    assert parts is not None
    routes = type(parts.routes)()
    catalog = type(parts.catalog)(routes, gw.metrics)
    following = asyncio.create_task(catalog.follow(gw.bus.bucket("workflows")))

    await catalog.loaded.wait()

    following.cancel()
    assert routes.find("kept") is not None
