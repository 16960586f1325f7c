"""The idempotency key of a request: the same however often its step is run.

A sandbox host that dies between a request and the broker's word about its result leaves the step
to another, which sends the request again. At least once is all that anybody can promise about the
world outside; a service that honours `Idempotency-Key` makes it once. So every request that is not
safe by HTTP's definition carries one, unless the document sets that header itself.

It is made of the execution, the node, the run of that node, the item and the page, and hashed,
since who knows an execution's id may wake it while it waits for a call.
"""

import hashlib

from penstock.nodes.http_request_message import Request
from penstock.sdk.call import Call

_HEADER = "idempotency-key"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def set_key(request: Request, call: Call, item: int, page: int = 0) -> None:
    """Give an unsafe request its key, where the document gave none."""
    if request.method in _SAFE or request.has_header(_HEADER):
        return
    scope = call.scope
    origin = f"{scope.execution.id}/{call.node.index}/{scope.run_index}/{item}/{page}"
    request.headers[_HEADER] = hashlib.sha256(origin.encode()).hexdigest()[:32]
