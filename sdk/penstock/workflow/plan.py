"""The Plan: a workflow document made ready to run.

Nodes by index, edges as arrays, policies decided, every parameter compiled. A plan is made from
a document by `compile.compile_document`; what travels and is cached by content hash is the
document, and each process compiles it once.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from penstock.subjects.messages import Item, Outputs

if TYPE_CHECKING:
    from penstock.workflow.scope import Scope

Tier = Literal["inline", "trusted", "process", "wasm", "microvm"]

Order = Literal["v0", "v1"]

Resolver = Callable[["Scope", int], Any]
"""A compiled parameter: (scope, item index) to its value. Raises `ExpressionError`."""

Transform = Callable[["Scope", list[Item]], Outputs]
"""A node's run as a plain function of the items of input 0 (`penstock.sdk.transform`)."""


class OnError(Enum):
    """What a node's failure means for the flow; the values are n8n's words."""

    STOP = "stopWorkflow"
    CONTINUE = "continueRegularOutput"
    ERROR_OUTPUT = "continueErrorOutput"


class Edge(NamedTuple):
    """A connection's far end."""

    node: int
    input: int


class Target(NamedTuple):
    """Where output `output` of a node leads: input `input` of node `node`."""

    output: int
    node: int
    input: int


Line = tuple[tuple[int, int], ...]
"""Outputs of a node and the nodes that they lead to, as (output, node), where none of those waits
for several inputs; empty where it is not as simple as that."""


@dataclass(slots=True, frozen=True)
class RetryPolicy:
    """At most `tries` runs, `wait_ms` apart."""

    tries: int
    wait_ms: int


class NodeType(Protocol):
    """What the compiler must know of a node type in one version; `penstock.sdk.Node` has it."""

    @property
    def type(self) -> str: ...

    @property
    def tier(self) -> Tier: ...

    @property
    def is_trigger(self) -> bool: ...

    def outputs(self, parameters: dict[str, Any], version: float) -> int:
        """How many main outputs a node with these parameters has, without the error output."""

    def required(self, parameters: dict[str, Any], version: float) -> int | list[int]:
        """n8n's `requiredInputs`: a count, or indexes that must all be there (SEMANTICS §4)."""

    def raw_parameters(self, version: float) -> frozenset[str]:
        """Top-level parameters that are never expressions (code, resource selectors)."""


class NodeTypes(Protocol):
    """A registry of node types."""

    def get(self, type_name: str, version: float) -> NodeType | None:
        """The type that serves `version`, or `None` when it is unknown."""


@dataclass(slots=True, eq=False)
class PlanNode:
    """One node of a plan. `parameters` are as in the document; `compiled` resolves them."""

    index: int
    id: str
    name: str
    type: str
    version: float
    position: tuple[float, float]
    parameters: dict[str, Any]
    compiled: dict[str, Resolver]
    tier: Tier
    kind: NodeType | None
    """The implementation, `None` when the type is unknown (then `disabled` or it fails)."""
    needs_engine: bool = False
    """Some expression is outside of the compiled subset: the step goes to a JavaScript engine."""
    reads: frozenset[int] | None = frozenset()
    """Nodes whose earlier runs its expressions or code may read by name; `None`: any."""
    reads_lineage: bool = False
    disabled: bool = False
    on_error: OnError = OnError.STOP
    retry: RetryPolicy | None = None
    execute_once: bool = False
    always_output: bool = False
    outputs: int = 1
    inputs: int = 1
    """Connected main inputs: highest connected index + 1."""
    required: int | list[int] = 1
    webhook_id: str = ""
    credentials: dict[str, dict[str, str]] = field(default_factory=dict)
    pinned: list[dict[str, Any]] | None = None
    timeout_ms: int = 0
    prepared: Any = None
    """What the node's own class made of its parameters, once per plan (`Call.prepared`)."""


@dataclass(slots=True, eq=False)
class Plan:
    """A workflow ready to run. `children[n][o]` are the edges of output `o` of node `n`;
    `parents[n][i]` the nodes wired to its input `i` (as edges whose `input` is the output).

    `targets[n]` are the children of node `n` in the order in which the engine enqueues them;
    `lines[n]` the same for nodes of a line in v1.
    `visible[n]` are the nodes whose earlier runs a step of node `n` may look at (`None`: all);
    `kept` is the union, what an execution must remember. `ancestors[n]` are the nodes from which
    a path leads to `n`, without `n` itself. `start` is the document's start node, -1 without one.
    """

    hash: str
    name: str
    document: dict[str, Any]
    nodes: list[PlanNode]
    by_name: dict[str, int]
    children: list[list[list[Edge]]]
    parents: list[list[list[Edge]]]
    order: Order
    timezone: str
    timeout_ms: int = 0
    settings: dict[str, Any] = field(default_factory=dict)
    unknown_types: tuple[str, ...] = ()
    targets: list[list[Target]] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    visible: list[frozenset[int] | None] = field(default_factory=list)
    kept: frozenset[int] | None = None
    ancestors: list[frozenset[int]] = field(default_factory=list)
    start: int = -1
    transforms: list[Transform | None] | None = None
    """By node, made when the plan first runs."""
