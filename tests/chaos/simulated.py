"""Rows 10 and 13, in the simulator: wall clocks jump by an hour, and one tenant bursts.

Virtual time lets the hour pass in seconds. A clock that jumps ahead brings timers forward, one
that jumps back holds them up; neither may lose one or let it come up twice. Of a burst the journal
tells in which order tenants were served.
"""

import asyncio
from random import Random

from penstock.actors.journal import RUNS
from penstock.subjects import names
from penstock.subjects.bus import Ack
from penstock.subjects.bus_memory import MemoryBus
from penstock.subjects.ids import new_id_in
from penstock.subjects.messages import RunRequest
from tests.chaos.figures import Drawn, Figure
from tests.simulation import virtual
from tests.simulation.scenario import PERIOD_MS
from tests.simulation.world import PARTITIONS, World

HOUR_MS = 3_600_000
WAITS = 4
BURST, QUIET = 2_000, 20
SERVED_PART = 0.25


def clock_drill(n: int, seed: int) -> list[Figure]:
    """`n` seeds, each with one jump of an hour ahead or back."""
    wrong: list[str] = []
    timers = 0
    for turn in range(n):
        problems, fired = virtual.run(_jump(seed + turn))
        wrong += [f"seed {seed + turn}: {problem}" for problem in problems]
        timers += fired
    drawn = Drawn(10, n, seed)
    return [drawn.none_of("timers lost or twice", wrong), drawn.told("timers", timers)]


async def _jump(seed: int) -> tuple[list[str], int]:
    """What went wrong, and how many timers came up."""
    lots = Random(seed)
    ahead = lots.random() < 0.5
    world = World(seed)
    await world.start()
    await asyncio.gather(*(host.host.ready.wait() for host in world.hosts))
    waiting = [world.gateway.run("waiting", world.hashes) for _ in range(WAITS)]
    await asyncio.sleep(lots.uniform(1, 15))
    world.offset_ms = HOUR_MS if ahead else -HOUR_MS
    for host in world.hosts:
        host.clock.offset_ms = world.offset_ms
    await asyncio.sleep(lots.uniform(0, 3))
    world.hosts[lots.randrange(2)].kill()  # its successor must come to the same
    world.add_host()
    await asyncio.sleep(60 if ahead else HOUR_MS / 1000 + 60)
    await world.set_schedule(is_on=False)
    await asyncio.sleep(5)
    ledger = world.ledger
    problems = [*ledger.problems]
    problems += [
        f"{one} ended: {ledger.ends.get(one)}" for one in waiting if one not in ledger.ends
    ]
    due = sorted(due_ms for _, due_ms in ledger.fired)
    wanted = list(range(virtual.START_MS + PERIOD_MS, due[-1] + 1, PERIOD_MS)) if due else [0]
    if due != wanted:
        problems.append(f"{len(due)} due times came up, not {len(wanted)}")
    world.close()
    return problems, len(due) + len(waiting)


def tenant_drill(n: int, seed: int) -> list[Figure]:
    """`n` bursts of one tenant, with a few requests of another behind each."""
    drawn = Drawn(13, n, seed)
    last = max(virtual.run(_burst(seed + turn)) for turn in range(n))
    return [
        drawn.at_most("a quiet tenant behind a burst: served after", last, SERVED_PART, "of it")
    ]


async def _burst(seed: int) -> float:
    """The part of the burst that ended before the last request of the quiet tenant did."""
    world = World(seed)
    await world.start()
    await world.set_schedule(is_on=False)
    await asyncio.gather(*(host.host.ready.wait() for host in world.hosts))
    bus = MemoryBus(world.broker)
    ids = {
        tenant: [new_id_in(0, PARTITIONS, i) for i in range(BURST)] for tenant in ("hot", "cool")
    }
    # Without a pause: all of it waits at the owner at once, which is what a burst is.
    for first in range(0, BURST, 100):
        _send(bus, world, "hot", ids["hot"][first : first + 100])
    _send(bus, world, "cool", ids["cool"][:QUIET])
    for _ in range(120):
        await asyncio.sleep(1)
        if len(world.ledger.ends) >= BURST + QUIET:
            break
    order = list(world.ledger.ends)
    cool = set(ids["cool"][:QUIET])
    last = max(place for place, execution in enumerate(order) if execution in cool)
    assert len(order) == BURST + QUIET, f"{len(order)} ended"
    world.close()
    return (last + 1 - QUIET) / BURST


def _send(bus: MemoryBus, world: World, tenant: str, executions: list[str]) -> None:
    """One batch of a tenant's requests into partition 0."""
    plan = world.hashes["inline"]
    batch = [
        RunRequest(execution, tenant, "inline", plan, "", "webhook", [{"json": {}}], 0)
        for execution in executions
    ]
    bus.append(names.runs("local", 0), RUNS.encode(batch), _expect_ack)


def _expect_ack(result: Ack | Exception) -> None:
    assert isinstance(result, Ack), result
