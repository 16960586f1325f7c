"""The object store keeps what it said it stored, under names that cannot reach elsewhere."""

import asyncio
import errno
import os
from pathlib import Path

import pytest
from obstore.store import MemoryStore

from penstock.subjects.blob_objects import StoredObjects
from penstock.subjects.blobs import BlobError, BlobStore, Place
from penstock.subjects.errors import StorageFullError


@pytest.fixture(params=["directory", "objects"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    if request.param == "directory":
        return BlobStore.local(tmp_path / "blobs")
    return BlobStore(StoredObjects(MemoryStore()))


def test_a_blob_is_named_by_its_content(store: BlobStore) -> None:
    async def scenario() -> None:
        first = await store.put(b"hello")
        again = await store.put(b"hello")

        assert first == again
        assert first == "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
        assert await store.get(first) == b"hello"
        assert await store.head(first) == 5

    asyncio.run(scenario())


def test_a_deleted_blob_is_gone_and_deleting_again_is_no_error(store: BlobStore) -> None:
    async def scenario() -> None:
        blob = await store.put(b"hello")
        await store.delete(blob)
        await store.delete(blob)

        assert await store.head(blob) is None
        with pytest.raises(BlobError):
            await store.get(blob)

    asyncio.run(scenario())


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64, "a" * 63, "a" * 63 + "/"])
def test_what_is_no_hash_is_refused(store: BlobStore, name: str) -> None:
    with pytest.raises(BlobError, match="no blob id"):
        asyncio.run(store.get(name))


def test_a_segment_gives_back_what_was_appended(store: BlobStore) -> None:
    async def scenario() -> None:
        places = [await store.append("20261121/0001", b"%03d" % n * 10) for n in range(5)]

        for n, place in enumerate(places):
            assert await store.read(place, 30) == b"%03d" % n * 10
        inside = Place(places[2].object, places[2].offset + 3)
        assert await store.read(inside, 3) == b"002"

    asyncio.run(scenario())


def test_a_segment_is_not_read_past_its_end(store: BlobStore) -> None:
    async def scenario() -> None:
        place = await store.append("20261121/0001", b"short")

        with pytest.raises(BlobError, match="ends before"):
            await store.read(place, 6)

    asyncio.run(scenario())


def test_many_who_store_the_same_at_once_all_succeed_and_leave_one_object(
    store: BlobStore, tmp_path: Path
) -> None:
    async def scenario() -> None:
        blobs = await asyncio.gather(*(store.put(b"x" * 100_000) for _ in range(20)))

        assert len(set(blobs)) == 1
        assert await store.get(blobs[0]) == b"x" * 100_000

    asyncio.run(scenario())

    assert len([one for one in tmp_path.rglob("*") if one.is_file()]) <= 1


def test_no_folders_are_found_where_nothing_was_stored(store: BlobStore) -> None:
    async def scenario() -> None:
        assert await store.folders("history/local") == []
        assert await store.delete_segments("history/local/20261121") == 0

    asyncio.run(scenario())


def test_deleting_a_folder_of_segments_leaves_the_others(store: BlobStore) -> None:
    async def scenario() -> None:
        gone = await store.append("20261120/0001", b"old")
        kept = await store.append("20261121/0001", b"new")

        assert sorted(await store.folders("")) == ["20261120", "20261121"]
        assert await store.delete_segments("20261120") == 1

        assert await store.read(kept, 3) == b"new"
        with pytest.raises(BlobError):
            await store.read(gone, 3)

    asyncio.run(scenario())


def test_a_full_disk_is_told_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = BlobStore.local(tmp_path / "blobs")

    def refuse(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async def scenario() -> None:
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", refuse)
            with pytest.raises(StorageFullError):
                await store.put(b"hello")
            with pytest.raises(StorageFullError):
                await store.append("day/one", b"hello")
        left = [file for file in (tmp_path / "blobs" / "blobs").rglob("*") if file.is_file()]
        assert left == []
        assert await store.get(await store.put(b"hello")) == b"hello"

    asyncio.run(scenario())
