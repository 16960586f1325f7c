"""A connection that is closed already, of which its client has not heard yet."""

import asyncio
from typing import Any

import pytest
import uvloop

from penstock.subjects.bus_nats import NatsBus
from tests.servers import nats_server


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_what_is_sent_on_a_closed_connection_is_no_fault_and_goes_on_with_the_next(
    loop_factory: Any,
) -> None:
    faults: list[dict[str, Any]] = []

    async def scenario(url: str) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, fault: faults.append(fault))
        bus, other = [await NatsBus.connect(url, name=name) for name in ("one", "other")]
        heard: list[bytes] = []
        other.subscribe("hello", lambda message: heard.append(message.payload))
        await asyncio.sleep(0.1)

        client: Any = bus.connection._client
        client._transport._io_writer.transport.abort()
        for _ in range(20):  # some before the client hears of it, some after
            bus.publish("hello", b"lost, maybe")
            await asyncio.sleep(0)
        async with asyncio.timeout(10):
            while b"again" not in heard:
                bus.publish("hello", b"again")
                await asyncio.sleep(0.05)
        await bus.close()
        await other.close()

    with nats_server() as server, asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(scenario(server.url))

    assert faults == []
