"""Counts the situations that faults are drawn for, so that a test can tell whether they came about.

A simulator that never takes a partition over with a step outstanding proves nothing about that.
The probes stand around methods of the product while a seed is played, and only look.
"""

import contextlib
import functools
import inspect
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from penstock.actors import quotas, schedules, snapshot, table
from penstock.actors.commit import Committer
from penstock.actors.execution import core
from penstock.actors.history.writer import MovedWatermarkError, Writer
from penstock.actors.inbox import Inbox
from penstock.actors.journal import Fired
from penstock.actors.partition import Partition
from penstock.actors.parts import Parts
from penstock.actors.snapshotting import Snapshotting
from penstock.actors.takeover import Replayed, Takeover
from penstock.actors.turns import Turns


class Probe(NamedTuple):
    """`tell(arguments, result)` names what came about in a call, or nothing."""

    owner: Any
    name: str
    tell: Callable[[tuple[Any, ...], Any], str]
    is_before: bool = False
    """Whether to look before the call, without a result."""


def _met_again(arguments: tuple[Any, ...], _: Any) -> str:
    turns, request, _envelope = arguments
    return "request met again" if turns._table.knows(request.execution) else ""


def _overlapped(arguments: tuple[Any, ...], _: Any) -> str:
    writing, execution = arguments
    return "execution changed while a snapshot is written" if execution in writing._pending else ""


def _taken_over(arguments: tuple[Any, ...], _: Any) -> str:
    state = arguments[1]
    kinds = {type(effect).__name__ for effect in core.outstanding(state, 0)}
    if "Dispatch" in kinds:
        return "taken over with a step outstanding"
    return "taken over with a child running" if "StartChild" in kinds else ""


def _restored(arguments: tuple[Any, ...], _: Any) -> str:
    replayed = arguments[1]
    has_fired = any(isinstance(entry, Fired) for entry in replayed.others)
    return "taken over after a schedule fired" if has_fired else ""


def _found(_: tuple[Any, ...], result: Any) -> str:
    verdict = result[0] if isinstance(result, tuple) else None
    return f"append found {verdict.value}" if verdict is not None else ""


def _replayed(_: tuple[Any, ...], result: Any) -> str:
    has_snapshot = isinstance(result, Replayed) and (result.kept or result.rest.ended)
    return "taken over from a snapshot" if has_snapshot else ""


def _moved(_: tuple[Any, ...], result: Any) -> str:
    return "two projectors met" if isinstance(result, MovedWatermarkError) else ""


PROBES = (
    Probe(Committer, "_look", _found),
    Probe(Partition, "_fenced", lambda *_: "owner fenced"),
    Probe(Partition, "_crash", lambda *_: "crash of an owner"),
    Probe(Takeover, "replay", _replayed),
    Probe(Parts, "restore", _restored, is_before=True),
    Probe(Parts, "restore_execution", _taken_over, is_before=True),
    Probe(table.Table, "passivate", lambda *_: "execution put away"),
    Probe(table.Table, "activate", lambda *_: "execution woken"),
    Probe(Inbox, "_was_taken", lambda _, was: "taken request met again" if was else ""),
    Probe(Turns, "_on_run", _met_again, is_before=True),
    Probe(
        Turns,
        "put_back_deferred",
        lambda arguments, _: "signal before its request" if arguments[0]._deferred else "",
        is_before=True,
    ),
    Probe(core, "on_result", lambda _, turn: "" if turn.events else "result that came too late"),
    Probe(core, "on_timer", lambda _, turn: "timer came up" if turn.events else "void timer"),
    Probe(quotas.Quotas, "admit", lambda _, why: why and "execution held"),
    Probe(quotas.Quotas, "may_send", lambda _, may: "" if may else "step held"),
    Probe(schedules.Schedules, "on_due", lambda *_: "schedule due"),
    Probe(snapshot.Snapshot, "before_change", _overlapped, is_before=True),
    Probe(Snapshotting, "_trim", lambda *_: "journal trimmed"),
    Probe(Writer, "store_rows", _moved),
)


@contextlib.contextmanager
def counting(counts: Counter[str]) -> Iterator[None]:
    """Count what comes about within, by its name."""
    before = [(probe, getattr(probe.owner, probe.name)) for probe in PROBES]
    for probe, method in before:
        setattr(probe.owner, probe.name, _around(probe, method, counts))
    try:
        yield
    finally:
        for probe, method in before:
            setattr(probe.owner, probe.name, method)


def _around(probe: Probe, method: Callable[..., Any], counts: Counter[str]) -> Callable[..., Any]:
    def tell(arguments: tuple[Any, ...], result: Any) -> None:
        name = probe.tell(arguments, result)
        if name:
            counts[name] += 1

    @functools.wraps(method)
    def around(*arguments: Any, **options: Any) -> Any:
        if probe.is_before:
            tell(arguments, None)
            return method(*arguments, **options)
        result = method(*arguments, **options)
        if inspect.isawaitable(result):
            return finished(arguments, result)
        tell(arguments, result)
        return result

    async def finished(arguments: tuple[Any, ...], result: Any) -> Any:
        try:
            value = await result
        except Exception as error:
            tell(arguments, error)
            raise
        tell(arguments, value)
        return value

    return around
