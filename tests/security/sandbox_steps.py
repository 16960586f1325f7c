"""Steps of user code for the sandbox's tests: one Code node, run by a real pool."""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from penstock.sandbox_host.pool import PoolSettings, ProcessPool
from penstock.subjects.messages import Item, Outcome, Step

T = TypeVar("T")
NOW_MS = 1_700_000_000_000


def document(code: str, *, language: str = "javaScript", **parameters: Any) -> bytes:
    """A workflow whose node 0 is this code."""
    name = "jsCode" if language == "javaScript" else "pythonCode"
    node = {
        "id": "1",
        "name": "Code",
        "type": "n8n-nodes-base.code",
        "typeVersion": 2,
        "position": [0, 0],
        "parameters": {name: code, "language": language, **parameters},
    }
    return json.dumps({"nodes": [node], "connections": {}}).encode()


def step(
    body: bytes, items: list[Item] | None = None, *, tenant: str = "main", timeout_ms: int = 10_000
) -> Step:
    """A step of that node, with one empty item unless others are given."""
    return Step(
        execution="e1",
        tenant=tenant,
        workflow="w",
        plan=hashlib.sha256(body).hexdigest(),
        mode="manual",
        node=0,
        run=0,
        seq=1,
        attempt=1,
        inputs=[items if items is not None else [{"json": {}, "pairedItem": {"item": 0}}]],
        sources=[None],
        runs={},
        contexts={},
        now_ms=NOW_MS,
        timeout_ms=timeout_ms,
        partition=0,
    )


async def run_code(pool: ProcessPool, code: str, **options: Any) -> Outcome:
    """The outcome of code in this pool. Options: of `document` and `step`."""
    of_step = {key: options.pop(key) for key in ("items", "tenant", "timeout_ms") if key in options}
    body = document(code, **options)
    return await pool.run(step(body, **of_step), body)


def with_pool(
    test: Callable[[ProcessPool], Awaitable[T]], settings: PoolSettings | None = None
) -> T:
    """Run `test` with a pool of real workers, and end them all after it."""

    async def main() -> T:
        pool = ProcessPool(settings)
        await pool.start()
        try:
            return await test(pool)
        finally:
            await pool.close()

    return asyncio.run(main())


def python(code: str, *, settings: PoolSettings | None = None, **options: Any) -> Outcome:
    """The outcome of Python code in a pool of its own."""
    return with_pool(
        lambda pool: run_code(pool, code, language="pythonNative", **options), settings
    )


def javascript(code: str, *, settings: PoolSettings | None = None, **options: Any) -> Outcome:
    """The outcome of JavaScript code in a pool of its own."""
    return with_pool(lambda pool: run_code(pool, code, **options), settings)


def first_json(outcome: Outcome) -> dict[str, Any]:
    """The json of the first item put out; fails with the outcome's error when there is none."""
    assert outcome.error is None, outcome.error
    assert outcome.outputs and outcome.outputs[0]
    found: dict[str, Any] = outcome.outputs[0][0]["json"]
    return found
