"""The executions of a partition: open ones in memory or put away, held ones, and lately ended ones.

An execution in a long wait is passivated: its state becomes bytes (`Kept`), exactly as a snapshot
stores them, and memory keeps only those and its timer. Whoever needs it activates it again.
"""

from collections import OrderedDict, deque

import msgspec

from penstock.actors.execution import core
from penstock.actors.execution.effects import SetTimer, TimerKind
from penstock.actors.execution.snapshots import Dumped
from penstock.actors.execution.state import State
from penstock.subjects.crash_points import crash_point
from penstock.subjects.messages import RunRequest
from penstock.workflow.plan import Plan

ENDED_MAX = 4_096

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Dumped).decode


class Kept(msgspec.Struct, array_like=True, gc=False):
    """An execution as bytes. `is_idle`: nothing is to be done for it until a message comes or one
    of its `timers` (at_ms, kind, token) is due, so it need not be loaded to take it over.
    `is_cut`: in a snapshot only, the state goes on in the next one of the same execution."""

    execution: str
    tenant: str
    plan: str
    waiting: str
    state: bytes
    timers: list[tuple[int, TimerKind, int]]
    is_idle: bool
    is_child: bool = False
    is_cut: bool = False


class Waiting(msgspec.Struct, array_like=True, gc=False):
    """A request that is taken but not started, and why."""

    request: RunRequest
    reason: str


class Table:
    """See the module's text. Keys are execution ids."""

    def __init__(self) -> None:
        self.active: dict[str, State] = {}
        self.kept: dict[str, Kept] = {}
        self.held: OrderedDict[str, Waiting] = OrderedDict()
        self._ended: set[str] = set()
        self._ended_order: deque[str] = deque()

    def __len__(self) -> int:
        """How many are open or held."""
        return len(self.active) + len(self.kept) + len(self.held)

    def knows(self, execution: str) -> bool:
        """Whether a request for this execution is a duplicate."""
        return (
            execution in self.active
            or execution in self._ended
            or execution in self.kept
            or execution in self.held
        )

    def is_open(self, execution: str) -> bool:
        """Whether it runs, waits or is held."""
        return execution in self.active or execution in self.kept or execution in self.held

    def end(self, execution: str) -> None:
        """It is over; remember its id for a while, since a duplicate may still come."""
        self.active.pop(execution, None)
        self.remember(execution)

    def remember(self, execution: str) -> None:
        """Treat further requests for `execution` as duplicates."""
        self._ended.add(execution)
        self._ended_order.append(execution)
        if len(self._ended_order) > ENDED_MAX:
            self._ended.discard(self._ended_order.popleft())

    def ended(self) -> list[str]:
        """The ids that are remembered."""
        return list(self._ended_order)

    def passivate(self, execution: str) -> None:
        """Put an active execution away."""
        self.kept[execution] = pack(self.active.pop(execution))
        crash_point("passivate")

    def activate(self, execution: str, plan: Plan) -> State:
        """Load an execution that was put away."""
        state = unpack(plan, self.kept.pop(execution))
        self.active[execution] = state
        return state


def pack(state: State) -> Kept:
    """The execution as bytes."""
    request = state.request
    waiting = state.waiting
    is_idle = waiting in ("timer", "signal")
    # From the state and not from the heap: a timer that has just come up is gone from there
    # although what follows from it is not in the journal yet.
    wanted = core.outstanding(state, 0) if is_idle else ()
    return Kept(
        execution=request.execution,
        tenant=request.tenant,
        plan=request.plan,
        waiting=waiting,
        state=_encode(core.dump(state)),
        timers=[(e.at_ms, e.kind, e.token) for e in wanted if isinstance(e, SetTimer)],
        is_idle=is_idle,
        is_child=bool(request.parent),
    )


def unpack(plan: Plan, kept: Kept) -> State:
    """The execution in memory."""
    return core.load(plan, _decode(kept.state))


def peek(kept: Kept) -> Dumped:
    """What is put away, without its plan."""
    return _decode(kept.state)
