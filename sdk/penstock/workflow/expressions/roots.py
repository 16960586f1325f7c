"""Specialised closures for the commonest beginnings: `$json.a.b`, `$('X').item`, `$input.item`.

They go straight to the data and leave whatever is unusual to the general closure, so they give
the same answers, only sooner.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tree_sitter import Node

from penstock.workflow.expressions.lineage import paired_item
from penstock.workflow.expressions.members import FORBIDDEN, METHODS
from penstock.workflow.expressions.parser import named, string_value, text_of
from penstock.workflow.expressions.proxies import LEGACY_NODE, TABLES
from penstock.workflow.expressions.values import UNDEFINED, Frame
from penstock.workflow.plan import Resolver
from penstock.workflow.scope import Scope

if TYPE_CHECKING:
    from penstock.workflow.expressions.compiler import Compiler

Op = Callable[[Frame], Any]
Keys = list[str | int]


def json_keys(node: Node) -> Keys | None:
    """The keys of a chain of static members on `$json`, outermost last; `None` for others."""
    keys: Keys = []
    while node.type in ("member_expression", "subscript_expression"):
        key = static_key(node)
        inner = node.child_by_field_name("object")
        if key is None or key in FORBIDDEN or inner is None:
            return None
        keys.append(key)
        node = inner
    return keys[::-1] if node.type == "identifier" and text_of(node) == "$json" else None


def static_key(node: Node) -> str | int | None:
    """The member's name if it stands in the text: `.a`, `["a"]`, `[0]`."""
    if node.type == "member_expression":
        name = node.child_by_field_name("property")
        return text_of(name) if name is not None and name.type == "property_identifier" else None
    index = node.child_by_field_name("index")
    if index is None:
        return None
    if index.type == "string":
        return string_value(index)
    if index.type == "number" and text_of(index).isdigit() and len(text_of(index)) < 10:
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
    walk = _walker(keys)

    def path(frame: Frame) -> Any:
        value = walk(frame[0].scope, frame[0].index)
        return general(frame) if value is _UNUSUAL else value

    return path


_UNUSUAL = object()
"""What a walk gives when the general closure has to answer."""


def _walker(keys: Keys) -> Callable[[Scope, int], Any]:
    """A function that walks plain objects and arrays, and gives up on anything else."""
    if len(keys) == 1 and type(keys[0]) is str and keys[0] not in METHODS[dict]:
        return _walk_one(keys[0])
    steps = [(key, str(key), str(key) in METHODS[dict]) for key in keys]

    def walk(scope: Scope, index: int) -> Any:
        try:
            value: Any = scope.inputs[0][index]["json"]  # type: ignore[index]
        except (IndexError, TypeError):
            return _UNUSUAL
        for key, name, is_method in steps:
            if type(value) is dict:
                found = value.get(name, UNDEFINED)
                if found is UNDEFINED and is_method:
                    return _UNUSUAL
                value = found
            elif type(value) is list and type(key) is int:
                value = value[key] if key < len(value) else UNDEFINED
            else:
                return _UNUSUAL
        return value

    return walk


def _walk_one(name: str) -> Callable[[Scope, int], Any]:
    def walk(scope: Scope, index: int) -> Any:
        try:
            data = scope.inputs[0][index]["json"]  # type: ignore[index]
        except (IndexError, TypeError):
            return _UNUSUAL
        return data.get(name, UNDEFINED) if type(data) is dict else _UNUSUAL

    return walk


def direct_resolver(node: Node, general: Resolver) -> Resolver | None:
    """A resolver for an expression that is nothing but `$json.a.b`, which needs no context."""
    keys = json_keys(node)
    if not keys or any(child.type == "optional_chain" for child in _chain(node)):
        return None
    walk = _walker(keys)

    def resolve(scope: Scope, index: int) -> Any:
        value = walk(scope, index)
        return general(scope, index) if value is _UNUSUAL else value

    return resolve


def _chain(node: Node) -> list[Node]:
    parts: list[Node] = []
    inner: Node | None = node
    while inner is not None:
        parts.extend(inner.children)
        inner = inner.child_by_field_name("object")
    return parts


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
    if any(child.type == "optional_chain" for child in _chain(node)):
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
