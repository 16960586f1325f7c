"""From one owner to the next: what the former may still do, and what the new one finds.

A former owner writes nothing more; the next has every execution, those put away included,
from the journal or, where history and snapshot allowed to trim it, from the snapshot.
"""

import asyncio

import pytest

from penstock.actors.sleepers import PASSIVATE_AFTER_S
from penstock.actors.snapshot import SnapshotStore
from penstock.actors.takeover import Takeover
from penstock.subjects import names
from penstock.subjects.errors import WrongLastSequenceError
from penstock.subjects.messages import Resume
from tests.unit.actors.owner import Owner, ends, owned


def test_a_former_owner_is_fenced_at_its_first_write() -> None:
    async def test(owner: Owner) -> None:
        former = owner.partition
        await owner.take_over()
        owner.run("e1", "inline")
        await asyncio.sleep(3)

        assert owner.lost == [former]
        assert not former.is_live
        assert ends(owner) == {"e1": "success"}

    owned(test)


def test_a_crash_of_the_loop_gives_the_partition_up_and_loses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test(owner: Owner) -> None:
        crashed = owner.partition
        with monkeypatch.context() as broken:
            broken.setattr(crashed.turns, "handle", lambda envelope: 1 / 0)
            owner.run("e1", "inline")
            await asyncio.sleep(1)
        assert owner.lost == [crashed]
        assert isinstance(crashed.crash, ZeroDivisionError)

        await owner.take_over()
        await asyncio.sleep(1)

        assert ends(owner) == {"e1": "success"}

    owned(test)


def test_long_waits_are_put_away_and_wake_up_after_a_takeover() -> None:
    async def test(owner: Owner) -> None:
        owner.run("e1", "waiting")
        owner.run("e2", "called")
        await asyncio.sleep(PASSIVATE_AFTER_S + 3)
        assert set(owner.partition.table.kept) == {"e1", "e2"}
        assert not owner.partition.table.active

        await owner.partition.release()
        await owner.take_over()
        assert set(owner.partition.table.kept) == {"e1", "e2"}
        await asyncio.sleep(20)

        assert ends(owner) == {"e1": "success"}

    owned(test)


@pytest.mark.parametrize("slept_s", [1, PASSIVATE_AFTER_S + 3])
def test_who_has_slept_since_the_last_snapshot_is_put_away_after_a_takeover(slept_s: float) -> None:
    async def test(owner: Owner) -> None:
        owner.run("short", "waiting")
        owner.run("long", "called")
        await asyncio.sleep(slept_s)
        owner.kill()

        await owner.take_over()
        await asyncio.sleep(PASSIVATE_AFTER_S + 3)

        assert set(owner.partition.table.kept) == {"short", "long"}
        await asyncio.sleep(20)
        assert ends(owner) == {"short": "success"}

    owned(test)


def test_history_and_snapshot_together_allow_the_journal_to_be_trimmed() -> None:
    async def test(owner: Owner) -> None:
        owner.run("e1", "called")
        for number in range(20):
            owner.run(f"x{number}", "inline")
        await asyncio.sleep(1)
        await owner.bus.bucket("marks").put("history.local.0", b"1000")
        await asyncio.sleep(1)
        await owner.partition.release()

        left = owner.broker.stream("EXEC").since(1, "exec.local.0.>")
        assert [each.message.subject for each in left] == ["exec.local.0.journal"]
        await owner.take_over()
        owner.signal(Resume("e1", [{"json": {}}]))
        await asyncio.sleep(1)
        assert owner.partition.table.active["e1"].waiting == "step"

    owned(test)


def test_without_a_history_nothing_is_trimmed() -> None:
    async def test(owner: Owner) -> None:
        owner.run("e1", "inline")
        await asyncio.sleep(1)
        await owner.partition.release()

        assert len(owner.broker.stream("EXEC").since(1, "exec.local.0.in.run")) == 1

    owned(test)


def test_who_was_overtaken_while_taking_over_does_not_take_trimmed_inputs_for_damage() -> None:
    async def test(owner: Owner) -> None:
        owner.run("e1", "called")
        await asyncio.sleep(1)
        slow = Takeover(owner.bus, "local", 0)
        opened = await slow.open_epoch("slow", owner.clock.now_ms())
        owner.kill()
        store = SnapshotStore(owner.bus, "local", 0)
        await owner.bus.purge("EXEC", names.runs("local", 0))
        with pytest.raises(AssertionError, match="is gone"):
            await slow.replay_opened(store, opened)

        await Takeover(owner.bus, "local", 0).open_epoch("quick", owner.clock.now_ms())

        with pytest.raises(WrongLastSequenceError):
            await slow.replay_opened(store, opened)

    owned(test)
