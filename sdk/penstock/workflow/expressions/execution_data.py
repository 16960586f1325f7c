"""What code may write into its execution beside its outputs: custom data, and static data.

*Custom data* (`$execution.customData`) are a few short texts by which people find an execution
again. *Static data* (`$getWorkflowStaticData`) outlive it: they belong to the workflow, as a whole
and per node. Reading shows what this run has written already. What is written goes out with the
run's outcome, so that it counts when the run counts, and nothing is changed before.
"""

from typing import Any

from penstock.subjects.errors import PenstockError
from penstock.workflow.expressions.convert import to_string
from penstock.workflow.scope import Scope, Written

KEYS_MAX = 10
KEY_LENGTH_MAX = 50
VALUE_LENGTH_MAX = 512


class CustomDataError(PenstockError):
    """A key or value that custom data cannot hold."""


def custom_data(scope: Scope) -> dict[str, Any]:
    """The execution's custom data as this run sees it; not to be changed."""
    written = scope.written
    if written is None or written.custom is None:
        return scope.execution.custom
    return written.custom


def set_custom_data(scope: Scope, key: Any, value: Any) -> None:
    """Write one entry. Like n8n: too long is cut off, one too many is dropped, and what is no
    entry at all is an error in manual runs only, so that production does not fail by it."""
    known = custom_data(scope)
    if isinstance(key, str) and key not in known and len(known) >= KEYS_MAX:
        return
    problem = _problem(key, value)
    if problem:
        if scope.execution.mode == "manual":
            raise CustomDataError(problem)
        return
    written(scope).custom = {**known, key[:KEY_LENGTH_MAX]: to_string(value)[:VALUE_LENGTH_MAX]}


def written(scope: Scope) -> Written:
    """Where this run collects what it writes."""
    if scope.written is None:
        scope.written = Written()
    return scope.written


def _problem(key: Any, value: Any) -> str:
    if not isinstance(key, str):
        return f"A key of custom data must be a string, not {to_string(key)}"
    if not key.replace("_", "a").isascii() or not key.replace("_", "a").isalnum():
        return f'A key of custom data may hold only "A-Za-z0-9_", unlike "{key}"'
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return f'The custom data "{key}" must be a string or a number'
    return ""
