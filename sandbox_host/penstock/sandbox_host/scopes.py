"""Steps into scopes: what a node sees on a host is what it would see in the partition loop."""

from penstock.subjects.messages import Step
from penstock.workflow.plan import Plan
from penstock.workflow.scope import ExecutionInfo, Run, Scope


def scope_of(plan: Plan, step: Step) -> Scope:
    """The scope of `step`, which belongs to `plan`."""
    return Scope(
        plan=plan,
        node=plan.nodes[step.node],
        inputs=step.inputs,
        sources=step.sources,
        runs={
            node: [Run(view.outputs, view.sources) for view in views]
            for node, views in step.runs.items()
        },
        run_index=step.run,
        now_ms=step.now_ms,
        execution=ExecutionInfo(
            id=step.execution,
            mode=step.mode,
            workflow_id=step.workflow,
            workflow_active=step.mode in ("webhook", "trigger"),
            tenant=step.tenant,
            resuming=step.resume_url,
            custom=step.custom or {},
        ),
        contexts=step.contexts,
        static=step.static,
    )
