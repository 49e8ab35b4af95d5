"""A real server, real sockets, real clients."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator

import pytest
import redis

import kedis
from tests.wire.kedis_process import KedisProcess


@pytest.fixture(scope="module")
def server() -> Iterator[kedis.Server]:
    with kedis.Server(port=0) as running:
        yield running


@pytest.fixture
def client(server: kedis.Server) -> Iterator[redis.Redis]:
    with server.client() as connected:
        connected.flushall()
        yield connected


def raw(server: kedis.Server) -> socket.socket:
    return socket.create_connection((server.host, server.port), timeout=10)


def read_until(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            break
        data += piece
    return data


def test_redis_py_with_its_defaults(client: redis.Redis) -> None:
    client.set("greeting", "hello", ex=100)
    assert client.get("greeting") == b"hello"
    assert 0 < client.ttl("greeting") <= 100
    client.hset("user", mapping={"name": "karthik", "age": "30"})
    assert client.hgetall("user") == {b"name": b"karthik", b"age": b"30"}
    client.zadd("board", {"ann": 3, "bob": 1.5})
    assert client.zrange("board", 0, -1, withscores=True) in (
        [(b"bob", 1.5), (b"ann", 3.0)],
        [[b"bob", 1.5], [b"ann", 3.0]],
    )
    client.sadd("tags", "a", "b")
    assert client.smembers("tags") == {b"a", b"b"}
    client.rpush("queue", 1, 2, 3)
    assert client.lrange("queue", 0, -1) == [b"1", b"2", b"3"]
    assert client.info("server")["redis_version"] == "7.0.15"


@pytest.mark.parametrize("protocol", [2, 3])
def test_pipeline_and_transaction(server: kedis.Server, protocol: int) -> None:
    with server.client(protocol=protocol, decode_responses=True) as client:
        client.delete("n", "l")
        with client.pipeline() as pipe:
            pipe.incr("n").incrby("n", 5).lpush("l", "x").lrange("l", 0, -1)
            assert pipe.execute() == [1, 6, 1, ["x"]]
        with client.pipeline(transaction=False) as pipe:
            for _ in range(10_000):
                pipe.incr("n")
            assert pipe.execute()[-1] == 10_006


def test_watch_notices_another_client(server: kedis.Server, client: redis.Redis) -> None:
    client.set("balance", 10)
    with client.pipeline() as pipe:
        pipe.watch("balance")
        with server.client() as other:
            other.set("balance", 20)
        pipe.multi()
        pipe.set("balance", 30)
        with pytest.raises(redis.WatchError):
            pipe.execute()
    assert client.get("balance") == b"20"


def test_the_inline_protocol_of_a_person(server: kedis.Server) -> None:
    with raw(server) as sock:
        sock.sendall(b"SET user karthik\r\nGET user\r\n")
        assert read_until(sock, 18) == b"+OK\r\n$7\r\nkarthik\r\n"
        sock.sendall(b'SET "two words" "line\\nbreak"\nGET "two words"\n')
        assert read_until(sock, 22) == b"+OK\r\n$10\r\nline\nbreak\r\n"


def test_byte_by_byte(server: kedis.Server) -> None:
    request = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nv\r\n\x00\xff\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"
    with raw(server) as sock:
        for position in range(len(request)):
            sock.sendall(request[position : position + 1])
        assert read_until(sock, 16) == b"+OK\r\n$5\r\nv\r\n\x00\xff\r\n"


def test_protocol_error_is_answered_and_closed(server: kedis.Server) -> None:
    with raw(server) as sock:
        sock.sendall(b"*1\r\n$4\r\nPING\r\n*1\r\n+PING\r\n")
        assert read_until(sock, 1000) == b"+PONG\r\n-ERR Protocol error: expected '$', got '+'\r\n"


def test_quit_answers_then_closes(server: kedis.Server) -> None:
    with raw(server) as sock:
        sock.sendall(b"PING\r\nQUIT\r\nPING\r\n")
        assert read_until(sock, 1000) == b"+PONG\r\n+OK\r\n"


def test_a_browser_is_closed_at_once(server: kedis.Server, client: redis.Redis) -> None:
    for line in (
        b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\nFLUSHALL\r\n",
        b"Host: localhost\r\nFLUSHALL\r\n",
    ):
        client.set("precious", 1)
        with raw(server) as sock:
            sock.sendall(line)
            assert read_until(sock, 1000) == b""
        assert client.exists("precious")


def test_large_values_travel_whole(client: redis.Redis) -> None:
    value = bytes(range(256)) * 40_000
    client.set("big", value)
    assert client.get("big") == value
    assert client.strlen("big") == len(value)


def test_client_kill_closes_the_other(server: kedis.Server, client: redis.Redis) -> None:
    with raw(server) as sock:
        sock.sendall(b"CLIENT ID\r\n")
        number = int(sock.recv(100)[1:])
        assert client.client_kill_filter(_id=number) == 1
        assert sock.recv(100) == b""
    assert str(number) not in {entry["id"] for entry in client.client_list()}


def test_pause_holds_commands_and_lets_them_go(server: kedis.Server, client: redis.Redis) -> None:
    client.client_pause(60_000, all=False)
    results: list[object] = []
    with server.client() as other:
        writer = threading.Thread(target=lambda: results.append(other.set("k", "v")))
        writer.start()
        assert client.get("k") is None
        assert not results
        client.client_unpause()
        writer.join(10)
        assert results == [True]


def test_many_clients_come_and_go(server: kedis.Server, client: redis.Redis) -> None:
    for _ in range(300):
        with raw(server) as sock:
            sock.sendall(b"*1\r\n$4\r\nPI")
    with raw(server) as sock:
        sock.sendall(b"PING\r\n")
        assert sock.recv(100) == b"+PONG\r\n"
    for _ in range(100):
        if len(client.client_list()) == 1:
            break
    assert len(client.client_list()) == 1


def test_a_deep_pipeline_does_not_starve_the_others() -> None:
    """While one client has a million commands under way, a GET is answered between them.

    The server is a process of its own: with the threads of this one it would share the interpreter.
    """
    count = 1_000_000
    process = KedisProcess()
    try:
        with (
            redis.Redis(port=process.address[1]) as client,
            socket.create_connection(process.address, timeout=60) as busy,
        ):
            sender = threading.Thread(target=busy.sendall, args=(b"*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n" * count,))
            reader = threading.Thread(target=drain, args=(busy, b":%d\r\n" % count))
            sender.start()
            reader.start()
            seen = set()
            while reader.is_alive():
                seen.add(int(client.get("n") or 0))
            sender.join()
            reader.join()
            assert client.get("n") == b"%d" % count
    finally:
        process.close()
    assert len(seen) > 10, "the other client was served while the pipeline ran"


def drain(sock: socket.socket, end: bytes) -> None:
    tail = b""
    while not tail.endswith(end):
        tail = (tail + sock.recv(1 << 16))[-64:]


def test_a_client_that_never_reads_is_cut_at_its_limit() -> None:
    limits = "normal 4mb 0 0"
    with kedis.Server(port=0, client_output_buffer_limit=limits) as server, server.client() as client:
        client.set("big", b"x" * 1_000_000)
        with raw(server) as greedy:
            greedy.sendall(b"GET big\r\n" * 200)
            while client.client_list()[-1]["id"] != client.client_list()[0]["id"]:
                pass
        assert client.ping()


def test_maxclients_refuses_politely() -> None:
    with kedis.Server(port=0, maxclients=2) as server, server.client() as client:
        assert client.ping()
        with raw(server) as second:
            second.sendall(b"PING\r\n")
            assert second.recv(100) == b"+PONG\r\n"
            with raw(server) as third:
                assert read_until(third, 1000) == b"-ERR max number of clients reached\r\n"
        assert client.ping()


def test_a_password_guards_the_server() -> None:
    with kedis.Server(port=0, requirepass="sesame") as server:
        with redis.Redis(port=server.port) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()
        with server.client() as friend, redis.Redis.from_url(server.url) as guest:
            assert friend.ping() and guest.ping()
        with raw(server) as sock:
            sock.sendall(b"*11\r\n")
            assert read_until(sock, 1000) == b"-ERR Protocol error: unauthenticated multibulk length\r\n"


def test_the_pytest_fixtures(kedis_client: redis.Redis, kedis_server: kedis.Server) -> None:
    assert kedis_client.dbsize() == 0
    kedis_client.set("a", 1)
    assert redis.Redis.from_url(kedis_server.url).get("a") == b"1"


def test_the_in_process_client() -> None:
    store = kedis.connect(decode_responses=True)
    assert store.set("a", 1)
    assert store.incr("a") == 2
    with store.pipeline() as pipe:
        pipe.watch("a")
        pipe.multi()
        pipe.incr("a").hset("h", "f", "v").hgetall("h")
        assert pipe.execute() == [3, 1, {"f": "v"}]
    with pytest.raises(redis.ResponseError, match=r"WRONGTYPE|wrong kind"):
        store.lpush("a", 1)
    assert kedis.connect().dbsize() == 0, "each store is its own"


def test_redis_cli(server: kedis.Server, client: redis.Redis) -> None:
    program = shutil.which("redis-cli")
    if program is None:
        pytest.skip("redis-cli is not installed")
    client.set("k", "v")
    done = subprocess.run(
        [program, "-p", str(server.port), "GET", "k"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "v\n"
    script = "".join(f"SET bulk:{number} {number}\r\n" for number in range(1000))
    done = subprocess.run(
        [program, "-p", str(server.port), "--pipe"], input=script, capture_output=True, text=True, check=True
    )
    assert "errors: 0, replies: 1000" in done.stdout
