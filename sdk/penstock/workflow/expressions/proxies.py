"""n8n's variables: what `$json`, `$input`, `$('Node')`, `$execution` and their like give.

Each variable that is an object has a table of members, name to a function of the context, so
that the compiler can go straight to one member without making the object. None of them hands
out anything but plain data and values of the language.
"""

from collections.abc import Callable
from typing import Any

from penstock.workflow.expressions import lineage
from penstock.workflow.expressions.context import Context
from penstock.workflow.expressions.convert import is_missing, to_integer, to_string
from penstock.workflow.expressions.dates import now, start_of_today
from penstock.workflow.expressions.errors import ExpressionError
from penstock.workflow.expressions.execution_data import custom_data, set_custom_data
from penstock.workflow.expressions.members import argument
from penstock.workflow.expressions.shortcuts import SHORTCUTS
from penstock.workflow.expressions.values import UNDEFINED, HostObject, JsFunction

Provide = Callable[[Context], Any]
ProvideOfNode = Callable[[Context, str], Any]


def table_object(context: Context, name: str, table: dict[str, Provide]) -> HostObject:
    """An object whose members are computed by the table's functions when they are asked for."""

    def get(key: str) -> Any:
        provide = table.get(key)
        return provide(context) if provide is not None else UNDEFINED

    return HostObject(name, get, lambda: list(table))


def copying(context: Context, value: Any) -> Any:
    """A copy of data for an expression that may change it, the data itself for others."""
    return context.own(value) if context.copies_data else value


def first_item(items: list[dict[str, Any]]) -> Any:
    """The first item, or undefined."""
    return items[0] if items else UNDEFINED


def last_item(items: list[dict[str, Any]]) -> Any:
    """The last item, or undefined."""
    return items[-1] if items else UNDEFINED


# -- $('Node') -----------------------------------------------------------------------------------


def _items_method(take: Callable[[list[Any]], Any]) -> ProvideOfNode:
    def provide(context: Context, name: str) -> JsFunction:
        def call(this: Any, arguments: list[Any]) -> Any:
            branch, run = argument(arguments, 0), argument(arguments, 1)
            items = lineage.node_items(
                context.scope,
                name,
                None if is_missing(branch) else to_integer(branch),
                None if is_missing(run) else to_integer(run),
            )
            return copying(context, take(items))

        return JsFunction("items", call)

    return provide


def _paired_method(context: Context, name: str) -> JsFunction:
    def call(this: Any, arguments: list[Any]) -> Any:
        index = argument(arguments, 0)
        at = context.index if is_missing(index) else to_integer(index)
        return copying(context, lineage.paired_item(context.scope, name, at))

    return JsFunction("pairedItem", call)


def node_parameters(context: Context, name: str) -> Any:
    """The raw parameters of a node."""
    plan = context.scope.plan
    return plan.nodes[lineage.node_index(context.scope, name)].parameters


def node_context(context: Context, name: str) -> dict[str, Any]:
    """The loop context of a node."""
    return context.scope.contexts.get(lineage.node_index(context.scope, name)) or {}


_NODE: dict[str, ProvideOfNode] = {
    "item": lambda context, name: copying(
        context, lineage.paired_item(context.scope, name, context.index)
    ),
    "pairedItem": _paired_method,
    "itemMatching": _paired_method,
    "first": _items_method(first_item),
    "last": _items_method(last_item),
    "all": _items_method(list),
    "isExecuted": lambda context, name: lineage.is_executed(context.scope, name),
    "params": node_parameters,
    "context": node_context,
}


def node_object(context: Context, name: str, table: dict[str, ProvideOfNode]) -> HostObject:
    """An object about one node, which must exist."""
    lineage.node_index(context.scope, name)

    def get(key: str) -> Any:
        provide = table.get(key)
        return provide(context, name) if provide is not None else UNDEFINED

    return HostObject("node", get, lambda: list(table))


def _dollar(context: Context) -> JsFunction:
    def call(this: Any, arguments: list[Any]) -> Any:
        return node_object(context, to_string(argument(arguments, 0)), _NODE)

    return JsFunction("$", call)


# -- $node["Node"] -------------------------------------------------------------------------------


def legacy_item(context: Context, name: str) -> dict[str, Any]:
    """The item of a node at the same index, whatever the lineage."""
    items = lineage.node_items(context.scope, name)
    if context.index < len(items):
        return items[context.index]
    if len(items) == 1:
        return items[0]
    raise ExpressionError(f'No data found for item-index: "{context.index}"')


def _legacy_json(context: Context, name: str) -> Any:
    return copying(context, legacy_item(context, name)["json"])


LEGACY_NODE: dict[str, ProvideOfNode] = {
    "json": _legacy_json,
    "data": _legacy_json,
    "binary": lambda context, name: legacy_item(context, name).get("binary") or {},
    "parameter": node_parameters,
    "context": node_context,
    "runIndex": lambda context, name: len(lineage.executed_runs(context.scope, name)) - 1,
}


def _nodes(context: Context) -> HostObject:
    def get(name: str) -> Any:
        return node_object(context, name, LEGACY_NODE)

    return HostObject("$node", get, lambda: list(context.scope.plan.by_name))


# -- $input --------------------------------------------------------------------------------------


def _input_items(context: Context) -> list[Any]:
    inputs = context.scope.inputs
    if inputs and inputs[0] is not None:
        return inputs[0]
    raise ExpressionError("No execution data available")


def _input_method(name: str, take: Callable[[list[Any]], Any]) -> Provide:
    def provide(context: Context) -> JsFunction:
        def call(this: Any, arguments: list[Any]) -> Any:
            if arguments:
                raise ExpressionError(f"$input.{name}() should have no arguments")
            return copying(context, take(_input_items(context)))

        return JsFunction(name, call)

    return provide


def _input_node(context: Context) -> str:
    source = context.scope.sources[0] if context.scope.sources else None
    return "" if source is None else context.scope.plan.nodes[source.node].name


def _input_parameters(context: Context) -> Any:
    name = _input_node(context)
    return node_parameters(context, name) if name else UNDEFINED


def _input_context(context: Context) -> Any:
    name = _input_node(context)
    return node_context(context, name) if name else {}


_INPUT: dict[str, Provide] = {
    "item": lambda context: copying(context, context.item()),
    "first": _input_method("first", first_item),
    "last": _input_method("last", last_item),
    "all": _input_method("all", list),
    "params": _input_parameters,
    "context": _input_context,
}


# -- facts about the execution -------------------------------------------------------------------


def _previous(part: str) -> Provide:
    def provide(context: Context) -> Any:
        source = context.scope.sources[0] if context.scope.sources else None
        return UNDEFINED if source is None else getattr(source, part)

    return provide


_PREVIOUS: dict[str, Provide] = {
    "name": lambda context: _input_node(context) or UNDEFINED,
    "outputIndex": _previous("output"),
    "runIndex": _previous("run"),
}
_WORKFLOW: dict[str, Provide] = {
    "id": lambda context: context.scope.execution.workflow_id,
    "name": lambda context: context.scope.plan.name,
    "active": lambda context: context.scope.execution.workflow_active,
}


def _form_url(context: Context) -> str:
    return context.scope.execution.resume_url.replace("webhook-waiting", "form-waiting")


def _mode(context: Context) -> str:
    return "test" if context.scope.execution.mode == "manual" else "production"


_EXECUTION: dict[str, Provide] = {
    "id": lambda context: context.scope.execution.id,
    "mode": _mode,
    "resumeUrl": lambda context: context.scope.execution.resume_url,
    "resumeFormUrl": _form_url,
    "customData": lambda context: table_object(context, "customData", _CUSTOM_DATA),
}


def _custom_get(context: Context) -> JsFunction:
    def get(this: Any, arguments: list[Any]) -> Any:
        return custom_data(context.scope).get(to_string(argument(arguments, 0)), UNDEFINED)

    return JsFunction("get", get)


def _custom_all(context: Context) -> JsFunction:
    return JsFunction("getAll", lambda this, arguments: dict(custom_data(context.scope)))


def _custom_set(context: Context) -> JsFunction:
    def write(this: Any, arguments: list[Any]) -> Any:
        set_custom_data(context.scope, argument(arguments, 0), argument(arguments, 1))
        return UNDEFINED

    return JsFunction("set", write)


def _custom_set_all(context: Context) -> JsFunction:
    def write(this: Any, arguments: list[Any]) -> Any:
        values = argument(arguments, 0)
        if not isinstance(values, dict):
            raise ExpressionError("customData.setAll takes an object")
        for key, value in values.items():
            set_custom_data(context.scope, key, value)
        return UNDEFINED

    return JsFunction("setAll", write)


_CUSTOM_DATA: dict[str, Provide] = {
    "get": _custom_get,
    "getAll": _custom_all,
    "set": _custom_set,
    "setAll": _custom_set_all,
}

TABLES: dict[str, dict[str, Provide]] = {
    "$input": _INPUT,
    "$prevNode": _PREVIOUS,
    "$workflow": _WORKFLOW,
    "$execution": _EXECUTION,
}
"""The variables that are objects with a fixed table of members."""


# -- the rest ------------------------------------------------------------------------------------


def _items(context: Context) -> JsFunction:
    def call(this: Any, arguments: list[Any]) -> Any:
        name = argument(arguments, 0)
        if is_missing(name):
            return list(context.scope.items)
        output, run = to_integer(argument(arguments, 1)), to_integer(argument(arguments, 2), -1)
        return lineage.node_items(context.scope, to_string(name), output, run)

    return JsFunction("$items", call)


def _item_at(context: Context) -> JsFunction:
    def call(this: Any, arguments: list[Any]) -> Any:
        other = Context(context.scope, to_integer(argument(arguments, 0)))
        return table_object(other, "$item", VARIABLES)

    return JsFunction("$item", call)


def _environment(context: Context) -> HostObject:
    def deny(name: str) -> Any:
        raise ExpressionError("access to env vars denied")

    return HostObject("$env", deny)


def _evaluate(context: Context) -> JsFunction:
    from penstock.workflow.expressions import evaluate

    def call(this: Any, arguments: list[Any]) -> Any:
        context.charge(_NESTED_COST)
        text = to_string(argument(arguments, 0))
        index = to_integer(argument(arguments, 1), context.index)
        return evaluate(text if text.startswith("=") else f"={text}", context.scope, index)

    return JsFunction("$evaluateExpression", call)


_NESTED_COST = 640_000
"""What a nested template costs: it gets a budget of its own, so there may be few of them."""


def _resolved_parameters(context: Context) -> HostObject:
    node = context.scope.node

    def get(name: str) -> Any:
        resolver = node.compiled.get(name)
        if resolver is None:
            return node.parameters.get(name, UNDEFINED)
        context.charge(_NESTED_COST)
        return resolver(context.scope, context.index)

    return HostObject("$parameter", get, lambda: list(node.parameters))


def _table_provider(name: str) -> Provide:
    return lambda context: table_object(context, name, TABLES[name])


VARIABLES: dict[str, Provide] = {
    "$json": Context.json,
    "$data": Context.json,
    "$binary": lambda context: context.item().get("binary") or {},
    "$": _dollar,
    "$node": _nodes,
    "$items": _items,
    "$item": _item_at,
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
    **{name: _table_provider(name) for name in TABLES},
    **SHORTCUTS,
}
