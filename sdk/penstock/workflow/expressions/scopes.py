"""Names that no variable stands behind: n8n's `$` variables, JavaScript's globals, the rest.

An unknown name is `undefined` (n8n looks names up on a data object), names of the host are an
empty object, and a name given for one evaluation (`$response`) is found at run time.
"""

import math
from typing import TYPE_CHECKING, Any

from penstock.workflow.expressions.context import Context
from penstock.workflow.expressions.errors import ExpressionError, forbidden
from penstock.workflow.expressions.globals import CLASSES, FUNCTIONS, global_value
from penstock.workflow.expressions.members import FORBIDDEN
from penstock.workflow.expressions.proxies import VARIABLES
from penstock.workflow.expressions.values import UNDEFINED, Frame

if TYPE_CHECKING:
    from penstock.workflow.expressions.compiler import Compiler, Op

NEUTRALISED = frozenset(
    "document globalThis Window self alert prompt confirm eval uneval setTimeout setInterval"
    " setImmediate clearImmediate queueMicrotask clearTimeout clearInterval Function require module"
    " Buffer global"
    " __dirname __filename fetch XMLHttpRequest Promise Generator GeneratorFunction AsyncFunction"
    " AsyncGenerator AsyncGeneratorFunction WebAssembly Reflect Proxy escape unescape".split()
)
_PROCESS = {"arch": "x64", "platform": "linux", "version": "v20.20.2", "pid": 1, "env": {}}
"""What n8n shows of its process: a Node.js that does not exist here."""
RESERVED = frozenset({"___n8n_data", "__sanitize"})
_CONSTANTS: dict[str, Any] = {"NaN": math.nan, "Infinity": math.inf, "undefined": UNDEFINED}


def global_name(compiler: "Compiler", name: str) -> "Op":
    """The closure of a name that is no variable of the expression."""
    if name in FORBIDDEN:
        raise forbidden(name)
    if name in _CONSTANTS:
        value = _CONSTANTS[name]
        return lambda frame: value
    provide = VARIABLES.get(name)
    if provide is not None:
        if name == "$json" and compiler.facts.fast:
            return _json
        if compiler.facts.mutates:
            return lambda frame: frame[0].own(provide(frame[0]))
        return lambda frame: provide(frame[0])
    if name in CLASSES or name in FUNCTIONS:
        return lambda frame: global_value(frame[0], name)
    return lambda frame: given_name(frame[0], name)


def _json(frame: Frame) -> Any:
    return frame[0].json()


def given_name(context: Context, name: str) -> Any:
    """A name assigned by the expression itself or given for this evaluation."""
    if context.globals and name in context.globals:
        return context.globals[name]
    if name in context.scope.variables:
        return context.scope.variables[name]
    if name in NEUTRALISED:
        return {}
    if name == "process":
        return dict(_PROCESS)
    return UNDEFINED


def assign_global(context: Context, name: str, value: Any) -> None:
    """`name = value` for a name that nobody declared."""
    if context.globals is None:
        context.globals = {}
    context.globals[name] = value


def check_declared(name: str) -> None:
    """Refuse declarations of names which n8n keeps for itself."""
    if name in RESERVED:
        raise ExpressionError(
            f'Cannot use "{name}" due to security concerns', name="ExpressionReservedVariableError"
        )
