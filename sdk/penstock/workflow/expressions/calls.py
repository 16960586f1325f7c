"""Compiling calls: functions, methods, n8n's extension methods, constructors."""

from collections.abc import Callable
from typing import Any

from tree_sitter import Node

from penstock.workflow.expressions import members
from penstock.workflow.expressions.compiler import (
    SKIP,
    Compiler,
    Op,
    is_optional,
    register,
    required,
)
from penstock.workflow.expressions.convert import is_missing, truthy
from penstock.workflow.expressions.errors import NeedsEngineError, forbidden
from penstock.workflow.expressions.extensions import EXTENSION_NAMES, extend
from penstock.workflow.expressions.globals import CLASSES, FUNCTIONS
from penstock.workflow.expressions.lineage import node_items
from penstock.workflow.expressions.parser import named, string_value, text_of
from penstock.workflow.expressions.paths import node_name
from penstock.workflow.expressions.proxies import VARIABLES, first_item
from penstock.workflow.expressions.values import UNDEFINED, Frame

Arguments = Callable[[Frame], list[Any]]


def call(compiler: Compiler, node: Node) -> Op:
    """`callee(...arguments)`."""
    callee = required(node, "function")
    given = required(node, "arguments")
    if given.type != "arguments":
        raise NeedsEngineError("tagged template")
    if callee.type in ("super", "import"):
        raise NeedsEngineError(callee.type)
    if callee.type == "identifier" and text_of(callee) == "$if":
        return _if(compiler, named(given))
    arguments = compiler.list_of(named(given))
    if callee.type == "identifier" and compiler.names.find(text_of(callee)) is None:
        return _call_global(compiler, callee, arguments)
    if callee.type == "member_expression":
        return _call_member(compiler, node, arguments)
    if callee.type == "subscript_expression":
        return _call_subscript(compiler, node, arguments)
    return _call_value(compiler, node, arguments)


def _if(compiler: Compiler, nodes: list[Node]) -> Op:
    """`$if(condition, a, b)`, which evaluates only the one that it gives."""
    ops = [compiler.expression(node) for node in nodes[:3]]
    while len(ops) < 3:
        ops.append(lambda frame: UNDEFINED)
    condition, positive, negative = ops
    return lambda frame: positive(frame) if truthy(condition(frame)) else negative(frame)


def _call_global(compiler: Compiler, callee: Node, arguments: Arguments) -> Op:
    name = text_of(callee)
    native = FUNCTIONS.get(name)
    if native is None and name in CLASSES:
        native = CLASSES[name].call
    if native is not None and name not in VARIABLES:
        function = native
        return lambda frame: function(frame[0], UNDEFINED, arguments(frame))
    value = compiler.name(name)
    return lambda frame: members.call_function(value(frame), UNDEFINED, arguments(frame), name)


def _call_value(compiler: Compiler, node: Node, arguments: Arguments) -> Op:
    callee = required(node, "function")
    value, optional = compiler.chain(callee), is_optional(node)

    def apply(frame: Frame) -> Any:
        function = value(frame)
        if function is SKIP or (optional and is_missing(function)):
            return SKIP
        return members.call_function(function, UNDEFINED, arguments(frame))

    return apply


def _call_member(compiler: Compiler, node: Node, arguments: Arguments) -> Op:
    callee = required(node, "function")
    inner = required(callee, "object")
    name = compiler.member_name(required(callee, "property"))
    special = _special_call(compiler, node, name, arguments)
    if special is not None:
        return special
    value = compiler.chain(inner)
    invoke = _extension_call(name) if name in EXTENSION_NAMES else _method_call(name)
    if not compiler.is_cut(node):
        return lambda frame: invoke(frame, value(frame), arguments)
    optional, optional_call = is_optional(callee), is_optional(node)

    def link(frame: Frame) -> Any:
        found = value(frame)
        if found is SKIP or (optional and is_missing(found)):
            return SKIP
        if optional_call and is_missing(members.get_named(frame[0], found, name)):
            return SKIP
        return invoke(frame, found, arguments)

    return link


def _method_call(name: str) -> Callable[[Frame, Any, Arguments], Any]:
    tables, call_method = members.METHODS, members.call_method

    def invoke(frame: Frame, value: Any, arguments: Arguments) -> Any:
        kind = type(value)
        if kind is str or kind is list:
            native = tables[kind].get(name)
            if native is not None:
                return native(frame[0], value, arguments(frame))
        elif value is None or value is UNDEFINED:
            members.get_named(frame[0], value, name)  # throws, before any argument is looked at
        return call_method(frame[0], value, name, arguments(frame))

    return invoke


def _extension_call(name: str) -> Callable[[Frame, Any, Arguments], Any]:
    def invoke(frame: Frame, value: Any, arguments: Arguments) -> Any:
        return extend(frame[0], value, name, arguments(frame))

    return invoke


def _special_call(compiler: Compiler, node: Node, name: str, arguments: Arguments) -> Op | None:
    """Calls decided while compiling: `Math.max(...)`, `$('X').first()`, `$('X').all()`."""
    inner = required(required(node, "function"), "object")
    if inner.type == "identifier" and compiler.names.find(text_of(inner)) is None:
        known = CLASSES.get(text_of(inner))
        native = known.statics.get(name) if known is not None else None
        if native is not None:
            function = native
            return lambda frame: function(frame[0], UNDEFINED, arguments(frame))
    target = node_name(inner)
    if target is None or not compiler.facts.fast or named(required(node, "arguments")):
        return None
    if is_optional(required(node, "function")) or is_optional(node):
        return None
    if name == "first":
        return lambda frame: first_item(node_items(frame[0].scope, target))
    if name == "all":
        return lambda frame: list(node_items(frame[0].scope, target))
    return None


def _call_subscript(compiler: Compiler, node: Node, arguments: Arguments) -> Op:
    callee = required(node, "function")
    index = required(callee, "index")
    if index.type == "string" and string_value(index) in members.FORBIDDEN:
        raise forbidden(string_value(index))
    value, key = compiler.chain(required(callee, "object")), compiler.expression(index)
    optional, optional_call = is_optional(callee), is_optional(node)

    def apply(frame: Frame) -> Any:
        found = value(frame)
        if found is SKIP or (optional and is_missing(found)):
            return SKIP
        function = members.get_item(frame[0], found, key(frame))
        if optional_call and is_missing(function):
            return SKIP
        return members.call_function(function, found, arguments(frame))

    return apply


def new(compiler: Compiler, node: Node) -> Op:
    """`new constructor(...arguments)`."""
    constructor = required(node, "constructor")
    given = node.child_by_field_name("arguments")
    arguments: Arguments = compiler.list_of(named(given)) if given is not None else lambda frame: []
    name = text_of(constructor)
    if constructor.type == "identifier" and compiler.names.find(name) is None and name in CLASSES:
        native = CLASSES[name].construct
        return lambda frame: native(frame[0], UNDEFINED, arguments(frame))
    value = compiler.expression(constructor)
    return lambda frame: members.construct(value(frame), arguments(frame))


register("call_expression", call)
register("new_expression", new)
