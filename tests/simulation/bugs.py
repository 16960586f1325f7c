"""Bugs as people make them, to be planted one at a time: what the simulator is worth.

Each stands in the place of one function of the product while seeds are played. Nothing of it is in
the product. Two of them once were: `actors_change_in_their_snapshot` and `slots_are_never_doubted`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from penstock.actors import snapshotting, table
from penstock.actors.commit import Committer, Verdict
from penstock.actors.dispatch import Batch, Dispatcher
from penstock.actors.execution import core
from penstock.actors.execution.effects import Dispatch
from penstock.actors.execution.events import Finished
from penstock.actors.execution.running import conclude, go_on
from penstock.actors.execution.state import RUNNING, State
from penstock.actors.history import writer
from penstock.actors.history.rows import to_columns
from penstock.actors.history.writer import Writer
from penstock.actors.inbox import Inbox
from penstock.actors.journal import Fired
from penstock.actors.mailbox import Envelope
from penstock.actors.parts import Parts
from penstock.actors.quotas import Quotas
from penstock.actors.schedules import Schedules
from penstock.actors.snapshot import HEAD, Head, Rest, Snapshot, SnapshotStore
from penstock.actors.snapshotting import Snapshotting
from penstock.actors.table import Kept
from penstock.actors.takeover import Replayed
from penstock.actors.turns import Turns
from penstock.actors.wakeup import Wakeup
from penstock.subjects.bus import Ack


class Bug(NamedTuple):
    """`function` in the place of `owner.name`."""

    owner: Any
    name: str
    function: Callable[..., Any]
    every: int = 1
    """Which seeds can find it: those that snapshot each second are the even ones."""

    def __str__(self) -> str:
        return self.function.__name__


_append = Committer.append
_restore = Parts.restore
_restore_execution = Parts.restore_execution
_state_of = Turns._state_of
_replay = Schedules.replay
_pack = table.pack
_load = Writer.load
_trim = Snapshotting._trim


def fencing_is_off(self: Committer) -> None:
    assert self._open is not None
    index = self.index

    def on_ack(result: Ack | Exception) -> None:
        if not self._is_closed and self._open is not None and index == self.index:
            if isinstance(result, Ack):
                self._stored(result.sequence)
            else:
                self._send()

    self._bus.append(self._subject, self._open[0], on_ack)


async def an_unanswered_append_counts_as_stored(self: Committer) -> tuple[Verdict, int]:
    last = await self._bus.last("EXEC", self._subject)
    return Verdict.STORED, last.sequence if last else 0


def effects_come_before_the_append(
    self: Committer, frame: bytes, on_stored: Callable[[], None]
) -> None:
    _append(self, frame, lambda: None)
    self._open = None
    on_stored()


def a_takeover_forgets_what_was_dispatched(self: Parts, state: State, now_ms: int) -> None:
    dispatcher, self.dispatcher.add = self.dispatcher.add, _drop  # type: ignore[method-assign]
    _restore_execution(self, state, now_ms)
    self.dispatcher.add = dispatcher  # type: ignore[method-assign]


def _drop(dispatch: Dispatch) -> None:
    pass


def a_takeover_gives_slots_to_children(self: Parts, state: State, now_ms: int) -> None:
    _restore_execution(self, state, now_ms)
    if state.request.parent:
        self.quotas.restore(state.request.tenant, f"{state.request.execution} as a child")


def a_takeover_forgets_who_has_ended(self: Parts, replayed: Replayed) -> None:
    replayed.ended.clear()
    _restore(self, replayed)


def a_takeover_forgets_what_was_fired(self: Schedules, entry: Any) -> None:
    if not isinstance(entry, Fired):
        _replay(self, entry)


def a_snapshot_is_ahead_of_its_position(self: Snapshot, execution: str) -> None:
    pass


def actors_change_in_their_snapshot(rest: Rest) -> Rest:
    return rest


async def a_late_snapshot_replaces_a_newer_one(self: SnapshotStore, head: Head) -> None:
    self._head_sequence = await self._append(self._head_subject, HEAD.encode(head))


async def trimming_forgets_the_history(self: Snapshotting, head: Any) -> None:
    marks, self._shared.marks = self._shared.marks, _FarAhead()  # type: ignore[assignment]
    try:
        await _trim(self, head)
    finally:
        self._shared.marks = marks


class _FarAhead:
    def history(self, partition: int) -> int:
        return 1 << 40


def passivation_loses_the_timer(state: State) -> Kept:
    kept = _pack(state)
    kept.timers = []
    return kept


def whoever_is_put_away_hears_no_signal(
    self: Turns, execution: str, envelope: Envelope
) -> State | None:
    if execution in self._table.kept and envelope.origin is not None:
        return None
    return _state_of(self, execution, envelope)


def results_count_in_any_order(state: State, result: Any, now_ms: int) -> Any:
    turn = core.Turn(state, now_ms)
    if state.status != RUNNING or not state.stack or state.sleep or state.calls:
        return turn
    conclude(turn, result.outcome, took_us=result.took_us)
    return go_on(turn)


def inputs_are_passed_unread(self: Inbox) -> int:
    self._open.clear()
    self.watermark = self.received
    return self.watermark


def refused_steps_are_not_sent_again(self: Dispatcher, batch: Batch) -> None:
    pass


def slots_are_never_doubted(self: Quotas, tenant: str) -> None:
    pass


def the_slot_of_a_failed_execution_is_lost(self: Wakeup, execution: str) -> None:
    self._table.end(execution)
    self.ended.append(execution)
    last = self.told[-1].events[-1]
    assert isinstance(last, Finished)
    if last.status == "success":
        self._on_end(execution)


async def the_watermark_moves_before_the_rows(self: Writer, connection: Any, batch: Any) -> None:
    async with connection.transaction():
        values = (batch.position, batch.read_from, self._region, self._position)
        moved = await connection.execute(writer._MOVE, values)
        if not moved.rowcount:
            raise writer.MovedWatermarkError("another projector")
    async with connection.transaction(), connection.cursor() as cursor:
        async with cursor.copy(writer._COPY) as copy:
            for row in batch.rows:
                await copy.write_row(to_columns(row))
        await cursor.execute(writer._UPSERT)


async def two_projectors_both_write(self: Writer, connection: Any, batch: Any) -> None:
    async with connection.transaction(), connection.cursor() as cursor:
        values = (batch.position, batch.read_from, self._region, self._position)
        await cursor.execute(writer._MOVE, values)
        async with cursor.copy(writer._COPY) as copy:
            for row in batch.rows:
                await copy.write_row(to_columns(row))
        await cursor.execute(writer._UPSERT)


async def the_projector_forgets_what_it_waits_for(self: Writer, connection: Any) -> Any:
    position, _, rows = await _load(self, connection)
    return position, position + 1, rows


BUGS = (
    Bug(Committer, "_send", fencing_is_off),
    Bug(Committer, "_look", an_unanswered_append_counts_as_stored),
    Bug(Committer, "append", effects_come_before_the_append),
    Bug(Parts, "restore_execution", a_takeover_forgets_what_was_dispatched),
    Bug(Parts, "restore", a_takeover_forgets_who_has_ended),
    Bug(Schedules, "replay", a_takeover_forgets_what_was_fired),
    Bug(Parts, "restore_execution", a_takeover_gives_slots_to_children),
    Bug(Snapshot, "before_change", a_snapshot_is_ahead_of_its_position, every=2),
    Bug(snapshotting, "as_it_is_now", actors_change_in_their_snapshot, every=2),
    Bug(SnapshotStore, "_put_head", a_late_snapshot_replaces_a_newer_one, every=2),
    Bug(Snapshotting, "_trim", trimming_forgets_the_history),
    Bug(table, "pack", passivation_loses_the_timer),
    Bug(Turns, "_state_of", whoever_is_put_away_hears_no_signal),
    Bug(core, "on_result", results_count_in_any_order),
    Bug(Inbox, "advance", inputs_are_passed_unread),
    Bug(Dispatcher, "_send_later", refused_steps_are_not_sent_again),
    Bug(Quotas, "tell", slots_are_never_doubted),
    Bug(Wakeup, "end", the_slot_of_a_failed_execution_is_lost),
    Bug(Writer, "_transact", the_watermark_moves_before_the_rows),
    Bug(Writer, "_transact", two_projectors_both_write),
    Bug(Writer, "load", the_projector_forgets_what_it_waits_for),
)
