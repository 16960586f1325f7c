"""What a realm may ask of Python: a closed table of questions about the step's scope.

A question comes as a name and JSON arguments, the answer is JSON: `{"v": value}`, `{"t": value}`
when it holds dates, or `{"e": {...}}` for an error that is raised again in JavaScript. Questions
only read. Errors of any kind become answers: an exception must not cross into the engine.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from penstock.sandbox_host import faults
from penstock.sandbox_host.names import MODULES
from penstock.sdk.call import Call, NodeError
from penstock.subjects.errors import PenstockError
from penstock.workflow.scope import Run

_encode = msgspec.json.Encoder(decimal_format="number").encode
_decode = msgspec.json.Decoder().decode


class Bridge:
    """Answers the questions of one realm."""

    def __init__(self, call: Call, *, source: str, part: Callable[[str], str]) -> None:
        self._call = call
        self._scope = call.scope
        self._source = source
        self._part = part

    def answer(self, question: str, arguments: str) -> str:
        """Answer one question; never raises."""
        if question == "part":
            return self._part(arguments)
        try:
            method = _QUESTIONS[question]
            return _encode({"v": method(self, *_decode(arguments))}).decode()
        except PenstockError as error:
            return _encode({"e": _error(error)}).decode()
        except Exception as error:
            # A fault of ours: the code sees it, its step fails with it, nothing is hidden.
            return _encode({"e": {"name": "Error", "message": f"internal: {error!r}"}}).decode()

    def settings(self) -> dict[str, Any]:
        scope = self._scope
        execution = scope.execution
        mode = "production" if execution.mode in ("webhook", "trigger") else "test"
        return {
            "modules": MODULES,
            "constants": {
                "$runIndex": scope.run_index,
                "$thisRunIndex": scope.run_index,
                "$mode": execution.mode,
                "$nodeVersion": scope.node.version,
                "$nodeId": scope.node.id,
                "$webhookId": scope.node.webhook_id,
                "$workflow": {
                    "id": execution.workflow_id,
                    "name": scope.plan.name,
                    "active": execution.workflow_active,
                },
                **scope.variables,
            },
            "execution": {
                "id": execution.id,
                "mode": mode,
                "resumeUrl": execution.resume_url,
                "resumeFormUrl": execution.resume_url.replace(
                    "/webhook-waiting/", "/form-waiting/"
                ),
            },
        }

    def input(self) -> list[Any]:
        return self._call.items

    def no_input(self) -> None:
        raise NodeError("No execution data available", name="ExpressionError")

    def words(self, message: str, line: int, column: int) -> str:
        return faults.words(self._source, message, line=line, column=column)

    def json_error(self, text: str) -> str:
        return faults.json_words(text)

    # ---- other nodes

    def node_exists(self, name: str) -> None:
        if name not in self._scope.plan.by_name:
            raise NodeError("Referenced node doesn't exist", name="ExpressionError")

    def node_is_known(self, name: str) -> bool:
        return name in self._scope.plan.by_name

    def _runs(self, name: str) -> list[Run]:
        return self._scope.runs.get(self._scope.plan.by_name[name], [])

    def node_is_executed(self, name: str) -> bool:
        return bool(self._runs(name))

    def node_all(self, name: str, _item: int, branch: Any = None, run: Any = None) -> list[Any]:
        runs = self._runs(name)
        if not runs:
            raise NodeError(f"Node '{name}' hasn't been executed", name="ExpressionError")
        outputs = runs[-1 if run is None else run].outputs or []
        return outputs[branch or 0] or []

    def node_params(self, name: str) -> dict[str, Any]:
        return self._scope.plan.nodes[self._scope.plan.by_name[name]].parameters

    def refuse(self, what: str) -> None:
        if what == "env":
            raise NodeError(
                "access to env vars denied",
                description="Environment variables are not readable from workflows.",
                name="ExpressionError",
            )
        raise NodeError("User code has no network access; use an HTTP Request node")

    def refuse_module(self, name: str) -> None:
        raise NodeError(f"Module '{name}' is disallowed", name="DisallowedModuleError")

    def static(self, kind: str) -> dict[str, Any]:
        return {}


def _error(error: PenstockError) -> dict[str, Any]:
    return {
        "name": getattr(error, "name", type(error).__name__),
        "message": error.message,
        "description": getattr(error, "description", ""),
    }


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


_QUESTIONS: dict[str, Callable[..., Any]] = {
    _camel(name): method
    for name, method in vars(Bridge).items()
    if callable(method) and not name.startswith("_") and name != "answer"
}
