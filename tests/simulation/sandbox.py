"""The simulator's sandbox host: runs "code" by the name of its node, and dies now and then."""

import asyncio
from collections import Counter
from random import Random

from penstock.actors.dispatch import STEPS
from penstock.actors.inbox import RESULTS
from penstock.subjects import names
from penstock.subjects.bus import Ack, Message, WorkSubscription
from penstock.subjects.bus_memory import MemoryBus
from penstock.subjects.errors import ErrorInfo
from penstock.subjects.memory_broker import MemoryBroker
from penstock.subjects.messages import Item, Outcome, Step, StepResult
from tests.simulation.workflows import ALL

TRIES = 3


class SimSandbox:
    """One host of one tier. `ran` counts how often each step ran, over all hosts."""

    def __init__(
        self, broker: MemoryBroker, tier: str, random: Random, ran: Counter[tuple[str, int, int]]
    ) -> None:
        self.ran = ran
        self.bus = MemoryBus(broker)
        self._tier = tier
        self._random = random
        self._work: WorkSubscription | None = None
        self.is_dead = False

    async def start(self) -> None:
        """Take steps from now on."""
        subject = names.steps("local", self._tier)
        self._work = await self.bus.work("STEPS", self._tier, subject, self._on_steps)
        self._work.offer(8)

    def kill(self) -> None:
        """kill -9: what it works on is never acknowledged."""
        self.is_dead = True
        self.bus.disconnect()

    def _on_steps(self, message: Message) -> None:
        if self.is_dead or self._work is None:
            return
        self._work.offer(1)
        delay_s = self._random.choice((0.001, 0.01, 0.1, 0.5, 2.5))
        asyncio.get_running_loop().call_later(delay_s, self._finish, message)

    def _finish(self, message: Message) -> None:
        if self.is_dead:
            return
        by_partition: dict[int, list[StepResult]] = {}
        for step in STEPS.decode(message.payload):
            self.ran[step.execution, step.seq, step.attempt] += 1
            by_partition.setdefault(step.partition, []).append(_result(step))
        left = len(by_partition)

        def on_ack(result: Ack | Exception) -> None:
            nonlocal left
            if self.is_dead or self._work is None:
                return
            if isinstance(result, Exception):
                self._work.nak(message)
                return
            left -= 1
            if not left:
                self._work.ack(message)

        for partition, results in by_partition.items():
            self.bus.append(names.done("local", partition), RESULTS.encode(results), on_ack)


def _result(step: Step) -> StepResult:
    name = ALL[step.workflow]["nodes"][step.node]["name"]
    items = step.inputs[0] or []
    if name == "flaky" and step.attempt < TRIES:
        outcome = Outcome(outputs=None, error=ErrorInfo(message="not yet", node=name))
    elif name == "many":
        outcome = Outcome(outputs=[[{"json": {"n": n}} for n in range(4)]])
    else:
        outcome = Outcome(outputs=[[_marked(item, name) for item in items]])
    return StepResult(step.execution, step.seq, step.attempt, outcome, "sim", 0, 1)


def _marked(item: Item, name: str) -> Item:
    return {"json": {**item["json"], name: "yes"}, "pairedItem": item.get("pairedItem")}
