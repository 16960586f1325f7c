"""`penstock up` with several gateways and actor hosts: work is spread, and nobody is missed."""

import os
import signal
import socket
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import psutil

from tests.acceptance.client import Product, running, until
from tests.acceptance.documents import assign, chain, webhook


def pids_of(product: Product, module: str) -> list[int]:
    children = psutil.Process(product.process.pid).children(recursive=True)
    return [child.pid for child in children if child.cmdline()[-1:] == [module]]


def connections(pid: int, port: int) -> int:
    held = psutil.Process(pid).net_connections("inet")
    return sum(one.laddr.port == port and one.status == psutil.CONN_ESTABLISHED for one in held)


def test_work_is_spread_and_goes_on_when_a_gateway_stands_still(tmp_path: Path) -> None:
    with running(tmp_path / "data", "--gateways", "2", "--actors", "2") as product:
        product.create(chain("spread", webhook("spread"), assign("Set", a="b")))
        gateways = pids_of(product, "penstock.gateway")
        host, port = product.url.removeprefix("http://").split(":")

        with ExitStack() as closing:
            for _ in range(64):
                closing.enter_context(socket.create_connection((host, int(port))))
            until(lambda: sum(connections(pid, int(port)) for pid in gateways) == 64, seconds=10)
            assert min(connections(pid, int(port)) for pid in gateways) >= 8

        partitions = product.api("GET", "/status").json["partitions"]
        owned = Counter(one["owner"] for one in partitions)
        assert len(owned) == 2
        assert max(owned.values()) - min(owned.values()) <= 1

        os.kill(gateways[0], signal.SIGSTOP)
        try:
            answers = [product.webhook("spread", {}) for _ in range(20)]
        finally:
            os.kill(gateways[0], signal.SIGCONT)
        assert [answer.json for answer in answers] == [{"a": "b"}] * 20
