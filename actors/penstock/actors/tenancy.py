"""The tenants of one partition, as the loop sees them: limits that arrive, leases asked for."""

import msgspec

from penstock.actors.journal import Entry, Leased, Limited
from penstock.actors.mailbox import Envelope, Mailbox
from penstock.actors.tenant import Tenants, ask, doubted, limit
from penstock.actors.wakeup import Wakeup
from penstock.subjects import asks, names
from penstock.subjects.bus import Message
from penstock.subjects.messages import TenantLimits


class Asked(msgspec.Struct, frozen=True):
    """A question for a lease, and where its answer goes."""

    question: asks.AskLease
    reply: str


class Tenancy:
    """Answers leave after the record that holds what they promise."""

    def __init__(self, mailbox: Mailbox, wakeup: Wakeup, region: str) -> None:
        self.tenants = Tenants()
        self._mailbox = mailbox
        self._wakeup = wakeup
        self._region = region

    def on_ask(self, message: Message) -> None:
        """`ask.<region>.<p>.lease`: handled in turn, answered when it is stored."""
        question = asks.ask_lease.decode(message.payload)
        self._mailbox.put_under_way(question.tenant, Envelope(Asked(question, message.reply)))

    def on_asked(self, message: Asked, _: Envelope) -> None:
        """Answer a question for a lease."""
        question = message.question
        state = self.tenants.of(question.tenant)
        answer, entries = ask(state, question, self._wakeup.now_ms)
        self._wakeup.entries.extend(entries)
        self._wakeup.outgoing.append((message.reply, asks.lease_answer.encode(answer)))
        for partition in doubted(state, question, answer):
            subject = names.ask(self._region, partition, "slots")
            frame = asks.ask_slots.encode(asks.AskSlots(question.tenant))
            self._wakeup.outgoing.append((subject, frame))

    def on_limits(self, limits: TenantLimits, _: Envelope) -> None:
        """A signal: new limits."""
        self._wakeup.entries.extend(limit(self.tenants.of(limits.tenant), limits))

    def replay(self, entry: Entry) -> None:
        """Apply one entry of the journal, if it is a tenant's."""
        if isinstance(entry, Limited | Leased):
            self.tenants.apply(entry)
