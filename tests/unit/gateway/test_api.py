"""What holds for the whole API: tokens, types, sizes, methods, documentation, no 5xx."""

import asyncio
import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.routing import Route

from penstock.gateway.api.table import ENDPOINTS
from penstock.subjects import names
from tests.unit.gateway.harness import TOKEN, Gateway, scope_of, until

PATHS = sorted({endpoint.path for endpoint in ENDPOINTS})


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x",
     "Bearer " + "a" * 5000, "Bearer ünïcode", f"Bearer \u00ff{TOKEN}"],
)  # fmt: skip
async def test_a_wrong_token_opens_nothing(gw: Gateway, authorization: str) -> None:
    for path in PATHS:
        target = f"/api/v1{path.replace('{id}', 'x').replace('{number}', '1')}"
        for method in ("GET", "POST", "PATCH"):
            answer = await gw.call(method, target, {}, Authorization=authorization)
            assert answer.status == 401
            assert answer.headers["www-authenticate"] == "Bearer"


async def test_without_a_token_file_nobody_may(gw: Gateway, tmp_path: Any) -> None:
    (tmp_path / "owner-token").unlink()

    assert (await gw.api("GET", "/workflows")).status == 401
    assert (await gw.call("GET", "/api/v1/workflows", Authorization="Bearer ")).status == 401


async def test_what_is_served_is_what_is_documented(gw: Gateway) -> None:
    described = (await gw.call("GET", "/api/v1/openapi.json")).json
    served = {
        route.path
        for route in gw.front._rest.routes
        if isinstance(route, Route) and route.path.startswith("/api/v1/")
    } - {"/api/v1/openapi.json"}

    assert described["openapi"] == "3.1.0"
    assert set(described["paths"]) == served
    for endpoint in ENDPOINTS:
        operation = described["paths"][f"/api/v1{endpoint.path}"][endpoint.method.lower()]
        assert operation["summary"]
        assert str(endpoint.status) in operation["responses"]
    assert set(references(described)) <= set(described["components"]["schemas"])
    operations = [o["operationId"] for p in described["paths"].values() for o in p.values()]
    assert len(operations) == len(set(operations))


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, child in value.items():
            if key == "$ref":
                yield child.rpartition("/")[2]
            yield from references(child)
    elif isinstance(value, list):
        for child in value:
            yield from references(child)


@pytest.mark.parametrize("path", PATHS)
async def test_other_methods_are_refused_with_those_that_are_allowed(
    gw: Gateway, path: str
) -> None:
    answer = await gw.api("PATCH", path.replace("{id}", "x").replace("{number}", "1"))

    allowed = {e.method for e in ENDPOINTS if e.path == path}
    assert answer.status == 405
    assert set(answer.headers["allow"].split(", ")) - {"HEAD"} == allowed


ODD = ["nope", "UPPER", "%00", "a" * 300, "..", "*", "x.y", ">", "0" * 20, "ü", "' OR 1=1"]


@pytest.mark.parametrize("odd", ODD)
async def test_odd_ids_are_never_a_fault_of_ours(gw: Gateway, odd: str) -> None:
    for endpoint in ENDPOINTS:
        if endpoint.streams or "{id}" not in endpoint.path:
            continue
        path = endpoint.path.replace("{id}", odd).replace("{number}", odd)
        body = b"" if endpoint.body is None or endpoint.body_is_optional else {}
        answer = await gw.api(endpoint.method, path, body)
        assert 400 <= answer.status < 500, (endpoint.path, answer)
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "query",
    ["limit=-1", "limit=0", "limit=x", "limit=251", "limit=1&limit=2", "cursor=%00%ff",
     "cursor=" + "x" * 600, "active=maybe", "limit=", "limit=1e3", "limit=99999999999999999999"],
)  # fmt: skip
async def test_odd_queries_are_refused_with_their_place(gw: Gateway, query: str) -> None:
    answer = await gw.api("GET", f"/workflows?{query}")

    assert answer.status == 400
    assert answer.json["detail"]


async def test_wrong_types_sizes_and_broken_json_are_named(gw: Gateway) -> None:
    broken = await gw.api("POST", "/workflows", b'{"a": ', Content_Type="application/json")
    kind = await gw.api("POST", "/workflows", b"a=1", Content_Type="text/csv")
    none = await gw.api("POST", "/workflows", b"{}")
    huge = await gw.api(
        "POST", "/workflows", b"[" + b" " * (17 << 20), Content_Type="application/json"
    )
    empty = await gw.api("POST", "/executions", b"", Content_Type="application/json")

    statuses = [answer.status for answer in (broken, kind, none, huge, empty)]
    assert statuses == [400, 415, 415, 413, 400]
    for answer in (broken, kind, none, huge, empty):
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json["detail"]


async def test_unknown_paths_are_problems_and_pages_need_no_token(gw: Gateway) -> None:
    for path in ("/", "/nowhere", "/api/v1", "/api/v1/", "/api/v1/nope", "/api/v1/workflows/"):
        answer = (
            await gw.api("GET", path.removeprefix("/api/v1"))
            if path.startswith("/api/v1")
            else await gw.call("GET", path)
        )
        assert answer.status == 404, path
        assert answer.headers["content-type"] == "application/problem+json"
    assert (await gw.call("GET", "/healthz")).json == {"status": "alive", "problems": []}
    assert (await gw.call("GET", "/readyz")).status == 200
    metrics = (await gw.call("GET", "/metrics")).body.decode()
    assert f'penstock_gateway_webhook_requests_total{{pid="{os.getpid()}"}} 0.0\n' in metrics
    assert b"<html" in (await gw.call("GET", "/api-docs")).body
    assert (await gw.call("POST", "/healthz")).status == 405


async def test_an_outage_of_the_broker_is_a_503_and_not_ready(gw: Gateway) -> None:
    gw.bus.disconnect()

    for path in ("/workflows/x", "/executions"):
        answer = await gw.api("GET", path)
        assert answer.status == 503
        assert answer.headers["retry-after"]
    assert (await gw.call("GET", "/readyz")).status == 503
    assert (await gw.call("GET", "/healthz")).status == 200
    assert (await gw.api("GET", "/status")).json["broker_connected"] is False


async def test_status_tells_streams_and_owners(gw: Gateway) -> None:
    status = (await gw.api("GET", "/status")).json

    assert {stream["name"] for stream in status["streams"]} >= {"EXEC", "STEPS", "DONE"}
    assert [p["partition"] for p in status["partitions"]] == [0, 1, 2, 3]


class Watching:
    """An open event stream."""

    def __init__(self, gw: Gateway, target: str, **headers: str) -> None:
        self.text = b""
        self.gone = asyncio.Event()
        scope = scope_of(
            "GET", target, "127.0.0.1", {"authorization": f"Bearer {TOKEN}", **headers}
        )
        self.task = asyncio.create_task(gw.front(scope, self._receive, self._send))
        self._asked = False

    async def _receive(self) -> Any:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, event: Any) -> None:
        self.text += event.get("body", b"")

    @property
    def events(self) -> list[dict[str, str]]:
        blocks = [b for b in self.text.decode().split("\n\n") if "event:" in b]
        return [dict(line.split(": ", 1) for line in block.split("\n")) for block in blocks]


async def test_watchers_see_live_events_and_may_come_back_for_what_they_missed(
    gw: Gateway,
) -> None:
    def tap(number: int, workflow: str = "w1") -> None:
        payload = json.dumps({"n": number}).encode()
        gw.bus.publish(names.tap("main", workflow, "e1", "started"), payload)

    first = Watching(gw, "/api/v1/events?workflow=w1")
    await until(lambda: b"retry" in first.text)
    tap(1)
    tap(2, "w2")
    tap(3)
    await until(lambda: len(first.events) == 2)
    assert [json.loads(event["data"])["n"] for event in first.events] == [1, 3]
    assert first.events[0]["event"] == "started"
    first.gone.set()
    tap(4)
    await first.task

    again = Watching(gw, "/api/v1/events?workflow=w1", **{"last-event-id": first.events[0]["id"]})
    await until(lambda: len(again.events) == 2)
    stranger = Watching(gw, "/api/v1/events", **{"last-event-id": "another-gateway-7"})
    await until(lambda: stranger.events)

    assert [json.loads(event["data"])["n"] for event in again.events] == [3, 4]
    assert stranger.events[0]["event"] == "gap"
    assert gw.front.life.parts is not None
    gw.front.life.parts.taps.stop()
    await asyncio.gather(again.task, stranger.task)
