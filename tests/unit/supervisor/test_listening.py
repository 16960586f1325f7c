"""The sockets on which gateways are called."""

import socket
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from penstock.cli.up import keep_port
from penstock.subjects.errors import PenstockError
from penstock.supervisor.data_dir import DataDir
from penstock.supervisor.linux import IS_LINUX
from penstock.supervisor.listening import kept_port, listeners, listeners_as_before

spreading = pytest.mark.skipif(not IS_LINUX, reason="only Linux spreads callers over sockets")


def waiting_at(listener: socket.socket) -> int:
    """How many callers wait there; none does afterwards."""
    listener.setblocking(False)
    count = 0
    with suppress(BlockingIOError):
        while True:
            listener.accept()[0].close()
            count += 1
    return count


def called(several: list[socket.socket], times: int) -> list[int]:
    """How many of so many callers each socket gets."""
    with ExitStack() as closing:
        for _ in range(times):
            closing.enter_context(socket.create_connection(several[0].getsockname()))
        return [waiting_at(one) for one in several]


def test_one_gateway_has_one_socket() -> None:
    with listeners("127.0.0.1:0", 1)[0] as only:
        assert called([only], 5) == [5]


@spreading
def test_callers_are_spread_over_the_sockets_of_several_gateways() -> None:
    with ExitStack() as closing:
        several = [closing.enter_context(one) for one in listeners("127.0.0.1:0", 4)]

        waiting = called(several, 200)

    assert sum(waiting) == 200
    assert min(waiting) >= 20  # 50 each, as dice fall


@spreading
@pytest.mark.parametrize("count", [1, 2])
def test_an_address_that_somebody_shares_already_is_refused(count: int) -> None:
    with ExitStack() as closing:
        held = [closing.enter_context(one) for one in listeners("127.0.0.1:0", 2)]
        port = held[0].getsockname()[1]

        with pytest.raises(PenstockError, match=f"cannot listen on 127.0.0.1:{port}"):
            listeners(f"127.0.0.1:{port}", count)


@pytest.mark.parametrize("address", ["", "8080", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:65536"])
def test_what_is_no_address_is_refused_with_an_example(address: str) -> None:
    with pytest.raises(PenstockError, match="is not HOST:PORT") as refused:
        listeners(address, 1)

    assert "127.0.0.1:8080" in refused.value.remedy


@pytest.mark.parametrize("count", [1, 2])
def test_the_port_of_the_last_time_is_had_again_while_nobody_holds_it(
    tmp_path: Path, count: int
) -> None:
    port_file = tmp_path / "port"
    with ExitStack() as closing:
        before = [closing.enter_context(one) for one in listeners("127.0.0.1:0", count)]
        address = before[0].getsockname()
        port_file.write_text(f"{address[1]}\n")
        others = [
            closing.enter_context(one).getsockname()
            for one in listeners_as_before(port_file, count)
        ]
    with ExitStack() as closing:
        again = [
            closing.enter_context(one).getsockname()
            for one in listeners_as_before(port_file, count)
        ]

    assert set(again) == {address}
    assert address not in others


@pytest.mark.parametrize("text", ["", "x", "99999999", "-1"])
def test_a_port_that_cannot_be_read_is_a_free_one(tmp_path: Path, text: str) -> None:
    port_file = tmp_path / "port"
    port_file.write_text(text)

    with listeners_as_before(port_file, 1)[0] as made:
        host, port = made.getsockname()

    assert host == "127.0.0.1"
    assert port > 0


def test_a_port_that_is_taken_is_kept_for_the_next_start_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = DataDir(tmp_path)
    with listeners("127.0.0.1:0", 1)[0] as holder:
        taken = holder.getsockname()[1]
        data.port_file.write_text(f"{taken}\n")
        with listeners_as_before(data.port_file, 1)[0] as own:
            keep_port(data, own, is_chosen=False)

    assert kept_port(data.port_file) == taken
    (line,) = capsys.readouterr().err.splitlines()
    assert f"port {taken} is taken" in line
    assert f"addresses given away before are dead until a start gets port {taken} again" in line


@pytest.mark.parametrize(("kept", "is_chosen"), [("", False), ("x", False), ("1", True)])
def test_a_port_is_kept_where_there_was_none_or_another_one_is_chosen(
    tmp_path: Path, kept: str, is_chosen: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    data = DataDir(tmp_path)
    data.port_file.write_text(kept)
    with listeners("127.0.0.1:0", 1)[0] as own:
        keep_port(data, own, is_chosen=is_chosen)

        assert kept_port(data.port_file) == own.getsockname()[1]
    assert capsys.readouterr().err == ""
