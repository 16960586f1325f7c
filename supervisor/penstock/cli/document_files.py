"""What `penstock import` finds in paths: a document, an array of them, a directory of such files.

Reads and tells, changes nothing. Every problem carries its file and, in an array, its place.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.workflow.document import DEPTH_MAX

BYTES_MAX = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Found:
    """A document, or what kept it from being one, and where it stood."""

    where: str
    document: dict[str, Any] | None = None
    problem: str = ""


def find(paths: Sequence[Path]) -> Iterator[Found]:
    """All that stands in `paths`, in order; directories are searched for *.json, `-` is stdin."""
    for path in paths:
        if str(path) == "-":
            yield from _read("-", sys.stdin.buffer.read)
        elif _is_directory(path):
            yield from _search(path)
        else:
            yield from _read_file(path)


def _search(directory: Path) -> Iterator[Found]:
    """Every *.json below; a folder that cannot be read is a problem, and the search goes on."""
    is_empty = True
    unread: list[OSError] = []
    for folder, folders, names in os.walk(directory, onerror=unread.append):
        folders.sort()
        for name in sorted(name for name in names if name.endswith(".json")):
            is_empty = False
            yield from _read_file(Path(folder, name))
    for error in unread:
        yield Found(str(error.filename), problem=_reason(error))
    if is_empty and not unread:
        yield Found(str(directory), problem="there is no .json file in this directory")


def _is_directory(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # it may not be looked at; reading it will say so
        return False


def _read_file(file: Path) -> Iterator[Found]:
    def read(most: int) -> bytes:
        with file.open("rb") as opened:
            return opened.read(most)

    yield from _read(str(file), read)


def _read(where: str, read: Callable[[int], bytes]) -> Iterator[Found]:
    """What `read`, which is told how many bytes at most, gives under the name `where`."""
    try:
        text = read(BYTES_MAX + 1)
        if len(text) > BYTES_MAX:
            yield Found(where, problem=f"is larger than {BYTES_MAX // 2**20} MiB")
            return
        content = json.loads(text)
    except OSError as error:
        yield Found(where, problem=_reason(error))
    except RecursionError:
        yield Found(where, problem=f"is nested too deep: at most {DEPTH_MAX} levels are allowed")
    except ValueError as error:
        yield Found(where, problem=f"is not JSON: {error}; export the workflow from n8n again")
    else:
        yield from _documents(where, content)


def _reason(error: OSError) -> str:
    return error.strerror or str(error)


def _documents(where: str, content: Any) -> Iterator[Found]:
    if isinstance(content, list):
        for index, entry in enumerate(content):
            yield _document(f"{where}[{index}]", entry)
    else:
        yield _document(where, content)


def _document(where: str, content: Any) -> Found:
    if not isinstance(content, dict):
        problem = "is not a workflow document (a JSON object): give one as n8n exports it"
        return Found(where, problem=problem)
    return Found(where, document=content)
