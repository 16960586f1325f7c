"""An expression's text made ready for the engine: n8n's extension calls, and what is forbidden.

`x.name(a)` becomes `__extend(x, "name", [a])` when `name` is an extension method, because methods
cannot be called on undefined, but extensions answer for it. Names that lead out of the data are
refused as the compiler refuses them.
"""

from typing import Any

import tree_sitter
import tree_sitter_javascript

from penstock.workflow.expressions.errors import forbidden
from penstock.workflow.expressions.extensions import EXTENSION_NAMES
from penstock.workflow.expressions.members import FORBIDDEN

_PARSER = tree_sitter.Parser(tree_sitter.Language(tree_sitter_javascript.language()))


def prepared(code: str) -> str:
    """The text to evaluate; raises `ExpressionError` for a forbidden name."""
    source = code.encode()
    root = _PARSER.parse(b"(" + source + b"\n)").root_node
    return _rewritten(root, root.text or b"").decode()[1:-2]


def free_names(code: str) -> set[str]:
    """Every identifier of an expression that is no property's name; its own variables too."""
    names: set[str] = set()
    stack = [_PARSER.parse(b"(" + code.encode() + b"\n)").root_node]
    while stack:
        node = stack.pop()
        if node.type in ("identifier", "shorthand_property_identifier"):
            names.add((node.text or b"").decode())
        stack.extend(node.children)
    return names


def _rewritten(node: Any, source: bytes) -> bytes:
    """The text of `node`, its extension calls rewritten from the inside out."""
    _check(node)
    if node.type == "call_expression":
        call = _extension_call(node, source)
        if call is not None:
            return call
    pieces, at = [], node.start_byte
    for child in node.children:
        pieces.append(source[at : child.start_byte])
        pieces.append(_rewritten(child, source))
        at = child.end_byte
    return b"".join([*pieces, source[at : node.end_byte]])


def _extension_call(node: Any, source: bytes) -> bytes | None:
    callee = node.child_by_field_name("function")
    arguments = node.child_by_field_name("arguments")
    if callee.type != "member_expression" or arguments.type != "arguments":
        return None
    name = callee.child_by_field_name("property").text
    if name.decode() not in EXTENSION_NAMES:
        return None
    target = _rewritten(callee.child_by_field_name("object"), source)
    given = _rewritten(arguments, source)[1:-1]
    if callee.child_by_field_name("optional_chain") is None:
        return b'__extend(%b, "%b", [%b])' % (target, name, given)
    return b'((v) => (v == null ? undefined : __extend(v, "%b", [%b])))(%b)' % (
        name,
        given,
        target,
    )


def _check(node: Any) -> None:
    is_name = node.type in ("property_identifier", "identifier")
    if node.type == "subscript_expression":
        index = node.child_by_field_name("index")
        name = index.text.decode()[1:-1] if index.type == "string" else ""
    else:
        name = node.text.decode() if is_name else ""
    if name in FORBIDDEN:
        raise forbidden(name)
