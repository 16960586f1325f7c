"""Canaries: they tell of streams that do not move, and leave next to nothing behind."""

import asyncio

import pytest

from penstock.actors.canary import PERIOD_S, TIMEOUT_S, Canary
from tests.unit.actors.owner import Owner, owned


def left(owner: Owner, stream: str) -> set[str]:
    """Whose messages a stream holds."""
    stored = owner.broker.stream(stream).since(1, "*.local.canary.*")
    return {each.message.subject.rpartition(".")[2] for each in stored}


async def look_for(seconds: float, *canaries: Canary) -> list[str]:
    """Let canaries run; the problems that they saw, together."""
    seen: list[str] = []
    for _ in range(int(seconds / PERIOD_S)):
        await asyncio.gather(*(canary.look() for canary in canaries))
        seen += (problem for canary in canaries for problem in canary.problems)
        await asyncio.sleep(PERIOD_S)
    return seen


@pytest.mark.parametrize("stream", ["EXEC", "SNAP"])
def test_what_hosts_that_are_gone_left_is_removed_by_those_that_live(stream: str) -> None:
    async def test(owner: Owner) -> None:
        gone = [Canary(owner.bus, "local", f"gone-{number}") for number in range(5)]
        assert await look_for(PERIOD_S, *gone) == []
        one, other = (Canary(owner.bus, "local", name) for name in ("one", "other"))

        problems = await look_for(3 * TIMEOUT_S, one, other)

        assert problems == []
        assert left(owner, stream) == {"one", "other"}
        assert len(owner.broker.stream(stream).since(1, "*.local.canary.*")) < 10

    owned(test)


@pytest.mark.parametrize("stream", ["EXEC", "SNAP"])
def test_what_a_slow_canary_still_waits_for_is_not_removed(stream: str) -> None:
    async def test(owner: Owner) -> None:
        quick = Canary(owner.bus, "local", "quick")
        await look_for(TIMEOUT_S + PERIOD_S, quick)
        owner.append(f"{stream.lower()}.local.canary.slow", b"1")

        await look_for(TIMEOUT_S - PERIOD_S, quick)

        assert left(owner, stream) == {"quick", "slow"}

    owned(test)


def test_streams_that_stall_are_told_and_those_that_are_full_are_not_called_wedged() -> None:
    async def test(owner: Owner) -> None:
        canary = Canary(owner.bus, "local", "one")
        owner.broker.faults.full_streams.add("SNAP")
        owner.broker.faults.stalled_streams.add("EXEC")

        await canary.look()

        assert canary.wedged == ["EXEC"]
        assert [problem.split()[1].rstrip(":") for problem in canary.problems] == ["EXEC", "SNAP"]
        owner.broker.faults.full_streams.clear()
        owner.broker.faults.stalled_streams.clear()
        await canary.look()
        assert canary.problems == []

    owned(test)
