"""Questions to a partition's owner, on `ask.<region>.<partition>.<kind>`, and their answers.

Asked over core NATS with a deadline: no answer means that nobody owns the partition now, never
that the thing asked for does not exist. Frames are the codec's. Kinds: `state` (`AskState` to
`StateAnswer`), `reply` (`AskReply` to `ReplyAnswer`), `lease` (`AskLease` to `LeaseAnswer`), and
`slots` (`AskSlots`, to which nothing answers).
"""

import msgspec

from penstock.subjects.codec import Codec
from penstock.subjects.messages import Reply
from penstock.subjects.views import ExecutionView


class AskState(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """How is this execution?"""

    execution: str


class StateAnswer(msgspec.Struct, array_like=True, gc=False):
    """The execution as the owner sees it; `view` None: not open here (ended long ago, or never
    was). `up_to` is the sequence of the last input that the owner has handled, so that a caller
    who knows where its run request stands can tell "not yet" from "no"."""

    view: ExecutionView | None
    up_to: int = 0


class AskReply(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Has this execution answered `request` of `gateway`? Asked when a reply may have been lost
    with an owner. Several requests may wait for one execution: who started it, who resumed it."""

    execution: str
    gateway: str = ""
    request: int = 0


class ReplyAnswer(msgspec.Struct, array_like=True, gc=False):
    """`reply` is the answer if there is one and the owner still has it. `is_open`: the execution
    still runs or waits, so keep waiting. Neither: ask the history how it ended."""

    reply: Reply | None
    is_open: bool
    up_to: int = 0


class AskLease(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """May `tenant` do `tokens` more of `kind` (webhooks, executions, steps)? Asked of the
    partition of `tenant/<tenant>`.

    Kind `slots` is different: `tokens` is how many executions `holder` (a partition) wants to have
    running in all, `using` how many are; what is granted replaces what it had."""

    tenant: str
    kind: str
    tokens: int
    holder: str = ""
    using: int = 0


class AskSlots(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Does this partition need the slots that it has of `tenant`? It says so by `AskLease`, which
    an owner who runs nothing of that tenant has had no reason to send."""

    tenant: str


class LeaseAnswer(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """`granted` tokens, void after `ttl_ms`. `limited` false: there is no limit, do not ask
    again for `ttl_ms`. With nothing granted: why, and when to try again. To `slots`: how many
    executions of the tenant may wait for one, in all (-1: any number)."""

    granted: int
    ttl_ms: int
    limited: bool = True
    retry_after_ms: int = 0
    reason: str = ""
    waiting: int = -1


ask_state: Codec[AskState] = Codec(AskState)
state_answer: Codec[StateAnswer] = Codec(StateAnswer)
ask_reply: Codec[AskReply] = Codec(AskReply)
reply_answer: Codec[ReplyAnswer] = Codec(ReplyAnswer)
ask_lease: Codec[AskLease] = Codec(AskLease)
lease_answer: Codec[LeaseAnswer] = Codec(LeaseAnswer)
ask_slots: Codec[AskSlots] = Codec(AskSlots)
