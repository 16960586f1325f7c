"""Many requests at a time: all of them, or in batches with a pause between.

asyncio is imported where it is used: sandbox workers know this node but do not run it, and each of
them would hold 3 MB for nothing.
"""

from collections.abc import Awaitable, Callable

from penstock.nodes.http_request_send import HttpError
from penstock.sdk.call import Call, NodeError
from penstock.subjects.errors import PenstockError
from penstock.subjects.messages import Item, Outcome

Fetch = Callable[[Call, int], Awaitable[list[Item]]]


async def run_batches(call: Call, fetch: Fetch, *, size: int, interval_ms: float) -> Outcome:
    """Run `fetch` for every item, at most `size` at a time (0: all); results in item order."""
    import asyncio

    count = len(call.items)
    size = size if size > 0 else max(count, 1)
    out: list[Item] = []
    for first in range(0, count, size):
        if first and interval_ms > 0:
            await asyncio.sleep(interval_ms / 1000)
        numbers = range(first, min(first + size, count))
        results = await asyncio.gather(
            *(fetch(call, item) for item in numbers), return_exceptions=True
        )
        for item, result in zip(numbers, results, strict=True):
            out += _settled(call, item, result)
    return call.items_out(out)


def _settled(call: Call, item: int, result: list[Item] | BaseException) -> list[Item]:
    if not isinstance(result, BaseException):
        return result
    if not isinstance(result, PenstockError) or not call.continues_on_fail:
        raise result
    if isinstance(result, HttpError):
        return [{"json": {"error": result.reason}, "pairedItem": {"item": item}}]
    error = result if isinstance(result, NodeError) else NodeError(result.message, item=item)
    return [call.error_item(error, item)]
