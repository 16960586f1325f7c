"""The launchers of nats-server and Postgres, with the real binaries under a real supervisor."""

import asyncio
import os
import signal
import stat
import tempfile
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import nats
import psutil
import psycopg
import pytest

from penstock.supervisor import linux
from penstock.supervisor import nats as nats_launcher
from penstock.supervisor import postgres as postgres_launcher
from penstock.supervisor.data_dir import DataDir
from penstock.supervisor.nats import NatsServer
from penstock.supervisor.process import Program, process_child
from penstock.supervisor.spec import RestartIntensity, SupervisorSpec
from penstock.supervisor.supervisor import Supervisor, start_supervisor


@pytest.fixture
def data_dir() -> Iterator[DataDir]:
    # Not pytest's directory: a unix socket's path must be short.
    with tempfile.TemporaryDirectory(prefix="penstock-") as directory:
        made = DataDir(Path(directory) / "data")
        made.prepare()
        yield made


async def supervise(program: Program) -> Supervisor:
    spec = SupervisorSpec(
        name="root", children=[process_child(program)], intensity=RestartIntensity(5, 60.0)
    )
    return await start_supervisor(spec)


def running(play: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await play

    asyncio.run(bounded())


def child_pid(tree: Supervisor) -> int:
    children: Any = tree.describe()["children"]
    pid: int = children[0]["pid"]
    return pid


async def stop(tree: Supervisor) -> None:
    tree.stop()
    await tree.ended()


def test_postgres_starts_from_nothing_survives_kill_9_and_keeps_what_was_committed(
    data_dir: DataDir,
) -> None:
    server = postgres_launcher.configure(data_dir)

    async def play() -> None:
        tree = await supervise(server.program())
        with psycopg.connect(server.url) as connection:
            connection.execute("create table kept (n int)")
            connection.execute("insert into kept values (1)")
        killed = child_pid(tree)

        os.kill(killed, signal.SIGKILL)

        while child_pid_or_none(tree) in (None, killed):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        await server.wait_until_serving(child_pid(tree))
        with psycopg.connect(server.url) as connection:
            assert connection.execute("select n from kept").fetchall() == [(1,)]
            assert connection.execute("show fsync").fetchone() == ("on",)
        await stop(tree)

    running(play())


@pytest.mark.skipif(not linux.IS_LINUX or os.geteuid() != 0, reason="only root must become another")
def test_postgres_runs_for_root_where_user_namespaces_are_refused(
    data_dir: DataDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linux, "user_namespaces_work", lambda: False)
    server = postgres_launcher.configure(data_dir)

    async def play() -> None:
        tree = await supervise(server.program())
        owner = psutil.Process(child_pid(tree)).uids().effective
        with psycopg.connect(server.url) as connection:
            connection.execute("create table kept (n int)")
        await stop(tree)
        assert owner != 0
        assert data_dir.postgres.stat().st_uid == owner

        monkeypatch.undo()
        again = postgres_launcher.configure(data_dir)
        await stop(await supervise(again.program()))

    running(play())


def child_pid_or_none(tree: Supervisor) -> int | None:
    children: Any = tree.describe()["children"]
    pid: int | None = children[0].get("pid")
    return pid


def test_postgres_cannot_be_entered_without_its_password(data_dir: DataDir) -> None:
    server = postgres_launcher.configure(data_dir)

    async def play() -> None:
        tree = await supervise(server.program())
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(server.url.replace(server.password, "wrong"))
        await stop(tree)

    running(play())


def test_a_pid_file_whose_number_belongs_to_somebody_else_does_not_stop_postgres(
    data_dir: DataDir,
) -> None:
    server = postgres_launcher.configure(data_dir)

    async def play() -> None:
        await stop(await supervise(server.program()))
        somebody = f"{os.getppid()}\n{data_dir.postgres}\n"
        (data_dir.postgres / "postmaster.pid").write_text(somebody)
        server.socket_directory.mkdir(exist_ok=True)
        (server.socket_directory / ".s.PGSQL.5432.lock").write_text(somebody)

        await stop(await supervise(server.program()))

    running(play())


def test_secrets_are_readable_by_their_owner_only(data_dir: DataDir) -> None:
    nats_launcher.configure(data_dir)
    data_dir.owner_token()

    for name in ("owner-token", "secrets.json", "nats/server.conf"):
        assert stat.S_IMODE((data_dir.path / name).stat().st_mode) == 0o600


async def nats_as(server: NatsServer, role: str) -> tuple[Any, list[str]]:
    refusals: list[str] = []

    async def note(error: Exception) -> None:
        refusals.append(str(error))

    client = await nats.connect(
        server.url,
        user=role,
        password=server.passwords[role],
        inbox_prefix=f"_INBOX.{role}",
        error_cb=note,
    )
    return client, refusals


def nats_program(server: NatsServer) -> Program:
    return Program(name="nats", argv=server.argv, probe=lambda pid: server.wait_until_serving())


def test_nats_keeps_its_streams_and_its_port_over_kill_9(data_dir: DataDir) -> None:
    server = nats_launcher.configure(data_dir)

    async def play() -> None:
        tree = await supervise(nats_program(server))
        client, _ = await nats_as(server, "admin")
        await client.jetstream().add_stream(name="EXEC", subjects=["exec.>"])
        killed = child_pid(tree)

        os.kill(killed, signal.SIGKILL)

        while child_pid_or_none(tree) in (None, killed):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        await server.wait_until_serving()
        again, _ = await nats_as(server, "admin")
        assert (await again.jetstream().stream_info("EXEC")).config.name == "EXEC"
        await client.close()
        await again.close()
        await stop(tree)

    running(play())
