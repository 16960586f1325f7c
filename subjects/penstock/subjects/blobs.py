"""The object store: large data by content hash, and segments that only grow.

A *blob* is named by the SHA-256 of its bytes, so storing one twice is storing it once, and a
reader can tell that it got what was meant. A *segment* is an append-only object that holds many
bodies; who appends remembers (segment, offset, length). Deleting a segment frees all of them.

Objects stand in a directory by default (`blob_files`), or in a real object store (`blob_objects`).
Either way what `append` or `put` has returned from survives a power cut.

One process writes a segment at a time. Bytes that were appended by somebody who died before
telling anyone are never read and go with the segment.
"""

import hashlib
from pathlib import Path
from typing import Protocol

import msgspec

from penstock.subjects.blob_files import FileObjects
from penstock.subjects.errors import PenstockError

_HEX = frozenset("0123456789abcdef")
_SEGMENTS = "segments"


class Objects(Protocol):
    """Where objects stand, by path. One that is not there is a `FileNotFoundError`."""

    async def put(self, path: str, data: bytes) -> None:
        """Write an object whole, durably."""

    async def get(self, path: str) -> bytes:
        """An object's bytes."""

    async def size(self, path: str) -> int:
        """An object's size in bytes."""

    async def read(self, path: str, offset: int, length: int) -> bytes:
        """`length` bytes from `offset`, fewer where the object ends."""

    async def append(self, path: str, data: bytes) -> tuple[str, int]:
        """Add bytes durably; returns the object that holds them and their offset in it."""

    async def delete(self, path: str) -> None:
        """Remove an object; one that is not there is no error."""

    async def delete_folder(self, path: str) -> int:
        """Remove everything under a path; returns how many objects went."""

    async def folders(self, path: str) -> list[str]:
        """The names of the folders directly under a path."""


class Place(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Where appended bytes stand: an object and a position in it."""

    object: str
    offset: int


class BlobError(PenstockError):
    """An object that is not there, or an id that is none."""


class BlobStore:
    """See the module's text. Safe to share between tasks."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    @classmethod
    def local(cls, directory: Path) -> "BlobStore":
        """A store in a directory, made when it is missing."""
        return cls(FileObjects(directory))

    async def put(self, data: bytes) -> str:
        """Store a blob durably; returns its id."""
        blob = hashlib.sha256(data).hexdigest()
        if await self.head(blob) is None:
            await self._objects.put(_path(blob), data)
        return blob

    async def get(self, blob: str) -> bytes:
        """A blob's bytes; `BlobError` when there is none of that id."""
        try:
            return await self._objects.get(_path(blob))
        except FileNotFoundError as error:
            raise BlobError(f"there is no blob {blob}") from error

    async def head(self, blob: str) -> int | None:
        """A blob's size in bytes, or None when there is none of that id."""
        try:
            return await self._objects.size(_path(blob))
        except FileNotFoundError:
            return None

    async def delete(self, blob: str) -> None:
        """Remove a blob; one that is not there is no error."""
        await self._objects.delete(_path(blob))

    async def append(self, segment: str, data: bytes) -> Place:
        """Add bytes to the end of a segment, durably; returns where they stand."""
        path, offset = await self._objects.append(f"{_SEGMENTS}/{segment}", data)
        return Place(path.removeprefix(f"{_SEGMENTS}/"), offset)

    async def read(self, place: Place, length: int) -> bytes:
        """`length` bytes from a place that `append` returned, or from inside of it."""
        path = f"{_SEGMENTS}/{place.object}"
        try:
            data = await self._objects.read(path, place.offset, length)
        except FileNotFoundError as error:
            raise BlobError(f"segment {place.object} is gone") from error
        if len(data) != length:
            raise BlobError(f"segment {place.object} ends before {place.offset + length}")
        return data

    async def delete_segments(self, prefix: str) -> int:
        """Remove every segment under a folder of segments; returns how many objects went."""
        return await self._objects.delete_folder(f"{_SEGMENTS}/{prefix}")

    async def folders(self, prefix: str) -> list[str]:
        """The names of the folders of segments directly under a folder."""
        return await self._objects.folders(f"{_SEGMENTS}/{prefix}")


def _path(blob: str) -> str:
    # The id comes from items, so from outside: anything but a hash could name another object.
    if len(blob) != 64 or not _HEX.issuperset(blob):
        raise BlobError(f"{blob[:80]!r} is no blob id")
    return f"blobs/{blob[:2]}/{blob}"
