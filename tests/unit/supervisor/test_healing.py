"""What is done about wedged streams and frozen servers, second by second."""

from collections.abc import Collection, Mapping

from penstock.supervisor.broker import Standing
from penstock.supervisor.healing import FROZEN_S, GRACE_S, PATIENCE_S, Cure, Healing

ALL = frozenset({"nats-1", "nats-2", "nats-3"})
HEALTHY = {name: True for name in ALL}


def led_by(leader: str, complete: Collection[str] = ALL) -> dict[str, Standing]:
    return {"EXEC": Standing(leader, frozenset(complete))}


def play(
    seconds: float,
    *,
    wedged: Collection[str] = (),
    serving: Mapping[str, bool] = HEALTHY,
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
        healing.seen(serving, now_s)
        cure = healing.cure(led_by("nats-1") if standings is None else standings, now_s)
        if isinstance(cure, Cure):
            done.append((cure.kind, cure.server, cure.stream))
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
    frozen = HEALTHY | {"nats-2": False}

    assert play(FROZEN_S - 1, serving=frozen) == []
    assert play(FROZEN_S + GRACE_S - 1, serving=frozen) == [("restart", "nats-2", "")]


def test_nothing_is_restarted_while_two_servers_are_silent() -> None:
    frozen = HEALTHY | {"nats-2": False, "nats-3": False}

    assert play(60, serving=frozen) == []


def test_a_silent_server_keeps_a_second_one_from_being_restarted_for_its_stream() -> None:
    frozen = HEALTHY | {"nats-2": False}

    done = play(FROZEN_S - 1, wedged=["EXEC"], serving=frozen)

    assert done == [("step down", "nats-1", "EXEC")]
