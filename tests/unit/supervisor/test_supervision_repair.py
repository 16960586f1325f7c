"""A child that ends by itself is repaired as its spec says, within a budget.

What the strategy takes along, what a restart type leaves ended, what spends the budget, and
what becomes of the tree above when it is spent.
"""

import pytest

from penstock.supervisor.spec import Restart, RestartIntensity, Strategy, SupervisorSpec
from penstock.supervisor.supervisor import supervisor_child
from tests.unit.supervisor.puppets import Stage, staged


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (Strategy.ONE_FOR_ONE, ["start b"]),
        (Strategy.ONE_FOR_ALL, ["stop c", "stop a", "start a", "start b", "start c"]),
        (Strategy.REST_FOR_ONE, ["stop c", "start b", "start c"]),
    ],
)
def test_a_crash_is_repaired_as_the_strategy_says(strategy: Strategy, expected: list[str]) -> None:
    async def play(stage: Stage) -> None:
        tree = await stage.tree(
            stage.child("a"), stage.child("b"), stage.child("c"), strategy=strategy
        )
        stage.log.clear()

        stage.puppets["b"].end()

        await stage.until(stage.logged(*expected))
        assert stage.log == expected
        tree.stop()
        await tree.ended()

    staged(play)


def test_a_temporary_sibling_taken_along_is_not_started_again() -> None:
    async def play(stage: Stage) -> None:
        tree = await stage.tree(
            stage.child("a"),
            stage.child("b", restart=Restart.TEMPORARY),
            strategy=Strategy.ONE_FOR_ALL,
        )
        stage.log.clear()

        stage.puppets["a"].end()

        await stage.until(stage.logged("stop b", "start a"))
        tree.stop()
        await tree.ended()
        assert stage.log == ["stop b", "start a", "stop a"]

    staged(play)


def test_a_transient_child_that_finished_stays_finished() -> None:
    async def play(stage: Stage) -> None:
        tree = await stage.tree(stage.child("a", restart=Restart.TRANSIENT), stage.child("b"))
        stage.puppets["a"].end(is_normal=True)
        await stage.until(lambda: any(e.event == "ended" for e in stage.events))
        stage.puppets["b"].end()
        await stage.until(stage.logged("start b", "start b"))

        tree.stop()
        await tree.ended()

        assert stage.log == ["start a", "start b", "start b", "stop b"]

    staged(play)


def test_a_spent_budget_stops_the_siblings_and_ends_the_supervisor_abnormally() -> None:
    async def play(stage: Stage) -> None:
        tree = await stage.tree(
            stage.child("a"), stage.child("b"), intensity=RestartIntensity(1, 10.0)
        )
        stage.puppets["b"].end()
        await stage.until(stage.logged("start b", "start b"))

        stage.puppets["b"].end()

        exit_ = await tree.ended()
        assert not exit_.is_normal
        assert "root/b ended again (by hand) after 1 restarts in 10 s" in exit_.reason
        assert stage.log[-1] == "stop a"

    staged(play)


def test_time_passing_refills_the_budget() -> None:
    async def play(stage: Stage) -> None:
        tree = await stage.tree(stage.child("a"), intensity=RestartIntensity(1, 10.0))
        for number in range(2, 5):
            stage.now_s += 10.0
            stage.puppets["a"].end()
            await stage.until(stage.logged(*["start a"] * number))

        assert stage.log == ["start a"] * 4
        tree.stop()
        await tree.ended()

    staged(play)


def test_a_restart_that_fails_spends_the_budget_too() -> None:
    async def play(stage: Stage) -> None:
        tree = await stage.tree(stage.child("a"), intensity=RestartIntensity(3, 10.0))
        stage.broken["a"] = 2

        stage.puppets["a"].end()

        await stage.until(stage.logged("fail a", "fail a", "start a"))
        stage.puppets["a"].end()
        assert not (await tree.ended()).is_normal

    staged(play)


def test_an_escalation_is_a_crash_to_the_level_above_which_restarts_the_subtree() -> None:
    async def play(stage: Stage) -> None:
        inner = SupervisorSpec(
            name="inner",
            children=[stage.child("a"), stage.child("b")],
            intensity=RestartIntensity(0, 1.0),
        )
        tree = await stage.tree(supervisor_child(inner), stage.child("c"))
        stage.log.clear()

        stage.puppets["a"].end()

        await stage.until(lambda: stage.told("ready", "root/inner") == 2)
        assert stage.log == ["stop b", "start a", "start b"]
        tree.stop()
        await tree.ended()
        assert stage.log[-3:] == ["stop c", "stop b", "stop a"]

    staged(play)
