"""From a syntax tree to closures: expressions.

Each node of the tree becomes one Python closure that takes a frame (the variables of the
JavaScript function being run) and returns a value. Nothing is looked up in a tree at run time.
Statements and functions are in `statements`, targets of assignment in `patterns`, calls in
`calls`. A construct that is not covered raises `NeedsEngineError` while compiling.
"""

from collections.abc import Callable
from typing import Any

from tree_sitter import Node

from penstock.workflow.expressions import members, operators
from penstock.workflow.expressions.analysis import Facts
from penstock.workflow.expressions.combining import SHORT_CIRCUITS, addition, as_text, plain_list
from penstock.workflow.expressions.convert import is_missing, to_number, truthy, typeof
from penstock.workflow.expressions.errors import (
    InvalidSyntaxError,
    NeedsEngineError,
    forbidden,
)
from penstock.workflow.expressions.names import FunctionNames
from penstock.workflow.expressions.numbers import tidy, to_int32
from penstock.workflow.expressions.parser import named, string_value, text_of
from penstock.workflow.expressions.regexp import RegExp
from penstock.workflow.expressions.roots import compile_root, json_path
from penstock.workflow.expressions.values import UNDEFINED, BigInt, Frame

Op = Callable[[Frame], Any]

SKIP = object()
"""The value of a chain that `?.` cut short; its links pass it on."""


def constant(value: Any) -> Op:
    """A closure that always gives `value`."""
    return lambda frame: value


class Compiler:
    """Compiles one expression. `names` are the variables in reach, `facts` what was found out."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.names = FunctionNames(None)

    def expression(self, node: Node) -> Op:
        """The closure of an expression."""
        op = self.chain(node)
        if not self.is_cut(node):
            return op

        def uncut(frame: Frame) -> Any:
            value = op(frame)
            return UNDEFINED if value is SKIP else value

        return uncut

    def chain(self, node: Node) -> Op:
        """The closure of a node that may be a link of an optional chain (and give `SKIP`)."""
        compile_node = _NODES.get(node.type)
        if compile_node is None:
            raise NeedsEngineError(node.type)
        return compile_node(self, node)

    def is_cut(self, node: Node) -> bool:
        """Whether the chain that `node` ends has a `?.` in it."""
        while True:
            if any(child.type == "optional_chain" for child in node.children):
                return node.type in _LINKS
            inner = node.child_by_field_name("object") or node.child_by_field_name("function")
            if node.type not in _LINKS or inner is None:
                return False
            node = inner

    # -- members ---------------------------------------------------------------------------

    def member(self, node: Node) -> Op:
        """`object.name`."""
        inner = required(node, "object")
        name = self.member_name(required(node, "property"))
        fast = json_path(self, node) or compile_root(self, node, name)
        if fast is not None:
            return fast
        value, get = self.chain(inner), members.get_named
        if not self.is_cut(node):
            return lambda frame: get(frame[0], value(frame), name)
        optional = is_optional(node)

        def link(frame: Frame) -> Any:
            found = value(frame)
            if found is SKIP or (optional and is_missing(found)):
                return SKIP
            return get(frame[0], found, name)

        return link

    def member_name(self, node: Node) -> str:
        """The name in `object.name`, refused when it leads out of the data."""
        if node.type == "private_property_identifier":
            raise NeedsEngineError(node.type)
        name = text_of(node)
        if name in members.FORBIDDEN:
            raise forbidden(name)
        return name

    def subscript(self, node: Node) -> Op:
        """`object[index]`."""
        inner, index = required(node, "object"), required(node, "index")
        if index.type == "string" and string_value(index) in members.FORBIDDEN:
            raise forbidden(string_value(index))
        fast = json_path(self, node)
        if fast is None and index.type == "string":
            fast = compile_root(self, node, string_value(index))
        if fast is not None:
            return fast
        value, key, get = self.chain(inner), self.expression(index), members.get_item
        if not self.is_cut(node):
            return lambda frame: get(frame[0], value(frame), key(frame))
        # n8n rewrites a computed member and loses its `?.` unless the index is a literal.
        optional = is_optional(node) and index.type in _LITERALS

        def link(frame: Frame) -> Any:
            found = value(frame)
            if found is SKIP or (optional and is_missing(found)):
                return SKIP
            return get(frame[0], found, key(frame))

        return link

    # -- names and literals ----------------------------------------------------------------

    def identifier(self, node: Node) -> Op:
        """A variable, or one of the names that n8n provides."""
        return self.name(text_of(node))

    def name(self, name: str) -> Op:
        """The value of `name`."""
        place = self.names.find(name)
        if place is None:
            from penstock.workflow.expressions.scopes import global_name

            return global_name(self, name)
        depth, slot = place
        if depth == 0:
            return lambda frame: frame[slot]
        if depth == 1:
            return lambda frame: frame[1][slot]

        def outer(frame: Frame) -> Any:
            for _ in range(depth):
                frame = frame[1]
            return frame[slot]

        return outer

    def number(self, node: Node) -> Op:
        """A number literal."""
        text = text_of(node).replace("_", "")
        if text.endswith("n"):
            return constant(BigInt(int(text[:-1], 0)))
        return constant(to_number(text))

    def string(self, node: Node) -> Op:
        """A string literal."""
        return constant(string_value(node))

    def template(self, node: Node) -> Op:
        """A template literal."""
        parts: list[Op] = []
        raw = text = ""
        for child in node.named_children:
            if child.type == "template_substitution":
                parts.append(constant(text + (" " if _gains_space(raw, text) else "")))
                parts.append(as_text(self.expression(named(child)[0])))
                raw = text = ""
            else:
                raw += text_of(child)
                text += (
                    string_value_of(child) if child.type == "escape_sequence" else text_of(child)
                )
        parts.append(constant(text))
        join = "".join

        def build(frame: Frame) -> str:
            text = join([part(frame) for part in parts])
            frame[0].charge(len(text))
            return text

        return build

    def regex(self, node: Node) -> Op:
        """A regular expression literal; the pattern is translated here, once."""
        pattern = text_of(required(node, "pattern"))
        flags = node.child_by_field_name("flags")
        made = RegExp(pattern, text_of(flags) if flags else "")
        return lambda frame: made.fresh()

    def array(self, node: Node) -> Op:
        """An array literal."""
        if any(
            a.type in (",", "[") and b.type == ","
            for a, b in zip(node.children, node.children[1:], strict=False)
        ):
            raise NeedsEngineError("array with holes")
        return self.list_of(named(node))

    def list_of(self, nodes: list[Node]) -> Callable[[Frame], list[Any]]:
        """The closure of a list of expressions, some of which may be spread."""
        if not any(child.type == "spread_element" for child in nodes):
            return plain_list([self.expression(child) for child in nodes])
        parts = [
            (child.type == "spread_element", self.expression(spread_or_self(child)))
            for child in nodes
        ]
        from penstock.workflow.expressions.iteration import iterate

        def build(frame: Frame) -> list[Any]:
            values: list[Any] = []
            for is_spread, part in parts:
                value = part(frame)
                if is_spread:
                    values.extend(iterate(frame[0], value))
                else:
                    values.append(value)
            frame[0].charge(len(values))
            return values

        return build

    def parenthesized(self, node: Node) -> Op:
        """`(expression)`; a comma inside is a sequence."""
        return self.expression(named(node)[0])

    def this(self, node: Node) -> Op:
        """`this`: the function's, or the object of neutralised globals outside of functions."""
        place = self.names.find("this")
        if place is not None:
            return self.name("this")
        return lambda frame: {"process": {}, "require": {}, "module": {}, "Buffer": {}}

    # -- operators -------------------------------------------------------------------------

    def binary(self, node: Node) -> Op:
        """`left operator right`."""
        symbol = required(node, "operator").type
        left, right = (
            self.expression(required(node, "left")),
            self.expression(required(node, "right")),
        )
        if symbol in SHORT_CIRCUITS:
            return SHORT_CIRCUITS[symbol](left, right)
        if symbol == "in":
            return lambda frame: members.has_member(frame[0], left(frame), right(frame))
        if symbol == "+":
            return addition(left, right)
        apply = operators.BINARY.get(symbol)
        if apply is None:
            raise NeedsEngineError(symbol)
        return lambda frame: apply(left(frame), right(frame))

    def unary(self, node: Node) -> Op:
        """`!a`, `-a`, `+a`, `~a`, `typeof a`, `void a`, `delete a.b`."""
        symbol = required(node, "operator").type
        operand = required(node, "argument")
        if symbol == "delete":
            return self._delete(operand)
        value = self.expression(operand)
        if symbol == "!":
            return lambda frame: not truthy(value(frame))
        if symbol not in _UNARY:
            raise NeedsEngineError(symbol)
        apply = _UNARY[symbol]
        return lambda frame: apply(value(frame))

    def _delete(self, operand: Node) -> Op:
        while operand.type == "parenthesized_expression":
            operand = named(operand)[0]
        if operand.type not in ("member_expression", "subscript_expression"):
            return constant(True)
        value = self.expression(required(operand, "object"))
        if operand.type == "member_expression":
            key = constant(self.member_name(required(operand, "property")))
        else:
            key = self.expression(required(operand, "index"))
        return lambda frame: members.delete_item(value(frame), key(frame))

    def ternary(self, node: Node) -> Op:
        """`condition ? a : b`."""
        condition = self.expression(required(node, "condition"))
        positive = self.expression(required(node, "consequence"))
        negative = self.expression(required(node, "alternative"))
        return lambda frame: positive(frame) if truthy(condition(frame)) else negative(frame)

    def sequence(self, node: Node) -> Op:
        """`a, b`: the last one's value."""
        ops = [self.expression(child) for child in named(node)]

        def last(frame: Frame) -> Any:
            value: Any = UNDEFINED
            for op in ops:
                value = op(frame)
            return value

        return last


def required(node: Node, field: str) -> Node:
    """The child of `node` in `field`, which the grammar promises."""
    child = node.child_by_field_name(field)
    if child is None:
        raise InvalidSyntaxError(f"{node.type} without {field}")
    return child


def is_optional(node: Node) -> bool:
    """Whether this very link is `?.`."""
    return any(child.type == "optional_chain" for child in node.children)


def spread_or_self(node: Node) -> Node:
    """The expression behind `...`, or the node itself."""
    return named(node)[0] if node.type == "spread_element" else node


def string_value_of(escape: Node) -> str:
    """The character of an escape sequence node."""
    from penstock.workflow.expressions.parser import unescape

    return unescape(text_of(escape))


def _gains_space(raw: str, text: str) -> bool:
    """Whether n8n puts a space between this text of a template literal and the `${` after it.

    n8n rewrites the code of a part before it runs it. Its printer spells the line breaks of a
    template's text anew, and then keeps apart what might read as one word: a text that holds a
    line break and ends (in the source) in a letter, digit, `_` or `$` gets a space.
    """
    return "\n" in text and raw.replace("\n", "\\n")[-1].lower() in _WORD_CHARACTERS


_WORD_CHARACTERS = frozenset("0123456789abcdefghijklmnopqrstuvwxyz_$")


def _invert_bits(value: Any) -> int:
    return ~to_int32(to_number(value))


_UNARY: dict[str, Callable[[Any], Any]] = {
    "-": operators.negate,
    "+": lambda value: tidy(to_number(value)),
    "~": _invert_bits,
    "typeof": typeof,
    "void": lambda value: UNDEFINED,
}
_LITERALS = frozenset({"string", "number", "template_string", "true", "false", "null", "regex"})
_LINKS = frozenset({"member_expression", "subscript_expression", "call_expression"})

_NODES: dict[str, Callable[[Compiler, Node], Op]] = {
    "member_expression": Compiler.member,
    "subscript_expression": Compiler.subscript,
    "identifier": Compiler.identifier,
    "undefined": lambda compiler, node: constant(UNDEFINED),
    "null": lambda compiler, node: constant(None),
    "true": lambda compiler, node: constant(True),
    "false": lambda compiler, node: constant(False),
    "number": Compiler.number,
    "string": Compiler.string,
    "template_string": Compiler.template,
    "regex": Compiler.regex,
    "array": Compiler.array,
    "parenthesized_expression": Compiler.parenthesized,
    "this": Compiler.this,
    "binary_expression": Compiler.binary,
    "unary_expression": Compiler.unary,
    "ternary_expression": Compiler.ternary,
    "sequence_expression": Compiler.sequence,
}


def register(node_type: str, compile_node: Callable[[Compiler, Node], Op]) -> None:
    """Teach the compiler a node type (modules of calls, functions and patterns do)."""
    _NODES[node_type] = compile_node
