"""n8n's own answers to expressions, as data: how many of them do we give?

The ratchets are what was reached; they may only rise. Run with `-s` to see the differences.
"""

import json
import math
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from penstock.subjects.messages import Source
from penstock.workflow.expressions import UNDEFINED, ExpressionError, compile_value
from penstock.workflow.expressions.dates import DateTime, Interval
from penstock.workflow.expressions.duration_methods import interval_iso
from penstock.workflow.expressions.durations import UNITS, Duration
from penstock.workflow.expressions.errors import JsErrorValue
from penstock.workflow.expressions.js_date import to_iso_string
from penstock.workflow.expressions.values import (
    BigInt,
    HostObject,
    JsDate,
    JsFunction,
    JsMap,
    JsSet,
)
from penstock.workflow.plan import Edge, Plan, PlanNode
from penstock.workflow.scope import ExecutionInfo, Run, Scope

DATA = Path(__file__).parents[3] / "shared" / "conformance"
SHOWN = int(os.environ.get("SHOW_DIFFERENCES", "30"))

pytestmark = pytest.mark.skipif(
    not DATA.exists(), reason=f"no conformance data at {DATA}: it is not part of the project"
)


def _node(index: int, name: str) -> PlanNode:
    return PlanNode(
        index=index,
        id=f"id-{index}",
        name=name,
        type="n8n-nodes-base.set",
        version=1,
        position=(0, 0),
        parameters={},
        compiled={},
        tier="inline",
        kind=None,
    )


def _plan(names: list[str]) -> Plan:
    nodes = [_node(index, name) for index, name in enumerate(names)]
    last = len(nodes) - 1
    return Plan(
        hash="",
        name="Test workflow",
        document={},
        nodes=nodes,
        by_name={name: index for index, name in enumerate(names)},
        children=[[[Edge(index + 1, 0)]] if index < last else [] for index in range(last + 1)],
        parents=[[[Edge(index - 1, 0)]] if index else [] for index in range(last + 1)],
        order="v1",
        timezone="America/New_York",
    )


def _items(values: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"json": value, "pairedItem": {"item": i}} for i, value in enumerate(values)]


def _scope(
    chain: list[str], refs: list[list[dict[str, Any]]], inputs: list[dict[str, Any]], now_ms: int
) -> Scope:
    names = [*chain, "node"] if chain else ["start", "node"]
    plan = _plan(names)
    runs: dict[int, list[Run]] = {}
    for index, value in enumerate(refs):
        source = [Source(index - 1)] if index else []
        runs[index] = [Run(outputs=[_items(value)], sources=list(source))]
    return Scope(
        plan=plan,
        node=plan.nodes[-1],
        inputs=[_items(inputs)],
        sources=[Source(len(names) - 2)],
        runs=runs,
        run_index=0,
        now_ms=now_ms,
        execution=ExecutionInfo(id="1", mode="manual", workflow_id="1"),
        variables={"$credentials": {"serviceRole": "test-api-key"}, "$pageCount": 42},
    )


def typed(value: Any) -> Any:  # noqa: C901, PLR0911, PLR0912
    """A value in the notation of the data files."""
    if value is UNDEFINED:
        return {"$undefined": True}
    if isinstance(value, float) and not math.isfinite(value):
        return {"$number": "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"}
    if isinstance(value, dict):
        return {name: typed(item) for name, item in value.items()}
    if isinstance(value, list):
        return [typed(item) for item in value]
    if isinstance(value, JsDate):
        return {"$date": to_iso_string(value) if value.ms == value.ms else "invalid"}
    if isinstance(value, DateTime):
        if not value.is_valid:
            return {"$datetime": None, "zone": None}
        return {"$datetime": str(datetime_text(value)), "zone": value.zone.name}
    if isinstance(value, Duration):
        values = {unit: value.values[unit] for unit in UNITS if unit in value.values}
        return {"$duration": value.to_iso() if value.is_valid else None, "values": values}
    if isinstance(value, Interval):
        return {"$interval": interval_iso(value)}
    if isinstance(value, JsFunction):
        return {"$function": value.name}
    if isinstance(value, BigInt):
        return {"$bigint": str(value.value)}
    if isinstance(value, JsErrorValue):
        return {"$error": value.message, "name": value.kind}
    if isinstance(value, JsMap):
        return {"$map": [typed(list(entry)) for entry in value.entries.values()]}
    if isinstance(value, JsSet):
        return {"$set": [typed(item) for item in value.entries.values()]}
    if isinstance(value, HostObject):
        return {name: typed(value.get(name)) for name in value.keys()}  # noqa: SIM118
    return value


def datetime_text(value: DateTime) -> str:
    from penstock.workflow.expressions.date_format import to_iso

    return to_iso(value)


def same(got: Any, wanted: Any) -> bool:
    """As the conformance data compares: undefined properties do not count."""
    if isinstance(got, dict) and isinstance(wanted, dict):
        undefined = {"$undefined": True}
        names = {n for n in got if got[n] != undefined} | {
            n for n in wanted if wanted[n] != undefined
        }
        return all(n in got and n in wanted and same(got[n], wanted[n]) for n in names)
    if isinstance(got, list) and isinstance(wanted, list):
        return len(got) == len(wanted) and all(map(same, got, wanted))
    if isinstance(got, bool) or isinstance(wanted, bool):
        return got is wanted
    if isinstance(got, (int, float)) and isinstance(wanted, (int, float)):
        return float(got) == float(wanted)  # the files print doubles with all digits
    equal: bool = got == wanted
    return equal


def answer(expression: str, scope: Scope) -> dict[str, Any]:
    """What we make of an expression, in the form of a row."""
    compiled = compile_value(expression)
    if compiled.needs_engine:
        return {"needs_engine": True}
    try:
        return {"result": typed(compiled.resolver(scope, 0))}
    except ExpressionError as error:
        return {"error": {"name": error.name, "message": error.message}}


def agrees(got: dict[str, Any], row: dict[str, Any]) -> bool:
    """Whether an answer is the row's."""
    if "error" in row:
        error: Any = row["error"]
        return bool(got.get("error") == error)
    return "result" in got and same(got["result"], row["result"])


def rows(name: str) -> Iterator[dict[str, Any]]:
    with (DATA / name).open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def report(name: str, passed: int, differences: list[str]) -> None:
    print(f"\n{name}: {passed} passed, {len(differences)} failed")
    for difference in differences[:SHOWN]:
        print("  ", difference[:600])


def test_expressions_give_what_n8n_gives() -> None:
    now_ms = int(datetime.fromisoformat("2026-11-21T00:42:14.246+00:00").timestamp() * 1000)
    passed, differences = 0, []
    for row in rows("expressions.jsonl"):
        scope = _scope([], [], row.get("items", [{}]), now_ms)
        got = answer(row["expression"], scope)
        if agrees(got, row):
            passed += 1
        else:
            wanted = row.get("result", row.get("error"))
            differences.append(f"{row['id']} {row['expression']!r} wanted {wanted} got {got}")

    report("expressions.jsonl", passed, differences)
    assert passed / (passed + len(differences)) >= RATCHET_VECTORS


def test_expressions_of_published_workflows_give_what_n8n_gives() -> None:
    meta = json.loads((DATA / "template_expressions.meta.json").read_text())
    now_ms = int(datetime.fromisoformat(meta["fakeNow"]).timestamp() * 1000)
    passed, differences, total, compiled_weight = 0, [], 0, 0
    for row in rows("template_expressions.jsonl"):
        total += row["weight"]
        needs_engine = False
        for index, case in enumerate(row["cases"]):
            # The files give item 0 only; item 1 was made from the other of the first two cases.
            other = row["cases"][1 - index] if index < 2 and len(row["cases"]) > 1 else case
            pair = (case, other)
            refs = [[c.get("refs", {}).get(name, {}) for c in pair] for name in row["chain"]]
            scope = _scope(row["chain"], refs, [c["json"] for c in pair], now_ms)
            got = answer(row["expression"], scope)
            needs_engine = "needs_engine" in got
            if not agrees(got, case):
                wanted = case.get("result", case.get("error"))
                differences.append(
                    f"{row['id']} {row['expression']!r} {case['json']} wanted {wanted} got {got}"
                )
                break
        else:
            passed += 1
        compiled_weight += 0 if needs_engine else row["weight"]

    report("template_expressions.jsonl", passed, differences)
    print(f"compiled without an engine: {compiled_weight / total:.4%} by weight")
    assert passed / (passed + len(differences)) >= RATCHET_TEMPLATES
    assert compiled_weight / total >= RATCHET_COMPILED


RATCHET_VECTORS = 0.995
RATCHET_TEMPLATES = 0.995
RATCHET_COMPILED = 0.999
