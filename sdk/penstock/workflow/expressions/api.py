"""Compiling a parameter value, whatever its JSON shape, to a resolver."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from penstock.workflow.expressions import builtins
from penstock.workflow.expressions.analysis import analyse
from penstock.workflow.expressions.compiler import Compiler, Op
from penstock.workflow.expressions.context import Context
from penstock.workflow.expressions.convert import is_missing, to_string
from penstock.workflow.expressions.direct import direct_resolver, direct_text
from penstock.workflow.expressions.engine import evaluate_with_engine
from penstock.workflow.expressions.errors import (
    ExpressionError,
    ForbiddenNameError,
    InvalidSyntaxError,
    JsThrow,
    NeedsEngineError,
    invalid_syntax,
)
from penstock.workflow.expressions.parser import parse_expression
from penstock.workflow.expressions.regexp import MatchArray
from penstock.workflow.expressions.template import split
from penstock.workflow.expressions.text import storable
from penstock.workflow.expressions.values import UNDEFINED, JsFunction
from penstock.workflow.plan import Resolver
from penstock.workflow.scope import Scope

builtins.load()

_CONSTRUCTOR = re.compile(r"\.\s*constructor")
_NO_READS: frozenset[str] = frozenset()


@dataclass(slots=True, frozen=True)
class Compiled:
    """A parameter value made ready. `reads` are the nodes it names (`None`: known at run time
    only), `reads_lineage` whether it follows items back; a value with `problems` fails when it is
    resolved, one that `needs_engine` cannot be resolved here at all."""

    resolver: Resolver
    is_constant: bool = False
    needs_engine: bool = False
    reads: frozenset[str] | None = _NO_READS
    reads_lineage: bool = False
    problems: list[str] = field(default_factory=list)


def compile_value(value: Any) -> Compiled:
    """Compile a parameter value of any JSON shape; strings that begin with `=` are expressions."""
    if type(value) is str:
        return compile_template(value[1:]) if value.startswith("=") else _constant(value)
    if type(value) is dict and value:
        parts = {name: compile_value(item) for name, item in value.items()}
        if all(part.is_constant for part in parts.values()):
            return _constant(value)
        return _combined(list(parts.values()), _resolve_object(parts))
    if type(value) is list and value:
        elements = [compile_value(item) for item in value]
        if all(part.is_constant for part in elements):
            return _constant(value)
        return _combined(elements, _resolve_array(elements))
    return _constant(value)


def _constant(value: Any) -> Compiled:
    return Compiled(resolver=lambda scope, index: value, is_constant=True)


def _resolve_object(parts: dict[str, Compiled]) -> Resolver:
    resolvers = [(name, part.resolver) for name, part in parts.items()]
    return lambda scope, index: {name: resolve(scope, index) for name, resolve in resolvers}


def _resolve_array(parts: list[Compiled]) -> Resolver:
    resolvers = [part.resolver for part in parts]
    return lambda scope, index: [resolve(scope, index) for resolve in resolvers]


def _combined(parts: list[Compiled], resolver: Resolver) -> Compiled:
    reads: frozenset[str] | None = _NO_READS
    for part in parts:
        reads = None if reads is None or part.reads is None else reads | part.reads
    return Compiled(
        resolver=resolver,
        needs_engine=any(part.needs_engine for part in parts),
        reads=reads,
        reads_lineage=any(part.reads_lineage for part in parts),
        problems=[problem for part in parts for problem in part.problems],
    )


def evaluate(
    text: str, scope: Scope, item_index: int, variables: dict[str, Any] | None = None
) -> Any:
    """The value of a template (with its `=`) for one item; `variables` are extra names."""
    if not text.startswith("="):
        return text
    compiled = compile_template(text[1:])
    if not variables:
        return compiled.resolver(scope, item_index)
    merged = {**scope.variables, **variables}
    outer, scope.variables = scope.variables, merged
    try:
        return compiled.resolver(scope, item_index)
    finally:
        scope.variables = outer


class _Code:
    """One compiled `{{ }}` part."""

    __slots__ = ("copies", "facts", "op", "size", "tree")

    def __init__(self, text: str) -> None:
        tree = parse_expression(text)
        self.facts = analyse(tree)
        compiler = Compiler(self.facts)
        self.op: Op = compiler.expression(tree)
        self.tree = tree
        self.size = compiler.names.size
        self.copies = self.facts.mutates


@lru_cache(maxsize=4096)
def compile_template(template: str) -> Compiled:
    """Compile a template, without its `=`."""
    if _CONSTRUCTOR.search(template):
        return _failing(ExpressionError("Expression contains invalid constructor function call"))
    parts = split(template)
    codes: list[_Code | str] = []
    needs_engine = False
    try:
        for part in parts:
            if part.is_code:
                codes.append(_Code(part.text))
            else:
                codes.append(part.text)
    except InvalidSyntaxError:
        return _failing(invalid_syntax())
    except ForbiddenNameError as error:
        # As n8n has it: such a workflow is imported, and fails where it comes to this.
        return _failing(error, is_problem=False)
    except ExpressionError as error:
        return _failing(error)
    except (NeedsEngineError, RecursionError, JsThrow):
        needs_engine = True
    if needs_engine:
        return _for_engine(template)
    return _compiled(codes)


def _compiled(codes: list[_Code | str]) -> Compiled:
    code = [part for part in codes if isinstance(part, _Code)]
    if not code:
        text = "".join(part for part in codes if isinstance(part, str))
        # Not `is_constant`, which means that the raw value is the resolved one: here `=` is gone.
        return Compiled(resolver=lambda scope, index: text)
    reads: set[str] | None = set()
    for part in code:
        reads = None if reads is None or part.facts.reads is None else reads | part.facts.reads
    return Compiled(
        resolver=_single(code[0]) if len(codes) == 1 else _concatenation(codes),
        reads=None if reads is None else frozenset(reads),
        reads_lineage=any(part.facts.lineage for part in code),
    )


def _failing(error: ExpressionError, *, is_problem: bool = True) -> Compiled:
    message, name = error.message, error.name

    def fail(scope: Scope, index: int) -> Any:
        raise ExpressionError(message, name=name)

    return Compiled(resolver=fail, problems=[message] if is_problem else [])


def _for_engine(template: str) -> Compiled:
    def resolve(scope: Scope, index: int) -> Any:
        return evaluate_with_engine(template, scope, index)

    return Compiled(resolver=resolve, needs_engine=True, reads=None, reads_lineage=True)


_FAILURES = (
    JsThrow,
    RecursionError,
    ArithmeticError,
    LookupError,
    AttributeError,
    TypeError,
    ValueError,
)
"""The language's own failures, and those of a built-in with arguments it can make nothing of."""


def _evaluate(code: _Code, context: Context) -> Any:
    """The value of one part; what JavaScript would throw makes it undefined."""
    context.copies_data = code.copies
    frame = [context, None] if code.size == 2 else [context, None, *[UNDEFINED] * (code.size - 2)]
    try:
        return code.op(frame)
    except ExpressionError:
        raise
    except _FAILURES:
        return UNDEFINED


def _single(code: _Code) -> Resolver:
    general = _whole(code)
    return (direct_resolver(code.tree, general) or general) if code.facts.fast else general


def _whole(code: _Code) -> Resolver:
    op, plain = code.op, code.size == 2 and not code.copies

    def resolve(scope: Scope, index: int) -> Any:
        if plain:
            try:
                value = op([Context(scope, index), None])
            except ExpressionError:
                raise
            except _FAILURES:
                return UNDEFINED
        else:
            value = _evaluate(code, Context(scope, index))
        return value if type(value) in _PLAIN else _presentable(value)

    return resolve


_PLAIN = frozenset({int, float, bool, type(None), dict, list})


def _presentable(value: Any) -> Any:
    """The value as a node may have it: no functions, no broken text."""
    if type(value) is str:
        return value if value.isascii() else storable(value)
    if isinstance(value, JsFunction):
        raise ExpressionError("this is a function, please add ()", name="UserError")
    return list(value) if type(value) is MatchArray else value


def _concatenation(codes: list[_Code | str]) -> Resolver:
    general = _joined(codes)
    if any(isinstance(part, _Code) and not part.facts.fast for part in codes):
        return general
    parts = [part if isinstance(part, str) else part.tree for part in codes]
    return direct_text(parts, general) or general


def _joined(codes: list[_Code | str]) -> Resolver:
    def resolve(scope: Scope, index: int) -> str:
        texts: list[str] = []
        for part in codes:
            if isinstance(part, str):
                texts.append(part)
            else:
                texts.append(_as_text(_evaluate(part, Context(scope, index))))
        text = "".join(texts)
        return text if text.isascii() else storable(text)

    return resolve


def _as_text(value: Any) -> str:
    if type(value) is str:
        return value
    if is_missing(value) or value != value:
        return ""
    if isinstance(value, JsFunction):
        raise ExpressionError("this is a function, please add ()", name="UserError")
    try:
        return to_string(value)
    except JsThrow:
        return ""


Evaluate = Callable[[str, Scope, int], Any]
