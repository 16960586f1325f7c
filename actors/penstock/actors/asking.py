"""Questions to the owner: the live state of an execution, a reply that was lost, figures."""

from collections.abc import Callable

import msgspec

from penstock.actors.execution.state import State
from penstock.actors.inbox import Inbox
from penstock.actors.replies import Replies
from penstock.actors.table import Table, Waiting, peek
from penstock.subjects import asks
from penstock.subjects.bus import Bus, Message
from penstock.subjects.codec import CodecError
from penstock.subjects.errors import PenstockError
from penstock.subjects.fitting import fit
from penstock.subjects.messages import RunRequest
from penstock.subjects.views import ExecutionView, NodeRunView, SourceView
from penstock.workflow.plan import Plan


class Asking:
    """Answers `ask.<region>.<p>.<kind>`; `stats` in JSON, for people and `penstock status`."""

    def __init__(self, bus: Bus, table: Table, inbox: Inbox, replies: Replies) -> None:
        self._bus = bus
        self._table = table
        self._inbox = inbox
        self._replies = replies
        self.is_ahead: Callable[[], bool] = lambda: False
        """Whether memory is ahead of the journal: an append is in flight."""
        self.on_lease: Callable[[Message], None] = lambda message: None
        """Answers later by itself."""
        self.on_slots: Callable[[str], None] = lambda tenant: None
        """Has no answer."""
        self.why_no_step: Callable[[str], str] = lambda execution: ""
        """Why a step is not under way although its execution waits for it; empty: it is."""
        self.is_under_repair: Callable[[str], bool] = lambda execution: False
        """Whether an execution is out of the table for a while: it is open, and how it is nobody
        can tell."""
        self.figures: Callable[[], dict[str, object]] = dict
        self._kinds: dict[str, Callable[[bytes], bytes | None]] = {
            "state": self._state,
            "reply": self._reply,
            "stats": lambda _: msgspec.json.encode(self.figures()),
        }

    def on_ask(self, message: Message) -> None:
        """Answer one question; one that cannot be read gets no answer."""
        kind = message.subject.rpartition(".")[2]
        try:
            if kind == "slots":
                self.on_slots(asks.ask_slots.decode(message.payload).tenant)
            elif not message.reply:
                return
            elif kind == "lease":
                self.on_lease(message)
            elif kind in self._kinds:
                answer = self._kinds[kind](message.payload)
                if answer is not None:
                    self._bus.publish(message.reply, answer)
        except PenstockError:
            return

    def _reply(self, payload: bytes) -> bytes:
        asked = asks.ask_reply.decode(payload)
        execution = asked.execution
        reply = self._replies.get(execution, asked.gateway, asked.request)
        is_open = self._table.is_open(execution) or self.is_under_repair(execution)
        return asks.reply_answer.encode(asks.ReplyAnswer(reply, is_open, self._up_to()))

    def _state(self, payload: bytes) -> bytes | None:
        execution = asks.ask_state.decode(payload).execution
        if self.is_under_repair(execution):
            return None  # it is asked again soon
        answer = asks.StateAnswer(self._view(execution), self._up_to())
        try:
            return asks.state_answer.encode(answer)
        except CodecError:
            assert answer.view is not None
            fit(answer.view)
        return asks.state_answer.encode(answer)

    def _up_to(self) -> int:
        # Replies come out only once their record is stored. Until then an execution can have ended
        # here without one, and who is told that all inputs are handled would take it for lost.
        return 0 if self.is_ahead() else self._inbox.watermark

    def _view(self, execution: str) -> ExecutionView | None:
        state = self._table.active.get(execution)
        if state is not None:
            view = view_of(state)
            if view.waiting_for == "step":
                view.waiting_for = self.why_no_step(execution) or "step"
            return view
        kept = self._table.kept.get(execution)
        if kept is not None:
            dumped = peek(kept)
            view = _row(dumped.request, "waiting", kept.waiting)
            view.started_ms = dumped.started_ms
            view.until_ms = dumped.sleep.until_ms if dumped.sleep else 0
            return view
        held = self._table.held.get(execution)
        return None if held is None else _held(held)


def view_of(state: State) -> ExecutionView:
    """An execution in memory as people see it."""
    waiting = state.waiting
    is_asleep = waiting in ("timer", "signal")
    view = _row(state.request, "waiting" if is_asleep else "running", waiting)
    view.started_ms = state.started_ms
    view.until_ms = state.sleep.until_ms if state.sleep else 0
    view.last_node = state.last_node
    view.custom = state.info.custom or None
    view.runs = _runs(state, state.plan)
    return view


def _row(request: RunRequest, status: str, waiting: str) -> ExecutionView:
    return ExecutionView(
        id=request.execution,
        tenant=request.tenant,
        workflow=request.workflow,
        plan=request.plan,
        mode=request.mode,
        status=status,
        received_ms=request.received_ms,
        waiting_for=waiting,
        retry_of=request.retry_of,
        parent=request.parent,
        is_partial=True,
    )


def _held(waiting: Waiting) -> ExecutionView:
    return _row(waiting.request, "waiting", waiting.reason)


def _runs(state: State, plan: Plan) -> dict[str, list[NodeRunView]]:
    """The earlier runs that the execution still remembers."""
    return {
        plan.nodes[node].name: [
            NodeRunView(
                index=number,
                status="success",
                finished_ms=0,
                outputs=run.outputs,
                sources=[
                    SourceView(plan.nodes[source.node].name, source.output, source.run)
                    if source is not None
                    else None
                    for source in run.sources
                ],
            )
            for number, run in enumerate(runs)
        ]
        for node, runs in state.runs.items()
    }
