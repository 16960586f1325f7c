"""Schedule Trigger, Cron and Interval: time starts the workflow.

When, is in `schedule_rules`; here is what the trigger puts out. The schedule actor passes the
item that `fired_item` makes; a person who starts the workflow by hand gets one of that moment.
"""

from typing import Any

from penstock.nodes.schedule_rules import CRON, INTERVAL, SCHEDULE
from penstock.sdk.call import Call
from penstock.sdk.node import Node
from penstock.subjects.messages import Item, Outcome
from penstock.workflow.expressions.date_format import to_iso
from penstock.workflow.expressions.dates import DateTime
from penstock.workflow.expressions.zones import UTC_ZONE, find_zone


def fired_item(node_type: str, due_ms: int, timezone: str) -> Item:
    """The item of a schedule that fires at `due_ms`."""
    return {"json": _facts(due_ms, timezone) if node_type == SCHEDULE else {}}


def _facts(due_ms: int, timezone: str) -> dict[str, Any]:
    moment = DateTime(due_ms, find_zone(timezone) or UTC_ZONE)
    local = moment.local
    offset = local.strftime("%z")
    clock = f"{local.hour % 12 or 12}:{local:%M:%S} {'am' if local.hour < 12 else 'pm'}"
    date = f"{local:%B} {_ordinal(local.day)} {local.year}"
    return {
        "timestamp": to_iso(moment),
        "Readable date": f"{date}, {clock}",
        "Readable time": clock,
        "Day of week": f"{local:%A}",
        "Year": f"{local.year}",
        "Month": f"{local:%B}",
        "Day of month": f"{local:%d}",
        "Hour": f"{local:%H}",
        "Minute": f"{local:%M}",
        "Second": f"{local:%S}",
        "Timezone": f"{timezone} (UTC{offset[:3]}:{offset[3:5]})",
    }


def _ordinal(number: int) -> str:
    ending = (
        "th" if 11 <= number % 100 <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    )
    return f"{number}{ending}"


class ScheduleTrigger(Node):
    """Its item tells the time in words and numbers, in the workflow's zone."""

    type = SCHEDULE
    versions = (1, 1.1, 1.2, 1.3, 1.4)
    is_trigger = True

    def run(self, call: Call) -> Outcome:
        if any(item["json"] for item in call.items):
            return call.items_out(call.items)
        return call.items_out([fired_item(self.type, call.now_ms, call.scope.plan.timezone)])


class Cron(Node):
    """Its item is empty."""

    type = CRON
    is_trigger = True

    def run(self, call: Call) -> Outcome:
        return call.items_out(call.items)


class Interval(Node):
    """Its item is empty."""

    type = INTERVAL
    is_trigger = True

    def run(self, call: Call) -> Outcome:
        return call.items_out(call.items)
