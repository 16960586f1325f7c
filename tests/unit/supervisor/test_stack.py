"""The tree behind `penstock up`: who waits for whom."""

import socket
from pathlib import Path

from penstock.supervisor import broker
from penstock.supervisor.data_dir import DataDir
from penstock.supervisor.spec import SupervisorSpec
from penstock.supervisor.stack import SANDBOX_DRAIN_S, StackSettings, stack


def tree_of(directory: Path, *, gateways: int = 1, actors: int = 1) -> SupervisorSpec:
    data_dir = DataDir(directory / "data")
    data_dir.prepare()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        servers = broker.configure(data_dir, 1, "local")
        return stack(
            StackSettings(
                data_dir=data_dir,
                listeners=[listener],
                broker=servers,
                gateways=gateways,
                actors=actors,
            )
        )


def awaited(tree: SupervisorSpec) -> set[str]:
    """Every child that keeps its later siblings from starting."""
    here = {child.name for child in tree.children if child.is_awaited}
    return here.union(*(awaited(child.tree) for child in tree.children if child.tree is not None))


def test_nobody_waits_for_anything_but_the_broker(tmp_path: Path) -> None:
    assert awaited(tree_of(tmp_path)) == {"broker", "nats"}


def test_a_sandbox_host_has_time_to_give_back_what_does_not_end(tmp_path: Path) -> None:
    [group] = [one for one in tree_of(tmp_path).children if one.name == "sandbox-hosts"]
    assert group.tree is not None
    [host] = group.tree.children

    assert host.shutdown_s > SANDBOX_DRAIN_S
