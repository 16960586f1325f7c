"""What stands between user code and this machine, in words; asked of a worker made for it."""

import asyncio
from typing import Any

PROBE_S = 15.0


def in_words(report: dict[str, Any]) -> str:
    """A sandbox host's report of its isolation on one line; empty when there is none."""
    if not report:
        return ""
    active, missing = report.get("active") or [], report.get("missing") or {}
    told = [f"{len(active)} layers ({', '.join(active)})", str(report.get("groups"))]
    told += [f"without {layer}: {reason}" for layer, reason in missing.items()]
    return "; ".join(told)


def probe() -> tuple[dict[str, Any], str]:
    """The report of this machine, and why user code would be refused on it (empty: it would not).

    Starts the sandbox with one worker, as a host would, and ends it.
    """
    return asyncio.run(_probe())


async def _probe() -> tuple[dict[str, Any], str]:
    from penstock.sandbox_host.pool import PoolSettings, ProcessPool
    from penstock.subjects.errors import PenstockError

    pool = ProcessPool(PoolSettings(blank=1, workers_max=1))
    try:
        await pool.start()
        async with asyncio.timeout(PROBE_S):
            await pool.has_tried.wait()
    except PenstockError as error:
        return pool.isolation.report(), error.message
    except TimeoutError:
        return pool.isolation.report(), "no worker became ready"
    finally:
        await pool.close()
    return pool.isolation.report(), pool.problem
