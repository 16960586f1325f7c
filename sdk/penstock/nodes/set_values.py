"""Set in versions 1 and 2: values by kind (boolean, number, string), kept as they were given."""

from typing import Any

from penstock.sdk.call import Call
from penstock.sdk.node import Node
from penstock.sdk.pairing import pointer
from penstock.sdk.parameters import entries, settle_deep
from penstock.sdk.paths import set_path
from penstock.sdk.plain import plain
from penstock.subjects.messages import Item, Outcome
from penstock.workflow.expressions.convert import to_string, truthy

_KINDS: tuple[tuple[str, Any], ...] = (("boolean", False), ("number", 0), ("string", ""))


class SetValues(Node):
    """Adds the values to each item, or puts out the values alone (`keepOnlySet`)."""

    type = "n8n-nodes-base.set"
    versions = (1, 2)

    def run(self, call: Call) -> Outcome:
        return call.items_out([_item(call, item, n) for n, item in enumerate(call.items)])


def _item(call: Call, item: Item, index: int) -> Item:
    keeps_only_set = truthy(call.param("keepOnlySet", index, False))
    dots = call.option("options.dotNotation", index, True) is not False
    json = {} if keeps_only_set else dict(item["json"])
    values = settle_deep(call.param("values", index, {}))
    for kind, default in _KINDS:
        for entry in entries(values, kind):
            value = plain(entry.get("value", default))
            name = to_string(entry.get("name", "propertyName"))
            set_path(json, name, truthy(value) if kind == "boolean" else value, dots=dots)
    out: Item = {"json": json, "pairedItem": pointer(index)}
    if not keeps_only_set and "binary" in item:
        out["binary"] = item["binary"]
    return out
