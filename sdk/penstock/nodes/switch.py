"""Switch from version 3 on: each item goes to the output of the first rule that it passes."""

from typing import Any, NamedTuple

from penstock.nodes import conditions
from penstock.nodes.conditions import Test
from penstock.nodes.output_index import output_index
from penstock.sdk.call import Call
from penstock.sdk.node import Node
from penstock.sdk.parameters import as_object, entries, has_expressions
from penstock.sdk.transform import refuse_error
from penstock.subjects.errors import PenstockError
from penstock.subjects.messages import Item, Outcome, Outputs
from penstock.workflow.expressions.convert import to_number
from penstock.workflow.plan import PlanNode, Transform
from penstock.workflow.scope import Scope

_OUTPUTS = 4
_OUTPUTS_MAX = 1_000
_NO_RULE: dict[str, Any] = {"conditions": {}}


class _Prepared(NamedTuple):
    """The rules' tests; `None` where expressions leave no other way than resolving all."""

    tests: list[Test] | None
    rules: int


class Switch(Node):
    """With `allMatchingOutputs` an item goes to every rule's output that it passes."""

    type = "n8n-nodes-base.switch"
    versions = (3, 3.1, 3.2, 3.3, 3.4)

    def run(self, call: Call) -> Outcome:
        if call.param("mode", 0, "rules") == "expression":
            return call.items_out(*_by_expression(call))
        return call.items_out(*_by_rules(call))

    def transform(self, node: PlanNode) -> Transform | None:
        raw = {name: node.parameters.get(name) for name in ("mode", "options")}
        prepared = _prepare(node)
        if has_expressions(raw) or raw["mode"] == "expression" or not prepared.tests:
            return None
        return _transform(prepared.tests, as_object(raw["options"]))

    def outputs(self, parameters: dict[str, Any], version: float) -> int:
        if parameters.get("mode") == "expression":
            return _whole(parameters.get("numberOutputs"), _OUTPUTS)
        fallback = as_object(parameters.get("options")).get("fallbackOutput")
        return max(len(_rules(parameters)), 0) + (fallback == "extra") or 1


def _rules(parameters: dict[str, Any]) -> list[dict[str, Any]]:
    return entries(parameters.get("rules", {"values": [_NO_RULE]}), "values")


def _whole(value: Any, default: int) -> int:
    number = to_number(value) if isinstance(value, str | int | float) else default
    return int(number) if 0 < number <= _OUTPUTS_MAX else default


def _by_expression(call: Call) -> list[list[Item]]:
    outputs: list[list[Item]] = [
        [] for _ in range(_whole(call.param("numberOutputs", 0, _OUTPUTS), _OUTPUTS))
    ]
    for index, item in enumerate(call.items):
        try:
            outputs[output_index(call.param("output", index, None), len(outputs), index)].append(
                item
            )
        except PenstockError as error:
            _fail(call, outputs, error)
    return outputs


def _fail(call: Call, outputs: list[list[Item]], error: PenstockError) -> None:
    if not call.continues_on_fail:
        raise error
    outputs[0].append({"json": {"error": error.message}})


def _prepare(node: PlanNode) -> _Prepared:
    rules = _rules(node.parameters)
    tests = [conditions.prepare(rule.get("conditions", {})) for rule in rules]
    known = [test for test in tests if test is not None]
    return _Prepared(known if len(known) == len(tests) else None, len(rules))


def _transform(tests: list[Test], options: dict[str, Any]) -> Transform:
    count = len(tests) + (options.get("fallbackOutput") == "extra")

    def route(scope: Scope, items: list[Item]) -> Outputs:
        outputs: list[list[Item]] = [[] for _ in range(count)]
        for index, item in enumerate(items):
            refuse_error(item)
            _route(scope, outputs, tests, (index, item, options))
        return [*outputs]

    return route


def _by_rules(call: Call) -> list[list[Item]]:
    prepared: _Prepared = call.prepared(_prepare)
    if not prepared.rules:
        return [[]]
    options = _options(call, 0)
    is_extra = options.get("fallbackOutput") == "extra"
    outputs: list[list[Item]] = [[] for _ in range(prepared.rules + is_extra)]
    varies = has_expressions(call.node.parameters.get("options"))
    for index, item in enumerate(call.items):
        try:
            if varies:
                options = _options(call, index)
            tests = prepared.tests or _resolved(call, index)
            _route(call.scope, outputs, tests, (index, item, options))
        except PenstockError as error:
            _fail(call, outputs, error)
    return outputs


def _options(call: Call, index: int) -> dict[str, Any]:
    return as_object(call.param("options", index))


def _resolved(call: Call, index: int) -> list[Test]:
    rules = {"rules": call.param("rules", index, {})}
    return [conditions.resolved(rule.get("conditions", {})) for rule in _rules(rules)]


def _route(
    scope: Scope,
    outputs: list[list[Item]],
    tests: list[Test],
    what: tuple[int, Item, dict[str, Any]],
) -> None:
    index, item, options = what
    is_matched = False
    for output, test in enumerate(tests):
        if test(scope, index):
            outputs[output].append(item)
            is_matched = True
            if options.get("allMatchingOutputs") is not True:
                return
    fallback = options.get("fallbackOutput")
    if is_matched or fallback is None or fallback == "none":
        return
    output = (
        len(outputs) - 1 if fallback == "extra" else output_index(fallback, len(outputs), index)
    )
    outputs[output].append(item)
