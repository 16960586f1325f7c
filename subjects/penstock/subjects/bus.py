"""The bus port: the little of NATS JetStream that Penstock builds on.

Callbacks are synchronous and run on the event loop's thread. After the callbacks of everything
that arrived in one read, `on_batch` hooks run once: that is where partitions wake up, so that a
batch is what came in together. Adapters: `bus_nats` (nats-py) and `bus_memory` (in process,
seeded faults); `tests/contract/test_bus_*.py` hold both to the same behaviour.

Delivery: `publish` at most once; `append` durable once its acknowledgement came; `follow` in
order without gaps from a sequence; `work` at least once. Errors reach `on_ack`/awaiters as
`BusError`; nothing is retried here, since only the caller knows whether that is safe.
"""

from collections.abc import AsyncIterator, Callable
from typing import Protocol

import msgspec


class Message(msgspec.Struct, frozen=True, gc=False):
    """A message as delivered. `sequence` is 0 outside of streams; `reply` empty without one."""

    subject: str
    payload: bytes
    sequence: int = 0
    reply: str = ""


class Ack(msgspec.Struct, frozen=True, gc=False):
    """The broker's word that a message is stored. `duplicate`: it had been, by its message id."""

    sequence: int
    duplicate: bool = False


class KvEntry(msgspec.Struct, frozen=True, gc=False):
    """A bucket's entry. `value` None: deleted. `revision` grows with every change of the bucket."""

    key: str
    value: bytes | None
    revision: int


OnAck = Callable[[Ack | Exception], None]
OnMessage = Callable[[Message], None]


class Subscription(Protocol):
    """Something that delivers until it is closed."""

    def close(self) -> None: ...


class WorkSubscription(Subscription, Protocol):
    """A pull on a work queue: delivers at most as many messages as slots were offered.

    What is said of a message that a stream has taken along when it began anew is said of none. An
    `ack` during an outage counts when it is over. What was delivered can be answered after `close`.
    """

    def offer(self, slots: int) -> None:
        """Ask for up to `slots` more messages."""

    def ack(self, message: Message) -> None:
        """Done: never deliver it again."""

    def nak(self, message: Message) -> None:
        """Not done: deliver it to somebody else at once."""

    def progress(self, message: Message) -> None:
        """Still at it: start the acknowledgement time anew."""


class Bucket(Protocol):
    """A key-value bucket. Keys are `[-/_=.a-zA-Z0-9]+`."""

    async def get(self, key: str) -> KvEntry | None: ...

    async def put(self, key: str, value: bytes) -> int: ...

    async def create(self, key: str, value: bytes) -> int:
        """Put if absent, else `WrongLastSequenceError`."""

    async def update(self, key: str, value: bytes, revision: int) -> int:
        """Put if unchanged since `revision`, else `WrongLastSequenceError`."""

    async def delete(self, key: str, revision: int | None = None) -> int:
        """Delete, if unchanged since `revision` where one is given, else
        `WrongLastSequenceError`; the revision of the deletion."""

    def watch(self) -> AsyncIterator[KvEntry | None]:
        """Every entry, then `None` once (all that was there has been told), then every change."""


class Bus(Protocol):
    """See the module's text."""

    @property
    def is_connected(self) -> bool: ...

    def publish(self, subject: str, payload: bytes, reply: str = "") -> None:
        """Send, at most once, without waiting. Dropped while disconnected."""

    def offer(self, subject: str, payload: bytes, on_nobody: Callable[[], None]) -> None:
        """`publish`; `on_nobody` is called when the broker says that nobody listens there.

        At most once, and soon or never: who must know hears from the receiver.
        """

    def append(
        self,
        subject: str,
        payload: bytes,
        on_ack: OnAck,
        *,
        message_id: str = "",
        expected_last: int | None = None,
    ) -> None:
        """Publish into the stream that holds `subject`; `on_ack` is called exactly once.

        `expected_last`: refuse unless this is the last sequence of exactly this subject (0: the
        subject is empty). Times out with `BusError` after 2 s, and then may have been stored.
        """

    def subscribe(self, subject: str, on_message: OnMessage, queue: str = "") -> Subscription:
        """Core subscription (wildcards allowed). Renewed by the adapter after a reconnect."""

    def follow(self, stream: str, subject: str, start: int, on_message: OnMessage) -> Subscription:
        """Deliver what the stream holds for `subject` from sequence `start`, in order, then on.

        Ephemeral, without acknowledgements, one filter. The adapter restarts it after the last
        delivered sequence when the broker lost it.
        """

    async def work(
        self, stream: str, name: str, subject: str, on_message: OnMessage
    ) -> WorkSubscription:
        """Join the durable consumer `name` of a work-queue stream; nothing comes before `offer`."""

    async def request(self, subject: str, payload: bytes, timeout_s: float = 2.0) -> bytes:
        """Ask and wait for one answer; `BusError` when there is nobody or no answer in time."""

    async def last(self, stream: str, subject: str) -> Message | None:
        """The last stored message of `subject`."""

    async def holds(self, stream: str, sequence: int) -> bool:
        """Whether the message of this sequence is still in the stream: it was neither removed nor,
        in a work queue, done."""

    async def purge(self, stream: str, subject: str, before: int = 0) -> None:
        """Remove `subject`'s messages with a sequence below `before` (0: all)."""

    async def info(self, stream: str) -> dict[str, int]:
        """`messages`, `bytes`, `bytes_max`, `first`, `last`, `consumers` of a stream; `created`
        is another number when the stream of that name is another one."""

    def bucket(self, name: str) -> Bucket: ...

    def on_batch(self, hook: Callable[[], None]) -> None:
        """Call `hook` once after the callbacks of each batch that arrived."""

    def on_connection(self, hook: Callable[[bool], None]) -> None:
        """Call `hook(True)` after each reconnect and `hook(False)` after each loss."""

    async def close(self) -> None: ...
