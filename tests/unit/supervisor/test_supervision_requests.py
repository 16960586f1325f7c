"""Restarts that somebody asks for: each is done once and in full, and spends no budget.

Whoever asks may stop waiting, ask twice at once, or be overtaken by the end of the tree.
"""

import asyncio

from penstock.supervisor.spec import RestartIntensity, SupervisorSpec
from penstock.supervisor.supervisor import supervisor_child
from tests.unit.supervisor.puppets import Stage, staged


def test_a_child_can_be_restarted_at_any_depth_without_spending_the_budget() -> None:
    async def play(stage: Stage) -> None:
        none = RestartIntensity(restarts=0)
        inner = SupervisorSpec(name="inner", children=[stage.child("leaf")], intensity=none)
        tree = await stage.tree(stage.child("one"), supervisor_child(inner), intensity=none)

        await tree.restart_child("inner/leaf")
        await tree.restart_child("one")
        await asyncio.sleep(0.01)

        assert stage.log[2:] == ["stop leaf", "start leaf", "stop one", "start one"]
        tree.stop()
        assert (await tree.ended()).is_normal

    staged(play)


def test_a_restart_that_was_asked_for_returns_when_the_child_is_ready() -> None:
    async def play(stage: Stage) -> None:
        tree = await stage.tree(stage.child("one"))
        stage.unready.add("one")

        restarting = asyncio.ensure_future(tree.restart_child("one"))
        await stage.until(stage.logged("stop one", "start one"))
        await asyncio.sleep(0.01)
        assert not restarting.done()
        stage.puppets["one"].is_ready.set()

        await restarting
        tree.stop()
        await tree.ended()

    staged(play)


def test_who_no_longer_waits_for_a_restart_leaves_the_child_started() -> None:
    async def play(stage: Stage) -> None:
        tree = await stage.tree(stage.child("one", shutdown_s=0.05))
        stage.stubborn.add("one")

        restarting = asyncio.ensure_future(tree.restart_child("one"))
        await stage.until(stage.logged("stop one"))
        restarting.cancel()

        await stage.until(stage.logged("kill one", "start one"))
        stage.stubborn.clear()
        tree.stop()
        assert (await tree.ended()).is_normal

    staged(play)


def test_a_child_that_two_have_restarted_at_once_runs_once() -> None:
    async def play(stage: Stage) -> None:
        tree = await stage.tree(stage.child("one", shutdown_s=0.05))
        stage.stubborn.add("one")

        await asyncio.gather(tree.restart_child("one"), tree.restart_child("one"))

        assert stage.log == ["start one", *["stop one", "kill one", "start one"] * 2]
        stage.stubborn.clear()
        tree.stop()
        await tree.ended()

    staged(play)


def test_a_restart_under_way_starts_nothing_when_the_tree_stops() -> None:
    async def play(stage: Stage) -> None:
        tree = await stage.tree(stage.child("one", shutdown_s=0.05))
        stage.stubborn.add("one")

        restarting = asyncio.ensure_future(tree.restart_child("one"))
        await stage.until(stage.logged("stop one"))
        tree.stop()
        await tree.ended()
        await restarting

        assert stage.log.count("start one") == 1

    staged(play)
