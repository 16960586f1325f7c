"""Rows of `workflow` and `expected`: run one, and say what differs.

A row may bring `trigger` (`{mode, input}`: how the workflow is started) and `now` (the time it
runs at; without it a fixed one, so that a row means the same every day). Waits take no time.
`{FIXTURES}` in a parameter stands for a folder of test files.
"""

from datetime import datetime
from typing import Any

from penstock.cli.comparison import differences
from penstock.cli.local_engine import LocalEngine, RunStep, Time
from penstock.subjects.messages import Item
from penstock.workflow.plan_cache import PlanCache

EXECUTION = "1"
NOW = "2025-03-15T14:30:45.123Z"


class Rows:
    """Runs rows one after another; `plans` must know the row's node types."""

    def __init__(self, plans: PlanCache, run_step: RunStep) -> None:
        self._plans = plans
        self._run_step = run_step

    async def run(self, row: dict[str, Any]) -> dict[str, Any]:
        """What the row's workflow did, in the form of `expected`."""
        trigger = row.get("trigger") or {}
        engine = LocalEngine(self._plans, self._run_step, _time_of(row))
        plan = self._plans.add(row["workflow"])
        request = engine.request(
            plan, EXECUTION, _items(trigger), mode=trigger.get("mode") or "manual"
        )
        history = await engine.execute(plan, request)
        return history.as_json()

    async def check(self, row: dict[str, Any]) -> list[str]:
        """What differs from the row's expectation; empty when it passes."""
        try:
            told = await self.run(row)
        except Exception as error:  # one broken row must not hide what the others do
            return [f"could not be run: {error!r}"]
        return differences(row["expected"], told)


def _time_of(row: dict[str, Any]) -> Time:
    now = row.get("now") or NOW
    at_ms = now if isinstance(now, int) else int(datetime.fromisoformat(now).timestamp() * 1_000)
    return Time(at_ms)


def _items(trigger: dict[str, Any]) -> list[Item]:
    given = trigger.get("input")
    if given is None:
        return []
    entries = given if isinstance(given, list) else [given]
    return [entry if "json" in entry else {"json": entry} for entry in entries]
