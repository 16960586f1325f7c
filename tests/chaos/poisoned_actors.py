"""An actor host in which the results of some steps are poison: handling them raises, every time.

`penstock up` starts it in the actors' place (`tests.up`, `stand_ins`). A result is poison when an
item of it says so. Every try is a line in `DIR/poison-tries`; a file `DIR/repaired` is the repair.
"""

import os
from pathlib import Path

from penstock.actors.execution import core
from penstock.actors.execution.state import State
from penstock.actors.execution.turn import Turn
from penstock.actors.program import main
from penstock.subjects.messages import StepResult

TRIES, REPAIRED = "poison-tries", "repaired"


def poison(data: Path) -> None:
    """Put the fault into this process."""
    handle = core.on_result

    def raising(state: State, result: StepResult, now_ms: int) -> Turn:
        if _is_poison(result) and not (data / REPAIRED).exists():
            with (data / TRIES).open("a") as tries:
                tries.write(f"{result.execution}\n")
            raise ZeroDivisionError("this result is poison")
        return handle(state, result, now_ms)

    core.on_result = raising


def _is_poison(result: StepResult) -> bool:
    outputs = result.outcome.outputs or []
    return any(item["json"].get("poison") is True for output in outputs for item in output or [])


if __name__ == "__main__":
    poison(Path(os.environ["PENSTOCK_DATA_DIR"]))
    raise SystemExit(main())
