"""A tree of children comes up in order, is ready when they are, and goes down in reverse.

Also when a start fails or is interrupted, when a child does not stop in its time, and when
children come and go meanwhile. A tree with problems is refused before anything starts.
"""

import asyncio

import pytest

from penstock.supervisor.child import StartFailedError
from penstock.supervisor.spec import BadSpecError, RestartIntensity, SupervisorSpec
from penstock.supervisor.supervisor import supervisor_child
from tests.unit.supervisor.puppets import Stage, staged


def test_children_start_in_order_and_stop_in_the_reverse_order() -> None:
    async def play(stage: Stage) -> None:
        tree = await stage.tree(stage.child("a"), stage.child("b"), stage.child("c"))
        await tree.ready()

        tree.stop()

        assert (await tree.ended()).is_normal
        assert stage.log == ["start a", "start b", "start c", "stop c", "stop b", "stop a"]

    staged(play)


def test_an_awaited_child_holds_its_siblings_back_until_it_is_ready() -> None:
    async def play(stage: Stage) -> None:
        stage.unready.add("a")
        starting = asyncio.ensure_future(stage.tree(stage.child("a"), stage.child("b")))
        await stage.until(stage.logged("start a"))
        for _ in range(5):
            await asyncio.sleep(0)
        assert stage.log == ["start a"]

        stage.puppets["a"].is_ready.set()

        tree = await starting
        assert stage.log == ["start a", "start b"]
        tree.stop()
        await tree.ended()

    staged(play)


def test_the_tree_is_ready_when_a_child_that_nobody_awaits_is() -> None:
    async def play(stage: Stage) -> None:
        stage.unready.add("a")
        tree = await stage.tree(stage.child("a", is_awaited=False), stage.child("b"))
        ready = asyncio.ensure_future(tree.ready())
        await asyncio.sleep(0)
        assert not ready.done()

        stage.puppets["a"].is_ready.set()

        await ready
        tree.stop()
        await tree.ended()

    staged(play)


def test_a_failed_first_start_undoes_what_had_started() -> None:
    async def play(stage: Stage) -> None:
        stage.broken["c"] = 1

        with pytest.raises(StartFailedError, match="root/c: c cannot start"):
            await stage.tree(stage.child("a"), stage.child("b"), stage.child("c"))

        assert stage.log == ["start a", "start b", "fail c", "stop b", "stop a"]

    staged(play)


def test_stopping_interrupts_a_start_that_waits_for_an_outage() -> None:
    async def play(stage: Stage) -> None:
        stage.unready.add("a")
        starting = asyncio.ensure_future(stage.tree(stage.child("a")))
        await stage.until(stage.logged("start a"))

        starting.cancel()

        with pytest.raises(asyncio.CancelledError):
            await starting
        assert stage.log == ["start a", "stop a"]

    staged(play)


def test_a_child_that_does_not_stop_in_its_time_is_killed() -> None:
    async def play(stage: Stage) -> None:
        stage.stubborn.add("a")
        tree = await stage.tree(stage.child("a", shutdown_s=0.01))

        tree.stop()

        await tree.ended()
        assert stage.log == ["start a", "stop a", "kill a"]
        assert "killed" in [event.event for event in stage.events]

    staged(play)


def test_a_child_without_shutdown_time_is_killed_at_once() -> None:
    async def play(stage: Stage) -> None:
        tree = await stage.tree(stage.child("a", shutdown_s=0))

        tree.stop()

        await tree.ended()
        assert stage.log == ["start a", "kill a"]

    staged(play)


def test_children_can_come_and_go_while_the_tree_runs() -> None:
    async def play(stage: Stage) -> None:
        tree = await stage.tree(stage.child("a"))
        await tree.start_child(stage.child("b"))
        with pytest.raises(BadSpecError):
            await tree.start_child(stage.child("b"))
        stage.puppets["b"].end()
        await stage.until(stage.logged("start b", "start b"))

        await tree.stop_child("b")
        await tree.stop_child("b")

        tree.stop()
        await tree.ended()
        assert stage.log[-2:] == ["stop b", "stop a"]

    staged(play)


def test_every_problem_of_a_tree_is_told_at_once_with_its_path() -> None:
    async def play(stage: Stage) -> None:
        inner = SupervisorSpec(
            name="inner",
            children=[stage.child("x", shutdown_s=-1), stage.child("x")],
            intensity=RestartIntensity(-1, 0),
        )

        with pytest.raises(BadSpecError) as caught:
            await stage.tree(stage.child("Bad Name"), supervisor_child(inner))

        assert caught.value.problems == [
            "root/Bad Name: a child's name may not be 'Bad Name'",
            "root/inner: restarts must be 0 or more, not -1",
            "root/inner: window_s must be a positive number, not 0",
            "root/inner/x: shutdown_s must be 0 or more, not -1",
            "root/inner/x: there are two children of this name",
        ]
        assert stage.log == []

    staged(play)
