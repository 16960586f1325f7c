"""What the API says of the installation."""

import asyncio

from penstock.gateway.programs import heartbeats
from penstock.subjects import names
from penstock.subjects.messages import Heartbeat
from tests.unit.gateway.harness import Gateway


async def test_programs_show_their_problems_and_how_user_code_is_kept(gw: Gateway) -> None:
    isolation = {"active": ["process"], "missing": {"seccomp": "refused"}, "groups": "cgroup v2"}
    beat = Heartbeat("sandbox", "h1", 7, 0, isolation=isolation)
    beat.problems = ["user code is refused"]
    heard = asyncio.Event()
    gw.bus.subscribe("hb.sandbox.*", lambda _: heard.set())
    gw.bus.publish(names.heartbeat("sandbox", "h1"), heartbeats.encode(beat))

    await asyncio.wait_for(heard.wait(), 5)
    answer = await gw.api("GET", "/status")

    (host,) = [one for one in answer.json["programs"] if one["kind"] == "sandbox"]
    assert (host["problems"], host["isolation"]) == (["user code is refused"], isolation)
