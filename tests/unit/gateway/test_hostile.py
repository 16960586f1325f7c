"""Whatever is sent, it is refused or taken; it is never a fault of ours."""

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.gateway.api.table import ENDPOINTS
from penstock.gateway.bodies import BODY_BYTES_MAX
from penstock.gateway.ingress import WINDOW
from penstock.subjects.errors import StorageFullError, StreamFullError
from tests.unit.gateway.harness import Gateway, chain, gateway, webhook

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
KEYS = st.sampled_from(
    ["name", "nodes", "connections", "settings", "pinData", "tags", "main", "type", "parameters",
     "node", "index", "typeVersion", "position", "workflow", "document", "items", "json", "start",
     "path", "httpMethod", "options", "version", "executionTimeout", "webhooks_per_s"]
)  # fmt: skip
JSON = st.recursive(
    SCALARS | st.sampled_from(["n8n-nodes-base.webhook", "n8n-nodes-base.set", "={{ $json. }}"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(), inner, max_size=5)
    ),
    max_leaves=25,
)
NODE = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["A", "B", "C"]) | JSON,
        "type": st.sampled_from(["n8n-nodes-base.webhook", "n8n-nodes-base.if"]) | JSON,
    },
    optional={
        "typeVersion": st.sampled_from([1, 2, 2.1]) | JSON,
        "parameters": st.dictionaries(KEYS | st.text(), JSON, max_size=6),
        "position": JSON,
        "webhookId": JSON,
        "disabled": JSON,
        "credentials": JSON,
    },
)
DOCUMENT = st.fixed_dictionaries(
    {"nodes": st.lists(NODE, max_size=3)},
    optional={"name": JSON, "connections": JSON, "settings": JSON, "pinData": JSON, "tags": JSON},
)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "ipWhitelist": JSON,
        "allowedOrigins": JSON,
        "responseData": JSON,
        "responseCode": JSON,
        "responseHeaders": JSON,
        "binaryPropertyName": JSON,
        "rawBody": JSON,
        "ignoreBots": JSON,
        "noResponseBody": JSON,
        "responseContentType": JSON,
    },
)
NEARLY_VALID = st.builds(
    lambda parameters, options, more: (
        chain(
            "nearly", webhook("a") | {"parameters": {"path": "a", "options": options} | parameters}
        )
        | {"settings": more}
    ),
    parameters=st.fixed_dictionaries(
        {},
        optional={
            "path": st.text(max_size=8),
            "httpMethod": st.sampled_from(["GET", "PUT"]) | JSON,
            "multipleMethods": st.booleans(),
            "responseMode": st.just("onReceived") | JSON,
            "responseCode": JSON,
            "authentication": JSON,
            "options": JSON,
        },
    ),
    options=OPTIONS,
    more=st.fixed_dictionaries({}, optional={"executionTimeout": st.floats(0, 0.2) | JSON}),
)
WRITES = [e for e in ENDPOINTS if e.body is not None]


def against_a_gateway(use: Any) -> None:
    async def run() -> None:
        with tempfile.TemporaryDirectory() as directory:
            async with gateway(Path(directory)) as gw:
                await use(gw)

    asyncio.run(run())


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(document=NEARLY_VALID | DOCUMENT | JSON)
def test_any_document_is_stored_whole_or_refused(document: Any) -> None:
    async def use(gw: Gateway) -> None:
        created = await gw.api("POST", "/workflows", msgspec_json(document), **JSON_TYPE)
        assert created.status in {201, 400, 422}, created
        if created.status != 201:
            assert (await gw.api("GET", "/workflows")).json["workflows"] == []
            return
        workflow = created.json["id"]
        read = await gw.api("GET", f"/workflows/{workflow}")
        assert read.status == 200
        activated = await gw.api("POST", f"/workflows/{workflow}/activate")
        assert activated.status in {200, 409, 422}, activated
        for view in activated.json.get("webhooks", ()):
            target = view["url"].removeprefix("http://penstock.example")
            answer = await asyncio.wait_for(gw.call(view["method"], target), 20)
            assert answer.status < 500 or answer.status == 504, answer

    against_a_gateway(use)


JSON_TYPE = {"content_type": "application/json"}


def msgspec_json(value: Any) -> bytes:
    try:
        return msgspec.json.encode(value)
    except (OverflowError, UnicodeEncodeError):
        return b"[]"


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=JSON | st.binary(max_size=200), kind=st.sampled_from(["application/json", "text/x"]))
def test_any_body_on_any_endpoint_is_no_fault_of_ours(body: Any, kind: str) -> None:
    raw = body if isinstance(body, bytes) else msgspec_json(body)

    async def use(gw: Gateway) -> None:
        for endpoint in WRITES:
            path = endpoint.path.replace("{id}", "x")
            answer = await gw.api(endpoint.method, path, raw, Content_Type=kind)
            assert answer.status < 500, (endpoint.path, answer)

    against_a_gateway(use)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    path=st.text(max_size=40),
    query=st.text(max_size=40),
    body=st.binary(max_size=200),
    kind=st.sampled_from(
        ["application/json", "multipart/form-data; boundary=x", "text/plain; charset=utf-16",
         "application/x-www-form-urlencoded", "", "; ;", "application/octet-stream"]
    ),
)  # fmt: skip
def test_any_webhook_call_is_no_fault_of_ours(
    path: str, query: str, body: bytes, kind: str
) -> None:
    async def use(gw: Gateway) -> None:
        await gw.create(chain("any", webhook("any/:a", webhook_id="w")))
        tail = query.encode("utf-8", "replace").decode("latin-1")
        for target in (f"/webhook/{path}", f"/webhook/any/{path}", f"/webhook-waiting/{path}"):
            answer = await gw.call("POST", f"{target}?{tail}", body, Content_Type=kind)
            assert answer.status < 500, answer

    against_a_gateway(use)


async def test_numbers_beyond_64_bits_are_what_javascript_makes_of_them(gw: Gateway) -> None:
    huge = b"123456789012345678901234567890"
    document = (
        b'{"name": "huge", "connections": {}, "nodes": [{"name": "A", "typeVersion": 1,'
        b'"type": "n8n-nodes-base.noOp", "parameters": {"n": ' + huge + b"}}]}"
    )

    created = await gw.api("POST", "/workflows", document, **JSON_TYPE)
    started = await gw.api(
        "POST",
        "/executions",
        b'{"document": ' + document + b', "items": [{"n": ' + huge + b"}]}",
        **JSON_TYPE,
    )

    assert created.status == 201, created
    read = await gw.api("GET", f"/workflows/{created.json['id']}")
    assert read.json["document"]["nodes"][0]["parameters"]["n"] == float(huge)
    assert started.status == 202, started


async def test_a_full_stream_is_a_503_at_once_and_heals(
    gw: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    await gw.create(chain("now", webhook("now")))
    append = gw.bus.append

    def refuse(subject: str, payload: bytes, on_ack: Any, **more: Any) -> None:
        on_ack(StreamFullError("maximum bytes exceeded"))

    monkeypatch.setattr(gw.bus, "append", refuse)
    refused = await asyncio.wait_for(gw.call("POST", "/webhook/now", {}), 2)
    monkeypatch.setattr(gw.bus, "append", append)
    answer = await gw.call("POST", "/webhook/now", {})

    assert refused.status == 503
    assert refused.headers["retry-after"]
    assert answer.status == 200


async def test_a_full_disk_of_the_broker_is_a_507_for_all_that_is_stored_and_heals(
    gw: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    await gw.create(chain("now", webhook("now")))
    assert gw.front.life.parts is not None
    room = gw.front.life.parts.ingress.room

    def ignore(subject: str, payload: bytes, on_ack: Any, **more: Any) -> None:
        """As a broker does that cannot write."""

    with monkeypatch.context() as patched:
        patched.setattr(gw.bus, "append", ignore)
        waiting = asyncio.ensure_future(gw.call("POST", "/webhook/now", {}))
        await asyncio.sleep(0)
        room.is_disk_full = True
        answers = [
            await asyncio.wait_for(waiting, 2),
            await gw.call("POST", "/webhook/now", {}),
            await gw.api("POST", "/workflows", chain("other", webhook("other"))),
        ]
    room.is_disk_full = False

    assert [(answer.status, answer.headers["retry-after"]) for answer in answers] == [
        (507, "30")
    ] * 3
    assert (await gw.api("GET", "/workflows")).status == 200
    assert (await gw.call("POST", "/webhook/now", {})).status == 200


async def test_a_body_that_finds_no_room_in_the_object_store_is_a_507(
    gw: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    await gw.create(chain("now", webhook("now")))

    async def refuse(data: bytes) -> str:
        raise StorageFullError("there is no room")

    monkeypatch.setattr(gw.blobs, "put", refuse)
    upload = await gw.call("POST", "/webhook/now", b"\0", content_type="image/png")

    assert (upload.status, upload.headers["retry-after"]) == (507, "30")
    assert (await gw.call("POST", "/webhook/now", {})).status == 200


async def test_a_body_that_grows_beyond_a_message_is_refused_and_blocks_nobody(
    gw: Gateway,
) -> None:
    await gw.create(chain("numbers", webhook("numbers")))
    body = b"[" + b",".join([b"0.5"] * 4_000_000) + b"]"
    assert len(body) < BODY_BYTES_MAX
    for _ in range(WINDOW + 1):
        answer = await gw.call("POST", "/webhook/numbers", body, content_type="application/json")
        assert answer.status == 413
        assert answer.headers["content-type"] == "application/problem+json"
    assert (await gw.call("POST", "/webhook/numbers", {"small": True})).status == 200
