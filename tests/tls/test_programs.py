"""What speaks TLS beside the port: ``kedis.Server``, the metrics, kedis-benchmark, Locust's client."""

from __future__ import annotations

import contextlib
import os
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from urllib.error import URLError
from urllib.parse import parse_qs, urlsplit

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

import kedis
from locustfiles.measured_client import connect
from tests.ports import free_port
from tests.tls.servers import SECONDS, Certificates

METRICS = free_port()
ONCE = Retry(NoBackoff(), 0)


@pytest.fixture(scope="module")
def server(certificates: Certificates) -> Iterator[kedis.Server]:
    with kedis.Server(tls=True, requirepass="secret", metrics_port=METRICS, metrics_tls=True) as server:
        yield server


def test_a_url_and_clients(server: kedis.Server) -> None:
    assert server.url.startswith("rediss://:secret@127.0.0.1:")
    with redis.Redis.from_url(server.url) as client:
        assert client.ping()
    with server.client() as client:
        client.config_set("tls-auth-clients", "yes")  # clients have a certificate to show
        assert server.client().ping()
        client.config_set("tls-auth-clients", "no")
        assert client.config_get("tls-port") == {"tls-port": str(server.port)}
    with pytest.raises(redis.ConnectionError):
        redis.Redis(port=server.port, retry=ONCE).ping()


def test_it_keeps_its_port_and_its_certificate(certificates: Certificates) -> None:
    server = kedis.Server(tls=True)
    with server:
        first = (server.port, server.url)
    with server:
        assert (server.port, server.url) == first
        assert server.client().ping()
    folder = os.path.dirname(server.authority)
    del server
    assert not os.path.exists(folder)


@pytest.mark.parametrize(
    "settings",
    [{"bind": "127.0.0.2"}, {"host": "127.0.0.2 -::1"}, {"host": "-127.0.0.2"}, {"host": "* -::*"}],
)
def test_the_certificate_is_that_of_the_addresses(
    certificates: Certificates, settings: dict[str, str]
) -> None:
    with kedis.Server(tls=True, **settings) as server, server.client(retry=ONCE) as client:
        assert client.ping()


def test_with_certificates_of_one_s_own(certificates: Certificates) -> None:
    own = {"tls_cert_file": certificates.server.certificate, "tls_key_file": certificates.server.key}
    with kedis.Server(tls=True, **own, tls_ca_cert_file=certificates.authority) as server:
        shown = certificates.client
        client = server.client(ssl_certfile=shown.certificate, ssl_keyfile=shown.key)
        assert client.ping()
        with pytest.raises(redis.ConnectionError):  # the default of tls-auth-clients
            server.client(retry=ONCE).ping()


def test_the_metrics(server: kedis.Server) -> None:
    context = ssl.create_default_context(cafile=server.authority)
    address = f"https://127.0.0.1:{METRICS}/metrics"
    with urllib.request.urlopen(address, context=context, timeout=SECONDS) as response:
        text = response.read().decode()
    figures = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert float(figures["kedis_tls_certificate_expiry_timestamp_seconds"]) > 1_700_000_000
    assert float(figures['kedis_tls_handshakes_total{outcome="complete"}']) >= 0
    with pytest.raises((URLError, OSError)):
        urllib.request.urlopen(address.replace("https", "http"), timeout=SECONDS)


@contextlib.contextmanager
def asking_for_certificates(server: kedis.Server) -> Iterator[None]:
    with server.client() as client:
        client.config_set("tls-auth-clients", "yes")
        try:
            yield
        finally:
            client.config_set("tls-auth-clients", "no")


def shown(server: kedis.Server) -> tuple[str, str]:
    """A certificate that the server's authority has issued, and its key."""
    words = parse_qs(urlsplit(server.url).query)
    return words["ssl_certfile"][0], words["ssl_keyfile"][0]


def test_the_client_of_locust(server: kedis.Server) -> None:
    """By a url as docs/operate/tls.md gives it, with a certificate of the client and without."""
    seen: list[object] = []

    def report(*words: object, **more: object) -> None:
        seen.append((words, more))

    without = f"rediss://:secret@127.0.0.1:{server.port}?ssl_ca_certs={server.authority}"
    assert connect(without, report).ping()
    certificate, key = shown(server)
    with asking_for_certificates(server):
        assert connect(f"{without}&ssl_certfile={certificate}&ssl_keyfile={key}", report).ping()
        with pytest.raises(redis.ConnectionError):
            connect(without, report).ping()


def test_kedis_benchmark(server: kedis.Server) -> None:
    certificate, key = shown(server)
    trust = ["--cacert", server.authority]
    good = [trust, ["--insecure"], [*trust, "--sni", "localhost"]]
    for given in good:
        assert b"200 operations" in benchmark(server, given).stdout, given
    assert benchmark(server, [*trust, "--sni", "elsewhere"]).returncode
    assert benchmark(server, []).returncode
    with asking_for_certificates(server):
        assert b"200 operations" in benchmark(server, [*trust, "--cert", certificate, "--key", key]).stdout
        assert benchmark(server, trust).returncode


def benchmark(server: kedis.Server, given: list[str]) -> subprocess.CompletedProcess[bytes]:
    program = "import sys; from kedis.cli.benchmark.main import main; sys.exit(main())"
    words = ["-p", str(server.port), "--tls", *given, "-n", "200", "-c", "3", "--keys", "100"]
    return subprocess.run(
        [sys.executable, "-c", program, *words],
        env={**os.environ, "REDISCLI_AUTH": "secret"},
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
