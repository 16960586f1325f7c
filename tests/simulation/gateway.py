"""The simulator's gateway: publishes until it is acknowledged, as the real one does, and sometimes
once more. About half of the runs go straight to the owner first, which may get lost or come twice.
"""

import asyncio
from collections import Counter
from random import Random

from penstock.actors.direct import DIRECT_RUNS
from penstock.actors.inbox import SIGNALS
from penstock.actors.journal import RUNS
from penstock.actors.replies import REPLIES
from penstock.subjects import names
from penstock.subjects.bus import Ack, Message
from penstock.subjects.bus_memory import MemoryBus
from penstock.subjects.ids import new_id, partition_of, root_of
from penstock.subjects.memory_broker import MemoryBroker
from penstock.subjects.messages import Cancel, DirectRuns, ReplyTo, Resume, RunRequest, Signal

RETRY_S = 0.2
LOST = 0.2
"""Of the messages that go straight to an owner; as many come twice."""
ANSWER_S = 2.0
"""How long it waits for an answer before it stores what it has sent straight."""


class SimGateway:
    """`sent` has the workflow of every execution, `acknowledged` those that must not be lost."""

    def __init__(self, broker: MemoryBroker, random: Random, partitions: int) -> None:
        self.acknowledged: set[str] = set()
        self.sent: dict[str, str] = {}
        self.answered: set[str] = set()
        self.happened: Counter[str] = Counter()
        self.bus = MemoryBus(broker)
        self.bus.subscribe(names.replies("sim"), self._on_replies)
        self._random = random
        self._partitions = partitions
        self._number = 0
        self._direct = [0] * partitions

    def run(self, workflow: str, hashes: dict[str, str]) -> str:
        """Start a workflow; the execution's id."""
        return self.run_all([(workflow, "main")], hashes)[0]

    def run_all(
        self, wanted: list[tuple[str, str]], hashes: dict[str, str], again_s: float | None = None
    ) -> list[str]:
        """Start (workflow, tenant)s in one batch; stored under another message id once more
        after `again_s`, as by a sender who believes that it got lost; the executions' ids."""
        batch: list[RunRequest] = []
        number = self._random.randrange(self._partitions)
        for workflow, tenant in wanted:
            execution = self._new_id(None if len(wanted) == 1 else number)
            now_ms = int(asyncio.get_running_loop().time() * 1000)
            items = [{"json": {"who": "sim"}}]
            request = RunRequest(
                execution, tenant, workflow, hashes[workflow], "", "webhook", items, now_ms
            )
            self.sent[execution] = workflow
            request.reply = ReplyTo("sim", len(self.sent))
            batch.append(request)
        if self._random.random() < 0.5:
            self._send_straight(batch)
        else:
            self._store(batch)
        if again_s is not None:
            self.happened["sent again"] += 1
            asyncio.get_running_loop().call_later(again_s, self._store, batch)
        return [request.execution for request in batch]

    def _send_straight(self, batch: list[RunRequest]) -> None:
        partition = partition_of(root_of(batch[0].execution), self._partitions)
        self._direct[partition] += 1
        number = self._direct[partition]
        for request in batch:
            request.direct = number
        frame = DIRECT_RUNS.encode(DirectRuns("sim", number, batch))
        copies = self._random.choices((0, 1, 2), (LOST, 1 - 2 * LOST, LOST))[0]
        self.happened[
            ("sent straight and lost", "sent straight", "sent straight twice")[copies]
        ] += 1
        for _ in range(copies):
            self.bus.offer(names.direct_runs("local", partition), frame, lambda: None)
        asyncio.get_running_loop().call_later(ANSWER_S, self._store_late, batch)

    def _store_late(self, batch: list[RunRequest]) -> None:
        """No answer has come: whether the owner has had it only the owner knows."""
        is_known = all(request.execution in self.answered for request in batch)
        if not is_known or self._random.random() < LOST:
            self.happened["stored late"] += 1
            self._store(batch)

    def _store(self, batch: list[RunRequest]) -> None:
        executions = [request.execution for request in batch]
        partition = partition_of(root_of(executions[0]), self._partitions)
        self._send(names.runs("local", partition), RUNS.encode(batch), self._id(), executions)

    def _on_replies(self, message: Message) -> None:
        for reply in REPLIES.decode(message.payload):
            self.answered.add(reply.execution)
            self.acknowledged.add(reply.execution)

    def signal(self, signal: Cancel | Resume) -> None:
        """Send a signal."""
        self.send_signal(partition_of(root_of(signal.execution), self._partitions), signal)

    def send_signal(self, partition: int, signal: Signal) -> None:
        """Send a signal to a partition."""
        self._send(names.signals("local", partition), SIGNALS.encode([signal]), self._id(), [])

    def _new_id(self, partition: int | None) -> str:
        now_ms = int(asyncio.get_running_loop().time() * 1000)
        while True:
            execution = new_id(now_ms, self._random.getrandbits(55))
            if partition in (None, partition_of(execution, self._partitions)):
                return execution

    def _id(self) -> str:
        self._number += 1
        return f"sim-{self._number}"

    def _send(self, subject: str, frame: bytes, message_id: str, executions: list[str]) -> None:
        def on_ack(result: Ack | Exception) -> None:
            if isinstance(result, Ack):
                self.acknowledged.update(executions)
            else:
                again = (subject, frame, message_id, executions)
                asyncio.get_running_loop().call_later(RETRY_S, self._send, *again)

        self.bus.append(subject, frame, on_ack, message_id=message_id)
