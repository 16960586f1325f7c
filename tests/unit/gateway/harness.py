"""A gateway on the memory bus, called as ASGI, with a stand-in for the partition owners.

The stand-in is a fake at the port: it reads run requests and signals from the stream as an owner
does, remembers them, answers requests that wait, and answers questions.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from penstock.gateway.front import Front
from penstock.gateway.lifecycle import Lifecycle
from penstock.gateway.metrics import Metrics
from penstock.gateway.parts import Surroundings, assemble
from penstock.nodes.registry import REGISTRY
from penstock.subjects import asks, names
from penstock.subjects.bus import Message
from penstock.subjects.bus_memory import MemoryBus
from penstock.subjects.clock import SystemClock
from penstock.subjects.codec import Codec
from penstock.subjects.history import ANSWER, LIST, READ, ExecutionPage, HistoryAnswer, Recorded
from penstock.subjects.ids import new_id, partition_of, root_of
from penstock.subjects.memory_broker import MemoryBroker
from penstock.subjects.messages import Reply, Resume, RunRequest, Signal
from penstock.subjects.resume_urls import ResumeKeys
from penstock.subjects.streams import Budget, ensure
from penstock.subjects.views import ExecutionView
from penstock.subjects.workflows import WORKFLOWS

RUNS: Codec[list[RunRequest]] = Codec(list[RunRequest])
SIGNALS: Codec[list[Signal]] = Codec(list[Signal])
REPLIES: Codec[list[Reply]] = Codec(list[Reply])
TOKEN = "the-owner's-token"
PARTITIONS = 4

Document = dict[str, Any]


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class MemoryBlobs:
    """A dictionary where the object store is."""

    def __init__(self) -> None:
        self.stored: dict[str, bytes] = {}

    async def put(self, data: bytes) -> str:
        name = f"blob{len(self.stored)}"
        self.stored[name] = data
        return name

    async def get(self, name: str) -> bytes:
        return self.stored[name]


@dataclass
class Owners:
    """Stands in for all partition owners and for the history."""

    bus: MemoryBus
    runs: list[RunRequest] = field(default_factory=list)
    batches: list[list[RunRequest]] = field(default_factory=list)
    signals: list[Signal] = field(default_factory=list)
    answer: Callable[[RunRequest | Resume], tuple[int, dict[str, str], bytes] | None] = (
        lambda request: None
    )
    lost_replies: bool = False
    kept: dict[str, Reply] = field(default_factory=dict)
    lease: asks.LeaseAnswer | None = field(
        default_factory=lambda: asks.LeaseAnswer(0, 60_000, limited=False)
    )
    leases_asked: int = 0
    up_to: list[int] = field(default_factory=lambda: [0] * PARTITIONS)
    """The last input that each has handled."""
    views: dict[str, ExecutionView] = field(default_factory=dict)
    ended: dict[str, ExecutionView] = field(default_factory=dict)
    recorded: dict[str, Recorded] = field(default_factory=dict)
    lag: HistoryAnswer = field(default_factory=HistoryAnswer)

    def start(self) -> None:
        for partition in range(PARTITIONS):
            self.bus.follow("EXEC", names.inputs("local", partition), 1, self._on_input)
        self.bus.subscribe("ask.>", self._on_ask)

    def _on_input(self, message: Message) -> None:
        self.up_to[int(message.subject.split(".")[2])] = message.sequence
        if message.subject.endswith(".run"):
            batch = RUNS.decode(message.payload)
            self.batches.append(batch)
            for request in batch:
                self.runs.append(request)
                self._reply(request)
        else:
            for signal in SIGNALS.decode(message.payload):
                self.signals.append(signal)
                if isinstance(signal, Resume):
                    self._reply(signal)

    def _reply(self, request: RunRequest | Resume) -> None:
        found = self.answer(request)
        if request.reply is None or found is None:
            return
        reply = Reply(request.reply.request, request.execution, *found)
        self.kept[request.execution] = reply
        if not self.lost_replies:
            self.bus.publish(names.replies(request.reply.gateway), REPLIES.encode([reply]))

    def _on_ask(self, message: Message) -> None:
        kind = message.subject.rpartition(".")[2]
        answer = getattr(self, f"_ask_{kind}")(message.payload)
        if answer is not None:
            self.bus.publish(message.reply, answer)

    def _ask_lease(self, payload: bytes) -> bytes | None:
        self.leases_asked += 1
        return None if self.lease is None else asks.lease_answer.encode(self.lease)

    def _ask_reply(self, payload: bytes) -> bytes:
        execution = asks.ask_reply.decode(payload).execution
        up_to = self.up_to[partition_of(root_of(execution), PARTITIONS)]
        answer = asks.ReplyAnswer(self.kept.get(execution), False, up_to)
        return asks.reply_answer.encode(answer)

    def _ask_state(self, payload: bytes) -> bytes:
        execution = asks.ask_state.decode(payload).execution
        return asks.state_answer.encode(asks.StateAnswer(self.views.get(execution)))

    def _ask_read(self, payload: bytes) -> bytes:
        view = self.ended.get(READ.decode(payload).execution)
        return ANSWER.encode(HistoryAnswer(view=view))

    def _ask_events(self, payload: bytes) -> bytes:
        recorded = self.recorded.get(READ.decode(payload).execution)
        return ANSWER.encode(HistoryAnswer(recorded=recorded))

    def _ask_lag(self, payload: bytes) -> bytes:
        return ANSWER.encode(self.lag)

    def _ask_list(self, payload: bytes) -> bytes:
        query = LIST.decode(payload)
        if query.cursor:
            return ANSWER.encode(HistoryAnswer(problem="the cursor is none of ours"))
        return ANSWER.encode(HistoryAnswer(page=ExecutionPage(list(self.ended.values()))))


@dataclass
class Gateway:
    """The gateway under test."""

    front: Front
    bus: MemoryBus
    blobs: MemoryBlobs
    owners: Owners
    metrics: Metrics
    resume_keys: ResumeKeys

    async def call(
        self,
        method: str,
        target: str,
        body: Any = b"",
        *,
        client: str = "127.0.0.1",
        **headers: str,
    ) -> Answer:
        """One request. A body that is not bytes is sent as JSON."""
        given = {name.replace("_", "-").lower(): value for name, value in headers.items()}
        if not isinstance(body, bytes):
            body = msgspec.json.encode(body)
            given.setdefault("content-type", "application/json")
        if body:
            given.setdefault("content-length", str(len(body)))
        return await asgi(self.front, scope_of(method, target, client, given), body)

    async def api(self, method: str, path: str, body: Any = b"", **headers: str) -> Answer:
        """One request of the owner to the REST API."""
        bearer = {"authorization": f"Bearer {TOKEN}"}
        return await self.call(method, f"/api/v1{path}", body, **(bearer | headers))

    async def create(self, document: Document, *, activate: bool = True) -> str:
        created = await self.api("POST", "/workflows", document)
        assert created.status == 201, created.body
        workflow: str = created.json["id"]
        if activate:
            activated = await self.api("POST", f"/workflows/{workflow}/activate")
            assert activated.status == 200, activated.body
        return workflow


def scope_of(method: str, target: str, client: str, headers: dict[str, str]) -> dict[str, Any]:
    """What a server tells an application of a request."""
    path, _, query = target.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(n.encode("latin-1"), v.encode("latin-1")) for n, v in headers.items()],
        "client": (client, 1234),
        "server": ("127.0.0.1", 80),
        "state": {},
    }


async def asgi(app: Any, scope: dict[str, Any], body: bytes) -> Answer:
    """Call an ASGI application as a server does."""
    chunks = [body[i : i + 65536] for i in range(0, len(body), 65536)] or [b""]
    events = [
        {"type": "http.request", "body": chunk, "more_body": number + 1 < len(chunks)}
        for number, chunk in enumerate(chunks)
    ]
    never: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    sent: list[Any] = []

    async def receive() -> Any:
        return events.pop(0) if events else await never

    async def send(event: Any) -> None:
        sent.append(event)

    await app(scope, receive, send)
    assert sent, "nothing was answered"
    found = {n.decode("latin-1").lower(): v.decode("latin-1") for n, v in sent[0]["headers"]}
    return Answer(sent[0]["status"], found, b"".join(e.get("body", b"") for e in sent[1:]))


@asynccontextmanager
async def gateway(directory: Path, *, open_it: bool = True) -> AsyncIterator[Gateway]:
    """A gateway on a broker of its own."""
    bus = MemoryBus(MemoryBroker())
    await ensure(bus, "local", Budget(file_bytes=1 << 30))
    token = directory / "owner-token"
    token.write_text(TOKEN + "\n")
    metrics = Metrics()
    front = Front(Lifecycle(metrics), token)
    blobs = MemoryBlobs()
    clock = SystemClock()
    owners = Owners(bus)
    owners.start()
    resume_keys = ResumeKeys(directory / "resume-keys")
    parts = assemble(
        Surroundings(
            bus=bus,
            blobs=blobs,
            clock=clock,
            types=REGISTRY,
            metrics=metrics,
            gateway=new_id(clock.now_ms()),
            partitions=PARTITIONS,
            public_url="http://penstock.example",
            resume_keys=resume_keys,
        )
    )
    front.attach(parts)
    tasks = [
        asyncio.create_task(parts.catalog.follow(bus.bucket(WORKFLOWS))),
        asyncio.create_task(parts.replies.sweep()),
    ]
    try:
        await parts.catalog.loaded.wait()
        if open_it:
            front.open()
        yield Gateway(front, bus, blobs, owners, metrics, resume_keys)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await bus.close()


async def until(condition: Callable[[], Any], seconds: float = 5.0) -> Any:
    """Poll until `condition` gives something true."""
    async with asyncio.timeout(seconds):
        while not (found := condition()):  # noqa: ASYNC110 - any condition, not only events
            await asyncio.sleep(0.005)
        return found


def webhook(path: str, mode: str = "onReceived", **parameters: Any) -> Document:
    """A webhook node."""
    return {
        "id": "w",
        "name": parameters.pop("name", "Webhook"),
        "type": "n8n-nodes-base.webhook",
        "typeVersion": parameters.pop("version", 2),
        "position": [0, 0],
        "webhookId": parameters.pop("webhook_id", ""),
        "parameters": {"httpMethod": "POST", "path": path, "responseMode": mode} | parameters,
    }


def no_op(name: str, kind: str = "n8n-nodes-base.noOp", **parameters: Any) -> Document:
    """A node that does nothing, or of an unknown kind."""
    return {
        "id": name,
        "name": name,
        "type": kind,
        "typeVersion": 1,
        "position": [200, 0],
        "parameters": parameters,
    }


def chain(title: str, *nodes: Document) -> Document:
    """A document whose nodes follow one another."""
    return {
        "name": title,
        "nodes": list(nodes),
        "connections": {
            a["name"]: {"main": [[{"node": b["name"], "type": "main", "index": 0}]]}
            for a, b in pairwise(nodes)
        },
        "settings": {"executionOrder": "v1"},
    }
