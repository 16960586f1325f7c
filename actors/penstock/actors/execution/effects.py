"""What an execution wants done. The partition owner does these after the journal has the events
they follow from, never before. They are never stored: `core.outstanding` derives again, from the
state alone, those that a new owner must repeat.
"""

from typing import Any, Literal

import msgspec

from penstock.subjects.errors import ErrorInfo
from penstock.subjects.messages import Item, Outputs, ReplyTo, Respond, Step

TimerKind = Literal["retry", "wait", "timeout"]


class Dispatch(msgspec.Struct, frozen=True, gc=False):
    """Send a step to the sandbox hosts of `tier`."""

    tier: str
    step: Step


class Answer(msgspec.Struct, frozen=True, gc=False):
    """Answer the gateway request that waits."""

    to: ReplyTo
    response: Respond


class SetTimer(msgspec.Struct, frozen=True, gc=False):
    """Wake the execution at `at_ms`. `token` must match when it fires: newer state voids it."""

    at_ms: int
    kind: TimerKind
    token: int


class StartChild(msgspec.Struct, frozen=True, gc=False):
    """Start an execution in the same partition. `workflow` is an id (its newest version when the
    caller is manual, else its active or newest), or empty with a `document`."""

    child: str
    workflow: str
    document: dict[str, Any] | None
    items: list[Item]
    mode: str
    must_return: bool


class CancelChild(msgspec.Struct, frozen=True, gc=False):
    """The execution ended before a child that it waits for: nobody wants that any more."""

    child: str


class ReturnToParent(msgspec.Struct, frozen=True, gc=False):
    """A child ended: hand its last node's outputs, or its error, to its parent."""

    parent: str
    child: str
    outputs: Outputs | None
    error: ErrorInfo | None


class StartErrorWorkflow(msgspec.Struct, frozen=True, gc=False):
    """A failure to be told to an error workflow: start `workflow` at its error trigger."""

    workflow: str
    item: Item


class SaveStatic(msgspec.Struct, frozen=True, gc=False):
    """The execution ended and has written static data, which its workflow keeps."""

    workflow: str
    data: dict[str, Any]


CoreEffect = (
    Dispatch
    | Answer
    | SetTimer
    | StartChild
    | CancelChild
    | ReturnToParent
    | StartErrorWorkflow
    | SaveStatic
)
