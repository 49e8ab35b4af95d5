"""What a turn of the loop does for each client, by a clock that only work moves: nothing depends on the machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from gevent import socket

from kedis.config import Config
from kedis.engine.engine import Engine
from kedis.resp.requests import STEPS, RequestParser
from kedis.server import connection as connections
from kedis.server.network_server import NetworkServer
from tests.commands.driver import Clock

PING = b"*1\r\n$4\r\nPING\r\n"
ECHO = b"*2\r\n$4\r\nECHO\r\n$1\r\nx\r\n"
MS = 1_000_000


class Bench:
    """A server in this thread, its clock, and what its commands cost."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.engine = Engine(Config({"appendonly": "no", "port": "0", "bind": "127.0.0.1"}), clock=self.clock)
        self.network = NetworkServer(self.engine)
        self.network.serve_data()
        self.network.start()

    def connect(self) -> Any:
        sock = socket.create_connection(("127.0.0.1", self.network.port), timeout=30)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(PING)
        assert sock.recv(100)
        return sock

    def let_echo_cost(self, nanoseconds: int) -> Counter[int]:
        """From now on ECHO takes so long; returns how many ran by turn."""
        by_turn: Counter[int] = Counter()

        def echo(_session: Any, argv: Any) -> Any:
            self.clock.now_ns += nanoseconds
            by_turn[self.network.cycle.turns] += 1
            return argv[1]

        self.engine.table.rows[b"echo"].function = echo
        return by_turn


@pytest.fixture
def bench() -> Iterator[Bench]:
    with gevent.Timeout(120):
        bench = Bench()
        yield bench
        bench.network.stop()


def read(sock: Any, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = sock.recv(1 << 16)
        assert piece
        data += piece
    return data


def test_a_turn_has_so_much_time_for_what_was_put_off(bench: Bench) -> None:
    """Twelve callbacks of 1 ms: five a turn, in their order, and what comes later comes behind them."""
    ran: list[tuple[int, int]] = []
    done = gevent.event.Event()

    def work(number: int) -> Callable[[], None]:
        def run() -> None:
            bench.clock.now_ns += MS
            ran.append((number, bench.network.cycle.turns))
            if number == 0:
                bench.network.next_turn(work(12))
            if number == 12:
                done.set()

        return run

    for number in range(12):
        bench.network.next_turn(work(number))
    assert done.wait(30)
    assert [number for number, _ in ran] == list(range(13))
    assert sorted(Counter(turn for _, turn in ran).values()) == [3, 5, 5]


@pytest.mark.parametrize("password", [None, "sesame"])
@pytest.mark.parametrize("stream", [b"x\n" * 32768, b"'' " * 21844 + b"\n"], ids=["letters", "quoted words"])
def test_parsing_gives_way(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, stream: bytes, password: str | None
) -> None:
    """Every portion takes half a millisecond: four or five of them, then another client's turn."""
    hog, bystander = bench.connect(), bench.connect()
    by_turn: Counter[int] = Counter()
    feed = RequestParser.feed

    def slow_feed(self: RequestParser, data: bytes) -> Any:
        commands = feed(self, data)
        assert len(commands) <= STEPS
        if data != PING:
            bench.clock.now_ns += MS // 2
            by_turn[bench.network.cycle.turns] += 1
        return commands

    if password:
        bench.engine.config.requirepass = password
        hog = bench_stranger(bench)
    monkeypatch.setattr(RequestParser, "feed", slow_feed)
    gevent.spawn(hog.sendall, stream)
    while not by_turn:
        gevent.sleep(0)
    portions = sum(by_turn.values())
    bystander.sendall(PING)
    assert read(bystander, 7) == b"+PONG\r\n"
    assert sum(by_turn.values()) - portions < 40  # of more than a hundred
    while sum(by_turn.values()) < 100:
        hog.setblocking(False)
        gevent.sleep(0)
        _drain(hog)
    assert max(by_turn.values()) <= 10  # a read and what was put off, 2 ms and a portion each


def bench_stranger(bench: Bench) -> Any:
    """A client that has not authenticated, though a password is set now."""
    return socket.create_connection(("127.0.0.1", bench.network.port), timeout=30)


def _drain(sock: Any) -> None:
    try:
        sock.recv(1 << 20)
    except OSError:
        return


def test_a_crowded_turn_serves_only_what_is_small(bench: Bench) -> None:
    """Thirty clients with a pipeline each, 0.1 ms a command: a turn has 5 ms for them, and 0.2 ms for each beyond."""
    by_turn = bench.let_echo_cost(MS // 10)
    clients = [bench.connect() for _ in range(30)]
    for client in clients:
        client.sendall(ECHO * 200)
    for client in clients:
        assert read(client, 200 * 7) == b"$1\r\nx\r\n" * 200
    assert sum(by_turn.values()) == 30 * 200
    assert max(by_turn.values()) < 250  # 25 ms; two for each would be 63


def test_large_requests_wait_for_others_in_a_crowded_turn(bench: Bench) -> None:
    """What fills a small read is put off, then read on; all of it is answered."""
    bench.let_echo_cost(6 * MS)
    first, second = bench.connect(), bench.connect()
    large = b"*2\r\n$4\r\nECHO\r\n$200000\r\n" + b"y" * 200_000 + b"\r\n"
    gevent.spawn(first.sendall, ECHO * 50)
    gevent.spawn(second.sendall, large + PING)
    assert read(second, 200_000 + 11 + 7).endswith(b"y\r\n+PONG\r\n")
    assert read(first, 50 * 7) == b"$1\r\nx\r\n" * 50


def test_reads_before_authentication_are_small(bench: Bench) -> None:
    bench.engine.config.requirepass = "sesame"
    stranger = bench_stranger(bench)
    gevent.spawn(stranger.sendall, b"\n" * (1 << 20))
    while not bench.network.bytes_received:
        gevent.sleep(0)
    for _ in range(20):
        received, turns = bench.network.bytes_received, bench.network.cycle.turns
        gevent.sleep(0)
        read_now = bench.network.bytes_received - received
        assert read_now <= connections.SMALL_READ * (bench.network.cycle.turns - turns + 1)


def test_clients_closed_together_are_all_released(bench: Bench) -> None:
    """More than one turn has time for, at the end of the server too."""
    bench.clock = bench.engine.clock  # type: ignore[assignment]
    clients = [bench.connect() for _ in range(50)]
    ticking = bench.engine.clock

    def tick() -> int:
        bench.clock.now_ns += MS
        return ticking()

    bench.engine.clock = tick
    bench.network.stop()
    assert not bench.network.connections
    for client in clients:
        assert client.recv(10) == b""
    bench.network = NetworkServer(bench.engine)
    bench.network.serve_data()
    bench.network.start()
