"""Switch in versions 1 and 2: one value compared by rules, or the output's number computed."""

from typing import Any

from penstock.nodes.classic_conditions import DEFAULTS, KINDS, passes
from penstock.nodes.output_index import output_index
from penstock.sdk.call import Call, NodeError
from penstock.sdk.node import Node
from penstock.sdk.parameters import entries, settle
from penstock.subjects.errors import PenstockError
from penstock.subjects.messages import Item, Outcome
from penstock.workflow.expressions.convert import to_string

_OUTPUTS = 4
_NO_FALLBACK = -1


class SwitchV1(Node):
    """Version 1 has four outputs and rules name them; in version 2 each rule has its own."""

    type = "n8n-nodes-base.switch"
    versions = (1, 2)

    def run(self, call: Call) -> Outcome:
        outputs: list[list[Item]] = [
            [] for _ in range(self.outputs(call.node.parameters, call.version))
        ]
        for index, item in enumerate(call.items):
            try:
                output = _output_of(call, index)
                if output is not None:
                    outputs[output_index(output, len(outputs), index)].append(item)
            except PenstockError as error:
                if not call.continues_on_fail:
                    raise
                outputs[0].append({"json": {"error": error.message}})
        return call.items_out(*outputs)

    def outputs(self, parameters: dict[str, Any], version: float) -> int:
        if version < 2:
            return _OUTPUTS
        if parameters.get("mode") == "expression":
            amount = parameters.get("outputsAmount", _OUTPUTS)
            return amount if isinstance(amount, int) and 0 < amount <= 1_000 else _OUTPUTS
        found = entries(parameters, "rules", "rules")
        is_extra = parameters.get("fallbackOutput") == "extra"
        return max(len(found) + is_extra, 1)


def _output_of(call: Call, index: int) -> Any:
    """The output for one item, `None` when no rule holds and there is no fallback."""
    if call.param("mode", index, "rules") == "expression":
        return call.param("output", index, 0)
    kind = to_string(call.param("dataType", index, "number"))
    if kind not in KINDS:
        raise NodeError(f"The data type '{kind}' is not known", item=index)
    default, operation = DEFAULTS[kind]
    value = settle(call.param("value1", index, default))
    rules = entries(call.param("rules", index), "rules")
    keys = [rule.get("outputKey") for rule in rules]
    for rule in rules:
        other = settle(rule.get("value2", default))
        if passes(kind, to_string(rule.get("operation", operation)), value, other):
            if call.version < 2:
                return rule.get("output", 0)
            return keys.index(rule.get("outputKey"))
    fallback = call.param("fallbackOutput", index, _NO_FALLBACK)
    if fallback == "extra":
        return len(rules)
    return None if fallback in (_NO_FALLBACK, "none") else fallback
