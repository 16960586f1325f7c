"""A sleeping execution whose version cannot be used any more ends, and is asked for once."""

import asyncio

from penstock.actors.sleepers import PASSIVATE_AFTER_S
from penstock.subjects.messages import Cancel
from penstock.workflow.document import content_hash
from tests.simulation.workflows import ALL
from tests.unit.actors.owner import Owner, ends, errors, owned


def test_who_wakes_without_its_version_ends_with_that_as_its_error() -> None:
    async def test(owner: Owner) -> None:
        owner.run("e1", "waiting")
        await asyncio.sleep(PASSIVATE_AFTER_S + 3)
        assert set(owner.partition.table.kept) == {"e1"}
        owner.partition.snapshotting.begin(owner.partition._position())
        await owner.partition.snapshotting.idle()
        owner.kill()
        await owner.bus.bucket("plans").delete(content_hash(ALL["waiting"]))
        await owner.take_over()

        owner.signal(Cancel("e1"))
        await asyncio.sleep(2)

        assert ends(owner) == {"e1": "error"}
        assert errors(owner)["e1"].endswith("does not exist")
        assert not owner.partition.table.is_open("e1")
        assert owner.partition.turns._parked == {}

    owned(test)
