"""The engine alone: webhook, Set, If, Set, No Operation in one process, no broker, no codec.

    python -m tests.benchmarks.engine [--seconds 3] [--profile]

Prints executions per second and CPU microseconds per execution of one core.
"""

import argparse
import cProfile
import pstats
import time
from itertools import pairwise
from typing import Any

from penstock.actors.execution import core
from penstock.nodes.registry import REGISTRY
from penstock.subjects.messages import RunRequest
from penstock.workflow.compile import compile_document
from penstock.workflow.plan import Plan


def _node(name: str, kind: str, version: float, parameters: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "type": f"n8n-nodes-base.{kind}",
        "typeVersion": version,
        "position": [0, 0],
        "parameters": parameters,
    }


def _assignments(**values: str) -> dict[str, Any]:
    entries = [
        {"id": name, "name": name, "type": "string", "value": value}
        for name, value in values.items()
    ]
    return {"assignments": {"assignments": entries}, "includeOtherFields": True, "options": {}}


def _condition() -> dict[str, Any]:
    left = "={{ $json.body.amount }}"
    operator = {"type": "number", "operation": "gt"}
    return {
        "conditions": {
            "options": {"caseSensitive": True, "typeValidation": "strict", "version": 2},
            "combinator": "and",
            "conditions": [{"leftValue": left, "rightValue": 10, "operator": operator}],
        },
        "options": {},
    }


def five_steps() -> dict[str, Any]:
    """The workflow: two assignments and one comparison, all with expressions."""
    names = ["Webhook", "Set", "If", "Set again", "Done"]
    return {
        "name": "five inline steps",
        "nodes": [
            _node("Webhook", "webhook", 2, {"path": "five", "httpMethod": "POST"}),
            _node("Set", "set", 3.4, _assignments(name="={{ $json.body.name }}")),
            _node("If", "if", 2.2, _condition()),
            _node("Set again", "set", 3.4, _assignments(greeting="=Hello {{ $json.name }}!")),
            _node("Done", "noOp", 1, {}),
        ],
        "connections": {
            one: {"main": [[{"node": other, "type": "main", "index": 0}]]}
            for one, other in pairwise(names)
        },
        "settings": {"executionOrder": "v1"},
    }


def execute(plan: Plan, number: int) -> core.State:
    """One execution from its request to its end."""
    item = {"json": {"headers": {}, "query": {}, "body": {"name": "Ana", "amount": 42}}}
    request = RunRequest(
        execution=f"0bench{number}",
        tenant="main",
        workflow="bench",
        plan=plan.hash,
        start="Webhook",
        mode="webhook",
        items=[item],
        received_ms=0,
    )
    state = core.new_state(plan, request)
    core.start(state, 1_700_000_000_000)
    return state


def executions_per_s(seconds: float) -> tuple[float, float]:
    """Executions per second, and CPU microseconds of each."""
    plan = compile_document(five_steps(), REGISTRY)
    state = execute(plan, 0)
    assert state.status == "success" and state.last_node == "Done", state.error
    count, begun, cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - begun < seconds:
        for number in range(500):
            execute(plan, number)
        count += 500
    return count / (time.perf_counter() - begun), (time.process_time() - cpu) * 1e6 / count


def _profile() -> None:
    plan = compile_document(five_steps(), REGISTRY)
    with cProfile.Profile() as profile:
        for number in range(10_000):
            execute(plan, number)
    pstats.Stats(profile).sort_stats("tottime").print_stats(30)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    if options.profile:
        _profile()
    rate, cpu_us = executions_per_s(options.seconds)
    print(f"{rate:,.0f} executions/s, {cpu_us:.1f} us CPU per execution of five inline steps")
