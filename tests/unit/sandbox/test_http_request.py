"""HTTP Request against a real server on this machine, through the host's guarded session."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from aiohttp import web

from penstock.nodes.http_request import HttpRequest
from penstock.nodes.http_request_v1 import HttpRequestV1
from penstock.sandbox_host.egress import EgressPolicy
from penstock.sandbox_host.services import Services
from penstock.sdk import testkit
from penstock.sdk.node import Node
from penstock.sdk.runner import run_node_async
from penstock.subjects.blobs import BlobStore
from penstock.subjects.messages import Outcome


async def _text(part: Any) -> str:
    return part if isinstance(part, str) else part.file.read().decode()


async def _echo(request: web.Request) -> web.Response:
    body = await request.text() if request.content_type != "multipart/form-data" else ""
    parts: dict[str, str] = {}
    if request.content_type == "multipart/form-data":
        parts = {name: await _text(part) for name, part in (await request.post()).items()}
    shown = {
        "method": request.method,
        "query": [[key, value] for key, value in request.query.items()],
        "type": request.headers.get("content-type", "").partition(";")[0],
        "custom": request.headers.get("x-custom", ""),
        "body": body,
        "parts": parts,
    }
    return web.json_response(shown)


async def _status(request: web.Request) -> web.Response:
    return web.json_response({"why": "test"}, status=int(request.match_info["code"]))


async def _page(request: web.Request) -> web.Response:
    number = int(request.query.get("page", 0))
    rows = [{"row": number * 2 + place} for place in range(2)] if number < 3 else []
    return web.json_response(rows)


async def _binary(request: web.Request) -> web.Response:
    return web.Response(body=b"\x89PNG", content_type="image/png")


def _application() -> web.Application:
    async def text(_: web.Request) -> web.Response:
        return web.Response(text="hello")

    async def broken(_: web.Request) -> web.Response:
        return web.Response(text="{no", content_type="application/json")

    async def slow(_: web.Request) -> web.Response:
        await asyncio.sleep(5)
        return web.Response()

    async def redirect(_: web.Request) -> web.Response:
        raise web.HTTPFound("/text")

    async def array(_: web.Request) -> web.Response:
        return web.json_response([{"a": 1}, {"a": 2}])

    application = web.Application()
    routes: dict[str, Callable[[web.Request], Any]] = {
        "/echo": _echo,
        "/status/{code}": _status,
        "/page": _page,
        "/picture.png": _binary,
        "/text": text,
        "/broken": broken,
        "/slow": slow,
        "/redirect": redirect,
        "/array": array,
    }
    for path, handler in routes.items():
        application.router.add_route("*", path, handler)
    return application


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    loop = asyncio.new_event_loop()
    runner = web.AppRunner(_application(), shutdown_timeout=0.1)
    loop.run_until_complete(runner.setup())
    site = web.TCPSite(runner, "127.0.0.1", 0)
    loop.run_until_complete(site.start())
    thread = Thread(target=loop.run_forever)
    thread.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


class Request:
    """Runs the node with a session that may reach this machine."""

    def __init__(self, blobs: Path) -> None:
        self._blobs = BlobStore.local(blobs)
        self.allowed = "127.0.0.1/32"

    def __call__(
        self,
        parameters: dict[str, Any],
        items: Any = ({},),
        *,
        node: type[Node] = HttpRequest,
        version: float = 4.2,
        **settings: Any,
    ) -> Outcome:
        async def main() -> Outcome:
            policy = EgressPolicy.from_text(self.allowed)
            async with Services(policy=policy, blobs=self._blobs) as services:
                scope = testkit.scope_of(node, parameters, items, version=version, **settings)
                return await run_node_async(scope, services)

        return asyncio.run(main())


@pytest.fixture
def request_node(tmp_path: Path) -> Request:
    return Request(tmp_path)


def jsons(outcome: Outcome) -> list[Any]:
    assert outcome.error is None, outcome.error
    found: list[Any] = testkit.jsons(outcome)[0]
    return found


def test_query_headers_and_a_json_body_are_sent(request_node: Request, url: str) -> None:
    pairs = {"parameters": [{"name": "a", "value": "={{ [1, 2] }}"}, {"name": "b", "value": "x y"}]}
    sent = jsons(
        request_node(
            {
                "method": "POST",
                "url": f"{url}/echo",
                "sendQuery": True,
                "queryParameters": pairs,
                "sendHeaders": True,
                "headerParameters": {"parameters": [{"name": "X-Custom", "value": "yes"}]},
                "sendBody": True,
                "bodyParameters": {"parameters": [{"name": "deep.list[0]", "value": "={{ 7 }}"}]},
            }
        )
    )[0]

    assert sent["query"] == [["a[]", "1"], ["a[]", "2"], ["b", "x y"]]
    assert (sent["method"], sent["custom"], sent["type"]) == ("POST", "yes", "application/json")
    assert json.loads(sent["body"]) == {"deep": {"list": [7]}}


@pytest.mark.parametrize(
    ("parameters", "kind", "body"),
    [
        ({"specifyBody": "json", "jsonBody": '{"a": 1}'}, "application/json", '{"a":1}'),
        ({"specifyBody": "json", "jsonBody": "={{ {a: [1]} }}"}, "application/json", '{"a":[1]}'),
        (
            {
                "contentType": "form-urlencoded",
                "bodyParameters": {"parameters": [{"name": "a", "value": "1 2"}]},
            },
            "application/x-www-form-urlencoded",
            "a=1+2",
        ),
        (
            {"contentType": "raw", "rawContentType": "text/csv", "body": "a,b"},
            "text/csv",
            "a,b",
        ),
    ],
)
def test_kinds_of_bodies(
    request_node: Request, url: str, parameters: dict[str, Any], kind: str, body: str
) -> None:
    base = {"method": "POST", "url": f"{url}/echo", "sendBody": True}

    sent = jsons(request_node({**base, **parameters}))[0]

    assert (sent["type"], sent["body"]) == (kind, body)


def test_multipart_fields_and_files(request_node: Request, url: str) -> None:
    picture = request_node({"url": f"{url}/picture.png"})
    assert picture.outputs and picture.outputs[0]
    item = picture.outputs[0][0]
    assert item["binary"]["data"]["mimeType"] == "image/png"
    assert item["binary"]["data"]["fileName"] == "picture.png"

    fields = [
        {"parameterType": "formData", "name": "text", "value": "hello"},
        {"parameterType": "formBinaryData", "name": "file", "inputDataFieldName": "copy"},
    ]
    stored = asyncio.run(request_node._blobs.put(b"content"))
    copy = {"id": stored, "mimeType": "text/plain", "fileName": "a.txt"}
    sent = jsons(
        request_node(
            {
                "method": "POST",
                "url": f"{url}/echo",
                "sendBody": True,
                "contentType": "multipart-form-data",
                "bodyParameters": {"parameters": fields},
            },
            [{"json": {}, "binary": {"copy": copy}}],
        )
    )[0]

    assert sent["parts"] == {"text": "hello", "file": "content"}


@pytest.mark.parametrize(
    ("path", "options", "expected"),
    [
        ("/array", {}, [{"a": 1}, {"a": 2}]),
        ("/text", {}, [{"data": "hello"}]),
        ("/redirect", {}, [{"data": "hello"}]),
        (
            "/text",
            {"response": {"response": {"responseFormat": "text", "outputPropertyName": "page"}}},
            [{"page": "hello"}],
        ),
        (
            "/status/404",
            {"response": {"response": {"neverError": True}}},
            [{"why": "test"}],
        ),
    ],
)
def test_responses_become_items(
    request_node: Request, url: str, path: str, options: Any, expected: Any
) -> None:
    assert jsons(request_node({"url": url + path, "options": options})) == expected


def test_a_full_response_has_status_and_headers(request_node: Request, url: str) -> None:
    options = {"response": {"response": {"fullResponse": True}}}

    found = jsons(request_node({"url": f"{url}/array", "options": options}))

    assert [one["statusCode"] for one in found] == [200]
    assert found[0]["body"] == [{"a": 1}, {"a": 2}]
    assert found[0]["headers"]["content-type"].startswith("application/json")


@pytest.mark.parametrize(
    ("path", "options", "message"),
    [
        ("/status/404", {}, "The resource you are requesting could not be found"),
        ("/status/401", {}, "Authorization failed - please check your credentials"),
        ("/status/500", {}, "The service was not able to process your request"),
        ("/broken", {}, "Invalid JSON in response body"),
        ("/slow", {"timeout": 100}, "timeout of 100ms exceeded"),
    ],
)
def test_failures_read_as_people_know_them(
    request_node: Request, url: str, path: str, options: Any, message: str
) -> None:
    outcome = request_node({"url": url + path, "options": options})

    assert outcome.error is not None
    assert outcome.error.message == message


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"url": "ftp://x"}, 'Invalid URL: ftp://x. URL must start with "http" or "https".'),
        ({}, "URL parameter must be a string, got undefined"),
        (
            {"url": "http://x", "authentication": "genericCredentialType"},
            "This HTTP Request uses credentials, which come in a later version of Penstock",
        ),
        (
            {"url": "http://x", "sendBody": True, "specifyBody": "json", "jsonBody": "{no"},
            "JSON parameter needs to be valid JSON",
        ),
    ],
)
def test_bad_parameters_are_refused(
    request_node: Request, parameters: dict[str, Any], message: str
) -> None:
    outcome = request_node(parameters)

    assert outcome.error is not None
    assert outcome.error.message == message


def test_items_stay_in_order_and_failures_in_their_place(request_node: Request, url: str) -> None:
    outcome = request_node(
        {"url": f"={url}/status/{{{{ $json.code }}}}"},
        [{"code": 200}, {"code": 404}, {"code": 201}],
        onError="continueRegularOutput",
    )

    found = jsons(outcome)
    assert [found[0], found[2]] == [{"why": "test"}, {"why": "test"}]
    assert found[1]["error"]["status"] == 404


def test_pages_are_fetched_until_one_is_empty(request_node: Request, url: str) -> None:
    parameter = {"type": "qs", "name": "page", "value": "={{ $pageCount }}"}
    pagination = {"pagination": {"pagination": {"parameters": {"parameters": [parameter]}}}}

    found = jsons(request_node({"url": f"{url}/page", "options": pagination}))

    assert [item["row"] for item in found] == [0, 1, 2, 3, 4, 5]


def test_pages_that_never_change_are_stopped(request_node: Request, url: str) -> None:
    pagination: Any = {"pagination": {"pagination": {"parameters": {"parameters": []}}}}

    outcome = request_node({"url": f"{url}/array", "options": pagination})

    assert outcome.error is not None
    assert "identical 5x" in outcome.error.message


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"])
def test_this_machine_is_out_of_reach_unless_allowed(
    request_node: Request, url: str, host: str
) -> None:
    request_node.allowed = ""

    outcome = request_node({"url": url.replace("127.0.0.1", host) + "/text"})

    assert outcome.error is not None
    assert "is not allowed" in outcome.error.message
    assert "PENSTOCK_EGRESS_ALLOW" in outcome.error.description


def test_version_1_keeps_an_array_in_one_item_unless_split(request_node: Request, url: str) -> None:
    base = {"url": f"{url}/array"}

    whole = jsons(request_node(base, node=HttpRequestV1, version=1))
    split = jsons(
        request_node({**base, "options": {"splitIntoItems": True}}, node=HttpRequestV1, version=2)
    )

    assert whole == [{"data": [{"a": 1}, {"a": 2}]}]
    assert split == [{"a": 1}, {"a": 2}]
