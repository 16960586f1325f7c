"""Answers to the gateways' waiting requests: batched per gateway, and kept for a while.

A reply travels at most once, so a gateway that misses one asks the owner (`ask.….reply`). Replies
are journalled, and a new owner has those of the last minute again from the journal; memory is
bounded, so under a flood the oldest are forgotten first and the history answers instead.
"""

from collections import OrderedDict

from penstock.subjects import names
from penstock.subjects.bus import Bus
from penstock.subjects.codec import Codec
from penstock.subjects.errors import PenstockError
from penstock.subjects.messages import Reply, ReplyTo, Respond

KEEP_MS = 60_000
KEEP_MAX = 4_000
KEEP_BYTES_MAX = 16 * 1024 * 1024

REPLIES: Codec[list[Reply]] = Codec(list[Reply])

_Key = tuple[str, str, int]
"""Execution, gateway and number of the request there."""


class Replies:
    """The replies of one partition."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._batches: dict[str, list[Reply]] = {}
        self._kept: OrderedDict[_Key, tuple[int, Reply]] = OrderedDict()
        self._kept_bytes = 0

    def add(self, execution: str, to: ReplyTo, response: Respond, now_ms: int) -> None:
        """Send with the next `flush`, and keep."""
        reply = Reply(
            to.request, execution, response.status, response.headers, response.body, response.blob
        )
        self._batches.setdefault(to.gateway, []).append(reply)
        self.keep(execution, to.gateway, reply, now_ms)

    def keep(self, execution: str, gateway: str, reply: Reply, now_ms: int) -> None:
        """Remember a reply that was sent."""
        key = (execution, gateway, reply.request)
        self._forget(key)
        self._kept[key] = (now_ms, reply)
        self._kept_bytes += len(reply.body)
        while len(self._kept) > KEEP_MAX or self._kept_bytes > KEEP_BYTES_MAX:
            self._forget(next(iter(self._kept)))

    def get(self, execution: str, gateway: str, request: int) -> Reply | None:
        """The kept reply of an execution to that request."""
        found = self._kept.get((execution, gateway, request))
        return found[1] if found else None

    def recent(self, since_ms: int) -> list[tuple[str, str, Reply]]:
        """Replies kept since then, as (execution, gateway, reply)."""
        return [
            (execution, gateway, reply)
            for (execution, gateway, _), (at_ms, reply) in self._kept.items()
            if at_ms >= since_ms
        ]

    def send_again(self, since_ms: int) -> None:
        """Repeat what a dead owner may not have sent; gateways ignore what they know."""
        for _, gateway, reply in self.recent(since_ms):
            self._batches.setdefault(gateway, []).append(reply)
        self.flush()

    def flush(self) -> None:
        """Send what was added."""
        if not self._batches:
            return
        batches, self._batches = self._batches, {}
        for gateway, batch in batches.items():
            try:
                self._bus.publish(names.replies(gateway), REPLIES.encode(batch))
            except PenstockError:
                self._one_by_one(gateway, batch)

    def expire(self, now_ms: int) -> None:
        """Forget what is older than a minute."""
        while self._kept:
            key, (at_ms, _) = next(iter(self._kept.items()))
            if at_ms > now_ms - KEEP_MS:
                return
            self._forget(key)

    def _forget(self, key: _Key) -> None:
        found = self._kept.pop(key, None)
        if found is not None:
            self._kept_bytes -= len(found[1].body)

    def _one_by_one(self, gateway: str, batch: list[Reply]) -> None:
        """Together they were too large; one that is too large alone is left to the history."""
        for reply in batch:
            try:
                self._bus.publish(names.replies(gateway), REPLIES.encode([reply]))
            except PenstockError:
                continue
