"""Gaps: whether a database lacks history that EXEC does not hold any more.

Owners trim EXEC up to the marks that a projector left. A database whose watermark is behind the
marks is not the one that they speak of: an empty one, or an older copy. If EXEC is still whole it
is simply filled again; else what is missing is missing for good, and going on would move the marks
further, so that the right database would lack something as well when it comes back.

The other way round, a database may hold the history of an EXEC that is gone: its broker began anew.
By sequence that shows only until the new EXEC is as long, so a projector leaves a sign beside EXEC
before it stores anything (`leave_sign`).
"""

from penstock.actors.marks import begun_key, mark_prefix
from penstock.subjects.bus import Bus


async def gap(bus: Bus, region: str, *, reached: int, position: int, read_from: int) -> str:
    """What a database at this watermark lacks, as a sentence; empty when nothing. `reached` is the
    foremost mark as it was before the watermark was read: another projector may move both."""
    if reached <= position:
        return ""
    about = await bus.info("EXEC")
    is_whole = about["messages"] == about["last"] - about["first"] + 1
    if is_whole and about["first"] <= max(read_from, 1):
        return ""
    return (
        f"the history of {region} had reached {reached}, this database holds it up to {position}"
        " only, and EXEC has been trimmed since"
    )


async def is_begun(bus: Bus, region: str) -> bool:
    """Whether a history has begun with this EXEC, and not only by older programs."""
    return await bus.bucket("marks").get(begun_key(region)) is not None


async def leave_sign(bus: Bus, region: str) -> None:
    """Tell `is_begun` that one begins now."""
    await bus.bucket("marks").put(begun_key(region), b"1")


async def foremost_mark(bus: Bus, region: str) -> int:
    """Up to where a history of the region has been, by its marks."""
    reached = 0
    async for entry in bus.bucket("marks").watch():
        if entry is None:
            break
        if entry.value is not None and entry.key.startswith(mark_prefix(region)):
            reached = max(reached, int(entry.value))
    return reached
