"""Small workflows and nodes to drive the execution core with, one event at a time."""

from typing import Any, ClassVar

from penstock.actors.execution import core
from penstock.actors.execution.events import Ran
from penstock.actors.execution.state import State
from penstock.sdk.call import Call, NodeError
from penstock.sdk.node import Node
from penstock.subjects.messages import Call as CallEffect
from penstock.subjects.messages import Item, Outcome, ReplyTo, Respond, RunRequest, Wait
from penstock.workflow.compile import compile_document
from penstock.workflow.plan import NodeType, Plan

NOW_MS = 1_700_000_000_000
NODE_SETTINGS = (
    "disabled",
    "onError",
    "retryOnFail",
    "maxTries",
    "waitBetweenTries",
    "alwaysOutputData",
    "executeOnce",
)


class Trigger(Node):
    type: ClassVar[str] = "trigger"
    is_trigger = True

    def run(self, call: Call) -> Outcome:
        return call.items_out(call.items)


class Webhook(Trigger):
    type = "webhook"


class ErrorTrigger(Trigger):
    type = "n8n-nodes-base.errorTrigger"


class Pass(Node):
    type = "pass"

    def run(self, call: Call) -> Outcome:
        return call.items_out(call.items)


class Emit(Node):
    """Puts out `items` (a list of JSON objects), without telling where they came from."""

    type = "emit"

    def run(self, call: Call) -> Outcome:
        return call.items_out([{"json": json} for json in call.param("items", 0, [])])


class Gate(Node):
    """Sends everything to output `to` (of two)."""

    type = "gate"

    def outputs(self, parameters: dict[str, Any], version: float) -> int:
        return 2

    def run(self, call: Call) -> Outcome:
        to = call.param("to", 0, 0)
        return call.items_out(call.items if to == 0 else [], call.items if to == 1 else [])


class Join(Node):
    """All inputs in order; `required` as the document says."""

    type = "join"

    def required(self, parameters: dict[str, Any], version: float) -> int | list[int]:
        required: int | list[int] = parameters.get("required", 1)
        return required

    def run(self, call: Call) -> Outcome:
        return call.items_out(
            [item for n in range(len(call.scope.inputs)) for item in call.input(n)]
        )


class Counter(Node):
    """Counts in its context; output 1 while below `until`, then output 0."""

    type = "counter"

    def outputs(self, parameters: dict[str, Any], version: float) -> int:
        return 2

    def run(self, call: Call) -> Outcome:
        count = call.scope.contexts.get(call.node.index, {}).get("count", 0) + 1
        call.context = {"count": count}
        goes_on = count < call.param("until", 0, 3)
        return call.items_out([] if goes_on else call.items, call.items if goes_on else [])


class Fails(Node):
    """Raises `message`, as a NodeError or, with `bug`, as something nobody expected."""

    type = "fails"

    def run(self, call: Call) -> Outcome:
        if call.param("bug", 0, False):
            raise ZeroDivisionError(call.param("message", 0, "oops"))
        raise NodeError(call.param("message", 0, "oops"))


class Ends(Node):
    type = "ends"

    def run(self, call: Call) -> Outcome:
        return call.ends_branch()


class Remote(Node):
    type = "remote"
    tier = "trusted"


class Sleeper(Node):
    type = "sleeper"

    def run(self, call: Call) -> Outcome:
        wait_ms = call.param("ms", 0, 1_000)
        until_ms = call.now_ms + wait_ms if wait_ms >= 0 else -1
        call.effects.append(Wait(until_ms, call.param("webhook")))
        return call.items_out(call.items)


class Responder(Node):
    type = "responder"

    def run(self, call: Call) -> Outcome:
        call.effects.append(Respond(201, {}, b"mine"))
        return call.items_out(call.items)


class Caller(Node):
    type = "caller"

    def run(self, call: Call) -> Outcome:
        each = call.param("each", 0, False)
        batches = [[item] for item in call.items] if each else [call.items]
        call.effects.append(
            CallEffect("other", batches, wait=call.param("wait", 0, True), paired=each)
        )
        return call.items_out(call.items)


class Types:
    """A registry of the nodes above."""

    def __init__(self) -> None:
        kinds: list[type[Node]] = [
            Trigger,
            Webhook,
            ErrorTrigger,
            Pass,
            Emit,
            Gate,
            Join,
            Counter,
            Fails,
            Ends,
            Remote,
            Sleeper,
            Responder,
            Caller,
        ]
        self._kinds = {kind.type: kind() for kind in kinds}

    def get(self, type_name: str, version: float) -> NodeType | None:
        return self._kinds.get(type_name)


def node(name: str, kind: str = "pass", y: float = 0, **settings: Any) -> dict[str, Any]:
    """A node of a document; `settings` are parameters, or node settings in n8n's spelling."""
    made: dict[str, Any] = {"name": name, "type": kind, "position": [0, y], "parameters": {}}
    for key, value in settings.items():
        if key in NODE_SETTINGS:
            made[key] = value
        else:
            made["parameters"][key] = value
    return made


def document(nodes: list[dict[str, Any]], *wires: str, **more: Any) -> dict[str, Any]:
    """A document; a wire is `"a > b"`, with `a.1` for output 1 and `b.1` for input 1."""
    connections: dict[str, Any] = {}
    for wire in wires:
        source, target = (end.strip().partition(".") for end in wire.split(">"))
        outputs = connections.setdefault(source[0], {"main": []})["main"]
        while len(outputs) <= int(source[2] or 0):
            outputs.append([])
        outputs[int(source[2] or 0)].append(
            {"node": target[0], "type": "main", "index": int(target[2] or 0)}
        )
    settings = {"executionOrder": more.pop("order", "v1"), **more.pop("settings", {})}
    return {"nodes": nodes, "connections": connections, "settings": settings, **more}


def plan_of(nodes: list[dict[str, Any]], *wires: str, **more: Any) -> Plan:
    """A plan, compiled with the nodes of this module."""
    return compile_document(document(nodes, *wires, **more), Types())


def request(
    *items: dict[str, Any], mode: str = "trigger", reply: bool = False, **more: Any
) -> RunRequest:
    """A request to run with these items (their JSON)."""
    fields: dict[str, Any] = {
        "execution": "0abc",
        "tenant": "main",
        "workflow": "wf",
        "plan": "",
        "start": "",
        "received_ms": NOW_MS,
        "reply": ReplyTo("gw", 7) if reply else None,
        **more,
    }
    return RunRequest(mode=mode, items=[{"json": json} for json in items], **fields)


def begun(plan: Plan, *items: dict[str, Any], **more: Any) -> tuple[State, core.Turn]:
    """An execution of `plan` after its first turn."""
    state = core.new_state(plan, request(*items, **more))
    return state, core.start(state, NOW_MS)


def order_of(plan: Plan, turn: core.Turn) -> list[str]:
    """The names of the nodes that ran in a turn."""
    return [
        plan.nodes[event.node].name
        for event in turn.events
        if isinstance(event, Ran) and (event.outputs is not None or event.is_fatal)
    ]


def jsons(items: list[Item] | None) -> list[Any]:
    """The JSON of items."""
    return [item["json"] for item in items or ()]
