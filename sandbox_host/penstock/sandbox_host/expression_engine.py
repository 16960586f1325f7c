"""Templates outside of the compiled subset, evaluated by the JavaScript engine of a worker.

The same names as in compiled expressions, answered by the same runtime. Each `{{ }}` part is
evaluated on its own; what JavaScript throws makes a part undefined, n8n's own errors surface.
"""

import math
from functools import lru_cache
from typing import Any

from penstock.sandbox_host import wire
from penstock.sandbox_host.expression_source import free_names, prepared
from penstock.sandbox_host.names import VISIBLE
from penstock.sandbox_host.realm import Realm
from penstock.sdk.call import Call
from penstock.sdk.user_code import UNDEFINED as NOTHING
from penstock.sdk.user_code import Fault
from penstock.workflow.expressions import UNDEFINED, ExpressionError, to_string
from penstock.workflow.expressions.convert import is_missing
from penstock.workflow.expressions.errors import invalid_syntax
from penstock.workflow.expressions.globals import CLASSES, FUNCTIONS
from penstock.workflow.expressions.scopes import NEUTRALISED
from penstock.workflow.expressions.template import Part, split
from penstock.workflow.scope import Scope

_KNOWN = frozenset(CLASSES) | frozenset(FUNCTIONS) | VISIBLE | {"undefined", "NaN", "Infinity"}


@lru_cache(maxsize=512)
def _parts(template: str) -> list[Part]:
    return split(template)


def evaluate(template: str, scope: Scope, index: int) -> Any:
    """The value of a template: the raw value of a single part, else text."""
    parts = _parts(template)
    if len(parts) == 1 and parts[0].is_code:
        return _value(parts[0].text, scope, index)
    return "".join(
        _as_text(_value(part.text, scope, index)) if part.is_code else part.text for part in parts
    )


def _as_text(value: Any) -> str:
    is_nan = isinstance(value, float) and math.isnan(value)
    return "" if is_missing(value) or is_nan else to_string(value)


def _closed(source: str) -> str:
    """The expression with every name bound that it uses freely: n8n knows no ReferenceError."""
    names = sorted(free_names(source) - _KNOWN)
    if not names:
        return source
    given = ", ".join("{}" if name in NEUTRALISED else "undefined" for name in names)
    return f"(({', '.join(names)}) => (\n{source}\n))({given})"


def _value(code: str, scope: Scope, index: int) -> Any:
    source = _closed(prepared(code.strip().rstrip(";")))
    realm = Realm(Call(scope), "expression", source)
    fault = realm.define(f"return (\n{source}\n)", is_async="await" in source)
    if fault is not None:
        raise invalid_syntax()
    value = realm.evaluate(index)
    if isinstance(value, Fault):
        if value.is_verbatim:
            raise ExpressionError(value.message, name=value.name, description=value.description)
        return UNDEFINED
    return UNDEFINED if value is NOTHING else wire.decode(value)
