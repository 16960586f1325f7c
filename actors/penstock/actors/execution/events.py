"""What can happen to an execution. These are journalled, so they only ever grow.

Array-like and tagged: append fields at the end with a default; never reorder, rename a tag, or
give one a new meaning. `apply(state, event)` is the only thing that changes an execution, live
and on replay alike.
"""

from typing import Any

import msgspec

from penstock.subjects.errors import ErrorInfo
from penstock.subjects.messages import Call, Item, Outputs, ReplyTo, RunRequest


class Started(msgspec.Struct, array_like=True, tag="s", gc=False):
    """The execution began. `request` is None when it stands in the partition's input stream at
    or before the record's `input_seq`, which is the rule; schedules and calls carry their own.
    `is_answered`: the webhook request was answered at once and does not wait for results."""

    at_ms: int
    request: RunRequest | None = None
    is_answered: bool = False


class Ran(msgspec.Struct, array_like=True, tag="r", gc=False):
    """The node at the front of the stack ran. `outputs` None: no run is recorded.

    `same` says that output `same` holds exactly the items of input 0 (it stands empty here), so
    that data which only passes through is written once; `passed` is how many they are.
    `is_answered`: this run answered the webhook request that waited.
    """

    node: int
    outputs: Outputs | None
    at_ms: int
    took_us: int = 0
    same: int = -1
    error: ErrorInfo | None = None
    is_fatal: bool = False
    context: dict[str, Any] | None = None
    custom: dict[str, Any] | None = None
    attempt: int = 1
    is_answered: bool = False
    passed: int = 0
    static: dict[str, Any] | None = None


class Tried(msgspec.Struct, array_like=True, tag="t", gc=False):
    """A try failed and another follows at `retry_ms`."""

    error: ErrorInfo
    retry_ms: int
    attempt: int


class Waited(msgspec.Struct, array_like=True, tag="w", gc=False):
    """The execution went to sleep at the node at the front (until -1: until it is called)."""

    node: int
    until_ms: int
    at_ms: int
    webhook: dict[str, Any] | None = None
    is_answered: bool = False


class Woken(msgspec.Struct, array_like=True, tag="k", gc=False):
    """The wait ended; `items` replace the input when a call ended it, and `reply` is the request
    of that call when it waits for an answer."""

    at_ms: int
    items: list[Item] | None = None
    reply: ReplyTo | None = None


class Called(msgspec.Struct, array_like=True, tag="c", gc=False):
    """The node at the front calls `children`, one after another, each with its batch of `call`.

    Without `call` the children were only started: nobody waits for them.
    """

    node: int
    children: list[str]
    at_ms: int
    paired: bool = False
    call: Call | None = None


class Returned(msgspec.Struct, array_like=True, tag="b", gc=False):
    """A child came back: `items` by output of its last node, or its error."""

    child: str
    items: Outputs | None
    error: ErrorInfo | None
    at_ms: int


class Finished(msgspec.Struct, array_like=True, tag="f", gc=False):
    """The end. `status` is success, error or canceled."""

    status: str
    at_ms: int
    error: ErrorInfo | None = None


Event = Started | Ran | Tried | Waited | Woken | Called | Returned | Finished
