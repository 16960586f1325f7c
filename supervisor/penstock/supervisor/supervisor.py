"""The supervisor: starts children in order, restarts them within a budget, stops them in reverse.

It follows OTP's `supervisor`: a failed first start undoes what had started and fails the
supervisor; a later end is answered by the strategy; a spent budget stops all children and ends
the supervisor abnormally, which its own supervisor sees as any other child's end.

What differs from OTP, and why. Readiness is apart from having started, because an operating
system process that waits for its database is healthy and must not block its siblings' repair:
after a one_for_one restart nothing waits for readiness. Time comes from the caller's clock.

It does not decide what is an outage: children wait for their dependencies (`readiness.wait_for`)
instead of ending.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from penstock.subjects.errors import PenstockError
from penstock.supervisor.budget import RestartBudget
from penstock.supervisor.child import Child, Exit, StartFailedError
from penstock.supervisor.spec import BadSpecError, ChildSpec, Restart, Strategy, SupervisorSpec
from penstock.supervisor.spec import check as check_spec
from penstock.supervisor.strategy import affected, is_restarted

OnEvent = Callable[["SupervisorEvent"], None]


@dataclass(frozen=True, slots=True)
class SupervisorEvent:
    """Something a person may want to know: `event` is one of started, ready, ended, restarting,
    killed, escalated; `path` names the child from the root down."""

    event: str
    path: str
    detail: str = ""


@dataclass(slots=True)
class _Slot:
    """A place in the order. The incarnation in it changes; the place stays."""

    spec: ChildSpec
    child: Child | None = None
    restarts: int = 0
    is_being_stopped: bool = False
    state: str = "stopped"
    last_exit: str = ""
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    renewing: asyncio.Lock = field(default_factory=asyncio.Lock)
    watchers: list[asyncio.Task[None]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Ended:
    slot: _Slot
    child: Child
    exit: Exit


class Supervisor:
    """One running supervisor; it is itself a `Child`. Make it with `start_supervisor`."""

    def __init__(
        self,
        spec: SupervisorSpec,
        *,
        on_event: OnEvent | None = None,
        now_s: Callable[[], float] | None = None,
        path: str = "",
    ) -> None:
        self._spec = spec
        self._path = path or spec.name
        self._on_event = on_event or (lambda event: None)
        self._loop = asyncio.get_running_loop()
        self._now_s = now_s or self._loop.time
        self._budget = RestartBudget(spec.intensity)
        self._slots = {child.name: _Slot(child) for child in spec.children}
        self._ends: asyncio.Queue[_Ended] = asyncio.Queue()
        self._exit: asyncio.Future[Exit] = self._loop.create_future()
        self._serving: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None

    # -- as a child ---------------------------------------------------------------------------

    async def ready(self) -> None:
        """Return once every child has been ready; raise when the supervisor ended before."""
        for slot in list(self._slots.values()):
            waiting = self._loop.create_task(slot.ready.wait())
            either: list[asyncio.Future[Any]] = [waiting, self._exit]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if self._exit.done() and not slot.ready.is_set():
                raise StartFailedError(f"{self._path} ended: {self._exit.result().reason}")

    async def ended(self) -> Exit:
        return await asyncio.shield(self._exit)

    def stop(self) -> None:
        """Stop all children in reverse order, each within its shutdown time, then end."""
        self._stop_with(Exit(is_normal=True, reason="stopped"))

    def kill(self) -> None:
        """Kill every child, at every depth."""
        for slot in reversed(self._slots.values()):
            if slot.child is not None:
                slot.child.kill()
        self.stop()

    def describe(self) -> dict[str, object]:
        """The tree from here down, as plain data."""
        return {
            "strategy": self._spec.strategy.value,
            "children": [_describe(slot) for slot in self._slots.values()],
        }

    # -- children that come and go --------------------------------------------------------------

    async def start_child(self, spec: ChildSpec) -> None:
        """Add a child at the end of the order; `StartFailedError` if it does not start."""
        if spec.name in self._slots:
            raise BadSpecError([f"{self._path}/{spec.name}: there is a child of this name"])
        check_spec(SupervisorSpec(name=self._spec.name, children=[spec]))
        slot = self._slots[spec.name] = _Slot(spec)
        try:
            await self._start(slot, is_awaited=spec.is_awaited)
        except BaseException:
            del self._slots[spec.name]
            raise

    async def stop_child(self, name: str) -> None:
        """Stop a child and forget it; nothing happens if there is none of this name."""
        slot = self._slots.pop(name, None)
        if slot is not None:
            await self._stop(slot)

    async def restart_child(self, path: str) -> None:
        """Stop a child in order, start it again, and return when it is ready.

        `path` is its name, or for a supervisor's child `supervisor/name`. This is no repair and
        spends no budget. `StartFailedError` when it ended before it was ready; it is then repaired
        like any other child. Cancelled, it no longer waits, but what was stopped is started.
        """
        name, _, rest = path.partition("/")
        slot = self._slots.get(name)
        if slot is None:
            raise BadSpecError([f"{self._path}/{name}: there is no child of this name"])
        if rest:
            assert isinstance(slot.child, Supervisor), f"{self._path}/{name} supervises nothing"
            await slot.child.restart_child(rest)
            return
        await asyncio.shield(self._renew(slot))
        if slot.child is not None:
            await slot.child.ready()

    async def _renew(self, slot: _Slot) -> None:
        # One after another: two that stop the same child would both start one.
        async with slot.renewing:
            self._tell("restarting", slot, "asked to")
            await self._stop(slot)
            if self._stopping is None:
                slot.restarts += 1
                await self._start(slot, is_awaited=False)

    # -- life -----------------------------------------------------------------------------------

    async def begin(self) -> None:
        """Start all children in order, or undo and raise `StartFailedError`."""
        try:
            for slot in list(self._slots.values()):
                await self._start(slot, is_awaited=slot.spec.is_awaited)
        except BaseException:
            await self._stop_slots(self._slots.values())
            self._exit.set_result(Exit(is_normal=False, reason="a child did not start"))
            raise
        self._serving = self._loop.create_task(self._serve(), name=f"supervisor {self._path}")

    async def _serve(self) -> None:
        while True:
            end = await self._ends.get()
            if end.slot.child is not end.child or end.slot.is_being_stopped:
                continue  # it was stopped by us, and that is no failure
            end.slot.child = None
            if not is_restarted(end.slot.spec.restart, end.exit):
                end.slot.ready.set()  # nobody need wait for it any more
                if end.slot.spec.restart is Restart.TEMPORARY:
                    self._slots.pop(end.slot.spec.name, None)
                continue
            if not await self._repair(end.slot, end.exit):
                return

    async def _repair(self, failed: _Slot, exit_: Exit) -> bool:
        """Restart by the strategy until it holds; `False` when the budget is spent."""
        reason = exit_.reason
        while True:
            if not self._budget.spend(self._now_s()):
                self._escalate(failed, reason)
                return False
            self._tell("restarting", failed, reason)
            try:
                await self._restart(failed)
            except PenstockError as error:
                reason = error.message
            else:
                return True

    async def _restart(self, failed: _Slot) -> None:
        names = affected(self._spec.strategy, list(self._slots), failed.spec.name)
        slots = [self._slots[name] for name in names]
        await self._stop_slots(slots)
        is_alone = self._spec.strategy is Strategy.ONE_FOR_ONE
        for slot in slots:
            if slot is not failed and slot.spec.restart is Restart.TEMPORARY:
                self._slots.pop(slot.spec.name, None)
                continue
            slot.restarts += 1
            await self._start(slot, is_awaited=slot.spec.is_awaited and not is_alone)

    def _escalate(self, failed: _Slot, reason: str) -> None:
        intensity = self._spec.intensity
        why = (
            f"{self._path}/{failed.spec.name} ended again ({reason}) after "
            f"{intensity.restarts} restarts in {intensity.window_s:g} s"
        )
        self._on_event(SupervisorEvent("escalated", self._path, why))
        self._stop_with(Exit(is_normal=False, reason=why))

    # -- one child --------------------------------------------------------------------------------

    async def _start(self, slot: _Slot, *, is_awaited: bool) -> None:
        slot.state = "starting"
        try:
            child = slot.child = await slot.spec.start()
        except (OSError, PenstockError) as error:
            slot.state, slot.last_exit = "failed", str(error)
            raise StartFailedError(f"{self._path}/{slot.spec.name}: {error}") from error
        self._tell("started", slot)
        for watcher in slot.watchers:
            watcher.cancel()
        watching_ready = self._loop.create_task(self._watch_ready(slot, child))
        slot.watchers = [watching_ready, self._loop.create_task(self._watch_end(slot, child))]
        if is_awaited:
            await asyncio.shield(watching_ready)
            if slot.state == "failed":
                slot.child = None
                raise StartFailedError(f"{self._path}/{slot.spec.name}: {slot.last_exit}")

    async def _watch_ready(self, slot: _Slot, child: Child) -> None:
        try:
            await child.ready()
        except StartFailedError as error:
            slot.state, slot.last_exit = "failed", error.message
        else:
            slot.state = "ready"
            slot.ready.set()
            self._tell("ready", slot)

    async def _watch_end(self, slot: _Slot, child: Child) -> None:
        exit_ = await child.ended()
        slot.state, slot.last_exit = "ended" if exit_.is_normal else "failed", exit_.reason
        self._tell("ended", slot, exit_.reason)
        self._ends.put_nowait(_Ended(slot, child, exit_))

    async def _stop_slots(self, slots: Iterable[_Slot]) -> None:
        for slot in reversed(list(slots)):
            await self._stop(slot)

    async def _stop(self, slot: _Slot) -> None:
        child = slot.child
        if child is None:
            return
        slot.is_being_stopped = True
        if slot.spec.shutdown_s > 0:
            child.stop()
            try:
                async with asyncio.timeout(slot.spec.shutdown_s):
                    await child.ended()
            except TimeoutError:
                self._tell("killed", slot, f"did not stop within {slot.spec.shutdown_s:g} s")
        child.kill()
        await child.ended()
        slot.child = None
        slot.is_being_stopped = False
        slot.state = "stopped"

    def _stop_with(self, exit_: Exit) -> None:
        if self._stopping is None and not self._exit.done():
            self._stopping = self._loop.create_task(self._finish(exit_))

    async def _finish(self, exit_: Exit) -> None:
        if self._serving is not None:
            self._serving.cancel()
            await asyncio.wait({self._serving})
        await self._stop_slots(self._slots.values())
        for slot in self._slots.values():
            for watcher in slot.watchers:
                watcher.cancel()
        self._exit.set_result(exit_)

    def _tell(self, event: str, slot: _Slot, detail: str = "") -> None:
        self._on_event(SupervisorEvent(event, f"{self._path}/{slot.spec.name}", detail))


def _describe(slot: _Slot) -> dict[str, object]:
    about: dict[str, Any] = {
        "name": slot.spec.name,
        "state": slot.state,
        "restarts": slot.restarts,
        "last_exit": slot.last_exit,
    }
    return about | (slot.child.describe() if slot.child is not None else {})


async def start_supervisor(
    spec: SupervisorSpec,
    *,
    on_event: OnEvent | None = None,
    now_s: Callable[[], float] | None = None,
    path: str = "",
) -> Supervisor:
    """Check the whole tree, then start it, or raise and leave nothing running."""
    check_spec(spec)
    supervisor = Supervisor(spec, on_event=on_event, now_s=now_s, path=path)
    await supervisor.begin()
    return supervisor


def supervisor_child(
    spec: SupervisorSpec,
    *,
    on_event: OnEvent | None = None,
    is_awaited: bool = True,
    path: str = "",
) -> ChildSpec:
    """A child that is a supervisor. It is never killed: stopping it is stopping its children."""

    async def start() -> Child:
        return await start_supervisor(spec, on_event=on_event, path=path)

    return ChildSpec(
        name=spec.name, start=start, shutdown_s=float("inf"), is_awaited=is_awaited, tree=spec
    )
