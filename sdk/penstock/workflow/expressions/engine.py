"""The port to the JavaScript engine, for templates outside of the compiled subset.

A sandbox worker installs its engine here; every other process has none and refuses, so that no
expression is ever evaluated by anything but closures outside of a sandbox.
"""

from collections.abc import Callable
from typing import Any

from penstock.workflow.expressions.errors import ExpressionError
from penstock.workflow.scope import Scope

Evaluate = Callable[[str, Scope, int], Any]
"""(template without its `=`, scope, item index) to its value; raises `ExpressionError`."""


def _refuse(template: str, scope: Scope, index: int) -> Any:
    raise ExpressionError("This expression needs the JavaScript engine of a sandbox")


_evaluate: Evaluate = _refuse


def install(evaluate: Evaluate) -> None:
    """Let `evaluate` resolve such templates in this process. Only sandbox workers may call this."""
    global _evaluate  # noqa: PLW0603 - one process has one engine, as it has one sandbox
    _evaluate = evaluate


def evaluate_with_engine(template: str, scope: Scope, index: int) -> Any:
    """The value of a template that did not compile."""
    return _evaluate(template, scope, index)
