"""Chains of members with names that stand in the text, such as `$json.a["b"][0]`."""

from tree_sitter import Node

from penstock.workflow.expressions.members import FORBIDDEN
from penstock.workflow.expressions.parser import string_value, text_of

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


def chain(node: Node) -> list[Node]:
    """Every node of a chain of members and calls, tokens included."""
    parts: list[Node] = []
    inner: Node | None = node
    while inner is not None:
        parts.extend(inner.children)
        inner = inner.child_by_field_name("object")
    return parts
