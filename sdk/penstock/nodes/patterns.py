"""Regular expressions as parameters: a bare pattern, or `/pattern/flags`."""

import re
from typing import Any

from penstock.sdk.call import NodeError
from penstock.workflow.expressions.errors import JsThrow, NeedsEngineError
from penstock.workflow.expressions.regexp import compile_pattern

TIMEOUT_S = 0.5
_DELIMITED = re.compile(r"/(.*?)/([gimusy]*)\Z")


def matches_pattern(pattern: str, text: str) -> bool:
    """Whether the pattern is found in the text."""
    found = _DELIMITED.match(pattern)
    source, flags = found.groups() if found else (pattern, "")
    try:
        compiled: Any = compile_pattern(source, "".join(sorted(set(flags))))
    except (JsThrow, NeedsEngineError) as error:
        raise NodeError(f"Invalid regular expression: /{source}/{flags}") from error
    try:
        return compiled.search(text, timeout=TIMEOUT_S) is not None
    except TimeoutError as error:
        message = f"The regular expression /{source}/ takes too long: it was stopped"
        raise NodeError(message) from error
