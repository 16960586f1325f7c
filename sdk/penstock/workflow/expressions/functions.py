"""Compiling functions, object literals, assignments: everything that makes or stores values."""

from collections.abc import Callable
from typing import Any

from tree_sitter import Node

from penstock.workflow.expressions import members, operators
from penstock.workflow.expressions.compiler import Compiler, Op, constant, register, required
from penstock.workflow.expressions.convert import is_missing, to_number, truthy
from penstock.workflow.expressions.errors import NeedsEngineError
from penstock.workflow.expressions.names import FunctionNames
from penstock.workflow.expressions.parser import named, text_of
from penstock.workflow.expressions.patterns import (
    ASSIGN,
    DECLARE,
    Store,
    property_name,
    target,
)
from penstock.workflow.expressions.scopes import check_declared
from penstock.workflow.expressions.statements import hoist, statements
from penstock.workflow.expressions.values import UNDEFINED, BigInt, Frame, JsFunction

_ARROW = "arrow_function"


def function(compiler: Compiler, node: Node) -> Op:
    """An arrow function, a function expression or a method."""
    if any(child.type in ("async", "*") for child in node.children):
        raise NeedsEngineError("async function or generator")
    outer = compiler.names
    compiler.names = names = FunctionNames(outer)
    try:
        this_slot = names.declare("this") if node.type != _ARROW else 0
        name = node.child_by_field_name("name")
        self_slot = _self_slot(names, name) if node.type == "function_expression" else 0
        simple, stores = _parameters(compiler, node)
        run = _body(compiler, required(node, "body"))
    finally:
        compiler.names = outer
    spec = _Spec(names, simple, stores, run)
    spec.this_slot, spec.self_slot = this_slot, self_slot
    spec.name = text_of(name) if name is not None else ""
    return _quick(spec) if spec.is_quick else spec.make


def _self_slot(names: FunctionNames, name: Node | None) -> int:
    return names.declare(text_of(name)) if name is not None else 0


class _Spec:
    """A compiled function without its surroundings."""

    __slots__ = ("name", "names", "run", "self_slot", "simple", "stores", "this_slot")

    def __init__(self, names: FunctionNames, simple: int, stores: list[Store], run: Op) -> None:
        self.names = names
        self.simple = simple
        self.stores = stores
        self.run = run
        self.this_slot = 0
        self.self_slot = 0
        self.name = ""

    @property
    def is_quick(self) -> bool:
        """One plain parameter, no other variable: the usual callback."""
        return self.simple == 1 and not self.stores and self.names.size == 3

    def make(self, outer: Frame) -> JsFunction:
        """The function, closed over `outer`."""
        context, run, stores = outer[0], self.run, self.stores
        blank = [UNDEFINED] * (self.names.size - 2)

        def call(this: Any, arguments: list[Any]) -> Any:
            context.step()
            frame: Frame = [context, outer, *blank]
            if self.simple:
                frame[2] = arguments[0] if arguments else UNDEFINED
            if self.this_slot:
                frame[self.this_slot] = this
            if self.self_slot:
                frame[self.self_slot] = made
            for store in stores:
                store(frame, arguments)
            return run(frame)

        made = JsFunction(self.name, call, self.simple or len(stores))
        return made


def _quick(spec: _Spec) -> Op:
    run = spec.run

    def make(outer: Frame) -> JsFunction:
        context = outer[0]

        def call(this: Any, arguments: list[Any]) -> Any:
            context.steps -= 1
            if not context.steps & 1023 or context.steps < 0:
                context.check()
            return run([context, outer, arguments[0] if arguments else UNDEFINED])

        return JsFunction("", call, 1)

    return make


def _parameters(compiler: Compiler, node: Node) -> tuple[int, list[Store]]:
    """How many plain parameters come first in their slots, else the stores of all."""
    single = node.child_by_field_name("parameter")
    nodes = [single] if single is not None else named(required(node, "parameters"))
    if len(nodes) == 1 and nodes[0].type == "identifier" and compiler.names.size == 2:
        check_declared(text_of(nodes[0]))
        compiler.names.declare(text_of(nodes[0]))
        slot = compiler.names.find(text_of(nodes[0]))
        assert slot == (0, 2)
        return 1, []
    return 0, [_parameter(compiler, child, index) for index, child in enumerate(nodes)]


def _parameter(compiler: Compiler, node: Node, index: int) -> Store:
    if node.type == "rest_pattern":
        rest = target(compiler, named(node)[0], DECLARE)
        return lambda frame, arguments: rest(frame, arguments[index:])
    put = target(compiler, node, DECLARE)

    def store(frame: Frame, arguments: list[Any]) -> None:
        put(frame, arguments[index] if index < len(arguments) else UNDEFINED)

    return store


def _body(compiler: Compiler, body: Node) -> Op:
    if body.type != "statement_block":
        return compiler.expression(body)
    hoist(compiler, named(body))
    run = statements(compiler, named(body))

    def apply(frame: Frame) -> Any:
        ended = run(frame)
        return ended[0] if type(ended) is tuple else UNDEFINED

    return apply


def object_literal(compiler: Compiler, node: Node) -> Op:
    """`{a, b: c, [d]: e, ...f, g() {}}`."""
    entries: list[tuple[Op | None, Op]] = []
    for child in named(node):
        if child.type == "spread_element":
            entries.append((None, compiler.expression(named(child)[0])))
        elif child.type == "pair":
            key = property_name(compiler, required(child, "key"))
            entries.append((key, compiler.expression(required(child, "value"))))
        elif child.type == "shorthand_property_identifier":
            name = text_of(child)
            entries.append((constant(members.property_key(name)), compiler.name(name)))
        elif child.type == "method_definition" and child.children[0].type not in ("get", "set"):
            key = property_name(compiler, required(child, "name"))
            entries.append((key, function(compiler, child)))
        else:
            raise NeedsEngineError(child.type)

    def build(frame: Frame) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, value in entries:
            if key is None:
                made.update(spread(value(frame)))
            else:
                name = key(frame)
                made[name if type(name) is str else members.property_key(name)] = value(frame)
        return made

    return _checked(build, entries)


def _checked(build: Op, entries: list[tuple[Op | None, Op]]) -> Op:
    def apply(frame: Frame) -> Any:
        made = build(frame)
        frame[0].charge(len(made))
        return made

    return apply if any(key is None for key, _ in entries) else build


def spread(value: Any) -> dict[str, Any]:
    """The own properties of a value, as `...value` in an object literal takes them."""
    if type(value) is dict:
        return value
    if type(value) is list or type(value) is str:
        return {str(index): item for index, item in enumerate(value)}
    return {}


def assignment(compiler: Compiler, node: Node) -> Op:
    """`target = value`."""
    left = required(node, "left")
    value = compiler.expression(required(node, "right"))
    store = target(compiler, left, ASSIGN)

    def apply(frame: Frame) -> Any:
        result = value(frame)
        store(frame, result)
        return result

    return apply


def augmented(compiler: Compiler, node: Node) -> Op:
    """`target += value` and its like."""
    left, symbol = required(node, "left"), required(node, "operator").type[:-1]
    current, value = compiler.expression(left), compiler.expression(required(node, "right"))
    store = target(compiler, left, ASSIGN)
    if symbol in _LOGICAL:
        return _logical(current, value, store, _LOGICAL[symbol])
    apply = operators.BINARY[symbol]

    def update(frame: Frame) -> Any:
        result = apply(current(frame), value(frame))
        if type(result) is str and len(result) > 1024:
            frame[0].charge(len(result))
        store(frame, result)
        return result

    return update


def _logical(current: Op, value: Op, store: Store, keeps: Callable[[Any], bool]) -> Op:
    def apply(frame: Frame) -> Any:
        result = current(frame)
        if keeps(result):
            return result
        result = value(frame)
        store(frame, result)
        return result

    return apply


_LOGICAL: dict[str, Callable[[Any], bool]] = {
    "??": lambda value: not is_missing(value),
    "||": truthy,
    "&&": lambda value: not truthy(value),
}


def update(compiler: Compiler, node: Node) -> Op:
    """`++a`, `a++`, `--a`, `a--`."""
    operand = required(node, "argument")
    step = 1 if required(node, "operator").type == "++" else -1
    is_prefix = node.children[0].type in ("++", "--")
    current, store = compiler.expression(operand), target(compiler, operand, ASSIGN)

    def apply(frame: Frame) -> Any:
        value = current(frame)
        before = value if isinstance(value, BigInt) else to_number(value)
        after = operators.add(before, BigInt(step) if isinstance(before, BigInt) else step)
        store(frame, after)
        return after if is_prefix else before

    return apply


for _type in (_ARROW, "function_expression"):
    register(_type, function)
register("object", object_literal)
register("assignment_expression", assignment)
register("augmented_assignment_expression", augmented)
register("update_expression", update)
