"""Every subject of Penstock, built and checked in one place.

Tokens come from people (tenant names) and from the network; a dot or a wildcard in one would
reach another's subjects, so every token is checked before it becomes part of a subject.
"""

import re

from penstock.subjects.errors import PenstockError

_TOKEN = re.compile(r"[a-z0-9-]{1,63}", re.ASCII)


class InvalidTokenError(PenstockError):
    """A string that may not be part of a subject."""


def token(value: str) -> str:
    """`value` unchanged if it may be a subject token, else `InvalidTokenError`."""
    if _TOKEN.fullmatch(value) is None:
        raise InvalidTokenError(
            f"{value[:80]!r} cannot be part of a subject",
            remedy="use 1 to 63 lower-case letters, digits and hyphens",
        )
    return value


def runs(region: str, partition: int) -> str:
    """Run requests for a partition, in batches."""
    return f"exec.{region}.{partition}.in.run"


def direct_runs(region: str, partition: int) -> str:
    """Run requests straight to a partition's owner, stored by nobody on the way."""
    return f"run.{region}.{partition}"


def signals(region: str, partition: int) -> str:
    """Signals for a partition, in batches."""
    return f"exec.{region}.{partition}.in.signal"


def inputs(region: str, partition: int) -> str:
    """All inputs of a partition (a filter)."""
    return f"exec.{region}.{partition}.in.*"


def journal(region: str, partition: int) -> str:
    """What a partition decided: one record per wake-up."""
    return f"exec.{region}.{partition}.journal"


def partition_all(region: str, partition: int) -> str:
    """Inputs and journal of a partition (a filter)."""
    return f"exec.{region}.{partition}.>"


def snapshot_head(region: str, partition: int) -> str:
    """The pointer to a partition's newest complete snapshot."""
    return f"snap.{region}.{partition}.head"


def snapshot_chunk(region: str, partition: int, generation: str, chunk: int) -> str:
    """One chunk of a snapshot."""
    return f"snap.{region}.{partition}.{token(generation)}-{chunk}"


def snapshot_all(region: str, partition: int) -> str:
    """All of a partition's snapshots (a filter)."""
    return f"snap.{region}.{partition}.*"


def steps(region: str, tier: str) -> str:
    """Batches of steps for the sandbox hosts of a tier."""
    return f"step.{region}.{token(tier)}"


def done(region: str, partition: int) -> str:
    """Batches of step results for a partition."""
    return f"done.{region}.{partition}"


def dead(region: str, reason: str) -> str:
    """Quarantined messages."""
    return f"dead.{region}.{token(reason)}"


def audit(tenant: str) -> str:
    """A tenant's audit trail."""
    return f"audit.{token(tenant)}"


def replies(gateway: str) -> str:
    """Answers to one gateway's waiting requests."""
    return f"reply.{token(gateway)}"


def ask(region: str, partition: int, kind: str) -> str:
    """Request and reply with a partition's owner."""
    return f"ask.{region}.{partition}.{token(kind)}"


def history(region: str, kind: str) -> str:
    """Request and reply with whoever keeps a region's history."""
    return f"ask.{region}.history.{token(kind)}"


def heartbeat(kind: str, program_id: str) -> str:
    """A program's sign of life."""
    return f"hb.{token(kind)}.{token(program_id)}"


def tap(tenant: str, workflow: str, execution: str, event: str) -> str:
    """The live feed for people."""
    return f"tap.{token(tenant)}.{token(workflow)}.{token(execution)}.{token(event)}"
