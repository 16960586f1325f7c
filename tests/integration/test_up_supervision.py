"""`penstock up` with real servers and stand-ins for our programs: what it promises of processes."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.up import ALL_STAND_INS, Up, running_up, wait_until

CHILDREN = ("nats", "postgres", "projector", "sandbox_host", "actors-1", "gateway-1")


@pytest.fixture
def data() -> Iterator[Path]:
    # Not pytest's directory: a unix socket's path must be short.
    with tempfile.TemporaryDirectory(prefix="penstock-", ignore_cleanup_errors=True) as directory:
        yield Path(directory) / "data"


def test_up_says_ready_once_serves_and_leaves_no_process_on_sigterm(data: Path) -> None:
    up = Up(data, stand_ins=ALL_STAND_INS)
    try:
        up.wait_until_ready()
        assert int(up.get()) == up.pid_of("gateway-1")
        assert set(up.tree()) == set(CHILDREN)

        assert up.stop(timeout_s=12) == 0
        assert up.process.stdout is not None
        assert up.process.stdout.read() == ""
        assert up.survivors() == []
    finally:
        up.close()


def test_secrets_are_the_owners_and_are_given_to_nobody_who_runs_user_code(data: Path) -> None:
    with running_up(data, stand_ins=ALL_STAND_INS) as up:
        assert stat.S_IMODE((data / "owner-token").stat().st_mode) == 0o600
        assert stat.S_IMODE(data.stat().st_mode) == 0o700
        seen = psutil.Process(up.pid_of("sandbox_host")).environ()
        assert seen["PENSTOCK_NATS_USER"] == "sandbox"
        assert "PENSTOCK_POSTGRES_URL" not in seen
        assert not any(up.token in value for value in seen.values())


def test_a_second_up_on_the_same_directory_refuses_and_says_why(data: Path) -> None:
    with running_up(data, stand_ins=ALL_STAND_INS) as up:
        second = Up(data, stand_ins=ALL_STAND_INS)

        assert second.wait() == 1
        assert f"in use by another `penstock up` (pid {up.process.pid})" in second.errors
        assert int(up.get()) == up.pid_of("gateway-1")


@pytest.mark.parametrize("signals", [[signal.SIGINT], [signal.SIGTERM, signal.SIGTERM]])
def test_every_way_of_asking_ends_it_in_order(data: Path, signals: list[signal.Signals]) -> None:
    with running_up(data, stand_ins=ALL_STAND_INS) as up:
        for number in signals:
            if up.process.poll() is None:
                up.process.send_signal(number)

        assert up.wait() == 0
        assert up.survivors() == []


def test_every_child_comes_back_after_kill_9_and_the_address_stays(data: Path) -> None:
    with running_up(data, stand_ins=ALL_STAND_INS) as up:
        for name in CHILDREN:
            killed = up.kill(name)

            up.wait_until_restarted(name, killed)

        assert int(up.get()) == up.pid_of("gateway-1")


def test_a_request_that_comes_while_the_gateway_is_dead_waits_for_the_next_one(data: Path) -> None:
    with running_up(data, stand_ins=ALL_STAND_INS) as up:
        killed = up.kill("gateway-1")

        answered_by = int(up.get())

        assert answered_by != killed


def test_kill_9_of_up_takes_its_children_along_and_the_next_start_recovers(data: Path) -> None:
    with running_up(data, stand_ins=ALL_STAND_INS) as up:
        token = up.token
        up.stop(signal.SIGKILL)

        with running_up(data, stand_ins=ALL_STAND_INS) as again:
            assert again.token == token
            assert int(again.get()) == again.pid_of("gateway-1")
            assert again.stop() == 0
            assert again.survivors() == []


def test_leftovers_of_a_killed_up_are_ended_by_the_next_one(data: Path) -> None:
    with running_up(data, stand_ins=ALL_STAND_INS) as up:
        up.stop()
    launch = "0123456789abcdef"
    left_over = subprocess.Popen(["sleep", "600"], env={"PENSTOCK_LAUNCH": launch})
    innocent = subprocess.Popen(["sleep", "600"], env={})
    try:
        for name, pid in (("actors-1", left_over.pid), ("projector", innocent.pid)):
            file = data / "run" / f"{name}.pid"
            file.write_text(json.dumps({"pid": pid, "launch": launch}))

        with running_up(data, stand_ins=ALL_STAND_INS):
            assert left_over.wait(5) == -signal.SIGTERM
            assert innocent.poll() is None
    finally:
        for process in (left_over, innocent):
            process.kill()
            process.wait(5)


def test_a_program_with_a_lasting_fault_is_given_up_and_the_stack_says_which(data: Path) -> None:
    dying = {**ALL_STAND_INS, "projector": "tests.integration.stand_in_that_dies"}
    up = Up(data, stand_ins=dying)
    try:
        assert up.wait(60) == 1
        assert "projector ended again" in up.errors
        assert "the fault that lasts" in up.errors
        assert up.survivors() == []
    finally:
        up.close()


def test_a_signal_during_the_start_ends_it_cleanly(data: Path) -> None:
    up = Up(data, stand_ins=ALL_STAND_INS)
    try:
        wait_until((data / "run" / "nats.pid").exists, 30)

        assert up.stop() == 0
        assert up.survivors() == []
    finally:
        up.close()


def test_a_taken_port_is_named_with_what_to_do(data: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        address = f"127.0.0.1:{holder.getsockname()[1]}"

        up = Up(data, "--listen", address, stand_ins=ALL_STAND_INS)

        assert up.wait() == 1
        assert f"cannot listen on {address}" in up.errors
        assert "give another --listen" in up.errors


def test_a_directory_with_something_else_in_it_is_left_alone(data: Path) -> None:
    data.mkdir()
    (data / "thesis.txt").write_text("years of work")

    up = Up(data, stand_ins=ALL_STAND_INS)

    assert up.wait() == 1
    assert "not a Penstock data directory" in up.errors
    assert [entry.name for entry in data.iterdir()] == ["thesis.txt"]


def test_several_gateways_share_one_address(data: Path) -> None:
    options = ("--gateways", "2", "--actors", "2")
    with running_up(data, *options, stand_ins=ALL_STAND_INS) as up:
        assert {"gateway-1", "gateway-2", "actors-1", "actors-2"} <= set(up.tree())
        os.kill(up.pid_of("gateway-1"), signal.SIGSTOP)
        frozen = psutil.Process(up.pid_of("gateway-1"))
        wait_until(lambda: frozen.status() == psutil.STATUS_STOPPED, 10)
        assert int(up.get()) == up.pid_of("gateway-2")
        os.kill(up.pid_of("gateway-1"), signal.SIGCONT)


def test_a_postgres_of_ones_own_is_used_and_none_is_started(data: Path) -> None:
    url = "postgresql://somebody@/elsewhere"
    up = Up(data, stand_ins=ALL_STAND_INS, env={"PENSTOCK_POSTGRES_URL": url})
    try:
        up.wait_until_ready()

        assert "postgres" not in up.tree()
        seen = psutil.Process(up.pid_of("projector")).environ()
        assert seen["PENSTOCK_POSTGRES_URL"] == url
        for other in ("gateway-1", "actors-1", "sandbox_host"):
            assert "PENSTOCK_POSTGRES_URL" not in psutil.Process(up.pid_of(other)).environ()
    finally:
        up.close()


def test_an_error_output_that_nobody_reads_does_not_stop_the_supervisor(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from penstock.supervisor.log_file import ErrorOutput, LogFile;"
        f"shown = ErrorOutput(); log = LogFile(Path({str(tmp_path)!r}) / 'x.log', shown);"
        "[log('x' * 1000) for _ in range(2000)]; shown.close(); print('done')"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"done\n"
        assert process.wait(10) == 0
        assert len((tmp_path / "x.log").read_text().splitlines()) == 2000
    finally:
        process.kill()
        process.communicate()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process adopt others")
def test_what_a_program_leaves_behind_is_ended_when_up_stops(data: Path) -> None:
    leaving = {**ALL_STAND_INS, "projector": "tests.integration.stand_in_with_a_child"}
    with running_up(data, stand_ins=leaving) as up:
        children = psutil.Process(up.pid_of("projector")).children()
        assert len(children) == 1

        assert up.stop() == 0

        assert not children[0].is_running()
        assert up.survivors() == []


def test_frozen_programs_do_not_keep_up_from_ending_in_time(data: Path) -> None:
    with running_up(data, stand_ins=ALL_STAND_INS) as up:
        for name in ("gateway-1", "actors-1", "sandbox_host", "projector", "nats", "postgres"):
            os.kill(up.pid_of(name), signal.SIGSTOP)

        assert up.stop(timeout_s=12) == 0
        assert up.survivors() == []
