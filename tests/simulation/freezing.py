"""A bus of a process that can be frozen, as by SIGSTOP, and that can die.

Frozen: nothing comes in and nothing goes out; when it thaws, all of it happens at once and late,
which is how a former owner meets the world again. Dead: nothing ever happens again, and what was
on its way out is lost. Now and then things take a while to get out, in their order.
"""

import asyncio
from collections.abc import Callable
from functools import partial

from penstock.subjects.bus import Message, OnAck
from penstock.subjects.bus_memory import MemoryBus
from penstock.subjects.errors import BusError
from penstock.subjects.memory_broker import MemoryBroker


class FreezingBus(MemoryBus):
    """See the module's text."""

    def __init__(self, broker: MemoryBroker) -> None:
        super().__init__(broker)
        self.is_frozen = False
        self.is_dead = False
        self._is_slow = False
        self.appends = 0
        self.on_append: Callable[[str], None] = lambda subject: None
        """Called after each append was stored or refused, before anybody hears of it."""
        self._outgoing: list[Callable[[], None]] = []
        self._thawed = asyncio.Event()
        self._thawed.set()

    def freeze(self) -> None:
        """Stop the process."""
        self.is_frozen = True
        self._thawed.clear()

    def thaw(self) -> None:
        """Let it run again: first what it had meant to send, then what came in."""
        self.is_frozen = False
        self._send_all()
        self._thawed.set()
        self._deliver()

    def die(self) -> None:
        """kill -9."""
        self.is_dead = True
        self._waiting.clear()
        self._outgoing.clear()
        self._connection_hooks.clear()
        self.disconnect()

    def publish(self, subject: str, payload: bytes, reply: str = "") -> None:
        if self.is_dead:
            return
        self._send(partial(super().publish, subject, payload, reply))

    def append(
        self,
        subject: str,
        payload: bytes,
        on_ack: OnAck,
        *,
        message_id: str = "",
        expected_last: int | None = None,
    ) -> None:
        if self.is_dead:
            return
        store = super().append

        def send() -> None:
            store(subject, payload, on_ack, message_id=message_id, expected_last=expected_last)
            self.appends += 1
            self.on_append(subject)

        delay_s = self.broker.faults.delay_s("late_send")
        if delay_s and not self._is_slow:
            self._is_slow = True
            asyncio.get_running_loop().call_later(delay_s, self._send_all)
        self._send(send)

    def _send(self, action: Callable[[], None]) -> None:
        if self.is_frozen or self._is_slow:
            self._outgoing.append(action)
        else:
            action()

    def _send_all(self) -> None:
        """Send what waits, but for what a frozen process keeps."""
        self._is_slow = False
        if not self.is_frozen:
            outgoing, self._outgoing = self._outgoing, []
            for action in outgoing:
                if not self.is_dead:
                    action()

    async def last(self, stream: str, subject: str) -> Message | None:
        await self._answers()
        return await super().last(stream, subject)

    async def holds(self, stream: str, sequence: int) -> bool:
        await self._answers()
        return await super().holds(stream, sequence)

    async def purge(self, stream: str, subject: str, before: int = 0) -> None:
        await self._answers()
        await super().purge(stream, subject, before)

    async def info(self, stream: str) -> dict[str, int]:
        await self._answers()
        return await super().info(stream)

    async def request(self, subject: str, payload: bytes, timeout_s: float = 2.0) -> bytes:
        await self._answers()
        return await super().request(subject, payload, timeout_s)

    def _deliver(self) -> None:
        if self.is_frozen:
            self._is_scheduled = False
            return
        super()._deliver()

    async def _answers(self) -> None:
        if self.is_dead:
            await asyncio.get_running_loop().create_future()
        await self._thawed.wait()
        # A round trip: others may act between the question and its answer.
        await asyncio.sleep(self.broker.faults.delay_s("late_ack"))
        if self.is_dead:
            await asyncio.get_running_loop().create_future()
        if not self.is_connected:
            raise BusError("the connection was lost")
