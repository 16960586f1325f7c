"""Appending and waiting for it, for those who are in no hurry.

`Bus.append` answers by a callback, which is what partitions need: no task and no future per record.
Takeovers, snapshots and canaries append one thing after another and would each turn the callback
into something to await. Nothing is tried again here.
"""

import asyncio

from penstock.subjects.bus import Ack, Bus


async def appended(
    bus: Bus,
    subject: str,
    payload: bytes,
    *,
    message_id: str = "",
    expected_last: int | None = None,
) -> Ack:
    """`Bus.append`, awaited; what it answers with an error is raised."""
    future: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()

    def on_ack(result: Ack | Exception) -> None:
        if future.done():
            return  # whoever waited was cancelled
        if isinstance(result, Ack):
            future.set_result(result)
        else:
            future.set_exception(result)

    bus.append(subject, payload, on_ack, message_id=message_id, expected_last=expected_last)
    return await future
