"""From the text of a `{{ }}` part to a syntax tree.

The tree is tree-sitter's. Its grammar recovers from errors instead of refusing, so a tree with an
error node is refused here. A part is one expression; after a `;` or a line break more may follow,
which n8n never evaluates.
"""

import re
from collections.abc import Iterator

import tree_sitter_javascript
from tree_sitter import Language, Node, Parser

from penstock.workflow.expressions.errors import InvalidSyntaxError

_PARSER = Parser(Language(tree_sitter_javascript.language()))
_LINE_BREAK_IN_STRING = re.compile(
    r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|`(?:\\.|[^`\\])*`""", re.S
)


def parse_expression(code: str) -> Node:
    """The expression that `code` begins with; raises `InvalidSyntaxError`."""
    for text in (code, _join_lines(code)):
        for parse in (_parse_whole, _parse_first_statement):
            node = parse(text)
            if node is not None:
                return node
    raise InvalidSyntaxError(code)


def _parse_whole(code: str) -> Node | None:
    source = f"({code}\n)".encode("utf-8", "surrogatepass")
    root = _PARSER.parse(source).root_node
    statements = named(root)
    if root.has_error or len(statements) != 1 or statements[0].type != "expression_statement":
        return None
    inner = named(statements[0])[0]
    if inner.type != "parenthesized_expression" or inner.end_byte != len(source):
        return None
    return named(inner)[0]


def _parse_first_statement(code: str) -> Node | None:
    root = _PARSER.parse(code.encode("utf-8", "surrogatepass")).root_node
    statements = [node for node in named(root) if node.type != "empty_statement"]
    if root.has_error or not statements or statements[0].type != "expression_statement":
        return None
    return named(statements[0])[0]


def _join_lines(code: str) -> str:
    """Line breaks inside of quoted strings, which n8n tolerates, as escapes."""
    return _LINE_BREAK_IN_STRING.sub(
        lambda found: (
            found.group().replace("\r\n", "\\n").replace("\n", "\\n")
            if found.group(1)
            else found.group()
        ),
        code,
    )


def named(node: Node) -> list[Node]:
    """The named children of a node without comments."""
    return [child for child in node.named_children if child.type != "comment"]


def text_of(node: Node) -> str:
    """The source text of a node."""
    return (node.text or b"").decode("utf-8", "surrogatepass")


def walk(node: Node) -> Iterator[Node]:
    """Every node of the tree below `node`, itself included, in the order of the text."""
    stack = [node]
    while stack:
        current = stack.pop()
        yield current
        stack.extend(reversed(current.children))


_SIMPLE_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}


def unescape(sequence: str) -> str:
    """The character that an escape sequence (with its backslash) stands for."""
    body = sequence[1:]
    if body[0] in _SIMPLE_ESCAPES and len(body) == 1:
        return _SIMPLE_ESCAPES[body[0]]
    if body[0] in "\n\r\u2028\u2029":
        return ""
    if body[0] in "ux" and len(body) > 1:
        return chr(int(body[1:].strip("{}"), 16))
    if body.isdigit():
        return chr(int(body, 8)) if set(body) <= set("01234567") else body
    return body


def string_value(node: Node) -> str:
    """The value of a string literal or of the text of a template literal."""
    parts = []
    for child in node.named_children:
        text = text_of(child)
        parts.append(unescape(text) if child.type == "escape_sequence" else text)
    return "".join(parts)
