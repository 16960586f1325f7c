"""Actor hosts as processes on a real broker: they run, hand over, take over and survive outages."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import msgspec
import pytest

from penstock.actors.execution.events import Finished
from penstock.actors.journal import RUNS, Happened, JournalReader
from penstock.actors.placement import HEARTBEATS
from penstock.subjects import names
from penstock.subjects.bus import Ack, Message
from penstock.subjects.bus_nats import NatsBus
from penstock.subjects.errors import BusError, PenstockError
from penstock.subjects.ids import new_id, partition_of
from penstock.subjects.messages import Heartbeat, RunRequest
from penstock.subjects.streams import Budget, ensure
from penstock.workflow.document import content_hash, encode
from tests.servers import NatsServer, nats_server
from tests.simulation.workflows import INLINE, TRIGGER, document, mark, node

PARTITIONS = 4
DEADLINE_S = 30.0
WAITING_SHORTLY = document(
    "waiting shortly",
    TRIGGER,
    node("pause", "wait", 1.1, amount=2, unit="seconds"),
    mark("b"),
    edges={"start": [["pause"]], "pause": [["b"]]},
)


class Host:
    """`python -m penstock.actors` as a process."""

    def __init__(self, url: str) -> None:
        read, write = os.pipe()
        env = {
            **os.environ,
            "PENSTOCK_NATS_URL": url,
            "PENSTOCK_PARTITIONS": str(PARTITIONS),
            "PENSTOCK_READY_FD": str(write),
        }
        argv = [sys.executable, "-m", "penstock.actors"]
        self.process = subprocess.Popen(argv, env=env, pass_fds=(write,))
        os.close(write)
        assert os.read(read, 16) == b"ready\n"
        os.close(read)

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def terminate(self) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=DEADLINE_S)


class Observer:
    """Starts executions and reads the journals."""

    def __init__(self, bus: NatsBus) -> None:
        self.bus = bus
        self.ends: Counter[str] = Counter()
        self.acknowledged: set[str] = set()
        self.hosts: dict[str, Heartbeat] = {}
        self._plans: set[str] = set()
        self._readers = [JournalReader() for _ in range(PARTITIONS)]
        for number in range(PARTITIONS):
            bus.follow("EXEC", names.partition_all("local", number), 1, self._reading(number))
        bus.subscribe("hb.actors.*", self._on_beat)

    def _reading(self, number: int) -> Callable[[Message], None]:
        def on_message(message: Message) -> None:
            record = self._readers[number].feed(message)
            for entry in record.entries if record is not None else ():
                if isinstance(entry, Happened) and isinstance(entry.events[-1], Finished):
                    self.ends[entry.execution] += 1

        return on_message

    def _on_beat(self, message: Message) -> None:
        beat = HEARTBEATS.decode(message.payload)
        self.hosts[beat.id] = beat

    async def run(self, count: int, workflow: dict[str, object]) -> None:
        """Start executions and wait until all are acknowledged."""
        plan = content_hash(workflow)
        if plan not in self._plans:
            await self.bus.bucket("plans").put(plan, encode(workflow))
            self._plans.add(plan)
        executions = [new_id(int(time.time() * 1000)) for _ in range(count)]
        for execution in executions:
            self._start(execution, plan)
        await until(lambda: self.acknowledged.issuperset(executions))

    def _start(self, execution: str, plan: str) -> None:
        request = RunRequest(execution, "main", "w", plan, "", "webhook", [{"json": {}}], 0)
        subject = names.runs("local", partition_of(execution, PARTITIONS))

        def on_ack(result: Ack | Exception) -> None:
            if isinstance(result, Ack):
                self.acknowledged.add(execution)
            else:
                asyncio.get_running_loop().call_later(0.2, self._start, execution, plan)

        self.bus.append(subject, RUNS.encode([request]), on_ack, message_id=execution)

    def has_finished_all(self) -> bool:
        """Whether everything that was acknowledged came to its end."""
        return self.acknowledged <= self.ends.keys()


async def until(is_true: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not is_true():  # noqa: ASYNC110 - other processes tell nobody
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def observed(server: NatsServer) -> AsyncIterator[Observer]:
    bus = await NatsBus.connect(server.url, name="test")
    await ensure(bus, "local", Budget(file_bytes=1 << 30))
    observer = Observer(bus)
    yield observer
    await bus.close()


@pytest.fixture
def server() -> Iterator[NatsServer]:
    with nats_server() as running:
        yield running


@pytest.fixture
def start(server: NatsServer) -> Iterator[Callable[[], Awaitable[Host]]]:
    hosts: list[Host] = []

    async def start_host() -> Host:
        host = await asyncio.to_thread(Host, server.url)
        hosts.append(host)
        return host

    yield start_host
    for host in hosts:
        if host.process.poll() is None:
            host.kill()


Start = Callable[[], Awaitable[Host]]


def once_each(observer: Observer) -> bool:
    return set(observer.ends.values()) == {1}


def test_a_host_runs_everything_and_hands_over_on_sigterm(server: NatsServer, start: Start) -> None:
    async def scenario() -> None:
        async with observed(server) as observer:
            first = await start()
            await observer.run(200, INLINE)
            await until(observer.has_finished_all)
            await observer.run(20, WAITING_SHORTLY)
            second = await start()

            assert await asyncio.to_thread(first.terminate) == 0
            await observer.run(200, INLINE)
            await until(observer.has_finished_all)

            assert once_each(observer)
            assert await asyncio.to_thread(second.terminate) == 0

    asyncio.run(scenario())


def test_a_standby_takes_over_what_a_killed_host_left(server: NatsServer, start: Start) -> None:
    async def scenario() -> None:
        async with observed(server) as observer:
            hosts = [await start(), await start()]
            await until(lambda: _owned(observer) == set(range(PARTITIONS)))
            for _ in range(3):
                running = asyncio.ensure_future(observer.run(150, INLINE))
                await asyncio.sleep(0.05)
                hosts.pop(0).kill()
                await running
                await until(observer.has_finished_all)
                hosts.append(await start())

            assert once_each(observer)

    asyncio.run(scenario())


def _owned(observer: Observer) -> set[int]:
    return {number for beat in observer.hosts.values() for number in beat.owns}


def test_a_frozen_host_that_wakes_up_is_fenced_and_breaks_nothing(
    server: NatsServer, start: Start
) -> None:
    async def scenario() -> None:
        async with observed(server) as observer:
            first = await start()
            await observer.run(50, INLINE)
            first.process.send_signal(signal.SIGSTOP)
            await start()
            await observer.run(50, INLINE)
            await until(observer.has_finished_all)
            first.process.send_signal(signal.SIGCONT)
            await observer.run(100, INLINE)
            await until(observer.has_finished_all)

            assert once_each(observer)
            assert first.process.poll() is None

    asyncio.run(scenario())


def test_a_broker_that_is_killed_and_comes_back_is_waited_out(
    server: NatsServer, start: Start
) -> None:
    async def scenario() -> None:
        async with observed(server) as observer:
            host = await start()
            await observer.run(10, INLINE)
            running = asyncio.ensure_future(observer.run(300, INLINE))
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
            await _ensure(observer.bus)
            await running
            await until(observer.has_finished_all)

            assert once_each(observer)
            assert host.process.poll() is None

    asyncio.run(scenario())


async def _ensure(bus: NatsBus) -> None:
    """As `penstock up` does when the broker is back: the streams in memory are gone."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            try:
                await ensure(bus, "local", Budget(file_bytes=1 << 30))
                return
            except PenstockError:
                await asyncio.sleep(0.05)


def test_a_partition_tells_its_figures(server: NatsServer, start: Start) -> None:
    async def scenario() -> None:
        async with observed(server) as observer:
            await start()

            frame = b""
            async with asyncio.timeout(10):
                while not frame:
                    # Its subscription may reach the broker a moment after it says ready.
                    with contextlib.suppress(BusError):
                        frame = await observer.bus.request("ask.local.0.stats", b"")

            figures = msgspec.json.decode(frame)
            assert figures["partition"] == 0
            assert figures["epoch"] == 1

    asyncio.run(scenario())
