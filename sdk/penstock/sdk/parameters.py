"""Preparing a node's parameters once per plan instead of once per item.

`call.param` resolves a whole top-level parameter for each item. A node on the hot path looks at
the structure of its parameter once, in `Node.prepare`, and resolves just the leaves per item;
`leaf` gives the resolver of one of them. A leaf that needs a JavaScript engine finds it where the
node runs: such a node runs in a sandbox.
"""

from typing import Any, Final

from penstock.workflow.expressions.convert import STRINGS
from penstock.workflow.plan import Resolver

_PLAIN: Final = frozenset({str, int, bool, float, type(None)})


def is_expression(raw: Any) -> bool:
    """Whether a raw parameter value is an expression itself."""
    return type(raw) is str and raw[:1] == "="


def has_expressions(raw: Any) -> bool:
    """Whether there is an expression anywhere in a raw parameter value."""
    if type(raw) is dict:
        return any(map(has_expressions, raw.values()))
    if type(raw) is list:
        return any(map(has_expressions, raw))
    return is_expression(raw)


def as_object(value: Any) -> dict[str, Any]:
    """A collection as an object, empty when the document has something else in its place."""
    return value if isinstance(value, dict) else {}


def entries(value: Any, *names: str) -> list[dict[str, Any]]:
    """The objects of a list below `names`, as n8n's fixed collections have them. What has another
    shape is left out: documents are made by people and models, and this is not the place to fail.
    """
    for name in names:
        value = as_object(value).get(name)
    if isinstance(value, dict):
        return [value]
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def leaf(raw: Any) -> Resolver:
    """The resolver of a value inside of a parameter."""
    if not has_expressions(raw):
        return lambda _scope, _item: raw
    from penstock.workflow.expressions import compile_value

    return compile_value(raw).resolver


def settle(value: Any) -> Any:
    """A leaf's value as nodes see it: a DateTime inside of a parameter is its ISO text."""
    if type(value) in _PLAIN:
        return value
    if type(value).__name__ == "DateTime":
        return STRINGS[type(value)](value)
    return value


def settle_deep(value: Any) -> Any:
    """`settle` for everything inside of a collection, which is changed in place."""
    if type(value) is dict:
        for key, entry in value.items():
            if type(entry) not in _PLAIN:
                value[key] = settle_deep(entry)
        return value
    if type(value) is list:
        for index, entry in enumerate(value):
            value[index] = settle_deep(entry)
        return value
    return settle(value)
