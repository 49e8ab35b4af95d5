"""Replication by TLS, with Redis on either side: a full copy as it is made and by a file, the stream, and refusals."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
import redis

from kedis.server.made_certificates import Issued
from tests.oracle import Oracle
from tests.ports import free_port
from tests.tls.servers import SECONDS, Certificates, TlsKedis, flags_of

VALUE = b"0123456789abcdef" * 40_000


def eventually(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.02)


def settings(certificates: Certificates) -> dict[str, str]:
    """Replicas show their certificates, and masters ask for them."""
    return {"tls_auth_clients": "yes", "tls_replication": "yes", "repl_diskless_sync_delay": "0"}


class Side:
    """One end: its plain port for the test, its TLS port for the other end."""

    def __init__(self, certificates: Certificates, kind: str) -> None:
        self.certificates = certificates
        if kind == "redis":
            self.tls_port = free_port()
            words = flags_of(certificates, tls_port=str(self.tls_port), **settings(certificates))
            self._server: Oracle | TlsKedis = Oracle(*words)
            port = self._server.port
        else:
            self._server = TlsKedis(certificates, path=kind, **settings(certificates))
            self.tls_port = self._server.tls_port
            port = self._server.address[1]
        self.redis = redis.Redis(port=port)

    def close(self) -> None:
        self.redis.close()
        self._server.close()

    def follows(self, master: Side) -> bool:
        return self.redis.info("replication").get("master_link_status") == "up"

    def has(self, key: str, value: bytes) -> bool:
        return self.redis.get(key) == value


@pytest.fixture(params=[("native", "redis"), ("redis", "native"), ("native", "python")], ids="-".join)
def pair(request: pytest.FixtureRequest, certificates: Certificates) -> Iterator[tuple[Side, Side]]:
    """A master and a replica that does not follow it yet."""
    sides: list[Side] = []
    try:
        sides += [Side(certificates, kind) for kind in request.param]
        yield sides[0], sides[1]
    finally:
        for side in sides:
            side.close()


def test_a_copy_and_the_stream(pair: tuple[Side, Side]) -> None:
    master, replica = pair
    master.redis.set("large", VALUE)
    for diskless in ("yes", "no"):
        master.redis.config_set("repl-diskless-sync", diskless)
        replica.redis.execute_command("REPLICAOF", "127.0.0.1", master.tls_port)
        eventually(lambda: replica.follows(master), "the replica follows")
        assert replica.has("large", VALUE)
        for number in range(20):
            master.redis.set(f"stream:{number}", VALUE)
        assert master.redis.wait(1, SECONDS * 1000) == 1
        assert replica.has("stream:19", VALUE)
        (each,) = [line for name, line in master.redis.info("replication").items() if name == "slave0"]
        assert each["port"] == replica.tls_port, "it announces the port by which it can be followed"
        replica.redis.execute_command("REPLICAOF", "NO", "ONE")
        replica.redis.flushall()


def test_a_master_with_a_foreign_certificate_is_not_followed(certificates: Certificates) -> None:
    foreign: Issued = certificates.foreign
    flags = {"tls_cert_file": foreign.certificate, "tls_key_file": foreign.key}
    with TlsKedis(certificates, **flags) as master, TlsKedis(certificates, tls_replication="yes") as replica:
        with replica.redis() as client:
            client.execute_command("REPLICAOF", "127.0.0.1", master.tls_port)
        eventually(
            lambda: "TLS with MASTER has failed: certificate verify failed" in replica.output(),
            "it is logged",
        )


def test_a_link_that_is_cut_comes_back(certificates: Certificates) -> None:
    """CLIENT KILL shuts the socket down under the greenlet that reads it."""
    with TlsKedis(certificates) as master, TlsKedis(certificates, tls_replication="yes") as replica:
        with replica.redis() as client, master.redis() as other:
            client.execute_command("REPLICAOF", "127.0.0.1", master.tls_port)
            eventually(lambda: client.info("replication").get("master_link_status") == "up", "it follows")
            client.execute_command("CLIENT", "KILL", "TYPE", "master")
            eventually(lambda: int(other.info("stats")["sync_partial_ok"]) == 1, "it goes on where it was")
        assert "internal error" not in replica.output()
