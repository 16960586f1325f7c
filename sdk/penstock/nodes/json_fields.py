"""JSON text as a parameter: expressions are put into the text, then the text is read.

What an expression gives is inserted as JSON when it is an object or array, else as text, so that
`{"a": {{ $json.list }}}` works. The text may need mending (`json_repair`) before it is JSON.
"""

from typing import Any

from penstock.nodes.json_repair import NotJsonError, parse_repaired, repair
from penstock.sdk.call import NodeError
from penstock.sdk.parameters import leaf, settle
from penstock.sdk.plain import plain, stringify
from penstock.workflow.expressions.convert import to_string, typeof
from penstock.workflow.expressions.values import UNDEFINED
from penstock.workflow.plan import Resolver
from penstock.workflow.scope import Scope

EXAMPLE = '{\n  "my_field_1": "value",\n  "my_field_2": 1\n}\n'


def resolve_text(raw: Any, scope: Scope, index: int) -> Any:
    """The text with the values of its expressions put in; what is no text is returned as it is."""
    if not isinstance(raw, str) or not raw.startswith("="):
        return raw
    text = raw.lstrip("=")
    parts: list[str] = []
    position = 0
    while (start := text.find("{{", position)) >= 0 and (end := text.find("}}", start)) >= 0:
        value = settle(_piece(text[start : end + 2])(scope, index))
        is_data = value is not None and typeof(value) == "object"
        parts += [text[position:start], stringify(plain(value)) if is_data else to_string(value)]
        position = end + 2
    return "".join([*parts, text[position:]])


def _piece(code: str) -> Resolver:
    found = _pieces.get(code)
    if found is None:
        if len(_pieces) >= _PIECES_MAX:
            _pieces.clear()
        found = _pieces[code] = leaf("=" + code)
    return found


_PIECES_MAX = 4096
_pieces: dict[str, Resolver] = {}


def parse_object(text: Any, place: str, index: int) -> dict[str, Any]:
    """The object that the text holds. `place` names the parameter in errors."""
    value = text
    if isinstance(text, str):
        try:
            value = parse_repaired(text)
        except NotJsonError as error:
            message = f"The {place} in item {index} contains invalid JSON"
            raise NodeError(message, item=index, description=repair(text)) from error
    value = plain(value)
    if value is None:
        raise NodeError("Cannot convert undefined or null to object", item=index)
    if not isinstance(value, dict):
        message = f"The {place} in item {index} does not contain a valid JSON object"
        raise NodeError(message, item=index)
    return value


def entry(resolve: Resolver, text: Any, name: str) -> Resolver:
    """The resolver of an object-valued field of the older Edit Fields. `resolve` gives its plain
    value; `text`, unless it is None, is the document's text, into which expressions are put."""
    place = f"entry \"{name}\" inside 'Fields to Set'"

    def resolve_object(scope: Scope, index: int) -> Any:
        value = resolve(scope, index)
        if value is None or value is UNDEFINED:
            return value
        if text is not None:
            value = resolve_text(text, scope, index)
        return parse_object(value, place, index)

    return resolve_object
