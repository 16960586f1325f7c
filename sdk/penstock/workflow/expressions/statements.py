"""Compiling the statements in function bodies.

A statement's closure gives `None` when the flow goes on, a one-element tuple holding the value of
a `return`, or `BREAK` / `CONTINUE`. Labels, generators, classes and `with` need an engine.
"""

from collections.abc import Callable
from typing import Any

from tree_sitter import Node

from penstock.workflow.expressions import patterns
from penstock.workflow.expressions.compiler import Compiler, Op, required
from penstock.workflow.expressions.convert import is_missing, strict_equals, truthy
from penstock.workflow.expressions.errors import (
    BudgetError,
    ExpressionError,
    InvalidSyntaxError,
    JsErrorValue,
    JsThrow,
    NeedsEngineError,
)
from penstock.workflow.expressions.iteration import iterate
from penstock.workflow.expressions.parser import named, text_of
from penstock.workflow.expressions.patterns import DECLARE, DECLARE_VAR, Store
from penstock.workflow.expressions.scopes import check_declared
from penstock.workflow.expressions.values import UNDEFINED, Frame

BREAK, CONTINUE = object(), object()
Flow = Callable[[Frame], Any]


def statements(compiler: Compiler, nodes: list[Node]) -> Flow:
    """The closure of statements in a row; function declarations among them come first."""
    ordered = sorted(nodes, key=lambda node: node.type != "function_declaration")
    flows = [statement(compiler, node) for node in ordered if node.type != "empty_statement"]

    def run(frame: Frame) -> Any:
        for flow in flows:
            ended = flow(frame)
            if ended is not None:
                return ended
        return None

    return run


def statement(compiler: Compiler, node: Node) -> Flow:
    """The closure of one statement."""
    compile_node = _STATEMENTS.get(node.type)
    if compile_node is None:
        raise NeedsEngineError(node.type)
    return compile_node(compiler, node)


def hoist(compiler: Compiler, nodes: list[Node]) -> None:
    """Give the names declared by these statements their slots, so that functions see them."""
    for node in nodes:
        if node.type in ("lexical_declaration", "variable_declaration"):
            for child in named(node):
                name = child.child_by_field_name("name")
                if name is not None and name.type == "identifier":
                    check_declared(text_of(name))
                    compiler.names.declare(text_of(name))
        elif node.type in ("function_declaration", "class_declaration"):
            check_declared(text_of(required(node, "name")))
            compiler.names.declare(text_of(required(node, "name")))


def _block(compiler: Compiler, node: Node) -> Flow:
    compiler.names.blocks.append({})
    try:
        hoist(compiler, named(node))
        return statements(compiler, named(node))
    finally:
        compiler.names.blocks.pop()


def _expression(compiler: Compiler, node: Node) -> Flow:
    value = compiler.expression(named(node)[0])

    def run(frame: Frame) -> None:
        value(frame)

    return run


def _declaration(compiler: Compiler, node: Node) -> Flow:
    mode = DECLARE_VAR if node.type == "variable_declaration" else DECLARE
    stores: list[tuple[Op | None, Store]] = []
    for child in named(node):
        value = child.child_by_field_name("value")
        op = compiler.expression(value) if value is not None else None
        store = patterns.target(compiler, required(child, "name"), mode)
        if op is not None or mode == DECLARE:
            stores.append((op, store))

    def run(frame: Frame) -> None:
        for op, store in stores:
            store(frame, UNDEFINED if op is None else op(frame))

    return run


def _function(compiler: Compiler, node: Node) -> Flow:
    from penstock.workflow.expressions.functions import function

    name = text_of(required(node, "name"))
    check_declared(name)
    slot = compiler.names.declare(name)
    make = function(compiler, node)

    def run(frame: Frame) -> None:
        frame[slot] = make(frame)

    return run


def _return(compiler: Compiler, node: Node) -> Flow:
    values = named(node)
    if not values:
        return lambda frame: (UNDEFINED,)
    value = compiler.expression(values[0])
    return lambda frame: (value(frame),)


def _if(compiler: Compiler, node: Node) -> Flow:
    condition = compiler.expression(required(node, "condition"))
    positive = statement(compiler, required(node, "consequence"))
    other = node.child_by_field_name("alternative")
    if other is None:
        return lambda frame: positive(frame) if truthy(condition(frame)) else None
    negative = statement(compiler, named(other)[0])
    return lambda frame: positive(frame) if truthy(condition(frame)) else negative(frame)


def _for(compiler: Compiler, node: Node) -> Flow:
    compiler.names.blocks.append({})
    try:
        start_node = required(node, "initializer")
        start = _for_part(compiler, start_node)
        condition_node = required(node, "condition")
        condition = (
            None
            if condition_node.type in ("empty_statement", ";")
            else compiler.expression(_unwrapped(condition_node))
        )
        increment_node = node.child_by_field_name("increment")
        increment = compiler.expression(increment_node) if increment_node is not None else None
        body = statement(compiler, required(node, "body"))
    finally:
        compiler.names.blocks.pop()

    def run(frame: Frame) -> Any:
        if start is not None:
            start(frame)
        while condition is None or truthy(condition(frame)):
            frame[0].step()
            ended = body(frame)
            if ended is BREAK:
                break
            if ended is not None and ended is not CONTINUE:
                return ended
            if increment is not None:
                increment(frame)
        return None

    return run


def _for_part(compiler: Compiler, node: Node) -> Flow | None:
    if node.type in ("empty_statement", ";"):
        return None
    if node.type in _STATEMENTS:
        return statement(compiler, node)
    return compiler.expression(_unwrapped(node))


def _unwrapped(node: Node) -> Node:
    return named(node)[0] if node.type == "expression_statement" else node


def _for_each(compiler: Compiler, node: Node) -> Flow:
    symbol = required(node, "operator").type
    values = compiler.expression(required(node, "right"))
    kind = node.child_by_field_name("kind")
    mode = patterns.ASSIGN
    if kind is not None:
        mode = DECLARE_VAR if kind.type == "var" else DECLARE
    compiler.names.blocks.append({})
    try:
        store = patterns.target(compiler, required(node, "left"), mode)
        body = statement(compiler, required(node, "body"))
    finally:
        compiler.names.blocks.pop()

    def run(frame: Frame) -> Any:
        source = values(frame)
        each = iterate(frame[0], source) if symbol == "of" else _keys(source)
        # A list that grows while it is walked is walked to its new end, as in JavaScript.
        for value in each:
            frame[0].step()
            store(frame, value)
            ended = body(frame)
            if ended is BREAK:
                break
            if ended is not None and ended is not CONTINUE:
                return ended
        return None

    return run


def _keys(value: Any) -> list[str]:
    from penstock.workflow.expressions.objects import own_keys

    return [] if is_missing(value) else own_keys(value)


def _while(compiler: Compiler, node: Node) -> Flow:
    condition = compiler.expression(required(node, "condition"))
    body = statement(compiler, required(node, "body"))
    is_do = node.type == "do_statement"

    def run(frame: Frame) -> Any:
        first = is_do
        while first or truthy(condition(frame)):
            first = False
            frame[0].step()
            ended = body(frame)
            if ended is BREAK:
                break
            if ended is not None and ended is not CONTINUE:
                return ended
        return None

    return run


def _throw(compiler: Compiler, node: Node) -> Flow:
    value = compiler.expression(named(node)[0])

    def run(frame: Frame) -> None:
        raise JsThrow(value(frame))

    return run


def caught_value(error: Exception) -> Any:
    """What a `catch` clause sees of a failure."""
    if isinstance(error, JsThrow):
        return error.value
    if isinstance(error, ExpressionError):
        return JsErrorValue(error.name, error.message)
    if isinstance(error, RecursionError):
        return JsErrorValue("RangeError", "Maximum call stack size exceeded")
    return JsErrorValue("TypeError", str(error))


def _try(compiler: Compiler, node: Node) -> Flow:
    body = statement(compiler, required(node, "body"))
    handler_node = node.child_by_field_name("handler")
    final_node = node.child_by_field_name("finalizer")
    handler = _catch(compiler, handler_node) if handler_node is not None else None
    final = statement(compiler, named(final_node)[0]) if final_node is not None else None

    def guarded(frame: Frame) -> Any:
        try:
            return body(frame)
        except BudgetError:
            raise
        except Exception as error:
            if handler is None:
                raise
            return handler(frame, caught_value(error))

    def run(frame: Frame) -> Any:
        if final is None:
            return guarded(frame)
        try:
            ended = guarded(frame)
        except BudgetError:
            raise
        except Exception:
            instead = final(frame)
            if instead is None:
                raise
            return instead
        instead = final(frame)
        return ended if instead is None else instead

    return run


def _catch(compiler: Compiler, node: Node) -> Callable[[Frame, Any], Any]:
    parameter = node.child_by_field_name("parameter")
    compiler.names.blocks.append({})
    try:
        store = patterns.target(compiler, parameter, DECLARE) if parameter is not None else None
        body = statement(compiler, required(node, "body"))
    finally:
        compiler.names.blocks.pop()

    def run(frame: Frame, value: Any) -> Any:
        if store is not None:
            store(frame, value)
        return body(frame)

    return run


def _switch(compiler: Compiler, node: Node) -> Flow:
    subject = compiler.expression(required(node, "value"))
    compiler.names.blocks.append({})
    try:
        clauses = named(required(node, "body"))
        for clause in clauses:
            hoist(compiler, clause.children_by_field_name("body"))
        cases = [_case(compiler, clause) for clause in clauses]
    finally:
        compiler.names.blocks.pop()

    def run(frame: Frame) -> Any:
        value = subject(frame)
        start = next(
            (i for i, (test, _) in enumerate(cases) if test and strict_equals(value, test(frame))),
            next((i for i, (test, _) in enumerate(cases) if test is None), len(cases)),
        )
        for _, body in cases[start:]:
            ended = body(frame)
            if ended is BREAK:
                return None
            if ended is not None:
                return ended
        return None

    return run


def _case(compiler: Compiler, node: Node) -> tuple[Op | None, Flow]:
    test = node.child_by_field_name("value")
    body = statements(compiler, node.children_by_field_name("body"))
    return (compiler.expression(test) if test is not None else None), body


def _jump(signal: object) -> Callable[[Compiler, Node], Flow]:
    def compile_jump(compiler: Compiler, node: Node) -> Flow:
        if named(node):
            raise NeedsEngineError("label")
        return lambda frame: signal

    return compile_jump


def _class(compiler: Compiler, node: Node) -> Flow:
    check_declared(text_of(required(node, "name")))
    raise NeedsEngineError("class")


def _invalid(compiler: Compiler, node: Node) -> Flow:
    raise InvalidSyntaxError(node.type)


_STATEMENTS: dict[str, Callable[[Compiler, Node], Flow]] = {
    "expression_statement": _expression,
    "lexical_declaration": _declaration,
    "variable_declaration": _declaration,
    "function_declaration": _function,
    "class_declaration": _class,
    "statement_block": _block,
    "return_statement": _return,
    "if_statement": _if,
    "for_statement": _for,
    "for_in_statement": _for_each,
    "while_statement": _while,
    "do_statement": _while,
    "throw_statement": _throw,
    "try_statement": _try,
    "switch_statement": _switch,
    "break_statement": _jump(BREAK),
    "continue_statement": _jump(CONTINUE),
    "empty_statement": lambda compiler, node: lambda frame: None,
    "import_statement": _invalid,
    "export_statement": _invalid,
}
