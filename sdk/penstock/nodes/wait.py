"""Wait: the execution sleeps for a while, until a time, or until somebody calls it.

Sleeping is an effect. When it is over the engine lets the input through, or in its place the item
that the call brought.
"""

from typing import Any

from penstock.nodes.field_types import INVALID
from penstock.nodes.moments import parse_moment
from penstock.sdk.call import Call, NodeError
from penstock.sdk.node import Node
from penstock.sdk.parameters import as_object
from penstock.subjects.messages import Outcome
from penstock.subjects.messages import Wait as Sleep
from penstock.workflow.expressions.convert import to_number, to_string, truthy

_UNITS_MS = {"seconds": 1_000, "minutes": 60_000, "hours": 3_600_000, "days": 86_400_000}
_RESPONSE = (
    "responseMode",
    "responseCode",
    "responseData",
    "responsePropertyName",
    "responseBinaryPropertyName",
)
FOREVER = -1


class Wait(Node):
    """See the module's text."""

    type = "n8n-nodes-base.wait"
    versions = (1, 1.1)
    effects = (Sleep,)

    def run(self, call: Call) -> Outcome:
        resume = call.param("resume", 0, "timeInterval")
        if resume == "timeInterval":
            first = call.version < 1.1
            amount = call.param("amount", 0, 1 if first else 5)
            unit = call.param("unit", 0, "hours" if first else "seconds")
            call.effects.append(Sleep(call.now_ms + _duration_ms(amount, unit)))
        elif resume == "specificTime":
            call.effects.append(Sleep(_moment(call, "dateTime")))
        elif resume == "webhook":
            call.effects.append(Sleep(_limit(call), _webhook(call)))
        else:
            raise NodeError(
                f"Waiting for '{resume}' is not supported",
                description="Wait for a time interval, a specific time or a webhook call.",
            )
        return call.items_out(call.items)


def _duration_ms(amount: Any, unit: Any) -> int:
    number = to_number(amount)
    if not 0 <= number < 1e10:
        raise NodeError("Invalid wait amount. Please enter a number that is 0 or greater.")
    if not isinstance(unit, str) or unit not in _UNITS_MS:
        raise NodeError(
            "Invalid wait unit. Valid units are 'seconds', 'minutes', 'hours', or 'days'."
        )
    return int(number * _UNITS_MS[unit])


def _moment(call: Call, name: str) -> int:
    moment = parse_moment(call.param(name, 0, ""), call.scope.plan.timezone)
    if moment is INVALID:
        raise NodeError(
            f"Cannot put execution to wait because `{name}` parameter is not a valid date. "
            "Please pick a specific date and time to wait until."
        )
    return int(moment)


def _limit(call: Call) -> int:
    if not truthy(call.param("limitWaitTime", 0, False)):
        return FOREVER
    if call.param("limitType", 0, "afterTimeInterval") == "afterTimeInterval":
        amount, unit = call.param("resumeAmount", 0, 1), call.param("resumeUnit", 0, "hours")
        return call.now_ms + _duration_ms(amount, unit)
    return _moment(call, "maxDateAndTime")


def _webhook(call: Call) -> dict[str, Any]:
    """How a call may wake the execution, and how it is answered."""
    if call.param("incomingAuthentication", 0, "none") != "none":
        raise NodeError(
            "Authentication of calls that resume needs credentials",
            description="Credentials are not available yet; set the authentication to none.",
        )
    options = as_object(call.param("options"))
    found = {name: call.param(name, 0) for name in _RESPONSE}
    return {
        "method": call.param("httpMethod", 0, "GET"),
        "suffix": to_string(options.get("webhookSuffix") or ""),
        "options": options,
        **{name: value for name, value in found.items() if value is not None},
    }
