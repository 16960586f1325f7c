"""The sandbox host as a program: real nats-server, real process, real workers."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from penstock.subjects import names
from penstock.subjects.bus import Ack, Message
from penstock.subjects.bus_nats import NatsBus
from penstock.subjects.codec import Codec
from penstock.subjects.dead_letters import UNREADABLE, dead_letter
from penstock.subjects.messages import Heartbeat, Item, Step, StepResult
from penstock.subjects.streams import Budget, ensure
from tests.security.sandbox_steps import document, step
from tests.servers import NatsServer, nats_server

STEPS: Codec[list[Step]] = Codec(list[Step])
RESULTS: Codec[list[StepResult]] = Codec(list[StepResult])
HEARTBEATS: Codec[Heartbeat] = Codec(Heartbeat)
DEADLINE_S = 20.0
SLOW = "await new Promise((done) => setTimeout(done, 1500)); return {done: true}"


@pytest.fixture(scope="module")
def server() -> Iterator[NatsServer]:
    with nats_server() as started:
        yield started


class HostProcess:
    """One `python -m penstock.sandbox_host`, ended by its pid."""

    def __init__(self, server: NatsServer, data: Path, **env: str) -> None:
        reads, writes = os.pipe()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "penstock.sandbox_host"],
            env={
                **os.environ,
                "PENSTOCK_NATS_URL": server.url,
                "PENSTOCK_DATA_DIR": str(data),
                "PENSTOCK_READY_FD": str(writes),
                **env,
            },
            pass_fds=(writes,),
            stderr=subprocess.PIPE,
            text=True,
        )
        os.close(writes)
        self._ready = reads

    def wait_until_ready(self) -> None:
        assert os.read(self._ready, 16) == b"ready\n"

    def events(self) -> list[str]:
        """The events in its log, each a line of JSON; ends when the process does."""
        _, log = self.process.communicate(timeout=DEADLINE_S)
        return [json.loads(line)["event"] for line in log.splitlines()]

    def end(self) -> None:
        os.close(self._ready)
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


class Owner:
    """Stands in for a partition: sends steps and collects results."""

    def __init__(self, bus: NatsBus) -> None:
        self.bus = bus
        self.results: list[StepResult] = []
        self.beats: list[Heartbeat] = []
        bus.subscribe("hb.sandbox.*", lambda m: self.beats.append(HEARTBEATS.decode(m.payload)))
        bus.follow("DONE", names.done("local", 0), 1, self._received)

    def _received(self, message: Message) -> None:
        self.results += RESULTS.decode(message.payload)

    async def send(self, steps: list[Step], tier: str = "process") -> None:
        stored: asyncio.Future[Ack | Exception] = asyncio.get_running_loop().create_future()
        self.bus.append(names.steps("local", tier), STEPS.encode(steps), stored.set_result)
        assert isinstance(await stored, Ack)

    async def until_a_step_is_held(self) -> None:
        """Until a host's sign of life says that it has fewer free slots than at first."""
        await self.until(lambda: any(beat.free < 16 for beat in self.beats))

    async def until(self, holds: Callable[[], object]) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not holds():
            assert time.monotonic() < deadline, self.results
            await asyncio.sleep(0.02)


async def an_owner(server: NatsServer) -> Owner:
    bus = await NatsBus.connect(server.url, name="test")
    await ensure(bus, "local", Budget(file_bytes=1 << 30))
    await bus.purge("STEPS", names.steps("local", "process"))
    await bus.purge("DONE", names.done("local", 0))
    return Owner(bus)


async def a_step(owner: Owner, code: str, *, seq: int = 1, items: list[Item] | None = None) -> Step:
    body = document(code)
    made = step(body, items, timeout_ms=10_000)
    made.seq = seq
    await owner.bus.bucket("plans").put(made.plan, body)
    return made


def test_steps_are_answered_and_sigterm_drains(server: NatsServer, tmp_path: Path) -> None:
    async def main() -> None:
        owner = await an_owner(server)
        host = HostProcess(server, tmp_path, PENSTOCK_TIERS="process")
        try:
            await asyncio.to_thread(host.wait_until_ready)
            batch = [await a_step(owner, "return {seq: $runIndex}", seq=n) for n in range(1, 41)]
            await owner.send(batch)
            await owner.until(lambda: len(owner.results) == 40 and owner.beats)
            assert {result.seq for result in owner.results} == set(range(1, 41))
            assert all(result.outcome.error is None for result in owner.results)
            await owner.until(lambda: any(beat.isolation for beat in owner.beats))
            told = [beat.isolation["active"] for beat in owner.beats if beat.isolation]
            assert all("seccomp" in active and "rlimits" in active for active in told)
            assert owner.beats[-1].problems == []

            await owner.send([await a_step(owner, SLOW, seq=50)])
            await owner.until_a_step_is_held()
            host.process.send_signal(signal.SIGTERM)
            await owner.until(lambda: owner.results[-1].seq == 50)
            events = await asyncio.to_thread(host.events)
            assert host.process.returncode == 0
            assert events == ["ready", "isolation", "draining", "stopped"]
            assert (await owner.bus.info("STEPS"))["messages"] == 0
        finally:
            host.end()
            await owner.bus.close()

    asyncio.run(main())


def test_a_host_that_stops_gives_back_what_does_not_end_in_time(
    server: NatsServer, tmp_path: Path
) -> None:
    async def main() -> None:
        owner = await an_owner(server)
        hosts = [HostProcess(server, tmp_path, PENSTOCK_TIERS="process", PENSTOCK_DRAIN_S="0.2")]
        try:
            await asyncio.to_thread(hosts[0].wait_until_ready)
            # The first step makes the plan known: from then on steps go to the pool at once.
            code = f"if ($json.is_slow) {{ {SLOW} }} return {{}}"
            fast = await a_step(owner, code, items=[{"json": {"is_slow": False}}])
            slow = await a_step(owner, code, seq=2, items=[{"json": {"is_slow": True}}])
            await owner.send([fast])
            await owner.until(lambda: owner.results)
            owner.beats.clear()
            await owner.send([slow])
            await owner.until_a_step_is_held()

            hosts[0].process.send_signal(signal.SIGTERM)
            events = await asyncio.to_thread(hosts[0].events)
            hosts.append(HostProcess(server, tmp_path, PENSTOCK_TIERS="process"))
            await owner.until(lambda: len(owner.results) == 2)

            assert events[-1] == "stopped"
            assert owner.results[1].outcome.error is None
            assert owner.results[1].host != owner.results[0].host
        finally:
            for host in hosts:
                host.end()
            await owner.bus.close()

    asyncio.run(main())


def test_steps_of_a_killed_host_are_answered_by_another(server: NatsServer, tmp_path: Path) -> None:
    async def main() -> None:
        owner = await an_owner(server)
        first = HostProcess(server, tmp_path, PENSTOCK_TIERS="process")
        second = None
        try:
            await asyncio.to_thread(first.wait_until_ready)
            await owner.send([await a_step(owner, SLOW)])
            await owner.until_a_step_is_held()
            first.process.kill()
            second = HostProcess(server, tmp_path, PENSTOCK_TIERS="process")
            await owner.until(lambda: owner.results)
            assert owner.results[0].outcome.outputs is not None
        finally:
            for host in (first, second):
                if host is not None:
                    host.end()
            await owner.bus.close()

    asyncio.run(main())


def test_a_message_that_is_no_batch_of_steps_goes_to_dead(
    server: NatsServer, tmp_path: Path
) -> None:
    async def main() -> None:
        owner = await an_owner(server)
        host = HostProcess(server, tmp_path, PENSTOCK_TIERS="process")
        try:
            await asyncio.to_thread(host.wait_until_ready)
            owner.bus.append(names.steps("local", "process"), b"\x01nonsense", lambda _: None)
            await owner.send([await a_step(owner, "return {}")])
            await owner.until(lambda: owner.results)
            dead = await owner.bus.last("DEAD", names.dead("local", UNREADABLE))
            assert dead is not None
            letter = dead_letter.decode(dead.payload)
            assert (letter.subject, letter.payload) == ("step.local.process", b"\x01nonsense")
            assert "malformed" in letter.detail
        finally:
            host.end()
            await owner.bus.close()

    asyncio.run(main())


def test_an_unknown_tier_is_refused_with_a_remedy(server: NatsServer, tmp_path: Path) -> None:
    host = HostProcess(server, tmp_path, PENSTOCK_TIERS="proces")

    events = host.events()

    assert host.process.returncode == 1
    assert events == ["failed"]
    host.end()
