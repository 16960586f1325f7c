"""Specialised closures for the commonest beginnings: `$json.a.b`, `$('X').item`, `$input.item`.

They go straight to the data and leave whatever is unusual to the general closure, so they give
the same answers, only sooner.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tree_sitter import Node

from penstock.workflow.expressions.direct import UNUSUAL, walker
from penstock.workflow.expressions.lineage import paired_item
from penstock.workflow.expressions.parser import text_of
from penstock.workflow.expressions.paths import chain, json_keys, node_name, static_key
from penstock.workflow.expressions.proxies import LEGACY_NODE, TABLES
from penstock.workflow.expressions.values import Frame

if TYPE_CHECKING:
    from penstock.workflow.expressions.compiler import Compiler

Op = Callable[[Frame], Any]


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
    walk = walker(keys)

    def path(frame: Frame) -> Any:
        value = walk(frame[0].scope, frame[0].index)
        return general(frame) if value is UNUSUAL else value

    return path


def _legacy_name(node: Node) -> str | None:
    """The name in `$node["name"]` or `$node.name`, or `None`."""
    inner = node.child_by_field_name("object")
    if inner is None or inner.type != "identifier" or text_of(inner) != "$node":
        return None
    key = static_key(node)
    return key if type(key) is str else None


def compile_root(compiler: "Compiler", node: Node, name: str) -> Op | None:
    """A closure for a member of one of n8n's variables, or `None`."""
    inner = node.child_by_field_name("object")
    if inner is None or not compiler.facts.fast:
        return None
    if any(child.type == "optional_chain" for child in chain(node)):
        return None
    if inner.type == "identifier" and compiler.names.find(text_of(inner)) is None:
        provide = TABLES.get(text_of(inner), {}).get(name)
        return None if provide is None else _of_context(provide)
    return _of_node(inner, name)


def _of_context(provide: Callable[[Any], Any]) -> Op:
    return lambda frame: provide(frame[0])


def _of_node(inner: Node, name: str) -> Op | None:
    target = node_name(inner)
    if target is not None and name == "item":
        return lambda frame: paired_item(frame[0].scope, target, frame[0].index)
    legacy = _legacy_name(inner)
    of_node = LEGACY_NODE.get(name)
    if legacy is None or of_node is None:
        return None
    return lambda frame: of_node(frame[0], legacy)
