"""Taps: what people see live of executions and steps."""

import asyncio

import msgspec

from penstock.subjects.bus import Message
from tests.unit.actors.owner import Owner, owned


def test_steps_tell_how_many_items_came_out_also_when_they_only_passed_through() -> None:
    async def test(owner: Owner) -> None:
        seen = []

        def on_tap(message: Message) -> None:
            told = msgspec.json.decode(message.payload)
            if told["event"] == "step":
                seen.append((told["node"], told["items"]))

        owner.bus.subscribe("tap.main.>", on_tap)
        owner.run("e1", "waiting")
        await asyncio.sleep(30)

        assert seen == [("start", [1]), ("pause", [1]), ("b", [1])]

    owned(test)
