"""Long replies over real sockets: the bytes that Redis sends, in order, with little memory, whoever leaves."""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Iterator

import pytest

from kedis.resp.replies import encode_command
from tests.end_to_end.attack import MB, deaf, until
from tests.oracle import Oracle
from tests.wire.kedis_process import KedisProcess

COUNT = 20_000


def fill() -> Iterator[list[bytes]]:
    rng = random.Random(1)
    yield [b"FLUSHALL"]
    for start in range(0, COUNT, 1000):
        numbers = range(start, start + 1000)
        yield [b"RPUSH", b"list", *[b"element:%d" % number for number in numbers]]
        yield [b"ZADD", b"scores", *[word for n in numbers for word in (b"%r" % rng.random(), b"m:%d" % n)]]
        yield [
            b"MSET",
            *[word for n in numbers for word in (b"weight_element:%d" % n, b"%d" % rng.getrandbits(9))],
        ]
    yield [b"SET", b"text", rng.randbytes(3 * MB)]
    yield [b"SETRANGE", b"changed", b"%d" % (2 * MB), b"x"]


def questions() -> list[list[bytes]]:
    long = [
        [b"LRANGE", b"list", b"0", b"-1"],
        [b"ZRANGE", b"scores", b"0", b"-1", b"WITHSCORES"],
        [b"ZREVRANGEBYSCORE", b"scores", b"0.9", b"(0.1", b"WITHSCORES", b"LIMIT", b"5", b"10000"],
        [b"ZRANGE", b"scores", b"0", b"-1", b"REV"],
        [b"ZUNION", b"1", b"scores", b"WITHSCORES"],
        [b"GET", b"text"],
        [b"GET", b"changed"],
        [b"MGET", b"text", b"none", b"text"],
        [b"SORT", b"list", b"BY", b"weight_*", b"GET", b"#", b"GET", b"weight_*", b"GET", b"none_*"],
        [b"MGET", *[b"weight_element:%d" % number for number in range(5000)], b"none"],
    ]
    short = [[b"PING"], [b"GET", b"none"], [b"LLEN", b"list"]]
    mixed = [words for some in zip(long, [*short, *short, *short, *short], strict=False) for words in some]
    return [*mixed, [b"MULTI"], *mixed, [b"EXEC"]]


def answer(address: tuple[str, int], hello: bytes) -> bytes:
    """All replies to the questions, asked at once and read with pauses between."""
    with socket.create_connection(address, timeout=60) as sock:
        sock.sendall(b"".join(map(encode_command, fill())) + encode_command([b"ECHO", b"filled"]))
        read_up_to(sock, b"filled\r\n")
        sock.sendall(hello + encode_command([b"ECHO", b"greeted"]))
        read_up_to(sock, b"greeted\r\n")
        sock.sendall(b"".join(map(encode_command, questions())) + encode_command([b"ECHO", b"the end"]))
        return read_up_to(sock, b"the end\r\n")


def read_up_to(sock: socket.socket, end: bytes) -> bytes:
    parts, tail = [], b""
    while not tail.endswith(end):
        parts.append(sock.recv(100_000))
        assert parts[-1]
        tail = (tail + parts[-1])[-len(end) :]
    return b"".join(parts)


@pytest.mark.parametrize("hello", [b"", encode_command([b"HELLO", b"3"])], ids=["RESP2", "RESP3"])
def test_replies_are_those_of_redis(oracle: Oracle, hello: bytes) -> None:
    expected = answer(("127.0.0.1", oracle.port), hello)
    with contextlib.closing(KedisProcess()) as server:
        assert answer(server.address, hello) == expected


@pytest.mark.parametrize("fsync", ["everysec", "always"])
def test_replies_behind_a_write_are_those_of_redis(oracle: Oracle, fsync: str) -> None:
    expected = answer(("127.0.0.1", oracle.port), b"")
    with contextlib.closing(KedisProcess("--appendonly", "yes", "--appendfsync", fsync)) as server:
        assert answer(server.address, b"") == expected


def test_a_reply_that_nobody_reads_takes_no_memory() -> None:
    with contextlib.closing(KedisProcess()) as server, server.connect() as sock:
        element = b"x" * 1000
        for _ in range(100):
            sock.sendall(encode_command([b"RPUSH", b"list", *[element] * 1000]))
        read_up_to(sock, b":100000\r\n")
        before = server.resident_bytes()
        readers = [deaf(server) for _ in range(3)]
        for reader in readers:
            reader.sendall(b"LRANGE list 0 -1\r\n" * 2)

        def waiting() -> int:
            return server.run(b"CLIENT LIST").count(b"cmd=lrange")

        until(lambda: waiting() == 3)
        assert server.resident_bytes() - before < 60 * MB  # of 600 MB that are to be sent
        for reader in readers[1:]:  # in the middle
            reader.close()
        until(lambda: waiting() == 1)
        whole = b"*100000\r\n" + b"$1000\r\n%b\r\n" % element * 100_000
        assert read_up_to_size(readers[0], 2 * len(whole)) == whole * 2
        readers[0].close()
        assert server.run(b"PING") == b"+PONG\r\n"


def read_up_to_size(sock: socket.socket, size: int) -> bytes:
    sock.settimeout(60)
    data = bytearray()
    while len(data) < size:
        data += sock.recv(MB)
    return bytes(data)
