"""The decisions of a supervisor, as pure functions: who restarts, and who shares its fate."""

from collections.abc import Sequence

from penstock.supervisor.child import Exit
from penstock.supervisor.spec import Restart, Strategy


def is_restarted(restart: Restart, exit_: Exit) -> bool:
    """Whether a child with this `restart` is started again after `exit_`."""
    if restart is Restart.PERMANENT:
        return True
    return restart is Restart.TRANSIENT and not exit_.is_normal


def affected(strategy: Strategy, order: Sequence[str], failed: str) -> list[str]:
    """The children that stop and start again because `failed` is restarted, in start order."""
    if strategy is Strategy.ONE_FOR_ONE:
        return [failed]
    if strategy is Strategy.ONE_FOR_ALL:
        return list(order)
    return list(order[order.index(failed) :])
