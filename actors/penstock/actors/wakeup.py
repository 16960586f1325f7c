"""What one wake-up comes to: entries for the record, and effects for after it is stored."""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from penstock.actors.execution import core
from penstock.actors.execution.effects import Answer, CoreEffect, Dispatch, SaveStatic, SetTimer
from penstock.actors.execution.events import Event
from penstock.actors.execution.state import State
from penstock.actors.journal import Answered, Entry, Happened, Saved
from penstock.actors.mailbox import Envelope, Mailbox
from penstock.actors.table import Table
from penstock.subjects.codec import MESSAGE_BYTES_MAX
from penstock.subjects.messages import ReplyTo, Respond, RunRequest
from penstock.workflow.plan import Plan

_JSON = {"content-type": "application/json; charset=utf-8"}
ANSWER_BYTES_MAX = MESSAGE_BYTES_MAX - (1 << 20)
"""Of a body: neither a record nor a reply could hold more."""
_TOO_LARGE = Respond(500, _JSON, b'{"message":"The answer is too large to be sent"}')


class Continue(NamedTuple):
    """An execution has more inline work to do."""

    execution: str


class Told(msgspec.Struct, frozen=True, gc=False):
    """Events of an execution, for the taps."""

    request: RunRequest
    plan: Plan | None
    events: list[Event]


class Wakeup:
    """Collects. `begin` empties it; whoever took the lists before keeps them."""

    def __init__(self, table: Table, mailbox: Mailbox, on_end: Callable[[str], None]) -> None:
        self._table = table
        self._mailbox = mailbox
        self._on_end = on_end
        self.within: deque[tuple[State, CoreEffect]] = deque()
        """What concerns other executions of the partition, to be done in this wake-up."""
        self.begin(0)

    def begin(self, now_ms: int) -> None:
        """Start a wake-up."""
        self.now_ms = now_ms
        self.entries: list[Entry] = []
        self.effects: list[tuple[State, Dispatch | SetTimer]] = []
        self.told: list[Told] = []
        self.ended: list[str] = []
        self.slept: list[str] = []
        self.outgoing: list[tuple[str, bytes]] = []
        """Subjects and payloads to publish."""
        self.transitions = 0

    def record(self, state: State, turn: core.Turn) -> None:
        """Keep what a call of the core came to."""
        request = state.request
        events = turn.events
        if events:
            self.entries.append(Happened(request.execution, events))
            self.told.append(Told(request, state.plan, events))
            count = len(events)
            self.transitions += count
            if count > 1:
                self._mailbox.charge(request.tenant, count - 1)
        if state.sleep is not None:
            # Also one that a message woke for nothing: it was put away, and is to be again.
            self.slept.append(request.execution)
        for effect in turn.effects:
            self._keep(state, effect)
        if state.is_finished:
            if events:
                self.end(request.execution)
        elif turn.more:
            self._mailbox.put_going_on(request.tenant, Envelope(Continue(request.execution)))

    def _keep(self, state: State, effect: CoreEffect) -> None:
        if type(effect) is Dispatch or type(effect) is SetTimer:
            self.effects.append((state, effect))
        elif isinstance(effect, Answer):
            response = effect.response
            if len(response.body) > ANSWER_BYTES_MAX:
                response = _TOO_LARGE
            self.entries.append(Answered(state.request.execution, effect.to, response))
        elif isinstance(effect, SaveStatic):
            tenant = state.request.tenant
            self.entries.append(Saved(tenant, effect.workflow, self.now_ms, effect.data))
        else:
            self.within.append((state, effect))

    def end(self, execution: str) -> None:
        """An execution is over, whether it had started or not."""
        self._table.end(execution)
        self.ended.append(execution)
        self._on_end(execution)

    def answer(self, execution: str, to: ReplyTo, status: int, message: str) -> None:
        """Answer a request with a message that the core has no part in."""
        body = msgspec.json.encode({"message": message})
        headers = _JSON | {"retry-after": "1"} if status == 429 else _JSON
        self.entries.append(Answered(execution, to, Respond(status, headers, body)))
