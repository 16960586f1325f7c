"""Named points of the commit path at which a drill can make the process die.

Faults at random moments rarely hit the narrow gaps between two writes, and those are where things
get lost or done twice. So the gaps have names, and `tests/chaos` kills a process exactly there.

A point does nothing unless `PENSTOCK_CRASH_POINTS` names a directory. Then the file of the point's
name, if there is one, holds after how many passages to die: 1 is the next. It is removed first,
so a process dies once for each file. Never set the variable in production.

| point       | the gap                                                                          |
|-------------|----------------------------------------------------------------------------------|
| append      | decided, not sent to the journal                                                 |
| acknowledge | in the journal, nothing of what follows done                                     |
| dispatch    | in the journal, steps not sent to the sandbox hosts                              |
| snapshot    | chunks of a snapshot written, its head not                                       |
| passivate   | an execution put away to bytes                                                   |
| project     | bodies of the history written, its rows not                                      |
"""

import contextlib
import os
import signal
from pathlib import Path

POINTS = ("append", "acknowledge", "dispatch", "snapshot", "passivate", "project")
VARIABLE = "PENSTOCK_CRASH_POINTS"


def _pass(name: str) -> None:
    """What a point does outside of drills."""


def _die_when_armed(name: str) -> None:
    file = Path(os.environ[VARIABLE]) / name
    with contextlib.suppress(FileNotFoundError):
        left = int(file.read_text() or "0") - 1
        if left > 0:
            file.write_text(str(left))
            return
        file.unlink()
        os.kill(os.getpid(), signal.SIGKILL)


crash_point = _die_when_armed if os.environ.get(VARIABLE) else _pass
