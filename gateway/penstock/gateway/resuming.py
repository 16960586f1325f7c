"""Going on with an execution that waits for a call (`/webhook-waiting/<execution>/<suffix>`).

An address counts only as an execution gave it away: signed (`subjects.resume_urls`). The owner is
asked first, so that a call to what does not wait is refused without a durable signal; between
question and signal things may change, so the owner's answer to the signal counts.

Documents append to the address: `{{ $execution.resumeUrl }}/suffix`, `…?approved=yes`. What so
comes after the signature is understood as if the signature stood at the end.
"""

import re
from typing import NamedTuple

from penstock.gateway.owners import Owners
from penstock.gateway.problems import ProblemError
from penstock.gateway.replies import Replies
from penstock.gateway.signals import Signals
from penstock.subjects.ids import is_execution_id
from penstock.subjects.messages import Item, Reply, Resume
from penstock.subjects.resume_urls import ResumeKeys

WAIT_S = 300.0

_SIGNATURE = re.compile(r"(?:^|[?&])signature=([^/?&]*)(/[^?&]*)?")


class Address(NamedTuple):
    """What a call's path and query mean. `query` is without the signature."""

    execution: str
    suffix: str
    query: str


class Resuming:
    """Turns calls into resume signals and waits for what the execution answers."""

    def __init__(
        self, owners: Owners, signals: Signals, replies: Replies, keys: ResumeKeys
    ) -> None:
        self._owners = owners
        self._signals = signals
        self._replies = replies
        self._keys = keys

    def address(self, path: str, query: str) -> Address:
        """The address behind `/webhook-waiting/`; 404 when it names no execution, 401 when it is
        not signed for that."""
        execution, _, suffix = path.partition("/")
        if not is_execution_id(execution):
            raise _not_waiting(execution, 404)
        found = _SIGNATURE.search(query)
        if found is None or not self._keys.fits(execution, found[1]):
            raise _not_signed(is_missing=found is None)
        rest = [part.lstrip("?&") for part in (query[: found.start()], query[found.end() :])]
        suffix = f"{suffix}{found[2] or ''}".strip("/")
        return Address(execution, suffix, "&".join(part for part in rest if part))

    async def resume(self, address: Address, method: str, item: Item) -> Reply:
        """Wake an execution with `item`; its answer. 404 when it is not open, 409 when it runs."""
        execution, suffix = address.execution, address.suffix
        view = (await self._owners.state(execution)).view
        if view is None:
            raise _not_waiting(execution, 404)
        if view.status != "waiting":
            raise _not_waiting(execution, 409)
        waiting, reply_to = self._replies.open(execution, WAIT_S)
        try:
            signal = Resume(execution, [item], suffix, method, reply_to)
            waiting.accepted(await self._signals.send(self._owners.partition(execution), signal))
            reply = await waiting.future
        finally:
            self._replies.close(waiting)
        assert reply is not None  # only requests without a number are answered with nothing
        return reply


def _not_waiting(execution: str, status: int) -> ProblemError:
    return ProblemError(
        status,
        f"the execution {execution[:80]!r} does not wait for a call",
        remedy="the address is good for one call, while the execution waits",
    )


def _not_signed(*, is_missing: bool) -> ProblemError:
    return ProblemError(
        401,
        "the address lacks its signature" if is_missing else "the address has another's signature",
        remedy="call the address that the execution gave away as $execution.resumeUrl, whole",
        headers=[(b"www-authenticate", b"Signature")],
    )
