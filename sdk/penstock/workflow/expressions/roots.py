"""Specialised closures for the commonest beginnings: `$json.a.b`, `$('X').item`.

They walk plain data with Python's own subscripting and fall back to the general closure whenever
that fails, so they give the same answers, only sooner.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tree_sitter import Node

from penstock.workflow.expressions.lineage import paired_item
from penstock.workflow.expressions.members import FORBIDDEN
from penstock.workflow.expressions.parser import named, string_value, text_of
from penstock.workflow.expressions.values import Frame

if TYPE_CHECKING:
    from penstock.workflow.expressions.compiler import Compiler

Op = Callable[[Frame], Any]


def json_keys(node: Node) -> list[str | int] | None:
    """The keys of a chain of static members on `$json`, outermost last; `None` for others."""
    keys: list[str | int] = []
    while node.type in ("member_expression", "subscript_expression"):
        key = static_key(node)
        if key is None or key in FORBIDDEN:
            return None
        keys.append(key)
        inner = node.child_by_field_name("object")
        if inner is None:
            return None
        node = inner
    return keys[::-1] if node.type == "identifier" and text_of(node) == "$json" else None


def static_key(node: Node) -> str | int | None:
    """The member's name if it stands in the text: `.a`, `["a"]`, `[0]`."""
    if node.type == "member_expression":
        name = node.child_by_field_name("property")
        return text_of(name) if name is not None else None
    index = node.child_by_field_name("index")
    if index is None:
        return None
    if index.type == "string":
        return string_value(index)
    if index.type == "number" and text_of(index).isdigit():
        return int(text_of(index))
    return None


def json_path(compiler: "Compiler", node: Node) -> Op | None:
    """A closure for `$json.a["b"][0]`, or `None` when `node` is no such chain."""
    if not compiler.facts.fast or compiler.names.find("$json"):
        return None
    keys = json_keys(node)
    if keys is None:
        return None
    compiler.facts.fast = False
    try:
        general = compiler.chain(node)
    finally:
        compiler.facts.fast = True
    return _walk_json(keys, general)


def _walk_json(keys: list[str | int], general: Op) -> Op:
    if len(keys) == 1:
        only = keys[0]

        def one(frame: Frame) -> Any:
            context = frame[0]
            try:
                return context.scope.inputs[0][context.index]["json"][only]
            except (KeyError, IndexError, TypeError):
                return general(frame)

        return one

    def many(frame: Frame) -> Any:
        context = frame[0]
        try:
            value = context.scope.inputs[0][context.index]["json"]
            for key in keys:
                value = value[key]
            return value
        except (KeyError, IndexError, TypeError):
            return general(frame)

    return many


def node_name(node: Node) -> str | None:
    """The name in `$('name')`, or `None`."""
    if node.type != "call_expression":
        return None
    callee, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
    if callee is None or arguments is None or callee.type != "identifier":
        return None
    given = named(arguments)
    if text_of(callee) != "$" or len(given) != 1 or given[0].type != "string":
        return None
    return string_value(given[0])


def compile_root(compiler: "Compiler", node: Node, name: str) -> Op | None:
    """A closure for `$('X').item`, or `None`."""
    inner = node.child_by_field_name("object")
    if inner is None or name != "item" or not compiler.facts.fast:
        return None
    target = node_name(inner)
    if target is None or compiler.names.find("$"):
        return None
    return lambda frame: paired_item(frame[0].scope, target, frame[0].index)
