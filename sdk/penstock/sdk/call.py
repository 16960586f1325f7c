"""A call: everything a node is given for one run.

Parameters are resolved on demand, per item: `call.param("amount", i)` evaluates the expression
(if it is one) for item `i`. A parameter that the document leaves out has its default, which the
node passes, because n8n's exports omit defaults.
"""

from collections.abc import Callable
from typing import Any

from penstock.subjects.errors import ErrorInfo, PenstockError
from penstock.subjects.messages import Effect, Item, Outcome
from penstock.workflow.plan import OnError, PlanNode
from penstock.workflow.scope import Scope


class NodeError(PenstockError):
    """A node's failure. `item` is the index of the item it happened at."""

    def __init__(
        self,
        message: str,
        *,
        description: str = "",
        item: int | None = None,
        name: str = "NodeOperationError",
        context: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.description = description
        self.item = item
        self.name = name
        self.context = context

    def info(self, node: str = "") -> ErrorInfo:
        """The error as it is recorded."""
        return ErrorInfo(
            message=self.message,
            name=self.name,
            description=self.description,
            node=node,
            context=self.context,
        )


class Call:
    """See the module's text. `context` is a copy; what it holds at the end is recorded.

    `services` is what a sandbox host lends a trusted node (HTTP, …), `None` for inline nodes.
    """

    __slots__ = ("context", "effects", "logs", "node", "scope", "services")

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.node: PlanNode = scope.node
        self.context: dict[str, Any] | None = None
        self.effects: list[Effect] = []
        self.logs: list[str] = []
        self.services: Any = None

    @property
    def version(self) -> float:
        return self.node.version

    @property
    def items(self) -> list[Item]:
        """The items of input 0."""
        return self.scope.items

    @property
    def now_ms(self) -> int:
        return self.scope.now_ms

    @property
    def continues_on_fail(self) -> bool:
        """Whether a failed item becomes an error item instead of failing the node."""
        return self.node.on_error is not OnError.STOP

    def input(self, index: int) -> list[Item]:
        """The items of input `index`, empty when nothing arrived there."""
        inputs = self.scope.inputs
        return (inputs[index] if index < len(inputs) else None) or []

    def param(self, name: str, item: int = 0, default: Any = None) -> Any:
        """Top-level parameter `name`, resolved for `item`; `default` when the document omits it.

        Nested values (collections) come back resolved as a whole.
        """
        resolver = self.node.compiled.get(name)
        return default if resolver is None else resolver(self.scope, item)

    def option(self, path: str, item: int = 0, default: Any = None) -> Any:
        """A nested parameter by dotted path (`options.reset`), resolved for `item`."""
        head, _, rest = path.partition(".")
        value = self.param(head, item)
        for key in rest.split(".") if rest else ():
            if not isinstance(value, dict) or key not in value:
                return default
            value = value[key]
        return default if value is None else value

    def prepared(self, make: Callable[[PlanNode], Any]) -> Any:
        """What `make` makes of this node, once per plan: the place for work that items share."""
        made = self.node.prepared
        if made is None:
            made = self.node.prepared = make(self.node)
        return made

    def error_item(self, error: NodeError, item: int) -> Item:
        """What stands for a failed item when the flow goes on: `{error: message}`."""
        return {"json": {"error": error.message}, "pairedItem": {"item": item}}

    def items_out(self, *outputs: list[Item] | None) -> Outcome:
        """An outcome with these items per output, and this call's context, effects and logs."""
        return Outcome(
            outputs=list(outputs),
            effects=self.effects or None,
            context=self.context,
            logs=self.logs or None,
        )

    def ends_branch(self) -> Outcome:
        """An outcome that records no run and ends this branch (n8n's `null`)."""
        return Outcome(outputs=None, effects=self.effects or None, context=self.context)
