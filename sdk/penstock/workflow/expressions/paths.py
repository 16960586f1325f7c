"""Chains of members with names that stand in the text: `$json.a["b"][0]`, `$('X').item.json.a`."""

from tree_sitter import Node

from penstock.workflow.expressions.members import FORBIDDEN
from penstock.workflow.expressions.parser import named, string_value, text_of

Keys = list[str | int]


def json_keys(node: Node) -> Keys | None:
    """The keys of a chain of static members on `$json`, outermost last; `None` for others."""
    base, keys = _members(node)
    return keys if base.type == "identifier" and text_of(base) == "$json" else None


def item_keys(node: Node) -> tuple[str, Keys] | None:
    """Of static members on `$('name').item`: the name, and their keys; `None` for others."""
    base, keys = _members(node)
    name = node_name(base)
    return None if name is None or keys[:1] != ["item"] else (name, keys[1:])


def _members(node: Node) -> tuple[Node, Keys]:
    """What a chain of static members begins with, and their keys."""
    keys: Keys = []
    while node.type in ("member_expression", "subscript_expression"):
        key = static_key(node)
        inner = node.child_by_field_name("object")
        if key is None or key in FORBIDDEN or inner is None:
            break
        keys.append(key)
        node = inner
    return node, keys[::-1]


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


def chain(node: Node) -> list[Node]:
    """Every node of a chain of members and calls, tokens included."""
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
