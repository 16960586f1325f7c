"""Objects as files of a directory: what one machine needs, without a library's threads and memory.

An object is written beside its place, synced and moved there; a segment is appended to in place.
A new folder is synced into its parent, without which a power cut may forget what stands in it.
A full disk is a `StorageFullError`, and what was begun is removed: it would take the last room.
"""

import asyncio
import errno
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from penstock.subjects.errors import StorageFullError

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


class FileObjects:
    """`blobs.Objects` in a directory, made when it is missing. Works in threads."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._directory = directory

    async def put(self, path: str, data: bytes) -> None:
        await asyncio.to_thread(_put, self._directory / path, data)

    async def get(self, path: str) -> bytes:
        return await asyncio.to_thread((self._directory / path).read_bytes)

    async def size(self, path: str) -> int:
        return (await asyncio.to_thread((self._directory / path).stat)).st_size

    async def read(self, path: str, offset: int, length: int) -> bytes:
        return await asyncio.to_thread(_read, self._directory / path, offset, length)

    async def append(self, path: str, data: bytes) -> tuple[str, int]:
        return path, await asyncio.to_thread(_append, self._directory / path, data)

    async def delete(self, path: str) -> None:
        await asyncio.to_thread((self._directory / path).unlink, missing_ok=True)

    async def delete_folder(self, path: str) -> int:
        return await asyncio.to_thread(_delete_folder, self._directory / path)

    async def folders(self, path: str) -> list[str]:
        return await asyncio.to_thread(_folders, self._directory / path)


def _put(file: Path, data: bytes) -> None:
    # Whoever else writes the same object writes the same bytes, but not into our file.
    fresh = file.with_name(f".{file.name}.{os.getpid()}-{threading.get_ident()}")
    fresh.unlink(missing_ok=True)
    with _needing_room(file):
        _make(file.parent)
        try:
            _add(fresh, data)
            fresh.replace(file)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise
        _sync(file.parent)


def _append(file: Path, data: bytes) -> int:
    with _needing_room(file):
        if file.exists():
            return _add(file, data)
        _make(file.parent)
        offset = _add(file, data)
        _sync(file.parent)
        return offset


@contextmanager
def _needing_room(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise StorageFullError(
            f"there is no room to store {file.name}: {error.strerror}",
            remedy="make room on the disk of the object store",
        ) from error


def _add(file: Path, data: bytes) -> int:
    """Write to the end of a file, durably; returns where that was."""
    with file.open("ab", buffering=0) as out:
        offset = out.seek(0, os.SEEK_END)
        view = memoryview(data)
        while view:
            view = view[out.write(view) :]
        os.fsync(out.fileno())
    return offset


def _read(file: Path, offset: int, length: int) -> bytes:
    with file.open("rb") as source:
        source.seek(offset)
        return source.read(length)


def _delete_folder(folder: Path) -> int:
    count = sum(not one.is_dir() for one in folder.rglob("*"))
    shutil.rmtree(folder, ignore_errors=True)
    return count


def _folders(folder: Path) -> list[str]:
    return [one.name for one in folder.iterdir() if one.is_dir()] if folder.exists() else []


def _make(folder: Path) -> None:
    if not folder.exists():
        _make(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        _sync(folder.parent)


def _sync(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
