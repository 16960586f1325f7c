"""A part of a process as a child: an asyncio task (a partition, a consumer, the projector).

The task is ready when it runs. Stopping it is cancelling it, and so is killing it: a coroutine
that swallows its cancellation cannot be ended from outside, so `kill` abandons it, says so in
the exit, and leaves the rest to the process that is being stopped anyway.
"""

import asyncio
from collections.abc import Awaitable, Callable

from penstock.supervisor.child import Child, Exit
from penstock.supervisor.spec import ChildSpec, Restart

_GRACE_S = 0.5


class TaskChild:
    """One run of a coroutine function."""

    def __init__(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        self._loop = asyncio.get_running_loop()
        self._exit: asyncio.Future[Exit] = self._loop.create_future()
        self._task = self._loop.create_task(self._run(run), name=name)
        self._is_stopping = False

    async def _run(self, run: Callable[[], Awaitable[None]]) -> None:
        exit_ = Exit(is_normal=True, reason="finished")
        try:
            await run()
        except asyncio.CancelledError:
            exit_ = Exit(is_normal=self._is_stopping, reason="cancelled")
        except Exception as error:  # whatever a part dies of, its supervisor must learn it
            exit_ = Exit(is_normal=False, reason=f"{type(error).__name__}: {error}")
        finally:
            self._end(exit_)

    def _end(self, exit_: Exit) -> None:
        if not self._exit.done():
            self._exit.set_result(exit_)

    async def ready(self) -> None:
        """At once: a task that runs is ready."""

    async def ended(self) -> Exit:
        return await asyncio.shield(self._exit)

    def stop(self) -> None:
        self._is_stopping = True
        # A task cancelled before its first step never enters `_run`; end it here.
        self._task.add_done_callback(lambda _: self._end(Exit(is_normal=True, reason="cancelled")))
        self._task.cancel()

    def kill(self) -> None:
        if self._exit.done():
            return
        self.stop()
        gone = Exit(is_normal=False, reason="abandoned: it does not heed its cancellation")
        self._loop.call_later(_GRACE_S, self._end, gone)

    def describe(self) -> dict[str, object]:
        return {"task": self._task.get_name()}


def task_child(
    name: str,
    run: Callable[[], Awaitable[None]],
    *,
    restart: Restart = Restart.PERMANENT,
    shutdown_s: float = 5.0,
) -> ChildSpec:
    """A child that runs `run()` as a task; each restart calls it anew."""

    async def start() -> Child:
        return TaskChild(name, run)

    return ChildSpec(name=name, start=start, restart=restart, shutdown_s=shutdown_s)
