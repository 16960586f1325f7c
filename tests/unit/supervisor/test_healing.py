"""What is done about wedged streams and frozen servers, second by second."""

from collections.abc import Collection, Mapping

import pytest

from penstock.supervisor.broker import Standing
from penstock.supervisor.healing import BARE_S, FROZEN_S, GRACE_S, PATIENCE_S, Cure, Healing, Seen

ALL = frozenset({"nats-1", "nats-2", "nats-3"})
HEALTHY: dict[str, Seen] = dict.fromkeys(ALL, "serving")


def led_by(leader: str, complete: Collection[str] = ALL) -> dict[str, Standing]:
    return {"EXEC": Standing(leader, frozenset(complete))}


def play(
    seconds: float,
    *,
    wedged: Collection[str] = (),
    servers: Mapping[str, Seen] = HEALTHY,
    standings: Mapping[str, Standing] | None = None,
    after: Healing | None = None,
) -> list[tuple[str, str, str]]:
    """What is done when this is heard and seen each second."""
    healing = after or Healing()
    first_s = 0.0 if after is None else 1_000.0
    done: list[tuple[str, str, str]] = []
    for second in range(int(seconds) + 1):
        now_s = first_s + second
        healing.heard(wedged, now_s)
        healing.seen(servers, now_s)
        cure = healing.cure(led_by("nats-1") if standings is None else standings, now_s)
        if isinstance(cure, Cure):
            done.append((cure.kind, ", ".join(cure.servers), cure.stream))
    return done


def test_a_healthy_cluster_is_left_alone() -> None:
    assert play(60) == []


def test_a_short_alarm_is_no_reason_to_act() -> None:
    assert play(PATIENCE_S - 1, wedged=["EXEC"]) == []


def test_a_lasting_alarm_takes_the_lead_from_the_leader_then_restarts_it() -> None:
    done = play(PATIENCE_S + GRACE_S, wedged=["EXEC"])

    assert done == [("step down", "nats-1", "EXEC"), ("restart", "nats-1", "EXEC")]


def test_an_alarm_that_ends_after_the_first_cure_has_no_second() -> None:
    healing = Healing()
    for second in range(int(PATIENCE_S) + 1):
        healing.heard(["EXEC"], second)
        cure = healing.cure(led_by("nats-1"), second)

    assert cure is not None
    assert play(60, after=healing) == []


def test_an_election_is_waited_out() -> None:
    assert play(60, wedged=["EXEC"], standings=led_by("")) == []
    assert play(60, wedged=["EXEC"], standings={}) == []


def test_the_only_other_complete_copy_is_not_left_alone() -> None:
    behind = led_by("nats-1", ["nats-1", "nats-2"])

    done = play(60, wedged=["EXEC"], standings=behind)

    assert {kind for kind, _, _ in done} == {"step down"}


def test_a_silent_server_is_restarted_once_and_given_time() -> None:
    frozen: dict[str, Seen] = HEALTHY | {"nats-2": "silent"}

    assert play(FROZEN_S - 1, servers=frozen) == []
    assert play(FROZEN_S + GRACE_S - 1, servers=frozen) == [("restart", "nats-2", "")]


def test_nothing_is_restarted_while_two_servers_are_silent() -> None:
    frozen: dict[str, Seen] = HEALTHY | {"nats-2": "silent", "nats-3": "silent"}

    assert play(60, servers=frozen) == []


def test_a_silent_server_keeps_a_second_one_from_being_restarted_for_its_stream() -> None:
    frozen: dict[str, Seen] = HEALTHY | {"nats-2": "silent"}

    done = play(FROZEN_S - 1, wedged=["EXEC"], servers=frozen)

    assert done == [("step down", "nats-1", "EXEC")]


def test_while_one_is_being_restarted_the_others_stay() -> None:
    healing = Healing()

    for second in range(60):
        healing.heard(["EXEC"], second)
        assert healing.cure(led_by("nats-1"), second, is_busy=True) is None


@pytest.mark.parametrize("looks", ["silent", "bare"])
def test_while_one_is_being_restarted_those_that_are_away_are_restarted_too(looks: Seen) -> None:
    healing = Healing()
    healing.seen(HEALTHY | {"nats-2": looks}, 0.0)

    cure = healing.cure(led_by("nats-1"), max(FROZEN_S, BARE_S), is_busy=True)

    assert cure is not None
    assert (cure.kind, cure.servers) == ("restart", ("nats-2",))


def test_servers_that_go_on_without_streams_are_restarted_together_and_given_time() -> None:
    bare: dict[str, Seen] = HEALTHY | {"nats-3": "bare", "nats-1": "bare"}

    assert play(BARE_S - 1, servers=bare) == []
    done = play(BARE_S + GRACE_S, servers=bare)
    assert done == [("restart", "nats-1, nats-3", "")] * 2


def test_one_that_is_silent_does_not_keep_those_without_streams_from_being_restarted() -> None:
    servers: dict[str, Seen] = {"nats-1": "bare", "nats-2": "silent", "nats-3": "bare"}

    done = play(BARE_S + 1, servers=servers)

    assert done == [("restart", "nats-1, nats-3", "")]


def test_who_has_its_streams_again_is_left_alone() -> None:
    healing = Healing()
    healing.seen(HEALTHY | {"nats-1": "bare"}, 0.0)
    healing.seen(HEALTHY, 1.0)

    assert play(BARE_S, after=healing) == []
