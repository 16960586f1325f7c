"""n8n's expressions, compiled to Python closures over plain data.

A parameter value is compiled once (`compile_value`) and resolved for each item. The JavaScript of
a `{{ }}` part is parsed with tree-sitter and turned into closures; no text of a user is ever
evaluated as Python, and nothing but data and the values of `values` and `dates` is reachable.
What the compiler does not cover is marked `needs_engine` and left to a sandboxed engine.
"""

from penstock.workflow.expressions.api import Compiled, compile_value, evaluate
from penstock.workflow.expressions.convert import to_string
from penstock.workflow.expressions.errors import BudgetError, ExpressionError
from penstock.workflow.expressions.json_text import to_json
from penstock.workflow.expressions.values import UNDEFINED

__all__ = [
    "UNDEFINED",
    "BudgetError",
    "Compiled",
    "ExpressionError",
    "compile_value",
    "evaluate",
    "to_json",
    "to_string",
]
