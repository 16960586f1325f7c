"""Which node runs next: n8n's two orders, and nodes that wait for several inputs.

v1 goes depth first, the top-most branch to its end before the next; v0 breadth first, in the
document's order. A node with several connected inputs waits in a slot until each has something;
when nothing else is left to run, slots that may do without the rest are released.

All of this follows from the state alone and happens inside of `apply`.
"""

from penstock.actors.execution.state import Entry, State
from penstock.sdk.pairing import paired_input
from penstock.subjects.messages import Item, Outputs, Source
from penstock.workflow.plan import PlanNode, Target

ENDLESS = "Stopped execution because it seems to be in an endless loop"


def move_on(state: State, entry: Entry, outputs: Outputs, run: int) -> bool:
    """Move the front entry on to the one node that follows it: what `follow` and `settle` come to
    on a line without forks and joins. False, and nothing done, anywhere else."""
    node, count = entry.node, len(outputs)
    only: tuple[int, int] | None = None
    for way in state.plan.lines[node]:
        if way[0] < count and outputs[way[0]]:
            if only is not None:
                return False
            only = way
    if only is None:
        return False
    output, entry.node = only
    entry.inputs = [paired_input(outputs[output] or [], 0)]
    entry.sources = [Source(node, output, run)]
    entry.is_resumed = False
    return True


def follow(state: State, node: int, outputs: Outputs, run: int) -> None:
    """Enqueue the children of a node that put out `outputs` in its run number `run`."""
    plan = state.plan
    count = len(outputs)
    for target in plan.targets[node]:
        output, child, number = target
        if output >= count:
            continue
        items = outputs[output]
        if not items and (items is None or number == 0 or plan.order == "v1"):
            continue
        source = Source(node, output, run)
        if plan.nodes[child].inputs > 1:
            _arrive(state, target, items, source)
        else:
            _push(state, Entry(child, [items], [source]))


def settle(state: State) -> None:
    """Bring a node that really can run to the front of the stack, if there is any left."""
    stack = state.stack
    turned = 0
    while True:
        if not stack and not _release(state):
            return
        entry = stack[0]
        node = state.plan.nodes[entry.node]
        if state.plan.order == "v0" and _lacks_input(state, entry):
            stack.append(stack.pop(0))
            turned += 1
            if turned > len(stack):
                state.failure = ENDLESS
                return
        elif _has_input(state, entry, node):
            for number, items in enumerate(entry.inputs):
                if items is not None:
                    entry.inputs[number] = paired_input(items, number)
            return
        else:
            stack.pop(0)


def _push(state: State, entry: Entry) -> None:
    if state.plan.order == "v1":
        state.stack.insert(0, entry)
    else:
        state.stack.append(entry)


def _has_input(state: State, entry: Entry, node: PlanNode) -> bool:
    inputs = entry.inputs
    if node.disabled:
        return bool(inputs) and inputs[0] is not None
    if inputs[0] or (node.kind is not None and node.kind.is_trigger):
        return True
    return state.plan.order == "v1" and any(inputs)


def _lacks_input(state: State, entry: Entry) -> bool:
    parents = state.plan.parents[entry.node]
    return len(parents) > 1 and any(
        edges and items is None for edges, items in zip(parents, entry.inputs, strict=False)
    )


def _arrive(state: State, target: Target, items: list[Item] | None, source: Source) -> None:
    """Put items into the first slot of the child that lacks this input, or into a new one."""
    is_first = target.node not in state.slots
    slots = state.slots.setdefault(target.node, [])
    for slot in slots:
        if slot.inputs[target.input] is None:
            break
    else:
        width = state.plan.nodes[target.node].inputs
        slot = Entry(target.node, [None] * width, [None] * width)
        slots.append(slot)
    slot.inputs[target.input] = items
    slot.sources[target.input] = source
    if all(arrived is not None for arrived in slot.inputs):
        _drop(state, slot)
        _push(state, slot)
    elif is_first and items and state.plan.order == "v0":
        _force_parents(state, target.node, source)


def _drop(state: State, slot: Entry) -> None:
    slots = state.slots[slot.node]
    slots.remove(slot)
    if not slots:
        del state.slots[slot.node]


def _force_parents(state: State, node: int, source: Source) -> None:
    """v0 only: make the other parents of a node that began to wait run, from where they can."""
    siblings = {edge.node for edges in state.plan.children[source.node] for edge in edges}
    for edges in state.plan.parents[node]:
        for edge in edges:
            parent = edge.node
            if parent == source.node or state.counts[parent]:
                continue
            if parent in siblings and not _would_get_nothing(state, parent):
                continue  # it comes next anyway
            forced = _first_not_run(state, parent)
            if forced >= 0 and _would_get_nothing(state, forced):
                _push(state, Entry(forced, [[{"json": {}}]], [source]))


def _first_not_run(state: State, node: int) -> int:
    """The top-most node above `node` (or itself) that never ran; -1 when one is on its way."""
    queued = {entry.node for entry in state.stack} | state.slots.keys()
    seen = set()
    while True:
        if node in queued or node in seen:
            return -1
        seen.add(node)
        above = [edge.node for edges in state.plan.parents[node] for edge in edges]
        above = [parent for parent in above if not state.counts[parent]]
        if not above:
            return node
        node = above[0]


def _would_get_nothing(state: State, node: int) -> bool:
    parents = state.plan.parents[node]
    if not parents:
        return True
    return not any(_last_output(state, edge.node, edge.input) for edge in parents[0])


def _last_output(state: State, node: int, output: int) -> list[Item] | None:
    runs = state.runs.get(node)
    outputs = runs[-1].outputs if runs else []
    return outputs[output] if output < len(outputs) else None


def _release(state: State) -> bool:
    """Push the first waiting slot that may run with what it has; drop those with nothing."""
    scanning = True
    while scanning:
        scanning = False
        for node in list(state.slots):
            if not _may_release(state, node):
                continue
            slot = state.slots[node][0]
            _drop(state, slot)
            slot.inputs = [items or [] for items in slot.inputs]
            if any(slot.inputs):
                state.stack.append(slot)
                return True
            scanning = True  # one that got nothing is gone; others may be free now
            break
    return False


def _may_release(state: State, node: int) -> bool:
    if state.plan.ancestors[node] & state.slots.keys():
        return False
    if state.plan.order == "v0":
        return True
    plan_node = state.plan.nodes[node]
    arrived = [n for n, items in enumerate(state.slots[node][0].inputs) if items is not None]
    required = plan_node.required
    if isinstance(required, list):
        return len(required) < plan_node.inputs and set(required) <= set(arrived)
    return required < plan_node.inputs and len(arrived) >= required
