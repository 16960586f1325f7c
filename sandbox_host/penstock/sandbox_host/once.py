"""Once: a step that a host is given again is not run again, but answered again.

A broker that begins anew, or that was out of reach for longer than it waits for an
acknowledgement, gives out steps that this host still runs or has just answered. User code that
sends mail would send it twice. So a host knows a step by its idempotency key (execution, number,
attempt): while it runs, whoever brings it again waits for the same result; once its result is
stored, that is kept for a while.

What is kept is bounded by count and by bytes, the oldest goes first. It does not know what other
hosts run: a step of a host that died, or that a second host is given, does run again.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from penstock.subjects.messages import Step, StepResult

RESULTS_MAX = 1000
BYTES_MAX = 16 << 20

_Key = tuple[str, int, int]
OnResult = Callable[[StepResult], None]


@dataclass(slots=True)
class _Running:
    """A step from its begin until its result is stored."""

    waiting: list[OnResult] = field(default_factory=list)
    result: StepResult | None = None


class Once:
    """Runs steps by `run`, which calls back once with the result, at once or later."""

    def __init__(
        self,
        run: Callable[[Step, OnResult], None],
        *,
        results_max: int = RESULTS_MAX,
        bytes_max: int = BYTES_MAX,
    ) -> None:
        self._run = run
        self._results_max = results_max
        self._bytes_max = bytes_max
        self._running: dict[_Key, _Running] = {}
        self._answered: dict[_Key, tuple[StepResult, int]] = {}
        self._bytes = 0

    def run(self, step: Step, on_result: OnResult) -> None:
        """Call back with the result of `step`, from the one time that it runs here."""
        key = (step.execution, step.seq, step.attempt)
        kept = self._answered.get(key)
        if kept is not None:
            on_result(kept[0])
            return
        running = self._running.get(key)
        if running is not None and running.result is not None:
            on_result(running.result)
        elif running is not None:
            running.waiting.append(on_result)
        else:
            running = self._running[key] = _Running([on_result])
            self._begin(step, key, running)

    def _begin(self, step: Step, key: _Key, running: _Running) -> None:
        def ended(result: StepResult) -> None:
            running.result = result
            waiting, running.waiting = running.waiting, []
            for on_result in waiting:
                on_result(result)

        try:
            self._run(step, ended)
        except BaseException:
            del self._running[key]
            raise

    def stored(self, result: StepResult, payload_bytes: int) -> None:
        """`result` is with the broker; from now on it may be forgotten when others need room."""
        key = (result.execution, result.seq, result.attempt)
        self._running.pop(key, None)
        if key in self._answered or payload_bytes > self._bytes_max:
            return
        self._answered[key] = (result, payload_bytes)
        self._bytes += payload_bytes
        while self._bytes > self._bytes_max or len(self._answered) > self._results_max:
            _, forgotten_bytes = self._answered.pop(next(iter(self._answered)))
            self._bytes -= forgotten_bytes
