"""What an owner does with requests: each is run once, and answered once its record is stored.

Also when it comes twice, cannot be run, has an answer that no message could hold, or meets a full
stream; and whoever missed the answer can ask for it.
"""

import asyncio

from penstock.actors.execution.events import Started
from penstock.actors.journal import RUNS, Happened, Held
from penstock.subjects import asks, names
from penstock.subjects.messages import Item, ReplyTo, RunRequest
from penstock.workflow.document import content_hash
from tests.simulation.workflows import ALL
from tests.unit.actors.owner import Owner, ends, errors, owned


def test_a_request_is_run_and_answered_after_its_record_is_stored() -> None:
    async def test(owner: Owner) -> None:
        owner.run("e1", "inline")
        await asyncio.sleep(1)

        assert ends(owner) == {"e1": "success"}
        assert [reply.execution for reply in owner.replies] == ["e1"]
        assert b'"c":"yes"' in owner.replies[0].body

    owned(test)


def test_a_request_that_comes_twice_is_run_once() -> None:
    async def test(owner: Owner) -> None:
        for _ in range(2):
            owner.run("e1", "inline")
            owner.run("e2", "dispatched")
            await asyncio.sleep(1)
        owner.kill()
        await owner.take_over()
        owner.run("e1", "inline")
        await asyncio.sleep(1)

        started = [
            entry.execution
            for entry in owner.journal()
            if isinstance(entry, Happened) and isinstance(entry.events[0], Started)
        ]
        assert started == ["e1", "e2"]

    owned(test)


def test_a_request_is_held_only_while_its_plan_is_loading() -> None:
    async def test(owner: Owner) -> None:
        owner.run("e1", "inline")
        await asyncio.sleep(1)
        owner.run("e2", "inline")
        await asyncio.sleep(1)

        held = [entry.execution for entry in owner.journal() if isinstance(entry, Held)]
        assert held == ["e1"]

    owned(test)


def test_an_unknown_version_fails_its_execution_with_a_clear_error() -> None:
    async def test(owner: Owner) -> None:
        owner.run("e1", "inline", plan="0" * 40)
        owner.run("e2", "inline")
        await asyncio.sleep(1)

        assert ends(owner) == {"e1": "error", "e2": "success"}
        assert "does not exist" in errors(owner)["e1"]
        assert {reply.status for reply in owner.replies if reply.execution == "e1"} == {500}

    owned(test)


def test_an_answer_that_no_message_could_hold_is_an_error_and_stops_nobody() -> None:
    async def test(owner: Owner) -> None:
        items: list[Item] = [{"json": {"text": "\x01" * 7_000_000}}]  # six times that in JSON
        plan = content_hash(ALL["inline"])
        request = RunRequest("e1", "main", "inline", plan, "", "webhook", items, 0)
        request.reply = ReplyTo("test", 1)
        owner.append(names.runs("local", 0), RUNS.encode([request]))
        owner.run("e2", "inline")
        await asyncio.sleep(2)

        assert ends(owner) == {"e1": "success", "e2": "success"}
        answers = {reply.execution: reply for reply in owner.replies}
        assert (answers["e1"].status, answers["e2"].status) == (500, 200)
        assert b"too large" in answers["e1"].body
        assert owner.lost == []

    owned(test)


def test_a_full_stream_is_waited_out_in_place() -> None:
    async def test(owner: Owner) -> None:
        owner.run("e1", "inline")
        owner.broker.faults.full_streams.add("EXEC")
        await asyncio.sleep(5)
        assert "maximum" in owner.partition.committer.waiting_reason
        assert ends(owner) == {}

        owner.broker.faults.full_streams.clear()
        await asyncio.sleep(5)

        assert ends(owner) == {"e1": "success"}
        assert owner.lost == []

    owned(test)


def test_a_lost_reply_can_be_asked_for_also_of_the_next_owner() -> None:
    async def test(owner: Owner) -> None:
        owner.run("e1", "inline")
        await asyncio.sleep(1)
        owner.kill()
        await owner.take_over()
        await asyncio.sleep(0.1)
        assert [reply.execution for reply in owner.replies] == ["e1", "e1"]

        question = asks.ask_reply.encode(asks.AskReply("e1", "test", 1))
        frame = await owner.bus.request("ask.local.0.reply", question)

        reply = asks.reply_answer.decode(frame).reply
        assert reply is not None
        assert reply.body == owner.replies[0].body

    owned(test)


def test_an_answer_whose_record_is_not_stored_yet_does_not_pass_for_lost() -> None:
    async def test(owner: Owner) -> None:
        question = asks.ask_reply.encode(asks.AskReply("e1", "test", 1))
        owner.run("e1", "inline")
        owner.broker.faults.stalled_streams.add("EXEC")
        await asyncio.sleep(0.5)

        frame = await owner.bus.request("ask.local.0.reply", question)
        during = asks.reply_answer.decode(frame)
        owner.broker.faults.stalled_streams.clear()
        await asyncio.sleep(10)

        assert (during.reply, during.up_to) == (None, 0)
        assert [reply.execution for reply in owner.replies] == ["e1"]

    owned(test)
