"""Attacks on a running server: each one really happens, and others are served meanwhile."""

from __future__ import annotations

import contextlib
import hmac
import re
import socket
import time
from collections.abc import Iterator
from random import Random

import pytest

from kedis.config import Config
from kedis.engine import users
from kedis.engine.engine import Engine
from kedis.resp.replies import encode_command
from tests.commands.driver import Client, ErrorReply
from tests.differential import grammar
from tests.end_to_end.attack import (
    MB,
    deaf,
    nothing_is_left,
    others_are_served,
    read_all,
    read_lines,
    reset,
    send_until_cut,
    takes_little_work,
    until,
)
from tests.wire.kedis_process import PING, KedisProcess


@pytest.fixture(scope="module")
def server() -> Iterator[KedisProcess]:
    process = KedisProcess("--client-output-buffer-limit", "normal 4mb 0 0")
    yield process
    process.close()


@pytest.fixture
def keeper(server: KedisProcess) -> Iterator[socket.socket]:
    """Sets a password for the time of the test and is the only one to know it."""
    with server.connect() as sock:
        sock.sendall(b"CONFIG SET requirepass sesame\r\n")
        assert sock.recv(100) == b"+OK\r\n"
        yield sock
        sock.sendall(b'CONFIG SET requirepass ""\r\n')
        assert sock.recv(100) == b"+OK\r\n"


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (b"*2147483647\r\n", b"-ERR Protocol error: unauthenticated multibulk length\r\n"),
        (b"*11\r\n", b"-ERR Protocol error: unauthenticated multibulk length\r\n"),
        (b"*1\r\n$2147483647\r\n", b"-ERR Protocol error: invalid bulk length\r\n"),
        (b"*1\r\n$16385\r\n", b"-ERR Protocol error: unauthenticated bulk length\r\n"),
        (b"*1\r\n$536870912\r\n", b"-ERR Protocol error: unauthenticated bulk length\r\n"),
        (b"x" * 65537 + b"\r\n", b"-ERR Protocol error: too big inline request\r\n"),
    ],
)
def test_large_announcements_before_authentication(
    server: KedisProcess, keeper: socket.socket, request_: bytes, answer: bytes
) -> None:
    count = 1000 if len(request_) < 100 else 50
    with nothing_is_left(server), others_are_served(server, keeper), contextlib.ExitStack() as stack:
        before = server.resident_bytes()
        clients = [stack.enter_context(server.connect()) for _ in range(count)]
        for client in clients:
            client.sendall(request_)
        for client in clients:
            assert read_all(client) in (answer, b"")  # what was not read yet may turn closing into a reset
        assert server.resident_bytes() - before < 40 * MB


def test_announcements_allocate_nothing(server: KedisProcess) -> None:
    with nothing_is_left(server), others_are_served(server), contextlib.ExitStack() as stack:
        before = server.resident_bytes()
        clients = [stack.enter_context(server.connect()) for _ in range(500)]
        for client in clients:
            client.sendall(b"*2147483647\r\n$500000000\r\nhello")
        server.ping()
        assert server.resident_bytes() - before < 24 * MB


def test_replies_of_a_megabyte_that_nobody_reads(server: KedisProcess) -> None:
    """One read holds 7,000 GETs of 1 MB: 7 GB of replies were due before the limit was looked at the next time."""
    server.run(b"SETRANGE big 1000000 x")
    with nothing_is_left(server), others_are_served(server), deaf(server) as greedy:
        before = server.resident_bytes()
        assert send_until_cut(greedy, b"GET big\r\n" * 7000, 10 * MB)
        assert server.resident_bytes() - before < 64 * MB
    assert "output buffer over its hard limit" in server.output()
    server.run(b"DEL big")


def test_without_a_limit_large_values_are_referred_to_and_not_copied() -> None:
    """Redis's default is no limit: 4 GB of replies wait in a twentieth of that: the value, and a piece of each."""
    server = KedisProcess()
    server.redis().set("big", b"x" * 1_000_000)
    with nothing_is_left(server), others_are_served(server), deaf(server) as greedy:
        before = server.resident_bytes()
        greedy.sendall(b"GET big\r\n" * 4000)
        # All of them have run, and little has found room in the kernel.
        until(
            lambda: any(
                int(size) > 3_900_000_000 for size in re.findall(rb" omem=(\d+)", server.run(b"CLIENT LIST"))
            )
        )
        assert server.resident_bytes() - before < 200 * MB
    server.close()


def test_refusals_that_nobody_reads(server: KedisProcess, keeper: socket.socket) -> None:
    with nothing_is_left(server), others_are_served(server, keeper), deaf(server) as greedy:
        before = server.resident_bytes()
        assert send_until_cut(greedy, b"GET x\r\n" * 2000, 20 * MB)
        assert server.resident_bytes() - before < 24 * MB
    assert "unread replies before authentication" in server.output()


SLOW_STREAMS = [
    b"\n" * 65536,
    b"\r\n" * 32768,
    b"*0\r\n" * 16384,
    b"\n*0\r\n" * 13107,
    b"x\n" * 32768,
    b"'' " * 21844 + b"\n",
    b'"' + b"\\a" * 32766 + b'"\n',
    b"*9\r\n" + b"$0\r\n\r\n" * 9 + b"\n",
]


@pytest.mark.parametrize("stream", SLOW_STREAMS, ids=lambda stream: repr(stream[:6]))
def test_streams_that_are_slow_to_parse(server: KedisProcess, keeper: socket.socket, stream: bytes) -> None:
    """From fifty at once that know no password; who reads no refusals is cut off, and that is well."""
    with nothing_is_left(server), others_are_served(server, keeper), contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(50)]
        for client in clients:
            client.setblocking(False)
        for _ in range(20):
            for client in clients:
                with contextlib.suppress(OSError):
                    client.send(stream)
                    client.recv(1 << 20)


def test_bytes_one_at_a_time(server: KedisProcess) -> None:
    request = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\n\r\n\0\xff\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\nGET 'k'\r\n"
    with nothing_is_left(server), others_are_served(server), contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(50)]
        for client in clients:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for position in range(len(request)):
            for client in clients:
                client.sendall(request[position : position + 1])
        for client in clients:
            value = b"$4\r\n\r\n\0\xff\r\n"
            expected = b"+OK\r\n" + value * 2
            received = b""
            while len(received) < len(expected):
                received += client.recv(100)
            assert received == expected


def test_commands_that_are_never_finished(server: KedisProcess) -> None:
    beginnings = [
        b"*1000000\r\n" + b"$1\r\nx\r\n" * 8000,
        b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$400000000\r\n" + b"x" * 60_000,
        b"SET k " + b"x" * 60_000,
        b"*3\r\n$3\r\nSE",
    ]
    with nothing_is_left(server), others_are_served(server):
        before = server.resident_bytes()
        with contextlib.ExitStack() as stack:
            for number in range(200):
                stack.enter_context(server.connect()).sendall(beginnings[number % 4])
            server.ping()
            assert server.resident_bytes() - before < 48 * MB


def test_ten_thousand_that_connect_and_reset(server: KedisProcess) -> None:
    with nothing_is_left(server), others_are_served(server):
        for number in range(10_000):
            client = server.connect()
            if number % 2:
                client.sendall(PING[: number % len(PING)])
            reset(client)
    listed = server.run(b"CLIENT LIST")
    assert listed.count(b" addr=") == 1


def test_resets_with_replies_under_way(server: KedisProcess) -> None:
    server.run(b"SETRANGE big 1000000 x")
    with nothing_is_left(server), others_are_served(server):
        for _ in range(200):
            client = server.connect()
            client.sendall(b"WATCH k\r\nMULTI\r\nGET big\r\nEXEC\r\nGET big\r\nMULTI\r\nGET big\r\n")
            client.recv(1)
            reset(client)
    server.run(b"DEL big")


def test_browsers_are_closed_and_logged_once_a_minute(server: KedisProcess) -> None:
    attempts = (b"POST / HTTP/1.1\r\nSET stolen 1\r\n\r\n", b"Host: localhost:6379\r\nSET stolen 1\r\n")
    for line in attempts * 20:
        with server.connect() as browser:
            browser.sendall(line)
            assert read_all(browser) == b""
    assert server.run(b"EXISTS stolen") == b":0\r\n"
    assert server.output().count("speaks HTTP") == 1


@pytest.mark.parametrize(
    "words",
    [
        (b"NO\r\nSUCH\0x", b"a\r\n+OK\r\n", b"\0b"),
        (b"CLIENT", b"NO\r\n+OK\r\nSUCH"),
        (b"CONFIG", b"SET", b"no\r\nsuch\0", b"1"),
        (b"CONFIG", b"SET", b"save", b"x\r\n+OK"),
        (b"HELLO", b"3", b"x\r\n+OK\r\n\0"),
        (b"CLIENT", b"KILL", b"USER", b"x\r\n+OK"),
        (b"CLIENT", b"KILL", b"TYPE", b"x\n+OK"),
        (b"CLIENT", b"SETINFO", b"x\r\n+OK", b"y"),
        (b"EXPIRE", b"k", b"1", b"x\r\n+OK"),
        (b"ACL", b"CAT", b"x\r\n+OK"),
        (b"OBJECT", b"x\r\n+OK", b"k"),
        (b"DEBUG", b"x\r\n+OK"),
        (b"GEOSEARCH\r\n", b"x"),
    ],
)
def test_an_error_is_one_line_whatever_it_repeats(server: KedisProcess, words: tuple[bytes, ...]) -> None:
    with server.connect() as sock:
        sock.sendall(encode_command(words) + PING)
        error, pong = read_lines(sock, 2)
        assert error.startswith((b"-ERR", b"-NOPROTO"))
        assert not any(mark in error for mark in (b"\r", b"\n", b"\0"))
        assert pong == b"+PONG"


@pytest.mark.parametrize(
    "pattern",
    [
        b"a*" * 2000 + b"b",
        b"*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b",
        b"[" * 60_000,
        b"[^b][a-c]" * 6000 + b"*b",
        b"*" * 60_000 + b"b",
        b"?*" * 30_000 + b"b",
        b"\\" * 60_000,
        b"[a-" * 20_000,
    ],
    ids=lambda pattern: pattern[:9].decode(),
)
def test_glob_bombs(server: KedisProcess, pattern: bytes) -> None:
    server.run(b"MSET " + b"a" * 30_000 + b" 1 " + b"a" * 29_000 + b" 2")
    bulk = b"$%d\r\n%b\r\n" % (len(pattern), pattern)
    requests = [
        b"*2\r\n$4\r\nKEYS\r\n" + bulk,
        b"*4\r\n$4\r\nSCAN\r\n$1\r\n0\r\n$5\r\nMATCH\r\n" + bulk,
        b"*3\r\n$6\r\nCONFIG\r\n$3\r\nGET\r\n" + bulk,
        b"*5\r\n$7\r\nCOMMAND\r\n$4\r\nLIST\r\n$8\r\nFILTERBY\r\n$7\r\nPATTERN\r\n" + bulk,
        b"*2\r\n$10\r\nPSUBSCRIBE\r\n" + bulk,
    ]
    with others_are_served(server):
        for request in requests:
            with takes_little_work(server, 1), server.connect() as sock:
                sock.sendall(request)
                assert sock.recv(1 << 16)


HOSTILE_ARGUMENTS = [
    (
        "SRANDMEMBER s -9223372036854775808",
        "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
    ),
    (
        "SRANDMEMBER s -9223372036854775807",
        "ERR value is out of range",
    ),  # Redis tries, until its memory is gone
    ("HRANDFIELD h -9223372036854775807 WITHVALUES", "ERR value is out of range"),
    ("ZRANDMEMBER z -9223372036854775807", "ERR value is out of range"),
    (
        "SETRANGE k 536870911 xx",
        "ERR string exceeds maximum allowed size (proto-max-bulk-len)",
    ),
    ("SETRANGE k 9223372036854775807 x", "ERR string exceeds maximum allowed size (proto-max-bulk-len)"),
    ("SETRANGE k -1 x", "ERR offset is out of range"),
    ("SETBIT k 4294967296 1", "ERR bit offset is not an integer or out of range"),
    ("HINCRBYFLOAT h f nan", "ERR value is not a valid float"),
    ("HINCRBYFLOAT h f inf", "ERR value is NaN or Infinity"),
    ("INCRBYFLOAT k nan", "ERR value is not a valid float"),
    ("ZADD z nan m", "ERR value is not a valid float"),
    ("LPOP l 9223372036854775808", "ERR value is out of range, must be positive"),
    ("SPOP s 9223372036854775808", "ERR value is out of range, must be positive"),
    ("SCAN 99999999999999999999", "ERR invalid cursor"),
    ("SETEX k 9223372036854775807 v", "ERR invalid expire time in 'setex' command"),
    ("EXPIRE s 9223372036854775807", "ERR invalid expire time in 'expire' command"),
    ("ZUNIONSTORE d 9223372036854775807 z", "ERR syntax error"),
    ("ZINTER 2147483648 z", "ERR syntax error"),
    ("SELECT 9223372036854775807", "ERR value is out of range"),
]


@pytest.mark.parametrize(("line", "error"), HOSTILE_ARGUMENTS)
def test_hostile_arguments(line: str, error: str) -> None:
    client = Client()
    client.call("SADD", "s", "a")
    client.call("HSET", "h", "f", 1)
    client.call("ZADD", "z", 1, "a")
    reply = client.call(*line.split())
    assert isinstance(reply, ErrorReply)
    assert str(reply).startswith(error)


def test_append_stops_at_the_longest_string(server: KedisProcess) -> None:
    too_long = b"-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n"
    assert server.run(b"CONFIG SET proto-max-bulk-len 1mb") == b"+OK\r\n"
    assert server.run(b"SETRANGE s 1048575 x") == b":1048576\r\n"
    assert server.run(b"APPEND s x") == too_long
    assert server.run(b"SETRANGE s 1048576 x") == too_long
    assert server.run(b"CONFIG SET proto-max-bulk-len 512mb") == b"+OK\r\n"
    server.run(b"DEL s")


DIGITS = b"9" * 100_000
LONG_NUMBERS = [
    *(DIGITS, b"-" + DIGITS, b"0." + DIGITS, DIGITS + b".5", b"1e" + DIGITS, b"(" + DIGITS, b"#" + DIGITS),
    *(b"0x" + b"f" * 100_000, b"0." + b"0" * 99_990 + b"1", b"1" + b"0" * 99_999 + b"e-99999", b"u" + DIGITS),
]
_NUMBER = re.compile(rb"[-+(#ui]?[0-9.]+(?:e[0-9]+)?")


def test_numbers_of_100_000_digits() -> None:
    """In the place of each number of each command: refused within 5 ms of processor time."""
    client = Client()
    random = Random(3)
    tried = 0
    slow: list[tuple[float, list[bytes]]] = []
    for name in grammar.known_names():
        for _ in range(30):
            words = grammar.command(random, name)
            places = [at for at, word in enumerate(words) if at and _NUMBER.fullmatch(word)]
            if not places:
                continue
            words[random.choice(places)] = random.choice(LONG_NUMBERS)
            # The best of five, should the clock's tick or the collector fall on one.
            seconds = min(_processor_time(client, words) for _ in range(5))
            tried += 1
            if seconds > 0.005 and isinstance(client.call(*words), ErrorReply):
                slow.append((seconds, [word[:20] for word in words]))
    assert tried > 1000
    assert not slow


def _processor_time(client: Client, words: list[bytes]) -> float:
    begun = time.process_time()
    client.replies(*words)
    return time.process_time() - begun


@pytest.mark.parametrize("name", ["maxclients", "hz", "maxmemory", "unixsocketperm", "save"])
def test_settings_of_100_000_digits(name: str) -> None:
    client = Client()
    begun = time.process_time()
    for number in LONG_NUMBERS:
        assert isinstance(client.call("CONFIG", "SET", name, number), ErrorReply)
    assert time.process_time() - begun < 0.005 * len(LONG_NUMBERS)


@pytest.mark.parametrize(
    "guess", [b"", b"s", b"sesamf", b"sesame", b"sesame-and-more", b"x" * 16_000, b"\xff\0"]
)
def test_passwords_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch, guess: bytes) -> None:
    """What is compared has one length whatever was guessed, and the comparison is that of hmac."""
    compared: list[tuple[bytes, bytes]] = []

    def compare(left: bytes, right: bytes) -> bool:
        compared.append((left, right))
        return genuine(left, right)

    genuine = hmac.compare_digest
    monkeypatch.setattr(users.hmac, "compare_digest", compare)
    client = Client(Engine(Config({"requirepass": "sesame"})))
    wrong = ErrorReply("WRONGPASS invalid username-password pair or user is disabled.")
    assert client.call("AUTH", guess) == (b"OK" if guess == b"sesame" else wrong)
    assert client.call("AUTH", "nobody", guess) == wrong
    assert client.call("HELLO", "2", "AUTH", "nobody", guess) == wrong
    assert [(len(left), len(right)) for left, right in compared] == [(64, 64)] * 3
