"""Certificates: of clients as ``tls-auth-clients`` wants them, of the server, and new ones while it runs."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import pytest
import redis

from kedis.cli.client.main import main as kedis_cli
from kedis.config import Config
from kedis.server.certificate_dates import earliest_end
from kedis.server.made_certificates import Issued
from kedis.server.tls_context import TlsError, context_of_replica, context_of_server
from tests.oracle import Oracle
from tests.ports import free_port
from tests.tls.servers import PING, PONG, Certificates, TlsKedis, answer, flags_of

_ONE_CIPHER = "ECDHE-ECDSA-AES256-GCM-SHA384"


@contextlib.contextmanager
def changed(client: redis.Redis, **settings: str):  # type: ignore[no-untyped-def]
    """Settings for a while."""
    words = {name.replace("_", "-"): value for name, value in settings.items()}
    before = client.config_get(*words)
    client.execute_command("CONFIG", "SET", *(word for pair in words.items() for word in pair))
    try:
        yield
    finally:
        client.execute_command("CONFIG", "SET", *(word for pair in before.items() for word in pair))


def gets_in(kedis: TlsKedis, issued: Issued | None, version: ssl.TLSVersion) -> bool:
    """Whether a client with this certificate is answered: by TLS 1.3 it learns after its handshake that it is not."""
    context = kedis.context(issued)
    context.maximum_version = version
    try:
        with kedis.connect_tls(context) as client:
            return answer(client, PING, len(PONG)) == PONG
    except OSError:
        return False


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_certificates_of_clients(
    kedis: TlsKedis, certificates: Certificates, version: ssl.TLSVersion
) -> None:
    shown = (None, certificates.client, certificates.expired, certificates.foreign)
    expected = {
        "no": [True, True, True, True],
        "optional": [True, True, False, False],
        "yes": [False, True, False, False],
    }
    with kedis.redis() as plain:
        for choice, wanted in expected.items():
            with changed(plain, tls_auth_clients=choice):
                assert [gets_in(kedis, each, version) for each in shown] == wanted, choice
    assert "Error accepting a client connection: " in kedis.output()


def test_redis_cli_with_and_without_a_certificate(kedis: TlsKedis, certificates: Certificates) -> None:
    with kedis.redis() as plain, changed(plain, tls_auth_clients="yes"):
        own = certificates.client
        assert kedis.redis_cli("--cert", own.certificate, "--key", own.key, "PING") == "PONG"
        assert "PONG" not in kedis.redis_cli("PING")


@pytest.mark.parametrize("bad", ["expired", "foreign"])
def test_bad_certificates_of_servers(kedis: TlsKedis, certificates: Certificates, bad: str) -> None:
    issued: Issued = getattr(certificates, bad)
    with kedis.redis() as plain, changed(plain, tls_cert_file=issued.certificate, tls_key_file=issued.key):
        with pytest.raises(redis.ConnectionError, match="certificate verify failed"):
            kedis.redis_tls().ping()
        assert "certificate verify failed" in kedis.redis_cli("PING")


def test_new_certificates_cut_nobody_off(kedis: TlsKedis, certificates: Certificates, tmp_path: Path) -> None:
    """Also those that come under the same path, as renewals do."""
    with kedis.redis() as plain, kedis.connect_tls() as old:
        first = old.getpeercert(True)
        new = certificates.renewed
        with changed(plain, tls_cert_file=new.certificate, tls_key_file=new.key):
            with kedis.connect_tls() as client:
                assert client.getpeercert(True) != first
                assert answer(client, PING, len(PONG)) == PONG
            assert answer(old, PING, len(PONG)) == PONG
        certificate, key = tmp_path / "current.crt", tmp_path / "current.key"
        seen = []
        with changed(plain, tls_auth_clients="no"):
            for issued in (certificates.server, new):
                shutil.copy(issued.certificate, certificate)
                shutil.copy(issued.key, key)
                plain.execute_command(
                    "CONFIG", "SET", "tls-cert-file", str(certificate), "tls-key-file", str(key)
                )
                with kedis.connect_tls() as client:
                    seen.append(client.getpeercert(True))
            own = certificates.server
            plain.execute_command("CONFIG", "SET", "tls-cert-file", own.certificate, "tls-key-file", own.key)
        assert seen[0] == first != seen[1]
        assert answer(old, PING, len(PONG)) == PONG


def test_a_bad_renewal_is_refused_after_good_ones(
    kedis: TlsKedis, certificates: Certificates, tmp_path: Path
) -> None:
    """Under the same path, where the settings are those of the renewal before; also with one that is refused beside."""
    certificate, key = tmp_path / "current.crt", tmp_path / "current.key"

    def put(issued: Issued) -> None:
        shutil.copy(issued.certificate, certificate)
        shutil.copy(issued.key, key)

    def shown() -> bytes | None:
        with kedis.connect_tls() as client:
            return client.getpeercert(True)

    renewal = ("CONFIG", "SET", "tls-cert-file", str(certificate), "tls-key-file", str(key))
    with kedis.redis() as plain, changed(plain, tls_auth_clients="no"), socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        put(certificates.renewed)
        plain.execute_command(*renewal)
        put(certificates.server)
        plain.execute_command(*renewal)
        last = shown()
        certificate.write_text("no certificate")
        with pytest.raises(redis.ResponseError, match="Unable to update TLS configuration"):
            plain.execute_command(*renewal)
        assert shown() == last
        own = certificates.renewed
        with pytest.raises(redis.ResponseError, match="Unable to listen"):
            plain.execute_command(
                *("CONFIG", "SET", "tls-cert-file", own.certificate, "tls-key-file", own.key),
                *("port", str(taken.getsockname()[1])),
            )
        assert shown() == last
        own = certificates.server
        plain.execute_command("CONFIG", "SET", "tls-cert-file", own.certificate, "tls-key-file", own.key)


def test_config_set_answers_as_redis_does(certificates: Certificates) -> None:
    """And changes nothing where it refuses. (FACTS of tls-port 0 and back, bad files, protocols, ciphers, choices.)"""
    flags = flags_of(certificates)
    oracle = Oracle("--tls-port", str(free_port()), *flags)
    other = certificates.renewed.certificate
    pairs = [
        ("tls-cert-file", "/nope"),
        ("tls-cert-file", other),  # of another key
        ("tls-key-file", ""),
        ("tls-protocols", "TLSv1.4"),
        ("tls-protocols", "TLSv1.2 TLSv1.3"),
        ("tls-ciphers", "nothing"),
        ("tls-ciphers", "ECDHE-ECDSA-AES128-GCM-SHA256"),
        ("tls-auth-clients", "maybe"),
        ("tls-auth-clients", "yes"),
        ("tls-ca-cert-file", ""),
        ("tls-ca-cert-file", "/nope"),
        ("tls-ca-cert-dir", "/nope"),
        ("tls-prefer-server-ciphers", "yes"),
        ("tls-session-caching", "no"),
        ("tls-session-caching", "2"),
        ("tls-session-cache-size", "-1"),
        ("tls-port", "70000"),
        ("tls-port", "0"),
        ("tls-cert-file", "/nope"),  # without the port it is only noted
    ]
    try:
        with TlsKedis(certificates) as kedis, kedis.redis() as plain:
            for name, value in pairs:
                expected = oracle.call("CONFIG", "SET", name, value)
                try:
                    got = plain.config_set(name, value) and "OK"
                except redis.ResponseError as error:
                    got = f"ERR {error}"
                shown = expected.decode() if isinstance(expected, bytes) else str(expected)
                assert got.removeprefix("ERR ") == shown.removeprefix("ERR "), (name, value)
                if name != "tls-port":
                    assert plain.config_get(name)[name] == oracle.call("CONFIG", "GET", name)[1].decode()
            names = {word.decode() for word in oracle.call("CONFIG", "GET", "tls-*")[::2]}
            assert names == set(plain.config_get("tls-*"))
    finally:
        oracle.close()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"tls-cert-file": ""}, "No tls-cert-file configured!"),
        ({"tls-key-file": ""}, "No tls-key-file configured!"),
        ({"tls-cert-file": "/nope"}, "Failed to load certificate: /nope: No such file"),
        ({"tls-key-file": "/nope"}, "Failed to load private key: /nope: No such file"),
        (
            {"tls-ca-cert-file": "", "tls-auth-clients": "yes"},
            "Either tls-ca-cert-file or tls-ca-cert-dir must be",
        ),
        (
            {"tls-ca-cert-file": "", "tls-replication": "yes"},
            "Either tls-ca-cert-file or tls-ca-cert-dir must be",
        ),
        ({"tls-ca-cert-file": "/nope"}, "Failed to configure CA certificate"),
        ({"tls-protocols": "SSLv3"}, "Invalid tls-protocols specified."),
        ({"tls-ciphers": "none"}, "Failed to configure ciphers: none"),
        ({"tls-dh-params-file": "/nope"}, "Failed to load /nope"),
    ],
)
def test_what_cannot_be_used_is_said(certificates: Certificates, wrong: dict[str, str], words: str) -> None:
    given = flags_of(certificates)
    settings = {flag.removeprefix("--"): value for flag, value in zip(given[::2], given[1::2], strict=True)}
    with pytest.raises(TlsError) as caught:
        context_of_server(Config({**settings, **wrong}))
    assert words in str(caught.value)
    context_of_server(Config(settings))
    context_of_replica(Config(settings))


def test_a_key_with_a_password(certificates: Certificates, tmp_path: Path) -> None:
    """A wrong one, or none, is an error, not a question on the terminal."""
    locked = str(tmp_path / "locked.key")
    own = certificates.server
    words = ["openssl", "pkey", "-in", own.key, "-aes256", "-passout", "pass:hunter22", "-out", locked]
    subprocess.run(words, check=True, capture_output=True)
    settings = {"tls-cert-file": own.certificate, "tls-key-file": locked, "tls-auth-clients": "no"}
    context_of_server(Config({**settings, "tls-key-file-pass": "hunter22"}))
    for password in ("", "hunter23"):
        with pytest.raises(TlsError) as caught:
            context_of_server(Config({**settings, "tls-key-file-pass": password}))
        assert "hunter" not in str(caught.value)


def test_when_a_certificate_ends(certificates: Certificates) -> None:
    for issued in (certificates.server, certificates.expired):
        with open(issued.certificate) as file:
            text = file.read()
        shown = ssl._ssl._test_decode_cert(issued.certificate)["notAfter"]  # type: ignore[attr-defined]
        assert earliest_end(issued.certificate) == ssl.cert_time_to_seconds(shown)
        assert text.startswith("-----BEGIN")


def test_protocols_and_sessions(kedis: TlsKedis) -> None:
    with kedis.redis() as plain:
        with changed(plain, tls_protocols="TLSv1.2"), kedis.connect_tls() as client:
            assert client.version() == "TLSv1.2"
        for caching, resumed in (("yes", True), ("no", False)):
            with changed(plain, tls_session_caching=caching, tls_protocols="TLSv1.3"):
                context = kedis.context()
                with kedis.connect_tls(context) as client:
                    answer(client, PING, len(PONG))
                    session = client.session
                with contextlib.closing(_plain(kedis)) as sock:
                    again = context.wrap_socket(sock, server_hostname="127.0.0.1", session=session)
                    assert again.session_reused is resumed
                    again.close()


def _plain(kedis: TlsKedis):  # type: ignore[no-untyped-def]
    import socket

    return socket.create_connection(("127.0.0.1", kedis.tls_port), 60)


def test_kedis_cli(
    kedis: TlsKedis, capsys: pytest.CaptureFixture[str], certificates: Certificates, tmp_path: Path
) -> None:
    base = ["-p", str(kedis.tls_port)]
    trust = ["--tls", "--cacert", certificates.authority]
    own = ["--cert", certificates.client.certificate, "--key", certificates.client.key]

    def run(*words: str) -> tuple[int, str, str]:
        code = kedis_cli([*base, *words])
        return (code, *capsys.readouterr())

    assert run(*trust, "ECHO", "x" * 100_000)[1] == "x" * 100_000 + "\n"
    assert run("--tls", "--insecure", "PING")[1] == "PONG\n"
    assert run(*trust, "--sni", "localhost", "PING")[1] == "PONG\n"
    code, _, errors = run(*trust, "--sni", "elsewhere", "PING")
    assert code == 1
    assert "certificate verify failed: Hostname mismatch" in errors
    code, _, errors = run("--tls", "PING")
    assert code == 1
    assert "certificate verify failed" in errors
    code, _, errors = run("--tls", "--cacert", "/nope", "PING")
    assert code == 1
    assert "/nope" in errors
    with kedis.redis() as plain, changed(plain, tls_auth_clients="yes"):
        assert run(*trust, *own, "PING")[1] == "PONG\n"
        assert run(*trust, "PING")[0] == 1
    url = f"rediss://127.0.0.1:{kedis.tls_port}"
    assert run("-u", url, "--cacert", certificates.authority, "PING")[1] == "PONG\n"
    assert run("-u", url, "--cacert", certificates.strangers, "PING")[0] == 1
    shutil.copy(certificates.authority, tmp_path / "authority.pem")
    subprocess.run(["openssl", "rehash", str(tmp_path)], check=True, capture_output=True)
    assert run("--tls", "--cacertdir", str(tmp_path), "PING")[1] == "PONG\n"
    with kedis.redis() as plain, changed(plain, tls_protocols="TLSv1.2", tls_ciphers=_ONE_CIPHER):
        assert run(*trust, "--tls-ciphers", _ONE_CIPHER, "PING")[1] == "PONG\n"
        assert run(*trust, "--tls-ciphers", "ECDHE-ECDSA-AES128-GCM-SHA256", "PING")[0] == 1
