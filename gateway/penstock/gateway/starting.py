"""Starting executions other than by webhook: one more request in the ingress' batches."""

from penstock.gateway.direct import Direct
from penstock.gateway.ingress import Ingress
from penstock.gateway.parts import Parts
from penstock.gateway.problems import ProblemError
from penstock.gateway.replies import Waiting
from penstock.gateway.values import with_floats
from penstock.subjects.messages import RunRequest


async def start(parts: Parts, request: RunRequest) -> str:
    """Store a run request under a new id, which is returned once the broker has it."""
    await parts.leases.take(request.tenant, ("executions",))
    request.received_ms = parts.clock.now_ms()
    request.execution = parts.ingress.new_execution(request.received_ms)
    waiting = parts.replies.immediate(request.execution)
    add(parts.ingress, request, waiting)
    await waiting.future
    return request.execution


def add(way: Ingress | Direct, request: RunRequest, waiting: Waiting) -> None:
    """`way.add`, also for values that JSON can hold and messages cannot.

    JavaScript has no integers beyond 2^53 either: it would have made the same floats of them.
    """
    try:
        way.add(request, waiting)
    except OverflowError:
        request.items = with_floats(request.items)
        way.add(request, waiting)
    except UnicodeEncodeError as error:
        raise ProblemError(400, f"text that is not Unicode: {error.reason}") from error
