"""Taps: the live feed of executions and steps for people, as JSON.

Lossy by contract. Under load they are the first thing to go: each host may publish so many per
second, what is beyond is counted, and the next event that does go out says how many were shed.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from penstock.actors.execution.events import Event, Finished, Ran, Started, Tried, Waited, Woken
from penstock.subjects import names
from penstock.subjects.bus import Bus
from penstock.subjects.errors import PenstockError
from penstock.subjects.messages import RunRequest
from penstock.workflow.plan import Plan

RATE_PER_S = 500.0
BURST = 1_000.0
ERROR_LENGTH_MAX = 2_000

_encode = msgspec.json.Encoder().encode


class Taps:
    """The taps of one host."""

    def __init__(self, bus: Bus, *, rate_per_s: float = RATE_PER_S, burst: float = BURST) -> None:
        self.shed = 0
        self._bus = bus
        self._rate = rate_per_s
        self._burst = burst
        self._tokens = burst
        self._at_ms = 0
        self._shed_untold = 0

    def refill(self, now_ms: int) -> None:
        """Once per wake-up: tokens for the time that has passed."""
        passed = max(0, now_ms - self._at_ms)
        self._at_ms = now_ms
        self._tokens = min(self._burst, self._tokens + passed * self._rate / 1000)

    def feed(self, request: RunRequest, plan: Plan | None, events: list[Event]) -> None:
        """Publish what happened to an execution, or count it as shed."""
        if self._tokens < len(events):
            self.shed += len(events)
            self._shed_untold += len(events)
            return
        self._tokens -= len(events)
        for event in events:
            described = _describe(event, plan)
            if described is None:
                continue
            kind, body = described
            body |= {"execution": request.execution, "workflow": request.workflow}
            if self._shed_untold:
                body["shed"], self._shed_untold = self._shed_untold, 0
            try:
                subject = names.tap(
                    request.tenant, request.workflow or "inline", request.execution, kind
                )
                self._bus.publish(subject, _encode(body))
            except PenstockError:
                continue  # a workflow id that is no token has no feed


def _describe(event: Event, plan: Plan | None) -> tuple[str, dict[str, object]] | None:
    found = _SHOWN.get(type(event))
    if found is None:
        return None
    kind, body_of = found
    return kind, {"event": kind, **body_of(event, plan)}


def _started(event: Started, _: Plan | None) -> dict[str, object]:
    return {"at_ms": event.at_ms}


def _finished(event: Finished, _: Plan | None) -> dict[str, object]:
    return {"status": event.status, "at_ms": event.at_ms, **_error(event)}


def _step(event: Ran, plan: Plan | None) -> dict[str, object]:
    return {
        "node": _node(plan, event.node),
        "at_ms": event.at_ms,
        "took_us": event.took_us,
        "items": _counts(event),
        **_error(event),
    }


def _counts(event: Ran) -> list[int]:
    counts = [len(output or ()) for output in event.outputs or ()]
    if 0 <= event.same < len(counts):
        counts[event.same] = event.passed
    return counts


def _waiting(event: Waited, plan: Plan | None) -> dict[str, object]:
    return {"node": _node(plan, event.node), "until_ms": event.until_ms}


def _retry(event: Tried, _: Plan | None) -> dict[str, object]:
    return {"attempt": event.attempt, "retry_ms": event.retry_ms, **_error(event)}


def _woken(event: Woken, _: Plan | None) -> dict[str, object]:
    return {"at_ms": event.at_ms}


def _error(event: Ran | Finished | Tried) -> dict[str, object]:
    return {} if event.error is None else {"error": _cut(event.error.message)}


def _cut(text: str) -> str:
    """People read the whole of it in the history; a feed must not carry megabytes."""
    if len(text) <= ERROR_LENGTH_MAX:
        return text
    return f"{text[:ERROR_LENGTH_MAX]}… (cut off; it has {len(text)} characters)"


_SHOWN: dict[type, tuple[str, Callable[[Any, Plan | None], dict[str, object]]]] = {
    Started: ("started", _started),
    Ran: ("step", _step),
    Waited: ("waiting", _waiting),
    Woken: ("woken", _woken),
    Tried: ("retry", _retry),
    Finished: ("finished", _finished),
}


def _node(plan: Plan | None, index: int) -> str:
    return plan.nodes[index].name if plan is not None else str(index)
