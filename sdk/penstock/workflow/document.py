"""The workflow document: n8n's export format, read into Structs.

The document that travels and is hashed is the JSON as it came; the Structs here are what the
compiler and the API read from it. `validate.check` makes them and tells what is wrong. Keys that
we do not know are kept in the JSON and ignored; our own settings stand under `penstock`.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from penstock.subjects.errors import PenstockError
from penstock.subjects.messages import Item

DOCUMENT_BYTES_MAX = 8 * 1024 * 1024
NODES_MAX = 2_000
DEPTH_MAX = 100

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()


class Problem(msgspec.Struct, frozen=True):
    """Something wrong in a document: where (`nodes[3].parameters.url`), what, what to do."""

    path: str
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class InvalidDocumentError(PenstockError):
    """A document that cannot be used, with every problem found."""

    def __init__(self, problems: list[Problem]) -> None:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(f"{problems[0]}{more}", remedy=problems[0].remedy)
        self.problems = problems


class End(NamedTuple):
    """The far end of a connection: input `input` of node `node`."""

    node: str
    input: int


class DocumentNode(msgspec.Struct, kw_only=True):
    """A node as the document has it; missing keys have n8n's defaults."""

    id: str
    name: str
    type: str
    version: float = 1
    position: tuple[float, float] = (0, 0)
    parameters: dict[str, Any] = {}
    disabled: bool = False
    on_error: str = "stopWorkflow"
    retry_on_fail: bool = False
    tries_max: float = 3
    wait_between_tries_ms: float = 1_000
    execute_once: bool = False
    always_output: bool = False
    webhook_id: str = ""
    credentials: dict[str, dict[str, str]] = {}


class Document(msgspec.Struct, kw_only=True):
    """A document read. `connections[name][output]` are the ends of a node's `main` outputs;
    `sub_nodes` are the nodes that serve others through connections of another kind."""

    name: str
    nodes: list[DocumentNode]
    connections: dict[str, list[list[End]]]
    sub_nodes: frozenset[str] = frozenset()
    settings: dict[str, Any] = {}
    pinned: dict[str, list[Item]] = {}
    penstock: dict[str, Any] = {}
    raw: dict[str, Any] = {}


def content_hash(document: Mapping[str, Any]) -> str:
    """The address of a document: equal for equal JSON, key order included.

    The order of keys counts because it shows in results (an object made by a Set node has its
    keys in the document's order).
    """
    return hashlib.sha256(encode(document)).hexdigest()[:40]


def encode(document: Mapping[str, Any]) -> bytes:
    """A document as the bytes that are stored and hashed."""
    return _encoder.encode(document)


def decode(text: bytes | str) -> dict[str, Any]:
    """The JSON of one document. Raises `InvalidDocumentError` when it is not an object."""
    size = len(text)
    if size > DOCUMENT_BYTES_MAX:
        raise _refused(
            f"the document has {size:,} bytes, at most {DOCUMENT_BYTES_MAX:,} are allowed",
            "move large data out of the workflow, for example out of pinned data",
        )
    try:
        document = _decoder.decode(_without_mark(text))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _refused(f"not JSON: {error}", "export the workflow from n8n again") from error
    except RecursionError as error:
        raise _refused("nested too deep", f"at most {DEPTH_MAX} levels are allowed") from error
    if not isinstance(document, dict):
        raise _refused(
            "a workflow document is a JSON object with `nodes` and `connections`",
            "give one workflow, as n8n exports it",
        )
    return document


def _without_mark(text: bytes | str) -> bytes | str:
    """Text without the byte order mark that some editors put before it."""
    if isinstance(text, str):
        return text.removeprefix("\ufeff")
    return text.removeprefix(b"\xef\xbb\xbf")


def _refused(message: str, remedy: str) -> InvalidDocumentError:
    return InvalidDocumentError([Problem("", message, remedy)])
