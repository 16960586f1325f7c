"""Results of steps, from DONE into the mailbox, and how far they are dealt with.

DONE is in memory and may begin anew when the broker restarts; `restarted` then forgets the
position, and what was lost with it is dispatched again.
"""

from collections.abc import Mapping

from penstock.actors.inbox import RESULTS
from penstock.actors.mailbox import Envelope, Mailbox
from penstock.actors.quarantine import Quarantine
from penstock.actors.table import Table
from penstock.subjects.bus import Message
from penstock.subjects.codec import CodecError
from penstock.subjects.dead_letters import UNREADABLE


class Results:
    """The results that arrive at one partition."""

    def __init__(self, table: Table, mailbox: Mailbox, quarantine: Quarantine) -> None:
        self.received = 0
        """The sequence of the last message that was delivered."""
        self._table = table
        self._mailbox = mailbox
        self._quarantine = quarantine
        self._arrived: list[Message] = []
        self._created = 0
        self._noted = 0

    def begin(self, done_seq: int) -> None:
        """What is behind this sequence has been dealt with."""
        self.received = self._noted = done_seq

    @property
    def has_arrived(self) -> bool:
        """Whether messages wait to be decoded."""
        return bool(self._arrived)

    def on_message(self, message: Message) -> None:
        """Take a message from the stream; it is decoded at the next wake-up."""
        self._arrived.append(message)
        self.received = message.sequence

    def drain(self) -> None:
        """Decode what arrived and put it in the mailbox."""
        arrived, self._arrived = self._arrived, []
        active = self._table.active
        for message in arrived:
            try:
                batch = RESULTS.decode(message.payload)
            except CodecError as error:
                self._quarantine.put(UNREADABLE, message, error.message, _nothing)
                continue
            for result in batch:
                state = active.get(result.execution)
                tenant = state.request.tenant if state is not None else ""
                self._mailbox.put_under_way(tenant, Envelope(result))

    def note(self) -> None:
        """Remember how far DONE has come, before it is asked what it is: while the answer is on its
        way more may arrive. A question that was never answered leaves its note to the next."""
        self._noted = max(self._noted, self.received)

    def restarted(self, done: Mapping[str, int]) -> bool:
        """Whether DONE has begun anew since it was looked at last, given what it was found to be
        after `note`."""
        is_another = self._created not in (0, done["created"])
        is_behind = done["last"] < self._noted
        self._created = done["created"]
        self._noted = 0
        if is_another or is_behind:
            self.received = 0
        return is_another or is_behind


def _nothing() -> None:
    """A result that cannot be read is worth nothing: its step is sent again when overdue."""
