"""An execution that cannot even fail is ended all the same."""

import asyncio

import pytest

from penstock.actors.execution import answers
from penstock.actors.snapshot import Chunk, Head, SnapshotStore
from penstock.subjects.messages import Cancel
from penstock.workflow.document import content_hash
from tests.simulation.workflows import document, node
from tests.unit.actors.owner import Owner, ends, owned

TRIES_MAX = 20


def test_an_execution_whose_end_raises_is_ended_without_its_state(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tries = 0

    def raise_at_end(*_: object) -> None:
        nonlocal tries
        tries += 1
        if tries < TRIES_MAX:  # else it would be tried for ever, and this test with it
            raise RuntimeError("this answer cannot be made")

    async def test(owner: Owner) -> None:
        owner.run("e1", "called")
        owner.run("e2", "inline", tenant="other")
        await asyncio.sleep(1)
        monkeypatch.setattr(answers, "at_end", raise_at_end)
        owner.signal(Cancel("e1"))
        await asyncio.sleep(1)

        assert tries < TRIES_MAX
        assert ends(owner) == {"e1": "error", "e2": "success"}
        letters = owner.dead()
        assert len(letters) == 2  # the cancellation, and the failure
        first_lines = {letter.detail.partition("\n")[0] for letter in letters}
        assert first_lines == {"RuntimeError: this answer cannot be made"}
        assert not owner.partition.table.is_open("e1")

    owned(test)


def test_a_users_bad_expression_in_a_webhook_is_an_error_and_no_poison() -> None:
    async def test(owner: Owner) -> None:
        workflow = document(
            "bad",
            node("w", "webhook", 2, path="x", options={"responseCode": "={{ $('b').first() }}"}),
            node("b", "noOp", 1),
            edges={"w": [["b"]]},
        )
        await owner.store("bad", workflow)
        owner.run("e1", "bad", plan=content_hash(workflow))
        await asyncio.sleep(1)

        assert ends(owner) == {"e1": "error"}
        assert owner.dead() == []
        assert [(reply.status, reply.execution) for reply in owner.replies] == [(500, "e1")]

    owned(test)


def test_an_execution_is_made_anew_only_when_no_snapshot_trims_the_journal_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loaded: list[int] = []
    load = SnapshotStore.load

    async def told(store: SnapshotStore) -> tuple[Head, list[Chunk]] | None:
        found = await load(store)
        loaded.append(found[0].journal_seq if found else 0)
        return found

    async def test(owner: Owner) -> None:
        owner.run("e1", "called")
        await asyncio.sleep(1)
        monkeypatch.setattr(SnapshotStore, "load", told)
        position = owner.partition._position()
        owner.partition.snapshotting.begin(position)

        made = await owner.partition._rebuild("e1")

        assert made is not None
        assert loaded == [position.journal_seq]

    owned(test)
