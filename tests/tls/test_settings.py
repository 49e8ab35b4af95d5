"""Every TLS setting changed while clients are connected, on Kedis and on Redis: nobody is cut off."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.oracle import Oracle
from tests.ports import free_port
from tests.tls.servers import PING, PONG, SECONDS, Certificates, TlsKedis, answer, flags_of

#: Only at the start, or without an effect on those who are connected.
_LEFT_OUT = {"tls-port", "tls-cluster"}


@pytest.fixture(scope="module")
def ports(certificates: Certificates) -> Iterator[tuple[tuple[int, int], ...]]:
    """The plain and the TLS port of Redis, and of Kedis."""
    port = free_port()
    oracle = Oracle("--tls-port", str(port), *flags_of(certificates))
    try:
        with TlsKedis(certificates) as kedis:
            yield (oracle.port, port), (kedis.address[1], kedis.tls_port)
    finally:
        oracle.close()


def changes_of(certificates: Certificates, folder: Path) -> dict[str, dict[str, str]]:
    """For each setting what is set together with it."""
    renewed, client = certificates.renewed, certificates.client
    locked, hashed, parameters = str(folder / "locked.key"), folder / "hashed", folder / "dh.pem"
    words = ["openssl", "pkey", "-in", certificates.server.key, "-aes256", "-passout", "pass:hunter22"]
    subprocess.run([*words, "-out", locked], check=True, capture_output=True)
    hashed.mkdir()
    shutil.copy(certificates.authority, hashed / "authority.pem")
    subprocess.run(["openssl", "rehash", str(hashed)], check=True, capture_output=True)
    group = ["openssl", "genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", "group:ffdhe2048"]
    subprocess.run([*group, "-out", str(parameters)], check=True, capture_output=True)
    pair = {"tls-cert-file": renewed.certificate, "tls-key-file": renewed.key}
    of_client = {"tls-client-cert-file": client.certificate, "tls-client-key-file": client.key}
    return {
        "tls-cert-file": pair,
        "tls-key-file": pair,
        "tls-key-file-pass": {"tls-key-file": locked, "tls-key-file-pass": "hunter22"},
        "tls-client-cert-file": of_client,
        "tls-client-key-file": of_client,
        "tls-client-key-file-pass": {"tls-client-key-file-pass": "hunter22"},
        "tls-dh-params-file": {"tls-dh-params-file": str(parameters)},
        "tls-ca-cert-file": {"tls-ca-cert-file": certificates.strangers},
        "tls-ca-cert-dir": {"tls-ca-cert-dir": str(hashed)},
        "tls-auth-clients": {"tls-auth-clients": "optional"},
        "tls-replication": {"tls-replication": "yes"},
        "tls-protocols": {"tls-protocols": "TLSv1.2"},
        "tls-ciphers": {"tls-ciphers": "ECDHE-ECDSA-AES256-GCM-SHA384"},
        "tls-ciphersuites": {"tls-ciphersuites": ""},
        "tls-prefer-server-ciphers": {"tls-prefer-server-ciphers": "yes"},
        "tls-session-caching": {"tls-session-caching": "no"},
        "tls-session-cache-size": {"tls-session-cache-size": "100"},
        "tls-session-cache-timeout": {"tls-session-cache-timeout": "100"},
    }


def connected(certificates: Certificates, port: int) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=certificates.authority)
    return context.wrap_socket(
        socket.create_connection(("127.0.0.1", port), SECONDS), server_hostname="127.0.0.1"
    )


def seen_by(
    certificates: Certificates, ports: tuple[int, int], changes: dict[str, dict[str, str]]
) -> list[Any]:
    """What clients see of each change: old ones, and new ones with their certificate, version and cipher."""
    told: list[Any] = []
    with contextlib.ExitStack() as stack:
        plain = stack.enter_context(redis.Redis(port=ports[0], decode_responses=True))
        first = stack.enter_context(connected(certificates, ports[1]))
        names = sorted(plain.config_get("tls-*").keys() - _LEFT_OUT)
        for name in names:
            before = plain.config_get(*changes[name])
            between = stack.enter_context(connected(certificates, ports[1]))
            plain.execute_command("CONFIG", "SET", *(word for pair in changes[name].items() for word in pair))
            with connected(certificates, ports[1]) as new:
                seen = (new.getpeercert(True), new.version(), new.cipher())
                told.append((name, answer(new, PING, len(PONG)), *seen))
            told += [answer(old, PING, len(PONG)) for old in (first, between)]
            plain.execute_command("CONFIG", "SET", *(word for pair in before.items() for word in pair))
            told.append(answer(between, PING, len(PONG)))
        with connected(certificates, ports[1]) as last:
            told.append(
                (last.getpeercert(True), last.version(), last.cipher(), answer(last, PING, len(PONG)))
            )
    return told


def test_every_setting_is_changed_and_nobody_is_cut_off(
    ports: tuple[tuple[int, int], ...], certificates: Certificates, tmp_path: Path
) -> None:
    changes = changes_of(certificates, tmp_path)
    theirs, mine = (seen_by(certificates, each, changes) for each in ports)
    assert mine == theirs
    assert [each for each in theirs if isinstance(each, bytes)].count(PONG) == 3 * len(changes)
    assert (
        len({each[2] for each in theirs if isinstance(each, tuple) and len(each) == 5}) == 2
    )  # certificates
