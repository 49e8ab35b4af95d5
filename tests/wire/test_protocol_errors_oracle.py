"""Malformed and odd requests over a real socket: what real Redis answers, and our parser's agreement with it.

The table is the expectation, word for word.  It is run against a real Redis and a Kedis, both started here,
and, when ``KEDIS_WIRE_ADDRESS`` is set to ``host:port``, against that server.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kedis.errors import ProtocolError
from kedis.resp.replies import encode2
from kedis.resp.requests import RequestParser
from tests.ports import free_port
from tests.wire.kedis_process import KedisProcess

PONG = b"+PONG\r\n"
PING = b"*1\r\n$4\r\nPING\r\n"
Address = tuple[str, int]


def refusal(text: str) -> bytes:
    return b"-ERR Protocol error: " + text.encode("latin-1") + b"\r\n"


MULTIBULK = refusal("invalid multibulk length")
BULK = refusal("invalid bulk length")
QUOTES = refusal("unbalanced quotes in request")

# Request, whole reply.  A reply that ends with a protocol error is followed by the end of the connection.
TABLE: list[tuple[bytes, bytes]] = [
    (b"*+1\r\n", MULTIBULK),
    (b"*01\r\n", MULTIBULK),
    (b"*1_0\r\n", MULTIBULK),
    (b"* 1\r\n", MULTIBULK),
    (b"*1 \r\n", MULTIBULK),
    (b"*\r\n", MULTIBULK),
    (b"*-0\r\n", MULTIBULK),
    (b"*2147483648\r\n", MULTIBULK),
    (b"*9223372036854775808\r\n", MULTIBULK),
    (b"*" + b"9" * 100 + b"\r\n", MULTIBULK),
    (b"*2147483647\r\n", b""),
    (b"*-1\r\nPING\r\n", PONG),
    (b"*-5\r\nPING\r\n", PONG),
    (b"*0\r\nPING\r\n", PONG),
    (b"*1\r\n$04\r\nPING\r\n", BULK),
    (b"*1\r\n$+4\r\nPING\r\n", BULK),
    (b"*1\r\n$4 \r\nPING\r\n", BULK),
    (b"*1\r\n$abc\r\n", BULK),
    (b"*1\r\n$-1\r\n", BULK),
    (b"*1\r\n$536870913\r\n", BULK),
    (b"*1\r\n$99999999999999999999\r\n", BULK),
    (b"*1\r\nabc", b""),
    (b"*1\r\nabc\r\n", refusal("expected '$', got 'a'")),
    (b"*1\r\n\r\n", refusal("expected '$', got ' '")),
    (b"*1\r\n\xff\r\n", refusal("expected '$', got '\xff'")),
    (b"*1\r\n+PING\r\n", refusal("expected '$', got '+'")),
    (b"*1\r\n:1\r\n", refusal("expected '$', got ':'")),
    (b"*1\r\n*1\r\n$4\r\nPING\r\n", refusal("expected '$', got '*'")),
    (PING + b"*1\r\n$x\r\n" + PING, PONG + BULK),
    (PING + PING + b"*1\r\n+x\r\n" + PING, PONG + PONG + refusal("expected '$', got '+'")),
    (b"*1\rX$4\rYPINGzz", PONG),
    (b"*1\r\n$4\r\nPINGxxPING\r\n", PONG + PONG),
    (b"*1\n$4\nPING\n", b""),
    (b"*1\0\r\n$4\r\nPING\r\n", b""),
    (b"*1\r\n$1\0\r\na\r\n", b""),
    (b"PI\0NG\r\nPING\r\n", b""),
    (b"PING\n", PONG),
    (b"PING\r\r\n", PONG),
    (b"\vPING\r\n", PONG),
    (b"\r\n\n  \r\nPING\r\n", PONG),
    (b'ECHO a"b c"\r\n', b"$4\r\nab c\r\n"),
    (b'ECHO "\\x41\\n\\q\\"\\\\"\r\n', b'$5\r\nA\nq"\\\r\n'),
    (b"ECHO 'a\\'b\\n'\r\n", b"$5\r\na'b\\n\r\n"),
    (b'ECHO ""\r\n', b"$0\r\n\r\n"),
    (b"ECHO a\vb\r\n", b"$3\r\na\vb\r\n"),
    (b'ECHO "a b\r\n', QUOTES),
    (b"ECHO 'a\r\n", QUOTES),
    (b'ECHO "a"b\r\n', QUOTES),
    (b"ECHO a'b\r\n", QUOTES),
    (b"ECHO \"a\"'b'\r\n", QUOTES),
    (b'ECHO "a\\\r\n', QUOTES),
    (b"A" * 65536, b""),
    (b"A" * 65537, refusal("too big inline request")),
    (b"*" + b"1" * 65535, b""),
    (b"*" + b"1" * 65536, refusal("too big mbulk count string")),
    (b"*1\r\n$" + b"1" * 65535, b""),
    (b"*1\r\n$" + b"1" * 65536, refusal("too big bulk count string")),
    (b"*1\r\n" + b"x" * 65537, refusal("too big bulk count string")),
]
UNAUTHENTICATED: list[tuple[bytes, bytes]] = [
    (b"*11\r\n", refusal("unauthenticated multibulk length")),
    (b"*10\r\n", b""),
    (b"*1\r\n$16385\r\n", refusal("unauthenticated bulk length")),
    (b"*1\r\n$16384\r\n", b""),
    (b"*2147483648\r\n", MULTIBULK),
]


def servers() -> list[str]:
    started = ["redis", "kedis"]
    return [*started, "named"] if os.environ.get("KEDIS_WIRE_ADDRESS") else started


@pytest.fixture(scope="module", params=servers())
def address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """Where the server under test listens; its database is not changed, its password is set and taken off."""
    if request.param == "named":
        host, _, port = os.environ["KEDIS_WIRE_ADDRESS"].rpartition(":")
        yield host, int(port)
        return
    if request.param == "kedis":
        kedis = KedisProcess()
        yield kedis.address
        kedis.close()
        return
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    yield from run_redis(tmp_path_factory.mktemp("redis"))


def run_redis(folder: Path) -> Iterator[Address]:
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.02)
        yield "127.0.0.1", port
    finally:
        server.terminate()
        server.wait(10)


def converse(address: Address, request: bytes, expected: bytes) -> tuple[bytes, bool]:
    """What comes back for ``request``, and whether the server closed the connection behind it."""
    with socket.create_connection(address, timeout=5) as client:
        client.sendall(request)
        reply = b""
        while True:
            # Once all that is due has come, only a little time is left for what is not due.
            closing = b"Protocol error" in expected
            client.settimeout(5 if closing or len(reply) < len(expected) else 0.03)
            try:
                piece = client.recv(65536)
            except TimeoutError:
                return reply, False
            except ConnectionResetError:
                return reply, True
            if not piece:
                return reply, True
            reply += piece


@pytest.mark.parametrize(("request_bytes", "reply"), TABLE, ids=lambda v: repr(v)[:40])
def test_server_answers_in_redis_words(address: Address, request_bytes: bytes, reply: bytes) -> None:
    assert converse(address, request_bytes, reply) == (reply, b"Protocol error" in reply)


@pytest.fixture
def locked(address: Address) -> Iterator[Address]:
    """The server under test while it wants a password."""
    with socket.create_connection(address, timeout=5) as admin:
        admin.sendall(b"CONFIG SET requirepass secret\r\n")
        assert admin.recv(1024) == b"+OK\r\n"
        yield address
        admin.sendall(b'CONFIG SET requirepass ""\r\n')
        assert admin.recv(1024) == b"+OK\r\n"


@pytest.mark.parametrize(("request_bytes", "reply"), UNAUTHENTICATED, ids=lambda v: repr(v)[:40])
def test_server_limits_who_has_not_authenticated(locked: Address, request_bytes: bytes, reply: bytes) -> None:
    assert converse(locked, request_bytes, reply) == (reply, b"Protocol error" in reply)


@pytest.mark.parametrize(
    ("request_bytes", "reply", "authenticated"),
    [(*case, True) for case in TABLE] + [(*case, False) for case in UNAUTHENTICATED],
    ids=lambda v: repr(v)[:40],
)
def test_parser_agrees_with_the_table(request_bytes: bytes, reply: bytes, authenticated: bool) -> None:
    parser = RequestParser()
    parser.authenticated = authenticated
    try:
        commands, error = parser.feed(request_bytes), b""
    except ProtocolError as problem:
        chunks: list[bytes] = []
        commands = problem.commands
        encode2(problem, chunks.append)
        error = b"".join(chunks)
    assert answer(commands) + error == reply


def answer(commands: list[list[bytes]]) -> bytes:
    """The replies to the PINGs and ECHOs of the table."""
    return b"".join(
        PONG if argv == [b"PING"] else b"$%d\r\n%b\r\n" % (len(argv[1]), argv[1]) for argv in commands
    )
