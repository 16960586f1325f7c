"""How many brokers an installation runs with, and its streams on them.

The number stands in `nats/nodes`. Asked for another one, the streams are moved first (`moving`).
"""

from collections.abc import Callable
from pathlib import Path

from penstock.subjects import logs
from penstock.supervisor import broker, nats
from penstock.supervisor.broker import Broker
from penstock.supervisor.data_dir import DataDir, damaged, write_durably

NODES = (1, 3, 5)
"""An even number would not survive more than the odd one below it."""


async def brokers_of(
    data_dir: DataDir, wanted: int, region: str, told: Callable[[str], None]
) -> Broker:
    """The brokers that this installation is to run with, its streams moved to them if need be.

    `wanted` 0: as many as it was made with.
    """
    file = data_dir.nats / "nodes"
    made_with = _made_with(data_dir, file)
    nodes = wanted or made_with or 1
    if made_with not in (0, nodes):
        from penstock.supervisor.moving import move  # it needs the broker's client, rarely

        told(logs.line("up", f"moving from {made_with} to {nodes} brokers"))
        await move(data_dir, made_with, nodes, region)
    if made_with != nodes:
        write_durably(file, f"{nodes}\n")
        nats.remove(nats.stores(data_dir, made_with))
    return broker.configure(data_dir, nodes, region)


def _made_with(data_dir: DataDir, file: Path) -> int:
    """How many brokers hold this installation's streams; 0 when there are none yet."""
    if file.exists():
        text = file.read_text().strip()
        if text not in map(str, NODES):
            shown = f"write into it how many brokers there are, as {data_dir.nats} shows"
            raise damaged(file, f"{shown} (1, 3 or 5)")
        return int(text)
    return 1 if nats.store(data_dir).exists() else 0
