"""`python -m penstock.supervisor.declaring REGION FILE_BYTES MEMORY_BYTES REPLICAS`

Makes the broker that the environment names hold every stream of a region, and ends. Whoever waits
for it may start it before the broker: it waits too.
"""

import asyncio
import os
import sys

from penstock.subjects.bus_nats import NatsBus
from penstock.subjects.errors import PenstockError
from penstock.subjects.streams import Budget, ensure

_CONNECT_S = 30.0


async def declare(region: str, budget: Budget) -> None:
    """Connect as the environment says and declare everything."""
    bus = await NatsBus.connect(
        os.environ["PENSTOCK_NATS_URL"],
        user=os.environ["PENSTOCK_NATS_USER"],
        password=os.environ["PENSTOCK_NATS_PASSWORD"],
        name="penstock.declaring",
        wait_s=_CONNECT_S,
    )
    try:
        await ensure(bus, region, budget)
    finally:
        await bus.close()


def main(words: list[str]) -> int:
    """The exit status; why it failed is on stderr."""
    region, file_bytes, memory_bytes, replicas = words
    budget = Budget(
        file_bytes=int(file_bytes), memory_bytes=int(memory_bytes), replicas=int(replicas)
    )
    try:
        asyncio.run(declare(region, budget))
    except PenstockError as error:
        print(error.message, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
