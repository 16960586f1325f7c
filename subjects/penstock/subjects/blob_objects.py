"""Objects in an object store: S3, MinIO and their like, through obstore.

Object stores cannot append, so each append becomes an object of its own under the segment's name.
"""

import hashlib

import obstore
from obstore.store import ObjectStore


class StoredObjects:
    """`blobs.Objects` in a store of obstore."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def put(self, path: str, data: bytes) -> None:
        await obstore.put_async(self._store, path, data)

    async def get(self, path: str) -> bytes:
        result = await obstore.get_async(self._store, path)
        return bytes(await result.bytes_async())

    async def size(self, path: str) -> int:
        return int((await obstore.head_async(self._store, path))["size"])

    async def read(self, path: str, offset: int, length: int) -> bytes:
        return bytes(await obstore.get_range_async(self._store, path, start=offset, length=length))

    async def append(self, path: str, data: bytes) -> tuple[str, int]:
        of_its_own = f"{path}/{hashlib.sha256(data).hexdigest()}"
        await self.put(of_its_own, data)
        return of_its_own, 0

    async def delete(self, path: str) -> None:
        try:
            await obstore.delete_async(self._store, path)
        except FileNotFoundError:
            return

    async def delete_folder(self, path: str) -> int:
        count = 0
        async for page in obstore.list(self._store, prefix=path):
            for found in page:
                await self.delete(found["path"])
                count += 1
        return count

    async def folders(self, path: str) -> list[str]:
        listing = await obstore.list_with_delimiter_async(self._store, prefix=path)
        return [one.rstrip("/").rpartition("/")[2] for one in listing["common_prefixes"]]
