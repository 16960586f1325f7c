"""Going on with an execution that waits for a call (`/webhook-waiting/<execution>/<suffix>`).

The owner is asked first, so that a call to what does not wait is refused without a durable signal;
between question and signal things may change, so the owner's answer to the signal counts.
"""

from penstock.gateway.owners import Owners
from penstock.gateway.problems import ProblemError
from penstock.gateway.replies import Replies
from penstock.gateway.signals import Signals
from penstock.subjects.ids import is_execution_id
from penstock.subjects.messages import Item, Reply, Resume

WAIT_S = 300.0


class Resuming:
    """Turns calls into resume signals and waits for what the execution answers."""

    def __init__(self, owners: Owners, signals: Signals, replies: Replies) -> None:
        self._owners = owners
        self._signals = signals
        self._replies = replies

    async def resume(self, execution: str, suffix: str, method: str, item: Item) -> Reply:
        """Wake `execution` with `item`; its answer. 404 when it is not open, 409 when it runs."""
        if not is_execution_id(execution):
            raise _not_waiting(execution, 404)
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
