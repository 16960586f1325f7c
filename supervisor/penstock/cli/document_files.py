"""What `penstock import` finds in paths: a document, an array of them, a directory of such files.

Reads and tells, changes nothing. Every problem carries its file and, in an array, its place.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BYTES_MAX = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Found:
    """A document, or what kept it from being one, and where it stood."""

    where: str
    document: dict[str, Any] | None = None
    problem: str = ""


def find(paths: Sequence[Path]) -> Iterator[Found]:
    """Everything that stands in `paths`, in order; directories are searched for *.json."""
    for path in paths:
        if _is_directory(path):
            files = sorted(path.rglob("*.json"))
            if not files:
                yield Found(str(path), problem="there is no .json file in this directory")
            for file in files:
                yield from _read_file(file)
        else:
            yield from _read_file(path)


def _is_directory(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # it may not be looked at; reading it will say so
        return False


def _read_file(file: Path) -> Iterator[Found]:
    try:
        if file.stat().st_size > BYTES_MAX:
            yield Found(str(file), problem=f"is larger than {BYTES_MAX // 2**20} MiB")
            return
        content = json.loads(file.read_bytes())
    except OSError as error:
        yield Found(str(file), problem=error.strerror or str(error))
    except (ValueError, RecursionError) as error:
        yield Found(str(file), problem=f"is not JSON: {error}")
    else:
        yield from _documents(str(file), content)


def _documents(where: str, content: Any) -> Iterator[Found]:
    if isinstance(content, list):
        for index, entry in enumerate(content):
            yield _document(f"{where}[{index}]", entry)
    else:
        yield _document(where, content)


def _document(where: str, content: Any) -> Found:
    if not isinstance(content, dict):
        return Found(where, problem="is not a workflow document (a JSON object)")
    return Found(where, document=content)
