"""HTTP Request, versions 1 and 2: the older parameters over the same machinery."""

from typing import Any, ClassVar

from penstock.nodes.http_request import binary_of, refuse_credentials
from penstock.nodes.http_request_batches import run_batches
from penstock.nodes.http_request_key import set_key
from penstock.nodes.http_request_message import (
    REDIRECTS_MAX,
    TIMEOUT_MS,
    Request,
    checked_url,
    parsed_json,
    text_of,
)
from penstock.nodes.http_request_output import Format, items_of
from penstock.nodes.http_request_send import send, status_error
from penstock.sdk.call import Call
from penstock.sdk.node import Node
from penstock.subjects.messages import Item, Outcome

_WITH_BODY = frozenset({"PATCH", "POST", "PUT", "DELETE"})
_KINDS = {"json": "json", "string": "text", "file": "file"}


class HttpRequestV1(Node):
    """See the module's text. An array stays one item unless `splitIntoItems`."""

    type: ClassVar[str] = "n8n-nodes-base.httpRequest"
    versions: ClassVar[tuple[float, ...]] = (1, 2)
    tier = "trusted"

    async def run(self, call: Call) -> Outcome:
        options = call.param("options", 0, {}) or {}
        return await run_batches(
            call,
            _items,
            size=int(options.get("batchSize", 0) or 0),
            interval_ms=float(options.get("batchInterval", 1_000) or 0),
        )


async def _items(call: Call, item: int) -> list[Item]:
    options: dict[str, Any] = call.param("options", item, {}) or {}
    request = await _build(call, item, options)
    set_key(request, call, item)
    response = await send(call.services.http, request, item)
    if not 200 <= response.status < 300 and not options.get("ignoreResponseCode", False):
        raise status_error(response, item)
    wanted = Format(
        kind=_KINDS.get(call.param("responseFormat", item, "json"), "json"),
        field=str(call.param("dataPropertyName", item, "data")),
        is_full=bool(options.get("fullResponse", False)),
        split=bool(options.get("splitIntoItems", False)),
    )
    return await items_of(response, wanted, call.services.blobs, item)


async def _build(call: Call, item: int, options: dict[str, Any]) -> Request:
    refuse_credentials(call, item)
    method = str(call.param("requestMethod", item, "GET")).upper()
    follows = options.get("followRedirect", True) if method in ("GET", "HEAD") else False
    follows = follows or options.get("followAllRedirects", False)
    request = Request(
        method=method,
        url=checked_url(call.param("url", item), item),
        query=_pairs(call, item, "query"),
        array_format="repeat" if options.get("useQueryString") else "indices",
        headers={
            name.lower(): text_of(value) for name, value in _pairs(call, item, "header").items()
        },
        timeout_ms=int(options.get("timeout") or TIMEOUT_MS),
        redirects=REDIRECTS_MAX if follows else 0,
        verify=not call.param("allowUnauthorizedCerts", item, False),
        proxy=str(options.get("proxy") or ""),
    )
    if method in _WITH_BODY:
        await _set_body(call, item, request, options)
    return request


def _pairs(call: Call, item: int, kind: str) -> dict[str, Any]:
    if call.param("jsonParameters", item, False):
        value = parsed_json(call.param(f"{kind}ParametersJson", item, ""), item)
        return value if isinstance(value, dict) else {}
    return {
        str(pair["name"]): pair.get("value", "")
        for pair in call.option(f"{kind}ParametersUi.parameter", item, [])
        if pair.get("name")
    }


async def _set_body(call: Call, item: int, request: Request, options: dict[str, Any]) -> None:
    kind = options.get("bodyContentType", "json")
    if call.param("sendBinaryData", item, False):
        name = str(call.param("binaryPropertyName", item, "data"))
        file = await binary_of(call, item, name.partition(":")[0])
        request.body = file.data
        request.headers.setdefault("content-type", file.mime)
        return
    if kind == "raw":
        request.body = text_of(call.param("bodyParametersJson", item, "")).encode()
        mime = options.get("bodyContentCustomMimeType") or "text/plain"
        request.headers.setdefault("content-type", str(mime))
        return
    body = _pairs(call, item, "body")
    if kind == "json":
        if body or request.method != "DELETE":
            request.json_body, request.has_json = body, True
    else:
        request.form, request.is_multipart = body, kind == "multipart-form-data"
