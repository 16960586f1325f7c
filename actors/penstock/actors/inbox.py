"""From the stream into the mailbox: decodes inputs and results, and knows how far they are done.

`watermark` is the highest sequence up to which every input is dealt with. Tenants take turns, so
later inputs may be done before earlier ones; `beyond` names those executions.

What cannot be decoded goes to DEAD and counts as dealt with once it is there.
"""

from collections import deque
from collections.abc import Iterable
from typing import Any

from penstock.actors.journal import RUNS
from penstock.actors.mailbox import Envelope, Input, Mailbox
from penstock.actors.quarantine import Quarantine
from penstock.subjects.bus import Message
from penstock.subjects.codec import Codec, CodecError
from penstock.subjects.dead_letters import UNREADABLE
from penstock.subjects.messages import Signal, StepResult, TenantLimits

SIGNALS: Codec[list[Signal]] = Codec(list[Signal])
RESULTS: Codec[list[StepResult]] = Codec(list[StepResult])
BACKLOG_BYTES_MAX = 64 * 1024 * 1024


class Inbox:
    """The inputs of one partition, in stream order."""

    def __init__(self, mailbox: Mailbox, quarantine: Quarantine) -> None:
        self.watermark = 0
        self.received = 0
        """The sequence of the last input that was delivered."""
        self.bytes_waiting = 0
        self._mailbox = mailbox
        self._quarantine = quarantine
        self._arrived: list[Message] = []
        self._open: deque[Input] = deque()
        self._taken_before: set[str] = set()

    def begin(self, watermark: int, taken: Iterable[str] = ()) -> None:
        """Start after `watermark`; `taken` are requests beyond it that are dealt with already.

        All of them, however many: one that is forgotten would be started a second time.
        """
        self.watermark = self.received = watermark
        self._taken_before = set(taken)

    def on_message(self, message: Message) -> None:
        """Take a message from the stream; it is decoded at the next wake-up."""
        if message.sequence > self.received:
            self.received = message.sequence
            self._arrived.append(message)
            self.bytes_waiting += len(message.payload)

    @property
    def has_arrived(self) -> bool:
        """Whether messages wait to be decoded."""
        return bool(self._arrived)

    @property
    def is_full(self) -> bool:
        """Whether following the stream should pause."""
        return self.bytes_waiting > BACKLOG_BYTES_MAX

    def drain(self) -> None:
        """Decode what arrived and put it in the mailbox."""
        arrived, self._arrived = self._arrived, []
        for message in arrived:
            codec: Codec[Any] = RUNS if message.subject.endswith(".run") else SIGNALS
            try:
                batch = codec.decode(message.payload)
            except CodecError as error:
                self._reject(message, error)
                continue
            origin = Input(message.sequence, len(batch), len(message.payload))
            self._open.append(origin)
            if codec is RUNS:
                for request in batch:
                    if not self._was_taken(request.execution, origin):
                        self._mailbox.put(request.tenant, Envelope(request, origin))
            else:
                for signal in batch:
                    self._mailbox.put(_tenant_of(signal), Envelope(signal, origin))
        if not self._mailbox:
            self.advance()

    def advance(self) -> int:
        """Move the watermark over what is dealt with; the new watermark."""
        waiting = self._open
        while waiting and not waiting[0].left:
            done = waiting.popleft()
            self.watermark = done.sequence
            self.bytes_waiting -= done.bytes
        return self.watermark

    def is_first(self, origin: Input) -> bool:
        """Whether everything before `origin` is dealt with."""
        self.advance()
        return not self._open or self._open[0] is origin

    def beyond(self) -> list[str]:
        """Executions beyond the watermark that are started or held already."""
        met = [execution for origin in self._open for execution in origin.taken]
        return [*met, *self._taken_before]

    def _was_taken(self, execution: str, origin: Input) -> bool:
        """Whether an owner before has dealt with this request; here it is met again."""
        if execution not in self._taken_before:
            return False
        self._taken_before.remove(execution)
        origin.taken.append(execution)
        origin.left -= 1
        return True

    def _reject(self, message: Message, error: CodecError) -> None:
        origin = Input(message.sequence, 1, len(message.payload))
        self._open.append(origin)

        def stored() -> None:
            origin.left = 0

        self._quarantine.put(UNREADABLE, message, error.message, stored)


def _tenant_of(signal: Signal) -> str:
    # Signals name an execution only; they are few, so they share one turn.
    return signal.tenant if isinstance(signal, TenantLimits) else ""
