"""The actor core keeps its promises under faults, and the simulator notices when it would not."""

from collections.abc import Callable

import pytest

from penstock.actors.commit import Committer, Verdict
from penstock.actors.execution.state import State
from penstock.actors.parts import Parts
from penstock.subjects.bus import Ack
from tests.simulation.scenario import ViolationError, play

SEEDS = 120
PER_TEST = 10


@pytest.mark.parametrize("first", range(0, SEEDS, PER_TEST))
def test_every_promise_is_kept_under_faults(first: int) -> None:
    for seed in range(first, first + PER_TEST):
        play(seed)


def test_a_seed_plays_the_same_twice() -> None:
    assert play(7) == play(7)


def test_some_seeds_write_snapshots_while_things_go_wrong() -> None:
    assert play(2)["snapshots"] > 20


def finds(seeds: range) -> bool:
    for seed in seeds:
        try:
            play(seed)
        except ViolationError:
            return True
    return False


def append_without_fencing(self: Committer) -> None:
    assert self._open is not None
    index = self.index

    def on_ack(result: Ack | Exception) -> None:
        if not self._is_closed and self._open is not None and index == self.index:
            if isinstance(result, Ack):
                self._stored(result.sequence)
            else:
                self._send()

    self._bus.append(self._subject, self._open[0], on_ack)


async def believe_it_was_stored(self: Committer) -> tuple[Verdict, int]:
    last = await self._bus.last("EXEC", self._subject)
    return Verdict.STORED, last.sequence if last else 0


def act_before_it_is_stored(
    append: Callable[..., None],
) -> Callable[[Committer, bytes, Callable[[], None]], None]:
    def early(self: Committer, frame: bytes, on_stored: Callable[[], None]) -> None:
        append(self, frame, lambda: None)
        self._open = None
        on_stored()

    return early


def forget_what_was_dispatched(self: Parts, state: State, now_ms: int) -> None:
    self.table.active[state.request.execution] = state
    self.quotas.restore(state.request.tenant, running=1)


@pytest.mark.parametrize(
    ("owner", "name", "bug"),
    [
        (Committer, "_send", append_without_fencing),
        (Committer, "_look", believe_it_was_stored),
        (Committer, "append", act_before_it_is_stored(Committer.append)),
        (Parts, "restore_execution", forget_what_was_dispatched),
    ],
)
def test_a_planted_bug_is_found(
    monkeypatch: pytest.MonkeyPatch, owner: type, name: str, bug: Callable[..., object]
) -> None:
    monkeypatch.setattr(owner, name, bug)

    assert finds(range(40))
