"""Servers that speak TLS, and clients of them."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from kedis.server.made_certificates import Issued
from tests.ports import free_port
from tests.wire.kedis_process import KedisProcess

SECONDS = 60
PING, PONG = b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n"


@dataclass(frozen=True)
class Certificates:
    """Paths of certificates.

    Attributes:
        authority, strangers: certificates of two authorities; the servers trust the first alone.
        expired: of the first one, and no longer good; foreign: of the other.
    """

    folder: Path
    authority: str
    strangers: str
    server: Issued
    renewed: Issued
    client: Issued
    expired: Issued
    foreign: Issued


def flags_of(certificates: Certificates, **settings: str) -> list[str]:
    """The settings of a server with these certificates, as words of a command line."""
    words = {
        "tls_cert_file": certificates.server.certificate,
        "tls_key_file": certificates.server.key,
        "tls_ca_cert_file": certificates.authority,
        "tls_auth_clients": "no",
        **settings,
    }
    return [word for name, value in words.items() for word in (f"--{name.replace('_', '-')}", value)]


class TlsKedis(KedisProcess):
    """A process of its own, on a plain port and a TLS port."""

    def __init__(
        self, certificates: Certificates, *flags: str, path: str = "native", **settings: str
    ) -> None:
        self.certificates = certificates
        self.tls_port = free_port()
        prefix = ["env", "KEDIS_PURE=1"] if path == "python" else []
        words = flags_of(certificates, tls_port=str(self.tls_port), **settings)
        super().__init__(*words, *flags, prefix=prefix)

    def redis_tls(self, **options: Any) -> redis.Redis:
        """A redis-py client by TLS, whose replies are text."""
        once = Retry(NoBackoff(), 0)  # else a refused certificate is tried ten times
        given = {
            "ssl_ca_certs": self.certificates.authority,
            "decode_responses": True,
            "retry": once,
            **options,
        }
        return redis.Redis(port=self.tls_port, ssl=True, **given)

    def context(self, issued: Issued | None = None) -> ssl.SSLContext:
        """What a client trusts this server by, with a certificate of its own if one is given."""
        context = ssl.create_default_context(cafile=self.certificates.authority)
        if issued is not None:
            context.load_cert_chain(issued.certificate, issued.key)
        return context

    def connect_tls(self, context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
        """A client's socket after its handshake. Raises OSError."""
        plain = socket.create_connection(("127.0.0.1", self.tls_port), SECONDS)
        return (context or self.context()).wrap_socket(plain, server_hostname="127.0.0.1")

    def redis_cli(self, *words: str, given: bytes = b"") -> str:
        """What redis-cli prints by TLS."""
        program = shutil.which("redis-cli")
        if program is None:
            pytest.skip("redis-cli is not installed")
        trust = ["--tls", "--cacert", self.certificates.authority]
        done = subprocess.run(
            [program, "-p", str(self.tls_port), *trust, *words],
            input=given,
            capture_output=True,
            timeout=SECONDS,
            env={**os.environ, "NO_COLOR": "1"},
            check=False,
        )
        return (done.stdout + done.stderr).decode("utf-8", "replace").strip()


def answer(client: socket.socket, data: bytes, size: int) -> bytes:
    """Send ``data``; the first ``size`` bytes of what comes back, or fewer at the end."""
    client.sendall(data)
    return receive(client, size)


def receive(client: socket.socket, size: int) -> bytes:
    """The next ``size`` bytes, or fewer at the end."""
    received = bytearray()
    while len(received) < size and (more := client.recv(65536)):
        received += more
    return bytes(received)
