"""The object store: large data by content hash, and segments that only grow.

A *blob* is named by the SHA-256 of its bytes, so storing one twice is storing it once, and a
reader can tell that it got what was meant. A *segment* is an append-only object that holds many
bodies; who appends remembers (segment, offset, length). Deleting a segment frees all of them.

Local directories (obstore's LocalStore) are the default. There a segment is a file that is
written and synced here, since object stores cannot append; in a real object store each append
becomes an object of its own under the segment's name. Either way what `append` or `put` has
returned from survives a power cut.

One process writes a segment at a time. Bytes that were appended by somebody who died before
telling anyone are never read and go with the segment.
"""

import asyncio
import hashlib
import os
from pathlib import Path

import msgspec
import obstore
from obstore.store import LocalStore, ObjectStore

from penstock.subjects.errors import PenstockError

_HEX = frozenset("0123456789abcdef")


class Place(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Where appended bytes stand: an object and a position in it."""

    object: str
    offset: int


class BlobError(PenstockError):
    """An object that is not there, or an id that is none."""


class BlobStore:
    """See the module's text. Safe to share between tasks."""

    def __init__(self, store: ObjectStore, directory: Path | None = None) -> None:
        self._store = store
        self._directory = directory

    @classmethod
    def local(cls, directory: Path) -> "BlobStore":
        """A store in a directory, made when it is missing."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return cls(LocalStore(directory, automatic_cleanup=True), directory)

    async def put(self, data: bytes) -> str:
        """Store a blob durably; returns its id."""
        blob = hashlib.sha256(data).hexdigest()
        path = _path(blob)
        if await self.head(blob) is None:
            await obstore.put_async(self._store, path, data)
            if self._directory is not None:
                await asyncio.to_thread(_sync, self._directory / path)
        return blob

    async def get(self, blob: str) -> bytes:
        """A blob's bytes; `BlobError` when there is none of that id."""
        try:
            result = await obstore.get_async(self._store, _path(blob))
            return bytes(await result.bytes_async())
        except FileNotFoundError as error:
            raise BlobError(f"there is no blob {blob}") from error

    async def head(self, blob: str) -> int | None:
        """A blob's size in bytes, or None when there is none of that id."""
        try:
            return int((await obstore.head_async(self._store, _path(blob)))["size"])
        except FileNotFoundError:
            return None

    async def delete(self, blob: str) -> None:
        """Remove a blob; one that is not there is no error."""
        await self._delete(_path(blob))

    async def append(self, segment: str, data: bytes) -> Place:
        """Add bytes to the end of a segment, durably; returns where they stand."""
        if self._directory is not None:
            path = self._directory / "segments" / segment
            return Place(segment, await asyncio.to_thread(_append, path, data))
        name = f"{segment}/{hashlib.sha256(data).hexdigest()}"
        await obstore.put_async(self._store, f"segments/{name}", data)
        return Place(name, 0)

    async def read(self, place: Place, length: int) -> bytes:
        """`length` bytes from a place that `append` returned, or from inside of it."""
        try:
            found = await obstore.get_range_async(
                self._store, f"segments/{place.object}", start=place.offset, length=length
            )
        except FileNotFoundError as error:
            raise BlobError(f"segment {place.object} is gone") from error
        data = bytes(found)
        if len(data) != length:
            raise BlobError(f"segment {place.object} ends before {place.offset + length}")
        return data

    async def delete_segments(self, prefix: str) -> int:
        """Remove every segment under a folder of segments; returns how many objects went."""
        listing = obstore.list(self._store, prefix=f"segments/{prefix}")
        count = 0
        async for page in listing:
            for found in page:
                await self._delete(found["path"])
                count += 1
        return count

    async def folders(self, prefix: str) -> list[str]:
        """The names of the folders of segments directly under a folder."""
        listing = await obstore.list_with_delimiter_async(self._store, prefix=f"segments/{prefix}")
        return [path.rstrip("/").rpartition("/")[2] for path in listing["common_prefixes"]]

    async def _delete(self, path: str) -> None:
        try:
            await obstore.delete_async(self._store, path)
        except FileNotFoundError:
            return


def _path(blob: str) -> str:
    # The id comes from items, so from outside: anything but a hash could name another object.
    if len(blob) != 64 or not _HEX.issuperset(blob):
        raise BlobError(f"{blob[:80]!r} is no blob id")
    return f"blobs/{blob[:2]}/{blob}"


def _append(path: Path, data: bytes) -> int:
    is_new = not path.exists()
    if is_new:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("ab", buffering=0) as file:
        offset = file.seek(0, os.SEEK_END)
        view = memoryview(data)
        while view:
            view = view[file.write(view) :]
        os.fsync(file.fileno())
    if is_new:
        _sync_directory(path.parent)
    return offset


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
    _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
