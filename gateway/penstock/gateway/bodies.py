"""Request bodies into what a workflow sees: `body` and `binary` of the webhook's item.

By content type: JSON (also `+json`) is parsed, forms become objects (a repeated name a list), text
and XML stay text, uploads and everything else become blobs of the object store with a reference
in the item. No body is `{}`. Nothing here trusts a declared length: `read` counts.
"""

import mimetypes
from collections.abc import AsyncGenerator
from pathlib import PurePosixPath
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qsl

from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.types import Receive, Scope

from penstock.gateway.json_bodies import charset_of, in_utf8, parse_json
from penstock.gateway.problems import bad_body, too_large_a_body

BODY_BYTES_MAX = 16 * 1024 * 1024
DRAIN_BYTES_MAX = 64 * 1024 * 1024
FIELDS_MAX = 10_000

_IS_READ = "penstock.body_is_read"


class Blobs(Protocol):
    """Where binary data is put."""

    async def put(self, data: bytes) -> str:
        """Store `data`; the name of the blob."""

    async def get(self, name: str) -> bytes:
        """The data of a blob."""


class Body(NamedTuple):
    """A body as the item shows it."""

    value: Any
    binary: dict[str, Any] | None = None


class ClientGoneError(Exception):
    """The client hung up before it had sent its body."""


async def read(
    scope: Scope, receive: Receive, declared: str | None, bytes_max: int = BODY_BYTES_MAX
) -> bytes:
    """The whole body. 413 beyond `bytes_max`, at once when it was declared so large."""
    if declared is not None and declared.isdecimal() and int(declared[:19]) > bytes_max:
        raise too_large_a_body(bytes_max)
    scope[_IS_READ] = True
    event = await receive()
    if event["type"] == "http.disconnect":
        raise ClientGoneError
    body: bytes = event["body"]
    if not event["more_body"]:
        if len(body) > bytes_max:
            raise too_large_a_body(bytes_max)
        return body
    chunks, size = [body], len(body)
    while event["more_body"]:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise ClientGoneError
        size += len(event["body"])
        if size > bytes_max:
            await _swallow(receive)
            raise too_large_a_body(bytes_max)
        chunks.append(event["body"])
    return b"".join(chunks)


async def drain(scope: Scope, receive: Receive) -> None:
    """Swallow the body of a request that is refused unread, up to `DRAIN_BYTES_MAX`.

    A connection that is closed with data unread is reset, and then many clients never see the
    answer that was sent before. Who asked with `Expect: 100-continue` has not sent anything.
    """
    if not scope.get(_IS_READ) and all(name != b"expect" for name, _ in scope["headers"]):
        await _swallow(receive)


async def _swallow(receive: Receive) -> None:
    size = 0
    while size < DRAIN_BYTES_MAX:
        event = await receive()
        if event["type"] == "http.disconnect" or not event["more_body"]:
            return
        size += len(event["body"])


def parse_pairs(text: str) -> dict[str, Any]:
    """A query or a form: names to values, to a list of values when a name is repeated."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except ValueError as error:
        raise bad_body(f"more than {FIELDS_MAX} fields") from error
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name not in found:
            found[name] = value
        elif isinstance(found[name], list):
            found[name].append(value)
        else:
            found[name] = [found[name], value]
    return found


async def parse(content_type: str, raw: bytes, blobs: Blobs, *, binary_property: str) -> Body:
    """The body by its content type."""
    if not raw:
        return Body({})
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json" or kind.endswith("+json"):
        return Body(parse_json(in_utf8(content_type, raw)))
    if kind == "application/x-www-form-urlencoded":
        return Body(parse_pairs(raw.decode("utf-8", "replace")))
    if kind == "multipart/form-data":
        return await _parse_multipart(content_type, raw, blobs, binary_property)
    if kind.startswith("text/") or kind.endswith(("/xml", "+xml")):
        return Body(_text(content_type, raw))
    entry = await store(blobs, raw, mime_type=kind or "application/octet-stream")
    return Body({}, {binary_property: entry})


async def store(blobs: Blobs, data: bytes, *, mime_type: str, name: str = "") -> dict[str, Any]:
    """Put `data` into the object store; the item's entry that refers to it."""
    entry: dict[str, Any] = {
        "id": await blobs.put(data),
        "mimeType": mime_type,
        "fileSize": _readable_size(len(data)),
        "bytes": len(data),
    }
    if name:
        entry["fileName"] = name
    extension = PurePosixPath(name).suffix or mimetypes.guess_extension(mime_type) or ""
    if extension:
        entry["fileExtension"] = extension.lstrip(".")
    return entry


class _Parser(MultiPartParser):
    """Knows whether the end came: what is cut off would lose its last part silently."""

    has_ended = False

    def on_end(self) -> None:
        self.has_ended = True


async def _parse_multipart(content_type: str, raw: bytes, blobs: Blobs, prefix: str) -> Body:
    async def once() -> AsyncGenerator[bytes, None]:
        yield raw

    parser = _Parser(Headers({"content-type": content_type}), once(), max_part_size=len(raw) + 1)
    try:
        form = await parser.parse()
        if not parser.has_ended:
            await form.close()
            raise MultiPartException("its end is missing: the boundary with -- behind it")
    except (MultiPartException, KeyError, ValueError, UnicodeError) as error:
        detail = getattr(error, "message", "") or "the boundary is missing or wrong"
        raise bad_body(f"malformed multipart body: {detail}") from error
    fields: dict[str, Any] = {}
    files: list[tuple[str, UploadFile]] = []
    for name, value in form.multi_items():
        plain = name.removesuffix("[]")
        if isinstance(value, UploadFile):
            files.append((plain, value))
        elif plain not in fields:
            fields[plain] = [value] if plain != name else value
        elif isinstance(fields[plain], list):
            fields[plain].append(value)
        else:
            fields[plain] = [fields[plain], value]
    return Body(fields, await _store_files(files, blobs, prefix))


async def _store_files(
    files: list[tuple[str, UploadFile]], blobs: Blobs, prefix: str
) -> dict[str, Any] | None:
    """Files under their fields' names, numbered where several share one or a prefix is set."""
    names = [name for name, _ in files]
    stored: dict[str, Any] = {}
    for position, (name, file) in enumerate(files):
        key = name
        if prefix != "data":
            key = f"{prefix}{position}"
        elif names.count(name) > 1:
            key = f"{name}{names[:position].count(name)}"
        mime_type = file.content_type or "application/octet-stream"
        data = await file.read()
        stored[key] = await store(blobs, data, mime_type=mime_type, name=file.filename or "")
    return stored or None


def _text(content_type: str, raw: bytes) -> str:
    try:
        return raw.decode(charset_of(content_type), "replace")
    except (LookupError, ValueError):
        return raw.decode("utf-8", "replace")


def _readable_size(count: int) -> str:
    power = min(2, (len(str(count)) - 1) // 3)
    return f"{count / 1000**power:.3g} {('B', 'kB', 'MB')[power]}"
