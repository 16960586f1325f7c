"""Runs that come straight from a gateway: in the journal with all they need, and started once."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest

from penstock.actors.direct import DIRECT_RUNS
from penstock.actors.execution.events import Started
from penstock.actors.journal import RUNS, Happened
from penstock.actors.table import ENDED_MAX
from penstock.subjects import names
from penstock.subjects.messages import DirectRuns, ReplyTo, RunRequest
from penstock.workflow.document import content_hash
from tests.simulation.workflows import ALL
from tests.unit.actors.owner import Owner, owned


def request_of(execution: str, *, gateway: str = "test", direct: int = 0) -> RunRequest:
    plan = content_hash(ALL["inline"])
    return RunRequest(
        execution,
        "main",
        "inline",
        plan,
        "",
        "webhook",
        [{"json": {"who": "test"}}],
        0,
        ReplyTo(gateway, 1),
        direct=direct,
    )


async def send(owner: Owner, number: int, executions: Sequence[str], gateway: str = "test") -> None:
    """A gateway's message to the owner, and time to handle it."""
    requests = [request_of(execution, gateway=gateway) for execution in executions]
    frame = DIRECT_RUNS.encode(DirectRuns(gateway, number, requests))
    owner.bus.publish(names.direct_runs("local", 0), frame)
    await asyncio.sleep(1)


async def store(owner: Owner, execution: str, direct: int) -> None:
    """The same request on the long way."""
    owner.append(names.runs("local", 0), RUNS.encode([request_of(execution, direct=direct)]))
    await asyncio.sleep(1)


def starts(owner: Owner) -> Counter[str]:
    """How often each execution was started."""
    return Counter(
        entry.execution
        for entry in owner.journal()
        if isinstance(entry, Happened) and isinstance(entry.events[0], Started)
    )


def test_they_are_answered_and_their_requests_stand_in_the_journal() -> None:
    async def test(owner: Owner) -> None:
        await send(owner, 1, ["e1", "e2"])

        assert [reply.execution for reply in owner.replies] == ["e1", "e2"]
        started = [entry.events[0] for entry in owner.journal() if isinstance(entry, Happened)]
        assert [
            event.request.execution
            for event in started
            if isinstance(event, Started) and event.request is not None
        ] == ["e1", "e2"]
        assert (await owner.bus.info("EXEC"))["messages"] == len(owner.records())

    owned(test)


def test_one_that_is_stored_after_it_came_is_not_started_again_however_much_ended_since() -> None:
    async def test(owner: Owner) -> None:
        await send(owner, 1, ["first"])
        await send(owner, 2, [f"e{number}" for number in range(ENDED_MAX + 10)])
        assert not owner.partition.table.knows("first")

        await store(owner, "first", direct=1)

        assert set(starts(owner).values()) == {1}

    owned(test)


def test_nor_by_the_next_owners_whether_they_replay_or_load_a_snapshot() -> None:
    async def test(owner: Owner) -> None:
        await send(owner, 1, ["first"])
        await send(owner, 2, [f"e{number}" for number in range(ENDED_MAX + 10)])
        owner.kill()
        await owner.take_over()
        await store(owner, "first", direct=1)
        await owner.partition.release()
        await owner.take_over()
        await store(owner, "first", direct=1)
        await send(owner, 3, ["last"])

        assert set(starts(owner).values()) == {1}
        assert starts(owner)["last"] == 1

    owned(test)


def test_what_never_came_is_started_when_it_is_stored_also_by_the_next_owner() -> None:
    async def test(owner: Owner) -> None:
        await send(owner, 1, ["e1"])
        await send(owner, 4, ["e4"])
        await store(owner, "e2", direct=2)
        owner.kill()
        await owner.take_over()
        await store(owner, "e3", direct=3)
        await store(owner, "e2", direct=2)
        await store(owner, "e4", direct=4)

        assert starts(owner) == {"e1": 1, "e2": 1, "e3": 1, "e4": 1}

    owned(test)


def test_a_message_that_comes_twice_or_too_late_is_not_heard() -> None:
    async def test(owner: Owner) -> None:
        await send(owner, 2, ["e2"])
        await send(owner, 2, ["e2-again"])
        await send(owner, 1, ["e1"])
        await send(owner, 1, ["other"], gateway="another")

        assert starts(owner) == {"e2": 1, "other": 1}

    owned(test)


def test_what_an_owner_had_not_written_down_is_started_by_the_next_one() -> None:
    async def test(owner: Owner) -> None:
        await send(owner, 1, ["e1"])
        owner.broker.faults.full_streams.add("EXEC")
        await send(owner, 2, ["e2"])
        owner.kill()
        owner.broker.faults.full_streams.clear()
        await owner.take_over()
        await store(owner, "e2", direct=2)

        assert starts(owner) == {"e1": 1, "e2": 1}

    owned(test)


def test_what_there_is_no_room_for_is_let_go_and_started_when_it_is_stored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("penstock.actors.direct.BACKLOG_BYTES_MAX", 0)

    async def test(owner: Owner) -> None:
        owner.broker.faults.full_streams.add("EXEC")
        await send(owner, 1, ["under way"])
        await send(owner, 2, ["waits"])
        await send(owner, 3, ["too much"])
        owner.broker.faults.full_streams.clear()
        await asyncio.sleep(10)
        assert owner.partition.figures()["dropped"] == 1
        assert starts(owner) == {"under way": 1, "waits": 1}
        await send(owner, 4, ["last"])
        await store(owner, "too much", direct=3)

        assert starts(owner) == {"under way": 1, "waits": 1, "last": 1, "too much": 1}

    owned(test)


def test_what_is_no_message_of_a_gateway_is_put_into_quarantine() -> None:
    async def test(owner: Owner) -> None:
        subject = names.direct_runs("local", 0)
        owner.bus.publish(subject, b"\x01junk")
        strange = DirectRuns("test", 1, [request_of("e1", gateway="another")])
        owner.bus.publish(subject, DIRECT_RUNS.encode(strange))
        await send(owner, 1, ["e2"])

        assert [letter.subject for letter in owner.dead()] == [subject, subject]
        assert starts(owner) == {"e2": 1}

    owned(test)


async def die_amid(owner: Owner, number: int, executions: Sequence[str]) -> None:
    """The owner dies when the first part of a gateway's message is in the journal."""
    requests = [request_of(execution) for execution in executions]
    frame = DIRECT_RUNS.encode(DirectRuns("test", number, requests))
    owner.bus.publish(names.direct_runs("local", 0), frame)
    for _ in range(100):
        if not starts(owner)[executions[0]]:
            await asyncio.sleep(0)
    owner.kill()
    assert starts(owner)[executions[0]]
    assert not starts(owner)[executions[-1]]


def test_what_an_owner_that_died_amid_a_message_had_started_is_started_by_no_later_owner() -> None:
    async def test(owner: Owner) -> None:
        executions = [f"e{number}" for number in range(1_000)]
        await send(owner, 1, ["before"])
        await die_amid(owner, 2, executions)
        await owner.take_over()
        await send(owner, 3, [f"later{number}" for number in range(ENDED_MAX + 10)])
        owner.kill()
        await owner.take_over()
        assert not owner.partition.table.knows("e0")
        await store(owner, "e0", direct=2)
        await store(owner, "e999", direct=2)

        assert set(starts(owner).values()) == {1}
        assert starts(owner)["e999"] == 1

    owned(test)


def test_a_gateway_that_is_silent_for_hours_is_forgotten() -> None:
    async def test(owner: Owner) -> None:
        await send(owner, 1, ["e1"])
        assert list(owner.partition.direct.dealt()) == ["test"]
        await asyncio.sleep(3 * 3600)

        assert owner.partition.direct.dealt() == {}

    owned(test)


def test_so_is_one_of_whose_first_message_only_a_part_was_dealt_with() -> None:
    async def test(owner: Owner) -> None:
        await send(owner, 1, ["before"], gateway="another")
        await die_amid(owner, 1, [f"e{number}" for number in range(1_000)])
        await owner.take_over()
        await asyncio.sleep(3600)
        assert "e0" in owner.partition.direct.beyond()
        await asyncio.sleep(2 * 3600)

        assert owner.partition.direct.beyond() == {}

    owned(test)


def test_an_owner_that_hands_over_deals_with_what_has_come_first() -> None:
    async def test(owner: Owner) -> None:
        requests = [request_of(f"e{number}") for number in range(3_000)]
        frame = DIRECT_RUNS.encode(DirectRuns("test", 1, requests))
        owner.bus.publish(names.direct_runs("local", 0), frame)
        for _ in range(100):
            if not owner.partition.committer.is_busy:
                await asyncio.sleep(0)
        assert owner.partition.committer.is_busy
        await owner.partition.release()
        await owner.take_over()
        await asyncio.sleep(2)

        assert starts(owner) == {f"e{number}": 1 for number in range(3_000)}

    owned(test)


def test_meanwhile_it_takes_nothing_that_is_stored_for_the_next_owner() -> None:
    async def test(owner: Owner) -> None:
        await send(owner, 1, ["before"])
        leaving = owner.partition
        requests = [request_of(f"e{number}") for number in range(3_000)]
        frame = DIRECT_RUNS.encode(DirectRuns("test", 2, requests))
        owner.bus.publish(names.direct_runs("local", 0), frame)
        for _ in range(100):
            if not leaving.committer.is_busy:
                await asyncio.sleep(0)
        releasing = asyncio.create_task(leaving.release())
        await asyncio.sleep(0)
        owner.append(names.runs("local", 0), RUNS.encode([request_of("stored")]))
        await releasing

        assert leaving.direct.dealt()["test"].up_to == 2
        assert leaving.inbox.received == 0
        await owner.take_over()
        await asyncio.sleep(2)
        assert starts(owner)["stored"] == 1

    owned(test)
