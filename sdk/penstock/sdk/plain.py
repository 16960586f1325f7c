"""Values of expressions as the JSON data that items hold, and JSON data as text.

Data that is plain already is returned as it is, not copied.
"""

import math
from typing import Any

from penstock.workflow.expressions.json_text import ordered, quote, to_json
from penstock.workflow.expressions.numbers import number_to_string
from penstock.workflow.expressions.values import UNDEFINED

_ATOMS = frozenset({str, int, bool, type(None), type(UNDEFINED)})


def plain(value: Any) -> Any:
    """`value` as JSON data; `UNDEFINED` stays, so that the caller can leave the field out."""
    return value if type(value) in _ATOMS else to_json(value)


def stringify(value: Any) -> str:
    """`JSON.stringify(value)` of JSON data."""
    kind = type(value)
    if kind is str:
        return quote(value)
    if kind is dict:
        pairs = [f"{quote(key)}:{stringify(entry)}" for key, entry in ordered(value)]
        return "{" + ",".join(pairs) + "}"
    if kind is list:
        return "[" + ",".join(map(stringify, value)) + "]"
    if kind is bool:
        return "true" if value else "false"
    if value is None:
        return "null"
    return number_to_string(value) if math.isfinite(value) else "null"
