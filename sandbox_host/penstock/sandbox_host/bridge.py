"""What a realm may ask of Python: a closed table of questions about the step's scope.

A question comes as a name and JSON arguments, the answer is JSON: `{"v": value}`, `{"t": value}`
when it holds dates, or `{"e": {...}}` for an error that is raised again in JavaScript. Questions
only read. Errors of any kind become answers: an exception must not cross into the engine.
"""

import base64
import hashlib
import hmac
import secrets
import uuid
from collections.abc import Callable
from typing import Any

import msgspec

from penstock.sandbox_host import faults
from penstock.sandbox_host.bridge_values import ValueQuestions, thrown
from penstock.sandbox_host.names import MODULES
from penstock.sandbox_host.realm_text import decode
from penstock.sdk.call import Call, NodeError
from penstock.subjects.errors import PenstockError
from penstock.subjects.messages import Source
from penstock.workflow.expressions import lineage
from penstock.workflow.expressions.errors import JsThrow
from penstock.workflow.expressions.execution_data import (
    custom_data,
    set_custom_data,
    set_static_data,
    static_data,
)
from penstock.workflow.expressions.shortcuts import SHORTCUTS

_encode = msgspec.json.Encoder(enc_hook=lambda value: None).encode


class Bridge(ValueQuestions):
    """Answers the questions of one realm."""

    def __init__(self, call: Call, *, source: str, part: Callable[[str], str]) -> None:
        self.serve(call)
        self._source = source
        self._part = part

    def serve(self, call: Call) -> None:
        """Answer for this call from now on."""
        self._call = call
        self._scope = call.scope

    def answer(self, question: str, arguments: str) -> str:
        """Answer one question; never raises."""
        if question == "part":
            return self._part(arguments)
        try:
            method = _QUESTIONS[question]
            return _encode({"v": method(self, *decode(arguments))}).decode()
        except JsThrow as error:
            return _encode({"e": thrown(error)}).decode()
        except PenstockError as error:
            return _encode({"e": _error(error)}).decode()
        except Exception as error:
            # A fault of ours: the code sees it, its step fails with it, nothing is hidden.
            return _encode({"e": {"name": "Error", "message": f"internal: {error!r}"}}).decode()

    def settings(self) -> dict[str, Any]:
        scope = self._scope
        execution = scope.execution
        mode = "test" if execution.mode == "manual" else "production"
        return {
            "modules": MODULES,
            "shortcuts": [*SHORTCUTS],
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

    def words(self, message: str, line: int, column: int) -> str:
        return faults.words(self._source, message, line=line, column=column)

    def json_error(self, text: str) -> str:
        return faults.json_words(text)

    # ---- other nodes

    def node_exists(self, name: str) -> None:
        lineage.node_index(self._scope, name)

    def node_is_known(self, name: str) -> bool:
        return name in self._scope.plan.by_name

    def node_is_executed(self, name: str) -> bool:
        return lineage.is_executed(self._scope, name)

    def node_all(self, name: str, _item: int, branch: Any = None, run: Any = None) -> list[Any]:
        return lineage.node_items(self._scope, name, branch, run)

    def node_item(self, name: str, _here: int, index: int) -> Any:
        return lineage.paired_item(self._scope, name, index)

    def item_matching_argument(self) -> None:
        raise NodeError("Missing item index for .itemMatching()", name="ExpressionError")

    def node_params(self, name: str) -> dict[str, Any]:
        scope = self._scope
        return scope.plan.nodes[lineage.node_index(scope, name)].parameters

    def node_context(self, name: str) -> dict[str, Any]:
        scope = self._scope
        return scope.contexts.get(lineage.node_index(scope, name), {})

    def node_run_index(self, name: str) -> int:
        return len(lineage.executed_runs(self._scope, name)) - 1

    def legacy_item(self, name: str, index: int) -> Any:
        items = lineage.node_items(self._scope, name)
        if index >= len(items):
            raise NodeError(f'No data found for item-index: "{index}"', name="ExpressionError")
        return items[index]

    def items_of(self, name: str | None, output: int, run: int) -> list[Any]:
        if name is None:
            return self._call.items
        return lineage.node_items(self._scope, name, output, run)

    def prev_node(self) -> dict[str, Any]:
        source = self._source_run()
        if source is None:
            return {}
        name = self._scope.plan.nodes[source.node].name
        return {"name": name, "outputIndex": source.output, "runIndex": source.run}

    def _source_run(self) -> Source | None:
        sources = self._scope.sources
        return sources[0] if sources else None

    def input_params(self) -> dict[str, Any]:
        source = self._source_run()
        return {} if source is None else self._scope.plan.nodes[source.node].parameters

    def input_context(self) -> dict[str, Any]:
        source = self._source_run()
        return {} if source is None else self._scope.contexts.get(source.node, {})

    # ---- this node and its execution

    def parameters(self, item: int) -> dict[str, Any]:
        return {name: self._call.param(name, item) for name in self._scope.node.compiled}

    def parameter(self, name: str, item: int) -> Any:
        return self._call.option(name, item)

    def raw_parameters(self) -> dict[str, Any]:
        return self._scope.node.parameters

    def custom_set(self, key: Any, value: Any = None) -> None:
        set_custom_data(self._scope, key, value)

    def custom_get(self, key: str) -> Any:
        return custom_data(self._scope).get(key)

    def custom_all(self) -> dict[str, Any]:
        return custom_data(self._scope)

    # ---- bytes and randomness

    def digest(self, algorithm: str, data: str, key: str | None) -> str:
        name = algorithm.lower().replace("-", "").replace("rmd160", "ripemd160")
        if name not in hashlib.algorithms_available:
            raise NodeError("Digest method not supported", name="Error")
        body = base64.b64decode(data)
        if key is None:
            made = hashlib.new(name, body).digest()
        else:
            made = hmac.new(base64.b64decode(key), body, name).digest()
        return base64.b64encode(made).decode()

    def hashes(self) -> list[str]:
        return sorted(hashlib.algorithms_guaranteed)

    def random_bytes(self, size: int) -> str:
        return base64.b64encode(secrets.token_bytes(min(int(size), 1 << 20))).decode()

    def random_int(self, low: int, high: int) -> int:
        return int(low) + secrets.randbelow(max(int(high) - int(low), 1))

    def random_uuid(self) -> str:
        return str(uuid.uuid4())

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

    def static(self, kind: Any) -> dict[str, Any]:
        return static_data(self._scope, kind)

    def keep_static(self, kind: str, data: Any) -> None:
        set_static_data(self._scope, kind, data)


def _error(error: PenstockError) -> dict[str, Any]:
    return {
        "name": getattr(error, "name", type(error).__name__),
        "message": error.message,
        "description": getattr(error, "description", ""),
        "ours": True,
    }


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


_QUESTIONS: dict[str, Callable[..., Any]] = {
    _camel(name): method
    for part in Bridge.__mro__[:-1]
    for name, method in vars(part).items()
    if callable(method) and not name.startswith("_") and name != "answer"
}
