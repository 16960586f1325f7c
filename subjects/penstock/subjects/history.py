"""Questions to the history, on `ask.<region>.history.<kind>`, and a client that asks them.

The projector answers: it alone talks to the history's database and can turn recorded events into
what people read. So a gateway needs no database, and a history that is down costs it nothing but
these answers.

A projection lags behind what happened. `read` and `events` make up for it: who asks for an
execution that is not there, or not ended there, is answered only after everything that was
journalled when they asked has been projected. After a second without that, one that is not ended
is answered as it is known, and one that is not there with `BusError`: it may be on its way.
"""

from typing import Any

import msgspec

from penstock.subjects import names
from penstock.subjects.bus import Bus
from penstock.subjects.codec import Codec
from penstock.subjects.errors import BusError, PenstockError
from penstock.subjects.messages import RunRequest
from penstock.subjects.views import ExecutionRow, ExecutionView

PAGE_ROWS_MAX = 250
ANSWER_S = 10.0
LAG_S = 2.0


class ListExecutions(msgspec.Struct, kw_only=True, frozen=True):
    """Executions of one tenant, newest first. Empty filters let everything pass.

    `since_ms` and `until_ms` bound when the execution was created; `id_prefix` is the beginning
    of an id; `cursor` is the `next_cursor` of the page before.
    """

    tenant: str
    workflow: str = ""
    status: str = ""
    since_ms: int = 0
    until_ms: int = 0
    id_prefix: str = ""
    cursor: str = ""
    limit: int = 50


class ExecutionPage(msgspec.Struct, frozen=True):
    """A page of a list. `next_cursor` is empty on the last one."""

    rows: list[ExecutionRow]
    next_cursor: str = ""


class ReadExecution(msgspec.Struct, frozen=True):
    """One execution, by its tenant and id."""

    tenant: str
    execution: str


class Recorded(msgspec.Struct, frozen=True):
    """How an execution was asked for and what happened to it: the stuff of a retry. `events` are
    encoded as in the journal, as `RunRequest.seed` takes them."""

    request: RunRequest
    events: list[Any]


class HistoryAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One of the results, or none of them (there is no such execution), or a `problem`.

    `is_unavailable`: the problem is an outage, and asking again later may help.
    """

    page: ExecutionPage | None = None
    view: ExecutionView | None = None
    recorded: Recorded | None = None
    lag: int = 0
    problem: str = ""
    is_unavailable: bool = False


LIST: Codec[ListExecutions] = Codec(ListExecutions)
READ: Codec[ReadExecution] = Codec(ReadExecution)
ANSWER: Codec[HistoryAnswer] = Codec(HistoryAnswer)


class HistoryError(PenstockError):
    """A question that the history cannot answer as it was asked (a bad cursor, …)."""


class HistoryClient:
    """Asks the history of a region. `BusError` when it cannot answer now."""

    def __init__(self, bus: Bus, region: str) -> None:
        self._bus = bus
        self._region = region

    async def list(self, query: ListExecutions) -> ExecutionPage:
        """A page of executions."""
        answer = await self._ask("list", LIST.encode(query))
        assert answer.page is not None
        return answer.page

    async def read(self, tenant: str, execution: str) -> ExecutionView | None:
        """All of an execution, or None when this tenant has none of that id."""
        return (await self._ask("read", READ.encode(ReadExecution(tenant, execution)))).view

    async def recorded(self, tenant: str, execution: str) -> Recorded | None:
        """An execution's request and events, or None when this tenant has none of that id."""
        frame = READ.encode(ReadExecution(tenant, execution))
        return (await self._ask("events", frame)).recorded

    async def lag(self) -> int:
        """How many messages of EXEC the history lacks, up to the newest record; at most so many
        are records."""
        return (await self._ask("lag", b"", LAG_S)).lag

    async def _ask(self, kind: str, frame: bytes, timeout_s: float = ANSWER_S) -> HistoryAnswer:
        subject = names.history(self._region, kind)
        answer = ANSWER.decode(await self._bus.request(subject, frame, timeout_s))
        if answer.is_unavailable:
            raise BusError(f"the history cannot be read now: {answer.problem}")
        if answer.problem:
            raise HistoryError(answer.problem)
        return answer
