"""A key-value bucket on NATS, by the conventions of NATS itself, so that `nats kv` reads it.

An entry is the last message of `$KV.<bucket>.<key>`; a deletion is a message marked so. One value
is kept per key, so following the stream from its beginning is watching.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

from penstock.subjects.bus import KvEntry
from penstock.subjects.errors import PenstockError, WrongLastSequenceError
from penstock.subjects.nats_append import Appender
from penstock.subjects.nats_connection import Connection
from penstock.subjects.nats_pull import Follow
from penstock.subjects.nats_read import last_stored

_KEY = re.compile(r"[-/_=a-zA-Z0-9]+(\.[-/_=a-zA-Z0-9]+)*", re.ASCII)
_EXPECTED = b"Nats-Expected-Last-Subject-Sequence: %d\r\n"
_DELETE = b"KV-Operation: DEL\r\n"
_DELETED = (b"KV-Operation: DEL", b"KV-Operation: PURGE")


def checked_key(key: str) -> str:
    """`key` unchanged if a bucket may hold it; a wildcard in one would read another's."""
    if _KEY.fullmatch(key) is None:
        raise PenstockError(f"{key[:80]!r} cannot be a key", remedy="use letters, digits, -/_=.")
    return key


class NatsBucket:
    """See `Bucket`."""

    def __init__(self, connection: Connection, appender: Appender, name: str) -> None:
        self._connection = connection
        self._appender = appender
        self._stream = f"KV_{name}"
        self._prefix = f"$KV.{name}."

    async def get(self, key: str) -> KvEntry | None:
        entry = await self._entry(key)
        return None if entry is None or entry.value is None else entry

    async def put(self, key: str, value: bytes) -> int:
        return await self._store(key, value)

    async def create(self, key: str, value: bytes) -> int:
        try:
            return await self.update(key, value, 0)
        except WrongLastSequenceError:
            entry = await self._entry(key)
            if entry is None or entry.value is not None:
                raise
            return await self.update(key, value, entry.revision)

    async def update(self, key: str, value: bytes, revision: int) -> int:
        return await self._store(key, value, _EXPECTED % revision)

    async def delete(self, key: str, revision: int | None = None) -> int:
        unchanged = b"" if revision is None else _EXPECTED % revision
        return await self._store(key, b"", _DELETE + unchanged)

    async def watch(self) -> AsyncIterator[KvEntry | None]:
        told: asyncio.Queue[KvEntry | None] = asyncio.Queue()
        watch = _Watch(self._connection, self._stream, self._prefix, told.put_nowait)
        watch.start()
        try:
            while True:
                yield await told.get()
        finally:
            watch.close()

    async def _store(self, key: str, value: bytes, header: bytes = b"") -> int:
        ack = await self._appender.append_and_wait(self._subject(key), value, header)
        return ack.sequence

    def _subject(self, key: str) -> str:
        return self._prefix + checked_key(key)

    async def _entry(self, key: str) -> KvEntry | None:
        """The key's last entry, a deletion included."""
        stored = await last_stored(self._connection, self._stream, self._subject(key))
        if stored is None:
            return None
        value = None if is_deletion(stored.header) else stored.payload
        return KvEntry(key, value, stored.sequence)


class _Watch(Follow):
    """Follows a bucket's stream and tells entries, and once that the present has been told."""

    def __init__(
        self,
        connection: Connection,
        stream: str,
        prefix: str,
        tell: Callable[[KvEntry | None], None],
    ) -> None:
        super().__init__(connection, stream, prefix + ">", start=1, on_message=lambda _: None)
        self._prefix = prefix
        self._tell = tell
        self._has_told_present = False

    def _created(self, reply: dict[str, Any] | Exception) -> None:
        super()._created(reply)
        if self._is_ready and isinstance(reply, dict) and not reply.get("num_pending"):
            self._tell_present()

    def _on_data(self, subject: bytes, reply: bytes, header: bytes, payload: bytes) -> None:
        super()._on_data(subject, reply, header, payload)
        key = subject[len(self._prefix) :].decode()
        if not is_deletion(header):
            self._tell(KvEntry(key, payload, self.sequence))
        elif self._has_told_present:
            self._tell(KvEntry(key, None, self.sequence))
        if not self.pending:
            self._tell_present()

    def _tell_present(self) -> None:
        if not self._has_told_present:
            self._has_told_present = True
            self._tell(None)


def is_deletion(header: bytes) -> bool:
    """Whether a header block marks its message as a deletion."""
    return any(mark in header for mark in _DELETED)
