"""Who may connect, and what happens when too many do."""

from __future__ import annotations

import contextlib
import resource
import socket
import time
from collections.abc import Iterator

import pytest

from tests.end_to_end.attack import processor_seconds, read_all, until
from tests.wire.kedis_process import PING, KedisProcess


def outer_address() -> str:
    """An address of this machine that is not loopback; skips the test where there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            pytest.skip("this machine has no address but loopback")
        address: str = probe.getsockname()[0]
    if address.startswith("127."):
        pytest.skip("this machine has no address but loopback")
    return address


@contextlib.contextmanager
def serving(*flags: str) -> Iterator[KedisProcess]:
    server = KedisProcess(*flags)
    try:
        yield server
    finally:
        server.close()


def ask_from_outside(server: KedisProcess) -> bytes:
    with socket.create_connection((outer_address(), server.address[1]), timeout=10) as stranger:
        with contextlib.suppress(OSError):  # it may have been sent away already
            stranger.sendall(PING)
            stranger.shutdown(socket.SHUT_WR)
        return read_all(stranger)


def test_strangers_are_denied_while_there_is_no_password() -> None:
    with serving("--bind", "0.0.0.0") as server:
        denied = ask_from_outside(server)
        assert denied.startswith(b"-DENIED ")
        assert denied.count(b"\r\n") == 1
        assert server.run(b"CONFIG SET requirepass sesame") == b"+OK\r\n"
        assert ask_from_outside(server).startswith(b"-NOAUTH ")


def test_strangers_are_served_without_protection() -> None:
    with serving("--bind", "0.0.0.0", "--protected-mode", "no") as server:
        assert ask_from_outside(server) == b"+PONG\r\n"


def test_nobody_outside_reaches_the_default_addresses() -> None:
    with serving() as server, pytest.raises(ConnectionRefusedError):
        ask_from_outside(server)


def test_one_client_too_many_is_told_so_and_closed() -> None:
    with serving("--maxclients", "3") as server, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(3)]
        for client in clients:
            client.sendall(PING)
            assert client.recv(100) == b"+PONG\r\n"
        with server.connect() as late:
            assert read_all(late) == b"-ERR max number of clients reached\r\n"
        clients[0].close()
        until(lambda: _is_served(server))


def test_without_descriptors_clients_are_refused_and_the_loop_does_not_spin() -> None:
    with serving() as server, contextlib.ExitStack() as stack:
        _, hard = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (server.open_files() + 5, hard))
        clients = [stack.enter_context(server.connect()) for _ in range(15)]
        answers = [_answer(client) for client in clients]
        served = [client for client, answer in zip(clients, answers, strict=True) if answer == b"+PONG\r\n"]
        assert 3 <= len(served) <= 6  # the connection that saw the server ready may have been counted, too
        refusals = {answer for answer in answers if answer != b"+PONG\r\n"}
        assert refusals <= {b"-ERR max number of clients reached\r\n", b""}  # or a reset
        before = processor_seconds(server)
        time.sleep(1)  # the time in which a spinning loop would use a processor
        assert processor_seconds(server) - before < 0.5
        for client in served:
            client.close()
        until(lambda: _is_served(server))


def _answer(client: socket.socket) -> bytes:
    with contextlib.suppress(ConnectionError):
        client.sendall(PING)
        return client.recv(100)
    return b""


def _is_served(server: KedisProcess) -> bool:
    try:
        server.ping()
    except OSError:
        return False
    return True
