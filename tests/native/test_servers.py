"""A server with the native path and one without, over sockets: the same traffic, and clients that behave badly."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from kedis.resp.replies import encode_command
from tests.persistence.server import Kedis, Wire

pytest.importorskip("kedis.native.loop", reason="the extension was not built")

from tests.differential import grammar
from tests.end_to_end.attack import takes_little_work
from tests.native.requests import FREQUENT, edge

#: What depends on the moment, on chance, or concerns the whole server.
_UNEQUAL = (
    *(
        b"EX",
        b"PX",
        b"EXAT",
        b"PXAT",
        b"EXPIRE",
        b"PEXPIRE",
        b"EXPIREAT",
        b"PEXPIREAT",
        b"SETEX",
        b"PSETEX",
        b"GETEX",
    ),
    *(
        b"SPOP",
        b"SRANDMEMBER",
        b"HRANDFIELD",
        b"ZRANDMEMBER",
        b"RANDOMKEY",
        b"OBJECT",
        b"PUBLISH",
        b"SCAN",
        b"KEYS",
    ),
    # What the clock decides, or is recorded with its time; what waits.
    *(b"*", b"XREADGROUP", b"XCLAIM", b"BLOCK"),
    *(b"FLUSHALL", b"SWAPDB", b"MOVE", b"COPY", b"TTL", b"PTTL", b"SELECT"),
)
_COUNT = 400
_SECONDS = 60
END = encode_command([b"ECHO", b"the end of this traffic"])
END_REPLY = b"$23\r\nthe end of this traffic\r\n"
PING, PONG = encode_command([b"PING"]), b"+PONG\r\n"


def traffic(seed: int) -> bytes:
    """Requests of one client, most of them right, whose replies depend on nothing but its own database."""
    random = Random(seed)
    requests: list[bytes] = []
    while len(requests) < _COUNT:
        words = edge(random) if random.random() < 0.7 else grammar.command(random, random.choice(FREQUENT))
        if not any(word.upper() in _UNEQUAL for word in words):
            requests.append(encode_command(words))
    requests.insert(
        _COUNT // 2, b"PING\r\n\r\n*0\r\n" + encode_command([b"MULTI"]) + requests[0] + b"EXEC\r\n"
    )
    return b"".join(requests) + END


def converse(port: int, database: int, data: bytes, seed: int, half_close: bool = False) -> bytes:
    """The replies to ``data``, sent in pieces cut anywhere."""
    random = Random(seed)
    wire = Wire(port, _SECONDS)
    assert wire.call("SELECT", database) == b"OK"
    client, received = wire.socket, bytearray()

    def send() -> None:
        position = 0
        while position < len(data):
            size = random.choice((1, 7, 100, 1000, 5000, 70_000))
            client.sendall(data[position : position + size])
            position += size
        if half_close:
            client.shutdown(socket.SHUT_WR)

    sender = threading.Thread(target=send)
    sender.start()
    while not received.endswith(END_REPLY):
        piece = client.recv(1 << 16)
        assert piece, bytes(received[-500:])
        received += piece
    if half_close:
        assert client.recv(1) == b""
    sender.join()
    wire.close()
    return bytes(received)


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[Kedis, Kedis]]:
    """One on the native path, and one on the Python path; their sets are in the same order."""
    flags = ("--databases", "64", "--aof-checksum", "no", "--save", "")
    made = [
        Kedis(tmp_path / pure, *flags, environment={"KEDIS_PURE": pure, "PYTHONHASHSEED": "7"})
        for pure in ("0", "1")
    ]
    assert made[0].info().get("kedis_path", "native") == "native"
    yield made[0], made[1]
    for kedis in made:
        kedis.kill()


def recorded(kedis: Kedis) -> bytes:
    """The files of changes, once all is written."""
    kedis.terminate()
    folder = kedis.directory / "appendonlydir"
    return b"".join(path.read_bytes() for path in sorted(folder.glob("*.incr.aof")))


def test_replies_and_journal_of_one_client_are_equal(servers: tuple[Kedis, Kedis]) -> None:
    for seed in range(6):
        data = traffic(seed)
        one, other = (converse(kedis.port, seed, data, cuts) for cuts, kedis in enumerate(servers))
        assert one == other
    journals = [recorded(kedis) for kedis in servers]
    assert journals[0] == journals[1] and journals[0].count(b"*") > _COUNT


def test_replies_of_many_clients_are_equal(servers: tuple[Kedis, Kedis]) -> None:
    """Each in a database of its own; some end their side at once."""
    count = 24
    replies: list[list[bytes]] = [[b""] * count, [b""] * count]

    def run(which: int, number: int) -> None:
        leaves = number % 3 == 0  # with no more to come than a socket takes, for the rest would be dropped
        data = PING * 2000 + END if leaves else traffic(100 + number)
        replies[which][number] = converse(servers[which].port, number, data, number + which, leaves)

    threads = [
        threading.Thread(target=run, args=(which, number)) for which in (0, 1) for number in range(count)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(replies[0]) and replies[0] == replies[1]


# -- clients that behave badly ----------------------------------------------------------------------------


@pytest.fixture
def kedis(tmp_path: Path) -> Iterator[Kedis]:
    server = Kedis(tmp_path / "data", "--client-output-buffer-limit", "normal 8mb 0 0")
    yield server
    assert "internal error" not in server.log()
    server.kill()


def test_a_client_that_does_not_read_gets_all_in_the_end(kedis: Kedis) -> None:
    """Short values fill what the kernel takes, so that replies leave in parts; others are served meanwhile."""
    wire, other = kedis.connect(_SECONDS), kedis.connect(_SECONDS)
    values = [bytes([65 + number]) * 9000 for number in range(26)]
    for number, value in enumerate(values):
        wire.call("SET", f"k{number}", value)
    for _ in range(20):
        wire.socket.sendall(b"".join(encode_command([b"GET", b"k%d" % number]) for number in range(26)))
        assert other.call("PING") == b"PONG"
    assert [wire.receive() for _ in range(20 * 26)] == values * 20
    assert wire.call("PING") == b"PONG"


def test_a_client_that_never_reads_is_closed_at_its_limit(kedis: Kedis) -> None:
    wire, other = kedis.connect(_SECONDS), kedis.connect(_SECONDS)
    wire.call("SET", "k", b"x" * 16_000)
    with contextlib.suppress(OSError):
        for _ in range(400):
            wire.socket.sendall(encode_command([b"GET", b"k"]) * 10)
    deadline = time.monotonic() + _SECONDS
    while kedis.info()["client_output_buffer_limit_disconnections"] == "0":
        assert time.monotonic() < deadline
    assert other.call("PING") == b"PONG"


def test_descriptors_in_use_again_carry_nobody_elses_replies(kedis: Kedis) -> None:
    """Clients leave in the middle of requests and of replies, while others come and are killed."""
    admin = kedis.connect(_SECONDS)
    admin.call("SET", "big", b"x" * 60_000)
    random = Random(5)
    for number in range(150):
        leaving = [kedis.connect(_SECONDS) for _ in range(3)]
        for wire in leaving:
            wire.socket.sendall(
                encode_command([b"GET", b"big"]) * random.randint(1, 80) + PING[: random.randint(0, 13)]
            )
        if number % 10 == 0:
            admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        for wire in leaving:
            if random.random() < 0.5:
                wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            wire.close()
        coming = kedis.connect(_SECONDS)
        assert coming.pipeline([("ECHO", number), ("GET", "none"), ("INCR", "n")]) == [
            b"%d" % number,
            None,
            number + 1,
        ]
        coming.close()
    deadline = time.monotonic() + _SECONDS
    while int(kedis.info()["connected_clients"]) > 2:
        assert time.monotonic() < deadline


def test_clients_killed_in_the_turn_in_which_they_are_served(kedis: Kedis) -> None:
    """What has been answered is there; who is killed is closed, and nothing else happens."""
    admin = kedis.connect(_SECONDS)
    for _ in range(20):
        victims = [kedis.connect(_SECONDS) for _ in range(10)]
        ids = [wire.call("CLIENT", "ID") for wire in victims]
        for wire in victims:
            wire.socket.sendall(encode_command([b"INCR", b"count"]) * 50)
        kills = [("CLIENT", "KILL", "ID", number) for number in ids]
        assert all(killed in (0, 1) for killed in admin.pipeline(kills))
        answered = 0
        for wire in victims:
            with contextlib.suppress(ConnectionError, OSError):
                while True:
                    answered = max(answered, wire.receive())
            wire.close()
        assert int(admin.call("GET", "count") or 0) >= answered


def test_timers_go_on_beside_a_client_that_asks_without_end(kedis: Kedis) -> None:
    """The loop waits for the next request itself, and not longer than the timers allow."""
    ended = threading.Event()

    def ask() -> None:
        with contextlib.closing(Wire(kedis.port)) as busy:
            while not ended.is_set():
                assert busy.call("PING") == b"PONG"

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        with contextlib.closing(Wire(kedis.port)) as client:
            for _ in range(20):
                assert client.call("BLPOP", "nothing", "0.02") is None
    finally:
        ended.set()
        thread.join()


def test_a_server_without_requests_rests(kedis: Kedis) -> None:
    """Whatever was set to end the wait for the next request is unset."""
    with contextlib.closing(Wire(kedis.port)) as client:
        for _ in range(3000):
            client.call("PING")
    with takes_little_work(kedis, 0.4):
        time.sleep(1)


def test_no_more_clients_than_allowed(kedis: Kedis) -> None:
    admin = kedis.connect(_SECONDS)
    admin.call("CONFIG", "SET", "maxclients", 5)
    others = [kedis.connect(_SECONDS) for _ in range(4)]
    assert [wire.call("PING") for wire in others] == [b"PONG"] * 4
    extra = kedis.connect(_SECONDS)
    with contextlib.suppress(ConnectionError, OSError):
        assert "max number of clients" in str(extra.call("PING"))
    others[0].close()
    deadline = time.monotonic() + _SECONDS
    while True:
        with contextlib.suppress(ConnectionError, OSError):
            if kedis.connect(_SECONDS).call("PING") == b"PONG":
                break
        assert time.monotonic() < deadline
