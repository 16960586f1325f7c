"""What an execution did, told from its events: the runs of each node in order, with their items.

For people and for comparison: `penstock run`, `penstock test`, the API's view of an execution. It
replays the events on a state of its own, so it also holds for journals read long after.
"""

from typing import Any

from penstock.actors.execution.events import Event, Ran
from penstock.actors.execution.state import RUNNING, Entry, State
from penstock.actors.execution.transitions import apply, outputs_of
from penstock.subjects.messages import Source


class History:
    """Feed it every event of one execution, in order, with `add`.

    `runs[name]` are a node's runs as `{"outputs", "status", "source", "error"?}`; `order` names
    the nodes in the order of their runs.
    """

    def __init__(self, state: State) -> None:
        self.state = state
        self.order: list[str] = []
        self.runs: dict[str, list[dict[str, Any]]] = {}

    def add(self, event: Event) -> None:
        """Take up one event."""
        state = self.state
        if isinstance(event, Ran) and (event.outputs is not None or event.is_fatal):
            self._ran(event, state.stack[0])
        apply(state, event)

    @property
    def status(self) -> str:
        """success, error, canceled, waiting or running."""
        if self.state.status == RUNNING:
            return "waiting" if self.state.sleep is not None else RUNNING
        return self.state.status or RUNNING

    def as_json(self) -> dict[str, Any]:
        """Status, error, last node, order and runs, as `penstock run` prints them."""
        told: dict[str, Any] = {"status": self.status}
        if self.state.error is not None:
            told["error"] = self.state.error.message
        told["lastNodeExecuted"] = self.state.last_node
        told["order"] = self.order
        told["runs"] = self.runs
        return told

    def _ran(self, event: Ran, entry: Entry) -> None:
        name = self.state.plan.nodes[event.node].name
        run: dict[str, Any] = {
            "outputs": None if event.is_fatal else outputs_of(event, entry),
            "status": "success" if event.error is None else "error",
            "source": [self._source(source) for source in entry.sources],
        }
        if event.error is not None:
            run["error"] = event.error.message
        self.order.append(name)
        self.runs.setdefault(name, []).append(run)

    def _source(self, source: Source | None) -> dict[str, Any] | None:
        if source is None:
            return None
        told: dict[str, Any] = {"previousNode": self.state.plan.nodes[source.node].name}
        if source.output:
            told["previousNodeOutput"] = source.output
        if source.run:
            told["previousNodeRun"] = source.run
        return told
