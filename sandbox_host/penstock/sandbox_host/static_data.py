"""Static data for steps whose code asks for it, read from the `static` bucket.

Asking is seen in the text of the code: only code that names the function pays for the reading. An
execution that has written static data already carries it along; what is in the bucket is what the
last execution left. An outage of the bus is waited out.
"""

import asyncio

from penstock.subjects.bus import Bus
from penstock.subjects.errors import BusError
from penstock.subjects.messages import Step
from penstock.subjects.static_data import STATIC, static_data
from penstock.subjects.workflows import workflow_key
from penstock.workflow.plan import PlanNode

_NAME = "etWorkflowStaticData"
_RETRY_S = 0.2


def asks_for_static_data(node: PlanNode) -> bool:
    """Whether the node's code names `$getWorkflowStaticData`."""
    return any(isinstance(text, str) and _NAME in text for text in node.parameters.values())


class StaticDataReader:
    """Reads what workflows have kept."""

    def __init__(self, bus: Bus) -> None:
        self._bucket = bus.bucket(STATIC)

    async def fill(self, step: Step) -> None:
        """Give the step its workflow's static data, unless its execution brought some."""
        if step.static is not None:
            return
        step.static = {}
        if not step.workflow:
            return
        key = workflow_key(step.tenant, step.workflow)
        while True:
            try:
                entry = await self._bucket.get(key)
                break
            except BusError:
                await asyncio.sleep(_RETRY_S)
        if entry is not None and entry.value is not None:
            step.static = static_data.decode(entry.value).data
