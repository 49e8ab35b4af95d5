"""DEBUG and OBJECT."""

from __future__ import annotations

import re
import time

import pytest

from kedis.engine.absent import NoProcess
from kedis.store.expiry import ActiveExpiry
from tests.commands.driver import Client, ErrorReply

REFUSAL = ErrorReply(
    'ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it '
    "from a local connection, otherwise you need to set this option in the configuration file, and then "
    "restart the server."
)
ZERO = b"0" * 40


@pytest.fixture
def client() -> Client:
    client = Client()
    client.engine.config.enable_debug_command = "yes"
    return client


def unknown(name: str) -> ErrorReply:
    return ErrorReply(f"ERR unknown subcommand or wrong number of arguments for '{name}'. Try DEBUG HELP.")


def test_who_may(client: Client) -> None:
    client.engine.config.enable_debug_command = "no"
    assert client.call("DEBUG", "SLEEP", 0) == REFUSAL
    assert client.call("DEBUG", "nonsense") == REFUSAL
    assert client.call("DEBUG") == ErrorReply("ERR wrong number of arguments for 'debug' command")
    client.engine.config.enable_debug_command = "local"
    assert client.call("DEBUG", "SLEEP", 0) == b"OK"
    client.state.address = "[::1]:50000"
    assert client.call("DEBUG", "SLEEP", 0) == b"OK"
    client.state.address = "192.0.2.1:50000"
    assert client.call("DEBUG", "SLEEP", 0) == REFUSAL
    client.state.transport.kind = "unix"
    assert client.call("DEBUG", "SLEEP", 0) == b"OK"


def test_shape_of_the_call(client: Client) -> None:
    assert client.call("DEBUG", "foo") == unknown("foo")
    assert client.call("DEBUG", "sleep") == unknown("sleep")
    assert client.call("DEBUG", "SLEEP", 0, 1) == unknown("SLEEP")
    assert client.call("DEBUG", "DIGEST", "a") == unknown("DIGEST")
    assert client.call("DEBUG", "HELP", "x") == unknown("HELP")
    assert client.call("DEBUG", "HELP")[0].startswith(b"DEBUG <subcommand>")


def test_sleep(client: Client) -> None:
    asked: list[float] = []
    client.engine.process = process = NoProcess()
    process.sleep = asked.append  # type: ignore[method-assign]
    for text in ("0.05", "2", "1e9", "-1", "abc", "", "nan", "0x", " 3 s"):
        assert client.call("DEBUG", "SLEEP", text) == b"OK"
    assert asked == [0.05, 2, 86_400, 0, 0, 0, 0, 0, 3]


def test_sleep_blocks(client: Client) -> None:
    began = time.monotonic()
    assert client.call("DEBUG", "SLEEP", "0.05") == b"OK"
    assert time.monotonic() - began >= 0.05


def test_set_active_expire(client: Client) -> None:
    database = client.state.db
    database.set_value(b"k", b"v")
    database.set_expiry(b"k", client.now_ms - 1)
    expiry = ActiveExpiry(client.engine.keyspace)
    assert client.call("DEBUG", "SET-ACTIVE-EXPIRE", 0) == b"OK"
    expiry.run(0.1, client.engine.clock)
    assert client.call("DBSIZE") == 1
    assert client.call("DEBUG", "SET-ACTIVE-EXPIRE", 1) == b"OK"
    expiry.run(0.1, client.engine.clock)
    assert client.call("DBSIZE") == 0


def test_digests_of_nothing(client: Client) -> None:
    assert client.call("DEBUG", "DIGEST") == ZERO
    assert client.call("DEBUG", "DIGEST-VALUE") == []
    assert client.call("DEBUG", "DIGEST-VALUE", "a", "b") == [ZERO, ZERO]


def test_what_changes_a_digest(client: Client) -> None:
    database = client.state.db
    database.set_value(b"a", b"1")
    database.set_value(b"b", b"2")
    both = client.call("DEBUG", "DIGEST")
    database.delete(b"a")
    database.set_value(b"a", b"1")  # now after b
    assert client.call("DEBUG", "DIGEST") == both
    database.set_expiry(b"a", client.now_ms + 1)
    assert client.call("DEBUG", "DIGEST") != both
    client.now_ms += 1
    due = client.call("DEBUG", "DIGEST")
    client.call("DEL", "a")
    assert client.call("DEBUG", "DIGEST") == due
    client.call("MOVE", "b", 1)
    assert client.call("DEBUG", "DIGEST") != due


def test_debug_object(client: Client) -> None:
    assert client.call("DEBUG", "OBJECT", "nokey") == ErrorReply("ERR no such key")
    client.state.db.set_value(b"s", b"hello")
    line = client.call("DEBUG", "OBJECT", "s")
    assert re.fullmatch(
        rb"Value at:0x[0-9a-f]+ refcount:1 encoding:embstr serializedlength:6 lru:\d+ lru_seconds_idle:0",
        line,
    )
    client.call("RPUSH", "l", "a", "b", "c")
    assert b" encoding:quicklist " in client.call("DEBUG", "OBJECT", "l")
    assert b" ql_nodes:1 ql_avg_node:3.00 " in client.call("DEBUG", "OBJECT", "l")


def test_object(client: Client) -> None:
    client.state.db.set_value(b"n", b"9999")
    client.state.db.set_value(b"big", b"10000")
    for subcommand in ("ENCODING", "FREQ", "IDLETIME", "REFCOUNT"):
        assert client.call("OBJECT", subcommand, "nokey") is None
    assert client.call("OBJECT", "REFCOUNT", "n") == 2**31 - 1
    assert client.call("OBJECT", "REFCOUNT", "big") == 1
    assert client.call("OBJECT", "IDLETIME", "n") == 0
    assert str(client.call("OBJECT", "FREQ", "n")).startswith(
        "ERR An LFU maxmemory policy is not selected, access"
    )
    client.engine.config.maxmemory_policy = "allkeys-lfu"
    assert client.call("OBJECT", "FREQ", "n") == 0
    assert str(client.call("OBJECT", "IDLETIME", "n")).startswith(
        "ERR An LFU maxmemory policy is selected, idle"
    )
    assert client.call("OBJECT", "foo", "n") == ErrorReply("ERR unknown subcommand 'foo'. Try OBJECT HELP.")
    assert client.call("OBJECT") == ErrorReply("ERR wrong number of arguments for 'object' command")
    assert client.call("OBJECT", "ENCODING") == ErrorReply(
        "ERR wrong number of arguments for 'object|encoding' command"
    )
    assert client.call("OBJECT", "HELP")[0].startswith(b"OBJECT <subcommand>")
