"""Documents into Plans: everything that can be decided before a workflow runs, decided once.

A document that has problems still compiles as far as it can be read, because plans are made of
documents that were accepted long ago, by older rules. Problems of a node (an unknown type, an
expression that does not parse) show when that node runs.
"""

from collections.abc import Iterator
from typing import Any

from penstock.subjects.config import DEFAULT_TIMEZONE
from penstock.workflow.code_reads import follows_lineage, reads_of_code
from penstock.workflow.document import Document, DocumentNode, Problem, content_hash
from penstock.workflow.expressions import Compiled, compile_value
from penstock.workflow.expressions.zones import find_zone
from penstock.workflow.graph import (
    ancestors_of,
    edges_of,
    lines_of,
    targets_of,
    union,
    visible_runs,
)
from penstock.workflow.plan import (
    NodeType,
    NodeTypes,
    OnError,
    Order,
    Plan,
    PlanNode,
    RetryPolicy,
    Tier,
)
from penstock.workflow.validate import check

TRIES_MIN, TRIES_MAX = 2, 5
RETRY_WAIT_MS_MAX = 5_000
OUTPUTS_MAX = 1_000
EXCERPT_LENGTH = 120

START_TYPES = (
    "n8n-nodes-base.manualTrigger",
    "n8n-nodes-base.executeWorkflowTrigger",
    "n8n-nodes-base.errorTrigger",
    "n8n-nodes-base.evaluationTrigger",
    "n8n-nodes-base.formTrigger",
    "n8n-nodes-base.start",
)
CALLED_FROM_OUTSIDE = ("n8n-nodes-base.webhook", "n8n-nodes-base.formTrigger", *START_TYPES[1:4])


def compile_document(
    document: dict[str, Any],
    types: NodeTypes,
    *,
    key: str = "",
    timezone: str = DEFAULT_TIMEZONE,
) -> Plan:
    """The plan of a document. `key` is its content hash when the caller knows it already;
    `timezone` is the instance's, for documents that set none."""
    read, _ = check(document)
    children, parents = edges_of(read)
    names = {node.name: index for index, node in enumerate(read.nodes)}
    nodes = [_node(index, node, types, names) for index, node in enumerate(read.nodes)]
    for node in nodes:
        node.inputs = max(1, len(parents[node.index]))
        node.pinned = read.pinned.get(node.name)
        if node.kind is not None and getattr(node.kind, "reads_inputs", False):
            wired = {edge.node for edges in parents[node.index] for edge in edges}
            node.reads = None if node.reads is None else node.reads | wired
    order: Order = "v1" if read.settings.get("executionOrder") == "v1" else "v0"
    ancestors = ancestors_of(parents)
    targets = targets_of(nodes, children, order)
    visible = visible_runs(nodes, ancestors)
    return Plan(
        hash=key or content_hash(document),
        name=read.name,
        document=document,
        nodes=nodes,
        by_name=names,
        children=children,
        parents=parents,
        order=order,
        timezone=_timezone(read, timezone),
        timeout_ms=_timeout_ms(read),
        settings=read.settings,
        unknown_types=_unknown_types(nodes, read),
        targets=targets,
        lines=lines_of(nodes, targets, order),
        visible=visible,
        # v0 looks at what nodes put out to force the parents of a waiting node to run.
        kept=union(visible) if order == "v1" else None,
        ancestors=ancestors,
        start=start_node(nodes),
    )


def expression_problems(document: Document, types: NodeTypes) -> list[Problem]:
    """Expressions of a document that do not parse, each with its path. Nothing is evaluated."""
    problems = []
    for index, node in enumerate(document.nodes):
        kind = types.get(node.type, node.version)
        if kind is None:  # its parameters may be anything
            continue
        for path, text in _expressions(f"nodes[{index}].parameters", _parameters(node, kind)):
            problems += [
                Problem(
                    path,
                    f"in node {node.name!r}: {problem}: {_excerpt(text)}",
                    "correct the expression",
                )
                for problem in compile_value(text).problems
            ]
    return problems


def zone_problems(document: Document) -> list[Problem]:
    """A time zone that does not exist. Asked where documents come in, and not when they are
    compiled: which zones there are depends on the machine, and what is stored must run on all."""
    zone = document.settings.get("timezone")
    if not isinstance(zone, str) or zone in ("", "DEFAULT") or find_zone(zone) is not None:
        return []
    message = f"{zone[:80]!r} is not a time zone"
    return [Problem("settings.timezone", message, "a name such as Europe/Berlin")]


def unknown_type_problems(document: Document, types: NodeTypes) -> list[Problem]:
    """The nodes of a document that would have to run and whose type nobody here serves."""
    return [
        Problem(
            f"nodes[{index}].type",
            f"the node type {_type_name(node.type, node.version)} of {node.name!r}"
            " is not available here",
            "replace or disable it",
        )
        for index, node in enumerate(document.nodes)
        if not (node.disabled or _is_note(node.type) or types.get(node.type, node.version))
    ]


def _expressions(path: str, value: Any) -> Iterator[tuple[str, str]]:
    """Every expression in a parameter, with its `=`, and the path to it."""
    if isinstance(value, str):
        if value.startswith("="):
            yield path, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            step = f".{name}" if str(name).isidentifier() else f"[{name!r}]"
            yield from _expressions(path + step, inner)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _expressions(f"{path}[{number}]", inner)


def _excerpt(text: str) -> str:
    return text if len(text) <= EXCERPT_LENGTH else f"{text[:EXCERPT_LENGTH]}…"


def _parameters(node: DocumentNode, kind: NodeType | None) -> dict[str, Any]:
    raw = kind.raw_parameters(node.version) if kind else frozenset()
    return {name: value for name, value in node.parameters.items() if name not in raw}


def _node(index: int, node: DocumentNode, types: NodeTypes, names: dict[str, int]) -> PlanNode:
    kind = types.get(node.type, node.version)
    compiled = {name: compile_value(value) for name, value in _parameters(node, kind).items()}
    resolvers = {name: value.resolver for name, value in compiled.items()}
    for name in node.parameters.keys() - compiled.keys():
        resolvers[name] = _constant(node.parameters[name])
    code = _code_of(node, kind)
    needs_engine = any(value.needs_engine for value in compiled.values())
    tier: Tier = kind.tier if kind else "inline"
    return PlanNode(
        index=index,
        id=node.id,
        name=node.name,
        type=node.type,
        version=node.version,
        position=node.position,
        parameters=node.parameters,
        compiled=resolvers,
        tier="process" if needs_engine and tier == "inline" else tier,
        kind=kind,
        needs_engine=needs_engine,
        reads=_reads(compiled, code, names),
        reads_lineage=any(value.reads_lineage for value in compiled.values())
        or any(map(follows_lineage, code)),
        disabled=node.disabled,
        on_error=OnError(node.on_error),
        retry=_retry(node),
        execute_once=node.execute_once,
        always_output=node.always_output,
        outputs=_outputs(node, kind),
        required=_required(node, kind),
        webhook_id=node.webhook_id,
        credentials=node.credentials,
    )


def _outputs(node: DocumentNode, kind: NodeType | None) -> int:
    try:
        declared = kind.outputs(node.parameters, node.version) if kind else 1
    except Exception:  # a node that cannot stand its parameters says so when it runs
        return 1
    return min(max(declared, 0), OUTPUTS_MAX)


def _required(node: DocumentNode, kind: NodeType | None) -> int | list[int]:
    try:
        return kind.required(node.parameters, node.version) if kind else 1
    except Exception:
        return 1


def _constant(value: Any) -> Any:
    return lambda _scope, _item: value


def _code_of(node: DocumentNode, kind: NodeType | None) -> list[str]:
    """The parameters of a node that hold code of the user."""
    if kind is None or kind.tier != "process":
        return []
    raw = kind.raw_parameters(node.version)
    return [value for name, value in node.parameters.items() if name in raw and type(value) is str]


def _reads(
    compiled: dict[str, Compiled], code: list[str], names: dict[str, int]
) -> frozenset[int] | None:
    """The nodes that expressions and code refer to; `None` when that shows only at run time."""
    read: set[int] = set()
    for seen in [value.reads for value in compiled.values()] + [reads_of_code(c) for c in code]:
        if seen is None:
            return None
        read |= {names[name] for name in seen if name in names}
    return frozenset(read)


def _retry(node: DocumentNode) -> RetryPolicy | None:
    if not node.retry_on_fail:
        return None
    tries = min(max(int(node.tries_max or 3), TRIES_MIN), TRIES_MAX)
    wait_ms = min(max(int(node.wait_between_tries_ms or 1_000), 0), RETRY_WAIT_MS_MAX)
    return RetryPolicy(tries, wait_ms)


def _timezone(document: Document, default: str) -> str:
    zone = document.settings.get("timezone")
    return zone if isinstance(zone, str) and zone not in ("", "DEFAULT") else default


def _timeout_ms(document: Document) -> int:
    seconds = document.settings.get("executionTimeout")
    return int(seconds * 1_000) if isinstance(seconds, int | float) and seconds > 0 else 0


def _unknown_types(nodes: list[PlanNode], document: Document) -> tuple[str, ...]:
    """Types that nobody here serves and that would have to run."""
    return tuple(
        sorted(
            {
                _type_name(node.type, node.version)
                for node in nodes
                if node.kind is None and not node.disabled and not _is_note(node.type)
            }
        )
    )


def _type_name(name: str, version: float) -> str:
    return name if version == 1 else f"{name} v{version}"


def _is_note(type_name: str) -> bool:
    return type_name.endswith(".stickyNote")


def start_node(nodes: list[PlanNode]) -> int:
    """Where a run begins that names no start: n8n's rule (the only node; the first trigger that
    fires by itself; then by type), -1 when there is nowhere to begin."""
    enabled = [node for node in nodes if not node.disabled and not _is_note(node.type)]
    if len(enabled) == 1:
        return enabled[0].index
    for node in enabled:
        if node.type == START_TYPES[0] or (
            node.kind is not None and node.kind.is_trigger and node.type not in CALLED_FROM_OUTSIDE
        ):
            return node.index
    for type_name in START_TYPES:
        for node in enabled:
            if node.type == type_name:
                return node.index
    return next((node.index for node in enabled if node.kind and node.kind.is_trigger), -1)
