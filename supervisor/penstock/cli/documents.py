"""Workflow documents from files, for commands that need no server."""

import sys
from pathlib import Path
from typing import Any

import msgspec

from penstock.subjects.errors import PenstockError
from penstock.subjects.messages import Item
from penstock.workflow.compile import expression_problems, zone_problems
from penstock.workflow.document import InvalidDocumentError, decode
from penstock.workflow.plan import NodeTypes
from penstock.workflow.validate import check


def read_text(path: Path) -> bytes:
    """The bytes of a file, or of standard input for `-`."""
    if str(path) == "-":
        return sys.stdin.buffer.read()
    try:
        return path.read_bytes()
    except OSError as error:
        raise PenstockError(
            f"{path} cannot be read: {error.strerror}", remedy="give the path of a file"
        ) from error


def refused(command: str, error: PenstockError) -> int:
    """Say why `command` cannot begin; the exit status for what is wrong with its arguments."""
    print(f"penstock {command}: {error.message}", file=sys.stderr)
    if error.remedy:
        print(f"  {error.remedy}", file=sys.stderr)
    return 2


def read_document(path: Path, types: NodeTypes) -> dict[str, Any]:
    """A valid document; `InvalidDocumentError` with every problem that it has."""
    raw = decode(read_text(path))
    document, problems = check(raw)
    problems += [*zone_problems(document), *expression_problems(document, types)]
    if problems:
        raise InvalidDocumentError(problems)
    return raw


def read_items(path: Path) -> list[Item]:
    """Items from a JSON file: a list of items or of bare objects, or one of them."""
    try:
        value = msgspec.json.decode(read_text(path))
    except msgspec.DecodeError as error:
        raise PenstockError(
            f"{path} is not JSON: {error}", remedy="give a list of items"
        ) from error
    entries = value if isinstance(value, list) else [value]
    if not all(isinstance(entry, dict) for entry in entries):
        raise PenstockError(f"{path} holds no items", remedy="give a JSON list of objects")
    return [entry if isinstance(entry.get("json"), dict) else {"json": entry} for entry in entries]
