"""What the API says of the installation."""

import asyncio

from penstock.gateway.programs import heartbeats
from penstock.subjects import names
from penstock.subjects.history import HistoryAnswer
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


async def test_the_lag_is_what_the_history_says_and_not_known_when_it_says_nothing(
    gw: Gateway,
) -> None:
    gw.owners.lag = HistoryAnswer(lag=3)
    known = await gw.api("GET", "/status")
    gw.owners.lag = HistoryAnswer(problem="no database", is_unavailable=True)
    unknown = await gw.api("GET", "/status")

    assert (known.json["history_lag"], unknown.json["history_lag"]) == (3, -1)
