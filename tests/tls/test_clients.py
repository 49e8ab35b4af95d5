"""Clients on the TLS port, on both paths: what they ask, however it is cut up, and how they leave."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator

import pytest
import redis

from kedis.resp.replies import encode_command
from tests.tls.servers import PING, PONG, SECONDS, Certificates, TlsKedis, answer, receive


def test_redis_cli(kedis: TlsKedis) -> None:
    assert kedis.redis_cli("PING") == "PONG"
    assert kedis.redis_cli(given=b"SET cli 1\nINCR cli\n").split() == ["OK", "2"]
    assert kedis.redis_cli("-x", "SET", "cli", given=b"x" * 300_000) == "OK"
    assert kedis.redis_cli("STRLEN", "cli") == "300000"


def test_redis_py(kedis: TlsKedis) -> None:
    with kedis.redis_tls() as client:
        pipe = client.pipeline(transaction=True)
        for number in range(1000):
            pipe.set(f"py:{number}", "v" * number)
        assert pipe.execute() == [True] * 1000
        assert client.mget("py:1", "py:999") == ["v", "v" * 999]
        messages = client.pubsub()
        messages.subscribe("news")
        assert messages.get_message(timeout=SECONDS)["type"] == "subscribe"
        client.publish("news", "by TLS")
        assert messages.get_message(timeout=SECONDS)["data"] == "by TLS"
        messages.close()
        assert client.blpop(["nothing"], timeout=0.01) is None


def test_openssl(kedis: TlsKedis) -> None:
    """Also that a client may not renegotiate, and that its close_notify is its end."""
    words = [
        "openssl",
        "s_client",
        "-connect",
        f"127.0.0.1:{kedis.tls_port}",
        "-CAfile",
        kedis.certificates.authority,
    ]
    for version in ("-tls1_2", "-tls1_3"):
        done = subprocess.run(
            [*words, version, "-quiet", "-verify_return_error"],
            input=b"PING\r\nECHO hello\r\nQUIT\r\n",
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.stdout == b"+PONG\r\n$5\r\nhello\r\n+OK\r\n", done.stderr
    done = subprocess.run(
        [*words, "-tls1_2"], input=b"R\n", capture_output=True, timeout=SECONDS, check=False
    )
    assert b"no renegotiation" in done.stderr
    assert kedis.ping() < SECONDS


@pytest.mark.parametrize("size", [1, 4096, 16_384, 16_385, 70_000, 1_000_000])
def test_values_of_many_records_both_ways(kedis: TlsKedis, size: int) -> None:
    value = bytes(range(256)) * (size // 256 + 1)
    value = value[:size]
    wire = b"$%d\r\n%b\r\n" % (size, value)
    with kedis.connect_tls() as client:
        assert answer(client, encode_command([b"SET", b"large", value]), 5) == b"+OK\r\n"
        assert answer(client, encode_command([b"GET", b"large"]) * 3, 3 * len(wire)) == 3 * wire


def test_a_pipeline_that_is_read_late(kedis: TlsKedis) -> None:
    """More replies than the kernel takes: what was encrypted and could not be sent is sent once, and in order."""
    value = b"0123456789" * 5_000
    with kedis.connect_tls() as client:
        answer(client, encode_command([b"SET", b"ten", value]), 5)
        expected = b"".join(b"$%d\r\n%b\r\n:%d\r\n" % (len(value), value, number) for number in range(1, 101))
        client.sendall(
            b"".join(
                encode_command([b"GET", b"ten"]) + encode_command([b"INCR", b"late"]) for _ in range(100)
            )
        )
        time.sleep(0.2)  # nothing depends on it: the more is unsent, the more this test sees
        assert receive(client, len(expected)) == expected
        answer(client, encode_command([b"DEL", b"late"]), 4)


def test_one_byte_a_record(kedis: TlsKedis) -> None:
    with kedis.connect_tls() as client:
        for byte in PING * 3:
            client.sendall(bytes([byte]))
        assert receive(client, 21) == PONG * 3


@contextlib.contextmanager
def shaken_hands(
    kedis: TlsKedis,
) -> Iterator[tuple[socket.socket, ssl.SSLObject, ssl.MemoryBIO, ssl.MemoryBIO]]:
    """A client after the handshake, whose last flight still waits in ``outgoing``: socket, TLS, incoming, outgoing."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = kedis.context().wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    with socket.create_connection(("127.0.0.1", kedis.tls_port), SECONDS) as client:
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                client.sendall(outgoing.read())
                incoming.write(client.recv(65536))
        yield client, tls, incoming, outgoing


def test_requests_that_come_with_the_end_of_the_handshake(kedis: TlsKedis) -> None:
    """The last flight of the client and its first requests in one segment: nothing else would wake the server."""
    with shaken_hands(kedis) as (client, tls, incoming, outgoing):
        tls.write(PING * 5)
        client.sendall(outgoing.read())
        replies = b""
        while len(replies) < 5 * len(PONG):
            incoming.write(client.recv(65536))
            try:
                while True:
                    replies += tls.read(65536)
            except ssl.SSLWantReadError:
                pass
        assert replies == PONG * 5


def test_a_client_that_ends_its_side_gets_its_replies(kedis: TlsKedis) -> None:
    """close_notify in the segment of the last request, the socket open: replies, then the end."""
    with shaken_hands(kedis) as (client, tls, incoming, outgoing):
        tls.write(PING)
        with pytest.raises(ssl.SSLWantReadError):
            tls.unwrap()
        client.sendall(outgoing.read())
        wire = receive(client, 1 << 20)  # until the server closes
        incoming.write(wire)
        assert tls.read(100) == PONG


def test_a_client_that_goes_without_a_word(kedis: TlsKedis) -> None:
    with kedis.redis() as plain:
        before = plain.info("clients")["connected_clients"]
        client = kedis.connect_tls()
        assert answer(client, PING, 7) == PONG
        client.close()
        while plain.info("clients")["connected_clients"] > before:
            time.sleep(0.01)


def test_a_damaged_record_ends_the_connection(kedis: TlsKedis) -> None:
    client = kedis.connect_tls()
    assert answer(client, PING, 7) == PONG
    raw = socket.socket(fileno=client.detach())
    raw.settimeout(SECONDS)
    raw.sendall(b"\x17\x03\x03\x00\x20" + b"?" * 32)
    while raw.recv(4096):
        pass
    raw.close()
    assert kedis.ping() < SECONDS


def test_plain_bytes_on_the_tls_port(kedis: TlsKedis) -> None:
    with socket.create_connection(("127.0.0.1", kedis.tls_port), SECONDS) as client:
        client.sendall(PING)
        with contextlib.suppress(ConnectionResetError):
            assert PONG not in receive(client, 1000)
    assert kedis.ping() < SECONDS


def test_a_tls_hello_on_the_plain_port_has_no_answer(kedis: TlsKedis) -> None:
    """It looks like an inline command without an end."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = kedis.context().wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    hello = outgoing.read().replace(b"\n", b"x")  # a random one would end the line
    with kedis.connect() as client:
        client.sendall(hello)
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(100)


def test_info_does_not_know_of_tls(kedis: TlsKedis) -> None:
    with kedis.redis_tls() as client:
        info = client.info("everything")
        assert info["tcp_port"] == kedis.address[1]
        assert not [name for name in info if "tls" in name]


def test_monitor_slow_log_and_client_list_show_tls_clients_as_others(kedis: TlsKedis) -> None:
    with kedis.redis_tls(client_name="me") as client:
        (me,) = [each for each in client.client_list() if each["name"] == "me"]
        assert me["addr"].startswith("127.0.0.1:")
        assert me["laddr"] == f"127.0.0.1:{kedis.tls_port}"


def test_wrong_names_are_the_client_s_to_see(kedis: TlsKedis, certificates: Certificates) -> None:
    with pytest.raises(redis.ConnectionError, match="certificate verify failed"):
        kedis.redis_tls(ssl_ca_certs=certificates.strangers).ping()
