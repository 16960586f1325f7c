"""Static data: what a workflow's code keeps from one execution to the next.

The bucket `static` holds one entry per workflow under the key of its record: an object whose keys
are `global` and `node:<name>`, as n8n stores it. Sandbox hosts read it for code that asks for it;
the owner of an execution writes it when that ends. As in n8n the last execution to end wins.
"""

from typing import Any

import msgspec

from penstock.subjects.codec import Codec

STATIC = "static"
BYTES_MAX = 1 << 20


class StaticData(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What an execution that ended at `at_ms` left behind. `sequence`: of the record in EXEC that
    says so, which tells what is later; 0 where a version wrote it that went by `at_ms`."""

    at_ms: int
    data: dict[str, Any]
    sequence: int = 0

    def gives_way_to(self, other: "StaticData") -> bool:
        """Whether `other`, whose sequence is known, may replace this."""
        if self.sequence:
            return self.sequence <= other.sequence
        return self.at_ms <= other.at_ms


static_data: Codec[StaticData] = Codec(StaticData)
"""How the entries of the bucket are written."""
