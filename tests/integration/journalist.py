"""Writes run requests and journals as gateways and owners do, with the real core, for tests.

A `Journalist` decides what happens; the events come from `core` and real nodes, so what the
projector reads is what it will read in production.
"""

import asyncio
from collections.abc import Iterable
from random import Random
from typing import Any

from penstock.actors.execution import core
from penstock.actors.execution.events import Event
from penstock.actors.execution.state import State
from penstock.actors.journal import RECORDS, RUNS, Entry, Happened, Held, Record
from penstock.nodes.registry import REGISTRY
from penstock.subjects import ids, names
from penstock.subjects.bus import Ack, Bus
from penstock.subjects.errors import BusError
from penstock.subjects.messages import Cancel, RunRequest
from penstock.workflow.compile import compile_document
from penstock.workflow.document import content_hash, encode
from tests.benchmarks.workloads import w2

DOCUMENT = w2()
PLAN = content_hash(DOCUMENT)
NOW_MS = 1_790_000_000_000


def waiting_document() -> dict[str, Any]:
    """The document of `DOCUMENT` with a Wait in it."""
    document = w2()
    done = document["nodes"][-1]
    done |= {"type": "n8n-nodes-base.wait", "typeVersion": 1.1}
    done["parameters"] = {"resume": "timeInterval", "amount": 3, "unit": "days"}
    return document


WAITING = waiting_document()
WAITING_PLAN = content_hash(WAITING)


async def append(bus: Bus, subject: str, payload: bytes) -> int:
    """Append until it is acknowledged; returns the sequence."""
    while True:
        answered: asyncio.Future[Ack | Exception] = asyncio.get_running_loop().create_future()
        bus.append(subject, payload, answered.set_result)
        answer = await answered
        if isinstance(answer, Ack):
            return answer.sequence
        assert isinstance(answer, BusError), answer


class Journalist:
    """One region's partitions, as far as the stream shows them."""

    def __init__(self, bus: Bus, *, seed: int = 0, partitions: int = 2) -> None:
        self.bus = bus
        self.random = Random(seed)
        self.now_ms = NOW_MS
        self.partitions = partitions
        self._plans = {
            key: compile_document(document, REGISTRY, key=key)
            for key, document in ((PLAN, DOCUMENT), (WAITING_PLAN, WAITING))
        }
        self._indexes = [0] * partitions

    async def save_plans(self) -> None:
        """Put the documents where readers look for them."""
        await self.bus.bucket("plans").put(PLAN, encode(DOCUMENT))
        await self.bus.bucket("plans").put(WAITING_PLAN, encode(WAITING))

    def request(self, plan: str = PLAN, **changes: Any) -> RunRequest:
        """A new run request."""
        self.now_ms += 7
        body = {"name": f"n{self.now_ms}", "amount": self.random.randrange(11, 99)}
        fields = {
            "execution": ids.new_id(self.now_ms, self.random.getrandbits(55)),
            "tenant": "main",
            "workflow": "orders",
            "plan": plan,
            "start": "Webhook",
            "mode": "webhook",
            "items": [{"json": {"body": body, "headers": {}}}],
            "received_ms": self.now_ms,
        }
        return RunRequest(**{**fields, **changes})

    def partition(self, execution: str) -> int:
        return ids.partition_of(ids.root_of(execution), self.partitions)

    async def ask(self, partition: int, requests: list[RunRequest]) -> int:
        """A gateway's batch."""
        subject = names.runs("local", partition)
        return await append(self.bus, subject, RUNS.encode(requests))

    def run(self, request: RunRequest) -> tuple[State, list[Event]]:
        """Start an execution and let it run as far as it goes by itself."""
        state = core.new_state(self._plans[request.plan], request)
        turn = core.start(state, self.now_ms)
        events = list(turn.events)
        while turn.more:
            turn = core.advance(state, self.now_ms)
            events += turn.events
        return state, events

    def cancel(self, state: State) -> list[Event]:
        """Cancel an execution."""
        return core.on_signal(state, Cancel(state.info.id, "enough"), self.now_ms).events

    async def record(self, partition: int, input_seq: int, entries: Iterable[Entry]) -> int:
        """An owner's wake-up."""
        index = self._indexes[partition] = self._indexes[partition] + 1
        record = Record("owner", 1, index, self.now_ms, input_seq, list(entries))
        return await append(self.bus, names.journal("local", partition), RECORDS.encode(record))

    async def run_all(self, requests: list[RunRequest]) -> None:
        """Ask for executions and let each end in one wake-up of its partition."""
        for partition in range(self.partitions):
            mine = [r for r in requests if self.partition(r.execution) == partition]
            if mine:
                sequence = await self.ask(partition, mine)
                entries = [Happened(r.execution, self.run(r)[1]) for r in mine]
                await self.record(partition, sequence, entries)

    async def hold(self, request: RunRequest, reason: str) -> int:
        """Take a request that may not start yet; returns its sequence."""
        partition = self.partition(request.execution)
        sequence = await self.ask(partition, [request])
        await self.record(partition, sequence, [Held(request.execution, reason)])
        return sequence
