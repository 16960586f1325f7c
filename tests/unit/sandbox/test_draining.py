"""A sandbox host that stops: it finishes what it can, and gives back the rest."""

import asyncio

from tests.unit.sandbox.harness import LONG_S, World, played


def test_what_ends_within_the_grace_is_answered() -> None:
    async def test(world: World) -> None:
        world.send(1)
        await asyncio.sleep(1)

        await world.server.drain(2 * LONG_S)
        await asyncio.sleep(1)

        assert world.results == [1]
        assert world.stored_steps() == 0

    played(test)


def test_what_is_given_back_is_not_answered_by_the_host_that_stops() -> None:
    async def test(world: World) -> None:
        world.send(1, 2)
        await asyncio.sleep(1)

        await world.server.drain(1)
        world.executor.stop()
        await asyncio.sleep(1)

        assert world.results == []
        assert world.stored_steps() == 1

    played(test)


def test_what_is_given_back_is_answered_by_another_host() -> None:
    async def test(world: World) -> None:
        world.send(1, 2)
        await asyncio.sleep(1)

        await world.server.drain(1)
        world.executor.stop()
        await world.begin()
        await asyncio.sleep(LONG_S + 1)

        assert world.executor.ran == [1, 2, 1, 2]
        assert sorted(world.results) == [1, 2]
        assert world.stored_steps() == 0

    played(test)
