"""Activations that meet over one path, at every moment where it matters: one of them gets it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from penstock.gateway.claims import Claims
from penstock.subjects.workflows import ROUTES
from tests.unit.gateway.harness import Answer, Gateway, chain, no_op, webhook


@dataclass
class Gate:
    """Holds up whoever comes to it until it is opened."""

    reached: asyncio.Event
    opened: asyncio.Event

    async def pass_through(self) -> None:
        self.reached.set()
        await self.opened.wait()


def gate_after(
    monkeypatch: pytest.MonkeyPatch, name: str, is_meant: Callable[..., bool], *, call: int = 1
) -> Gate:
    """A gate behind the n-th call of a method of `Claims` with arguments that are meant."""
    gate = Gate(asyncio.Event(), asyncio.Event())
    real = getattr(Claims, name)
    calls = 0

    async def gated(self: Claims, *args: Any) -> Any:
        nonlocal calls
        result = await real(self, *args)
        if is_meant(*args):
            calls += 1
            if calls == call:
                await gate.pass_through()
        return result

    monkeypatch.setattr(Claims, name, gated)
    return gate


async def three(gw: Gateway) -> list[str]:
    """Workflows with one path, none of them active."""
    documents = [
        chain(name, webhook("hello", webhook_id=name), no_op("x")) for name in ("a", "b", "c")
    ]
    return [await gw.create(document, activate=False) for document in documents]


def activating(gw: Gateway, workflow: str) -> asyncio.Task[Answer]:
    return asyncio.create_task(gw.api("POST", f"/workflows/{workflow}/activate"))


async def owners(gw: Gateway, workflows: list[str]) -> list[str]:
    """Those that are active."""
    answers = [await gw.api("GET", f"/workflows/{workflow}") for workflow in workflows]
    return [answer.json["id"] for answer in answers if answer.json["active"]]


async def claimed(gw: Gateway) -> list[str]:
    """The keys of all claims."""
    keys: list[str] = []
    async for entry in gw.bus.bucket(ROUTES).watch():
        if entry is None:
            break
        keys.append(entry.key)
    return keys


async def test_who_became_active_after_the_other_had_looked_keeps_its_path(
    gw: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, c = await three(gw)
    a_took = gate_after(monkeypatch, "take", lambda record, _: record.id == a)
    b_looked = gate_after(monkeypatch, "_refuse_if_owned", lambda _, owner, __: owner == a)
    first = activating(gw, a)
    await a_took.reached.wait()
    second = activating(gw, b)
    await b_looked.reached.wait()

    a_took.opened.set()
    assert (await first).status == 200  # its claim stands as it looks again
    b_looked.opened.set()

    assert (await second).status == 409
    assert await owners(gw, [a, b, c]) == [a]
    assert (await activating(gw, c)).status == 409
    renamed = await gw.api("PUT", f"/workflows/{a}", chain("d", webhook("hello"), no_op("y")))
    assert (renamed.status, await owners(gw, [a, b, c])) == (200, [a])


async def test_who_becomes_active_while_its_claim_is_being_taken_takes_it_back(
    gw: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, c = await three(gw)
    a_took = gate_after(monkeypatch, "take", lambda record, _: record.id == a)
    b_looked_again = gate_after(
        monkeypatch, "_refuse_if_owned", lambda _, owner, __: owner == a, call=2
    )
    first = activating(gw, a)
    await a_took.reached.wait()
    second = activating(gw, b)
    await b_looked_again.reached.wait()

    a_took.opened.set()
    assert (await first).status == 200
    b_looked_again.opened.set()

    assert (await second).status == 409
    assert await owners(gw, [a, b, c]) == [a]


async def test_who_becomes_active_after_its_claim_was_taken_gives_way(
    gw: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, c = await three(gw)
    a_took = gate_after(monkeypatch, "take", lambda record, _: record.id == a)
    first = activating(gw, a)
    await a_took.reached.wait()

    assert (await activating(gw, b)).status == 200
    a_took.opened.set()

    assert (await first).status == 409
    assert await owners(gw, [a, b, c]) == [b]


async def test_a_third_looks_at_all_from_whom_a_claim_is_being_taken(
    gw: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, c = await three(gw)
    a_took = gate_after(monkeypatch, "take", lambda record, _: record.id == a)
    b_looked = gate_after(monkeypatch, "_refuse_if_owned", lambda _, owner, __: owner == a)
    first = activating(gw, a)
    await a_took.reached.wait()
    second = activating(gw, b)
    await b_looked.reached.wait()
    a_took.opened.set()
    assert (await first).status == 200
    real = Claims._refuse_if_owned
    b_claimed = asyncio.Event()
    c_refused = asyncio.Event()

    async def before(self: Claims, *args: Any) -> None:
        """Of the second look of B, which is the next look at A."""
        if not b_claimed.is_set():
            b_claimed.set()
            await c_refused.wait()
        await real(self, *args)

    monkeypatch.setattr(Claims, "_refuse_if_owned", before)
    b_looked.opened.set()
    await b_claimed.wait()

    assert (await activating(gw, c)).status == 409
    c_refused.set()

    assert (await second).status == 409
    assert await owners(gw, [a, b, c]) == [a]


async def test_an_activation_while_its_workflow_is_deleted_leaves_its_path_free(
    gw: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, _ = await three(gw)
    assert (await activating(gw, a)).status == 200
    released = gate_after(monkeypatch, "release", lambda record, routes: bool(routes))
    deleting = asyncio.create_task(gw.api("DELETE", f"/workflows/{a}"))
    await released.reached.wait()

    assert (await activating(gw, a)).status == 200
    released.opened.set()

    assert (await deleting).status == 204
    assert (await gw.api("GET", f"/workflows/{a}")).status == 404
    assert (await gw.call("POST", "/webhook/hello", {})).status == 404
    assert await claimed(gw) == []
    assert (await activating(gw, b)).status == 200


async def test_a_workflow_that_was_activated_again_is_not_deleted_as_it_was_before(
    gw: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, _, _ = await three(gw)
    active = await activating(gw, a)
    released = gate_after(monkeypatch, "release", lambda record, routes: bool(routes))
    as_it_was = {"if_match": active.headers["etag"]}
    deleting = asyncio.create_task(gw.api("DELETE", f"/workflows/{a}", **as_it_was))
    await released.reached.wait()

    assert (await activating(gw, a)).status == 200
    released.opened.set()

    assert (await deleting).status == 412
    assert await owners(gw, [a]) == [a]
