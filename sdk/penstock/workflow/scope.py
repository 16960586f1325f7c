"""The scope: what expressions and nodes can see of an execution at the moment a node runs.

Built by the partition loop for inline steps and by sandbox hosts from a `Step`; both give the
same answers, since both hold the same earlier runs. Read-only for expressions, but for `written`.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from penstock.subjects.messages import Item, Outputs, Source
from penstock.workflow.plan import Plan, PlanNode


class Run(msgspec.Struct, eq=False, gc=False):
    """One finished run of a node: what it put out and where its inputs came from."""

    outputs: Outputs
    sources: list[Source | None]


ResumeUrl = Callable[[str], str]
"""From an execution's id to the address that resumes it."""


def unsigned(execution: str) -> str:
    """The address where there is no gateway that could be called."""
    return f"/webhook-waiting/{execution}"


class ExecutionInfo(msgspec.Struct, eq=False):
    """Facts about the execution. `mode` is n8n's word (manual, webhook, trigger, …).

    `resuming` is the address that resumes it, or what makes that: it is signed, which costs
    something, and few executions look.
    """

    id: str
    mode: str
    workflow_id: str = ""
    workflow_active: bool = False
    tenant: str = "main"
    resuming: str | ResumeUrl = ""
    custom: dict[str, Any] = {}

    @property
    def resume_url(self) -> str:
        """The address that resumes the execution while it waits for a call."""
        if not isinstance(self.resuming, str):
            self.resuming = self.resuming(self.id)
        return self.resuming


class Written(msgspec.Struct, eq=False):
    """What a run has written beside its outputs (`expressions.execution_data`); None: nothing."""

    custom: dict[str, Any] | None = None
    static: dict[str, Any] | None = None


class Scope(msgspec.Struct, eq=False):
    """One node about to run. `runs[n]` are the earlier runs of node `n`, oldest first.

    `inputs[i]` are the items at main input `i` (`None`: nothing arrived there), with the
    `pairedItem` of each already pointing at its own position (SEMANTICS §2); `sources[i]` tells
    which run they came from. `contexts[n]` is the loop context of node `n`. `variables` are extra
    names for one evaluation (`$response`, `$pageCount`, …).
    """

    plan: Plan
    node: PlanNode
    inputs: list[list[Item] | None]
    sources: list[Source | None]
    runs: dict[int, list[Run]]
    run_index: int
    now_ms: int
    execution: ExecutionInfo
    contexts: dict[int, dict[str, Any]] = {}
    variables: dict[str, Any] = {}
    random_seed: int = 0
    expired: Callable[[], bool] | None = None
    """A bound in time, if the caller wants one: asked now and then while an expression loops."""
    written: Written | None = None
    static: dict[str, Any] | None = None
    """The workflow's static data; None where nobody has fetched it."""

    @property
    def items(self) -> list[Item]:
        """The items of input 0, empty when nothing arrived there."""
        return (self.inputs[0] if self.inputs else None) or []
