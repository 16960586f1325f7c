"""Requests whose callers wait go straight to the owner, and are stored when it does not answer."""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from penstock.actors.direct import DIRECT_RUNS
from penstock.gateway.direct import BODY_BYTES_MAX, Direct
from penstock.gateway.replies import Waiting
from penstock.subjects import asks, names
from penstock.subjects.bus import Message
from penstock.subjects.messages import DirectRuns, Reply
from tests.unit.gateway.harness import PARTITIONS, REPLIES, Gateway, chain, until, webhook


class Listening:
    """Stands in for owners that take runs straight from gateways."""

    def __init__(self, gw: Gateway) -> None:
        self.heard: list[tuple[int, DirectRuns]] = []
        self.answers = True
        self._gw = gw
        for partition in range(PARTITIONS):
            gw.bus.subscribe(names.direct_runs("local", partition), self._on_runs)

    def _on_runs(self, message: Message) -> None:
        runs = DIRECT_RUNS.decode(message.payload)
        self.heard.append((int(message.subject.rpartition(".")[2]), runs))
        if self.answers:
            replies = [
                Reply(request.reply.request, request.execution, 200, {}, b"straight")
                for request in runs.requests
                if request.reply is not None
            ]
            self._gw.bus.publish(names.replies(runs.gateway), REPLIES.encode(replies))


@pytest.fixture(autouse=True)
def asking_soon(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("penstock.gateway.replies.ASK_UNSTORED_AFTER_S", 0.05)
    monkeypatch.setattr("penstock.gateway.replies.ASK_UNSTORED_AGAIN_S", 0.05)
    monkeypatch.setattr("penstock.gateway.replies.ASK_AFTER_S", 0.05)
    monkeypatch.setattr("penstock.gateway.replies.SWEEP_S", 0.02)
    yield


async def test_a_caller_that_waits_is_answered_and_nothing_is_stored(gw: Gateway) -> None:
    listening = Listening(gw)
    await gw.create(chain("sync", webhook("sync", "lastNode")))

    answers = await asyncio.gather(*(gw.call("POST", "/webhook/sync", {}) for _ in range(50)))

    assert {(answer.status, answer.body) for answer in answers} == {(200, b"straight")}
    assert gw.owners.runs == []
    assert sum(len(runs.requests) for _, runs in listening.heard) == 50
    assert len(listening.heard) < 50


async def test_what_is_answered_is_forgotten_however_long_the_bus_may_still_refuse_it(
    gw: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[list[Waiting]] = []

    def leave(direct: Direct) -> None:
        sent.append(direct._waiters)
        leave_now(direct)

    leave_now = Direct._leave
    monkeypatch.setattr(Direct, "_leave", leave)
    Listening(gw)
    await gw.create(chain("sync", webhook("sync", "lastNode")))

    await gw.call("POST", "/webhook/sync", {"much": "x" * 1_000})

    assert [waiting.unstored for waiters in sent for waiting in waiters] == [None]


async def test_messages_to_each_partition_are_numbered_without_gaps(gw: Gateway) -> None:
    listening = Listening(gw)
    await gw.create(chain("sync", webhook("sync", "lastNode")))

    for _ in range(3 * PARTITIONS):
        await gw.call("POST", "/webhook/sync", {})

    for partition in range(PARTITIONS):
        numbers = [runs.number for at, runs in listening.heard if at == partition]
        assert numbers == [1, 2, 3]


async def test_a_caller_that_does_not_wait_is_answered_once_its_run_is_stored(gw: Gateway) -> None:
    listening = Listening(gw)
    await gw.create(chain("now", webhook("now", "onReceived")))

    assert (await gw.call("POST", "/webhook/now", {})).status == 200

    assert listening.heard == []
    assert len(gw.owners.runs) == 1


async def test_where_nobody_listens_the_run_is_stored_at_once(
    gw: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.gateway.replies.ASK_UNSTORED_AFTER_S", 60.0)
    gw.owners.answer = lambda request: (200, {}, b"stored")
    await gw.create(chain("sync", webhook("sync", "lastNode")))

    answer = await gw.call("POST", "/webhook/sync", {})

    assert answer.body == b"stored"
    assert [request.direct for request in gw.owners.runs] == [1]


async def test_a_run_of_which_no_owner_knows_is_stored_under_its_own_name(gw: Gateway) -> None:
    listening = Listening(gw)
    listening.answers = False
    gw.owners.answer = lambda request: (200, {}, b"stored")
    await gw.create(chain("sync", webhook("sync", "lastNode")))

    answers = await asyncio.gather(*(gw.call("POST", "/webhook/sync", {}) for _ in range(200)))

    assert {answer.body for answer in answers} == {b"stored"}
    sent = {
        request.execution: runs.number for _, runs in listening.heard for request in runs.requests
    }
    assert {request.execution: request.direct for request in gw.owners.runs} == sent
    assert gw.metrics.executions_stored_late == 200


async def test_one_that_is_under_way_is_waited_for_and_not_stored(
    gw: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    listening = Listening(gw)
    listening.answers = False
    asked = []

    def is_open(payload: bytes) -> bytes:
        asked.append(payload)
        return asks.reply_answer.encode(asks.ReplyAnswer(None, True, 0))

    monkeypatch.setattr(gw.owners, "_ask_reply", is_open, raising=False)
    await gw.create(chain("sync", webhook("sync", "lastNode")))
    waiting = asyncio.create_task(gw.call("POST", "/webhook/sync", {}))
    await until(lambda: len(asked) > 3)
    assert gw.owners.runs == []

    (_, runs) = listening.heard[0]
    reply = Reply(1, runs.requests[0].execution, 200, {}, b"at last")
    gw.bus.publish(names.replies(runs.gateway), REPLIES.encode([reply]))

    assert (await waiting).body == b"at last"


async def test_an_answer_to_what_was_asked_before_it_was_stored_does_not_make_it_lost(
    gw: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    listening = Listening(gw)
    listening.answers = False
    asked: list[str] = []
    gw.bus.subscribe("ask.local.*.reply", lambda message: asked.append(message.reply))
    unknown = asks.reply_answer.encode(asks.ReplyAnswer(None, False, 0))
    monkeypatch.setattr(
        gw.owners, "_ask_reply", lambda _: unknown if len(asked) == 2 else None, raising=False
    )
    await gw.create(chain("sync", webhook("sync", "lastNode")))
    appends: list[Callable[[], None]] = []
    append_now = gw.bus.append
    monkeypatch.setattr(
        gw.bus, "append", lambda *to, **how: appends.append(partial(append_now, *to, **how))
    )
    waiting = asyncio.create_task(gw.call("POST", "/webhook/sync", {}))
    await until(lambda: appends)

    gw.bus.publish(asked[0], unknown)
    await asyncio.sleep(0.02)
    appends[0]()
    (request,) = await until(lambda: gw.owners.runs)
    assert request.reply is not None
    reply = Reply(request.reply.request, request.execution, 200, {}, b"at last")
    gw.bus.publish(names.replies(request.reply.gateway), REPLIES.encode([reply]))

    assert (await waiting).body == b"at last"


async def test_a_large_body_is_stored_at_once(gw: Gateway) -> None:
    listening = Listening(gw)
    gw.owners.answer = lambda request: (200, {}, b"stored")
    await gw.create(chain("sync", webhook("sync", "lastNode")))

    body = {"text": "x" * BODY_BYTES_MAX}
    assert (await gw.call("POST", "/webhook/sync", body)).body == b"stored"

    assert listening.heard == []


async def test_while_the_broker_is_away_the_long_way_is_taken_which_tries_again(
    gw: Gateway,
) -> None:
    listening = Listening(gw)
    gw.owners.answer = lambda request: (200, {}, b"stored")
    await gw.create(chain("sync", webhook("sync", "lastNode")))
    gw.bus.disconnect()
    waiting = asyncio.create_task(gw.call("POST", "/webhook/sync", {}))
    await asyncio.sleep(0.1)
    gw.bus.reconnect()

    assert (await waiting).body == b"stored"
    assert listening.heard == []


async def test_no_message_is_larger_than_what_the_long_way_would_send_at_once(
    gw: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.gateway.direct.BATCH_BYTES_MAX", 10_000)
    listening = Listening(gw)
    await gw.create(chain("sync", webhook("sync", "lastNode")))

    await asyncio.gather(
        *(gw.call("POST", "/webhook/sync", {"much": "x" * 3_000}) for _ in range(20))
    )

    assert sum(len(runs.requests) for _, runs in listening.heard) == 20
    assert all(len(runs.requests) <= 4 for _, runs in listening.heard)


async def test_while_much_is_kept_for_callers_that_wait_the_next_requests_are_stored(
    gw: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.gateway.direct.KEPT_BYTES_MAX", 1_000)
    monkeypatch.setattr("penstock.gateway.replies.ASK_UNSTORED_AFTER_S", 60.0)
    listening = Listening(gw)
    listening.answers = False
    gw.owners.answer = lambda request: (200, {}, b"stored")
    await gw.create(chain("sync", webhook("sync", "lastNode")))
    first = asyncio.create_task(gw.call("POST", "/webhook/sync", {"much": "x" * 1_000}))
    await until(lambda: listening.heard)

    assert (await gw.call("POST", "/webhook/sync", {})).body == b"stored"

    (_, runs) = listening.heard[0]
    reply = Reply(1, runs.requests[0].execution, 200, {}, b"at last")
    gw.bus.publish(names.replies(runs.gateway), REPLIES.encode([reply]))
    assert (await first).body == b"at last"
    listening.answers = True
    assert (await gw.call("POST", "/webhook/sync", {})).body == b"straight"


async def test_who_is_sent_away_is_told_that_goes_on_only_what_is_known_to_be_started(
    gw: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.gateway.replies.ASK_UNSTORED_AFTER_S", 60.0)
    listening = Listening(gw)
    listening.answers = False
    await gw.create(chain("sync", webhook("sync", "lastNode")))
    small, large = (
        asyncio.create_task(gw.call("POST", "/webhook/sync", {"text": "x" * size}))
        for size in (1, BODY_BYTES_MAX)
    )
    await until(lambda: listening.heard and gw.owners.runs)

    assert gw.front.life.parts is not None
    gw.front.life.parts.replies.give_up()

    assert [(await one).status for one in (small, large)] == [504, 504]
    assert (await small).json["detail"].endswith("it goes on if it was started")
    assert (await large).json["detail"].endswith("it goes on")
