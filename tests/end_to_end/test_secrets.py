"""Passwords are not in the log, the process list, tracebacks, or what the server tells of itself."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

import pytest
import redis

import kedis
from kedis.engine.users import Users
from kedis.process.process_list import _places, hide_arguments
from tests.wire.kedis_process import KedisProcess

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the process list is left as it is")


def command_line(process_id: int) -> bytes:
    return Path(f"/proc/{process_id}/cmdline").read_bytes()


@linux
def test_a_server_started_with_secrets(tmp_path: Path) -> None:
    """Whatever is done with them: by the time it answers none is to be seen."""
    flags = ["--masterauth", "pear-secret", "--masterauth=pear-secret", "--tls-key-file-pass", "plum-secret"]
    flags += ["--user", "bob", "on", ">fig-secret", "~*", "+@all"]
    with KedisProcess(*flags) as server:
        shown = command_line(server.process.pid)
        assert b"secret" not in shown
        assert shown.count(b"*" * len("pear-secret")) == 4  # all are of this length
        assert b"--masterauth" in shown and b"bob" in shown and str(server.address[1]).encode() in shown
        with server.redis() as client:
            for words in (
                ("AUTH", "lime-secret"),
                ("AUTH", "bob", "lime-secret"),
                ("HELLO", "3", "AUTH", "bob", "lime-secret"),
                ("CONFIG", "SET", "masterauth", "kiwi-secret"),
                ("CONFIG", "SET", "masterauth", "kiwi-secret", "no-such", "1"),
                ("ACL", "SETUSER", "eve", "on", ">kiwi-secret"),
                ("ACL", "SETUSER", "eve", ">kiwi-secret", "wrong"),
                ("MIGRATE", "127.0.0.1", "1", "k", "0", "10", "AUTH2", "bob", "kiwi-secret"),
                ("SET", "k", "v"),
                ("MIGRATE", "127.0.0.1", "1", "k", "0", "100", "AUTH", "kiwi-secret"),
                ("CONFIG", "SET", "requirepass", "kiwi-secret"),
            ):
                with pytest.raises(redis.RedisError) if "no" in words else _anything():
                    client.execute_command(*words)
            client.execute_command("AUTH", "kiwi-secret")
            told = (
                f"{client.execute_command('SLOWLOG', 'GET', 100)} {client.info('all')} {client.client_list()}"
            )
            told += str(client.execute_command("ACL", "LOG"))
        assert "secret" not in told
        assert "secret" not in server.output()


class _anything:
    """Errors are as good as replies."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: object, trace: object) -> bool:
        return isinstance(error, redis.RedisError)


def test_tracebacks(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A fault in the midst of a login is logged with its traceback, and without what was given."""

    def fails(self: Users, name: bytes, password: bytes) -> NoReturn:
        raise RuntimeError("a fault for the test")

    monkeypatch.setattr(Users, "authenticate", fails)
    with caplog.at_level(logging.DEBUG), kedis.Server() as server:
        client = server.client()
        with pytest.raises(redis.RedisError):
            client.execute_command("AUTH", "bob", "lime-secret")
    assert "a fault for the test" in caplog.text
    assert "lime-secret" not in caplog.text


@linux
@pytest.mark.parametrize(
    "words",
    [["-a", "lime-secret"], ["-u", "redis://bob:lime-secret@127.0.0.1:{port}"], ["--pass=lime-secret"]],
)
def test_kedis_cli(words: list[str]) -> None:
    with KedisProcess("--user", "bob", "on", ">lime-secret", "~*", "+@all") as server:
        with server.redis() as first:
            first.config_set("requirepass", "lime-secret")
        port = str(server.address[1])
        given = [word.format(port=port) for word in words]
        program = [
            sys.executable,
            "-c",
            "import sys; from kedis.cli.client.main import main; sys.exit(main())",
        ]
        done = subprocess.Popen(
            [*program, "-p", port, *given, "--no-auth-warning", "BLPOP", "nothing", "0"],
            stdout=subprocess.DEVNULL,
        )
        try:
            with redis.Redis(port=server.address[1], password="lime-secret") as client:
                deadline = time.monotonic() + 60
                while not client.info("clients")["blocked_clients"]:
                    assert time.monotonic() < deadline and done.poll() is None
                    time.sleep(0.02)
            shown = command_line(done.pid)
            assert b"secret" not in shown
            assert b"BLPOP" in shown
        finally:
            done.kill()
            done.wait()


def test_what_is_written_over() -> None:
    assert _places(b"secret", b"secret") == [0]
    assert _places(b"--pass=secret", b"secret") == [7]
    assert _places(b"--requirepass secret", b"secret") == [14]
    assert _places(b"redis://bob:secret@host", b"secret") == [12]
    assert _places(b"redis://secret@host", b"secret") == [8]
    assert _places(b"secretary", b"secret") == []
    assert not hide_arguments([])
