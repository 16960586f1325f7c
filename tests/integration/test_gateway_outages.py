"""The gateway as a process while something is away: its broker, itself, or one beside it.

What it acknowledged is stored, and nothing twice, whoever was killed; a route that there is never
answers 404, but 503 until the broker is there; and whom another gateway leaves waiting it answers.
"""

import signal
import socket
import threading
from dataclasses import dataclass, field
from pathlib import Path

from tests.integration.gateway_process import Process, broker, gateway, stored, until
from tests.servers import free_port


@dataclass
class Callers:
    """Threads that call a webhook again and again and remember what was acknowledged."""

    process: Process
    path: str
    acknowledged: list[str] = field(default_factory=list)
    statuses: set[int] = field(default_factory=set)
    is_over: bool = False

    def __enter__(self) -> "Callers":
        self.threads = [threading.Thread(target=self._call) for _ in range(8)]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.is_over = True
        for thread in self.threads:
            thread.join()

    def wait_for(self, acknowledged: int) -> None:
        until(lambda: len(self.acknowledged) > acknowledged)

    def _call(self) -> None:
        while not self.is_over:
            status, headers, _ = self.process.call("POST", self.path, {"a": 1})
            self.statuses.add(status)
            if status == 200:
                self.acknowledged.append(headers["x-penstock-execution"])


def test_it_listens_before_the_broker_is_there_and_never_says_404_for_a_known_route(
    tmp_path: Path,
) -> None:
    with broker() as server:
        with gateway(tmp_path, server.url) as first:
            first.create("kept", "onReceived")
        server.stop()
        with gateway(tmp_path, server.url, port=free_port()) as second:
            seen: set[int] = set()
            until(lambda: second.call("GET", "/healthz")[0] == 200)
            status, headers, problem = second.call("POST", "/webhook/kept", {})
            assert status == 503
            assert headers["retry-after"]
            assert problem["title"]
            assert second.call("GET", "/readyz")[0] == 503
            server.start()

            def answered() -> bool:
                seen.add(second.call("POST", "/webhook/kept", {})[0])
                return 200 in seen

            until(answered)

        assert seen <= {200, 503}


def test_kill_9_of_the_gateway_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    with broker() as server:
        acknowledged: list[str] = []
        port = free_port()
        with gateway(tmp_path, server.url) as first:
            first.create("load", "onReceived")
        for _ in range(3):
            with gateway(tmp_path, server.url, port=port) as process:
                until(process.is_ready)
                with Callers(process, "/webhook/load") as callers:
                    callers.wait_for(100)
                    process.child.send_signal(signal.SIGKILL)
                    process.child.wait(10)
                acknowledged += callers.acknowledged
                assert callers.statuses <= {200, 0}

        found = stored(server)

    assert set(acknowledged) <= set(found)
    assert len(found) == len(set(found))


def test_kill_9_of_the_broker_loses_nothing_and_stores_nothing_twice(tmp_path: Path) -> None:
    with broker() as server:
        with gateway(tmp_path, server.url) as process:
            process.create("load", "onReceived")
            with Callers(process, "/webhook/load") as callers:
                for wanted in (100, 200, 300):
                    callers.wait_for(wanted)
                    server.kill()
                    server.start()
                callers.wait_for(400)
        found = stored(server)

    assert callers.statuses == {200}
    assert set(callers.acknowledged) <= set(found)
    assert len(found) == len(set(found))


def test_callers_whom_a_sibling_leaves_waiting_are_answered(tmp_path: Path) -> None:
    with broker() as server, socket.create_server(("127.0.0.1", 0)) as sibling:
        with gateway(tmp_path, server.url, sibling=sibling) as process:
            process.create("relieved", "onReceived")
            host, port = sibling.getsockname()
            left_waiting = Process(process.child, f"http://{host}:{port}")

            answers = [left_waiting.call("POST", "/webhook/relieved", {}) for _ in range(5)]

        assert [status for status, _, _ in answers] == [200] * 5
