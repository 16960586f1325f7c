"""Subjects of the contract's tests, and calls to a bus that wait for what becomes of them."""

import asyncio

from penstock.subjects import names
from penstock.subjects.bus import Ack, Bus, Message
from penstock.subjects.errors import BusError

RUNS = names.runs("local", 0)
JOURNAL = names.journal("local", 0)
STEPS = names.steps("local", "trusted")
DONE = names.done("local", 0)


async def append(
    bus: Bus, subject: str, payload: bytes, message_id: str = "", expected: int | None = None
) -> Ack:
    """Append and wait; raise what was answered instead of an acknowledgement."""
    answered: asyncio.Future[Ack | Exception] = asyncio.get_running_loop().create_future()
    bus.append(subject, payload, answered.set_result, message_id=message_id, expected_last=expected)
    answer = await answered
    if isinstance(answer, Exception):
        raise answer
    return answer


async def append_surely(bus: Bus, subject: str, payload: bytes, message_id: str) -> Ack:
    """Append under one id until it is acknowledged."""
    while True:
        try:
            return await append(bus, subject, payload, message_id)
        except BusError:
            await asyncio.sleep(0.01)


async def emptied(bus: Bus, stream: str) -> None:
    """Wait until nothing is stored in a stream, at most 5 s."""
    async with asyncio.timeout(5):
        while (await bus.info(stream))["messages"]:  # noqa: ASYNC110 - the broker tells nobody
            await asyncio.sleep(0.01)


def payloads(messages: list[Message]) -> list[bytes]:
    """The payload of each, in their order."""
    return [message.payload for message in messages]
