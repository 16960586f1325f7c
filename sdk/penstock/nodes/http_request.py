"""HTTP Request, versions 3 to 4.5: one request per item, all at once unless batched.

Runs on a sandbox host's loop behind its egress guard. Results come in the order of the items. A
status other than 2xx is an error unless `neverError`; where the flow goes on after errors, the
failed item shows why.
"""

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

from penstock.nodes.http_request_batches import run_batches
from penstock.nodes.http_request_key import set_key
from penstock.nodes.http_request_message import (
    REDIRECTS_MAX,
    TIMEOUT_MS,
    File,
    Request,
    checked_url,
    parsed_json,
    set_path,
    text_of,
)
from penstock.nodes.http_request_output import Format, items_of
from penstock.nodes.http_request_pages import Pagination, fetch_pages
from penstock.nodes.http_request_send import Response, send, status_error
from penstock.sdk.call import Call, NodeError
from penstock.sdk.node import Node
from penstock.subjects.messages import Item, Outcome


class HttpRequest(Node):
    """See the module's text."""

    type: ClassVar[str] = "n8n-nodes-base.httpRequest"
    versions: ClassVar[tuple[float, ...]] = (3, 4, 4.1, 4.2, 4.3, 4.4, 4.5)
    tier = "trusted"

    async def run(self, call: Call) -> Outcome:
        batch = call.option("options.batching.batch", 0, {})
        return await run_batches(
            call,
            _items,
            size=int(batch.get("batchSize", 50 if batch else 0) or 0),
            interval_ms=float(batch.get("batchInterval", 1_000) or 0),
        )


async def _items(call: Call, item: int) -> list[Item]:
    """The items that input item `item` comes to."""
    options: dict[str, Any] = call.param("options", item, {}) or {}
    request = await build(call, item, options)
    response_options = (options.get("response") or {}).get("response") or {}
    wanted = Format(
        kind=response_options.get("responseFormat", "autodetect"),
        field=response_options.get("outputPropertyName") or "data",
        is_full=bool(response_options.get("fullResponse", False)),
    )
    pagination = Pagination.of(call, item, options)
    check = not response_options.get("neverError", False)
    session, blobs = call.services.http, call.services.blobs

    async def fetch(one: Request) -> Response:
        response = await send(session, one, item)
        if check and not 200 <= response.status < 300 and not pagination.accepts(response.status):
            raise status_error(response, item)
        return response

    out: list[Item] = []
    for response in await _responses(fetch, request, pagination):
        out += await items_of(response, wanted, blobs, item)
    return out


async def _responses(
    fetch: Callable[[Request], Awaitable[Response]], request: Request, pagination: Pagination
) -> list[Response]:
    if not pagination.is_on:
        set_key(request, pagination.call, pagination.item)
        return [await fetch(request)]
    return await fetch_pages(fetch, request, pagination)


async def build(call: Call, item: int, options: dict[str, Any]) -> Request:
    """The request of one item, from the parameters of versions 3 and later."""
    refuse_credentials(call, item)
    redirect = (options.get("redirect") or {}).get("redirect") or {}
    follows = bool(redirect.get("followRedirects", call.version >= 4))
    request = Request(
        method=str(call.param("method", item, "GET")).upper(),
        url=checked_url(call.param("url", item), item),
        array_format=options.get("queryParameterArrays", "brackets"),
        timeout_ms=int(options.get("timeout") or TIMEOUT_MS),
        redirects=int(redirect.get("maxRedirects", REDIRECTS_MAX)) if follows else 0,
        verify=not options.get("allowUnauthorizedCerts", False),
        proxy=str(options.get("proxy") or ""),
    )
    if call.param("sendQuery", item, False):
        request.query = _pairs(call, item, "Query", "queryParameters")
    if call.param("sendHeaders", item, False):
        headers = _pairs(call, item, "Headers", "headerParameters")
        lower = options.get("lowercaseHeaders", True)
        request.headers = {
            (name.lower() if lower else name): text_of(value) for name, value in headers.items()
        }
    if call.param("sendBody", item, False):
        await _set_body(call, item, request)
    return request


def refuse_credentials(call: Call, item: int) -> None:
    """Say plainly that requests with credentials do not work yet, rather than send without."""
    if call.param("authentication", item, "none") not in ("none", "", None):
        raise NodeError(
            "This HTTP Request uses credentials, which come in a later version of Penstock",
            description='Set "Authentication" to "None" and send the header or query parameter '
            "yourself until then.",
            item=item,
        )


def _pairs(call: Call, item: int, kind: str, name: str) -> dict[str, Any]:
    """Query parameters or headers, given as pairs or as JSON."""
    if call.param(f"specify{kind}", item, "keypair") == "json":
        value = parsed_json(call.param(f"json{kind}", item, ""), item)
        if not isinstance(value, dict):
            raise NodeError("JSON parameter needs to be an object", item=item)
        return value
    return {
        str(pair["name"]): pair.get("value", "")
        for pair in call.option(f"{name}.parameters", item, [])
        if pair.get("name")
    }


async def _set_body(call: Call, item: int, request: Request) -> None:
    kind = call.param("contentType", item, "json")
    if kind == "json":
        request.json_body, request.has_json = _json_body(call, item), True
    elif kind == "form-urlencoded":
        if call.param("specifyBody", item, "keypair") == "string":
            request.body = text_of(call.param("body", item, "")).encode()
            request.headers.setdefault("content-type", "application/x-www-form-urlencoded")
        else:
            request.form = {
                str(pair.get("name", "")): pair.get("value", "")
                for pair in call.option("bodyParameters.parameters", item, [])
            }
    elif kind == "multipart-form-data":
        request.form, request.is_multipart = await _multipart(call, item), True
    elif kind == "binaryData":
        file = await binary_of(call, item, str(call.param("inputDataFieldName", item, "")))
        request.body = file.data
        request.headers.setdefault("content-type", file.mime)
    elif kind == "raw":
        request.body = text_of(call.param("body", item, "")).encode()
        mime = str(call.param("rawContentType", item, "") or "text/plain")
        request.headers.setdefault("content-type", mime)
    else:
        raise NodeError(f"The body content type {kind!r} is not known", item=item)


def _json_body(call: Call, item: int) -> Any:
    if call.param("specifyBody", item, "keypair") == "json":
        return parsed_json(call.param("jsonBody", item, ""), item)
    body: dict[str, Any] = {}
    for pair in call.option("bodyParameters.parameters", item, []):
        name = str(pair.get("name", ""))
        if call.version >= 4:
            set_path(body, name, pair.get("value", ""))
        else:
            body[name] = pair.get("value", "")
    return body


async def _multipart(call: Call, item: int) -> dict[str, Any]:
    form: dict[str, Any] = {}
    for pair in call.option("bodyParameters.parameters", item, []):
        name = str(pair.get("name", ""))
        if pair.get("parameterType") == "formBinaryData":
            form[name] = await binary_of(call, item, str(pair.get("inputDataFieldName", "")))
        else:
            form[name] = pair.get("value", "")
    return form


async def binary_of(call: Call, item: int, name: str) -> File:
    """A binary of an input item, read from the object store."""
    entry = (call.items[item].get("binary") or {}).get(name.strip())
    if entry is None:
        raise NodeError(
            f"This operation expects the node's input data to contain a binary file '{name}', "
            "but none was found",
            description="Make sure that the previous node outputs a binary file",
            item=item,
        )
    data = await call.services.blobs.get(entry["id"])
    mime = entry.get("mimeType") or "application/octet-stream"
    return File(data, entry.get("fileName") or name, mime)
