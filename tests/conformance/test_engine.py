"""n8n's own workflows about order and waiting, in both execution orders: all must agree."""

import asyncio
from typing import Any

import msgspec
import pytest

from penstock.cli.local_host import LocalHost, from_cache
from penstock.cli.rows import Rows
from penstock.cli.test_data import WithTestData
from penstock.nodes.registry import REGISTRY
from penstock.workflow.plan_cache import PlanCache
from tests.conformance.data import DATA, needs_data

pytestmark = needs_data


def rows() -> list[dict[str, Any]]:
    if not DATA.exists():
        return []
    return [msgspec.json.decode(line) for line in (DATA / "engine.jsonl").open("rb")]


async def history_of(document: dict[str, Any]) -> dict[str, Any]:
    plans = PlanCache(WithTestData(REGISTRY))
    async with LocalHost(from_cache(plans)) as host:
        return await Rows(plans, host.run).run({"workflow": document})


def json_of(run: dict[str, Any], outputs: int) -> list[list[Any]]:
    return [[item["json"] for item in items or ()] for items in run["outputs"][:outputs]]


@pytest.mark.parametrize("row", rows(), ids=lambda row: row["id"])
def test_order_and_outputs_are_those_of_n8n(row: dict[str, Any]) -> None:
    document = row["input"]["workflowData"]
    document.setdefault("settings", {})["executionOrder"] = row["executionOrder"]

    told = asyncio.run(history_of(document))

    assert told["order"] == row["output"]["nodeExecutionOrder"]
    for name, runs in row["output"]["nodeData"].items():
        if row["executionOrder"] == "v0":
            got = [json_of(run, 1)[0] for run in told["runs"][name]]
        elif row["output"].get("testAllOutputs"):
            got = [json_of(run, len(run["outputs"])) for run in told["runs"][name]]
        else:
            got = [json_of(run, 1) for run in told["runs"][name]]
        assert _padded(got, runs) == runs, name


def _padded(got: list[Any], wanted: list[Any]) -> list[Any]:
    """Outputs that n8n lists although nothing is declared for them stand empty in ours."""
    return [
        [*one, *([[]] * (len(other) - len(one)))] if _is_list_of_lists(other) else one
        for one, other in zip(got, wanted, strict=True)
    ]


def _is_list_of_lists(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, list) for entry in value)
