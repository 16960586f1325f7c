"""Taps: what people see live of executions and steps."""

import asyncio

import msgspec

from penstock.subjects.bus import Message
from penstock.workflow.document import content_hash
from tests.simulation.workflows import TRIGGER, document, node
from tests.unit.actors.owner import Owner, ends, owned


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


def test_a_huge_error_message_is_cut_off_in_the_feed_and_harms_nobody() -> None:
    async def test(owner: Owner) -> None:
        told = []
        owner.bus.subscribe("tap.main.>", lambda message: told.append(message.payload))
        workflow = document(
            "huge",
            TRIGGER,
            node("stop", "stopAndError", 1, errorMessage="\x01" * 1_000_000),
            edges={"start": [["stop"]]},
        )
        await owner.store("huge", workflow)
        owner.run("e1", "huge", plan=content_hash(workflow))
        owner.run("e2", "inline")
        await asyncio.sleep(1)

        assert owner.lost == []
        assert ends(owner) == {"e1": "error", "e2": "success"}
        assert max(map(len, told)) < 20_000
        assert any(b"cut off; it has 1000000 characters" in payload for payload in told)

    owned(test)
