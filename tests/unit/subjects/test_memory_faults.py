"""The in-memory bus fails as it is told to, the same way for the same seed."""

import asyncio
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

import pytest

from penstock.subjects import names
from penstock.subjects.bus import Ack, Message
from penstock.subjects.bus_memory import MemoryBus
from penstock.subjects.errors import BusError, StreamFullError
from penstock.subjects.memory_broker import Faults, MemoryBroker
from penstock.subjects.streams import Budget, ensure

RUNS = names.runs("local", 0)
STEPS = names.steps("local", "trusted")


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A loop whose clock jumps to the next timer instead of waiting for it."""

    def __init__(self) -> None:
        super().__init__()
        self._now_s = 0.0

    def time(self) -> float:
        return self._now_s

    def _run_once(self) -> None:
        scheduled, ready = self._scheduled, self._ready  # type: ignore[attr-defined]
        if scheduled and not ready:
            self._now_s = max(self._now_s, scheduled[0]._when)
        super()._run_once()  # type: ignore[misc]


def run(scenario: Callable[[MemoryBus], Coroutine[Any, Any, Any]], faults: Faults) -> Any:
    """Run a scenario on a fresh bus in virtual time."""

    async def main() -> Any:
        bus = MemoryBus(MemoryBroker(faults))
        await ensure(bus, "local", Budget(file_bytes=1 << 30))
        return await scenario(bus)

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main())


async def append_many(bus: MemoryBus, count: int) -> list[Ack | Exception]:
    answers: list[Ack | Exception] = []
    for n in range(count):
        bus.append(RUNS, b"%d" % n, answers.append, message_id=str(n))
    await asyncio.sleep(10)
    return answers


def test_a_lost_acknowledgement_is_an_error_although_it_was_stored() -> None:
    async def scenario(bus: MemoryBus) -> None:
        answers = await append_many(bus, 100)

        lost = [answer for answer in answers if isinstance(answer, BusError)]
        assert len(answers) == 100 and 10 < len(lost) < 60
        assert (await bus.info("EXEC"))["messages"] == 100

    run(scenario, Faults(random=Random(1), lost_ack=0.3))


def test_a_refused_append_is_not_stored() -> None:
    async def scenario(bus: MemoryBus) -> None:
        answers = await append_many(bus, 100)

        stored = sum(isinstance(answer, Ack) for answer in answers)
        assert 0 < stored < 100
        assert (await bus.info("EXEC"))["messages"] == stored

    run(scenario, Faults(random=Random(1), refused=0.5))


def test_the_same_seed_gives_the_same_faults() -> None:
    def outcomes(seed: int) -> list[str]:
        async def scenario(bus: MemoryBus) -> list[str]:
            return [type(answer).__name__ for answer in await append_many(bus, 200)]

        faults = Faults(random=Random(seed), lost_ack=0.2, refused=0.1, late_ack=0.3)
        result: list[str] = run(scenario, faults)
        return result

    assert outcomes(7) == outcomes(7) != outcomes(8)


def test_delays_reorder_subscriptions_but_never_one_followed_subject() -> None:
    async def scenario(bus: MemoryBus) -> None:
        followed: list[int] = []
        heard: list[int] = []
        bus.follow("EXEC", RUNS, 1, lambda m: followed.append(m.sequence))
        bus.subscribe("tap.>", lambda m: heard.append(int(m.payload)))
        for n in range(50):
            bus.publish("tap.main.w.e.x", b"%d" % n)
        await append_many(bus, 50)

        assert followed == list(range(1, 51))
        assert sorted(heard) == list(range(50)) != heard

    run(scenario, Faults(random=Random(3), delayed=0.5))


def test_work_can_come_twice() -> None:
    async def scenario(bus: MemoryBus) -> None:
        taken: list[Message] = []
        work = await bus.work("STEPS", "trusted", STEPS, taken.append)
        work.offer(2)
        bus.append(STEPS, b"once", lambda _: None)
        await asyncio.sleep(0.1)

        assert [m.payload for m in taken] == [b"once", b"once"]

    run(scenario, Faults(random=Random(0), duplicate_work=1.0))


def test_work_is_redelivered_after_its_acknowledgement_time_of_virtual_seconds() -> None:
    async def scenario(bus: MemoryBus) -> None:
        taken: list[tuple[float, bytes]] = []
        loop = asyncio.get_running_loop()
        work = await bus.work(
            "STEPS", "trusted", STEPS, lambda m: taken.append((loop.time(), m.payload))
        )
        work.offer(2)
        bus.append(STEPS, b"step", lambda _: None)
        await asyncio.sleep(60)

        assert [payload for _, payload in taken] == [b"step", b"step"]
        assert 2.9 < taken[1][0] - taken[0][0] < 3.5

    run(scenario, Faults())


def test_a_full_bucket_refuses_what_would_change_it_and_is_read_all_the_same() -> None:
    async def scenario(bus: MemoryBus) -> None:
        bucket = bus.bucket("static")
        await bucket.put("key", b"before")
        bus.broker.faults.full_streams.add("KV_static")

        with pytest.raises(StreamFullError):
            await bucket.put("key", b"after")

        entry = await bucket.get("key")
        assert entry is not None
        assert entry.value == b"before"

    run(scenario, Faults())


def test_a_full_stream_and_a_stalled_stream_differ() -> None:
    async def scenario(bus: MemoryBus) -> None:
        faults = bus.broker.faults
        faults.full_streams.add("EXEC")
        full = await append_many(bus, 1)
        faults.full_streams.clear()
        faults.stalled_streams.add("EXEC")
        stalled = await append_many(bus, 1)

        assert isinstance(full[0], StreamFullError)
        assert isinstance(stalled[0], BusError) and "in time" in str(stalled[0])

    run(scenario, Faults())


def test_what_a_leader_took_while_it_stood_still_is_stored_when_it_goes_on() -> None:
    async def scenario(bus: MemoryBus) -> None:
        bus.broker.stall("EXEC")
        answers = await append_many(bus, 2)
        before = len(bus.broker.stream("EXEC").messages)

        bus.broker.go_on("EXEC")
        again = await append_many(bus, 1)

        assert all(isinstance(answer, BusError) for answer in answers)
        assert before == 0
        assert again == [Ack(1, duplicate=True)]
        assert bus.broker.faults.happened == {"stalled": 2}

    run(scenario, Faults())


def test_a_disconnected_client_misses_core_messages_and_its_follower_none() -> None:
    async def scenario(bus: MemoryBus) -> None:
        other = MemoryBus(bus.broker)
        heard: list[Message] = []
        followed: list[Message] = []
        other.subscribe("hb.>", heard.append)
        other.follow("EXEC", RUNS, 1, followed.append)
        bus.append(RUNS, b"0", lambda _: None)
        await asyncio.sleep(0.1)

        other.disconnect()
        bus.publish("hb.actors.a", b"")
        bus.append(RUNS, b"1", lambda _: None)
        await asyncio.sleep(0.1)
        other.reconnect()
        await asyncio.sleep(0.1)

        assert heard == []
        assert [m.payload for m in followed] == [b"0", b"1"]

    run(scenario, Faults())
