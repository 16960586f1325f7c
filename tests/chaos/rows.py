"""The drills by row: where each is, and how many it tries in the test run and by command."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from tests.chaos.figures import Figure


@dataclass(frozen=True, slots=True)
class Row:
    """`drill` is `module:function` in this folder. `n` means what the drill says it means."""

    about: str
    drill: str
    short: int
    long: int


ROWS: dict[int, Row] = {
    1: Row("kill -9 of each kind of process under load", "kills:kill_drill", 10, 200),
    2: Row("the power is cut", "power:power_drill", 1, 20),
    3: Row("side effects twice", "kills:kill_drill", 10, 200),
    4: Row("crash at every named point of the commit path", "crashes:crash_drill", 2, 30),
    5: Row("a frozen owner wakes up", "owners:owner_drill", 2, 20),
    6: Row("standby live after kill -9 of an actor host", "owners:owner_drill", 2, 20),
    7: Row("the leader of three brokers killed", "cluster:cluster_drill", 1, 20),
    8: Row("Postgres away for n seconds under load", "outages:outage_drill", 5, 60),
    9: Row("streams and disks full", "full_disks:row_drill", 1, 5),
    10: Row("clocks jump by an hour", "simulated:clock_drill", 4, 100),
    11: Row("a program that crashes without end", "outages:crash_loop_drill", 1, 1),
    12: Row("n open executions", "open_executions:open_drill", 5_000, 100_000),
    13: Row("one tenant bursts", "tenants:row_drill", 1, 20),
    15: Row("hostile messages on every subject", "messages:message_drill", 2_000, 100_000),
    16: Row("n poison messages", "poison:poison_drill", 5, 100),
    25: Row("n fresh installations", "fresh:fresh_drill", 2, 10),
    28: Row("the journals of every version, n times", "repeated:journal_drill", 1, 3),
    29: Row("n seeds of the simulator", "repeated:seed_drill", 20, 2_000),
    30: Row("n executions, then idle", "leaks:leak_drill", 1_000, 10_000),
    31: Row("load for n seconds", "soak:soak_drill", 60, 3_600),
}


def load(row: int) -> Callable[[int, int], list[Figure]]:
    """The drill of a row."""
    module, _, function = ROWS[row].drill.partition(":")
    drill: Callable[[int, int], list[Figure]] = getattr(
        import_module(f"tests.chaos.{module}"), function
    )
    return drill
