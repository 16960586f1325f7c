"""The node suites of n8n itself: what the pinned nodes put out, row by row.

A row that uses a node which does not exist here is left out and counted; the others all agree,
but for those in `KNOWN`, each with its reason.
"""

import asyncio
from typing import Any

import pytest

from penstock.cli.local_host import LocalHost, from_cache
from penstock.cli.rows import Rows
from penstock.cli.test import read_rows
from penstock.cli.test_data import TestData, WithTestData
from penstock.nodes.registry import REGISTRY
from penstock.workflow.plan_cache import PlanCache
from tests.conformance.data import DATA, needs_data

pytestmark = needs_data

KNOWN: dict[str, str] = {}


def missing_types(row: dict[str, Any]) -> set[str]:
    """The types of a row's nodes that nobody serves."""
    return {
        node["type"]
        for node in row["workflow"]["nodes"]
        if node["type"] != TestData.type
        and REGISTRY.get(node["type"], node.get("typeVersion") or 1) is None
    }


async def differences(rows: list[dict[str, Any]]) -> dict[str, list[str]]:
    plans = PlanCache(WithTestData(REGISTRY), nodes_max=500)
    found = {}
    async with LocalHost(from_cache(plans)) as host:
        runner = Rows(plans, host.run)
        for row in rows:
            different = await runner.check(row)
            if different:
                found[row["id"]] = different
    return found


def test_nodes_put_out_what_their_suites_expect() -> None:
    rows = read_rows(DATA / "nodes.jsonl", str(DATA / "fixtures"))
    ours = [row for row in rows if not missing_types(row)]
    if not ours:
        pytest.skip("no row uses only nodes that exist here")

    found = asyncio.run(differences(ours))

    print(f"{len(ours)} rows run, {len(rows) - len(ours)} left out for nodes that do not exist")
    assert {name: found[name] for name in found if name not in KNOWN} == {}
