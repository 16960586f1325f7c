"""What code may write into its execution beside its outputs: custom data, and static data.

*Custom data* (`$execution.customData`) are a few short texts by which people find an execution
again. *Static data* (`$getWorkflowStaticData`) outlive it: they belong to the workflow, as a whole
and per node. Reading shows what this run has written already. What is written goes out with the
run's outcome, so that it counts when the run counts, and nothing is changed before.
"""

from typing import Any

import msgspec

from penstock.subjects.errors import PenstockError
from penstock.subjects.static_data import BYTES_MAX
from penstock.workflow.expressions.convert import to_string
from penstock.workflow.scope import Scope, Written

KEYS_MAX = 10
KEY_LENGTH_MAX = 50
VALUE_LENGTH_MAX = 512

_encode = msgspec.json.Encoder().encode


class CustomDataError(PenstockError):
    """A key or value that custom data cannot hold."""


class StaticDataError(PenstockError):
    """Static data that cannot be had or kept."""


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


def static_data(scope: Scope, kind: Any) -> dict[str, Any]:
    """The static data of the workflow (`global`) or of this node (`node`); not to be changed."""
    part: dict[str, Any] = _all_static(scope).get(_static_key(scope, kind)) or {}
    return part


def set_static_data(scope: Scope, kind: Any, data: Any) -> None:
    """Write static data, as a whole. What is as it was is not written."""
    if data == static_data(scope, kind):
        return
    if not isinstance(data, dict):
        raise StaticDataError("Static data must be an object")
    changed = {**_all_static(scope), _static_key(scope, kind): data}
    if len(_encode(changed)) > BYTES_MAX:
        raise StaticDataError(f"The workflow's static data is over the limit of {BYTES_MAX} bytes")
    written(scope).static = changed


def _all_static(scope: Scope) -> dict[str, Any]:
    if scope.written is not None and scope.written.static is not None:
        return scope.written.static
    if scope.static is None:
        raise StaticDataError(
            "Static data is fetched only for code that names $getWorkflowStaticData in its text"
        )
    return scope.static


def _static_key(scope: Scope, kind: Any) -> str:
    if kind == "global":
        return "global"
    if kind == "node":
        return f"node:{scope.node.name}"
    raise StaticDataError(f'Static data is "global" or "node", not "{to_string(kind)}"')


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
