"""Streams, work consumers and buckets as data, and the one function that makes them so.

What the broker must hold is written down here and nowhere else. `ensure` may run at every start:
it creates what is missing and brings what differs up to date, and never deletes. A broker that
restarts has lost its streams in memory, so it must run again at every start of the broker.

Every stream has a byte limit, a share of the budget: a full disk without limits means writes that
stay stuck until the broker restarts, while a full stream means a clean refusal that heals. The
shares add up to less than 1, which `tests/unit/subjects/test_streams.py` holds.

Memory streams are replicated like the others although they may vanish: their replica's node would
take steps in flight with it, and owners that are connected to another node would not notice.

Core only, in no stream: `tap.>`, `hb.>`, `ask.>`, `reply.>`. Losing one of those is no loss of
truth.
"""

from collections.abc import Iterator
from typing import Literal, Protocol

import msgspec

from penstock.subjects import names

DUPLICATE_WINDOW_S = 600.0
"""How long a message id is remembered: no caller may retry an append for longer."""

ACK_WAIT_S = 3.0
"""A step without a sign of life for this long goes to another host."""


class StreamSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One stream. `share` is its part of the file or memory budget, by `storage`."""

    name: str
    subjects: tuple[str, ...]
    share: float
    storage: Literal["file", "memory"] = "file"
    retention: Literal["limits", "workqueue"] = "limits"
    discard: Literal["new", "old"] = "new"
    max_age_s: float = 0.0
    per_subject_max: int = -1
    duplicate_window_s: float = 120.0
    is_bucket: bool = False
    replicas: int = 1


class ConsumerSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A durable work consumer: pulled by many, explicit acknowledgement, redelivered for ever."""

    stream: str
    name: str
    subject: str
    ack_wait_s: float = ACK_WAIT_S
    unacknowledged_max: int = 100_000


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """What all streams together may take on one broker, and how many brokers keep each message.

    The broker's own limits must be at least this.
    """

    file_bytes: int
    memory_bytes: int = 512 * 1024 * 1024
    replicas: int = 1


class StreamAdmin(Protocol):
    """Whoever can declare streams and consumers: both bus adapters, with an admin's rights."""

    async def declare_stream(self, spec: StreamSpec, max_bytes: int) -> None:
        """Create the stream, or bring it to this specification."""

    async def declare_consumer(self, spec: ConsumerSpec) -> None:
        """Create the durable consumer, or bring it to this specification."""


def streams(region: str) -> tuple[StreamSpec, ...]:
    """Every stream of a region."""
    region = names.token(region)
    return (
        StreamSpec(
            name="EXEC",
            subjects=(f"exec.{region}.>",),
            share=0.55,
            duplicate_window_s=DUPLICATE_WINDOW_S,
        ),
        StreamSpec(name="SNAP", subjects=(f"snap.{region}.>",), share=0.15, per_subject_max=1),
        StreamSpec(
            name="STEPS",
            subjects=(f"step.{region}.*",),
            share=0.6,
            storage="memory",
            retention="workqueue",
        ),
        StreamSpec(
            name="DONE",
            subjects=(f"done.{region}.*",),
            share=0.35,
            storage="memory",
            discard="old",
            max_age_s=120.0,
        ),
        StreamSpec(name="DEAD", subjects=(f"dead.{region}.*",), share=0.04, discard="old"),
        StreamSpec(
            name="AUDIT",
            subjects=("audit.*",),
            share=0.05,
            duplicate_window_s=DUPLICATE_WINDOW_S,
        ),
    )


def bucket(name: str, share: float) -> StreamSpec:
    """The stream behind a key-value bucket, by NATS's conventions (`nats kv` reads it)."""
    return StreamSpec(
        name=f"KV_{name}",
        subjects=(f"$KV.{name}.>",),
        share=share,
        per_subject_max=1,
        is_bucket=True,
    )


BUCKETS: tuple[StreamSpec, ...] = (
    bucket("plans", 0.10),
    bucket("workflows", 0.03),
    bucket("routes", 0.02),
    bucket("hosts", 0.01),
    bucket("marks", 0.01),
    bucket("static", 0.02),
)
"""`plans`: documents by content hash; `workflows`, `routes`: see `workflows.py`; `hosts`: who is
alive; `marks`: how far a follower of EXEC has got, so that nobody trims what it still needs, and
that one has begun (see `marks.py`); `static`: see `static_data.py`."""


def consumers(region: str) -> tuple[ConsumerSpec, ...]:
    """Every durable consumer of a region: one per tier of sandbox hosts."""
    return tuple(
        ConsumerSpec(stream="STEPS", name=tier, subject=names.steps(region, tier))
        for tier in ("trusted", "process")
    )


def declarations(region: str, budget: Budget) -> Iterator[tuple[StreamSpec, int]]:
    """Every stream of a region as the broker must hold it, with its limit in bytes."""
    for spec in (*streams(region), *BUCKETS):
        total = budget.file_bytes if spec.storage == "file" else budget.memory_bytes
        replicated = msgspec.structs.replace(spec, replicas=budget.replicas)
        yield replicated, int(total * spec.share)


async def ensure(admin: StreamAdmin, region: str, budget: Budget) -> None:
    """Make the broker hold everything a region needs. Safe to repeat and to run concurrently."""
    for spec, bytes_max in declarations(region, budget):
        await admin.declare_stream(spec, bytes_max)
    for consumer in consumers(region):
        await admin.declare_consumer(consumer)
