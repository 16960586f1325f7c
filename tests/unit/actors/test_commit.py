"""An append is certain about what became of it, however the broker answers."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

from penstock.actors.commit import Committer
from penstock.actors.journal import RECORDS, Record
from penstock.subjects.bus import Ack, Message
from penstock.subjects.bus_memory import MemoryBus
from penstock.subjects.memory_broker import Faults, MemoryBroker
from penstock.subjects.streams import Budget, ensure
from tests.simulation import virtual

JOURNAL = "exec.local.0.journal"


class Fixture:
    """A committer and what it reported."""

    def __init__(self) -> None:
        self.broker = MemoryBroker(Faults(random=Random(1)))
        self.bus = MemoryBus(self.broker)
        self.committer = self.made("me")
        self.stored = 0
        self.fenced = 0

    def made(self, owner: str) -> Committer:
        committer = Committer(self.bus, JOURNAL, owner)
        committer.on_fenced = self.on_fenced
        return committer

    def on_fenced(self) -> None:
        self.fenced += 1

    def on_stored(self) -> None:
        self.stored += 1

    def append(self, owner: str = "me") -> None:
        record = Record(owner, 1, self.committer.index + 1, 0, 0, [])
        self.committer.append(RECORDS.encode(record), self.on_stored)

    def count(self) -> int:
        return len(self.broker.stream("EXEC").messages)


def with_committer(test: Callable[[Fixture], Awaitable[None]]) -> None:
    async def main() -> None:
        fixture = Fixture()
        await ensure(fixture.bus, "local", Budget(file_bytes=1 << 30))
        await test(fixture)

    virtual.run(main())


def test_a_lost_acknowledgement_is_settled_by_looking() -> None:
    async def test(it: Fixture) -> None:
        it.broker.faults.lost_ack = 1.0
        it.append()
        await asyncio.sleep(5)

        assert (it.stored, it.fenced, it.count()) == (1, 0, 1)
        assert it.committer.sequence == 1

    with_committer(test)


def test_a_refused_append_is_sent_until_it_is_stored() -> None:
    async def test(it: Fixture) -> None:
        it.broker.faults.refused = 1.0
        it.append()
        await asyncio.sleep(5)
        assert it.stored == 0
        assert it.committer.waiting_reason

        it.broker.faults.refused = 0.0
        await asyncio.sleep(3)
        assert (it.stored, it.count(), it.committer.waiting_reason) == (1, 1, "")

    with_committer(test)


def test_an_outage_is_waited_out() -> None:
    async def test(it: Fixture) -> None:
        it.bus.disconnect()
        it.append()
        await asyncio.sleep(60)
        it.bus.reconnect()
        await asyncio.sleep(3)

        assert (it.stored, it.fenced, it.count()) == (1, 0, 1)

    with_committer(test)


def test_a_record_of_somebody_else_fences_and_nothing_more_is_reported() -> None:
    async def test(it: Fixture) -> None:
        foreign = RECORDS.encode(Record("other", 2, 0, 0, 0, []))
        it.bus.append(JOURNAL, foreign, lambda result: None)
        await asyncio.sleep(0.1)
        it.append()
        await asyncio.sleep(5)

        assert (it.stored, it.fenced, it.count()) == (0, 1, 1)

    with_committer(test)


def test_who_has_nothing_to_append_learns_by_looking_that_somebody_else_wrote() -> None:
    async def test(it: Fixture) -> None:
        it.append()
        await asyncio.sleep(1)
        await it.committer.confirm()
        assert (it.fenced, it.committer.confirmed_s) == (0, 1.0)

        foreign = RECORDS.encode(Record("other", 2, 0, 0, 0, []))
        it.bus.append(JOURNAL, foreign, lambda result: None)
        await it.committer.confirm()

        assert (it.stored, it.fenced) == (1, 1)

    with_committer(test)


def test_looking_while_an_append_gets_through_fences_nobody() -> None:
    async def test(it: Fixture) -> None:
        it.append()
        await asyncio.sleep(1)

        look = it.bus.last

        async def overtaken_by_an_append(stream: str, subject: str) -> Message | None:
            last = await look(stream, subject)
            it.append()
            await asyncio.sleep(1)
            return last

        it.bus.last = overtaken_by_an_append  # type: ignore[method-assign]
        await it.committer.confirm()

        assert (it.stored, it.fenced) == (2, 0)

    with_committer(test)


def test_a_late_acknowledgement_counts_once() -> None:
    async def test(it: Fixture) -> None:
        answers: list[Callable[[Ack | Exception], None]] = []
        append = it.bus.append

        def slow(
            subject: str,
            payload: bytes,
            on_ack: Callable[[Ack | Exception], None],
            *,
            message_id: str = "",
            expected_last: int | None = None,
        ) -> None:
            def hear(result: Ack | Exception) -> None:
                answers.append(lambda _: on_ack(result))
                on_ack(TimeoutError("late"))

            append(subject, payload, hear, message_id=message_id, expected_last=expected_last)

        it.bus.append = slow  # type: ignore[method-assign]
        it.append()
        await asyncio.sleep(3)
        for answer in answers:
            answer(Ack(1))

        assert (it.stored, it.count()) == (1, 1)

    with_committer(test)
