"""What can be told of an expression by looking at its tree, before it ever runs.

Which nodes it reads by name (so that a step carries no more than these), whether it follows
lineage, and whether it may change data that it was given: then the data is copied first.
"""

from dataclasses import dataclass, field

from tree_sitter import Node

from penstock.workflow.expressions.errors import forbidden
from penstock.workflow.expressions.members import FORBIDDEN
from penstock.workflow.expressions.parser import named, string_value, text_of, walk

MUTATORS = frozenset(
    "push pop shift unshift splice sort reverse fill copyWithin assign set add delete clear".split()
)
_FRESH_METHODS = frozenset(
    "split map filter slice concat flat flatMap match matchAll toSorted toReversed toSpliced with"
    " keys values entries from of parse parseJson sort reverse fill removeDuplicates unique chunk"
    " pluck compact union intersection difference append renameKeys toArray".split()
)
_NO_LINEAGE = frozenset("first last all isExecuted params context".split())


@dataclass(slots=True)
class Facts:
    """See the module's text. `reads` `None`: names that are only known at run time."""

    reads: set[str] | None = field(default_factory=set)
    lineage: bool = False
    mutates: bool = False
    fast: bool = True
    """Whether specialised closures may be made (they do not copy data)."""
    fresh: set[str] = field(default_factory=set)


def analyse(root: Node) -> Facts:
    """The facts of an expression."""
    facts = Facts()
    nodes = list(walk(root))
    refuse_forbidden(nodes)
    facts.fresh = _fresh_variables(nodes)
    for node in nodes:
        if node.type == "call_expression":
            _look_at_call(facts, node)
        elif node.type == "identifier":
            _look_at_identifier(facts, node)
        elif node.type in ("assignment_expression", "augmented_assignment_expression"):
            _look_at_assignment(facts, node.child_by_field_name("left"))
        elif node.type == "update_expression":
            _look_at_assignment(facts, node.child_by_field_name("argument"))
        elif node.type == "unary_expression" and text_of(node).startswith("delete"):
            facts.mutates = True
    facts.fast = not facts.mutates
    return facts


def refuse_forbidden(nodes: list[Node]) -> None:
    """Raise for the first member in the text that would lead out of the data."""
    for node in nodes:
        name = ""
        if node.type == "property_identifier" and node.parent is not None:
            name = text_of(node) if node.parent.type == "member_expression" else ""
        elif node.type == "subscript_expression":
            index = node.child_by_field_name("index")
            name = string_value(index) if index is not None and index.type == "string" else ""
        if name in FORBIDDEN:
            raise forbidden(name)


def _fresh_variables(nodes: list[Node]) -> set[str]:
    """Variables that only ever hold values made by the expression itself."""
    fresh: set[str] = set()
    other: set[str] = set()
    for node in nodes:
        if node.type == "variable_declarator":
            name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
            if name is None or name.type != "identifier":
                continue
            target = fresh if value is not None and _is_fresh(value, set()) else other
            target.add(text_of(name))
        elif node.type == "assignment_expression":
            left = node.child_by_field_name("left")
            if left is not None and left.type == "identifier":
                other.add(text_of(left))
    return fresh - other


def _is_fresh(node: Node, variables: set[str]) -> bool:
    """Whether the value of `node` was made by this expression, so that changing it harms none."""
    if node.type in ("array", "object", "string", "template_string", "new_expression", "number"):
        return True
    if node.type in ("parenthesized_expression",):
        return _is_fresh(named(node)[0], variables)
    if node.type == "identifier":
        return text_of(node) in variables or text_of(node) in ("Object", "Math", "JSON")
    if node.type == "call_expression":
        callee = node.child_by_field_name("function")
        if callee is None or callee.type != "member_expression":
            return False
        name = callee.child_by_field_name("property")
        method = text_of(name) if name is not None else ""
        if method in ("sort", "reverse", "fill"):
            inner = callee.child_by_field_name("object")
            return inner is not None and _is_fresh(inner, variables)
        return method in _FRESH_METHODS
    return False


def _look_at_assignment(facts: Facts, target: Node | None) -> None:
    if target is None or target.type not in ("member_expression", "subscript_expression"):
        return
    inner = target.child_by_field_name("object")
    if inner is not None and not _is_fresh(inner, facts.fresh):
        facts.mutates = True


def _look_at_call(facts: Facts, node: Node) -> None:
    callee = node.child_by_field_name("function")
    if callee is None or callee.type != "member_expression":
        return
    name, inner = callee.child_by_field_name("property"), callee.child_by_field_name("object")
    if name is None or inner is None or text_of(name) not in MUTATORS:
        return
    if text_of(name) == "assign":
        arguments = named(node.child_by_field_name("arguments") or node)
        if arguments and not _is_fresh(arguments[0], facts.fresh):
            facts.mutates = True
    elif not _is_fresh(inner, facts.fresh):
        facts.mutates = True


def _look_at_identifier(facts: Facts, node: Node) -> None:
    name = text_of(node)
    if name in ("$", "$items"):
        _read_by_call(facts, node, name)
    elif name == "$node":
        _read_by_member(facts, node)
    elif name in ("$item", "$evaluateExpression", "$getPairedItem"):
        facts.reads = None
        facts.lineage = True


def _read(facts: Facts, literal: Node | None) -> None:
    if (
        literal is None
        or literal.type not in ("string", "template_string")
        or any(child.type == "template_substitution" for child in literal.children)
    ):
        facts.reads = None
    elif facts.reads is not None:
        facts.reads.add(string_value(literal))


def _read_by_call(facts: Facts, node: Node, name: str) -> None:
    call = node.parent
    if call is None or call.type != "call_expression":
        facts.reads, facts.lineage = None, True
        return
    arguments = named(call.child_by_field_name("arguments") or call)
    if name == "$items" and not arguments:
        return  # the node that the input came from: its items are the input
    _read(facts, arguments[0] if arguments else None)
    outer = call.parent
    member = outer.child_by_field_name("property") if outer is not None else None
    if name == "$" and (member is None or text_of(member) not in _NO_LINEAGE):
        facts.lineage = True


def _read_by_member(facts: Facts, node: Node) -> None:
    outer = node.parent
    if outer is not None and outer.type == "subscript_expression":
        _read(facts, outer.child_by_field_name("index"))
    elif outer is not None and outer.type == "member_expression":
        name = outer.child_by_field_name("property")
        if facts.reads is not None and name is not None:
            facts.reads.add(text_of(name))
    else:
        facts.reads = None
