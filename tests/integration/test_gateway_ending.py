"""The gateway as a process that is told to end: every request that was sent is answered first.

With what its execution comes to, while there is time; else with word that it goes on. Under load
no connection breaks.
"""

import asyncio
import http.client
import threading
from pathlib import Path
from typing import Any

from penstock.subjects import names
from penstock.subjects.bus import Message
from penstock.subjects.bus_nats import NatsBus
from penstock.subjects.codec import Codec
from penstock.subjects.messages import Reply
from tests.integration.gateway_process import (
    PARTITIONS,
    RUNS,
    Process,
    broker,
    gateway,
    stored,
    until,
)
from tests.servers import NatsServer

REPLIES: Codec[list[Reply]] = Codec(list[Reply])


class Steady:
    """A caller with one connection, which it uses again and again until it is told not to."""

    def __init__(self, process: Process, path: str) -> None:
        self.served = 0
        self.broken: list[str] = []
        self._address = process.url.removeprefix("http://").split(":")
        self._path = path
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        host, port = self._address
        while True:
            connection = http.client.HTTPConnection(host, int(port), timeout=10)
            try:
                connection.connect()
            except ConnectionRefusedError:
                return
            try:
                while self._call(connection):
                    pass
            except (OSError, http.client.HTTPException) as error:
                self.broken.append(f"{type(error).__name__}: {error}")
            connection.close()

    def _call(self, connection: http.client.HTTPConnection) -> bool:
        """One request; whether the connection may be used again."""
        connection.request("POST", self._path, b"{}", {"Content-Type": "application/json"})
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, body
        self.served += 1
        return answer.getheader("connection") != "close"


def test_on_sigterm_what_waits_is_answered_and_the_process_ends(tmp_path: Path) -> None:
    with broker() as server:
        with gateway(tmp_path, server.url) as process:
            process.create("sync", "lastNode")
            answers: list[Any] = []
            caller = threading.Thread(
                target=lambda: answers.append(process.call("POST", "/webhook/sync", {}))
            )
            caller.start()
            until(lambda: stored(server))
            process.child.terminate()
            until(lambda: process.call("GET", "/healthz", timeout=1)[0] == 0)

            asyncio.run(answer_all(server))

            caller.join(10)
            assert process.child.wait(10) == 0
        assert answers[0][0] == 200
        assert answers[0][2] == {"late": True}


def test_on_sigterm_what_is_not_answered_in_time_is_told_that_it_goes_on(tmp_path: Path) -> None:
    with broker() as server, gateway(tmp_path, server.url) as process:
        process.create("sync", "lastNode")
        answers: list[Any] = []
        caller = threading.Thread(
            target=lambda: answers.append(process.call("POST", "/webhook/sync", {}))
        )
        caller.start()
        execution = until(lambda: stored(server))[0]

        process.child.terminate()

        caller.join(10)
        assert process.child.wait(10) == 0
        status, headers, problem = answers[0]
        assert (status, headers["x-penstock-execution"]) == (504, execution)
        assert problem["execution"] == execution


async def answer_all(server: NatsServer) -> None:
    """Answer every waiting request in the stream, as owners do."""
    bus = await NatsBus.connect(server.url, name="owner")
    answered = asyncio.Event()

    def reply(message: Message) -> None:
        for run in RUNS.decode(message.payload):
            if run.reply is not None:
                answer = Reply(run.reply.request, run.execution, 200, {}, b'{"late":true}')
                bus.publish(names.replies(run.reply.gateway), REPLIES.encode([answer]))
                answered.set()

    for partition in range(PARTITIONS):
        bus.follow("EXEC", names.runs("local", partition), 1, reply)
    await asyncio.wait_for(answered.wait(), 10)
    await bus.info("EXEC")  # a round trip: what was published before it has left
    await bus.close()


def test_on_sigterm_under_load_no_request_that_was_sent_goes_without_its_answer(
    tmp_path: Path,
) -> None:
    with broker() as server, gateway(tmp_path, server.url) as process:
        process.create("async", "onReceived")
        callers = [Steady(process, "/webhook/async") for _ in range(16)]
        until(lambda: all(caller.served > 5 for caller in callers))

        process.child.terminate()

        for caller in callers:
            caller.thread.join(20)
        assert process.child.wait(10) == 0
        assert [broken for caller in callers for broken in caller.broken] == []
