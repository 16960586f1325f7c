"""Whole workflows against what n8n made of them: outputs, lineage, order, status, messages.

They run as `penstock test` runs them. The ratchet counts rows that use only nodes which exist
here; it may only rise. `SHOW_DIFFERENCES=5 pytest -s` shows what differs.
"""

import asyncio
import os
from typing import Any

from penstock.cli.local_host import LocalHost, from_cache
from penstock.cli.rows import Rows
from penstock.cli.test import read_rows
from penstock.cli.test_data import TestData, WithTestData
from penstock.nodes.registry import REGISTRY
from penstock.workflow.plan_cache import PlanCache
from tests.conformance.data import DATA, needs_data

pytestmark = needs_data

PASSING_MIN = 0.98
SHOWN = int(os.environ.get("SHOW_DIFFERENCES", "0"))


def is_ours(row: dict[str, Any]) -> bool:
    """Whether every node of the row is one that exists here."""
    return all(
        node["type"] == TestData.type
        or REGISTRY.get(node["type"], node.get("typeVersion") or 1) is not None
        for node in row["workflow"]["nodes"]
    )


async def failures(rows: list[dict[str, Any]]) -> list[tuple[str, list[str]]]:
    plans = PlanCache(WithTestData(REGISTRY), nodes_max=500)
    found = []
    async with LocalHost(from_cache(plans)) as host:
        runner = Rows(plans, host.run)
        for row in rows:
            differences = await runner.check(row)
            if differences:
                found.append((row["id"], differences))
    return found


def test_workflows_do_what_they_do_in_n8n() -> None:
    rows = [row for row in read_rows(DATA / "runs.jsonl") if is_ours(row)]

    failed = asyncio.run(failures(rows))

    for name, differences in failed if SHOWN else ():
        print(name, *differences[:SHOWN], sep="\n  ")
    passed = 1 - len(failed) / len(rows)
    print(f"{len(rows) - len(failed)} of {len(rows)} rows agree ({passed:.2%})")
    assert passed >= PASSING_MIN
