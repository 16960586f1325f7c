"""The fork server: what becomes of steps while it is lost, and how it comes back."""

import asyncio
import errno
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from penstock.sandbox_host import fork_server
from penstock.sandbox_host import pool as pool_module
from penstock.sandbox_host.fork_server import ForkServer
from penstock.sandbox_host.pool import ProcessPool
from penstock.subjects.errors import PenstockError
from penstock.subjects.messages import Outcome
from tests.security.sandbox_steps import first_json, run_code, with_pool

if sys.platform != "linux":
    pytest.skip("the process tier needs Linux", allow_module_level=True)

DEADLINE_S = 10.0
SHORTAGE = OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "_RESTART_S", 0.2)


async def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def kill_server(pool: ProcessPool) -> None:
    server = pool._server
    assert server is not None and server._process is not None
    os.kill(server._process.pid, signal.SIGKILL)


def failing_once(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, error: Exception) -> None:
    """Make the next call fail."""
    real = getattr(owner, name)

    def fails(*_: Any, **__: Any) -> Any:
        monkeypatch.setattr(owner, name, real)
        raise error

    monkeypatch.setattr(owner, name, fails)


def test_a_lost_fork_server_is_replaced() -> None:
    async def lost(pool: ProcessPool) -> Outcome:
        await run_code(pool, "return {}")
        first = pool._server
        kill_server(pool)
        await until(lambda: pool._server is not None and pool._server is not first)
        return await run_code(pool, "return {again: true}")

    assert first_json(with_pool(lost)) == {"again": True}


@pytest.mark.parametrize(
    ("owner", "name", "error"),
    [
        (fork_server, "_launch", SHORTAGE),
        (pool_module, "Groups", SHORTAGE),
        (ForkServer, "start", PenstockError("it ended while it was set up")),
    ],
)
def test_steps_wait_until_there_is_a_fork_server_again_and_the_host_says_why(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, error: Exception
) -> None:
    async def lost(pool: ProcessPool) -> tuple[str, Outcome, str]:
        await run_code(pool, "return {}")
        failing_once(monkeypatch, owner, name, error)
        kill_server(pool)
        await until(lambda: pool.outage)
        told = pool.outage
        return told, await run_code(pool, "return {waited: true}"), pool.outage

    while_away, outcome, afterwards = with_pool(lost)

    assert while_away == f"the fork server cannot be started: {error}"
    assert first_json(outcome) == {"waited": True}
    assert afterwards == ""


def test_a_fork_server_that_ends_as_soon_as_it_is_up_is_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    handle = ForkServer._handle

    def handle_and_end(self: ForkServer, *args: Any) -> None:
        monkeypatch.setattr(ForkServer, "_handle", handle)
        handle(self, *args)
        self._ended()

    async def lost(pool: ProcessPool) -> Outcome:
        await run_code(pool, "return {}")
        monkeypatch.setattr(ForkServer, "_handle", handle_and_end)
        kill_server(pool)
        await until(lambda: pool._server is None)
        return await run_code(pool, "return {again: true}")

    assert first_json(with_pool(lost)) == {"again": True}


def test_a_worker_that_cannot_be_asked_for_now_is_asked_for_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def short(pool: ProcessPool) -> Outcome:
        await pool.has_tried.wait()
        failing_once(monkeypatch, ForkServer, "spawn", SHORTAGE)
        return await run_code(pool, "return {late: true}")

    assert first_json(with_pool(short)) == {"late": True}
