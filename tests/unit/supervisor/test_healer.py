"""The healer at work: servers that freeze, also while another one is being restarted."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

from penstock.subjects.errors import PenstockError
from penstock.supervisor import healer as healer_module
from penstock.supervisor.broker import Broker
from penstock.supervisor.healer import RESTART_S, Healer
from penstock.supervisor.healing import FROZEN_S, GRACE_S
from penstock.supervisor.nats import Greeting
from tests.simulation import virtual

SOON_S = FROZEN_S + GRACE_S


class Server:
    """Answers while it is not frozen."""

    store = Path("/store")

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_frozen = False

    async def greeting(self) -> Greeting | None:
        return None if self.is_frozen else Greeting(True)


class Bus:
    """Tells nothing."""

    def subscribe(self, subject: str, on_message: object) -> None:
        pass


class Cluster:
    """Three servers under a healer. One that is restarted gets ready only with the others."""

    def __init__(self) -> None:
        self.servers = tuple(Server(f"nats-{number}") for number in (1, 2, 3))
        self.restarts: list[str] = []
        self.told: list[str] = []
        self.failure: PenstockError | None = None
        self.healer = Healer(
            cast(Broker, self),
            restart=self.restart,
            is_ready=lambda name: True,
            told=lambda line: self.told.append(json.loads(line)["event"]),
        )

    @asynccontextmanager
    async def as_admin(self) -> AsyncIterator[Bus]:
        yield Bus()

    async def restart(self, name: str) -> None:
        self.restarts.append(name)
        for server in self.servers:
            if server.name == name:
                server.is_frozen = False
        if self.failure is not None:
            raise self.failure
        await asyncio.sleep(1)
        while any(server.is_frozen for server in self.servers):  # noqa: ASYNC110 - as it is asked
            await asyncio.sleep(0.5)

    async def restart_alone(self, name: str) -> None:
        """As a rolling restart does it."""
        async with self.healer.alone():
            await self.restart(name)

    async def until_restarted(self, *names: str) -> None:
        """These and no others, within the time that the next cure may take."""
        async with asyncio.timeout(SOON_S):
            while len(self.restarts) < len(names):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.1)
        assert self.restarts == [*names]


def played(test: Callable[[Cluster], Awaitable[None]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(healer_module, "is_full", lambda store: False)

    async def main() -> None:
        cluster = Cluster()
        healing = asyncio.create_task(cluster.healer.run())
        await test(cluster)
        healing.cancel()
        await asyncio.wait({healing})

    virtual.run(main())


def test_a_server_that_freezes_during_the_cure_of_another_is_cured_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test(cluster: Cluster) -> None:
        first, second, _ = cluster.servers
        first.is_frozen = True
        await cluster.until_restarted("nats-1")

        second.is_frozen = True
        await cluster.until_restarted("nats-1", "nats-2")

        await asyncio.sleep(RESTART_S)
        assert cluster.told == ["cure", "cure"]

    played(test, monkeypatch)


def test_a_server_that_freezes_during_a_rolling_restart_is_cured_and_the_next_one_waits_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test(cluster: Cluster) -> None:
        _, second, third = cluster.servers
        second.is_frozen = True

        async with cluster.healer.alone():
            await cluster.restart("nats-1")
            assert cluster.restarts == ["nats-1", "nats-2"]
            third.is_frozen = True  # so that the cure of the second is not over yet
            waiting = asyncio.create_task(cluster.restart_alone("nats-3"))
        await asyncio.sleep(1)
        assert cluster.restarts == ["nats-1", "nats-2"]

        third.is_frozen = False
        await waiting
        assert cluster.restarts == ["nats-1", "nats-2", "nats-3"]

    played(test, monkeypatch)


def test_nothing_is_cured_during_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(cluster: Cluster) -> None:
        cluster.servers[0].is_frozen = True

        with cluster.healer.paused():
            await asyncio.sleep(2 * SOON_S)
            assert cluster.restarts == []

        await cluster.until_restarted("nats-1")

    played(test, monkeypatch)


def test_a_cure_that_fails_is_told_and_the_healer_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(cluster: Cluster) -> None:
        cluster.failure = PenstockError("it ended")
        cluster.servers[0].is_frozen = True
        await cluster.until_restarted("nats-1")

        cluster.servers[1].is_frozen = True
        await cluster.until_restarted("nats-1", "nats-2")

        assert cluster.told == ["cure", "cure failed", "cure", "cure failed"]

    played(test, monkeypatch)
