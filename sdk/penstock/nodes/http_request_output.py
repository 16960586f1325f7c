"""Responses into items: formats, autodetection, full responses, binaries."""

import json
import mimetypes
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from penstock.nodes.http_request_send import Response
from penstock.sdk.call import NodeError
from penstock.subjects.messages import Item

_BINARY_TYPES = (
    "image/",
    "audio/",
    "video/",
    "application/octet-stream",
    "application/gzip",
    "application/zip",
    "application/vnd.rar",
    "application/epub+zip",
    "application/x-bzip",
    "application/x-bzip2",
    "application/x-cdf",
    "application/vnd.amazon.ebook",
    "application/msword",
    "application/vnd.ms",
    "application/vnd.oasis.opendocument",
    "application/vnd.openxmlformats",
    "application/vnd.visio",
    "application/x-7z-compressed",
    "application/x-tar",
    "application/pdf",
    "application/java-archive",
    "application/rtf",
)


@dataclass(slots=True, frozen=True)
class Format:
    """How responses become items. `split` makes an item of each element of an array."""

    kind: str = "autodetect"
    field: str = "data"
    is_full: bool = False
    split: bool = True


def kind_of(response: Response, wanted: Format) -> str:
    """json, text or file."""
    if wanted.kind != "autodetect":
        return wanted.kind
    content_type = response.content_type.lower()
    if "application/json" in content_type or "+json" in content_type:
        return "json"
    return "file" if any(each in content_type for each in _BINARY_TYPES) else "text"


async def items_of(response: Response, wanted: Format, blobs: Any, item: int) -> list[Item]:
    """The items of one response, each paired with the item that asked for it."""
    kind = kind_of(response, wanted)
    if kind == "file":
        found = [await _file_item(response, wanted, blobs)]
    elif kind == "text":
        found = [_text_item(response, wanted)]
    else:
        found = _json_items(response, wanted, item)
    return [{**each, "pairedItem": {"item": item}} for each in found]


def _envelope(response: Response) -> dict[str, Any]:
    return {
        "headers": response.headers,
        "statusCode": response.status,
        "statusMessage": response.reason,
    }


def _text_item(response: Response, wanted: Format) -> Item:
    json_part: dict[str, Any] = {wanted.field: response.text()}
    if wanted.is_full:
        json_part |= _envelope(response)
    return {"json": json_part}


def body_of(response: Response, item: int, *, is_detected: bool) -> Any:
    """The parsed JSON body; an empty one is an empty object."""
    text = response.text()
    if not text.strip():
        return {}
    try:
        return json.loads(text)
    except ValueError:
        raise NodeError(
            "Invalid JSON in response body"
            if is_detected
            else 'Response body is not valid JSON. Change "Response Format" to "Text"',
            item=item,
        ) from None


def _json_items(response: Response, wanted: Format, item: int) -> list[Item]:
    body = body_of(response, item, is_detected=wanted.kind == "autodetect")
    if wanted.is_full:
        return [{"json": {"body": body, **_envelope(response)}}]
    if isinstance(body, list) and wanted.split:
        return [{"json": each if isinstance(each, dict) else {"data": each}} for each in body]
    return [{"json": body if isinstance(body, dict) else {wanted.field: body}}]


async def _file_item(response: Response, wanted: Format, blobs: Any) -> Item:
    if blobs is None:
        raise NodeError("This host has no store for binary data")
    mime = response.content_type.partition(";")[0].strip() or "application/octet-stream"
    name = _file_name(response, mime)
    entry = {
        "id": await blobs.put(response.content),
        "mimeType": mime,
        "fileName": name,
        "fileExtension": name.rpartition(".")[2] if "." in name else "",
        "fileSize": _size(len(response.content)),
        "bytes": len(response.content),
    }
    return {
        "json": _envelope(response) if wanted.is_full else {},
        "binary": {wanted.field: entry},
    }


def _file_name(response: Response, mime: str) -> str:
    """The name that the response gives, else the last part of its URL."""
    for part in response.headers.get("content-disposition", "").split(";"):
        key, _, value = part.strip().partition("=")
        if key.lower() in ("filename", "filename*") and value:
            given = unquote(value.strip('"').rpartition("''")[2])
            return given.replace("\\", "/").rpartition("/")[2] or "data"
    name = unquote(urlsplit(response.url).path.rpartition("/")[2]) or "data"
    return name if "." in name else name + (mimetypes.guess_extension(mime) or "")


def _size(count: int) -> str:
    """A size as people read it, in n8n's form."""
    value = float(count)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} GB"
