"""What the projector reads of the journal: the same messages, with their bodies left undecoded.

Mirrors `messages.RunRequest`, `journal.Record` and `execution.events` field by field (arrays are
read by position; fields after those named here are skipped). Items, outputs and contexts stay the
bytes they are, which is what makes a projection cost microseconds. `tests/unit/history` holds the
mirrors to their originals.
"""

import msgspec

from penstock.subjects.errors import ErrorInfo

Raw = msgspec.Raw


class Request(msgspec.Struct, array_like=True, gc=False):
    """Of a RunRequest."""

    execution: str
    tenant: str
    workflow: str
    plan: str
    start: str
    mode: str
    items: Raw
    received_ms: int
    reply: Raw = Raw(b"\xc0")
    parent: str = ""
    retry_of: str = ""


class Started(msgspec.Struct, array_like=True, tag="s", gc=False):
    """Of an event Started."""

    at_ms: int
    request: Request | None = None


class Ran(msgspec.Struct, array_like=True, tag="r", gc=False):
    """Of an event Ran."""

    node: int
    outputs: Raw
    at_ms: int
    took_us: int = 0
    same: int = -1
    error: Raw = Raw(b"\xc0")
    is_fatal: bool = False


class Tried(msgspec.Struct, array_like=True, tag="t", gc=False):
    """Of an event Tried."""

    error: Raw
    retry_ms: int


class Waited(msgspec.Struct, array_like=True, tag="w", gc=False):
    """Of an event Waited."""

    node: int
    until_ms: int


class Woken(msgspec.Struct, array_like=True, tag="k", gc=False):
    """Of an event Woken."""

    at_ms: int


class Called(msgspec.Struct, array_like=True, tag="c", gc=False):
    """Of an event Called. `call` is nil when nobody waits for the children."""

    node: int
    children: Raw
    at_ms: int
    paired: bool = False
    call: Raw = Raw(b"\xc0")


class Returned(msgspec.Struct, array_like=True, tag="b", gc=False):
    """Of an event Returned."""

    child: str


class Finished(msgspec.Struct, array_like=True, tag="f", gc=False):
    """Of an event Finished."""

    status: str
    at_ms: int
    error: ErrorInfo | None = None


Event = Started | Ran | Tried | Waited | Woken | Called | Returned | Finished


class Happened(msgspec.Struct, array_like=True, tag="x", gc=False):
    """Of an entry Happened: the events as one undecoded array."""

    execution: str
    events: Raw


class Held(msgspec.Struct, array_like=True, tag="h", gc=False):
    """Of an entry Held."""

    execution: str
    reason: str
    request: Request | None = None


class Answered(msgspec.Struct, array_like=True, tag="r", gc=False):
    """An entry that concerns no view, as are the following."""


class Limited(msgspec.Struct, array_like=True, tag="l", gc=False): ...


class Leased(msgspec.Struct, array_like=True, tag="g", gc=False): ...


class Armed(msgspec.Struct, array_like=True, tag="a", gc=False): ...


class Fired(msgspec.Struct, array_like=True, tag="f", gc=False): ...


class Disarmed(msgspec.Struct, array_like=True, tag="d", gc=False): ...


class Saved(msgspec.Struct, array_like=True, tag="v", gc=False): ...


Entry = Happened | Held | Answered | Limited | Leased | Armed | Fired | Disarmed | Saved


class Record(msgspec.Struct, array_like=True, gc=False):
    """Of a Record."""

    owner: str
    epoch: int
    index: int
    now_ms: int
    input_seq: int
    entries: list[Entry]
