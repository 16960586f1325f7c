"""Children on strings, for tests of supervisors.

A test ends them by hand, sets the clock, and reads from `Stage.log` what the supervisor did to
which of them. They start nothing real.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from penstock.supervisor.child import Child, Exit, StartFailedError
from penstock.supervisor.spec import ChildSpec, SupervisorSpec
from penstock.supervisor.supervisor import Supervisor, SupervisorEvent, start_supervisor


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
        """A puppet's spec: its starts fail while `broken` counts; it is ready unless `unready`."""

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
        """A supervisor of these children, started; options: of `SupervisorSpec`."""
        spec = SupervisorSpec(name="root", children=children, **options)
        return await start_supervisor(spec, on_event=self.events.append, now_s=lambda: self.now_s)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for a condition, at most 5 s."""
        async with asyncio.timeout(5):
            while not holds():  # noqa: ASYNC110 - what it waits for is a list, not an event
                await asyncio.sleep(0)

    def told(self, event: str, path: str) -> int:
        """How often the supervisor has told this event of this child."""
        return sum((e.event, e.path) == (event, path) for e in self.events)

    def logged(self, *lines: str) -> Callable[[], bool]:
        """A condition: the log ends with these lines."""
        return lambda: self.log[-len(lines) :] == list(lines)


def staged(play: Callable[[Stage], Coroutine[Any, Any, None]]) -> None:
    """Run a test on a stage of its own."""
    asyncio.run(play(Stage()))
