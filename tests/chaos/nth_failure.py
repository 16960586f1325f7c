"""The loop of the n-th failure in the simulator: a host dies at the n-th append of an execution.

In three ways: before the broker has it, after the broker has it but before anybody hears of it,
and not at all but the acknowledgement is lost. n grows until the execution needs no such append.
The simulator makes this quick and exact, so it is done for every workflow that it knows.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from penstock.subjects.bus import Ack, OnAck
from penstock.subjects.errors import BusError
from penstock.subjects.messages import Resume
from tests.chaos.figures import Drawn, Figure
from tests.simulation import virtual
from tests.simulation.workflows import ALL, STATUS
from tests.simulation.world import SimHost, World

WAYS = ("before", "after", "unheard")
ENDS_S = 120
FAILURES_MAX = 30


@dataclass
class _Fault:
    """Goes wrong at append number `number` of the actor hosts, in one way."""

    world: World
    way: str
    number: int
    has_struck: bool = False

    def set_on(self, host: SimHost) -> None:
        """Let the appends of `host` come by here."""
        append = host.bus.append

        def append_or_fail(subject: str, payload: bytes, on_ack: OnAck, **how: Any) -> None:
            self.number -= 1
            if self.number or host.is_dead:
                append(subject, payload, on_ack, **how)
                return
            self.has_struck = True
            if self.way == "unheard":
                append(subject, payload, _unheard(on_ack), **how)
                return
            if self.way == "after":
                append(subject, payload, on_ack, **how)
            host.bus.is_dead = True
            asyncio.get_running_loop().call_soon(host.kill)
            asyncio.get_running_loop().call_later(0.5, self.add_host)

        host.bus.append = append_or_fail  # type: ignore[method-assign]

    def add_host(self) -> None:
        """Another host, whose appends count as well."""
        self.set_on(self.world.add_host())


def _unheard(on_ack: OnAck) -> Callable[[Ack | Exception], None]:
    return lambda result: on_ack(BusError("the acknowledgement was lost"))


def loop_drill(n: int, seed: int) -> list[Figure]:
    """The loop for every workflow and way, `n` times with other seeds."""
    drawn = Drawn(4, n, seed)
    wrong: list[str] = []
    failures = 0
    for turn in range(n):
        for name in ALL:
            expected = virtual.run(_play(seed + turn, name, "none", 0))[1]
            for way in WAYS:
                for number in range(1, FAILURES_MAX):
                    has_struck, story = virtual.run(_play(seed + turn, name, way, number))
                    if story != expected:
                        wrong.append(f"{name}, {way} append {number}: {story}")
                    if not has_struck:
                        break
                    failures += 1
    return [
        drawn.none_of("simulated, n-th failure: not as without it", wrong),
        drawn.at_least("simulated, n-th failure: failures", failures, len(ALL) * len(WAYS)),
    ]


async def _play(seed: int, name: str, way: str, number: int) -> tuple[bool, Any]:
    """One execution; whether the fault struck, and what was done."""
    world = World(seed)
    await world.start()
    await world.set_schedule(is_on=False)
    await asyncio.gather(*(host.host.ready.wait() for host in world.hosts))
    fault = _Fault(world, way, number)
    for host in world.hosts:
        fault.set_on(host)
    execution = world.gateway.run(name, world.hashes)
    for _ in range(ENDS_S):
        await asyncio.sleep(1)
        if execution in world.ledger.ends:
            break
        if name == "called":
            world.gateway.signal(Resume(execution, [{"json": {"called": True}}]))
    status = world.ledger.ends.get(execution, "open")
    assert way != "none" or status == STATUS[name], f"{name} ended with {status} by itself"
    story = (status, world.ledger.story(execution), world.ledger.problems)
    world.close()
    return fault.has_struck, story
