"""Repairs: an execution whose handling raised is made anew from the journal.

An exception in the middle of a turn leaves a state that nobody may trust. It is thrown away and
rebuilt from the last snapshot and the journal, while its messages wait and its neighbours go on.
Then the message is tried again. When the same message raises again it is poison: it goes to DEAD,
and the execution fails with `internal`. When even failing raises, it is ended without its state.
"""

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable

import msgspec

from penstock.actors.execution.state import State
from penstock.actors.mailbox import Envelope
from penstock.actors.quarantine import Quarantine
from penstock.actors.table import Table
from penstock.actors.turns import Abandon, Fail, Turns
from penstock.subjects.errors import BusError, ErrorInfo

RETRY_S = 0.5

log = logging.getLogger("penstock.actors")

Rebuild = Callable[[str], Awaitable[State | None]]


class Repairs:
    """The repairs of one partition. `rebuild` reads the journal once the record in flight is in
    it, and gives None when the execution is not open there; `on_repaired` is told before anything
    that waited for a repaired execution is handled."""

    def __init__(self, table: Table, quarantine: Quarantine) -> None:
        self.count = 0
        self.turns: Turns | None = None
        self.rebuild: Rebuild | None = None
        self.on_repaired: Callable[[State], None] = _ignore
        self._table = table
        self._quarantine = quarantine
        self._tried: dict[str, object] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def on_broken(self, execution: str, envelope: Envelope, error: Exception) -> None:
        """`envelope` raised `error` when `execution` handled it (empty: no execution yet)."""
        detail = _detail(error)
        log.error("handling a message of %r raised: %s", execution, detail)
        self.count += 1
        state = self._table.active.pop(execution, None)
        if state is None:
            self._bury(execution, envelope, detail)
            return
        assert self.turns is not None
        if self._tried.get(execution) is envelope.message:
            self._bury(execution, envelope, detail)
            self.turns.park(execution, Envelope(_ending(execution, envelope.message, error)))
        else:
            self._tried[execution] = envelope.message
            self.turns.park(execution, envelope)
        self._tasks[execution] = asyncio.ensure_future(
            self._repair(execution, state.request.tenant)
        )

    @property
    def is_busy(self) -> bool:
        """Whether an execution is out of the table: no snapshot may begin."""
        return bool(self._tasks)

    def is_under_repair(self, execution: str) -> bool:
        """Whether an open execution is out of the table."""
        return execution in self._tasks

    def forget(self, execution: str) -> None:
        """The execution is over."""
        self._tried.pop(execution, None)

    def close(self) -> None:
        """Repair nothing any more."""
        for task in self._tasks.values():
            task.cancel()

    async def _repair(self, execution: str, tenant: str) -> None:
        assert self.rebuild is not None
        while True:
            try:
                state = await self.rebuild(execution)
                break
            except BusError:
                await asyncio.sleep(RETRY_S)
            except Exception:
                # Its messages wait for this, and so do snapshots: it may not end halfway.
                log.exception("%r cannot be made anew yet", execution)
                await asyncio.sleep(RETRY_S)
        del self._tasks[execution]
        if state is not None:
            self._table.active[execution] = state
            self.on_repaired(state)
        assert self.turns is not None
        self.turns.unpark(execution, tenant)

    def _bury(self, execution: str, envelope: Envelope, detail: str) -> None:
        message = envelope.message
        try:
            payload = msgspec.msgpack.encode(message)
        except (TypeError, ValueError):
            payload = repr(message).encode(errors="replace")
        self._quarantine.put_poison(execution, type(message).__name__, payload, detail)


def _ignore(state: State) -> None:
    """Nobody is told."""


def _ending(execution: str, poison: object, error: Exception) -> Fail | Abandon:
    """What ends an execution that cannot stand a message."""
    problem = f"Penstock failed: {error!r}"
    if isinstance(poison, Fail):
        return Abandon(execution, problem)
    return Fail(execution, ErrorInfo(message=problem, name="internal"))


def _detail(error: Exception) -> str:
    """The reason on the first line, then where it came from."""
    reason = f"{type(error).__name__}: {error}".partition("\n")[0][:300]
    return f"{reason}\n{''.join(traceback.format_exception(error))[-1500:]}"
