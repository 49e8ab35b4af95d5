"""DEBUG, PFDEBUG and PFSELFTEST beside Redis, in both protocols."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kedis.resp.replies import encode_command
from tests.commands.driver import Client, ErrorReply, to_bytes
from tests.oracle import Oracle
from tests.persistence.server import Kedis
from tests.replication.masters import until

TYPES = "string integer double bignum null array set map attrib push verbatim true false nonsense"
CALLS: list[tuple[Any, ...]] = [
    *(("DEBUG", "PROTOCOL", name) for name in TYPES.split()),
    ("DEBUG", "PROTOCOL"),
    ("DEBUG", "ERROR", "MY error"),
    ("DEBUG", "ERROR", "alone"),
    ("DEBUG", "LISTPACK", "hash"),
    ("DEBUG", "LISTPACK", "list"),
    ("DEBUG", "LISTPACK", "text"),
    ("DEBUG", "LISTPACK", "nothing"),
    ("DEBUG", "QUICKLIST", "list"),
    ("DEBUG", "QUICKLIST", "list", 1),
    ("DEBUG", "QUICKLIST", "hash"),
    ("DEBUG", "SDSLEN", "hash"),
    ("DEBUG", "SDSLEN", "nothing"),
    ("DEBUG", "HTSTATS", "x"),
    ("DEBUG", "HTSTATS", -1),
    ("DEBUG", "HTSTATS", 99),
    ("DEBUG", "HTSTATS-KEY", "hash"),
    ("DEBUG", "HTSTATS-KEY", "text"),
    ("DEBUG", "HTSTATS-KEY", "nothing"),
    ("DEBUG", "QUICKLIST-PACKED-THRESHOLD", "100b"),
    ("DEBUG", "QUICKLIST-PACKED-THRESHOLD", 0),
    ("DEBUG", "QUICKLIST-PACKED-THRESHOLD", "5gb"),
    ("DEBUG", "QUICKLIST-PACKED-THRESHOLD", "x"),
    ("DEBUG", "QUICKLIST-PACKED-THRESHOLD"),
    ("DEBUG", "REPLYBUFFER", "PEAK-RESET-TIME", "NEVER"),
    ("DEBUG", "REPLYBUFFER", "RESIZING", 0),
    ("DEBUG", "REPLYBUFFER", "RESIZING", 1),
    ("DEBUG", "REPLYBUFFER", "x", 1),
    ("DEBUG", "REPLYBUFFER", "x"),
    ("DEBUG", "PAUSE-CRON", 1),
    ("DEBUG", "PAUSE-CRON", 0),
    ("DEBUG", "PAUSE-CRON"),
    ("DEBUG", "LOG", "hello"),
    ("DEBUG", "CONFIG-REWRITE-FORCE-ALL"),
    ("DEBUG", "RELOAD", "x"),
    ("DEBUG", "SET-DISABLE-DENY-SCRIPTS", "x"),
    ("DEBUG", "SET-SKIP-CHECKSUM-VALIDATION", "x"),
    ("PFDEBUG", "ENCODING", "hll"),
    ("PFDEBUG", "DECODE", "hll"),
    ("PFDEBUG", "TODENSE", "hll"),
    ("PFDEBUG", "TODENSE", "hll"),
    ("PFDEBUG", "ENCODING", "hll"),
    ("PFDEBUG", "DECODE", "hll"),
    ("PFDEBUG", "GETREG", "hll"),
    ("PFDEBUG", "GETREG", "other hll"),
    ("PFDEBUG", "ENCODING", "other hll"),
    ("PFDEBUG", "x", "hll"),
    ("PFDEBUG", "x", "nothing"),
    ("PFDEBUG", "ENCODING", "hash"),
    ("PFDEBUG", "ENCODING", "text"),
    ("PFSELFTEST",),
    ("GET", "hll"),
]


@pytest.fixture(scope="module")
def kedis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kedis]:
    folder = tmp_path_factory.mktemp("debug") / "data"
    server = Kedis(folder, "--appendonly", "no", "--save", "", "--enable-debug-command", "yes")
    yield server
    server.kill()


def wire_bytes(port: int, calls: list[tuple[Any, ...]], protocol: int) -> list[bytes]:
    """What a server answers to each call, byte by byte."""
    found = []
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        for call in [("HELLO", protocol), *calls]:
            connection.sendall(encode_command([to_bytes(word) for word in call]))
            connection.sendall(b"*2\r\n$4\r\nECHO\r\n$7\r\n[a-end]\r\n")
            data = b""
            while not data.endswith(b"$7\r\n[a-end]\r\n"):
                data += connection.recv(65536)
            found.append(data)
    return found[1:]


@pytest.mark.parametrize("protocol", [2, 3])
def test_answers_are_those_of_redis(kedis: Kedis, oracle: Oracle, protocol: int) -> None:
    setup: list[tuple[Any, ...]] = [
        ("FLUSHALL",),
        ("HSET", "hash", "f", "v"),
        ("RPUSH", "list", "a"),
        ("SET", "text", "x"),
        ("CONFIG", "SET", "hll-sparse-max-bytes", 3000),
        ("PFADD", "hll", *range(100)),
        ("PFADD", "other hll", "a"),
    ]
    answers = [wire_bytes(port, setup + CALLS, protocol)[len(setup) :] for port in (kedis.port, oracle.port)]
    for call, ours, theirs in zip(CALLS, *answers, strict=True):
        assert ours == theirs, call


def test_a_table_is_described(oracle: Oracle) -> None:
    client = Client()
    client.engine.config.enable_debug_command = "yes"
    oracle.call("FLUSHALL")
    for server in (client, oracle):
        server.call("SADD", "set", *"abc")
    for call in [("HTSTATS", 0), ("HTSTATS-KEY", "set")]:
        ours, theirs = (server.call("DEBUG", *call).splitlines() for server in (client, oracle))
        assert ours == [line for line in theirs if line in ours]
        assert any(line.startswith(b" number of elements: ") for line in ours)


def test_reload_with_options(tmp_path: Path, oracle: Oracle) -> None:
    kedis = Kedis(tmp_path / "data", "--appendonly", "no", "--save", "", "--enable-debug-command", "yes")
    try:
        failed = kedis.call("DEBUG", "RELOAD", "NOSAVE")
        assert str(failed).startswith("ERR Error trying to load the RDB dump")
        wire = kedis.connect()
        for server in (wire, oracle):
            server.call("FLUSHALL")
            server.call("SET", "a", 1)
            assert server.call("DEBUG", "RELOAD") == b"OK"
            server.call("MSET", "a", 2, "b", 2)
            assert server.call("DEBUG", "RELOAD", "nosave", "noflush", "merge") == b"OK"
        for key in "ab":
            assert wire.call("GET", key) == oracle.call("GET", key)
        assert wire.call("DEBUG", "RELOAD", "NOSAVE") == oracle.call("DEBUG", "RELOAD", "NOSAVE") == b"OK"
        assert wire.call("KEYS", "*") == oracle.call("KEYS", "*") == [b"a"]
        assert isinstance(wire.call("DEBUG", "RELOAD", "NOSAVE", "NOFLUSH"), Exception)
        library = "#!lua name=l\nredis.register_function('f', function() return 7 end)"
        for server in (wire, oracle):
            server.call("FLUSHALL")
            server.call("FUNCTION", "LOAD", library)
        for options in (["noflush"], ["noflush", "merge"], ["nosave"], []):
            answers = [server.call("DEBUG", "RELOAD", *options) for server in (wire, oracle)]
            assert str(answers[0]) == str(answers[1])
            assert wire.call("FCALL", "f", 0) == oracle.call("FCALL", "f", 0)
    finally:
        kedis.kill()


def test_scripts_may_call_everything_while_it_is_allowed() -> None:
    client = Client()
    client.engine.config.enable_debug_command = "yes"
    script = "return redis.call('debug', 'protocol', 'integer')"
    assert isinstance(client.call("EVAL", script, 0), ErrorReply)
    for allowed in (1, 0):
        assert client.call("DEBUG", "SET-DISABLE-DENY-SCRIPTS", allowed) == b"OK"
        for _ in range(3):  # the native path runs a script that has run before
            answer = client.call("EVAL", script, 0)
            assert (answer == 12345) == bool(allowed)


def test_checksums_are_passed_over_while_that_is_asked_for() -> None:
    client = Client()
    client.engine.config.enable_debug_command = "yes"
    client.call("SET", "k", "hello")
    payload = client.call("DUMP", "k")[:-1] + b"x"
    assert isinstance(client.call("RESTORE", "new", 0, payload), ErrorReply)
    client.call("DEBUG", "SET-SKIP-CHECKSUM-VALIDATION", 1)
    assert client.call("RESTORE", "new", 0, payload) == b"OK"
    client.call("DEBUG", "SET-SKIP-CHECKSUM-VALIDATION", 0)
    assert isinstance(client.call("RESTORE", "newer", 0, payload), ErrorReply)


def test_the_periodic_work_pauses(kedis: Kedis) -> None:
    wire = kedis.connect()
    wire.call("DEBUG", "PAUSE-CRON", 1)
    wire.call("FLUSHALL")
    wire.call("SET", "k", 1, "PX", 1)
    time.sleep(0.5)
    assert wire.call("DBSIZE") == 1
    wire.call("DEBUG", "PAUSE-CRON", 0)
    until(lambda: wire.call("DBSIZE") == 0, "the key has not expired")
    wire.close()


def test_a_line_in_the_log(kedis: Kedis) -> None:
    kedis.call("DEBUG", "LOG", "a word to the log")
    assert "DEBUG LOG: a word to the log" in kedis.log()


def test_a_rewritten_file_gives_every_setting_and_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "kedis.conf"
    path.write_text("appendonly no\nenable-debug-command yes\n")
    folder = tmp_path / "data"

    def settings(server: Kedis) -> dict[Any, Any]:
        words = server.call("CONFIG", "GET", "*")
        found = dict(zip(words[::2], words[1::2], strict=True))
        return {name: value for name, value in found.items() if name not in (b"port", b"pidfile")}

    kedis = Kedis(folder, program=("-m", "kedis", str(path)))
    try:
        before = settings(kedis)
        assert kedis.call("DEBUG", "CONFIG-REWRITE-FORCE-ALL") == b"OK"
    finally:
        kedis.kill()
    lines = path.read_text().splitlines()
    assert {line.split()[0] for line in lines if line} >= {
        "maxmemory",
        "hz",
        "timeout",
        "set-max-intset-entries",
    }
    kedis = Kedis(folder, program=("-m", "kedis", str(path)))
    try:
        assert settings(kedis) == before
    finally:
        kedis.kill()


@pytest.mark.parametrize("protocol", [2, 3])
def test_what_a_script_calls_a_big_number_is_sent_as_one(kedis: Kedis, oracle: Oracle, protocol: int) -> None:
    texts = ["123\\r\\n123", "12", "-5", "", "x", "007"]
    calls: list[tuple[Any, ...]] = [("EVAL", f"return {{big_number='{text}'}}", 0) for text in texts]
    assert wire_bytes(kedis.port, calls, protocol) == wire_bytes(oracle.port, calls, protocol)


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("of_script", [2, 3])
def test_replies_of_every_type_through_a_script(
    kedis: Kedis, oracle: Oracle, protocol: int, of_script: int
) -> None:
    types = [name for name in TYPES.split() if name not in ("push", "nonsense")]
    calls: list[tuple[Any, ...]] = [("DEBUG", "SET-DISABLE-DENY-SCRIPTS", 1)]
    script = "redis.setresp({}); return redis.call('debug', 'protocol', '{}')"
    calls += [("EVAL", script.format(of_script, name), 0) for name in types]
    calls += [("DEBUG", "SET-DISABLE-DENY-SCRIPTS", 0)]
    assert wire_bytes(kedis.port, calls, protocol) == wire_bytes(oracle.port, calls, protocol)


def test_an_expired_key_is_still_described(kedis: Kedis, oracle: Oracle) -> None:
    wire = kedis.connect()
    answers = []
    for server in (wire, oracle):
        server.call("DEBUG", "SET-ACTIVE-EXPIRE", 0)
        server.call("SET", "k", "value", "PX", 1)
        time.sleep(0.05)
        found = [
            server.call("DEBUG", *words) for words in (("OBJECT", "k"), ("SDSLEN", "k"), ("LISTPACK", "k"))
        ]
        answers.append([isinstance(answer, bytes) for answer in found])
        server.call("DEBUG", "SET-ACTIVE-EXPIRE", 1)
    assert answers == [[True, True, False]] * 2
    wire.close()
