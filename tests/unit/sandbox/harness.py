"""A sandbox host on a broker that can fail, and an owner that sends it steps."""

import asyncio
from collections.abc import Awaitable, Callable

from penstock.sandbox_host.host import STEPS, TierServer
from penstock.sandbox_host.once import OnResult
from penstock.subjects import names
from penstock.subjects.bus import Ack, Message
from penstock.subjects.bus_memory import MemoryBus
from penstock.subjects.codec import Codec
from penstock.subjects.errors import ErrorInfo
from penstock.subjects.memory_broker import Faults, MemoryBroker
from penstock.subjects.messages import Outcome, Step, StepResult
from penstock.subjects.streams import Budget, ensure
from tests.security.sandbox_steps import step
from tests.simulation import virtual

RESULTS: Codec[list[StepResult]] = Codec(list[StepResult])
LONG_S = 10.0


class CountingExecutor:
    """Notes what it runs; each step takes `LONG_S`, and fails when it is stopped before."""

    host_id = "h1"

    def __init__(self) -> None:
        self.ran: list[int] = []
        self._running: dict[int, tuple[asyncio.TimerHandle, Step, OnResult]] = {}

    def start(self, step: Step, on_result: OnResult) -> None:
        self.ran.append(step.seq)
        timer = asyncio.get_running_loop().call_later(LONG_S, self._end, len(self.ran))
        self._running[len(self.ran)] = timer, step, on_result

    def stop(self) -> None:
        """As a pool does when it is closed."""
        for number, (timer, _, _) in list(self._running.items()):
            timer.cancel()
            self._end(number, Outcome(None, ErrorInfo("the sandbox host stops")))

    def _end(self, number: int, outcome: Outcome | None = None) -> None:
        _, step, on_result = self._running.pop(number)
        ended = outcome or Outcome([[]])
        on_result(StepResult(step.execution, step.seq, step.attempt, ended, "h1", 0, 1))


class World:
    """A host and an owner that sends it steps, on a broker that can fail."""

    def __init__(self) -> None:
        self.broker = MemoryBroker(Faults())
        self.owner = MemoryBus(self.broker)
        self.host = MemoryBus(self.broker)
        self.executor = CountingExecutor()
        self.results: list[int] = []

    async def start(self) -> None:
        await ensure(self.owner, "local", Budget(file_bytes=1 << 30))
        self.owner.follow("DONE", names.done("local", 0), 1, self._received)
        await self.begin()

    async def begin(self) -> None:
        """A host begins to serve."""
        executor = self.executor
        self.server = TierServer(self.host, executor, region="local", tier="process", slots=4)  # type: ignore[arg-type]
        await self.server.start()

    def send(self, *numbers: int) -> None:
        """One batch of steps."""
        steps = [step(b"{}") for _ in numbers]
        for made, number in zip(steps, numbers, strict=True):
            made.seq = number
        self.owner.append(names.steps("local", "process"), STEPS.encode(steps), _stored)

    def stored_steps(self) -> int:
        return len(self.broker.stream("STEPS").messages)

    def _received(self, message: Message) -> None:
        self.results += [result.seq for result in RESULTS.decode(message.payload)]


def _stored(result: Ack | Exception) -> None:
    assert isinstance(result, Ack), result


def played(test: Callable[[World], Awaitable[None]]) -> None:
    async def main() -> None:
        world = World()
        await world.start()
        try:
            await test(world)
        finally:
            await world.server.drain(0)

    virtual.run(main())
