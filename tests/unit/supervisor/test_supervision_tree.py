"""The supervisor's behaviour, with children that the test ends by hand and a clock it sets."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from penstock.supervisor.child import Child, Exit, StartFailedError
from penstock.supervisor.spec import (
    BadSpecError,
    ChildSpec,
    Restart,
    RestartIntensity,
    Strategy,
    SupervisorSpec,
)
from penstock.supervisor.supervisor import (
    Supervisor,
    SupervisorEvent,
    start_supervisor,
    supervisor_child,
)


class Puppet:
    """A child on strings: it does what the test says and writes down what it was told."""

    def __init__(self, name: str, stage: "Stage") -> None:
        self.name = name
        self._stage = stage
        self._exit: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
        self.is_ready = asyncio.Event()

    async def ready(self) -> None:
        waiting = asyncio.ensure_future(self.is_ready.wait())
        either: list[asyncio.Future[Any]] = [waiting, self._exit]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if not self.is_ready.is_set():
            raise StartFailedError(f"{self.name} ended before it was ready")

    async def ended(self) -> Exit:
        return await asyncio.shield(self._exit)

    def end(self, *, is_normal: bool = False) -> None:
        if not self._exit.done():
            self._exit.set_result(Exit(is_normal, "by hand"))

    def stop(self) -> None:
        self._stage.log.append(f"stop {self.name}")
        if self.name not in self._stage.stubborn:
            self.end(is_normal=True)

    def kill(self) -> None:
        if not self._exit.done():
            self._stage.log.append(f"kill {self.name}")
            self.end()

    def describe(self) -> dict[str, object]:
        return {}


class Stage:
    """Makes specs of puppets, holds their newest incarnations, and logs starts and stops."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.events: list[SupervisorEvent] = []
        self.puppets: dict[str, Puppet] = {}
        self.stubborn: set[str] = set()
        self.unready: set[str] = set()
        self.broken: dict[str, int] = {}
        self.now_s = 0.0

    def child(self, name: str, **options: Any) -> ChildSpec:
        async def start() -> Child:
            if self.broken.get(name, 0) > 0:
                self.broken[name] -= 1
                self.log.append(f"fail {name}")
                raise OSError(f"{name} cannot start")
            self.log.append(f"start {name}")
            puppet = self.puppets[name] = Puppet(name, self)
            if name not in self.unready:
                puppet.is_ready.set()
            return puppet

        return ChildSpec(name=name, start=start, **options)

    async def tree(self, *children: ChildSpec, **options: Any) -> Supervisor:
        spec = SupervisorSpec(name="root", children=children, **options)
        return await start_supervisor(spec, on_event=self.events.append, now_s=lambda: self.now_s)

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not holds():  # noqa: ASYNC110 - what it waits for is a list, not an event
                await asyncio.sleep(0)

    def told(self, event: str, path: str) -> int:
        return sum((e.event, e.path) == (event, path) for e in self.events)

    def logged(self, *lines: str) -> Callable[[], bool]:
        return lambda: self.log[-len(lines) :] == list(lines)


def staged(play: Callable[[Stage], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(play(Stage()))


def test_children_start_in_order_and_stop_in_the_reverse_order() -> None:
    async def play(stage: Stage) -> None:
        tree = await stage.tree(stage.child("a"), stage.child("b"), stage.child("c"))
        await tree.ready()

        tree.stop()

        assert (await tree.ended()).is_normal
        assert stage.log == ["start a", "start b", "start c", "stop c", "stop b", "stop a"]

    staged(play)


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


def test_a_failed_first_start_undoes_what_had_started() -> None:
    async def play(stage: Stage) -> None:
        stage.broken["c"] = 1

        with pytest.raises(StartFailedError, match="root/c: c cannot start"):
            await stage.tree(stage.child("a"), stage.child("b"), stage.child("c"))

        assert stage.log == ["start a", "start b", "fail c", "stop b", "stop a"]

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
