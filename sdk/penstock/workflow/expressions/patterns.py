"""Targets: what stands left of `=`, of `of`, and in parameter lists.

A target compiles to a function (frame, value) that stores the value. Declaring targets give each
name a slot; assigning ones store to variables, members, or names nobody declared.
"""

from collections.abc import Callable
from typing import Any

from tree_sitter import Node

from penstock.workflow.expressions import members
from penstock.workflow.expressions.compiler import Compiler, constant, required
from penstock.workflow.expressions.convert import is_missing, to_string
from penstock.workflow.expressions.errors import NeedsEngineError, throw_type
from penstock.workflow.expressions.iteration import iterate
from penstock.workflow.expressions.parser import named, string_value, text_of
from penstock.workflow.expressions.scopes import RESERVED, assign_global, check_declared
from penstock.workflow.expressions.values import UNDEFINED, Frame

Store = Callable[[Frame, Any], None]

DECLARE, DECLARE_VAR, ASSIGN = "declare", "var", "assign"


def target(compiler: Compiler, node: Node, mode: str) -> Store:
    """The closure that stores a value to `node`."""
    kind = node.type
    if kind in ("identifier", "shorthand_property_identifier_pattern", "undefined"):
        return _name(compiler, text_of(node), mode)
    if kind == "object_pattern":
        return _object(compiler, node, mode)
    if kind == "array_pattern":
        return _array(compiler, node, mode)
    if kind in ("assignment_pattern", "object_assignment_pattern"):
        return _default(compiler, node, mode)
    if mode == ASSIGN and kind in ("member_expression", "subscript_expression"):
        return _member(compiler, node)
    if kind == "parenthesized_expression":
        return target(compiler, named(node)[0], mode)
    raise NeedsEngineError(kind)


def _name(compiler: Compiler, name: str, mode: str) -> Store:
    if mode == ASSIGN:
        return assign_name(compiler, name)
    check_declared(name)
    names = compiler.names
    slot = names.declare_in_function(name) if mode == DECLARE_VAR else names.declare(name)

    def store(frame: Frame, value: Any) -> None:
        frame[slot] = value

    return store


def assign_name(compiler: Compiler, name: str) -> Store:
    """The closure that stores to an existing variable, or to a name nobody declared."""
    place = compiler.names.find(name)
    if place is None:
        return lambda frame, value: assign_global(frame[0], name, value)
    depth, slot = place

    def store(frame: Frame, value: Any) -> None:
        for _ in range(depth):
            frame = frame[1]
        frame[slot] = value

    return store


def _member(compiler: Compiler, node: Node) -> Store:
    value = compiler.expression(required(node, "object"))
    if node.type == "member_expression":
        key = constant(compiler.member_name(required(node, "property")))
    else:
        key = compiler.expression(required(node, "index"))

    def store(frame: Frame, item: Any) -> None:
        members.set_item(frame[0], value(frame), key(frame), item)

    return store


def _default(compiler: Compiler, node: Node, mode: str) -> Store:
    value = compiler.expression(required(node, "right"))
    store = target(compiler, required(node, "left"), mode)
    return lambda frame, given: store(frame, value(frame) if given is UNDEFINED else given)


def _array(compiler: Compiler, node: Node, mode: str) -> Store:
    _refuse_reserved(node, mode)
    stores: list[tuple[int, bool, Store]] = []
    position = 0
    for child in node.children:
        if child.type == ",":
            position += 1
        elif child.is_named and child.type != "comment":
            is_rest = child.type == "rest_pattern"
            inner = named(child)[0] if is_rest else child
            stores.append((position, is_rest, target(compiler, inner, mode)))

    def store(frame: Frame, value: Any) -> None:
        values = iterate(frame[0], value)
        for index, is_rest, put in stores:
            if is_rest:
                put(frame, values[index:])
            else:
                put(frame, values[index] if index < len(values) else UNDEFINED)

    return store


def _refuse_reserved(node: Node, mode: str) -> None:
    for child in named(node) if mode == ASSIGN else ():
        if child.type == "identifier" and text_of(child) in RESERVED:
            check_declared(text_of(child))


def _object(compiler: Compiler, node: Node, mode: str) -> Store:
    stores: list[tuple[Callable[[Frame], Any], Store]] = []
    rest: Store | None = None
    for child in named(node):
        if child.type == "rest_pattern":
            rest = target(compiler, named(child)[0], mode)
        elif child.type == "pair_pattern":
            key = property_name(compiler, required(child, "key"))
            stores.append((key, target(compiler, required(child, "value"), mode)))
        else:
            inner = required(child, "left") if child.type == "object_assignment_pattern" else child
            stores.append((constant(text_of(inner)), target(compiler, child, mode)))

    def store(frame: Frame, value: Any) -> None:
        if is_missing(value):
            throw_type(f"Cannot destructure '{to_string(value)}' as it is {to_string(value)}.")
        taken = []
        for key, put in stores:
            name = members.property_key(key(frame))
            taken.append(name)
            put(frame, members.get_item(frame[0], value, name))
        if rest is not None:
            plain = value if type(value) is dict else {}
            rest(frame, {name: item for name, item in plain.items() if name not in taken})

    return store


def property_name(compiler: Compiler, node: Node) -> Callable[[Frame], Any]:
    """The closure of a property's name in an object literal or pattern."""
    if node.type == "computed_property_name":
        return compiler.expression(named(node)[0])
    if node.type == "string":
        name = string_value(node)
    elif node.type == "number":
        return constant(to_string(compiler.number(node)([])))
    elif node.type == "property_identifier":
        name = text_of(node)
    else:
        raise NeedsEngineError(node.type)
    return constant(members.property_key(name))
