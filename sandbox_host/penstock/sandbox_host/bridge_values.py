"""Questions about values: dates, n8n's extension methods, resolved templates.

Python's runtime of the expression language answers them, so that code, expressions in the engine
and expressions that compiled agree by construction.
"""

import time
from typing import Any

from penstock.sandbox_host import wire
from penstock.sdk.call import Call
from penstock.workflow.expressions import dates, evaluate
from penstock.workflow.expressions.context import Context
from penstock.workflow.expressions.convert import to_string
from penstock.workflow.expressions.date_methods import PRESETS
from penstock.workflow.expressions.dates import DateTime, Interval
from penstock.workflow.expressions.durations import UNITS, Duration
from penstock.workflow.expressions.errors import ExpressionError, JsErrorValue, JsThrow
from penstock.workflow.expressions.extensions import extend
from penstock.workflow.expressions.globals import CLASSES
from penstock.workflow.expressions.members import METHODS, call_method, get_named
from penstock.workflow.expressions.shortcuts import SHORTCUTS
from penstock.workflow.expressions.values import UNDEFINED, JsFunction

_SAME_CLOCK_MS = 60_000
_CLASSES = {"DateTime": DateTime, "Duration": Duration, "Interval": Interval}
_DATE_TIME_PROPERTIES = """
year month day hour minute second millisecond quarter weekday weekNumber weekYear ordinal offset
isInDST isInLeapYear isWeekend daysInMonth daysInYear weeksInWeekYear zoneName monthShort monthLong
weekdayShort weekdayLong offsetNameShort offsetNameLong ts c isValid invalidReason
invalidExplanation locale isOffsetFixed zone
"""
_PROPERTIES = {
    "DateTime": _DATE_TIME_PROPERTIES.split(),
    "Duration": [*UNITS, "values", "isValid", "invalidReason"],
    "Interval": ["start", "end", "isValid"],
}
_DATE_EXTENSIONS = """
format beginningOf endOfMonth extract isBetween isDst isInLast diffTo diffToNow toDateTime
"""
"""Extensions of n8n that exist on dates in code too."""


class ValueQuestions:
    """A part of `Bridge`."""

    _call: Call

    def _context(self, item: int = 0) -> Context:
        return Context(self._call.scope, item)

    def time_names(self) -> dict[str, Any]:
        names: dict[str, Any] = {"formats": list(PRESETS)}
        for kind, python in _CLASSES.items():
            extra = _DATE_EXTENSIONS.split() if kind == "DateTime" else []
            names[kind] = {
                "methods": [*METHODS[python], *extra],
                "properties": _PROPERTIES[kind],
                "statics": list(CLASSES[kind].statics),
            }
        return names

    def time_call(self, state: Any, name: str, given: list[Any]) -> Any:
        value, arguments = wire.decode(state), [wire.decode(each) for each in given]
        context = self._context()
        method = METHODS[type(value)].get(name)
        found = extend(context, value, name, arguments) if method is None else None
        return _told(found if method is None else method(context, value, arguments))

    def time_get(self, state: Any, name: str) -> Any:
        return _told(get_named(self._context(), wire.decode(state), name))

    def time_static(self, kind: str, name: str, given: list[Any] | None) -> Any:
        if given is None:
            return _told(PRESETS[name])
        arguments = [wire.decode(each) for each in given]
        return _told(CLASSES[kind].statics[name](self._context(), UNDEFINED, arguments))

    def time_text(self, state: Any) -> str:
        return to_string(wire.decode(state))

    def now(self) -> Any:
        return _told(dates.now(self._call.scope))

    def today(self) -> Any:
        return _told(dates.start_of_today(self._call.scope))

    def extend(self, item: int, value: Any, name: str, given: list[Any]) -> Any:
        arguments = [wire.decode(each) for each in given]
        return _told(extend(self._context(item), wire.decode(value), name, arguments))

    def clock_offset(self) -> int:
        return clock_offset_ms(self._call)

    def native(self, value: Any, name: str, given: list[Any]) -> Any:
        arguments = [wire.decode(each) for each in given]
        return _told(call_method(self._context(), wire.decode(value), name, arguments))

    def is_function(self) -> None:
        raise ExpressionError("this is a function, please add ()", name="UserError")

    def shortcut(self, item: int, name: str, given: list[Any]) -> Any:
        function = SHORTCUTS[name](self._context(item))
        return _told(function.call(UNDEFINED, [wire.decode(each) for each in given]))

    def evaluate(self, source: str, item: int) -> Any:
        text = source if source.startswith("=") else f"={source}"
        return _told(evaluate(text, self._call.scope, item))


def clock_offset_ms(call: Call) -> int:
    """How far the step's clock is from the machine's; small differences count as none."""
    offset = call.now_ms - time.time_ns() // 1_000_000
    return offset if abs(offset) > _SAME_CLOCK_MS else 0


def _told(value: Any) -> Any:
    """A result for the realm; a function is none."""
    return wire.encode(UNDEFINED if isinstance(value, JsFunction) else value)


def thrown(error: JsThrow) -> dict[str, Any]:
    """A JavaScript exception of Python's runtime, as the realm raises it again."""
    value = error.value
    if isinstance(value, JsErrorValue):
        return {"name": value.kind, "message": value.message}
    return {"name": "Error", "message": to_string(value)}
