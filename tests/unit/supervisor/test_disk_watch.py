"""What is done about a disk that fills and has room again."""

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from penstock.subjects.disks import ROOM_BYTES, is_full
from penstock.subjects.errors import PenstockError
from penstock.supervisor import disk_watch
from penstock.supervisor.disk_watch import watch_disk
from penstock.supervisor.readiness import wait_for_room


class Disk:
    """A disk that has as many bytes of room as it says, one figure per look, then the last."""

    def __init__(self, *room: int) -> None:
        self._room = [*room]

    def __call__(self, directory: Path) -> SimpleNamespace:
        room = self._room.pop(0) if len(self._room) > 1 else self._room[0]
        return SimpleNamespace(f_bavail=room, f_frsize=1)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(disk_watch, "PERIOD_S", 0.0)
    yield


def watched(
    disk: Disk,
    monkeypatch: pytest.MonkeyPatch,
    *,
    fails: bool = False,
    is_ever_ready: bool = True,
) -> list[str]:
    """What the watch tells until a disk that is always roomy in the end was looked at for long."""
    told: list[str] = []
    monkeypatch.setattr(os, "statvfs", disk)

    async def restart() -> None:
        told.append("restart")
        if fails:
            raise PenstockError("not ready")
        if not is_ever_ready:
            try:
                await asyncio.Event().wait()
            finally:
                told.append("given up")

    async def run() -> None:
        watch = asyncio.create_task(
            watch_disk(Path("/store"), restart, lambda line: told.append(json.loads(line)["event"]))
        )
        for _ in range(200):
            await asyncio.sleep(0)
        assert not watch.done()
        so_far = [*told]
        watch.cancel()
        await asyncio.wait({watch})
        told[:] = so_far

    asyncio.run(run())
    return told


def test_brokers_are_restarted_once_there_is_room_again(monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(9 * ROOM_BYTES, 0, 0, 9 * ROOM_BYTES)

    assert watched(disk, monkeypatch) == ["disk full", "cure", "restart"]


def test_a_disk_with_room_is_no_reason_to_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    assert watched(Disk(ROOM_BYTES), monkeypatch) == []


def test_a_disk_around_the_limit_is_not_full_and_roomy_by_turns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    disk = Disk(ROOM_BYTES - 1, ROOM_BYTES + 1, ROOM_BYTES - 1, 2 * ROOM_BYTES - 1)

    assert watched(disk, monkeypatch) == ["disk full"]


def test_a_restart_that_fails_is_told_and_the_watch_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    disk = Disk(0, 9 * ROOM_BYTES, 0, 9 * ROOM_BYTES)

    told = watched(disk, monkeypatch, fails=True)

    assert told == ["disk full", "cure", "restart", "cure failed"] * 2


def test_a_disk_that_fills_again_before_the_brokers_are_ready_has_them_restarted_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    disk = Disk(0, 9 * ROOM_BYTES, 9 * ROOM_BYTES, 9 * ROOM_BYTES, 0, 9 * ROOM_BYTES)

    told = watched(disk, monkeypatch, is_ever_ready=False)

    assert told == ["disk full", "cure", "restart", "disk full", "given up", "cure", "restart"]


def test_a_server_waits_for_room_before_it_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(os, "statvfs", Disk(0, 0, ROOM_BYTES))

    asyncio.run(asyncio.wait_for(wait_for_room(Path("/store"), told.append), 10))

    assert len(told) == 1
    assert "/store is full" in told[0]


def test_a_directory_that_is_not_there_yet_is_as_full_as_what_it_will_be_made_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []

    def full(directory: Path) -> SimpleNamespace:
        asked.append(directory)
        return Disk(0)(directory)

    monkeypatch.setattr(os, "statvfs", full)

    assert is_full(tmp_path / "not" / "there")
    assert asked == [tmp_path]
