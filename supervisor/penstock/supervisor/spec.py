"""Child specs: what a supervisor is told about its children, checked before anything starts.

OTP's words with OTP's meanings. `check` finds every problem of a whole tree at once, each with
the path to it, so that a bad tree is refused before its first child runs rather than found out
when its third one fails.
"""

import math
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from penstock.subjects.errors import PenstockError
from penstock.supervisor.child import Child

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}", re.ASCII)


class Strategy(Enum):
    """Which siblings share a child's fate when it is restarted."""

    ONE_FOR_ONE = "one_for_one"
    ONE_FOR_ALL = "one_for_all"
    REST_FOR_ONE = "rest_for_one"


class Restart(Enum):
    """Whether a child that ended is started again: always, only after a failure, never."""

    PERMANENT = "permanent"
    TRANSIENT = "transient"
    TEMPORARY = "temporary"


@dataclass(frozen=True, slots=True)
class RestartIntensity:
    """At most `restarts` within any `window_s`; one more and the supervisor escalates."""

    restarts: int = 3
    window_s: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """One child.

    `start` returns a running child, or raises and leaves nothing behind, also when cancelled.
    `shutdown_s` is the time between asking and killing (0: kill at once, infinity: never kill).
    `is_awaited`: later siblings start only when this one is ready.
    `tree` is set for children that are supervisors, so that checks reach into them.
    """

    name: str
    start: Callable[[], Awaitable[Child]]
    restart: Restart = Restart.PERMANENT
    shutdown_s: float = 5.0
    is_awaited: bool = True
    tree: "SupervisorSpec | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorSpec:
    """A supervisor and its children, in start order; they stop in the reverse order."""

    name: str
    children: Sequence[ChildSpec] = ()
    strategy: Strategy = Strategy.ONE_FOR_ONE
    intensity: RestartIntensity = RestartIntensity()


class BadSpecError(PenstockError):
    """A tree that may not start; `problems` names every one of them with its path."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("bad child specs: " + "; ".join(problems), remedy="correct the tree")
        self.problems = problems


def check(spec: SupervisorSpec) -> None:
    """Raise `BadSpecError` with all problems of `spec` and of the supervisors in it."""
    if problems := list(_problems(spec, spec.name)):
        raise BadSpecError(problems)


def _problems(spec: SupervisorSpec, path: str) -> Iterator[str]:
    if _NAME.fullmatch(spec.name) is None:
        yield f"{path}: a supervisor's name may not be {spec.name!r}"
    if spec.intensity.restarts < 0:
        yield f"{path}: restarts must be 0 or more, not {spec.intensity.restarts}"
    if not 0 < spec.intensity.window_s < math.inf:
        yield f"{path}: window_s must be a positive number, not {spec.intensity.window_s}"
    seen: set[str] = set()
    for child in spec.children:
        if child.name in seen:
            yield f"{path}/{child.name}: there are two children of this name"
        seen.add(child.name)
        yield from _child_problems(child, f"{path}/{child.name}")


def _child_problems(child: ChildSpec, path: str) -> Iterator[str]:
    if _NAME.fullmatch(child.name) is None:
        yield f"{path}: a child's name may not be {child.name!r}"
    if math.isnan(child.shutdown_s) or child.shutdown_s < 0:
        yield f"{path}: shutdown_s must be 0 or more, not {child.shutdown_s}"
    if not callable(child.start):
        yield f"{path}: start must be callable"
    if child.tree is not None:
        yield from _problems(child.tree, path)
