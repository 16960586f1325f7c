"""n8n's variables: what `$json`, `$input`, `$('Node')`, `$execution` and their like give.

Each is made anew per use from the scope; none of them hands out anything but plain data and
values of the language.
"""

from collections.abc import Callable
from typing import Any

from penstock.workflow.expressions import lineage
from penstock.workflow.expressions.context import Context
from penstock.workflow.expressions.convert import is_missing, to_integer, to_string
from penstock.workflow.expressions.dates import now, start_of_today
from penstock.workflow.expressions.errors import ExpressionError
from penstock.workflow.expressions.members import argument
from penstock.workflow.expressions.shortcuts import SHORTCUTS
from penstock.workflow.expressions.values import UNDEFINED, HostObject, JsFunction

Provide = Callable[[Context], Any]


def first_item(items: list[dict[str, Any]]) -> Any:
    """The first item, or undefined."""
    return items[0] if items else UNDEFINED


def _last_item(items: list[dict[str, Any]]) -> Any:
    return items[-1] if items else UNDEFINED


def _object(context: Context, name: str, members: dict[str, Callable[[], Any]]) -> HostObject:
    def get(key: str) -> Any:
        made = members.get(key)
        return made() if made is not None else UNDEFINED

    return HostObject(name, get, lambda: list(members))


def _function(name: str, call: Callable[[list[Any]], Any]) -> Callable[[], JsFunction]:
    return lambda: JsFunction(name, lambda this, arguments: call(arguments))


def node_proxy(context: Context, name: str) -> HostObject:
    """`$('name')`."""
    scope = context.scope
    lineage.node_index(scope, name)

    def items(arguments: list[Any]) -> list[Any]:
        branch, run = argument(arguments, 0), argument(arguments, 1)
        return lineage.node_items(
            scope,
            name,
            None if is_missing(branch) else to_integer(branch),
            None if is_missing(run) else to_integer(run),
        )

    def paired(arguments: list[Any]) -> Any:
        index = argument(arguments, 0)
        at = context.index if is_missing(index) else to_integer(index)
        return lineage.paired_item(scope, name, at)

    copying = _copying(context)
    return _object(
        context,
        "node",
        {
            "item": lambda: copying(paired([])),
            "pairedItem": _function("pairedItem", lambda arguments: copying(paired(arguments))),
            "itemMatching": _function("itemMatching", lambda arguments: copying(paired(arguments))),
            "first": _function("first", lambda arguments: copying(first_item(items(arguments)))),
            "last": _function("last", lambda arguments: copying(_last_item(items(arguments)))),
            "all": _function("all", lambda arguments: copying(list(items(arguments)))),
            "isExecuted": lambda: lineage.is_executed(scope, name),
            "params": lambda: node_parameters(context, name),
            "context": lambda: node_context(context, name),
        },
    )


def _copying(context: Context) -> Callable[[Any], Any]:
    """Copies data for expressions that change what they are given, hands it on for others."""
    return context.own if context.copies_data else lambda value: value


def node_parameters(context: Context, name: str) -> Any:
    """The raw parameters of a node."""
    plan = context.scope.plan
    return plan.nodes[lineage.node_index(context.scope, name)].parameters


def node_context(context: Context, name: str) -> dict[str, Any]:
    """The loop context of a node."""
    return context.scope.contexts.get(lineage.node_index(context.scope, name)) or {}


def _legacy_item(context: Context, name: str) -> dict[str, Any]:
    items = lineage.node_items(context.scope, name)
    if context.index < len(items):
        return items[context.index]
    if len(items) == 1:
        return items[0]
    raise ExpressionError(f'No data found for item-index: "{context.index}"')


def _legacy_node(context: Context, name: str) -> HostObject:
    """`$node["name"]`."""
    scope = context.scope
    lineage.node_index(scope, name)
    copying = _copying(context)
    return _object(
        context,
        "node",
        {
            "json": lambda: copying(_legacy_item(context, name)["json"]),
            "data": lambda: copying(_legacy_item(context, name)["json"]),
            "binary": lambda: _legacy_item(context, name).get("binary") or {},
            "parameter": lambda: node_parameters(context, name),
            "context": lambda: node_context(context, name),
            "runIndex": lambda: len(lineage.executed_runs(scope, name)) - 1,
        },
    )


def _nodes(context: Context) -> HostObject:
    def get(name: str) -> Any:
        return _legacy_node(context, name)

    return HostObject("$node", get, lambda: list(context.scope.plan.by_name))


def _dollar(context: Context) -> JsFunction:
    def call(this: Any, arguments: list[Any]) -> Any:
        return node_proxy(context, to_string(argument(arguments, 0)))

    return JsFunction("$", call)


def _input(context: Context) -> HostObject:
    scope, copying = context.scope, _copying(context)

    def items() -> list[Any]:
        if scope.inputs and scope.inputs[0] is not None:
            return scope.inputs[0]
        raise ExpressionError("No execution data available")

    def without_arguments(name: str, give: Callable[[], Any]) -> Callable[[], JsFunction]:
        def call(arguments: list[Any]) -> Any:
            if arguments:
                raise ExpressionError(f"$input.{name}() should have no arguments")
            return copying(give())

        return _function(name, call)

    return _object(
        context,
        "$input",
        {
            "item": lambda: copying(context.item()),
            "first": without_arguments("first", lambda: first_item(items())),
            "last": without_arguments("last", lambda: _last_item(items())),
            "all": without_arguments("all", lambda: list(items())),
            "params": lambda: _input_parameters(context),
            "context": lambda: _input_context(context),
        },
    )


def _input_node(context: Context) -> str:
    source = context.scope.sources[0] if context.scope.sources else None
    return "" if source is None else context.scope.plan.nodes[source.node].name


def _input_parameters(context: Context) -> Any:
    name = _input_node(context)
    return node_parameters(context, name) if name else UNDEFINED


def _input_context(context: Context) -> Any:
    name = _input_node(context)
    return node_context(context, name) if name else {}


def _previous(context: Context) -> HostObject:
    source = context.scope.sources[0] if context.scope.sources else None
    return _object(
        context,
        "$prevNode",
        {
            "name": lambda: _input_node(context) or UNDEFINED,
            "outputIndex": lambda: UNDEFINED if source is None else source.output,
            "runIndex": lambda: UNDEFINED if source is None else source.run,
        },
    )


def _workflow(context: Context) -> HostObject:
    execution, plan = context.scope.execution, context.scope.plan
    return _object(
        context,
        "$workflow",
        {
            "id": lambda: execution.workflow_id,
            "name": lambda: plan.name,
            "active": lambda: execution.workflow_active,
        },
    )


def _execution(context: Context) -> HostObject:
    execution = context.scope.execution
    return _object(
        context,
        "$execution",
        {
            "id": lambda: execution.id,
            "mode": lambda: "test" if execution.mode == "manual" else "production",
            "resumeUrl": lambda: execution.resume_url,
            "resumeFormUrl": lambda: execution.resume_url.replace(
                "webhook-waiting", "form-waiting"
            ),
            "customData": lambda: _custom_data(context),
        },
    )


def _custom_data(context: Context) -> HostObject:
    custom = context.scope.execution.custom

    def get(arguments: list[Any]) -> Any:
        return custom.get(to_string(argument(arguments, 0)), UNDEFINED)

    def refuse(arguments: list[Any]) -> Any:
        raise ExpressionError("Custom data can only be set from a node that runs code")

    return _object(
        context,
        "customData",
        {
            "get": _function("get", get),
            "getAll": _function("getAll", lambda arguments: dict(custom)),
            "set": _function("set", refuse),
            "setAll": _function("setAll", refuse),
        },
    )


def _items(context: Context) -> JsFunction:
    def call(this: Any, arguments: list[Any]) -> Any:
        name = argument(arguments, 0)
        if is_missing(name):
            return list(context.scope.items)
        run = to_integer(argument(arguments, 2), -1)
        return lineage.node_items(
            context.scope, to_string(name), to_integer(argument(arguments, 1)), run
        )

    return JsFunction("$items", call)


def _item_at(context: Context) -> JsFunction:
    def call(this: Any, arguments: list[Any]) -> Any:
        other = Context(context.scope, to_integer(argument(arguments, 0)))
        return HostObject(
            "$item",
            lambda name: VARIABLES[name](other) if name in VARIABLES else UNDEFINED,
            lambda: list(VARIABLES),
        )

    return JsFunction("$item", call)


def _environment(context: Context) -> HostObject:
    def deny(name: str) -> Any:
        raise ExpressionError("access to env vars denied")

    return HostObject("$env", deny)


def _evaluate(context: Context) -> JsFunction:
    from penstock.workflow.expressions import evaluate

    def call(this: Any, arguments: list[Any]) -> Any:
        index = to_integer(argument(arguments, 1), context.index)
        context.charge(64 * 100)
        text = to_string(argument(arguments, 0))
        return evaluate(f"={text}" if not text.startswith("=") else text, context.scope, index)

    return JsFunction("$evaluateExpression", call)


def _resolved_parameters(context: Context) -> HostObject:
    node = context.scope.node

    def get(name: str) -> Any:
        resolver = node.compiled.get(name)
        if resolver is None:
            return node.parameters.get(name, UNDEFINED)
        return resolver(context.scope, context.index)

    return HostObject("$parameter", get, lambda: list(node.parameters))


VARIABLES: dict[str, Provide] = {
    "$json": Context.json,
    "$data": Context.json,
    "$binary": lambda context: context.item().get("binary") or {},
    "$input": _input,
    "$": _dollar,
    "$node": _nodes,
    "$items": _items,
    "$item": _item_at,
    "$prevNode": _previous,
    "$workflow": _workflow,
    "$execution": _execution,
    "$env": _environment,
    "$runIndex": lambda context: context.scope.run_index,
    "$itemIndex": lambda context: context.index,
    "$position": lambda context: context.index,
    "$thisItem": Context.item,
    "$thisItemIndex": lambda context: context.index,
    "$thisRunIndex": lambda context: context.scope.run_index,
    "$now": lambda context: now(context.scope),
    "$today": lambda context: start_of_today(context.scope),
    "$mode": lambda context: context.scope.execution.mode,
    "$nodeVersion": lambda context: context.scope.node.version,
    "$nodeId": lambda context: context.scope.node.id,
    "$webhookId": lambda context: context.scope.node.webhook_id or UNDEFINED,
    "$executionId": lambda context: context.scope.execution.id,
    "$resumeWebhookUrl": lambda context: context.scope.execution.resume_url,
    "$parameter": _resolved_parameters,
    "$rawParameter": lambda context: context.scope.node.parameters,
    "$self": lambda context: node_context(context, context.scope.node.name),
    "$evaluateExpression": _evaluate,
    **SHORTCUTS,
}
