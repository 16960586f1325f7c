"""The names that Python code finds: n8n's, with an underscore where JavaScript has a dollar."""

import copy
import math
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from penstock.sdk.call import Call
from penstock.sdk.user_code import Program
from penstock.workflow.expressions.execution_data import (
    custom_data,
    set_custom_data,
    set_static_data,
    static_data,
)
from penstock.workflow.scope import Scope


class Attributes(dict[str, Any]):
    """A dict whose keys are attributes too, as n8n's older Python code expects."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __delattr__(self, name: str) -> None:
        self.pop(name, None)

    def to_py(self) -> "Attributes":
        """Itself: the older Python needed a conversion here."""
        return self


def dotted(value: Any) -> Any:
    """A copy of JSON data whose objects answer to attribute access."""
    if isinstance(value, dict):
        return Attributes({key: dotted(each) for key, each in value.items()})
    if isinstance(value, list):
        return [dotted(each) for each in value]
    return value


def plain(value: Any) -> Any:
    """The value without classes of ours, ready to be written as JSON."""
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


class Input:
    """`_input`: the node's own items."""

    def __init__(self, items: list[Any], index: int) -> None:
        self._items = items
        self._index = index

    def all(self) -> list[Any]:
        return self._items

    def first(self) -> Any:
        return self._items[0] if self._items else None

    def last(self) -> Any:
        return self._items[-1] if self._items else None

    @property
    def item(self) -> Any:
        return self._items[self._index] if self._index < len(self._items) else None


class CustomData:
    """`_execution.customData`."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def set(self, key: Any, value: Any) -> None:
        set_custom_data(self._scope, key, value)

    def setAll(self, values: dict[str, Any]) -> None:  # noqa: N802 - n8n's name
        for key, value in values.items():
            set_custom_data(self._scope, key, value)

    def get(self, key: str) -> Any:
        return custom_data(self._scope).get(key)

    def getAll(self) -> dict[str, Any]:  # noqa: N802 - n8n's name
        return dict(custom_data(self._scope))


class StaticData:
    """`_getWorkflowStaticData(kind)`: an object that is kept when the code comes to its end."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._held: dict[str, Any] = {}

    def get(self, kind: str) -> Any:
        if kind not in self._held:
            self._held[kind] = dotted(static_data(self._scope, kind))
        return self._held[kind]

    def keep(self) -> None:
        for kind, data in self._held.items():
            set_static_data(self._scope, kind, plain(data))


def names_of(call: Call, program: Program, index: int, static: StaticData) -> dict[str, Any]:
    """The globals of one run for item `index`."""
    make = dotted if program.dot_access else copy.deepcopy
    items = make(call.items)
    scope = call.scope
    names: dict[str, Any] = {"_input": Input(items, index)}
    if program.mode == "each":
        names["_item"] = names["item"] = items[index]
        names["_json"] = items[index]["json"]
        names["_itemIndex"] = index
    else:
        names["_items"] = names["items"] = items
        if items:
            names["_json"] = items[0]["json"]
    if program.dot_access:
        now = datetime.fromtimestamp(scope.now_ms / 1000, ZoneInfo(scope.plan.timezone))
        names["_now"] = now
        names["_today"] = now.replace(hour=0, minute=0, second=0, microsecond=0)
        names["_workflow"] = Attributes(
            id=scope.execution.workflow_id,
            name=scope.plan.name,
            active=scope.execution.workflow_active,
        )
        names["_execution"] = Attributes(
            id=scope.execution.id,
            mode=scope.execution.mode,
            resumeUrl=scope.execution.resume_url,
            customData=CustomData(scope),
        )
        names["_runIndex"] = scope.run_index
        names["_node"] = _Nodes(call)
        names["_"] = lambda name: _Node(call, name)
        names["_getWorkflowStaticData"] = static.get
    return names


class _Node:
    """`_("Name")`: the items of another node's last run."""

    def __init__(self, call: Call, name: str) -> None:
        scope = call.scope
        if name not in scope.plan.by_name:
            raise ValueError("Referenced node doesn't exist")
        runs = scope.runs.get(scope.plan.by_name[name])
        if not runs:
            raise ValueError(f"Node '{name}' hasn't been executed")
        self._items = dotted((runs[-1].outputs or [[]])[0] or [])

    def all(self) -> list[Any]:
        items: list[Any] = self._items
        return items

    def first(self) -> Any:
        return self._items[0] if self._items else None

    def last(self) -> Any:
        return self._items[-1] if self._items else None

    @property
    def json(self) -> Any:
        return self.first()["json"]


class _Nodes:
    """`_node["Name"]`."""

    def __init__(self, call: Call) -> None:
        self._call = call

    def __getitem__(self, name: str) -> _Node:
        return _Node(self._call, name)

    __getattr__ = __getitem__
