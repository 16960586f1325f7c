"""The broker's users: each program can do its work, and nothing that is another's."""

import asyncio
import subprocess
import tempfile
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import nats
import nats.errors
import pytest

from penstock.subjects import names
from penstock.subjects.bus import Ack, Bus, Message
from penstock.subjects.bus_nats import NatsBus
from penstock.subjects.streams import Budget, ensure
from penstock.supervisor import nats as nats_launcher
from penstock.supervisor.data_dir import DataDir
from penstock.supervisor.nats import NatsServer

KINDS = ("gateway", "actors", "sandbox", "projector")
"""The programs that give signs of life; each has the role of its name."""


def run(play: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(play, 30))


@pytest.fixture(scope="module")
def server() -> Iterator[NatsServer]:
    """One server for all questions; the answers do not depend on their order."""
    with tempfile.TemporaryDirectory(prefix="penstock-") as directory:
        made = DataDir(Path(directory) / "data")
        made.prepare()
        configured = nats_launcher.configure(made)
        process = subprocess.Popen(configured.argv, stderr=subprocess.DEVNULL)
        try:
            run(_prepare(configured))
            yield configured
        finally:
            process.terminate()
            process.wait(10)


async def _prepare(server: NatsServer) -> None:
    await server.wait_until_serving()
    async with bus_as(server, "admin") as bus:
        await ensure(bus, "local", Budget(file_bytes=server.file_bytes))


@asynccontextmanager
async def bus_as(server: NatsServer, role: str) -> AsyncIterator[NatsBus]:
    bus = await NatsBus.connect(
        server.url, user=role, password=server.passwords[role], name=f"test {role}"
    )
    try:
        yield bus
    finally:
        await bus.close()


async def append(bus: Bus, subject: str, expected_last: int | None = None) -> Ack:
    answered: asyncio.Future[Ack | Exception] = asyncio.get_running_loop().create_future()
    bus.append(subject, b"x", answered.set_result, expected_last=expected_last)
    answer = await answered
    if isinstance(answer, Exception):
        raise answer
    return answer


async def followed(bus: Bus, stream: str, subject: str) -> Message:
    """The first message of a subject that somebody who follows it is given."""
    given: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
    following = bus.follow(
        stream, subject, 1, lambda message: None if given.done() else given.set_result(message)
    )
    message = await given
    following.close()
    return message


def test_a_gateway_can_start_runs_keep_workflows_and_be_answered(server: NatsServer) -> None:
    async def play() -> None:
        async with bus_as(server, "gateway") as gateway, bus_as(server, "actors") as actors:
            answers: asyncio.Queue[Message] = asyncio.Queue()
            gateway.subscribe("reply.g1", answers.put_nowait)
            actors.subscribe(
                "ask.local.3.state", lambda asked: actors.publish(asked.reply, b"answer")
            )

            assert (await append(gateway, names.runs("local", 3))).sequence > 0
            for bucket in ("plans", "workflows", "routes"):
                await gateway.bucket(bucket).put("main.x", b"1")
                entry = await gateway.bucket(bucket).get("main.x")
                assert entry is not None
            assert await gateway.request("ask.local.3.state", b"") == b"answer"
            actors.publish("reply.g1", b"hello")
            assert (await answers.get()).payload == b"hello"
            assert (await gateway.info("EXEC"))["messages"] > 0

    run(play())


def test_actors_can_own_a_partition(server: NatsServer) -> None:
    async def play() -> None:
        async with bus_as(server, "actors") as actors:
            journal = names.journal("local", 1)
            first = await append(actors, journal, expected_last=0)
            await append(actors, journal, expected_last=first.sequence)
            await append(actors, names.snapshot_head("local", 1))
            await append(actors, names.steps("local", "trusted"))
            await append(actors, names.dead("local", "poison"))
            await actors.bucket("hosts").put("h1", b"1")
            await actors.bucket("marks").put("trim.local", b"1")

            assert await actors.last("EXEC", journal) is not None
            assert await actors.last("SNAP", names.snapshot_head("local", 1)) is not None
            assert (await followed(actors, "EXEC", journal)).sequence == first.sequence
            await actors.purge("EXEC", journal, before=first.sequence + 1)

    run(play())


def test_a_sandbox_host_can_take_steps_and_answer(server: NatsServer) -> None:
    async def play() -> None:
        async with bus_as(server, "actors") as actors, bus_as(server, "sandbox") as sandbox:
            await actors.bucket("plans").put("hash", b"{}")
            await append(actors, names.steps("local", "process"))
            taken: asyncio.Queue[Message] = asyncio.Queue()

            work = await sandbox.work(
                "STEPS", "process", names.steps("local", "process"), taken.put_nowait
            )
            work.offer(1)
            step = await taken.get()
            await append(sandbox, names.done("local", 1))
            work.ack(step)

            entry = await sandbox.bucket("plans").get("hash")
            assert entry is not None
            assert (await followed(actors, "DONE", names.done("local", 1))).payload == b"x"

    run(play())


def test_a_projector_can_follow_everything_and_keep_its_mark(server: NatsServer) -> None:
    async def play() -> None:
        async with bus_as(server, "actors") as actors, bus_as(server, "projector") as projector:
            await append(actors, names.journal("local", 2))

            assert await followed(projector, "EXEC", "exec.local.>")
            await projector.bucket("marks").put("history.local", b"1")
            assert await projector.bucket("workflows").get("absent") is None
            assert (await projector.info("EXEC"))["last"] > 0

    run(play())


def test_a_projector_answers_a_gateway_that_asks_for_history(server: NatsServer) -> None:
    async def play() -> None:
        async with bus_as(server, "gateway") as gateway, bus_as(server, "projector") as projector:
            subject = names.history("local", "list")
            projector.subscribe(
                subject, lambda m: projector.publish(m.reply, b"page"), queue="history"
            )
            await projector.info("EXEC")  # the subscription has arrived

            assert await gateway.request(subject, b"") == b"page"

    run(play())


def test_a_watcher_sees_taps(server: NatsServer) -> None:
    async def play() -> None:
        async with bus_as(server, "actors") as actors, bus_as(server, "tap") as watcher:
            seen: asyncio.Queue[Message] = asyncio.Queue()
            watcher.subscribe("tap.main.>", seen.put_nowait)
            # A subscription says nothing back; until it stands, what is said is not heard.
            while seen.empty():
                actors.publish("tap.main.w.e.started", b"{}")
                await asyncio.sleep(0.01)

            assert (await seen.get()).subject == "tap.main.w.e.started"

    run(play())


@pytest.mark.parametrize("role", KINDS)
def test_a_program_gives_signs_of_life_of_its_own_kind_only(server: NatsServer, role: str) -> None:
    """A sandbox host that says it were an actor host would keep partitions from being taken."""

    async def play() -> None:
        async with bus_as(server, "gateway") as gateway, bus_as(server, role) as program:
            heard: asyncio.Queue[Message] = asyncio.Queue()
            gateway.subscribe("hb.>", heard.put_nowait)
            while heard.empty():
                program.publish(names.heartbeat(role, "x"), b"")
                await asyncio.sleep(0.01)
            assert (await heard.get()).subject == f"hb.{role}.x"

    run(play())
    for other in KINDS:
        if other != role:
            refusals = _refusals(server, role, publish=names.heartbeat(other, "x"))
            assert "permissions violation for publish" in refusals[0].lower()


@pytest.mark.parametrize(
    ("role", "subject"),
    [
        ("sandbox", "exec.local.0.in.run"),
        ("sandbox", "exec.local.0.journal"),
        ("sandbox", "$JS.API.CONSUMER.CREATE.EXEC.x.exec.>"),
        ("sandbox", "$KV.plans.x"),
        ("sandbox", "run.local.0"),
        ("projector", "run.local.0"),
        ("gateway", "exec.local.0.journal"),
        ("gateway", "$JS.API.STREAM.DELETE.EXEC"),
        ("gateway", "done.local.0"),
        ("gateway", "tap.main.w.e.started"),
        ("actors", "$JS.API.STREAM.CREATE.X"),
        ("projector", "exec.local.0.journal"),
        ("projector", "$JS.API.STREAM.PURGE.EXEC"),
        ("tap", "tap.main.w.e.started"),
        ("tap", "_INBOX.admin.x"),
    ],
)
def test_a_role_may_not_publish_what_is_not_its_business(
    server: NatsServer, role: str, subject: str
) -> None:
    refusals = _refusals(server, role, publish=subject)

    assert len(refusals) == 1
    assert "permissions violation for publish" in refusals[0].lower()


@pytest.mark.parametrize(
    ("role", "subject"),
    [
        ("sandbox", ">"),
        ("sandbox", "exec.>"),
        ("sandbox", "_INBOX.actors.>"),
        ("sandbox", "tap.>"),
        ("sandbox", "hb.>"),
        ("sandbox", "run.>"),
        ("gateway", "run.>"),
        ("gateway", "exec.>"),
        ("gateway", "_INBOX.admin.>"),
        ("tap", "exec.>"),
        ("tap", "_INBOX.>"),
        ("tap", "$KV.>"),
    ],
)
def test_a_role_may_not_listen_to_what_is_not_its_business(
    server: NatsServer, role: str, subject: str
) -> None:
    refusals = _refusals(server, role, subscribe=subject)

    assert len(refusals) == 1
    assert "permissions violation for subscription" in refusals[0].lower()


def _refusals(
    server: NatsServer, role: str, *, publish: str = "", subscribe: str = ""
) -> list[str]:
    told: list[str] = []

    async def note(error: Exception) -> None:
        told.append(str(error))

    async def play() -> None:
        client = await nats.connect(
            server.url,
            user=role,
            password=server.passwords[role],
            inbox_prefix=f"_INBOX.{role}",
            error_cb=note,
        )
        if publish:
            await client.publish(publish, b"")
        if subscribe:
            await client.subscribe(subscribe)
        await client.flush()
        # The refusal comes ahead of the flush's answer, but a task of its own tells it.
        while not told:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await client.close()

    run(play())
    return told


def test_a_wrong_password_is_refused(server: NatsServer) -> None:
    async def play() -> None:
        with pytest.raises(nats.errors.Error):
            await nats.connect(server.url, user="admin", password="x", allow_reconnect=False)

    run(play())
